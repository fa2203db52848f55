"""How much a learning rate may be off: the band of drawn rates whose trials come close to the best of all draws."""

import math

import numpy as np
import pandas as pd

from timetrial.harness.planning.spec import UNFINISHED

TOLERANCE = 0.05
"""How far, relatively, the best metric of a trial may be from the best of all and be in the band."""
NAMES = ("learning_rate", "lr")
"""What submissions call their learning rate."""


def learning_rate_draws(trials: pd.DataFrame) -> pd.DataFrame:
    """Take of a table of `read_trials` what has ended and has a learning rate above 0.

    Adds learning_rate, and metric: the best of the target's metric in the trial (NaN: it was never finite).
    """
    rates = [next((its[name] for name in NAMES if name in its), math.nan) for its in trials["hyperparameters"]]
    draws = trials.assign(learning_rate=pd.to_numeric(pd.Series(rates, index=trials.index), errors="coerce"))
    draws = draws[(draws["learning_rate"] > 0) & ~draws["status"].isin(UNFINISHED)]
    return draws.assign(metric=[_best(row.evaluations[:, 0], row.higher_is_better) for row in draws.itertuples()])


def _best(values: np.ndarray, higher_is_better: bool | None) -> float:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return math.nan
    return float(finite.max() if higher_is_better else finite.min())


def find_bands(draws: pd.DataFrame, tolerance: float = TOLERANCE) -> pd.DataFrame:
    """Find the band of each pair of submission and workload that was tried with two learning rates or more.

    Columns: submission, workload, band_low and band_high (its lowest and highest rate), decades (its width). Other
    hyperparameters are drawn as well, so a band is of rates that are good with something, and no wider than the draws.
    """
    bands = []
    for (submission, workload), rows in draws.groupby(["submission", "workload"], observed=True):
        higher = bool(rows["higher_is_better"].iloc[0])
        best = rows["metric"].max() if higher else rows["metric"].min()
        margin = tolerance * abs(best)
        good = rows[rows["metric"] >= best - margin if higher else rows["metric"] <= best + margin]
        if good.empty or rows["learning_rate"].nunique() < 2:
            continue
        low, high = good["learning_rate"].min(), good["learning_rate"].max()
        band = {"submission": submission, "workload": workload, "band_low": low, "band_high": high}
        bands.append({**band, "decades": math.log10(high / low)})
    return pd.DataFrame(bands, columns=["submission", "workload", "band_low", "band_high", "decades"])


def learning_rate_tolerances(trials: pd.DataFrame) -> dict[str, float]:
    """Give by what factor the rates of a band differ, of each submission: the geometric mean over workloads."""
    decades = find_bands(learning_rate_draws(trials)).groupby("submission")["decades"].mean()
    return {str(submission): float(10**width) for submission, width in decades.items()}
