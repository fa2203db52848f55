"""A trial that takes a fraction of a second: division modulo 11 with one layer of width 16."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from timetrial.harness.planning.source import Source
from timetrial.harness.planning.spec import TrialSpec, WorkloadSpec
from timetrial.harness.records.files import Result, TrialFolder
from timetrial.harness.trial.arena import Arena
from timetrial.harness.trial.referee import run_trial

HONEST = """
import torch

def build_optimizer(model, hyperparameters, task):
    return torch.optim.AdamW(model.parameters(), lr=hyperparameters.learning_rate)
"""

WORKLOAD = WorkloadSpec(
    name="modular_division",
    implementation="timetrial.workloads.modular_division.ModularDivision",
    sizes={"modulus": 11, "width": 16, "layers": 1, "heads": 2, "batch_size": 32},
    target=2.0,
    budget_seconds=20.0,
    step_hint=100,
    eval_every=10,
)
"""No accuracy is above 1: neither target nor budget ends a trial, only `max_steps`."""

SPEC = TrialSpec(
    suite="tiny",
    suite_version=1,
    ruleset="external",
    submission="tiny",
    source_hash="",
    workload=WORKLOAD,
    study=0,
    trial=0,
    hyperparameters={"learning_rate": 0.01},
    budget_seconds=20.0,
    step_hint=100,
    data="synthetic",
    device="cpu",
    threads=1,
    warmup_steps=2,
    max_steps=30,
)


def spec_with(workload: dict[str, Any] | None = None, **changes: Any) -> TrialSpec:
    """Give the tiny trial with changes to it and to its workload."""
    return replace(SPEC, workload=replace(WORKLOAD, **(workload or {})), **changes)


def run(
    source: str, arena: Arena, path: Path, spec: TrialSpec = SPEC, stop: Callable[[], bool] = lambda: False
) -> Result:
    """Run a submission given as text, through the real referee."""
    path.mkdir(parents=True, exist_ok=True)
    return run_trial(spec, Source(source), arena, TrialFolder(path), stop)


def metrics(path: Path) -> list[tuple]:
    """List all that was recorded but what a clock or a memory has measured."""
    return [(e.step, e.train, e.validation, e.test) for e in TrialFolder(path).read_evaluations()]
