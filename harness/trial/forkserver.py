"""The process that trainees start from, with all that is slow to import in it: 20 ms a trial instead of seconds."""

import ast
import contextlib
import multiprocessing
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.planning.spec import TrialSpec

LONGEST_FOLDER = 75
"""Characters of the folder for temporary files: the path of a socket below it, which Linux ends at 107, adds 32."""


def prepare_forkserver(specs: Iterable[TrialSpec], sources: Iterable[Path]) -> None:
    """Have trainees start from a process that has imported torch, the workloads, and what the `sources` import.

    Only installed libraries: a module that belongs to a submission runs in a trainee and nowhere else. Raises
    `UsageError` where the folder for temporary files is too deep for the socket that trainees are started through.
    """
    if len(folder := tempfile.gettempdir()) > LONGEST_FOLDER:
        raise UsageError(f"TMPDIR={folder} is too long a path for a socket; set TMPDIR to a folder such as /tmp")
    workloads = {spec.workload.implementation.rpartition(".")[0] for spec in specs}
    libraries = {module for file in sources for module in _libraries(file)}
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["timetrial.harness.trial.preload", *sorted(workloads | libraries)])


def _libraries(file: Path) -> Iterator[str]:
    """List the installed modules that a source imports at its top level."""
    with contextlib.suppress(OSError, SyntaxError, ValueError, RecursionError):
        for node in ast.parse(file.read_bytes()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            yield from (name for name in names if _is_installed(name.partition(".")[0]))


def _is_installed(package: str) -> bool:
    with contextlib.suppress(ImportError, ValueError):
        spec = find_spec(package)
        places = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
        return spec is not None and spec.origin is not None and spec.origin.startswith(tuple(places))
    return False
