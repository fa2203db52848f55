"""Paced seconds: what training would have taken on the suite's reference machine, with nobody else on it.

They are made of the stretches between evaluation points (`Stretch` in `files.py`). Each is charged with the processor
time of the trainee's processes, and with the time in which they slept, but not with the time in which they waited for a
core that another program had. Then it is divided by what a step of the pacer, a reference loop in the referee's
process, costs in processor time at that moment, and multiplied by what that step costs on the reference machine.
"""

import statistics
from collections.abc import Iterable, Sequence

from timetrial.harness.records.files import UNSTEADY, Stretch

BURSTS = 5
"""How many bursts of the pacer, up to the last, say how fast the machine is."""


def charged_seconds(stretch: Stretch) -> float:
    """Give the seconds of a stretch that are the trainee's own: never less than its processor time."""
    return max(stretch.processor_seconds, stretch.seconds - stretch.waiting_seconds)


def pacer_seconds(stretches: Sequence[Stretch]) -> float:
    """Give the processor seconds of a step of the pacer at the end of `stretches`: the median of the last bursts."""
    return statistics.median(stretch.pacer_processor_seconds for stretch in stretches[-BURSTS:])


def paced_seconds(stretches: Sequence[Stretch], pace_seconds: float) -> Iterable[float]:
    """Give the paced seconds of each stretch; the reference machine takes `pace_seconds` for a step of the pacer."""
    for i, stretch in enumerate(stretches):
        yield charged_seconds(stretch) * pace_seconds / pacer_seconds(stretches[: i + 1])


def is_unsteady(seconds: float, paced: float, stretches: Sequence[Stretch], pace_seconds: float | None) -> bool:
    """Say whether measured and paced seconds of a trial differ by more than `UNSTEADY` of the measured ones.

    Paced seconds are taken at the machine's median speed in this trial, so that a machine that is faster or slower than
    the reference machine, but always the same, is steady.
    """
    if not stretches or pace_seconds is None:
        return False
    median = statistics.median(stretch.pacer_processor_seconds for stretch in stretches)
    return abs(seconds - paced * median / pace_seconds) > UNSTEADY * seconds
