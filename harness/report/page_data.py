"""What the page knows: the numbers of a leaderboard as plain, short JSON values."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import SubmissionFolder, find_submission
from timetrial.harness.planning.search_space import Range, SearchSpace
from timetrial.harness.report.boards import Board
from timetrial.harness.report.colours import line_styles
from timetrial.harness.report.curves import Curve, WorkloadCurves
from timetrial.harness.report.markdown import memory_of
from timetrial.harness.scoring import Estimate
from timetrial.harness.scoring.profile import BAND_TAUS
from timetrial.harness.scoring.standings import Standing, Standings, WorkloadResult
from timetrial.harness.scoring.trials import counting_trials, prepare_trials

BAND_EVERY = 10
"""Of the points of a profile's band, one in so many is enough on a screen."""


class Texts:
    """Source files, each stored once however many submissions share it."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        """Give the place of a text in `all`, where it is added if it is new."""
        if text not in self._places:
            self._places[text] = len(self.all)
            self.all.append(text)
        return self._places[text]


def board_data(board: Board, curves: Sequence[WorkloadCurves], folder: Path, texts: Texts) -> dict[str, Any]:
    """Describe one leaderboard; links are relative to `folder`, sources are places in `texts`."""
    scores = board.scores
    winners = counting_trials(prepare_trials(board.trials), scores.rules)
    return {
        "suite": board.suite,
        "ruleset": board.ruleset,
        "frame": board.frame,
        "warnings": list(board.warnings),
        "notes": list(scores.notes),
        "reference": scores.reference,
        "names": board.submissions,
        "styles": line_styles(board.submissions),
        "workloads": [
            {
                "name": its.workload,
                "metric": its.metric.name,
                "higher": its.metric.higher_is_better,
                "target": its.target,
                "budget": its.budget_seconds,
                "curves": {
                    axis: {name: _curve(curve) for name, curve in drawn.items()} for axis, drawn in its.curves.items()
                },
            }
            for its in curves
        ],
        "measures": {
            "time": _standings(scores.by_time),
            "steps": None if scores.by_steps is None else _standings(scores.by_steps),
        },
        "memory": {name: number(memory_of(board, name)) for name in board.submissions},
        "incomplete": {name: [_shorten(trial) for trial in trials] for name, trials in scores.incomplete.items()},
        "unsteady": {name: len(trials) for name, trials in scores.unsteady.items()},
        "neighbours": [
            [pair.better, pair.worse, _estimate(pair.difference), pair.distinguishable]
            for pair in scores.by_time.neighbours
        ],
        "submissions": {name: _submission(board, name, winners, folder, texts) for name in board.submissions},
        "trust": _trust(board),
    }


FEW = 4
"""Significant digits of points of lines and of hyperparameters. Results have more, and are rounded when shown."""


def number(value: float | None, digits: int = 9) -> float | int | None:
    """Round to significant digits; what is no finite number is null."""
    if value is None or not math.isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() else rounded


def _estimate(estimate: Estimate | None) -> list[float | None] | None:
    """Write [value, low, high]; without an interval, [value]. A null is a miss."""
    if estimate is None:
        return None
    if estimate.low is None or estimate.high is None:
        return [number(estimate.value)]
    return [number(estimate.value), number(estimate.low), number(estimate.high)]


def _curve(curve: Curve) -> list[Any]:
    """Write [first x, last x, medians, lows, highs], at points evenly spaced."""
    ends = [number(curve.x[0]), number(curve.x[-1])]
    return [*ends, *([number(y, FEW) for y in line] for line in (curve.median, curve.low, curve.high))]


def _standings(standings: Standings) -> dict[str, Any]:
    ranks = [standing.rank for standing in standings.standings]
    rows = [_standing(standing, ranks.count(standing.rank) > 1) for standing in standings.standings]
    return {"unit": standings.unit, "rows": rows}


def _standing(standing: Standing, tied: bool) -> dict[str, Any]:
    profile, fragility = standing.profile, standing.fragility
    band = None
    if profile.low is not None and profile.high is not None:
        band = [[number(y, 3) for y in line[::BAND_EVERY]] for line in (BAND_TAUS, profile.low, profile.high)]
    return {
        "name": standing.submission,
        "rank": standing.rank,
        "tied": tied,
        "score": _estimate(standing.score),
        "speedup": _estimate(standing.speedup),
        "marked": any(result.counted_as_budget for result in standing.workloads.values()),
        "reached": int(standing.reached),
        "workloads": {name: _result(result) for name, result in standing.workloads.items()},
        "profile": [[number(x, FEW) for x in line] for line in (profile.taus, profile.rhos)],
        "band": band,
        "fragility": [number(fragility.low), fragility.low_without, number(fragility.high), fragility.high_without],
    }


def _result(result: WorkloadResult) -> list[Any]:
    return [_estimate(result.value), number(result.ratio), result.studies_reached, result.studies]


def _submission(board: Board, name: str, winners: Any, folder: Path, texts: Texts) -> dict[str, Any]:
    """Describe a submission: its metadata and source as they ran, its winning trials and all of its trials."""
    source = board.sources[name]
    files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else []
    rows = board.trials[board.trials["submission"] == name]
    best = winners[winners["submission"] == name].sort_values(["workload", "study"])
    points = [board.folders[path].read_spec().hyperparameters for path in best["path"]]
    names = list(dict.fromkeys(key for point in points for key in point))
    return {
        **_metadata(source),
        "files": {str(path.relative_to(source)): texts.place(path.read_text(errors="replace")) for path in files},
        "hyperparameters": names,
        "winners": [
            [row.workload, row.study, row.trial, number(row.time_to_target), [_value(point.get(key)) for key in names]]
            for row, point in zip(best.itertuples(), points, strict=True)
        ],
        **_trials(rows, folder),
    }


def _metadata(source: Path) -> dict[str, Any]:
    try:
        metadata = find_submission(source.name, source.parent)
    except UsageError as error:
        return {"description": f"No description: {error}", "author": "", "references": [], "licence": "", "space": []}
    return {
        "description": metadata.description,
        "author": metadata.author,
        "references": list(metadata.references),
        "licence": metadata.licence,
        "space": search_space_lines(metadata),
    }


def search_space_lines(metadata: SubmissionFolder) -> list[list[str]]:
    """Say in words where hyperparameters come from: a name and what it may be, for each."""
    space: SearchSpace | None = metadata.search_space
    if space is None:
        return []
    if space.points:
        return [
            [f"point {i}", ", ".join(f"{k} {_value(v)}" for k, v in point.items())]
            for i, point in enumerate(space.points)
        ]
    lines = []
    for name, axis in space.axes.items():
        if isinstance(axis, Range):
            drawn = name if axis.per is None else f"{name} x {axis.per}"
            lines.append([drawn, f"{_value(axis.min)} to {_value(axis.max)}, {axis.scaling} scale"])
        else:
            lines.append([name, "one of " + ", ".join(str(_value(value)) for value in axis.values)])
    return lines + [[name, f"{_value(value)}"] for name, value in space.fixed.items()]


def _value(value: Any) -> Any:
    return number(value, FEW) if isinstance(value, float) else value


def _trials(rows: Any, folder: Path) -> dict[str, Any]:
    """List every trial: [workload, study, trial, status, seconds, steps, flags, reason], and where its files are."""
    trials = [
        [
            *(row.workload, row.study, row.trial, row.status),
            *(number(row.time_to_target), number(row.steps_to_target), number(row.last_seconds)),
            *(" ".join(row.flags), row.reason),
        ]
        for row in rows.sort_values(["workload", "study", "trial"]).itertuples()
    ]
    first = Path(rows["path"].iloc[0])
    is_folder = first.name.startswith("trial_")
    place = first.parents[2] if is_folder else first.parent
    link = quote(Path(os.path.relpath(place, folder.resolve())).as_posix())
    return {"trials": trials, "link": link, "folders": is_folder}


def _shorten(trial: str) -> str:
    """Name a trial by the last parts of its path, so that no page holds a path of the machine it was made on."""
    return "/".join(trial.split("/")[-5:])


def _trust(board: Board) -> dict[str, Any]:
    trials = board.trials
    hashes = trials.dropna(subset="data_hash").groupby("workload")["data_hash"].unique()
    dates = trials["finished_at"].dropna()
    spec = next(iter(board.specs.values()))
    statuses = trials.groupby("submission")["status"].value_counts()
    return {
        "suite_version": spec.suite_version,
        "data": spec.data,
        "dates": [dates.min()[:10], dates.max()[:10]] if len(dates) else [],
        "data_hashes": {workload: list(found) for workload, found in hashes.items()},
        "environments": [
            {key: value for key, value in environment.items() if key != "host"} for environment in board.environments
        ],
        "statuses": {
            name: {status: int(count) for status, count in statuses[name].items()} for name in board.submissions
        },
    }
