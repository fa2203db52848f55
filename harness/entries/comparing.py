"""Comparing a recorded trial with its re-run: the steps and metrics, and the time."""

import json
import math
from collections.abc import Sequence

from timetrial.harness import UsageError
from timetrial.harness.entries.spread import Apart, Repeats, apart_in_metric, apart_in_pace, apart_in_steps, log_pace
from timetrial.harness.records.curve import curve_of
from timetrial.harness.records.files import UNSTEADY, Evaluation, Result, TrialFolder
from timetrial.harness.records.verification import Rerun

LEAST_TIME_LIMIT = 2 * math.log(1 + UNSTEADY)
"""Logarithm of the factor that two paced clocks may differ by: each may be off by `UNSTEADY` before it is flagged."""
MOST_TIME_LIMIT = math.log(2)
"""The most, however far apart the clocks of repeated trials are; and where one of the two is flagged unsteady."""

Ending = tuple[Result, Sequence[Evaluation]]


def read_ending(folder: TrialFolder) -> Ending:
    """Read a trial that has ended with evaluations; raises `UsageError` for another."""
    ending = folder.read_ending()
    if ending is None or not ending[1]:
        why = ending and (ending[0].reason or ending[0].status)
        raise UsageError(f"{folder.path} has no evaluation to compare ({why or 'it has not ended'})")
    return ending


def compare(key: str, recorded: Ending, again: Ending, exact: bool, shift: float | None, repeats: Repeats) -> Rerun:
    """Compare the records of the trial `key` with those of its re-run.

    exact: whether the two must be equal bit for bit. shift: the logarithm of how many times longer steps take on the
    machine of the re-run; None where that is unknown, and no times are compared. Raises `UsageError` where the two
    differ and no trial of the suite is repeated, so that nothing says whether that is much.
    """
    problem = differing = first_difference(recorded, again)
    if differing and not exact:
        problem = _apart(recorded, again, repeats)
    one, other = ((result, curve_of(points)) for result, points in (recorded, again))
    points = min(len(one[1]), len(other[1]))
    paces = log_pace(one, points), log_pace(other, points)
    if not problem and shift is not None:
        unsteady = any("unsteady_clock" in result.flags for result, _ in (one, other))
        limit = math.inf if unsteady else repeats.limit(apart_in_pace)
        problem = _times_apart(paces[1] - paces[0] - shift, limit)
    return Rerun(
        trial=key,
        status=(recorded[0].status, again[0].status),
        steps=(recorded[0].step, again[0].step),
        seconds_per_step=(math.exp(paces[0]), math.exp(paces[1])),
        measured_seconds_per_step=tuple(math.exp(log_pace(trial, points, "measured")) for trial in (one, other)),
        bit_for_bit=differing is None,
        problem=problem,
    )


def first_difference(recorded: Ending, again: Ending) -> str | None:
    """Say where two trials part that ought to be one, bit for bit; what their clocks have ended may end anywhere."""
    (result, points), (other, others) = recorded, again
    for one, two in zip(points, others, strict=False):
        if one.step != two.step:
            return f"an evaluation at step {one.step:g} is recorded, and is at step {two.step:g} when run again"
        for part in ("train", "validation", "test"):
            was, now = getattr(one, part), getattr(two, part)
            if json.dumps(was) != json.dumps(now) and not (part == "test" and None in (was, now)):  # nan is nan
                return f"at step {one.step:g} {part} {was} is recorded, and {now} when run again"
    shorter = min(recorded, again, key=lambda ending: len(ending[1]))[0]
    by_clock = "budget_exhausted" in (result.status, other.status)
    cut_short = len(points) != len(others) and shorter.status != "budget_exhausted"
    return _ends(result, other) if cut_short or (result.status != other.status and not by_clock) else None


def _apart(recorded: Ending, again: Ending, repeats: Repeats) -> str | None:
    """Say in what two trials differ by more than repeated trials do: in steps to target, or in a validation metric."""
    one, other = ((result, curve_of(points)) for result, points in (recorded, again))
    if (apart := apart_in_steps(one, other)) > (limit := _known(repeats, apart_in_steps)):
        return f"{_ends(one[0], other[0])}: {_MOST} a factor of {math.exp(limit):.2f} in steps"
    for name in one[1].metrics:
        metric = apart_in_metric(name)
        if (apart := metric(one, other)) > (limit := _known(repeats, metric)):
            return f"validation {name} is {apart:.3g} away from the recorded one when run again: {_MOST} {limit:.3g}"
    return None


def _times_apart(factor: float, limit: float | None) -> str | None:
    most = min(max(LEAST_TIME_LIMIT, limit or 0.0), MOST_TIME_LIMIT)
    if abs(factor) <= most:
        return None
    ratio = math.exp(factor)
    return f"a step takes {ratio:.2f} times the recorded seconds: {_MOST} a factor of {math.exp(most):.2f}"


_MOST = "repeated trials differ by at most"


def _ends(result: Result, other: Result) -> str:
    now = f"{other.status} at step {other.step:g} when run again"
    return f"{result.status} at step {result.step:g} is recorded, and {now}"


def _known(repeats: Repeats, apart: Apart) -> float:
    limit = repeats.limit(apart)
    if limit is None:
        raise UsageError(
            f"no trial of {repeats.spec.suite} on {repeats.spec.workload.name} is repeated in the records, so nothing "
            "says how far one may differ on other libraries or another processor: verify it where it ran"
        )
    return limit
