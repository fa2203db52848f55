"""Training curves: for each study the trial that counts, and over studies the median with the range."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timetrial.harness.records.crossing import CLOCKS
from timetrial.harness.records.metric import TargetMetric
from timetrial.harness.report.boards import Board

POINTS = 25
"""Where a curve is drawn: enough for every evaluation of most trials, few enough for thirty submissions on a page."""


@dataclass(frozen=True)
class Curve:
    """The validation metric against a clock: median over studies, lowest and highest."""

    x: NDArray
    median: NDArray
    low: NDArray
    high: NDArray


@dataclass(frozen=True)
class WorkloadCurves:
    """The curves of everybody on one workload."""

    workload: str
    metric: TargetMetric
    target: float
    budgets: dict[str, float]
    """By clock; none where nobody is scored."""
    curves: dict[str, dict[str, Curve]]
    """By clock, then by submission."""


def training_curves(board: Board) -> list[WorkloadCurves]:
    """Make the curves of each workload of a board; a submission without evaluations there has none."""
    found = []
    for workload, spec in board.specs.items():
        metric = board.metric(workload)
        curves: dict[str, dict[str, Curve]] = {clock: {} for clock in board.by_clock if clock in CLOCKS}
        for submission in board.submissions:
            studies = _studies(board, workload, submission, metric)
            for clock, drawn in curves.items():
                column = 1 + list(CLOCKS).index(clock)
                if studies:
                    drawn[submission] = median_curve([(run[:, column], run[:, 0]) for run in studies])
        budgets = {clock: scores.budgets[workload] for clock, scores in board.by_clock.items() if scores.budgets}
        found.append(WorkloadCurves(workload, metric, spec.workload.target, budgets, curves))
    return found


def _studies(board: Board, workload: str, submission: str, metric: TargetMetric) -> list[NDArray]:
    """Give of each study the evaluations of its best trial: the first to its target, else the one that came nearest."""
    rows = board.trials[(board.trials["workload"] == workload) & (board.trials["submission"] == submission)]
    crossing = f"crossing_{board.scores.clock}"
    studies = []
    for _, trials in rows.groupby("study"):
        reached = trials[np.isfinite(trials[crossing])]
        if len(reached):
            trials = reached.nsmallest(1, crossing)
        runs = [run[np.isfinite(run[:, 0])] for run in trials["evaluations"]]
        runs = [run for run in runs if len(run)]
        if runs:
            sign = 1 if metric.higher_is_better else -1
            studies.append(max(runs, key=lambda run: (sign * run[:, 0]).max()))
    return studies


def median_curve(studies: list[tuple[NDArray, NDArray]]) -> Curve:
    """Take the median and the range over studies, each (x, y), from the last first point to the median last point.

    A study that has ended keeps its last value, so the median of trials that reach their target ends at the target.
    """
    start = max(x[0] for x, _ in studies)
    end = max(start, float(np.median([x[-1] for x, _ in studies])))
    steps = {len(x) for x, _ in studies}
    points = min(POINTS, max(2, max(steps))) if end > start else 1
    grid = np.linspace(start, end, points)
    values = np.stack([np.interp(grid, x, y) for x, y in studies])
    return Curve(grid, np.median(values, axis=0), values.min(axis=0), values.max(axis=0))
