"""What the grokking experiment states of a small table, and of curves whose steps are known."""

import math

import pandas
import pytest

from timetrial.harness.explain import grokking


def test_the_steps_are_the_first_at_the_threshold_and_never_is_infinite():
    curve = pandas.DataFrame({"step": [10, 20, 30], "training": [0.5, 0.99, 1.0], "validation": [0.1, 0.2, 0.5]})
    assert grokking.first_step(curve, "training", 0.99) == 20
    assert grokking.first_step(curve, "validation", 0.99) == math.inf


@pytest.mark.parametrize(
    "fitted, generalised, shown",
    [(250, 1000, "showed with one"), (250, math.inf, "showed with one"), (250, 400, "did not show"),
     (math.inf, math.inf, "did not show")],
)  # fmt: skip
def test_it_says_whether_generalisation_was_late(fitted, generalised, shown):
    numbers = {"fitted_one": fitted, "generalised_one": generalised, "validation_one": 0.3}
    text = grokking.describe(numbers, grokking.Options(submission=("one",)))
    assert f"Grokking {shown}" in text
    if math.isfinite(generalised):
        assert f"fitted at step {fitted} and generalised at step {generalised}" in text


def test_a_small_network_fits_its_half_of_the_table_and_the_number_stated_is_the_one_in_the_curve():
    small = {"modulus": 11, "steps": 150, "every": 25, "submission": ("adamw",), "weight_decay": 0.0}
    finding = grokking.run(grokking.Options(**small, suite="mini", learning_rate=3e-3))
    fitted = finding.numbers["fitted_adamw"]
    assert 5 <= fitted <= 150  # 55 examples are learnt by heart
    assert finding.table.set_index("step").training[fitted] >= 0.99
    assert finding.numbers["validation_adamw"] < 0.9  # and without weight decay nothing makes it general so soon
    assert f"fitted at step {fitted:.0f}" in finding.paragraph
