"""The submissions that this clone holds: their folders, metadata and source hashes. No submission code is imported."""

import ast
import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from timetrial.harness import UsageError
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
    switches: Mapping[str, tuple[float | int | str | bool, ...]] = field(default_factory=dict)
    """Parts that `timetrial ablate` takes away: a hyperparameter, its value in the whole method, and others."""

    @property
    def rulesets(self) -> tuple[str, ...]:
        """The rulesets it takes part in: external with a search space, self_tuning with hyperparameters."""
        entered = (("external", self.search_space), ("self_tuning", self.hyperparameters))
        return tuple(ruleset for ruleset, values in entered if values is not None)

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
        return {p.name: p for p in own} | {f"shared/{name}": shared[name] for name in sorted(shared)}

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


def find_submission(name: str) -> SubmissionFolder:
    """Read the submission `name`; raises `UsageError` where it is unknown or its `submission.yaml` is wrong."""
    path = SUBMISSIONS / name
    if not (path / "submission.yaml").is_file():
        raise UsageError(_unknown("submission", name, submission_names(), "timetrial list shows all"))
    if not (path / "submission.py").is_file():
        raise UsageError(f"submission {name!r} has no {path / 'submission.py'}: write it, or copy the template's")
    folder = read_submission(name, path / "submission.yaml")
    read_source(name, {file.name: file for file in path.glob("*.py")})  # raises where one is no UTF-8
    return folder


def read_submission(name: str, file: Path) -> SubmissionFolder:
    """Read what a `submission.yaml` says of the submission `name`; raises `UsageError` where that is wrong."""
    from omegaconf import OmegaConf  # slow to import; `--help` does without
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    where = f"submissions/{name}/submission.yaml"
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
        switches,
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
