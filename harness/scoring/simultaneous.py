"""Who is separated from whom when everybody is compared with everybody: a max-t test at 95 % for all pairs at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import special

from timetrial.harness.scoring.best_of_k import Array
from timetrial.harness.scoring.jackknife import CONFIDENCE, deviations, variance_and_freedom

DRAWS = 2000
FEWEST_DRAWS = 300
"""With many submissions the largest of all statistics varies little, and fewer draws tell its quantile."""


def separated(log_times: Sequence[Array]) -> NDArray[np.bool_] | None:
    """Say of whom one can say who is faster, (S, S): whether row is faster than column, at simultaneous 95 %.

    `log_times` has for each workload (1 + K_w, S): all studies, then without each. A pair's statistic is the paired
    difference over its jackknife error. How many independent comparisons all pairs amount to is told by the 95 %
    quantile q of the largest statistic, drawn from a normal distribution with the jackknife's covariances (the max-t of
    Hothorn et al. 2008); a pair is separated where its own t test rejects at the level 2 (1 - Phi(q)). None with one
    study.
    """
    count = log_times[0].shape[1]
    pieces = [deviations(workload) / len(log_times) for workload in log_times]
    if any(np.isnan(piece).all() for piece in pieces):
        return None
    if count == 1:
        return np.zeros((1, 1), bool)
    variances = np.stack([_pair_variances(piece * len(log_times)) for piece in pieces])
    total, freedom = variance_and_freedom(variances, np.array([len(workload) - 1 for workload in log_times]))
    value = np.mean([workload[0] for workload in log_times], axis=0)
    difference = value[None, :] - value[:, None]  # of the column over the row: positive where the row is faster
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = np.where(difference == 0, 0.0, difference / np.sqrt(total))
    level = special.ndtr(-_quantile_of_largest(np.concatenate(pieces), total))
    return special.stdtr(freedom, -statistic) < level


def _pair_variances(piece: Array) -> Array:
    """Sum the squares of differences of columns, (K, S) to (S, S)."""
    return sum((row[:, None] - row[None, :]) ** 2 for row in piece)


def _quantile_of_largest(pieces: Array, total: Array) -> float:
    """Draw the largest absolute standardised difference of all pairs; gives its 95 % quantile."""
    with np.errstate(divide="ignore"):
        precision = np.where(total > 0, 1 / np.sqrt(total), 0.0).astype(np.float32)
    draws = int(np.clip(4e8 / len(total) ** 2, FEWEST_DRAWS, DRAWS))
    generator = np.random.default_rng(0)
    drawn = (generator.standard_normal((draws, len(pieces))) @ np.nan_to_num(pieces)).astype(np.float32)
    largest = [float((np.abs(row[:, None] - row[None, :]) * precision).max()) for row in drawn]
    return float(np.quantile(largest, CONFIDENCE))
