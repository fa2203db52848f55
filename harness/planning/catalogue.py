"""Submissions, of the collection and from outside: their folders, metadata and source hashes.

No submission code is imported.
"""

import ast
import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning import outside
from timetrial.harness.planning.imports import MANIFEST, Import, find_imports, manifest
from timetrial.harness.planning.places import SUBMISSIONS
from timetrial.harness.planning.search_space import (
    Hyperparameters,
    SearchSpace,
    parse_hyperparameters,
    parse_search_space,
    parse_switches,
)
from timetrial.harness.planning.source import read_source

TEMPLATE = "template"
COLLECTION = "collection"
FIELDS = ("author", "description", "references", "licence", "search_space", "hyperparameters", "switches")


@dataclass(frozen=True, eq=False)
class SubmissionFolder:
    """A submission as it lies on disk: what its `submission.yaml` says, and where its code is."""

    name: str
    path: Path
    author: str
    description: str
    references: tuple[str, ...]
    licence: str
    search_space: SearchSpace | None
    hyperparameters: Hyperparameters | None
    origin: str = COLLECTION
    """Where it comes from, for a person."""
    beside: Path | None = None
    """The folder whose modules it may import by their names; None: installed ones alone."""
    arguments: tuple[str, ...] = ()
    """The hyperparameters of an optimizer class, whose search space a run may choose; none: it is no class."""
    switches: Mapping[str, tuple[float | int | str | bool, ...]] = field(default_factory=dict)
    """Parts that `timetrial ablate` takes away: a hyperparameter, its value in the whole method, and others."""

    @property
    def rulesets(self) -> tuple[str, ...]:
        """The rulesets it takes part in: external with a search space, self_tuning with hyperparameters."""
        entered = (("external", self.search_space), ("self_tuning", self.hyperparameters))
        return tuple(ruleset for ruleset, values in entered if values is not None)

    @property
    def unsigned(self) -> str | None:
        """Say what is still the template's, which no leaderboard takes, and what to do; None: nothing is."""
        if self.origin != COLLECTION or self.name == TEMPLATE or not (SUBMISSIONS / TEMPLATE).is_dir():
            return None
        template = find_submission(TEMPLATE)
        same = [name for name in ("author", "description") if getattr(self, name) == getattr(template, name)]
        if not same:
            return None
        return (
            f"submissions/{self.name}/submission.yaml has the template's {' and '.join(same)}: write your own before a "
            "run to submit, since a run keeps the file as it is"
        )

    def source_files(self) -> dict[str, Path]:
        """List its own files and the shared modules that its code imports, by their place in a copy."""
        own = sorted(p for p in self.path.iterdir() if p.suffix in (".py", ".yaml", ".md") and p.is_file())
        shared: dict[str, Path] = {}
        pending = [p for p in own if p.suffix == ".py"]
        while pending:
            for module in _shared_modules(pending.pop()):
                if module.name not in shared:
                    shared[module.name] = module
                    pending.append(module)
        imports = {MANIFEST: self._manifest} if self.imports else {}
        return {p.name: p for p in own} | imports | {f"shared/{name}": shared[name] for name in sorted(shared)}

    def code_files(self) -> dict[str, Path]:
        """List the code that its author answers for: `source_files`, and modules that no distribution brings."""
        own = [its.place for its in self.imports if its.distribution is None]
        modules = {
            f"{place.name}/{file.relative_to(place).as_posix()}" if place.is_dir() else place.name: file
            for place in own
            for file in (sorted(place.rglob("*.py")) if place.is_dir() else [place])
        }
        return self.source_files() | modules

    @cached_property
    def imports(self) -> list[Import]:
        """List what its own files import from outside torch and this project."""
        return find_imports(sorted(self.path.glob("*.py")), self.beside)

    @cached_property
    def _manifest(self) -> Path:
        return outside.keep_text(MANIFEST, manifest(self.imports))

    def source_hash(self) -> str:
        """Hash its files and the shared modules they import (SHA-256, 16 hexadecimal digits)."""
        return hash_source(self.source_files())


def hash_source(files: Mapping[str, Path]) -> str:
    """Hash source files by their place in a copy, a submission's own first (SHA-256, 16 hexadecimal digits)."""
    digest = hashlib.sha256()
    for name in sorted(files, key=lambda name: ("/" in name, name)):
        digest.update(f"{name}\0".encode() + files[name].read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def submission_names() -> list[str]:
    """List the submissions of this clone; the template is not one."""
    return sorted(p.parent.name for p in SUBMISSIONS.glob("*/submission.yaml") if p.parent.name != TEMPLATE)


def find_submission(name: str, space: Mapping[str, Any] | None = None) -> SubmissionFolder:
    """Read the submission `name`: of the collection, or from outside: a path, `module:Class`, or a plug-in's name.

    `space` has axes or values, by name, for those that are made of an optimizer class; None: as this process has found
    it last. What came from outside is known by its own name from then on. Raises `UsageError` where it is unknown, has
    the name of one of the collection, or its `submission.yaml` is wrong.
    """
    if space is None and name in _found and _found[name].arguments:
        return _found[name]
    plugins = outside.plugins(outside.SUBMISSIONS_GROUP)
    if outside.is_outside(name) or (name in plugins and not _is_of_collection(name)):
        _found[outside.name_of(name)] = folder = _read_outside(outside.prepare(name, space or {}), name)
        return folder
    if name in plugins:
        brought = outside.brought_by(plugins[name])
        raise UsageError(
            f"submission {name!r} is of the collection, and {brought} brings one of that name: uninstall it"
        )
    path = SUBMISSIONS / name
    if not _is_of_collection(name):
        if name in _found:
            return _found[name]
        raise UsageError(_unknown("submission", name, submission_names(), "timetrial list shows all"))
    if not (path / "submission.py").is_file():
        raise UsageError(f"submission {name!r} has no {path / 'submission.py'}: write it, or copy the template's")
    if inner := next(path.glob("*/*.py"), None):
        raise UsageError(f"submission {name!r} has modules in {inner.parent}: put them beside its submission.py")
    folder = read_submission(name, path / "submission.yaml")
    read_source(name, {file.name: file for file in path.glob("*.py")})  # raises where one is no UTF-8
    return folder


_found: dict[str, SubmissionFolder] = {}


def _is_of_collection(name: str) -> bool:
    return (SUBMISSIONS / name / "submission.yaml").is_file()


def _read_outside(found: outside.Outside, typed: str) -> SubmissionFolder:
    if _is_of_collection(found.name):
        raise UsageError(f"submission {typed!r} would be called {found.name!r}, as one of the collection: rename it")
    own = found.folder / "submission.yaml"
    folder = read_submission(found.name, own, str(own) if found.folder == found.beside else typed)
    read_source(found.name, {file.name: file for file in found.folder.glob("*.py")})  # raises where one is no UTF-8
    return replace(folder, origin=found.origin, beside=found.beside, arguments=found.arguments)


def read_submission(name: str, file: Path, where: str | None = None) -> SubmissionFolder:
    """Read what a `submission.yaml` says of the submission `name`.

    Raises `UsageError`, which names `where` it stands, where that is wrong.
    """
    from omegaconf import OmegaConf  # slow to import; `--help` does without
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    where = where or f"submissions/{name}/submission.yaml"
    try:
        given = OmegaConf.to_container(OmegaConf.load(file), resolve=True)
    except (YAMLError, OmegaConfBaseException, OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{where} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(given, dict):
        raise UsageError(f"{where} holds no mapping: give {', '.join(FIELDS)}")
    for key in given:
        if key not in FIELDS:
            raise UsageError(f"{where}: " + _unknown("field", str(key), list(FIELDS), f"choose of {', '.join(FIELDS)}"))
    for key in ("author", "description", "licence"):
        if not isinstance(given.get(key), str) or not given[key].strip():
            raise UsageError(f"{where}: {key} is {given.get(key)!r}: give a line of text")
    references = given.get("references", [])
    if not isinstance(references, list) or not all(isinstance(line, str) for line in references):
        raise UsageError(f"{where}: references is {references!r}: give a list of lines")
    space, values = given.get("search_space"), given.get("hyperparameters")
    if space is None and values is None:
        raise UsageError(f"{where}: give a search_space (external) or hyperparameters (self_tuning), or both")
    switches = parse_switches(given.get("switches", {}), where)
    whole = {name: choices[0] for name, choices in switches.items()}
    own = None if values is None else parse_hyperparameters(values, where)
    return SubmissionFolder(
        name,
        file.parent,
        given["author"],
        " ".join(given["description"].split()),
        tuple(references),
        given["licence"],
        None if space is None else parse_search_space(space, where).with_values(whole),
        None if own is None else own | {name: value for name, value in whole.items() if name not in own},
        switches=switches,
    )


def _shared_modules(source: Path) -> list[Path]:
    """List the shared modules that `source` imports, as `from timetrial.submissions.NAME import ...`."""
    try:
        tree = ast.parse(source.read_bytes())
    except (SyntaxError, ValueError):
        return []  # the trial itself reports it, with the line
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "timetrial.submissions":
            names |= {f"timetrial.submissions.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = (SUBMISSIONS / (name.split(".")[2] + ".py") for name in names if name.startswith("timetrial.submissions."))
    return sorted(path for path in files if path.is_file())


def _unknown(what: str, name: str, known: list[str], remedy: str) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"unknown {what} {name!r}: " + (f"did you mean {close[0]}?" if close else remedy)
