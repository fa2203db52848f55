"""The source texts of committed entries: each distinct text once, in `results/sources/`, named by what it holds."""

import hashlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.records.files import write_atomically

NAME = re.compile(r"(shared/)?[\w-][\w. -]*\.(py|yaml|md|json)")
"""What a source file may be called: nothing that leads out of the folder it is restored into."""


def is_name(name: object) -> bool:
    """Whether `name` may be that of a source file, in an entry or in `results/sources/`."""
    return isinstance(name, str) and NAME.fullmatch(name) is not None


def check_name(name: object) -> str:
    """Give the name of a source file back; raises `ValueError` where it may not be one."""
    if not is_name(name):
        raise ValueError(f"sources: {name!r} cannot be the name of a source file")
    return str(name)


def keep_texts(files: Mapping[str, Path], texts: Path) -> dict[str, str]:
    """Keep the content of each file once in the folder `texts`, and give the name that it has there."""
    texts.mkdir(exist_ok=True)
    kept = {}
    for name, path in sorted(files.items()):
        content = path.read_bytes()
        kept[check_name(name)] = text_name(content, path.suffix)
        if not (texts / kept[name]).exists():
            write_atomically(texts / kept[name], content)
    return kept


def text_name(content: bytes, suffix: str) -> str:
    """Name a text by its content: 16 hexadecimal digits of its SHA-256, and the suffix of its file."""
    return hashlib.sha256(content).hexdigest()[:16] + suffix


def restore_texts(files: Mapping[str, Path], folder: Path) -> None:
    """Copy texts into a new folder under their names there; raises `UsageError` where `folder` exists."""
    if folder.exists():
        raise UsageError(f"{folder} exists: name a new folder for the source")
    for name, text in files.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(text, target)


def find_text_problems(files: Mapping[str, Path], entry: Path) -> list[str]:
    """Say which texts that the file `entry` names are missing or do not hold what their names say."""
    problems = []
    for name, text in files.items():
        if not text.is_file() or text.is_symlink():
            problems.append(f"{text} is missing: {entry} has it as {name}")
        elif text_name(text.read_bytes(), text.suffix) != text.name:
            problems.append(f"{text} was changed: its name is no longer the hash of its content")
    return problems
