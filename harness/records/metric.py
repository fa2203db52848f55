"""The validation metric that a target is on: its name and direction, as far as records tell."""

from collections.abc import Iterable
from dataclasses import dataclass

from timetrial.harness import UsageError
from timetrial.harness.planning.spec import WorkloadSpec
from timetrial.harness.records.files import Evaluation, Metrics


@dataclass(frozen=True)
class TargetMetric:
    """The validation metric that a target is on."""

    name: str
    higher_is_better: bool


def target_metric(workload: WorkloadSpec, ended: Iterable[tuple[bool, list[Evaluation]]]) -> TargetMetric:
    """Find the metric that the target of `workload` is on, from trials that ended by reaching it (True) or the budget.

    It is the one by which a trial ends when it comes to the target, and never before. Where trials leave a choice, the
    workload's class is asked, which imports torch. Raises `UsageError` where this clone has no such class.
    """
    possible: set[tuple[str, bool]] | None = None
    for reached, evaluations in ended:
        fitting = _fitting_metrics(workload.target, evaluations, reached)
        possible = fitting if possible is None else possible & fitting
        if len(possible) == 1:
            return TargetMetric(*possible.pop())
    from timetrial.harness.workload import workload_class  # imports torch, which takes a second

    try:
        found = workload_class(workload.implementation)
    except (ImportError, AttributeError, ValueError):
        raise UsageError(
            f"workload {workload.name}: there is no {workload.implementation} here: use the version that ran it"
        ) from None
    return TargetMetric(found.metric, found.higher_is_better)


def _fitting_metrics(target: float, evaluations: list[Evaluation], reached: bool) -> set[tuple[str, bool]]:
    """List (metric, higher is better) that a trial with these evaluations, and no others, is consistent with."""
    values = [evaluation.validation for evaluation in evaluations]
    before = values[:-1]
    return {
        (name, higher)
        for name in set().union(*values)
        for higher in (True, False)
        if not any(_past(metrics, name, target, higher) for metrics in before)
        and (not reached or _past(values[-1], name, target, higher))
    }


def _past(metrics: Metrics, name: str, target: float, higher: bool) -> bool:
    return name in metrics and (metrics[name] >= target if higher else metrics[name] <= target)
