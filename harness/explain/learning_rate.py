"""How much a learning rate may be off, from the records of a run with tuning: every draw of every study is a point.

The other hyperparameters are drawn as well, so a point is one draw, and the band of a pair of submission and workload
reaches from the smallest to the largest rate whose best validation metric is within `tolerance` of the best of all
draws. With `grid=N` fresh runs are made instead: N rates from `low` to `high`, all else as it is.
"""

import math
from dataclasses import dataclass

import numpy
import pandas
from matplotlib.figure import Figure

from timetrial.harness import UsageError
from timetrial.harness.explain import experiment
from timetrial.harness.explain.experiment import Finding, records_of
from timetrial.harness.explain.loop import Training, find_workload, hyperparameters_of
from timetrial.harness.records.table import read_trials
from timetrial.harness.report.colours import line_styles
from timetrial.harness.scoring.tolerance import TOLERANCE, find_bands, learning_rate_draws

KARPATHY = 3e-4
"""The rate that people try first, which the figure marks."""
COLUMNS = ["submission", "workload", "learning_rate", "metric", "higher_is_better", "time_to_target", "diverged"]


@dataclass(frozen=True)
class Options(experiment.Options):
    run: str = "results/mini/external"
    """The run whose records are read: its name, or its folder."""
    tolerance: float = TOLERANCE
    """How far, relatively, a metric may be from the best and be in the band."""
    grid: int = 0
    """The number of rates of fresh runs; 0: read records."""
    low: float = 1e-4
    high: float = 1.0
    suite: str = "mini"
    workload: str = "fashion_mnist_mlp"
    submission: tuple[str, ...] = ("momentum", "adamw", "muon")
    """Of the fresh runs; from records all are shown."""
    steps: int = 300


def run(options: Options) -> Finding:
    table = from_grid(options) if options.grid else from_records(options)
    bands = find_bands(table, options.tolerance)
    if not len(bands):
        raise UsageError(f"{options.run} has no draws of a learning rate with a metric: name a run of ruleset external")
    bands["where_3e4"] = bands.apply(where, axis=1)
    mean = bands.groupby("submission").decades.mean().sort_values()
    numbers = {f"decades_{name}": float(value) for name, value in mean.items()}
    numbers |= {
        f"share_at_3e-4_{place}": float((bands.where_3e4 == place).mean()) for place in ("below", "in", "above")
    }
    numbers["pairs"] = len(bands)
    joined = table.merge(bands, on=["submission", "workload"])
    return Finding(joined, numbers, describe(numbers, options, mean), lambda: draw(joined, options))


def from_records(options: Options) -> pandas.DataFrame:
    """Read the draws: a row each, with learning_rate, best metric (NaN: diverged at once) and time to the target."""
    draws = learning_rate_draws(read_trials([records_of(options.run)]))
    return draws.assign(diverged=draws.status == "diverged")[COLUMNS]


def from_grid(options: Options) -> pandas.DataFrame:
    """Train at each rate of the grid; the metric is that of the end, and there is no time, as no clock counts."""
    workload = find_workload(options.suite, options.workload)
    train, validation = (workload.load(split, options.source) for split in ("train", "validation"))
    rows = []
    for name in options.submission:
        for rate in numpy.geomspace(options.low, options.high, options.grid):
            values = hyperparameters_of(name, learning_rate=float(rate))
            training = Training(workload, name, values, steps=options.steps, data=train, seed=options.seed)
            training.train(options.steps)
            metrics = training.evaluate(validation)
            diverged = not math.isfinite(metrics["loss"])
            metric = math.nan if diverged else metrics[workload.metric]
            row = (name, options.workload, float(rate), metric, workload.higher_is_better, math.inf, diverged)
            rows.append(row)
    return pandas.DataFrame(rows, columns=COLUMNS)


def where(band: pandas.Series) -> str:
    """Say where 3e-4 lies: below the band, in it or above it."""
    return "below" if band.band_low > KARPATHY else "above" if band.band_high < KARPATHY else "in"


def describe(n: dict[str, float], options: Options, mean: pandas.Series) -> str:
    what = f"On a grid of {options.grid} rates" if options.grid else "Over the draws of the records"
    return (
        f"{what}, the band of learning rates within {100 * options.tolerance:g} % of the best metric is narrowest for "
        f"{mean.index[0]} ({mean.iloc[0]:.2f} decades in the mean over workloads) and widest for {mean.index[-1]} "
        f"({mean.iloc[-1]:.2f}). Of the {n['pairs']:.0f} pairs of submission and workload, 3e-4 lies below the band in "
        f"{100 * n['share_at_3e-4_below']:.0f} %, in it in {100 * n['share_at_3e-4_in']:.0f} %, and above it in "
        f"{100 * n['share_at_3e-4_above']:.0f} %. A band cannot be wider than the range that was tried."
    )


def draw(table: pandas.DataFrame, options: Options) -> Figure:
    workloads = sorted(table.workload.unique())
    figure = Figure(figsize=(6.6, 1.9 * len(workloads) + 0.8))
    styles = line_styles(sorted(table.submission.unique()))
    grid = figure.subplots(len(workloads), 2, squeeze=False, sharex=True)
    for (left, right), workload in zip(grid, workloads, strict=True):
        rows = table[table.workload == workload]
        colours = [styles[name][0] for name in rows.submission]
        bottom = left.get_xaxis_transform()
        lost = rows[rows.diverged]
        # Dots as one picture: as shapes they would be most of the file.
        dots = {"c": colours, "s": 5, "linewidths": 0, "rasterized": True}
        left.scatter(rows.learning_rate, rows.metric, **dots)
        left.plot(lost.learning_rate, [0.02] * len(lost), "kx", transform=bottom, rasterized=True)
        right.scatter(rows.learning_rate, rows.time_to_target.where(numpy.isfinite(rows.time_to_target)), **dots)
        left.set(title=workload, ylabel="best metric (x: diverged)")
        right.set(title=workload, ylabel="seconds to the target")
        for ax in (left, right):
            ax.axvline(KARPATHY, color="black", linewidth=0.6)
            ax.set_xscale("log")
            ax.minorticks_off()  # hundreds of marks
    for ax in grid[-1]:
        ax.set_xlabel("learning rate")
    for name, (colour, _) in styles.items():
        grid[0, 0].plot([], [], ".", color=colour, label=name)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure
