"""Whether the records of a submission can be: what a referee never writes, found and named."""

import itertools
import math
from collections.abc import Iterable

from timetrial.harness.planning.spec import INCOMPLETE, TrialSpec
from timetrial.harness.records.files import UNSTEADY, CorruptRecord, Evaluation, Result, TrialFolder
from timetrial.harness.records.pace import is_unsteady, paced_seconds


def find_contradictions(folder: TrialFolder) -> list[str]:
    """Say in which ways the records of one trial are incomplete, damaged or contradict each other."""
    try:
        spec, ending = folder.read_spec(), folder.read_ending()
    except CorruptRecord as error:
        return [f"corrupt record: {error}"]
    if ending is None:
        return [f"{folder.path}: it has not ended"]
    result, evaluations = ending
    if result.status in INCOMPLETE:
        return [f"{folder.path}: it ended {result.status} ({result.reason or 'no reason recorded'})"]
    return [f"{folder.path}: {problem}" for problem in _problems(spec, result, evaluations)]


def _problems(spec: TrialSpec, result: Result, evaluations: list[Evaluation]) -> Iterable[str]:
    last = evaluations[-1] if evaluations else None
    for one, other in itertools.pairwise(evaluations):
        if not (one.seconds < other.seconds and one.step < other.step):
            yield f"the clock or the steps go backwards at step {other.step:g}"
    if last and (last.seconds, last.step) != (result.seconds, result.step):
        yield f"it ends at {result.seconds:g} s, its last evaluation is at {last.seconds:g} s"
    if result.paced_seconds is None:
        yield from _steady_clock_problems(result, last)
    else:
        yield from _paced_clock_problems(spec, result, evaluations)
    paced = result.seconds if result.paced_seconds is None else result.paced_seconds
    if result.status == "target_reached":
        if paced > spec.budget_seconds:
            yield f"it reached the target at {paced:g} s, after the budget of {spec.budget_seconds:g} s"
        if last and result.steps_to_target != last.step:
            yield f"{result.steps_to_target:g} steps to target, its last evaluation is at {last.step:g}"
    elif result.time_to_target is not None:
        yield f"status {result.status} with a time to target of {result.time_to_target:g} s"
    if result.status == "budget_exhausted" and spec.max_steps is None and paced < spec.budget_seconds:
        yield f"budget exhausted at {paced:g} s of {spec.budget_seconds:g} s"


def _paced_clock_problems(spec: TrialSpec, result: Result, evaluations: list[Evaluation]) -> Iterable[str]:
    """Compute the paced seconds again from the stretches that they were made of."""
    stretches = [evaluation.stretch for evaluation in evaluations]
    measured = paced = 0.0
    has_pacer, pace_seconds = bool(stretches) and stretches[0] is not None, spec.workload.pace_seconds
    if any((stretch is not None) != has_pacer for stretch in stretches) or (has_pacer and pace_seconds is None):
        yield "stretches with and without a pacer"
        return
    own = paced_seconds(stretches, pace_seconds) if has_pacer else (evaluation.seconds for evaluation in evaluations)
    for evaluation, seconds in zip(evaluations, own, strict=True):
        if has_pacer:
            measured, paced = measured + evaluation.stretch.seconds, paced + seconds
            expected = paced + evaluation.seconds - measured  # the rest was added as it was measured
        else:
            expected = seconds
        if evaluation.paced_seconds is None or not math.isclose(evaluation.paced_seconds, expected, rel_tol=1e-6):
            yield f"{evaluation.paced_seconds} paced seconds at step {evaluation.step:g}, where {expected:g} were"
    if evaluations and evaluations[-1].paced_seconds != result.paced_seconds:
        yield f"it ends at {result.paced_seconds} paced s, its last evaluation at {evaluations[-1].paced_seconds} s"
    reached = result.paced_seconds if result.status == "target_reached" else None
    if result.paced_time_to_target != reached:
        yield f"status {result.status} with a paced time to target of {result.paced_time_to_target} s"
    unsteady = has_pacer and is_unsteady(result.seconds, result.paced_seconds, stretches, pace_seconds)
    if unsteady != ("unsteady_clock" in result.flags):
        yield f"flags {list(result.flags)} with clocks at {result.seconds:g} s and paced {result.paced_seconds:g} s"


def _steady_clock_problems(result: Result, last: Evaluation | None) -> Iterable[str]:
    """Look at the second clock that records had before there was a pacer."""
    if last is None:
        return
    if last.steady_seconds is None:
        yield "neither paced nor steady seconds"
        return
    if result.status == "target_reached" and result.steady_time_to_target != last.steady_seconds:
        yield f"{result.steady_time_to_target} steady s to target, its last evaluation is at {last.steady_seconds:g} s"
    unsteady = abs(last.seconds - last.steady_seconds) > UNSTEADY * last.seconds
    if unsteady != ("unsteady_clock" in result.flags):
        yield f"flags {list(result.flags)} with clocks at {last.seconds:g} s and steady {last.steady_seconds:g} s"
