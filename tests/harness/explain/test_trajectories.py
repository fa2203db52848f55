"""What the trajectories experiment states, against what theory says of its problems."""

import pytest
import torch

from timetrial.harness.explain import trajectories
from timetrial.harness.explain.problems import PATHS


@pytest.fixture(scope="module")
def finding():
    small = {"rates": (0.01, 0.1), "steps": 60, "floor_rates": (0.05, 0.1, 0.2), "floor_steps": 300}
    return trajectories.run(trajectories.Options(**small, submission=("sgd", "momentum", "muon", "lion")))


@pytest.mark.parametrize("name", PATHS)
def test_the_minimum_of_a_problem_is_where_it_says(name):
    problem = PATHS[name]()
    x = torch.tensor([problem.minimum[0], problem.minimum[0] + 0.05])
    y = torch.tensor([problem.minimum[1], problem.minimum[1] + 0.05])
    values = problem.value(x, y).tolist()
    assert values[0] == pytest.approx(0.0, abs=1e-6) and values[1] > 1e-3


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2])
def test_the_noise_floor_is_that_of_the_equation(finding, rate):
    assert finding.numbers[f"floor_{rate}"] == pytest.approx(rate / (2 * (2 - rate)), rel=0.1)


def test_the_floor_is_proportional_to_the_rate_and_the_falling_rate_goes_on_as_one_over_k(finding):
    assert finding.numbers["floor_exponent"] == pytest.approx(1.0, abs=0.12)
    assert finding.numbers["falling_exponent"] == pytest.approx(-1.0, abs=0.15)
    assert "is about proportional" in finding.paragraph and "as 1/k does" in finding.paragraph


def test_adam_goes_the_wrong_way_on_reddis_example_and_amsgrad_does_not(finding):
    assert finding.numbers["reddi_wrong"] > 0.9
    assert finding.numbers["reddi_right"] < -0.8
    assert "as Reddi et al. say" in finding.paragraph


def test_the_paragraph_says_when_the_effect_did_not_show(finding):
    numbers = finding.numbers | {"floor_exponent": 2.0, "reddi_wrong": -1.0}
    options = trajectories.Options(floor_rates=(0.05, 0.2), submission=("sgd",))
    text = trajectories.describe(numbers, options)
    assert "is not proportional" in text and "did not show" in text


def test_momentum_gets_far_below_the_start_of_the_quadratic(finding):
    assert finding.numbers["loss_quadratic_momentum"] < 1e-2 * 51.0
    paths = finding.table[finding.table.what == "quadratic"]
    assert paths.groupby("run").loss.first().tolist() == pytest.approx([51.125] * 4)
