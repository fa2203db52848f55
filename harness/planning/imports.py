"""What a submission imports from outside torch and this project: found without importing it, and hashed.

A trainee can import this, what every submission can (the standard library, this project, torch, and what the two depend
on), and nothing else: see `harness/trial/submission_modules.py`.
"""

import ast
import functools
import hashlib
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from timetrial.harness import UsageError

MANIFEST = "imports.json"
"""The file of a source that says what it imports; it is hashed with the source, and so are the hashes in it."""
SMALL_BYTES = 16 << 20
"""A package up to this size is copied into a run; a larger one stays where it is, and is hashed before it runs."""
LIBRARIES = ".libs"
"""How the folder is called that wheels put beside a package for the libraries of its compiled modules."""
PROJECT = "timetrial"
COMMON = frozenset({"timetrial", "torch", "numpy", "scipy", "schedulefree", "prodigyopt"})
"""Modules that every submission can import, for a look that needs no list of what is installed."""


@dataclass(frozen=True)
class Import:
    """A top-level module from outside, a folder or a file, as it lies on disk."""

    name: str
    place: Path
    distribution: str | None
    """What was installed; None for a module that lies beside the submission, or that no distribution claims."""
    version: str | None
    files: int
    bytes: int
    hash: str
    """SHA-256 of its files and their names, 16 hexadecimal digits."""

    def recorded(self) -> dict[str, Any]:
        """Give its line of `MANIFEST`: nothing that differs from machine to machine."""
        return {name: value for name, value in vars(self).items() if name not in ("name", "place")}


def manifest(imports: Iterable[Import]) -> str:
    """Write `MANIFEST`."""
    lines = {found.name: found.recorded() for found in sorted(imports, key=lambda found: found.name)}
    return json.dumps(lines, indent=1) + "\n"


def find_imports(sources: Iterable[Path], beside: Path | None = None) -> list[Import]:
    """List what the Python files `sources` import from outside, and what that needs, sorted by name.

    `beside` is the folder whose modules come before installed ones. A distribution comes with all its modules and with
    the distributions that it requires; of a module that none claims, its own imports are followed. What is not found
    is left out: a trainee that imports it fails. Raises `UsageError` for a package that lies in several folders.
    """
    sources = list(sources)
    own = {path.stem for path in sources}
    found: dict[str, Import] = {}
    pending = [name for path in sources for name in _top_level_imports(path)]
    while pending:
        name = pending.pop()
        if name in found or name in own or is_common(name):
            continue
        place = find_module(name, beside)
        if place is None:
            continue
        is_local = beside is not None and place.parent == beside
        installed = None if is_local else distribution_of(name, place)
        found[name] = _describe(name, place, installed)
        if installed is None:
            files = [place] if place.is_file() else sorted(place.rglob("*.py"))
            pending += [each for file in files if file.suffix == ".py" for each in _top_level_imports(file)]
        else:
            pending += [each for its in _with_requirements(installed) for each in _modules_of(its)]
    return sorted(found.values(), key=lambda its: its.name)


def hash_module(place: Path) -> tuple[int, int, str]:
    """Count the files and bytes of a module, a folder or a file, and hash them with their names."""
    digest, size = hashlib.sha256(), 0
    files = list(_files(place))
    for file in files:
        content = file.read_bytes()
        size += len(content)
        name = file.name if file == place else file.relative_to(place).as_posix()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return len(files), size, digest.hexdigest()[:16]


def read_places(folder: Path, recorded: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Find the modules that a `MANIFEST` records in `folder`, which has them or links to them.

    Raises `UsageError` where one is not what was recorded.
    """
    places = {}
    for name, its in recorded.items():
        found = next(
            (path for path in folder.glob(f"{name}*") if name in (path.name, path.name.partition(".")[0])), None
        )
        if found is None or not found.exists():
            raise UsageError(f"{folder / name} is missing, which a submission imports: start a new run with run=NAME")
        if _hash_once(found.resolve()) != its["hash"]:
            raise UsageError(f"{found} has changed since the run began: start a new run with run=NAME")
        places[name] = str(found.resolve())
    return places


_hash_once = functools.cache(lambda place: hash_module(place)[2])


def is_common(name: str) -> bool:
    """Whether every submission can import the top-level module `name`."""
    return name in COMMON or name in sys.stdlib_module_names or name in provided_modules()


@functools.cache
def provided_modules() -> frozenset[str]:
    """List the top-level modules that this project and all it depends on have: the same for every submission."""
    project = _installed().get(PROJECT)
    needed = [] if project is None else _with_requirements(project)
    return COMMON | {name for its in needed for name in _modules_of(its)}


def _top_level_imports(source: Path) -> set[str]:
    """List the first parts of the names that a file imports, relative imports left out."""
    try:
        tree = ast.parse(source.read_bytes())
    except (SyntaxError, ValueError, RecursionError):
        return set()  # the trial itself reports it, with the line
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
    return names


def find_module(name: str, beside: Path | None = None) -> Path | None:
    """Find a top-level module without importing it: beside a submission, where Python looks, or in this folder."""
    if name.endswith(LIBRARIES):
        return Path(str(_distributions()[name].locate_file(name))).resolve()
    spec = None
    if beside is not None:
        spec = importlib.machinery.PathFinder.find_spec(name, [str(beside)])
    if spec is None:
        spec = importlib.util.find_spec(name)
    if spec is None:
        spec = importlib.machinery.PathFinder.find_spec(name, [str(Path.cwd())])
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or ())
    if len(folders) > 1:
        raise UsageError(f"{name} lies in {len(folders)} folders, such as {folders[0]}: import another package")
    return Path(folders[0] if folders else spec.origin).resolve() if folders or spec.has_location else None


def distribution_of(name: str, place: Path) -> importlib.metadata.Distribution | None:
    """Find the distribution that a module is of, also where it was installed as a link to the folder it is made in."""
    if name in _distributions():
        return _distributions()[name]
    for its in _installed().values():
        origin = json.loads(its.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable") and place.is_relative_to(_path_of(origin["url"])):
            return its
    return None


def _path_of(url: str) -> Path:
    return Path(unquote(urlparse(url).path)).resolve()


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    for path in sorted(place.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path


def _describe(name: str, place: Path, installed: importlib.metadata.Distribution | None) -> Import:
    its = (None, None) if installed is None else (installed.metadata["Name"], installed.version)
    return Import(name, place, *its, *hash_module(place))


@functools.cache
def _installed() -> dict[str, importlib.metadata.Distribution]:
    """List what is installed, by its normalised name; the first that Python finds counts."""
    found: dict[str, importlib.metadata.Distribution] = {}
    for its in importlib.metadata.distributions():
        if name := its.metadata["Name"]:
            found.setdefault(_normal(name), its)
    return found


@functools.cache
def _modules_of(installed: importlib.metadata.Distribution) -> frozenset[str]:
    """List the top-level modules of a distribution, and the folder of libraries that its compiled ones load."""
    names = set((installed.read_text("top_level.txt") or "").split())
    for line in (installed.read_text("RECORD") or "").splitlines():
        first, more, _ = line.partition(",")[0].partition("/")
        name = first if more else first.partition(".")[0] if first.endswith((".py", ".so")) else ""
        if name != "__pycache__" and (name.isidentifier() or name.endswith(LIBRARIES)):
            names.add(name)
    return frozenset(names)


@functools.cache
def _distributions() -> dict[str, importlib.metadata.Distribution]:
    return {name: its for its in reversed(_installed().values()) for name in _modules_of(its)}


def _with_requirements(installed: importlib.metadata.Distribution) -> list[importlib.metadata.Distribution]:
    """List a distribution and all that it requires, extras left out."""
    found: dict[str, importlib.metadata.Distribution] = {}
    pending = [_normal(installed.metadata["Name"])]
    while pending:
        name = pending.pop()
        if name in _installed() and name not in found:
            found[name] = _installed()[name]
            required = [line for line in found[name].requires or () if "extra ==" not in line]
            pending += [_normal(re.match(r"[\w.-]+", line.strip())[0]) for line in required]
    return list(found.values())


def _normal(name: str) -> str:
    """Normalise the name of a distribution (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
