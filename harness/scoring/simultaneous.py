"""Who is faster than whom when everybody is compared with everybody, and who may be the best, each at 95 %."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from timetrial.harness.scoring.best_of_k import Array
from timetrial.harness.scoring.jackknife import CONFIDENCE, deviations, variance_and_freedom

DRAWS = 2000
FEWEST_DRAWS = 300
"""With many submissions the largest of all statistics varies little, and fewer draws tell its quantile."""
RANGES = 50_000
"""The most draws of the studentized range, which give its quantile within about 1 %."""
_INVERSE_FREEDOM = np.linspace(0, 1, 25)


@dataclass(frozen=True, eq=False)
class Comparisons:
    """What can be said of S submissions."""

    faster: NDArray[np.bool_]
    """(S, S): whether row is faster than column, all of them true at once with 95 %."""
    may_be_best: NDArray[np.bool_]
    """(S,): the best is among these with 95 %."""


def compare_all(log_times: Sequence[Array], errors: Sequence[Array] | None = None) -> Comparisons | None:
    """Compare everybody with everybody, and everybody with the best; None with one study.

    `log_times` has for each workload (1 + K_w, S): all studies, then without each; `errors` has for each (S,) standard
    errors that no study shows. A pair's statistic is the paired difference over its error, and the pair is separated
    where it exceeds q / sqrt(2): q is the 95 % quantile of the studentized range of S with the pair's degrees of
    freedom (Games and Howell 1976). Of hundreds of pairs some have by chance a variance that is far too small, so on
    each workload it counts as no less than the median over all pairs.

    Who may be the best is a smaller question: only that nobody seems faster than the one who is. So for each submission
    q is the quantile of the largest of its own statistics, against all others, drawn from a normal distribution with
    the jackknife's covariances, and it is excluded where one of its t tests rejects at the level 1 - Phi(q) (multiple
    comparisons with the best, Hsu 1984). The few studies of a single workload know too few directions for that
    distribution, so q is no less than that of independent submissions of equal variance (Dunnett 1955).
    """
    count = log_times[0].shape[1]
    squares = np.square(np.zeros((len(log_times), count)) if errors is None else errors)
    pieces = [deviations(workload) / len(log_times) for workload in log_times]
    if any(np.isnan(piece).all() for piece in pieces):
        return None
    if count == 1:
        return Comparisons(np.zeros((1, 1), bool), np.ones(1, bool))
    studies = np.array([len(workload) - 1 for workload in log_times])
    variances = np.stack([_pair_variances(piece * len(log_times)) for piece in pieces])
    variances += squares[:, :, None] + squares[:, None, :]
    total, freedom = variance_and_freedom(variances, studies)
    usual = np.nanmedian(variances[:, *np.triu_indices(count, 1)], axis=1)[:, None, None]
    cautious, _ = variance_and_freedom(np.maximum(variances, usual), studies)
    value = np.mean([workload[0] for workload in log_times], axis=0)
    difference = value[None, :] - value[:, None]  # of the column over the row: positive where the row is faster
    faster = _standardised(difference, cautious) > _studentized_range(count, freedom) / np.sqrt(2)
    chance = special.stdtr(freedom, -_standardised(difference, total))
    shared = np.diag(np.sqrt(squares.sum(axis=0)) / len(log_times))
    largest = _largest_of_each(np.concatenate([*pieces, shared]), total)
    quantile = np.maximum(np.quantile(largest, CONFIDENCE, axis=0), _quantile_of_independent(count))
    level = special.ndtr(-quantile)
    return Comparisons(faster, ~(chance < level).any(axis=0))


def _standardised(difference: Array, variance: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(difference == 0, 0.0, difference / np.sqrt(variance))


def _studentized_range(count: int, freedom: Array) -> Array:
    """Compute the 95 % quantile of the studentized range of `count` for each of `freedom`, from 1 on."""
    return np.interp(1 / freedom, _INVERSE_FREEDOM, _quantiles_of_the_range(count))


@cache
def _quantiles_of_the_range(count: int) -> Array:
    """Draw the quantile for each of `_INVERSE_FREEDOM`: the range of `count` over a root of chi squared."""
    generator = np.random.default_rng(0)
    draws = int(np.clip(1e7 / count, DRAWS, RANGES))
    ranges = np.ptp(generator.standard_normal((draws, count)), axis=1)
    spreads = [np.sqrt(generator.chisquare(1 / x, draws) * x) if x else 1.0 for x in _INVERSE_FREEDOM]
    return np.array([np.quantile(ranges / spread, CONFIDENCE) for spread in spreads])


@cache
def _quantile_of_independent(count: int) -> float:
    """Draw the quantile of the largest standardised difference of one to `count` - 1 others, all independent."""
    draws = int(np.clip(1e7 / count, DRAWS, RANGES))
    drawn = np.random.default_rng(0).standard_normal((draws, count))
    return float(np.quantile((drawn[:, 1:].max(axis=1) - drawn[:, 0]) / np.sqrt(2), CONFIDENCE))


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
