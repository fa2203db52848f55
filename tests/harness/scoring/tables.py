"""Tables of trials for the tests, from a few numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

INF = float("inf")


def table(times: Mapping[str, Mapping[str, Sequence[float]]], **columns: Any) -> pd.DataFrame:
    """Make one trial per study from {submission: {workload: seconds per study}}; `columns` are the same in each row."""
    rows = [
        {"submission": submission, "workload": workload, "study": study, "trial": 0, "time_to_target": float(seconds)}
        for submission, workloads in times.items()
        for workload, studies in workloads.items()
        for study, seconds in enumerate(studies)
    ]
    return pd.DataFrame(rows).assign(**columns)


def random_table(
    seed: int, spreads: Mapping[str, float], workloads: int = 4, studies: int = 5, noise: float = 0.1
) -> pd.DataFrame:
    """Draw log-normal times; `spreads` says how many times slower than the fastest each submission is."""
    generator = np.random.default_rng(seed)
    times = {
        submission: {
            f"workload_{w}": 10.0 * slower * np.exp(noise * generator.standard_normal(studies))
            for w in range(workloads)
        }
        for submission, slower in spreads.items()
    }
    return table(times, budget_seconds=100.0)
