"""A `results/` whose entries were really raced, on a suite of one tiny workload, and what forges their records."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.entries.test_forgery import forge as forge_records
from timetrial.harness.cli import main
from timetrial.harness.entries.committed import CommittedEntry
from timetrial.harness.planning import configuration, places
from timetrial.harness.planning.places import CONFIGS

SUITE = """
# @package suite
name: tiny
version: 1
data: synthetic
warmup_steps: 2
execution: eager
studies: 2
workloads:
  fashion_mnist_mlp:
    implementation: timetrial.workloads.fashion_mnist_mlp.FashionMnistMlp
    sizes: {hidden: [32], batch_size: 128}
    target: 0.5
    budget_seconds: 0.5
    step_hint: 200
    eval_every: 20
    pace_seconds: 0.001
"""
BOARD = "tiny/self_tuning"


def race(root: Path, patch: pytest.MonkeyPatch, *overrides: str) -> Path:
    """Race adamw and muon under `root`, submit both, and give the folder `results`."""
    stand_in(root, patch)
    (root / "results").mkdir(parents=True)
    shutil.copytree(CONFIGS, root / "configs")
    (root / "configs/suite/tiny.yaml").write_text(SUITE)
    run = root / "runs/race"
    raced = ["submission=[adamw,muon]", "suite=tiny", "ruleset=self_tuning", f"run={run}", "device=cpu", *overrides]
    assert main(["run", *raced]) == 0
    for name in ("adamw", "muon"):
        assert main(["submit", name, str(run)]) == 0
    return root / "results"


def stand_in(root: Path, patch: pytest.MonkeyPatch) -> None:
    """Have everything that the verbs read and write lie under `root`."""
    patch.setattr(configuration, "CONFIGS", root / "configs")
    patch.setattr(places, "RESULTS", root / "results")
    patch.setattr(places, "RUNS", root / "runs")


def forge(entry: CommittedEntry, change: Callable[[dict], None]) -> None:
    """Rewrite the records of an entry by `change`, compute its hashes again, and write its leaderboard anew."""
    forge_records(entry, change)
    assert main(["submit", "--rewrite"]) == 0
