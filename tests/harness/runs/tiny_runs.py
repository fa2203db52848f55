"""Runs of tiny trials (division modulo 11, one narrow layer), for tests that start, kill and resume them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timetrial.harness.planning.places import ROOT
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.runs.folder import RunFolder

TINY = (
    "suite=quickstart",
    "workloads=[modular_division]",
    "suite.workloads.modular_division.sizes.modulus=11",
    "suite.workloads.modular_division.sizes.width=16",
    "suite.workloads.modular_division.sizes.batch_size=32",
    "suite.workloads.modular_division.eval_every=10",
    "suite.workloads.modular_division.target=1.0",
    "executor.threads=1",
    "device=cpu",
)
LOCAL = (*TINY, "executor=local", "executor.slots=1")

SLEEPY = """
import time
import torch

class SleepySGD(torch.optim.SGD):
    def step(self, closure=None):
        time.sleep(0.05)
        return super().step(closure)

def build_optimizer(model, hyperparameters, task):
    return SleepySGD(model.parameters(), lr=hyperparameters.learning_rate)
"""
PLAIN = """
import torch

def build_optimizer(model, hyperparameters, task):
    return torch.optim.SGD(model.parameters(), lr=hyperparameters.learning_rate)
"""
BROKEN = """
def build_optimizer(model, hyperparameters, task):
    raise RuntimeError("broken on purpose")
"""
YAML = """
author: test
description: for a test
licence: Apache-2.0
search_space: {learning_rate: {min: 0.001, max: 0.01, scaling: log}}
"""


def overrides(run: Path, submissions: str = "sgd", trials: int = 2, steps: int = 40) -> list[str]:
    """Give what makes a run of `trials` trials of each submission, one study."""
    return [
        f"submission=[{submissions}]",
        f"run={run}",
        "ruleset.studies=1",
        f"ruleset.trials={trials}",
        f"max_steps={steps}",
    ]


def start(*arguments: str, program: tuple[str, ...] = ("-m", "timetrial.harness.cli")) -> subprocess.Popen:
    """Start `timetrial`, its output in pipes."""
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def timetrial(*arguments: str) -> subprocess.CompletedProcess:
    """Run `timetrial` to its end."""
    process = start(*arguments)
    try:
        output, errors = process.communicate(timeout=200)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def add_submission(folder: Path, name: str, source: str) -> None:
    """Write a submission into a folder that stands in for `submissions/`."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "submission.py").write_text(source)
    (folder / name / "submission.yaml").write_text(YAML)


def metrics(run: Path) -> dict[str, list[Any]]:
    """Read all that must not depend on interruptions: the steps and metrics of every trial."""
    return {
        folder.path.relative_to(run).as_posix(): [
            (line.step, line.train, line.validation, line.test) for line in folder.read_evaluations()
        ]
        for folder in RunFolder(run).trials()
    }


def trial_folders(run: Path) -> list[TrialFolder]:
    return RunFolder(run).trials()


def lines_written(run: Path) -> int:
    """Count the evaluations on disk, repeated ones included."""
    return sum(file.read_bytes().count(b"\n") for file in run.glob("*/*/*/*/*/evals.jsonl"))


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 90.0) -> Any:
    """Wait until `condition` gives something true, and give that."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)
    return value


def children(pid: int) -> list[int]:
    """List the child processes of a process."""
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def slots_of(program: int) -> list[int]:
    return [pid for pid in children(program) if b"timetrial.harness.runs.slot" in _command_line(pid)]


def forkservers_of(slot: int) -> list[int]:
    """List the processes that the trainees of a slot start from: one, once a trial has begun."""
    return [pid for pid in children(slot) if b"forkserver" in _command_line(pid)]


def trainees_of(slot: int) -> list[int]:
    """List the processes at the bottom: below the forkserver of a slot, and what stands between."""
    below = [pid for child in forkservers_of(slot) for pid in _descendants(child)]
    return [pid for pid in below if not children(pid)]


def _descendants(pid: int) -> list[int]:
    return [found for child in children(pid) for found in (child, *_descendants(child))]


def _command_line(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
