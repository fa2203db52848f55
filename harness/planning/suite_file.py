"""Workloads and suites from outside: what the entries of a suite name, and a suite that is a file of its own."""

import ast
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.outside import WORKLOADS_GROUP, brought_by, plugins
from timetrial.harness.planning.places import CONFIGS

DEFAULTS = {"version": 1, "data": "real", "warmup_steps": 2, "execution": "eager"}
"""What the file of a suite need not say."""


def is_suite_file(given: str) -> bool:
    return given.endswith((".yaml", ".yml"))


def read_suite(typed: str) -> dict[str, Any]:
    """Read the file of a suite, as one of `configs/suite/`; its `name` is that of the file, if it gives none.

    A workload is a class by import path (`package.module:Class`), a file beside the suite (`./mine.py`, or
    `./mine.py:Class`), or the name of a plug-in. Raises `UsageError`, also for the name of a suite of the collection.
    """
    from omegaconf import OmegaConf  # slow to import; `--help` does without
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    path = Path(typed).expanduser().resolve()
    if not path.is_file():
        raise UsageError(f"suite {typed!r}: there is no {path}")
    try:
        given = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    except (YAMLError, OmegaConfBaseException, OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{typed} cannot be read: {' '.join(str(error).split())}") from None
    workloads = given.get("workloads") if isinstance(given, dict) else None
    if not isinstance(workloads, dict) or not workloads or not all(isinstance(its, dict) for its in workloads.values()):
        raise UsageError(
            f"{typed}: give workloads, a mapping of names to entries; configs/README.md says what they hold"
        )
    suite = {"name": path.stem, **DEFAULTS, **given, "file": typed}
    if (CONFIGS / "suite" / f"{suite['name']}.yaml").exists():
        raise UsageError(f"{typed} is called {suite['name']}, as a suite of the collection: give it another name")
    own = {name: {"name": name, **its} for name, its in workloads.items()}
    return suite | {"workloads": {name: _read_entry(typed, path.parent, its) for name, its in own.items()}}


def _read_entry(suite: str, folder: Path, entry: dict[str, Any]) -> dict[str, Any]:
    where = f"{suite}: workloads.{entry.pop('name')}"
    implementation = entry.get("implementation")
    if not isinstance(implementation, str):
        raise UsageError(f"{where}.implementation is {implementation!r}: give ./file.py, module:Class or a plug-in")
    return {"sizes": {}, **entry, **find_implementation(implementation, folder, where)}


def find_implementation(typed: str, folder: Path, where: str) -> dict[str, str]:
    """Say what a workload is: its `implementation`, with the `text` of its file where it is one.

    Files are relative to `folder`. Raises `UsageError` naming `where`.
    """
    file, _, name = typed.partition(":")
    if file.endswith(".py"):
        path = folder / Path(file).expanduser()
        if not path.is_file():
            raise UsageError(f"{where}: there is no {path}")
        text = path.read_text()
        return {"implementation": f"{path.name}:{name or _only_class(path, text, where)}", "text": text}
    known = plugins(WORKLOADS_GROUP)
    if typed in known:
        if _is_of_collection(typed):
            brought = brought_by(known[typed])
            raise UsageError(
                f"workload {typed!r} is of the collection, and {brought} brings one of that name: uninstall it"
            )
        return {"implementation": known[typed].value}
    if "." not in typed and not name:
        there = ", ".join(sorted(known)) or "no package brings one"
        raise UsageError(f"{where}: {typed!r} is no ./file.py, no module:Class and no plug-in: {there}")
    return {"implementation": typed}


def _is_of_collection(name: str) -> bool:
    return any(f"\n  {name}:" in file.read_text() for file in (CONFIGS / "suite").glob("*.yaml"))


def _only_class(path: Path, text: str, where: str) -> str:
    """Find the class of a file that has one workload."""
    try:
        classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.bases]
    except SyntaxError as error:
        raise UsageError(f"{where}: {path} is no Python: {error}") from None
    names = [node.name for node in classes if any("Workload" in ast.unparse(base) for base in node.bases)]
    if len(names) != 1:
        there = ", ".join(names) or "no class of timetrial.harness.workload.Workload"
        raise UsageError(f"{where}: {path} has {there}: name one, as {path.name}:Class")
    return names[0]
