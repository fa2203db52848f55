"""The reference that ran beside an entry: through it, entries of different days and machines are compared.

Both it and the board's own trials of the reference computed the same, step for step. What a step cost beside the
entry, over what it cost on the board, is how much slower the machine was then, and the entry's seconds are divided by
it, a factor for each workload and clock. The factor has an error, which belongs into the intervals of the entry. On
another processor the reference's step is not as many times cheaper as the entry's, which adds to the error.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from timetrial.harness.planning.environment import is_same_machine
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import Result, TrialFolder
from timetrial.harness.records.run import Slowness
from timetrial.harness.records.table import COUNTED

OTHER_PROCESSOR = 0.055
"""How far a step's seconds over the reference's differ between processors: the standard deviation of the logarithm.

Over all submissions and workloads of `mini/self_tuning` on the two processors of `results/prices/`, errors of both
measurements included.
"""


def choose_beside(trials: Iterable[TrialFolder], studies: int) -> tuple[TrialFolder, ...]:
    """Choose which finished trials of the reference are kept with an entry of so many `studies`.

    All of them where it ran in fewer studies than the entry, else those of one study, which are enough.
    """
    finished = [folder for folder in trials if folder.is_finished]
    there = sorted({folder.read_spec().study for folder in finished})
    kept = there[:1] if len(there) >= studies else there
    return tuple(folder for folder in finished if folder.read_spec().study in kept)


def slowness(beside: Iterable[TrialFolder], board: Iterable[TrialFolder]) -> Mapping[str, Slowness]:
    """Compute for each workload how many times longer a step of the reference took beside an entry than on the board.

    The ratio of geometric means over trials, beside the entry of those that computed what one on the board did. Where
    they are the board's own, all ran in one run, and there is nothing to correct: such workloads are left out, like
    those without any.
    """
    trials = [(folder.read_spec(), folder.read_result()) for folder in board]
    known = {_same(spec): result for spec, result in trials}
    there = [(folder.read_spec(), folder.read_result()) for folder in beside]
    others = [(spec, result, known[_same(spec)]) for spec, result in there if _same(spec) in known]
    own = _log_costs(trials)
    its = _log_costs([(spec, it) for spec, it, same in others if it != same and it.status == same.status])
    moved = any(not is_same_machine(it.environment, same.environment) for _, it, same in others)
    return {name: _compare(np.array(its[name]), np.array(own[name]), OTHER_PROCESSOR * moved) for name in its}


def _same(spec: TrialSpec) -> str:
    """What is equal where two trials computed the same."""
    return str(replace(spec, threads=1).to_json())


def _log_costs(trials: Iterable[tuple[TrialSpec, Result]]) -> dict[str, list[tuple[float, float]]]:
    """List by workload the logarithms of the paced and the measured seconds of a step, 0 where there are none."""
    found: dict[str, list[tuple[float, float]]] = {}
    for spec, result in trials:
        if result.status in COUNTED and result.step:
            seconds = (result.paced_seconds, result.seconds)
            costs = tuple(math.log(value / result.step) if value else 0.0 for value in seconds)
            found.setdefault(spec.workload.name, []).append(costs)
    return found


def _compare(beside: NDArray, board: NDArray, error: float) -> Slowness:
    ratio = np.exp(beside.mean(axis=0) - board.mean(axis=0))
    freedom = len(beside) + len(board) - 2
    spread = sum(((costs - costs.mean(axis=0)) ** 2).sum(axis=0)[0] for costs in (beside, board)) / max(freedom, 1)
    return Slowness(*ratio.tolist(), math.sqrt(spread * (1 / len(beside) + 1 / len(board)) + error**2))
