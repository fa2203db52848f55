"""Finding what a person means by the name of a run."""

import difflib
from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.entries.committed import committed_results
from timetrial.harness.planning.places import CLONE, RUNS
from timetrial.harness.records.run import Run
from timetrial.harness.runs.folder import RunFolder


def find_run(name: str) -> Run:
    """Find a run by its name among the runs, or by the path of its folder, from here or from the root of the clone.

    A folder of committed results, such as `results/mini`, is read like one. Raises `UsageError` where there is none.
    """
    for path in (Path(name), RUNS / name, *([CLONE / name] if CLONE else [])):
        if path.is_dir():
            return committed_results(path) or RunFolder(path.resolve())
    known = sorted((path for path in RUNS.glob("*") if path.is_dir()), key=lambda path: path.stat().st_mtime)
    names = [path.name for path in reversed(known)]
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        there = f"did you mean {close[0]}?"
    else:
        there = f"the last ones are {', '.join(names[:5])}" if names else "timetrial run makes the first"
    raise UsageError(f"no run {name!r} in {RUNS} and no such folder: {there}")
