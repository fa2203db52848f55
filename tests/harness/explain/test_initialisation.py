"""What the initialisation experiment states: the variance ratios of He and Xavier with rectifiers."""

import math

import pytest

from timetrial.harness.explain import initialisation


@pytest.fixture(scope="module")
def finding():
    small = {"data": "synthetic", "suite": "quickstart", "width": 256, "depth": 12, "depths": (3, 40), "steps": 20}
    return initialisation.run(initialisation.Options(**small, every=10, sample=200))


def test_kaiming_keeps_the_mean_square_through_rectifiers_and_xavier_halves_it(finding):
    assert finding.numbers["ratio_kaiming_normal"] == pytest.approx(1.0, abs=0.1)
    assert finding.numbers["ratio_xavier_normal"] == pytest.approx(0.5, abs=0.05)


def test_too_small_weights_lose_the_signal_and_constant_ones_make_all_units_alike(finding):
    signal = finding.table[finding.table.what == "signal"].set_index(["activation", "init", "layer"])
    assert signal.loc[("tanh", "normal_0.01", 11), "std"] < 1e-6
    assert signal.loc[("relu", "kaiming_normal", 11), "std"] > 0.1
    assert set(signal.reset_index().init) == set(initialisation.INITIALISATIONS)


def test_what_is_said_of_training_is_what_the_curves_say(finding):
    curves = finding.table[finding.table.what == "training"]
    assert len(curves) == 2 * 2 * 2
    deep = curves[(curves.depth == 40) & (curves.init == "xavier_normal")]
    assert deep.accuracy.max() < 0.5 and finding.numbers["step_xavier_normal_40"] == math.inf


@pytest.mark.parametrize(
    "kaiming, xavier, told",
    [(50, 100, "is faster"), (50, math.inf, "only Kaiming's learns"), (math.inf, 50, "does not learn"),
     (100, 50, "is not faster")],
)  # fmt: skip
def test_each_outcome_has_its_own_words(finding, kaiming, xavier, told):
    numbers = finding.numbers | {"step_kaiming_normal_3": kaiming, "step_xavier_normal_3": xavier}
    assert told in initialisation.describe(numbers, initialisation.Options(depths=(3,)))
