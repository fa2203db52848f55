"""What the page knows: the numbers of a leaderboard as plain, short JSON values."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import SubmissionFolder, read_submission
from timetrial.harness.planning.imports import MANIFEST
from timetrial.harness.planning.search_space import Range, SearchSpace
from timetrial.harness.records.verification import standing_of
from timetrial.harness.report.boards import Board
from timetrial.harness.report.colours import line_styles
from timetrial.harness.report.curves import Curve, WorkloadCurves
from timetrial.harness.scoring import Estimate, Leaderboard, Standing, WorkloadResult
from timetrial.harness.scoring.profile import BAND_TAUS
from timetrial.harness.trial.isolation import WALL


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
    winners = _fastest_of_each_study(board)
    return {
        "suite": board.suite,
        "ruleset": board.ruleset,
        "frame": board.frame,
        "warnings": list(board.warnings),
        "clock": scores.clock,
        "reference": scores.reference,
        "study": scores.study,
        "draws": scores.trials_of_study,
        "names": board.submissions,
        "styles": line_styles(board.submissions),
        "workloads": [
            {
                "name": its.workload,
                "metric": its.metric.name,
                "higher": its.metric.higher_is_better,
                "target": its.target,
                "budgets": {clock: number(budget) for clock, budget in its.budgets.items()},
                "curves": {
                    clock: {name: _curve(curve) for name, curve in drawn.items()} for clock, drawn in its.curves.items()
                },
            }
            for its in curves
        ],
        "taus": [number(tau, FEW) for tau in BAND_TAUS],
        "clocks": {clock: _leaderboard(scored) for clock, scored in board.by_clock.items()},
        "tolerance": {name: number(board.tolerances.get(name)) for name in board.submissions},
        "memory": {name: number(board.state_bytes(name)) for name in board.submissions},
        "peak": {name: number(board.peak_memory_bytes(name)) for name in board.submissions},
        "incomplete": {name: [_shorten(trial) for trial in trials] for name, trials in scores.incomplete.items()},
        "unsteady": {name: len(trials) for name, trials in scores.unsteady.items()},
        "submissions": {name: _submission(board, name, winners, folder, texts) for name in board.submissions},
        "trust": _trust(board),
        "verifications": _verifications(board),
    }


def _verifications(board: Board) -> dict[str, Any]:
    """Describe how each submission stands, and its re-runs as [when, where, trials, equal ones, problems, times].

    Where no entry is committed, nobody stands anywhere.
    """
    if not board.verifications:
        return {}
    return {
        name: {
            "standing": standing_of(found),
            "reruns": [
                [
                    *(its.at[:10], its.where, len(its.trials), sum(rerun.bit_for_bit for rerun in its.trials)),
                    *(its.problems, its.times_in_words()),
                ]
                for its in found
            ],
        }
        for name, found in ((name, board.verifications.get(name, [])) for name in sorted(board.submissions))
    }


def _fastest_of_each_study(board: Board) -> Any:
    """Pick of each study the trial that crossed the target first."""
    key = ["submission", "workload", "study"]
    return board.trials.sort_values([*key, f"crossing_{board.scores.clock}", "trial"]).drop_duplicates(key)


FEW = 4
"""Significant digits of points of lines and of hyperparameters. Results have more, and are rounded when shown."""


def number(value: float | None, digits: int = 9) -> float | int | None:
    """Round to significant digits; what is no finite number is null."""
    if value is None or not math.isfinite(value):
        return None
    rounded = float(f"{value:.{digits}g}")
    return int(rounded) if rounded.is_integer() else rounded


def _estimate(estimate: Estimate | None) -> list[float | None] | None:
    """Write [value, low, high]; without an interval, [value]."""
    if estimate is None:
        return None
    if estimate.low is None or estimate.high is None:
        return [number(estimate.value)]
    return [number(estimate.value), number(estimate.low), number(estimate.high)]


def _curve(curve: Curve) -> list[Any]:
    """Write [first x, last x, medians, lows, highs], at points evenly spaced."""
    ends = [number(curve.x[0]), number(curve.x[-1])]
    return [*ends, *([number(y, FEW) for y in line] for line in (curve.median, curve.low, curve.high))]


def _leaderboard(scores: Leaderboard) -> dict[str, Any]:
    rows = [_standing(standing, scores.trials_of_study > 1) for standing in scores.standings]
    return {"unit": scores.unit, "notes": list(scores.notes), "rows": rows}


def _standing(standing: Standing, tuned: bool) -> dict[str, Any]:
    profile, certificate = standing.profile, standing.certificate
    band = None
    if profile.low is not None and profile.high is not None:
        band = [[number(y, 3) for y in line] for line in (profile.low, profile.high)]
    return {
        "name": standing.submission,
        "rank": standing.rank,
        "speedup": _estimate(standing.speedup),
        "score": _estimate(standing.score),
        "way": _estimate(standing.on_the_way),
        "reach": number(standing.reach),
        "best": standing.may_be_best,
        "faster": list(standing.faster_than),
        "slower": list(standing.slower_than),
        "against": certificate.reasons() if certificate else None,
        "workloads": {name: _result(result) for name, result in standing.workloads.items()},
        "profile": [number(y, FEW) for y in profile.at(BAND_TAUS)],
        "band": band,
        "tuning": {name: [number(y, FEW) for y in result.curve] for name, result in standing.workloads.items()}
        if tuned
        else None,
    }


def _result(result: WorkloadResult) -> list[Any]:
    """Write [estimate, ratio to the fastest, reach, speed-up, trials that reach, trials]."""
    speedup = _estimate(result.speedup)
    return [
        *(_estimate(result.value), number(result.ratio), number(result.reach), speedup),
        *(result.trials_reached, result.trials),
    ]


def _submission(board: Board, name: str, winners: Any, folder: Path, texts: Texts) -> dict[str, Any]:
    """Describe a submission: its metadata and source as they ran, its winning trials and all of its trials."""
    files = {its: path for its, path in sorted(board.sources[name].items()) if path.is_file()}
    rows = board.trials[board.trials["submission"] == name]
    best = winners[winners["submission"] == name].sort_values(["workload", "study"])
    points = [board.folders[path].read_spec().hyperparameters for path in best["path"]]
    names = list(dict.fromkeys(key for point in points for key in point))
    return {
        **_metadata(name, files),
        "imports": _imports(files),
        "files": {its: texts.place(path.read_text(errors="replace")) for its, path in files.items()},
        "hyperparameters": names,
        "winners": [
            [
                *(row.workload, row.study, row.trial, number(getattr(row, f"crossing_{board.scores.clock}"))),
                [_value(point.get(key)) for key in names],
            ]
            for row, point in zip(best.itertuples(), points, strict=True)
        ],
        **_trials(rows, board.scores.clock, folder),
    }


def _metadata(name: str, files: Mapping[str, Path]) -> dict[str, Any]:
    try:
        if "submission.yaml" not in files:
            raise UsageError("no submission.yaml is in the copy of its source")
        metadata = read_submission(name, files["submission.yaml"])
    except UsageError as error:
        return {"description": f"No description: {error}", "author": "", "references": [], "licence": "", "space": []}
    return {
        "description": metadata.description,
        "author": metadata.author,
        "references": list(metadata.references),
        "licence": metadata.licence,
        "space": search_space_lines(metadata),
    }


def _imports(files: Mapping[str, Path]) -> list[str]:
    """Say what a submission imports from outside torch and this project, a line for each module."""
    if MANIFEST not in files:
        return []
    return [
        f"{name} ({' '.join(filter(None, (its['distribution'], its['version']))) or 'its own'}): "
        f"{its['files']} files, hash {its['hash']}"
        for name, its in json.loads(files[MANIFEST].read_bytes()).items()
    ]


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


def _trials(rows: Any, clock: str, folder: Path) -> dict[str, Any]:
    """List every trial: [workload, study, trial, status, crossing, in steps, seconds trained, flags, reason], and where
    its files are."""
    trials = [
        [
            *(row.workload, row.study, row.trial, row.status),
            *(number(getattr(row, f"crossing_{clock}")), number(row.crossing_steps), number(row.last_seconds)),
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
        "walls": {
            name: [", ".join(stood), ", ".join(what for what in WALL if what not in stood)]
            for name, stood in board.walls.items()
        },
        "statuses": {
            name: {status: int(count) for status, count in statuses[name].items()} for name in board.submissions
        },
    }
