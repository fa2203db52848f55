"""The reference that ran beside an entry: through it, entries of different days and machines are compared.

Both it and the board's own trials of the reference computed the same, step for step. What a step cost beside the
entry, over what it cost on the board, is how much slower the machine was then, and the entry's seconds are divided by
it, a factor for each workload and clock.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import Result, TrialFolder
from timetrial.harness.records.run import Slowness


def choose_beside(trials: Iterable[TrialFolder], studies: int) -> tuple[TrialFolder, ...]:
    """Choose which finished trials of the reference are kept with an entry of so many `studies`.

    All of them where it ran in fewer studies than the entry, else those of one study, which are enough.
    """
    finished = [folder for folder in trials if folder.is_finished]
    there = sorted({folder.read_spec().study for folder in finished})
    kept = there[:1] if len(there) >= studies else there
    return tuple(folder for folder in finished if folder.read_spec().study in kept)


def slowness(beside: Iterable[TrialFolder], board: Iterable[TrialFolder]) -> Mapping[str, Slowness]:
    """Compute for each workload how many times longer the reference took beside an entry than on the board.

    The geometric mean over the trials that were run in both; workloads without any are left out.
    """
    known = {_same(folder.read_spec()): folder.read_result() for folder in board}
    logs: dict[str, list[Slowness]] = {}
    for folder in beside:
        spec, result = folder.read_spec(), folder.read_result()
        other = known.get(_same(spec))
        if other is not None and other.status == result.status:
            logs.setdefault(spec.workload.name, []).append(_log_ratio(result, other))
    return {name: Slowness(*np.exp(np.mean(rows, axis=0)).tolist()) for name, rows in logs.items()}


def _same(spec: TrialSpec) -> str:
    """What is equal where two trials computed the same."""
    return str(replace(spec, threads=1).to_json())


def _log_ratio(one: Result, other: Result) -> Slowness:
    def log_cost(seconds: float | None, result: Result) -> float:
        return math.log(seconds / result.step) if seconds and result.step else 0.0

    return Slowness(
        log_cost(one.paced_seconds, one) - log_cost(other.paced_seconds, other),
        log_cost(one.seconds, one) - log_cost(other.seconds, other),
    )
