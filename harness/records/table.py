"""The results table: one row for each planned trial, read from the files on disk."""

import contextlib
import gc
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy

from timetrial.harness import UsageError
from timetrial.harness.planning.search_space import SearchSpace
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.crossing import CLOCKS, Array, crossings, padded
from timetrial.harness.records.curve import Curve
from timetrial.harness.records.files import CorruptRecord, Result, TrialFolder
from timetrial.harness.records.metric import TargetMetric, target_metric
from timetrial.harness.records.positions import positions, read_search_space
from timetrial.harness.records.run import Run, Slowness

if TYPE_CHECKING:
    import pandas

NOT_REACHED = float("inf")
SECONDS = {"paced": ("paced_time_to_target", "last_paced"), "measured": ("time_to_target", "last_seconds")}
"""The columns that hold readings of a clock in seconds."""
COUNTED = ("target_reached", "budget_exhausted")
"""The statuses of a trial that may have crossed its target: where the budget ended it, between the last evaluations."""


def read_trials(runs: Iterable[Run]) -> "pandas.DataFrame":
    """Read the trials of runs, one row each.

    Columns: suite, suite_version, protocol (hash of what must be equal on one leaderboard, for each workload),
    ruleset, submission, workload, study, trial, status, reason ("": none); at the first evaluation at the target
    time_to_target (training seconds, measured), paced_time_to_target, steps_to_target (batches drawn),
    eval_index_at_target (-1); crossing_paced, crossing_measured, crossing_steps: when the metric crossed the target
    between evaluations and within the budget; all six infinite where it never did; evaluations: an array with a row
    for each, (metric of the target, paced seconds, measured seconds, steps); n_evals, last_paced, last_seconds,
    last_step, budget_seconds, budget_clock (paced or measured, which the budget counts), max_steps (None: no limit
    but the budget), target, metric and higher_is_better (None: unknown), positions (where in its search space each
    hyperparameter lies, from 0 to 1), slowness (what the paced seconds of a committed entry were divided by),
    slowness_error (the standard error of its logarithm), provisional, optimizer_state_bytes, parameters,
    peak_memory_bytes, flags, machine, libraries, data_hash, finished_at, hyperparameters (a dict), path.

    Raises `UsageError` where there is no trial, or one trial stands in two runs.
    """
    import pandas  # 0.4 s to import, which `--help` need not pay

    runs = list(runs)
    read: list[Read] = []
    spaces: dict[tuple[str, str], SearchSpace | None] = {}
    protocols: list[tuple[dict[str, Any], str]] = []
    with _nothing_collected():
        for run, folder in ((one, folder) for one in runs for folder in one.trials()):
            spec, row, curve = _row(folder, protocols)
            read.append(_at_the_speed_of_its_board(spec, row, curve, run.slowness_of(folder, spec.workload.name)))
            key = (spec.submission, spec.source_hash)
            if spec.trial and key not in spaces:
                spaces[key] = read_search_space(run, folder, spec.submission)
    if not read:
        raise UsageError(f"no trials in {', '.join(str(run.path) for run in runs)}: timetrial run makes some")
    by_target: dict[tuple[str, str, float], list[Read]] = {}
    for spec, row, curve in read:
        row["positions"] = positions(spec, spaces.get((spec.submission, spec.source_hash)))
        by_target.setdefault(_same_target(spec), []).append((spec, row, curve))
    for trials in by_target.values():
        _add_crossings(trials)
    table = pandas.DataFrame([row for _, row, _ in read])
    key = ["suite", "ruleset", "submission", "workload", "study", "trial"]
    twice = table[table.duplicated(key, keep=False)].sort_values(key)
    if len(twice):
        first, second = twice["path"].iloc[:2]
        raise UsageError(f"one trial stands in two runs: {first} and {second}: score them apart")
    return table


def as_measured(trials: "pandas.DataFrame") -> "pandas.DataFrame":
    """Give the trials that have ended and whose seconds are those of their machine, corrected through nothing."""
    return trials[trials["machine"].notna() & (trials["slowness_error"] == 0)]


def check_hardware(trials: "pandas.DataFrame", allow_mixed: bool) -> None:
    """Raise `UsageError` where one leaderboard holds times from different machines, unless that is allowed.

    Those that are corrected through the reference that ran beside them may come from anywhere.
    """
    for (suite, ruleset), rows in as_measured(trials).groupby(["suite", "ruleset"]):
        different = rows.drop_duplicates("machine")
        if len(different) > 1 and not allow_mixed:
            one, other = different.iloc[0], different.iloc[1]
            raise UsageError(
                f"{one['path']} ran on {one['machine']!r} and {other['path']} on {other['machine']!r}: their times "
                f"cannot be compared on the {suite}/{ruleset} leaderboard; score them apart, or give "
                "--allow-mixed-hardware"
            )


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """Keep the garbage collector from going through all rows again and again while they are made."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


Read = tuple[TrialSpec, dict[str, Any], Curve | None]
"""A trial, its row of the table, and its evaluations where it has ended."""


def _row(folder: TrialFolder, protocols: list[tuple[dict[str, Any], str]]) -> Read:
    try:
        spec = folder.read_spec()
    except CorruptRecord as error:  # without it nothing is known of the trial, not even its target
        raise UsageError(f"corrupt record: {error}: the timetrial run that made it runs this trial again") from None
    row = {
        "suite": spec.suite,
        "suite_version": spec.suite_version,
        "protocol": _protocol(spec, protocols),
        "ruleset": spec.ruleset,
        "submission": spec.submission,
        "workload": spec.workload.name,
        "study": spec.study,
        "trial": spec.trial,
        "status": "missing",
        "reason": "",
        "time_to_target": NOT_REACHED,
        "paced_time_to_target": NOT_REACHED,
        "steps_to_target": NOT_REACHED,
        "eval_index_at_target": -1,
        "n_evals": 0,
        "last_paced": float("nan"),
        "last_seconds": 0.0,
        "last_step": 0.0,
        "budget_seconds": spec.budget_seconds,
        "budget_clock": "measured",
        "max_steps": spec.max_steps,
        "target": spec.workload.target,
        "provisional": spec.workload.provisional,
        "optimizer_state_bytes": None,
        "parameters": None,
        "peak_memory_bytes": None,
        "flags": (),
        "machine": None,
        "libraries": None,
        "data_hash": None,
        "finished_at": None,
        "hyperparameters": spec.hyperparameters,
        "path": str(folder.path),
    }
    try:
        ended = folder.read_curve()
        if ended is not None:
            row |= _ended(*ended)
            row["protocol"] += f"-{_versions(ended[0])}"
            return spec, row, ended[1]
        return spec, row | _open(folder), None
    except CorruptRecord as error:
        return spec, row | {"reason": f"corrupt record: {error}"}, None


def _open(folder: TrialFolder) -> dict[str, Any]:
    evaluations = folder.read_evaluations()
    if not evaluations and not folder.checkpoint_file.exists():
        return {}
    return {"status": "interrupted", "n_evals": len(evaluations)}


def _at_the_speed_of_its_board(spec: TrialSpec, row: dict[str, Any], curve: Curve | None, slowness: Slowness) -> Read:
    row["slowness"], row["slowness_error"] = slowness.paced, slowness.error
    if slowness == Slowness() or curve is None:
        return spec, row, curve
    for clock, columns in SECONDS.items():
        for column in columns:
            row[column] /= getattr(slowness, clock)
    factors = numpy.array([1 / getattr(slowness, clock, 1.0) for clock in CLOCKS])
    return spec, row, replace(curve, clocks=curve.clocks * factors)


def _protocol(spec: TrialSpec, known: list[tuple[dict[str, Any], str]]) -> str:
    """Give `spec.protocol`, which takes longer than to find it among the few of a leaderboard, as `known` collects."""
    shared = spec.shared
    for other, protocol in known:
        if other == shared:
            return protocol
    known.append((shared, spec.protocol))
    return known[-1][1]


def _versions(result: Result) -> str:
    """Say what must be equal beside the specs of two trials that are compared."""
    return f"{result.data_hash}-torch{(result.environment['libraries']['torch'] or '').split('.')[0]}"


def _ended(result: Result, curve: Curve) -> dict[str, Any]:
    reached = result.status == "target_reached"
    paced = result.paced_seconds is not None
    return {
        "status": result.status,
        "reason": result.reason or "",
        "time_to_target": result.time_to_target if reached else NOT_REACHED,
        "paced_time_to_target": result.paced_time_to_target if reached and paced else NOT_REACHED,
        "steps_to_target": result.steps_to_target if reached else NOT_REACHED,
        "eval_index_at_target": len(curve) - 1 if reached else -1,
        "n_evals": len(curve),
        "last_paced": result.paced_seconds if paced else float("nan"),
        "last_seconds": result.seconds,
        "last_step": result.step,
        "budget_clock": "paced" if paced else "measured",
        "optimizer_state_bytes": result.optimizer_state_bytes,
        "parameters": result.parameters,
        "peak_memory_bytes": result.peak_memory_bytes,
        "flags": result.flags,
        "machine": _machine(result.environment),
        "libraries": _json_of(tuple(sorted(result.environment["libraries"].items()))),
        "data_hash": result.data_hash,
        "finished_at": result.finished_at,
    }


@cache
def _json_of(items: tuple[tuple[str, Any], ...]) -> str:
    return json.dumps(dict(items))


def _same_target(spec: TrialSpec) -> tuple[str, str, float]:
    return spec.workload.name, spec.workload.implementation, spec.workload.target


def _find_metric(trials: Iterable[Read]) -> TargetMetric | None:
    """Find the metric of trials with one target; None where no record and no class of this clone tells it."""
    trials = list(trials)
    ended = [(row["status"] == "target_reached", curve) for _, row, curve in trials if _counts(row, curve)]
    try:
        return target_metric(trials[0][0].workload, sorted(ended, key=lambda one: not one[0])) if ended else None
    except UsageError:
        return None


def _counts(row: Mapping[str, Any], curve: Curve | None) -> bool:
    return bool(curve) and row["status"] in COUNTED


def _add_crossings(trials: list[Read]) -> None:
    """Add to the rows of trials with one target its crossings, and the evaluations that they lie between.

    A crossing counts where it is within the budget, although the evaluation after it may be past it.
    """
    metric = _find_metric(trials)
    arrays = [_columns(curve, metric) for _, _, curve in trials]
    times = None
    if metric:
        times = crossings(padded(arrays), trials[0][0].workload.target, metric.higher_is_better).tolist()
    for i, (spec, row, curve) in enumerate(trials):
        crossed = dict.fromkeys(CLOCKS, NOT_REACHED)
        if times and _counts(row, curve):
            found = dict(zip(CLOCKS, times[i], strict=True))
            if not found[row["budget_clock"]] > spec.budget_seconds:
                crossed = found
        elif row["status"] == "target_reached":  # no metric is known: the evaluation's own time
            first = (row["paced_time_to_target"], row["time_to_target"], row["steps_to_target"])
            crossed = dict(zip(("paced", "measured", "steps"), first, strict=True))
        row |= {f"crossing_{clock}": time for clock, time in crossed.items()}
        row |= {"evaluations": arrays[i], **_named(metric)}


def _columns(curve: Curve | None, metric: TargetMetric | None) -> Array:
    """Give the metric and the clocks of each evaluation, (E, 1 + clocks)."""
    array = numpy.full((len(curve) if curve else 0, 1 + len(CLOCKS)), numpy.nan)
    if curve:
        array[:, 1:] = curve.clocks
        if metric and metric.name in curve.metrics:
            array[:, 0] = curve.values[:, curve.metrics.index(metric.name)]
    return array


def _named(metric: TargetMetric | None) -> dict[str, Any]:
    return {"metric": metric and metric.name, "higher_is_better": metric and metric.higher_is_better}


def _machine(environment: dict[str, Any]) -> str:
    """Name a machine for people, and so that equal machines have equal names."""
    if environment["device"] == "cuda":
        return environment["gpus"][0].split(",")[0] if environment["gpus"] else "GPU"
    threads = environment["threads"]
    return f"{environment['processor']}, {threads} thread{'s' * (threads != 1)}"
