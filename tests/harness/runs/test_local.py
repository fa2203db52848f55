"""How the slots of a machine are shared out."""

import math
import subprocess
import sys

import pytest

from tests.harness.runs.tiny_runs import overrides
from timetrial.harness.planning.configuration import compose
from timetrial.harness.records.run import Run
from timetrial.harness.runs import local
from timetrial.harness.runs.local import share_out
from timetrial.harness.runs.slurm import read_resources

LOCAL = ["suite=quickstart", "workloads=[modular_division]", "executor.slots=1"]

AUTO = {"slots": "auto", "threads": "auto"}


@pytest.mark.parametrize(
    ("options", "gpus", "cores", "shared"),
    [
        (AUTO, 0, 8, (8, 1)),
        (AUTO, 0, 1, (1, 1)),
        ({**AUTO, "slots": 1}, 0, 8, (1, 1)),
        ({**AUTO, "threads": 3}, 0, 8, (2, 3)),
        ({**AUTO, "threads": 16}, 0, 8, (1, 16)),
        ({"slots": 3, "threads": 2}, 0, 8, (3, 2)),
        (AUTO, 2, 16, (2, 8)),
        ({**AUTO, "slots": 4}, 2, 16, (4, 4)),
    ],
)
def test_trials_on_a_cpu_have_one_thread_and_slots_fill_the_cores(options, gpus, cores, shared, monkeypatch) -> None:
    monkeypatch.setattr(local, "SLOT_BYTES", 1)
    assert share_out(options, gpus, cores, memory=64) == shared


def test_there_are_no_more_slots_than_memory_for_them(monkeypatch) -> None:
    monkeypatch.setattr(local, "SLOT_BYTES", 10)
    assert share_out(AUTO, 0, 64, memory=39) == (3, 1)
    assert share_out(AUTO, 0, 64, memory=math.inf) == (64, 1)
    assert share_out({**AUTO, "slots": 64}, 0, 64, memory=39) == (64, 1)


@pytest.mark.parametrize(
    ("memory", "slots"), [(None, 16), ("4G", 4), ("4096", 4), (4096, 4), ("1T", 16), (0, 16), ("much", 16)]
)
def test_slots_of_a_job_fill_the_memory_that_it_asks_for(memory, slots, monkeypatch) -> None:
    monkeypatch.setattr(local, "SLOT_BYTES", 1 << 30)
    config = compose(["submission=sgd", "executor=slurm", "executor.cpus=16", "executor.gpus=0"])
    assert read_resources(config["executor"] | {"memory": memory}, "cpu").slots == slots


def test_what_lies_where_a_person_works_is_not_imported_by_slots(tmp_path) -> None:
    for name in ("statistics", "queue", "tempfile"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('of the current folder')")
    arguments = ["run", *overrides(tmp_path / "run", trials=1, steps=10), *LOCAL]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "timetrial.harness.cli", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert [folder.read_result().status for folder in Run(tmp_path / "run").trials()] == ["budget_exhausted"]
