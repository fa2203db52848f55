"""Where things are: in a clone, or in the installed package, which has the same folders side by side."""

import os
from pathlib import Path

from timetrial.harness import UsageError

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds harness, workloads, submissions and configs."""
CLONE = ROOT if (ROOT / "pyproject.toml").is_file() else None
"""The clone that this package is imported from; None where it was installed from a wheel."""
CONFIGS = ROOT / "configs"
SUBMISSIONS = ROOT / "submissions"
WORKLOADS = ROOT / "workloads"
RESULTS = ROOT / "results"
"""The committed leaderboards; only a clone has them."""
HOMEPAGE = "https://github.com/timetrial-benchmark/timetrial"
"""Where a clone comes from; `pyproject.toml` says the same."""


def _runs() -> Path:
    if home := os.environ.get("TIMETRIAL_HOME"):
        return Path(home).resolve()
    return RESULTS / "runs" if CLONE else Path("timetrial-runs").resolve()


RUNS = _runs()
"""The runs: `TIMETRIAL_HOME`, else `results/runs` of the clone, else `timetrial-runs` where the program was started."""


def make_output(folder: Path) -> Path:
    """Make the folder that a person has named for what is written, before any work; raises `UsageError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"output {folder}: cannot be made ({error.strerror}): name another folder") from None
    return folder
