"""How sure a number is: each study left out in turn within each workload (delete-one-group jackknife, Tukey 1958)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from timetrial.harness.scoring.best_of_k import Array

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number and the ends of its 95 % confidence interval, None where none can be computed."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False)
class Estimates:
    """An array of estimates; indexing it to a scalar gives an `Estimate`. An end that is nan is unknown."""

    value: Array
    low: Array
    high: Array

    def __getitem__(self, index: int | tuple[int, ...]) -> Estimate:
        low, high = float(self.low[index]), float(self.high[index])
        if np.isnan(low) or np.isnan(high):
            return Estimate(float(self.value[index]))
        return Estimate(float(self.value[index]), low, high)

    def exp(self) -> "Estimates":
        return Estimates(np.exp(self.value), np.exp(self.low), np.exp(self.high))

    def within(self, lowest: float, highest: float) -> "Estimates":
        return Estimates(*(np.clip(array, lowest, highest) for array in (self.value, self.low, self.high)))


def deviations(workload: Array) -> Array:
    """Turn values of all studies and without each, (1 + K, ...), into K deviations whose squares sum to the variance.

    V_w = (K - 1) / K * sum_j (d_(-j) - mean_j d_(-j))^2; nan with one study, which says nothing about spread.
    """
    without = workload[1:]
    if len(without) < 2:
        return np.full((1, *workload.shape[1:]), np.nan)
    return np.sqrt((len(without) - 1) / len(without)) * (without - without.mean(axis=0))


def variance_and_freedom(variances: Array, studies: Array) -> tuple[Array, Array]:
    """Combine variances V_w of workloads (W, ...) to that of their mean, with its degrees of freedom.

    V = sum_w V_w / W^2; V^2 / sum_w (V_w / W^2)^2 / (K_w - 1) (Satterthwaite 1946), within [1, sum_w (K_w - 1)].
    """
    parts = variances / len(variances) ** 2
    total = parts.sum(axis=0)
    freedom = (studies - 1).reshape(-1, *[1] * total.ndim)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = total**2 / (parts**2 / freedom).sum(axis=0)
    most = max(float(freedom.sum()), 1.0)
    return total, np.clip(np.where(total > 0, found, most), 1, most)


def estimate(workloads: Sequence[Array], errors: Sequence[Array] | None = None) -> Estimates:
    """Estimate the mean over workloads, each (1 + K_w, ...): all studies, then without each; t intervals.

    `errors` (...) of each workload are standard errors that no study shows, as they are the same in all.
    """
    value = np.mean([workload[0] for workload in workloads], axis=0)
    variances = np.stack([(deviations(workload) ** 2).sum(axis=0) for workload in workloads])
    if errors is not None:
        variances = variances + np.square(errors)
    total, freedom = variance_and_freedom(variances, np.array([len(workload) - 1 for workload in workloads]))
    half = special.stdtrit(freedom, (1 + CONFIDENCE) / 2) * np.sqrt(total)
    return Estimates(value, value - half, value + half)
