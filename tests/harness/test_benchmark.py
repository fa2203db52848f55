"""The benchmark counts what can be counted exactly, and measures real trials."""

from dataclasses import replace

import pytest

from harness import benchmark
from harness.configuration import compose
from harness.plan import make_plan


@pytest.fixture
def tiny():
    """An MLP 784-32-32-10 on batches of 16, without real data."""
    overrides = ["suite=quickstart", "submission=adamw", "ruleset=self_tuning", "workloads=[fashion_mnist_mlp]"]
    sizes = "suite.workloads.fashion_mnist_mlp.sizes"
    spec = make_plan(compose([*overrides, f"{sizes}.hidden=[32,32]", f"{sizes}.batch_size=16"]), "cpu", threads=1)[0]
    return replace(spec, workload=replace(spec.workload, eval_every=10))


def test_a_trial_is_compared_with_loops_of_the_same_steps(tiny, monkeypatch):
    monkeypatch.setattr(benchmark, "REPETITIONS", 2)
    spec = benchmark._endless(tiny)
    assert spec.max_steps == benchmark.STRETCHES * 10
    row = benchmark.measure_steps(spec, _source(), None)
    assert 0 < row["bare"] < 0.1 and 0 < row["by_hand"] < 0.1
    assert row["ratio"] == pytest.approx(row["seconds_per_step"] / row["by_hand"], rel=1.0)
    assert row["trial_seconds"] > 0 and 0 < row["evaluation_share"] < 1


def test_operations_of_a_step_are_counted_exactly(tiny):
    floor = benchmark.measure_floor(benchmark._endless(tiny), None, seconds_per_step=1.0)
    forward = 2 * 16 * (784 * 32 + 32 * 32 + 32 * 10)
    assert floor["flops"] == 3 * forward - 2 * 16 * 784 * 32  # no gradient of the images is needed
    weights = 4 * (784 * 32 + 32 * 32 + 32 * 10)
    assert floor["bytes"] > 8 * weights  # read by both passes, and by an update that keeps two moments
    assert floor["floor_seconds"] == pytest.approx(
        max(floor["flops"] / floor["flops_per_second"], floor["bytes"] / floor["bytes_per_second"])
    )


def test_a_trial_that_fails_is_one_line(tiny):
    with pytest.raises(benchmark.UsageError, match="adamw on fashion_mnist_mlp: crashed: ZeroDivisionError"):
        benchmark.measure_steps(benchmark._endless(tiny), "1 / 0", None)


def _source() -> str:
    return benchmark.find_submission("adamw").source_files()["submission.py"].read_text()
