"""The validation metric that a target is on: its name and direction, as far as records tell."""

from collections.abc import Iterable
from dataclasses import dataclass

from timetrial.harness import UsageError
from timetrial.harness.planning.spec import WorkloadSpec
from timetrial.harness.records.curve import Curve


@dataclass(frozen=True)
class TargetMetric:
    """The validation metric that a target is on."""

    name: str
    higher_is_better: bool


def target_metric(workload: WorkloadSpec, ended: Iterable[tuple[bool, Curve]]) -> TargetMetric:
    """Find the metric that the target of `workload` is on, from trials that ended by reaching it (True) or the budget.

    It is the one by which a trial ends when it comes to the target, and never before. Where trials leave a choice, the
    workload's class is asked, which imports torch. Raises `UsageError` where this clone has no such class.
    """
    possible: set[tuple[str, bool]] | None = None
    for reached, curve in ended:
        fitting = _fitting_metrics(workload.target, curve, reached)
        possible = fitting if possible is None else possible & fitting
        if len(possible) == 1:
            return TargetMetric(*possible.pop())
        if not possible:
            break
    from timetrial.harness.workload import workload_class  # imports torch, which takes a second

    try:
        found = workload_class(workload.implementation, workload.text)
    except (ImportError, AttributeError, ValueError):
        raise UsageError(
            f"workload {workload.name}: there is no {workload.implementation} here: use the version that ran it"
        ) from None
    return TargetMetric(found.metric, found.higher_is_better)


def _fitting_metrics(target: float, curve: Curve, reached: bool) -> set[tuple[str, bool]]:
    """List (metric, higher is better) that a trial with these evaluations, and no others, is consistent with."""
    found = set()
    for name, values in zip(curve.metrics, curve.values.T, strict=True):
        for higher in (True, False):
            past = values >= target if higher else values <= target
            if not past[:-1].any() and (past[-1] or not reached):
                found.add((name, higher))
    return found
