"""The end of a trial: what its last evaluation decides, and the result that is written."""

from datetime import UTC, datetime
from typing import Any

from timetrial.harness.planning.environment import describe_machine
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import Metrics, Result
from timetrial.harness.trial.arena import Arena
from timetrial.harness.trial.clock import Clock
from timetrial.harness.trial.counters import Counters
from timetrial.harness.trial.failures import TrialFailure
from timetrial.harness.workload import Workload

TEST_MARGIN = 0.05
"""A trial that reaches its target while the test metric misses `test_target` by more than this share is flagged."""

Ending = str | TrialFailure
"""A status that needs no reason, or a failure, which has one."""


def decide(spec: TrialSpec, workload: Workload, clock: Clock, finite: bool, validation: Metrics) -> Ending | None:
    """Say how the trial ends with this evaluation; None where it goes on."""
    loss = validation.get("loss", 0.0)  # a workload need not have one among its metrics
    if not finite or loss != loss:
        return TrialFailure("diverged", f"weights or loss are not finite at step {clock.step:g}")
    if workload.reaches(validation, spec.workload.target) and clock.paced_seconds <= spec.budget_seconds:
        return "target_reached"
    if clock.paced_seconds >= spec.budget_seconds or (spec.max_steps is not None and clock.step >= spec.max_steps):
        return "budget_exhausted"
    return None


def has_test_gap(spec: TrialSpec, workload: Workload, test: Metrics) -> bool:
    """Whether the test metric is worse than calibration found it at the target, by more than `TEST_MARGIN` of it."""
    expected = spec.workload.test_target
    if expected is None:
        return False
    margin = TEST_MARGIN * abs(expected)
    return not workload.reaches(test, expected - margin if workload.higher_is_better else expected + margin)


def make_result(
    spec: TrialSpec,
    arena: Arena,
    counters: Counters,
    wall_seconds: float,
    ending: Ending,
    test: Metrics | None,
    summary: dict[str, Any],
) -> Result:
    """Write down how a trial has ended; `summary` is what the trainee says of itself, and is not relied on."""
    failure = ending if isinstance(ending, TrialFailure) else None
    reached, clock = ending == "target_reached", counters.clock
    gap = reached and test is not None and has_test_gap(spec, arena.workload, test)
    flags = {"unsteady_clock": clock.is_unsteady, "test_gap": gap}
    state_bytes = summary.get("optimizer_state_bytes")
    return Result(
        status=failure.status if failure else ending,
        reason=failure.reason if failure else None,
        traceback=failure.traceback if failure else None,
        time_to_target=clock.seconds if reached else None,
        steps_to_target=clock.step if reached else None,
        seconds=clock.seconds,
        step=clock.step,
        warmup_seconds=counters.warmup_seconds,
        evaluation_seconds=counters.evaluation_seconds,
        wall_seconds=wall_seconds,
        optimizer_state_bytes=state_bytes if is_count(state_bytes) else None,
        parameters=arena.parameters,
        peak_memory_bytes=counters.peak_memory_bytes,
        flags=tuple(flag for flag, is_set in flags.items() if is_set),
        data_hash=arena.data_hash,
        environment={
            **describe_machine(),
            "device": spec.device,
            "threads": spec.threads,
            "isolation": list(counters.isolation),
        },
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        paced_time_to_target=clock.paced_seconds if reached else None,
        paced_seconds=clock.paced_seconds,
    )


def is_count(value: Any) -> bool:
    """Whether a trainee has sent a number of things that can be."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1 << 53
