"""The benchmark counts what can be counted exactly, and measures real trials."""

from dataclasses import replace

import pytest

from timetrial.harness.measuring import benchmark
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.plan import make_plan
from timetrial.harness.planning.source import Source, read_source


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
    assert -1 < row["trial_seconds"] < 5  # a difference of wall clocks, on a machine that other tests load


def test_slots_are_measured_with_whole_runs(monkeypatch):
    monkeypatch.setattr(benchmark, "SLOT_STUDIES", 1)
    monkeypatch.setattr(benchmark.os, "sched_getaffinity", lambda pid: {0})  # one core: one number of slots
    (row,) = benchmark.measure_slots(["suite=quickstart", "workloads=[modular_division]", "max_steps=100"], "cpu")
    assert (row["slots"], row["threads"]) == (1, 1)
    assert 0 < row["steps"]["modular_division"] < 1
    assert 0 < row["evaluation_shares"]["modular_division"] < 1
    assert 0 < row["trials_per_hour"] < 3600


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
        benchmark.measure_steps(benchmark._endless(tiny), Source("1 / 0"), None)


def _source() -> Source:
    return read_source("adamw", benchmark.find_submission("adamw").source_files())
