"""What the growing-rate experiment states: equality to rounding in float64, and a control that separates."""

import pytest

from timetrial.harness import UsageError
from timetrial.harness.explain import growing_rate


@pytest.fixture(scope="module")
def finding():
    small = {"data": "synthetic", "suite": "quickstart", "depth": 8, "width": 4, "batch_size": 8, "every": 10}
    options = growing_rate.Options(**small, dtype="float64", steps=120, weight_decay=0.02, learning_rate=0.1)
    return growing_rate.run(options)


def test_in_float64_a_growing_rate_is_a_constant_rate_with_decay_to_rounding(finding):
    assert finding.numbers["growth"] > 100
    assert finding.numbers["largest_difference_growing"] < 1e-6
    assert "equal but for rounding" in finding.paragraph


def test_the_control_without_decay_separates(finding):
    assert finding.numbers["largest_difference_control"] > 1e3 * finding.numbers["largest_difference_growing"]
    assert finding.numbers["effective_rate_ratio_control"] < 0.9


def test_the_effective_rates_are_the_same_but_for_one_step_of_growth(finding):
    rows = finding.table[finding.table.run == "growing"]
    growth_of_a_step = (rows.learning_rate.iloc[-1] / rows.learning_rate.iloc[0]) ** (1 / (rows.step.iloc[-1] - 10))
    assert finding.numbers["effective_rate_ratio_growing"] == pytest.approx(1.0, abs=2 * (growth_of_a_step - 1))


def test_an_unknown_precision_is_named():
    with pytest.raises(UsageError, match="float32 or float64"):
        growing_rate.run(growing_rate.Options(dtype="half"))
