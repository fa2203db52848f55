"""Submissions from outside of the collection: each is made a folder of the collection's form, from what was typed.

`./folder`, `./file.py` (paths), `module:Class` (an optimizer class), or the name of a plug-in. No code of a submission
is imported here.
"""

import ast
import functools
import importlib.metadata
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.class_source import class_source, class_spaces, read_axis, tunable
from timetrial.harness.planning.imports import distribution_of, find_module, is_common
from timetrial.harness.planning.optimizer_class import read_class
from timetrial.harness.planning.source import MAIN, read_text

SUBMISSIONS_GROUP, WORKLOADS_GROUP = "timetrial.submissions", "timetrial.workloads"
"""The groups of entry points by which an installed package brings submissions and workloads."""
METADATA = "submission.yaml"
IN_THE_FILE = {"SEARCH_SPACE": "search_space", "HYPERPARAMETERS": "hyperparameters"}
"""What a file may say of itself, and the field of `submission.yaml` that it is."""
OTHERS_IN_A_RUN = ("jobs", "report")
"""Folders of a run that are no submission's."""
NAME = re.compile(r"[A-Za-z0-9_][\w.-]*")
FILE_AND_CLASS = re.compile(r"(?:.*/)?([^/]+)\.py:(\w+)")
IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Outside:
    """A submission from outside as a folder of the collection's form."""

    name: str
    folder: Path
    beside: Path | None
    """The folder whose modules it may import; None: installed ones alone."""
    origin: str
    """Where it comes from, for a person."""
    arguments: tuple[str, ...] = ()
    """The hyperparameters that an optimizer class can be given; none where it was made of no class."""


def is_path(typed: str) -> bool:
    return "/" in typed or typed.endswith(".py") or typed in (".", "..")


def is_outside(typed: str) -> bool:
    """Whether `typed` says by its form that it is no name: it is a path, or has a colon."""
    return is_path(typed) or ":" in typed


def name_of(typed: str) -> str:
    """Give the name on the leaderboard: of a path its last part, and of all else what was typed."""
    if not is_path(typed):
        return typed
    path = Path(typed).expanduser().resolve()
    return (
        path.stem if path.suffix == ".py" and path.name != MAIN else (path.parent if path.name == MAIN else path).name
    )


def prepare(typed: str, space: Mapping[str, Any]) -> Outside:
    """Make a folder of what was typed, which is a path, `module:Class` or the name of a plug-in.

    `space` has axes or values, by name, that replace those of an optimizer class. Raises `UsageError`.
    """
    name = name_of(typed)
    if made := FILE_AND_CLASS.fullmatch(typed):
        raise UsageError(f"submission {typed!r} is no import path: write {made[1]}:{made[2]}, in its folder")
    if is_path(typed):
        if not NAME.fullmatch(name) or name in OTHERS_IN_A_RUN:
            raise UsageError(f"submission {typed!r} would be called {name!r}: choose another: letters, digits, - and _")
        return _from_path(typed, name)
    if IMPORT_PATH.fullmatch(typed):
        module, _, attribute = typed.partition(":")
        made, arguments = _from_class(typed, module, attribute, space)
        return Outside(typed, made, None, typed, arguments)
    if ":" in typed:
        raise UsageError(f"submission {typed!r} is no import path: write module:Class, such as torch.optim:Muon")
    return _from_plugin(plugins(SUBMISSIONS_GROUP)[typed], space)


@functools.cache
def plugins(group: str) -> dict[str, importlib.metadata.EntryPoint]:
    """List the entry points of a group by their names; raises `UsageError` where two packages bring one name."""
    found: dict[str, importlib.metadata.EntryPoint] = {}
    for point in importlib.metadata.entry_points(group=group):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            brought = f"{brought_by(other)} and {brought_by(point)}"
            raise UsageError(f"{brought} both bring {point.name!r} to {group}: uninstall one")
    return found


def brought_by(point: importlib.metadata.EntryPoint) -> str:
    """Say which package brings a plug-in, with its version."""
    return f"{point.dist.metadata['Name']} {point.dist.version}" if point.dist else point.value


def _from_path(typed: str, name: str) -> Outside:
    path = Path(typed).expanduser().resolve()
    if not path.exists():
        raise UsageError(f"submission {typed!r}: there is no {path}")
    folder = path if path.is_dir() else path.parent
    main = folder / MAIN if path.is_dir() else path
    if not main.is_file():
        raise UsageError(f"submission {typed!r} has no {main}: write it, or name the file that has build_optimizer")
    said = _said(main)
    if main.name == MAIN and not said and (folder / METADATA).is_file():
        return Outside(name, folder, folder, typed)
    if not said and not (folder / METADATA).is_file():
        raise UsageError(
            f"submission {typed!r} has no search space: write SEARCH_SPACE = {{...}} or HYPERPARAMETERS = {{...}} "
            f"into {main.name}, or a {METADATA} beside it"
        )
    made = _new_folder()
    for file in [main] if main.name != MAIN else [*folder.glob("*.py"), *folder.glob("*.md")]:
        if file.suffix == ".py":
            read_text(file)  # refuses it by its own place
        shutil.copyfile(file, made / (MAIN if file == main else file.name))
    for module in _siblings(main, folder):
        shutil.copyfile(module, made / module.name)
    if said:
        _write_metadata(made, _docstring(main) or name, "not stated", "not stated", **said)
    else:
        shutil.copyfile(folder / METADATA, made / METADATA)
    return Outside(name, made, folder, typed)


def _siblings(main: Path, folder: Path) -> list[Path]:
    """List the single files beside `main` that it imports by their names, and those that these import."""
    found: dict[str, Path] = {}
    pending = [main]
    while pending:
        for node in ast.walk(_parse(pending.pop())):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for file in (folder / f"{name}.py" for name in named):
                if file.is_file() and file != main and file.stem not in found and not is_common(file.stem):
                    found[file.stem] = file
                    pending.append(file)
    return list(found.values())


def _from_plugin(point: importlib.metadata.EntryPoint, space: Mapping[str, Any]) -> Outside:
    """Make a folder of a plug-in: an optimizer class, or a module that has what a `submission.py` has."""
    origin = brought_by(point)
    if point.attr:
        made, arguments = _from_class(point.name, point.module, point.attr, space)
        return Outside(point.name, made, None, origin, arguments)
    file = _module_file(point.module)
    if file is None:
        raise UsageError(f"submission {point.name!r}: {origin} names {point.module}, which is not there")
    tree, said, beside = _parse(file), _said(file), file.parent / METADATA
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    defined |= {
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    what = next((its for its in ("Submission", "build_optimizer") if its in defined), None)
    if what is None or not (said or beside.is_file()):
        raise UsageError(f"submission {point.name!r}: {file} of {origin} has no build_optimizer, or no search space")
    made = _new_folder()
    text = _docstring(file) or point.name
    (made / MAIN).write_text(f'"""{_quoted(text)}"""\n\nfrom {point.module} import {what}\n\n__all__ = ["{what}"]\n')
    if said:
        _write_metadata(made, text, origin, _licence(point.dist), **said)
    else:
        shutil.copyfile(beside, made / METADATA)
    return Outside(point.name, made, None, origin)


def _module_file(module: str) -> Path | None:
    """Find the file of a module without importing it or the packages it is in."""
    first, *others = module.split(".")
    place = find_module(first)
    if place is None or (place.is_file() and others):
        return None
    if place.is_file():
        return place
    place = place.joinpath(*others)
    return next((file for file in (place.with_name(f"{place.name}.py"), place / "__init__.py") if file.is_file()), None)


def _from_class(typed: str, module: str, attribute: str, space: Mapping[str, Any]) -> tuple[Path, tuple[str, ...]]:
    """Make a folder of an optimizer class, with its groups and schedule written out; gives its arguments too."""
    its = read_class(module, attribute)
    axes, own = class_spaces(typed, its, space)
    made = _new_folder()
    (made / MAIN).write_text(class_source(typed, its, set(axes)))
    package = _distribution(module)
    author = f"{package.metadata['Name']} {package.version}" if package else module
    description = f"{its.description or attribute} ({typed}, with the collection's groups and schedule)"
    own_fields = {} if own is None else {"hyperparameters": own}
    _write_metadata(made, description, author, _licence(package), search_space=axes, **own_fields)
    return made, tuple(tunable(its))


def _said(file: Path) -> dict[str, Any]:
    """Read the search space and the hyperparameters that a file says itself, as literals."""
    said = {}
    for node in _parse(file).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name) and target.id in IN_THE_FILE:
                try:
                    value = ast.literal_eval(node.value)
                except ValueError:
                    raise UsageError(
                        f"{file} line {node.lineno}: {target.id} is no literal: write its values"
                    ) from None
                if isinstance(value, Mapping):
                    value = {name: read_axis(axis) for name, axis in value.items()}
                said[IN_THE_FILE[target.id]] = value
    return said


def _parse(file: Path) -> ast.Module:
    try:
        return ast.parse(read_text(file), file.name)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UsageError(f"{file} is no Python: {error}") from None


def _docstring(file: Path) -> str:
    return (ast.get_docstring(_parse(file)) or "").partition("\n")[0]


def _quoted(text: str) -> str:
    return text.replace("\\", "").replace('"', "'")


def _write_metadata(folder: Path, description: str, author: str, licence: str, **fields: Any) -> None:
    import yaml

    given = {"author": author, "description": description, "licence": licence, **fields}
    (folder / METADATA).write_text(yaml.safe_dump(given, sort_keys=False, allow_unicode=True))


def _distribution(module: str) -> importlib.metadata.Distribution | None:
    first = module.partition(".")[0]
    place = find_module(first)
    return None if place is None else distribution_of(first, place)


def _licence(package: importlib.metadata.Distribution | None) -> str:
    said = {} if package is None else package.metadata
    given = said.get("License-Expression") or said.get("License") or ""
    return given.partition("\n")[0] or "not stated"


def keep_text(name: str, text: str) -> Path:
    """Write a file that lives as long as this process."""
    file = _new_folder() / name
    file.write_text(text)
    return file


def _new_folder() -> Path:
    """Make an empty folder that lives as long as this process."""
    return Path(tempfile.mkdtemp(dir=_workshop().name))


@functools.cache
def _workshop() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="timetrial-submissions-")
