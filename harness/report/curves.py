"""Training curves: for each study the trial that counts, and over studies the median with the range."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timetrial.harness.report.boards import Board, TargetMetric, evaluations_of, target_metric

POINTS = 25
"""Where a curve is drawn: enough for every evaluation of most trials, few enough for thirty submissions on a page."""
AXES = ("seconds", "step")


@dataclass(frozen=True)
class Curve:
    """The validation metric against seconds or steps: median over studies, lowest and highest."""

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
    budget_seconds: float
    curves: dict[str, dict[str, Curve]]
    """By axis ("seconds" or "step"), then by submission."""


def training_curves(board: Board) -> list[WorkloadCurves]:
    """Make the curves of each workload of a board; a submission without evaluations there has none."""
    found = []
    for workload, spec in board.specs.items():
        metric = target_metric(spec.workload, board.ended(workload))
        curves: dict[str, dict[str, Curve]] = {axis: {} for axis in AXES}
        for submission in board.submissions:
            studies = _studies(board, workload, submission, metric)
            for axis, column in zip(AXES, (0, 1), strict=True):
                if studies:
                    curves[axis][submission] = median_curve([(run[:, column], run[:, 2]) for run in studies])
        found.append(WorkloadCurves(workload, metric, spec.workload.target, spec.budget_seconds, curves))
    return found


def _studies(board: Board, workload: str, submission: str, metric: TargetMetric) -> list[NDArray]:
    """Give for each study its best trial as rows of (seconds, step, metric).

    The best is the first to its target; where none reached it, the one that came nearest.
    """
    rows = board.trials[(board.trials["workload"] == workload) & (board.trials["submission"] == submission)]
    studies = []
    for _, trials in rows.groupby("study"):
        reached = trials[np.isfinite(trials["time_to_target"])]
        if len(reached):
            trials = reached.nsmallest(1, "time_to_target")
        runs = [run for path in trials["path"] if len(run := _run(board, path, metric.name))]
        if runs:
            sign = 1 if metric.higher_is_better else -1
            studies.append(max(runs, key=lambda run: (sign * run[:, 2]).max()))
    return studies


def _run(board: Board, path: str, metric: str) -> NDArray:
    rows = [
        (evaluation.seconds, evaluation.step, evaluation.validation.get(metric, np.nan))
        for evaluation in evaluations_of(board.folders[path])
    ]
    run = np.array(rows, float).reshape(-1, 3)
    return run[np.isfinite(run).all(axis=1)]


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
