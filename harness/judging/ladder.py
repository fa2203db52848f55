"""How an advantage changes along an axis: a size of a workload, its batch size, its data, or the horizon of the plan.

For each value on the axis every submission has a short search over its learning rate in one study (the best of it must
be inside, else the range grows). The reference's best trial there sets the target: what it reaches at `SHARE` of its
plan. Then all train, at their best rates, in paired studies of their own, to the ends of their plans. Nobody is stopped
at the target, and the time at which it was crossed is read from the records.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from timetrial.harness import UsageError
from timetrial.harness.judging.exponent import Fit, Rung, drift, fit, mean_ratio
from timetrial.harness.judging.pairs import check_clock, name_of
from timetrial.harness.judging.targets import SHARE, best_so_far, kind_of, without_target
from timetrial.harness.judging.tuning import TUNING_STUDY
from timetrial.harness.planning.catalogue import SubmissionFolder, find_submission
from timetrial.harness.planning.places import RUNS
from timetrial.harness.planning.plan import select_workloads, trial_maker
from timetrial.harness.planning.search_space import HORIZON, Hyperparameters, Range
from timetrial.harness.planning.spec import TrialSpec, WorkloadSpec
from timetrial.harness.records.crossing import CLOCKS, crossings
from timetrial.harness.records.curve import curve_of
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.runs.execute import Place, run_to_end
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.scoring.jackknife import Estimate
from timetrial.harness.trial.arena import make_workload

RATE = "learning_rate"
RATES = (-1, 0, 1)
"""The first rates: powers of `FACTOR` times the submission's own."""
FACTOR = 2.0
MOST_GROWTH = 3
"""How often the range of rates may grow at one value, by two rates each time."""
CENTRE = 50
"""The number of the trial with a submission's own rate; others are so many powers away."""


@dataclass(frozen=True)
class Ladder:
    workload: str
    axis: str
    reference: str
    clock: str
    studies: int
    targets: dict[float, float]
    rungs: list[Rung]
    drifts: dict[str, Estimate]
    """For each submission the exponent of its best rate along the axis, with its 95 % interval where there are three
    values or more."""
    fit: Fit
    core_seconds: float
    run: str


def climb(
    config: Mapping[str, Any],
    submissions: Sequence[str],
    axis: str,
    values: Sequence[float],
    studies: int,
    place: Place,
    clock: str,
    say: Callable[[str], None],
) -> Ladder:
    """Run a ladder; the first of `submissions` is the reference, and the configuration names one workload.

    Raises `UsageError` for an axis that the workload does not have.
    """
    (base,) = select_workloads(config)
    workloads = {value: at(base, axis, value) for value in values}
    folders = {folder.name: folder for folder in map(find_submission, submissions)}
    submissions = list(folders)
    make = trial_maker(config, place.device, place.threads)
    hashes = {name: folder.source_hash() for name, folder in folders.items()}

    def trial(name: str, value: float, study: int, power: int) -> TrialSpec:
        spec = make(name, hashes[name], workloads[value], study, CENTRE + power, at_rate(folders[name], power))
        return without_target(spec)

    first = [trial(name, value, TUNING_STUDY, power) for value in values for name in submissions for power in RATES]
    check_clock(clock, first)
    run = RunFolder(RUNS / name_of("ladder", first, axis))
    pilots = _search(run, first, trial, place, say)
    chosen = {key: best_rate(metrics) for key, metrics in pilots.items()}
    plan = [
        trial(name, value, study, chosen[name, value].power)
        for study in range(studies)
        for value in values
        for name in submissions
    ]
    run_to_end(run, plan, place)
    rungs, targets = [], {}
    higher = kind_of(base).higher_is_better
    for value in values:
        pilot = run.trial(trial(submissions[0], value, TUNING_STUDY, chosen[submissions[0], value].power))
        steps, _, best = best_so_far(pilot, workloads[value])
        targets[value] = float(np.interp(SHARE * steps[-1], steps, best))
        times = {
            name: [
                _crossing(run.trial(trial(name, value, study, chosen[name, value].power)), base, targets[value], clock)
                for study in range(studies)
            ]
            for name in submissions
        }
        for name in submissions:
            ratios = [
                np.log(theirs[0] / own[0]) for theirs, own in zip(times[submissions[0]], times[name], strict=True)
            ]
            rate = chosen[name, value]
            own_rate = float(folders[name].hyperparameters[RATE]) * FACTOR**rate.top
            rungs.append(
                Rung(
                    value,
                    name,
                    own_rate,
                    rate.inside,
                    mean_ratio(ratios),
                    tuple(map(float, ratios)),
                    sum(missed for _, missed in times[name]),
                )
            )
        say(f"{axis} {value:g}: target {targets[value]:.4g} ({'at least' if higher else 'at most'})")
    others = submissions[1:]
    drifts = {name: drift([rung for rung in rungs if rung.submission == name]) for name in submissions}
    every = [spec for spec in run.trials() if spec.is_finished]
    return Ladder(
        base.name,
        axis,
        submissions[0],
        clock,
        studies,
        targets,
        rungs,
        drifts,
        fit([rung for rung in rungs if rung.submission in others]),
        sum(folder.read_result().seconds for folder in every),
        str(run.path),
    )


def at(workload: WorkloadSpec, axis: str, value: float) -> WorkloadSpec:
    """Give a workload at a value of an axis.

    `horizon` multiplies the step hint. Another batch size changes steps and evaluation points so that the examples stay
    the same. Everything else is a size of the workload. Raises `UsageError` where it has no such size.
    """
    named = replace(workload, name=f"{workload.name}_{axis}_{repr(value).removesuffix('.0')}")
    if axis == HORIZON:
        return replace(named, step_hint=max(1, round(workload.step_hint * value)))
    usual = make_workload(workload, None)
    known = [field.name for field in fields(usual) if isinstance(getattr(usual, field.name), int | None)]
    if axis not in known:
        raise UsageError(f"axis={axis}: {workload.name} has no such size: choose of horizon, {', '.join(known)}")
    if value != int(value) or value < 1:
        raise UsageError(f"values={value:g}: {axis} is a number of things: give whole numbers")
    sized = replace(named, sizes=workload.sizes | {axis: int(value)})
    if axis != "batch_size":
        return sized
    more = usual.batch_size / value
    return replace(
        sized,
        step_hint=max(1, round(workload.step_hint * more)),
        eval_every=max(1, round(workload.eval_every * more)),
    )


def at_rate(folder: SubmissionFolder, power: int) -> Hyperparameters:
    """Give a submission's own hyperparameters with every learning rate times `FACTOR`^`power`, and what its search
    space has `per` rate divided by it. Raises `UsageError` where it has no learning rate."""
    if folder.hyperparameters is None or RATE not in folder.hyperparameters:
        raise UsageError(f"submission {folder.name!r} has no {RATE} among its hyperparameters, which a ladder searches")
    times = FACTOR**power
    axes = folder.search_space.axes if folder.search_space else {}
    found = dict(folder.hyperparameters)
    for name, value in folder.hyperparameters.items():
        axis = axes.get(name)
        if name.endswith(RATE):
            found[name] = value * times
        elif isinstance(axis, Range) and axis.per == RATE:
            found[name] = value / times
    return found


@dataclass(frozen=True)
class Best:
    """The best of a search: its power of `FACTOR`, and where a parabola puts the top."""

    power: int
    top: float
    inside: bool


def best_rate(scores: Mapping[int, float]) -> Best:
    """Find the best of scores by power of the rate, higher being better; inf and nan are those that diverged."""
    known = {power: score if np.isfinite(score) else -np.inf for power, score in scores.items()}
    power = max(known, key=lambda one: (known[one], -abs(one)))
    around = [known.get(power - 1, np.nan), known[power], known.get(power + 1, np.nan)]
    inside = bool(np.isfinite(known[power])) and not np.isnan(around).any()
    if not np.isfinite(around).all():
        return Best(power, float(power), inside)
    left, middle, right = around
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return Best(power, power + float(np.clip(shift, -0.5, 0.5)), True)


def _search(
    run: RunFolder,
    plan: list[TrialSpec],
    trial: Callable[[str, float, int, int], TrialSpec],
    place: Place,
    say: Callable[[str], None],
) -> dict[tuple[str, float], dict[int, float]]:
    """Run the search, and make the range grow where the best rate is at an edge; gives (submission, value): scores."""
    values = {spec.workload.name: spec for spec in plan}
    scores: dict[tuple[str, float], dict[int, float]] = {}
    by_name = {name: float(name.rpartition("_")[2]) for name in values}
    for growth in range(MOST_GROWTH + 1):
        run_to_end(run, plan, place)
        for spec in plan:
            found = scores.setdefault((spec.submission, by_name[spec.workload.name]), {})
            found[spec.trial - CENTRE] = _score(run.trial(spec), spec.workload)
        more = [
            trial(name, value, TUNING_STUDY, edge) for (name, value), found in scores.items() for edge in _edges(found)
        ]
        if not more or growth == MOST_GROWTH:
            break
        plan = more
        say(f"the best rate is at an edge for {len(more) // 2} of {len(scores)}: their ranges grow")
    return scores


def _edges(scores: Mapping[int, float]) -> Iterator[int]:
    best = best_rate(scores)
    if not best.inside:
        step = 1 if best.power == max(scores) else -1  # where all have diverged, to smaller rates
        edge = max(scores) if step == 1 else min(scores)
        yield from (edge + step, edge + 2 * step)


def _score(folder: TrialFolder, workload: WorkloadSpec) -> float:
    """Give the best metric at `SHARE` of a trial's plan, so that higher is better; nan where it did not get there."""
    steps, _, best = best_so_far(folder, workload)
    if folder.read_result().status != "budget_exhausted" or not len(best):
        return float("nan")
    sign = 1.0 if kind_of(workload).higher_is_better else -1.0
    return sign * float(np.interp(SHARE * steps[-1], steps, best))


def _crossing(folder: TrialFolder, workload: WorkloadSpec, target: float, clock: str) -> tuple[float, bool]:
    """Give when a trial crossed the target, and whether it never did: then the end of its plan, at the pace that it had
    where it diverged before."""
    curve = curve_of(folder.read_evaluations())
    metric = kind_of(workload)
    column = list(CLOCKS).index(clock)
    array = np.column_stack([curve.values[:, curve.metrics.index(metric.metric)], curve.clocks])
    time = float(crossings(array[None], target, metric.higher_is_better)[0, column])
    if np.isnan(curve.clocks[-1, column]):
        raise UsageError(f"--clock {clock}: the records of {folder.path} do not have it: choose measured or steps")
    if np.isfinite(time):
        return time, False
    steps = curve.clocks[-1, list(CLOCKS).index("steps")]
    return float(curve.clocks[-1, column] * max(1.0, folder.read_spec().max_steps / steps)), True
