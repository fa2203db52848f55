"""What the last evaluation of a trial decides, and what its result flags."""

import pytest

from tests.harness.trial.tiny import HONEST, metrics, run, spec_with
from timetrial.harness.trial.arena import Arena, make_workload
from timetrial.harness.trial.clock import Clock
from timetrial.harness.trial.ending import decide, has_test_gap

LOSS = {
    "implementation": "timetrial.workloads.small_gpt.SmallGpt",
    "sizes": {"layers": 1, "width": 16, "heads": 2, "context": 8},
}


@pytest.mark.parametrize(("accuracy", "gap"), [(0.8, False), (0.77, False), (0.75, True), (float("nan"), True)])
def test_a_test_accuracy_far_below_its_calibration_is_a_gap(accuracy, gap) -> None:
    spec = spec_with({"test_target": 0.8})
    assert has_test_gap(spec, make_workload(spec.workload, None), {"accuracy": accuracy, "loss": 1.0}) is gap


@pytest.mark.parametrize(("loss", "gap"), [(2.0, False), (2.09, False), (2.2, True)])
def test_a_test_loss_far_above_its_calibration_is_a_gap(loss, gap) -> None:
    spec = spec_with({**LOSS, "test_target": 2.0})
    assert has_test_gap(spec, make_workload(spec.workload, None), {"loss": loss}) is gap


def test_without_a_calibrated_value_there_is_no_gap() -> None:
    spec = spec_with()
    assert not has_test_gap(spec, make_workload(spec.workload, None), {"accuracy": 0.0})


@pytest.mark.parametrize(
    ("seconds", "accuracy", "finite", "status"),
    [
        (1.0, 0.5, True, "target_reached"),
        (20.1, 0.5, True, "budget_exhausted"),
        (1.0, 0.4, True, None),
        (20.0, 0.4, True, "budget_exhausted"),
        (1.0, float("nan"), True, None),
        (1.0, 1.0, False, "diverged"),
    ],
)
def test_a_target_counts_only_within_the_budget_and_with_finite_weights(seconds, accuracy, finite, status) -> None:
    spec = spec_with({"target": 0.5}, max_steps=None)
    workload = make_workload(spec.workload, None)
    ending = decide(
        spec, workload, Clock(seconds=99.0, paced_seconds=seconds, step=10), finite, {"accuracy": accuracy, "loss": 1.0}
    )
    assert getattr(ending, "status", ending) == status


def test_a_workload_need_not_have_a_loss_among_its_metrics() -> None:
    spec = spec_with({"target": 0.5}, max_steps=None)
    clock = Clock(seconds=1.0, paced_seconds=1.0, step=10)
    assert decide(spec, make_workload(spec.workload, None), clock, True, {"accuracy": 0.5}) == "target_reached"


def test_a_gap_is_in_the_result_of_a_trial_that_reached_its_target(tmp_path) -> None:
    spec = spec_with({"target": 0.01, "test_target": 1.0})
    arena = Arena(spec, None)
    result = run(HONEST, arena, tmp_path, spec)
    arena.close()
    assert result.status == "target_reached"
    assert "test_gap" in result.flags


def test_a_hidden_variant_trains_end_to_end_and_is_another_problem(tmp_path) -> None:
    sizes = set()
    for seed in (1, 2):
        spec = spec_with(variant_seed=seed, max_steps=10)
        arena = Arena(spec, None)
        result = run(HONEST, arena, tmp_path / str(seed), spec)
        arena.close()
        assert result.status == "budget_exhausted", result.reason
        assert spec.protocol != spec_with(max_steps=10).protocol
        sizes.add((result.parameters, result.data_hash))
        assert len(metrics(tmp_path / str(seed))) == 1
    assert len(sizes) == 2


def test_the_record_says_what_the_kernel_enforced(tmp_path) -> None:
    from timetrial.harness.trial.isolation import available

    arena = Arena(spec_with(), None)
    result = run(HONEST, arena, tmp_path)
    arena.close()
    assert result.environment["isolation"] == available()
