"""The source of a submission as text: what its trainee can import of `submissions/`, and so no more than is hashed."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.planning.imports import MANIFEST, Import, read_places

MAIN = "submission.py"


@dataclass(frozen=True)
class Source:
    """The text of `submission.py`, and of the modules that it may import."""

    main: str
    modules: Mapping[str, str] = field(default_factory=dict)
    """By their full names, such as `timetrial.submissions.schedules`; those beside `submission.py` by their own too."""
    imports: Mapping[str, str] = field(default_factory=dict)
    """What it may import from outside torch and this project: the place of each top-level module."""


def read_source(name: str, files: Mapping[str, Path], imports: Iterable[Import] = ()) -> Source:
    """Read the files of submission `name`, by their place in a copy, as `SubmissionFolder.source_files` lists them.

    `imports` are what it imports from outside, where it lies. Raises `UsageError` where a file is not UTF-8.
    """
    texts = {place: read_text(path) for place, path in files.items() if path.suffix == ".py"}
    main = texts.pop(MAIN)
    modules = {_module(name, place): text for place, text in texts.items()}
    beside = {place.removesuffix(".py"): text for place, text in texts.items() if "/" not in place}
    return Source(main, modules | beside, {found.name: str(found.place) for found in imports})


def read_copy(name: str, folder: Path, imports: Path) -> Source:
    """Read the copy of a submission's source in `folder`, and find in `imports` what it records that it imports.

    Raises `UsageError` where that is not what was recorded.
    """
    source = read_source(name, {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.py")})
    recorded = folder / MANIFEST
    if not recorded.exists():
        return source
    return replace(source, imports=read_places(imports, json.loads(recorded.read_bytes())))


def _module(name: str, place: str) -> str:
    package, _, file = place.rpartition("/")
    return f"timetrial.submissions.{file[:-3]}" if package == "shared" else f"timetrial.submissions.{name}.{file[:-3]}"


def read_text(path: Path) -> str:
    """Read a source file; raises `UsageError` where it is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from None
