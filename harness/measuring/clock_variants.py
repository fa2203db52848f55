"""Ways to tell the time of a trial from its stretches, all computed from the same records so that they can be compared.

A table of stretches has the columns condition, workload, repeat, index, batches, those of `Stretch`, and
concurrent_seconds and concurrent_processor_seconds, the cost of a step of a pacer that ran beside the trial (empty
where none did). A repeat is its rows, in order. Every variant gives seconds up to a factor of the workload, the same
for all repeats, so that only the spread of their logarithms means anything.
"""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from timetrial.harness.records.files import Stretch
from timetrial.harness.records.pace import charged_seconds

if TYPE_CHECKING:
    import pandas

STATE_SHIFT = 1.10
"""How far the pacer must be from its median over all repeats before `state` corrects for it."""
PRICE_TRIALS = 3
"""How many trials a price is measured on."""

Times = dict[str, np.ndarray]
"""By column: the values of a repeat, in the order of its stretches."""


def paced(work: str, pace: str, smooth: Callable[[np.ndarray], np.ndarray]) -> Callable[[Times], float]:
    """Divide each stretch by the cost of a step of the pacer, smoothed over the bursts around it."""
    return lambda repeat: float((repeat[work] / smooth(repeat[pace])).sum())


def single(bursts: np.ndarray) -> np.ndarray:
    return bursts


def trailing(width: int) -> Callable[[np.ndarray], np.ndarray]:
    """Give the median of the last `width` bursts, which is all that a running clock can know."""
    return lambda bursts: np.array([np.median(bursts[max(0, i + 1 - width) : i + 1]) for i in range(len(bursts))])


def centred(width: int) -> Callable[[np.ndarray], np.ndarray]:
    """Give the median of the bursts around each, those after it as well."""
    half = width // 2
    return lambda bursts: np.array([np.median(bursts[max(0, i - half) : i + half + 1]) for i in range(len(bursts))])


def whole(bursts: np.ndarray) -> np.ndarray:
    return np.full_like(bursts, np.median(bursts))


def state(bursts: np.ndarray) -> np.ndarray:
    """Give 1 while the pacer is near what is normal (bursts are relative to it), and its running median else."""
    smooth = trailing(5)(bursts)
    return np.where(np.abs(np.log(smooth)) > np.log(STATE_SHIFT), smooth, 1.0)


VARIANTS: dict[str, Callable[[Times], float]] = {
    "measured seconds": lambda repeat: float(repeat["seconds"].sum()),
    "measured / single burst": paced("seconds", "pacer_seconds", single),
    "measured / running median of 5": paced("seconds", "pacer_seconds", trailing(5)),
    "measured / median of the trial": paced("seconds", "pacer_seconds", whole),
    "measured / state": paced("seconds", "relative_pacer_seconds", state),
    "measured / concurrent pacer": paced("seconds", "concurrent_seconds", single),
    "processor time": lambda repeat: float(repeat["processor_seconds"].sum()),
    "charged (processor time and sleep)": lambda repeat: float(repeat["charged"].sum()),
    "charged / single burst": paced("charged", "pacer_processor_seconds", single),
    "charged / running median of 5": paced("charged", "pacer_processor_seconds", trailing(5)),
    "charged / running median of 9": paced("charged", "pacer_processor_seconds", trailing(9)),
    "charged / centred median of 5": paced("charged", "pacer_processor_seconds", centred(5)),
    "charged / median of the trial": paced("charged", "pacer_processor_seconds", whole),
    "charged / state": paced("charged", "relative_pacer_processor_seconds", state),
    "charged / concurrent pacer": paced("charged", "concurrent_processor_seconds", single),
}
PRICES = {"price by measured seconds": "seconds", "price by charged seconds": "charged"}


def times(stretches: "pandas.DataFrame") -> "pandas.DataFrame":
    """Give log times, a row for each (variant, condition, workload, repeat); for prices a repeat is some trials."""
    import pandas

    table = stretches.sort_values(["condition", "workload", "repeat", "index"]).copy()
    table["charged"] = [charged_seconds(Stretch(*row)) for row in table[_STRETCH].itertuples(index=False)]
    for column in ("pacer_seconds", "pacer_processor_seconds"):
        normal = table.groupby("workload")[column].transform("median")
        table[f"relative_{column}"] = table[column] / normal
    rows = []
    for (condition, workload), group in table.groupby(["condition", "workload"]):
        repeats = [{c: own[c].to_numpy() for c in own.columns} for _, own in group.groupby("repeat")]
        for name, variant in VARIANTS.items():
            if "concurrent" in name and group["concurrent_seconds"].isna().any():
                continue
            rows += [(name, condition, workload, i, np.log(variant(repeat))) for i, repeat in enumerate(repeats)]
        for name, column in PRICES.items():
            for i, few in enumerate(zip(*[iter(repeats)] * PRICE_TRIALS, strict=False)):
                steps = list(itertools.chain.from_iterable(repeat[column] / repeat["batches"] for repeat in few))
                rows.append((name, condition, workload, i, np.log(np.median(steps))))
    return pandas.DataFrame(rows, columns=["clock", "condition", "workload", "repeat", "log_time"])


_STRETCH = ["seconds", "processor_seconds", "waiting_seconds", "pacer_seconds", "pacer_processor_seconds"]


def spreads(stretches: "pandas.DataFrame") -> "pandas.DataFrame":
    """Summarise, a row for each clock: the spread of log time under each condition, over workloads, and its worst.

    The spread is the standard deviation over the repeats of a workload, as a root mean square over workloads. `moved`
    is how much later the loaded machine says the trial ended, as a root mean square over workloads of the difference of
    mean log times: an error that no number of repeats under one condition shows.
    """
    import pandas

    log_times = times(stretches)
    by_workload = log_times.groupby(["clock", "condition", "workload"])["log_time"].agg(["std", "mean"]).reset_index()
    rows = {}
    for clock, own in by_workload.groupby("clock", sort=False):
        row = {}
        for condition, part in own.groupby("condition"):
            row[condition] = float(np.sqrt((part["std"] ** 2).mean()))
            row[f"{condition} worst"] = float(part["std"].max())
        means = own.pivot(index="workload", columns="condition", values="mean")
        if {"quiet", "loaded"} <= set(means.columns):
            row["moved"] = float(np.sqrt(((means["loaded"] - means["quiet"]) ** 2).mean()))
        rows[clock] = row
    order = [name for name in [*VARIANTS, *PRICES] if name in rows]
    return pandas.DataFrame([rows[name] for name in order], index=pandas.Index(order, name="clock"))
