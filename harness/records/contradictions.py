"""Whether the records of a submission can be: what a referee never writes, found and named."""

import itertools
from collections.abc import Iterable

from timetrial.harness.planning.spec import INCOMPLETE, TrialSpec
from timetrial.harness.records.files import UNSTEADY, CorruptRecord, Evaluation, Result, TrialFolder


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
    if result.status == "target_reached":
        if result.time_to_target > spec.budget_seconds:
            yield f"it reached the target at {result.time_to_target:g} s, after the budget of {spec.budget_seconds:g} s"
        if last and (result.steps_to_target, result.steady_time_to_target) != (last.step, last.steady_seconds):
            yield f"{result.steps_to_target:g} steps to target, its last evaluation is at {last.step:g}"
    elif result.time_to_target is not None:
        yield f"status {result.status} with a time to target of {result.time_to_target:g} s"
    if result.status == "budget_exhausted" and spec.max_steps is None and result.seconds < spec.budget_seconds:
        yield f"budget exhausted at {result.seconds:g} s of {spec.budget_seconds:g} s"
    if last:
        unsteady = abs(last.seconds - last.steady_seconds) > UNSTEADY * last.seconds
        if unsteady != ("unsteady_clock" in result.flags):
            yield f"flags {list(result.flags)} with clocks at {last.seconds:g} s and steady {last.steady_seconds:g} s"
