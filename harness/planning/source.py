"""The source of a submission as text: what its trainee can import of `submissions/`, and so no more than is hashed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from timetrial.harness import UsageError

MAIN = "submission.py"


@dataclass(frozen=True)
class Source:
    """The text of `submission.py`, and of the modules that it may import."""

    main: str
    modules: Mapping[str, str] = field(default_factory=dict)
    """By their full names, such as `timetrial.submissions.schedules`."""


def read_source(name: str, files: Mapping[str, Path]) -> Source:
    """Read the files of submission `name`, by their place in a copy, as `SubmissionFolder.source_files` lists them.

    Raises `UsageError` where one is not UTF-8.
    """
    texts = {place: _read(path) for place, path in files.items() if path.suffix == ".py"}
    return Source(texts.pop(MAIN), {_module(name, place): text for place, text in texts.items()})


def read_copy(folder: Path) -> Source:
    """Read a copy of a submission's source, a folder with the submission's name."""
    return read_source(folder.name, {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.py")})


def _module(name: str, place: str) -> str:
    package, _, file = place.rpartition("/")
    return f"timetrial.submissions.{file[:-3]}" if package == "shared" else f"timetrial.submissions.{name}.{file[:-3]}"


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from None
