"""The gap between SGD and Adam, from records, and the tail of gradient noise."""

import numpy
import pytest

from tests.harness.report.generator import Algorithm, write_run
from timetrial.harness import UsageError
from timetrial.harness.explain import adam_gap


@pytest.mark.parametrize("alpha", [1.5, 3.0])
def test_the_tail_index_of_pareto_is_its_exponent(alpha):
    values = numpy.random.default_rng(0).pareto(alpha, 20_000) + 1
    assert adam_gap.tail_index(values) == pytest.approx(alpha, rel=0.1)


def test_a_normal_tail_is_lighter_than_one_of_cauchy():
    random = numpy.random.default_rng(0)
    normal, cauchy = abs(random.standard_normal(5000)), abs(random.standard_cauchy(5000))
    assert adam_gap.tail_index(normal) > 3 > 1.3 > adam_gap.tail_index(cauchy)


def test_the_gap_is_the_ratio_of_the_times_in_the_records(tmp_path):
    write_run(tmp_path / "run", [Algorithm("momentum", 0.5), Algorithm("adamw", 1.0)])
    small = {"suite": "quickstart", "data": "synthetic", "warm_steps": 2, "samples": 12}
    found = adam_gap.run(adam_gap.Options(run=str(tmp_path / "run"), **small))
    assert found.numbers["gap_fashion_mnist_mlp"] == pytest.approx(2, rel=0.25)
    assert found.numbers["gap_low_small_gpt"] < found.numbers["gap_small_gpt"] < found.numbers["gap_high_small_gpt"]
    assert "the tail index of the gradient noise is" in found.paragraph and found.figure().axes


@pytest.mark.parametrize("crashes", [0, 1])
def test_a_run_in_which_one_of_them_has_crashed_is_one_line(crashes, tmp_path):
    statuses = {("small_gpt", 1, 0): "crashed"}
    both = [Algorithm(name, statuses=statuses if i == crashes else {}) for i, name in enumerate(("momentum", "adamw"))]
    write_run(tmp_path / "run", both)
    with pytest.raises(UsageError, match=r"has no score \(.*small_gpt/study_1/trial_0.*: crashed\): run that trial"):
        adam_gap.run(adam_gap.Options(run=str(tmp_path / "run")))


def test_a_run_without_one_of_them_is_one_line(tmp_path):
    write_run(tmp_path / "run", [Algorithm("adamw", 1.0)])
    with pytest.raises(UsageError, match="no leaderboard with momentum and adamw"):
        adam_gap.run(adam_gap.Options(run=str(tmp_path / "run")))
