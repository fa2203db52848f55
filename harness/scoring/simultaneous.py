"""Who is faster than whom when everybody is compared with everybody, and who may be the best: max-t tests at 95 %."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from timetrial.harness.scoring.best_of_k import Array
from timetrial.harness.scoring.jackknife import CONFIDENCE, deviations, variance_and_freedom

DRAWS = 2000
FEWEST_DRAWS = 300
"""With many submissions the largest of all statistics varies little, and fewer draws tell its quantile."""


@dataclass(frozen=True, eq=False)
class Comparisons:
    """What can be said of S submissions."""

    faster: NDArray[np.bool_]
    """(S, S): whether row is faster than column, all of them true at once with 95 %."""
    may_be_best: NDArray[np.bool_]
    """(S,): the best is among these with 95 %."""


def compare_all(log_times: Sequence[Array]) -> Comparisons | None:
    """Compare everybody with everybody, and everybody with the best; None with one study.

    `log_times` has for each workload (1 + K_w, S): all studies, then without each. A pair's statistic is the paired
    difference over its jackknife error. How many independent comparisons all pairs amount to is told by the 95 %
    quantile q of the largest statistic, drawn from a normal distribution with the jackknife's covariances (the max-t of
    Hothorn et al. 2008); a pair is separated where its own t test rejects at the level 1 - Phi(q).

    Who may be the best is a smaller question: only that nobody seems faster than the one who is. So for each submission
    q is the quantile of the largest of its own statistics, against all others (multiple comparisons with the best, Hsu
    1984), and it is excluded where one of these tests rejects.
    """
    count = log_times[0].shape[1]
    pieces = [deviations(workload) / len(log_times) for workload in log_times]
    if any(np.isnan(piece).all() for piece in pieces):
        return None
    if count == 1:
        return Comparisons(np.zeros((1, 1), bool), np.ones(1, bool))
    variances = np.stack([_pair_variances(piece * len(log_times)) for piece in pieces])
    total, freedom = variance_and_freedom(variances, np.array([len(workload) - 1 for workload in log_times]))
    value = np.mean([workload[0] for workload in log_times], axis=0)
    difference = value[None, :] - value[:, None]  # of the column over the row: positive where the row is faster
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = np.where(difference == 0, 0.0, difference / np.sqrt(total))
    chance = special.stdtr(freedom, -statistic)
    largest = _largest_of_each(np.concatenate(pieces), total)
    level, own_level = (special.ndtr(-np.quantile(x, CONFIDENCE, axis=0)) for x in (largest.max(axis=1), largest))
    return Comparisons(chance < level, ~(chance < own_level).any(axis=0))


def _pair_variances(piece: Array) -> Array:
    """Sum the squares of differences of columns, (K, S) to (S, S)."""
    return sum((row[:, None] - row[None, :]) ** 2 for row in piece)


def _largest_of_each(pieces: Array, total: Array) -> Array:
    """Draw, for each submission, the largest standardised difference to all others, (draws, S)."""
    with np.errstate(divide="ignore"):
        precision = np.where(total > 0, 1 / np.sqrt(total), 0.0).astype(np.float32)
    draws = int(np.clip(4e8 / len(total) ** 2, FEWEST_DRAWS, DRAWS))
    generator = np.random.default_rng(0)
    drawn = (generator.standard_normal((draws, len(pieces))) @ np.nan_to_num(pieces)).astype(np.float32)
    return np.array([((row[:, None] - row[None, :]) * precision).max(axis=1) for row in drawn])
