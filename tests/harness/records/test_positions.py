"""Where the hyperparameters of a trial lie in their search space."""

import pytest

from tests.harness.trial.tiny import spec_with
from timetrial.harness.planning.search_space import parse_search_space
from timetrial.harness.records.positions import positions

SPACE = parse_search_space(
    {
        "lr": {"min": 1e-4, "max": 1e-2, "scaling": "log"},
        "decay": {"min": 1e-5, "max": 1e-3, "scaling": "log", "per": "lr"},
        "beta": {"min": 0.8, "max": 1.0, "scaling": "linear"},
        "horizon": {"choices": [0.5, 1.0]},
    },
    "a test",
)


def test_a_position_is_that_of_what_was_drawn_on_its_scale() -> None:
    found = positions(spec_with(hyperparameters={"lr": 1e-3, "decay": 0.1, "beta": 0.85, "horizon": 0.5}), SPACE)
    assert found == pytest.approx({"lr": 0.5, "decay": 0.5, "beta": 0.25})


def test_a_value_that_was_given_by_hand_may_lie_nowhere_on_the_axis() -> None:
    assert positions(spec_with(hyperparameters={"lr": 1e-3, "decay": 0.0}), SPACE) == pytest.approx({"lr": 0.5})
    assert positions(spec_with(hyperparameters={"lr": -1.0, "decay": 1.0}), SPACE) == {}
    assert positions(spec_with(hyperparameters={"lr": 1e-3}), None) == {}
