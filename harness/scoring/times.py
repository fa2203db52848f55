"""From the trials that count to one number per submission and workload: the median over studies."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from timetrial.harness import UsageError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Workloads:
    """The columns of an array of times: base workloads first, then held-out ones, both in alphabetical order."""

    base: tuple[str, ...]
    heldout: tuple[str, ...] = ()
    base_of: tuple[int, ...] = ()
    """For each held-out workload, the index of its base workload."""

    @property
    def names(self) -> tuple[str, ...]:
        return self.base + self.heldout


def workloads_of(trials: pd.DataFrame, heldout: bool) -> Workloads:
    """Find the workloads of a prepared table; raises `UsageError` for a held-out workload without its base."""
    found = trials[["workload", "role", "base_workload"]].drop_duplicates().astype(str).sort_values("workload")
    base = tuple(found.loc[found["role"] == "base", "workload"])
    variants = found[found["role"] == "heldout"]
    if not heldout or variants.empty:
        return Workloads(base)
    for variant, parent in zip(variants["workload"], variants["base_workload"], strict=True):
        if parent not in base:
            raise UsageError(f"held-out workload {variant}: its base workload {parent!r} is not in the table; add it")
    return Workloads(base, tuple(variants["workload"]), tuple(map(base.index, variants["base_workload"])))


def study_values(
    counting: pd.DataFrame, submissions: tuple[str, ...], workloads: tuple[str, ...], measure: str
) -> list[Array]:
    """Lay out the counting trials' `measure` as one array (submission, study) per workload.

    inf is a study that missed the target, nan one that was not run.
    """
    row = pd.Categorical(counting["submission"].astype(str), submissions).codes
    layer = pd.Categorical(counting["workload"].astype(str), workloads).codes
    values = counting[measure].to_numpy()
    arrays = []
    for index in range(len(workloads)):
        here = (layer == index) & (row >= 0)
        studies, column = np.unique(counting["study"].to_numpy()[here], return_inverse=True)
        array = np.full((len(submissions), len(studies)), np.nan)
        array[row[here], column] = values[here]
        arrays.append(array)
    return arrays


def medians(studies: Array, counts: NDArray[np.int64]) -> Array:
    """Compute medians over studies, each taken `counts` times: (S, K) and (B, K) to (B, S).

    Studies that were not run (nan) are left out; a submission with no study left gets inf. An even number of studies
    gives the mean of the middle two, so inf if either missed.
    """
    order = np.argsort(studies, axis=1)
    ordered = np.take_along_axis(studies, order, axis=1)
    taken = counts.astype(np.int32)[:, order]  # half the memory, and time goes with memory here
    taken[:, np.isnan(ordered)] = 0
    taken = taken.cumsum(axis=2, dtype=np.int32)
    total = taken[:, :, -1] if studies.shape[1] else np.zeros((len(counts), len(studies)), int)
    ordered = np.concatenate([ordered, np.full((len(studies), 1), np.inf)], axis=1)
    rows = np.arange(len(studies))
    below = ordered[rows, (taken <= ((total - 1) // 2)[..., None]).sum(axis=2)]
    above = ordered[rows, (taken <= (total // 2)[..., None]).sum(axis=2)]
    return np.where(total > 0, (below + above) / 2, np.inf)
