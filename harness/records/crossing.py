"""When a metric crossed a level: between two evaluations, on every clock at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

CLOCKS = {"paced": "s", "measured": "s", "steps": "steps"}
"""What a time to target can be counted in, and its unit. An array of evaluations has columns in this order."""


def padded(evaluations: Sequence[Array]) -> Array:
    """Stack arrays of evaluations, each (E, columns), to (N, most E, columns), with nan after the last of a trial."""
    columns = 1 + len(CLOCKS)
    stacked = np.full((len(evaluations), max(map(len, evaluations), default=0), columns), np.nan)
    for row, array in zip(stacked, evaluations, strict=True):
        row[: len(array)] = array
    return stacked


def crossings(evaluations: Array, level: float, higher_is_better: bool) -> Array:
    """Find when each trial first is at or past `level`: (N, E, 1 + clocks) to (N, clocks), inf where it never is.

    The first column of `evaluations` is the metric. The crossing lies between the first evaluation at or past the level
    and the one before, where a straight line from metric to metric meets the level, on each clock. A first evaluation
    that is already past it gives its own time, and a nan is never past anything.
    """
    if not evaluations.shape[1]:
        return np.full((len(evaluations), len(CLOCKS)), np.inf)
    sign = 1 if higher_is_better else -1
    metric, goal = sign * evaluations[:, :, 0], sign * level
    past = metric >= goal
    rows, at = np.arange(len(metric)), past.argmax(axis=1)
    before = np.maximum(at - 1, 0)
    start, end = metric[rows, before], metric[rows, at]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where((at > 0) & np.isfinite(start) & (end > goal), (goal - start) / (end - start), 1.0)[:, None]
    clocks = evaluations[:, :, 1:]
    crossed = np.where(share < 1, (1 - share) * clocks[rows, before] + share * clocks[rows, at], clocks[rows, at])
    return np.where(past.any(axis=1)[:, None], crossed, np.inf)
