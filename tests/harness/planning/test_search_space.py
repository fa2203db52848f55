"""Search spaces: the points that are drawn, products, the horizon, and the one clear line where a space is wrong."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timetrial.harness import UsageError
from timetrial.harness.planning.search_space import parse_hyperparameters, parse_search_space

RATE = {"min": 1e-4, "max": 1e-2, "scaling": "log"}
PRODUCT = {"min": 1e-4, "max": 3e-3, "scaling": "log", "per": "lr"}
HORIZONS = [0.4, 0.55, 0.7, 0.85, 1.0]


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ({"lr": {"min": 1.0, "max": 0.1, "scaling": "linear"}}, ["lr", "min 1 is above max 0.1"]),
        ({"lr": {"min": 0.0, "max": 0.1, "scaling": "log"}}, ["lr", "log"]),
        ({"lr": {"min": 0.0, "max": 0.1, "scaling": "cubic"}}, ["lr", "cubic", "linear"]),
        ({"lr": {"min": 0.0, "max": 0.1}}, ["lr", "scaling"]),
        ({"lr": {"choices": []}}, ["lr", "choices"]),
        ({"lr": {"min": "a", "max": 0.1, "scaling": "log"}}, ["lr", "'a'"]),
        ([{"lr": 1.0}] * 4, ["4 points", "exactly 5"]),
        ([{"lr": 1.0}] * 4 + [{"b": 1.0}], ["different names"]),
        ("lr", ["lr"]),
        ({"decay": PRODUCT}, ["decay", "per is 'lr'", "name another"]),
        ({"lr": {**RATE, "per": "lr"}}, ["lr", "per is 'lr'", "name another"]),
        ({"lr": {**RATE, "per": 3}}, ["lr", "per is 3", "name another"]),
        ({"lr": {**RATE, "per": "decay"}, "decay": PRODUCT}, ["per is 'decay'", "without per"]),
        ({"lr": {"min": 0.0, "max": 1.0, "scaling": "linear"}, "decay": PRODUCT}, ["per is lr", "0.0", "above zero"]),
        ({"lr": {"choices": [0.1, "small"]}, "decay": PRODUCT}, ["per is lr", "'small'", "above zero"]),
        ({"lr": 1e-320, "decay": PRODUCT}, ["per is lr", "above zero"]),
        ({"lr": 10**400, "decay": PRODUCT}, ["per is lr", "above zero"]),
        ({"horizon": {"choices": [0.5, 1.5]}}, ["search_space.horizon", "1.5", "at most 1"]),
        ({"horizon": {"min": 0.0, "max": 1.0, "scaling": "linear"}}, ["horizon", "0.0", "above 0"]),
        ({"horizon": True}, ["horizon", "True"]),
        ({"lr": 0.5, "horizon": PRODUCT}, ["horizon", "without per"]),
        ([{"lr": 1.0, "horizon": 0.5}] * 4 + [{"lr": 1.0, "horizon": 2}], ["horizon", "2", "at most 1"]),
    ],
)
def test_wrong_search_space_is_one_line_that_names_the_axis(space, says: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        parse_search_space(space, "submissions/x/submission.yaml")
    message = str(error.value)
    assert "\n" not in message
    for part in ["submissions/x/submission.yaml", *says]:
        assert part in message


@pytest.mark.parametrize("horizon", [0, -1.0, 1.01, "long", False, 10**400])
def test_self_tuning_refuses_a_horizon_that_is_no_share_of_the_step_hint(horizon) -> None:
    with pytest.raises(UsageError, match=r"x: hyperparameters.horizon may be .*above 0, at most 1"):
        parse_hyperparameters({"horizon": horizon}, "x")


def test_self_tuning_takes_a_horizon_up_to_1_or_none() -> None:
    assert parse_hyperparameters({"horizon": 1}, "x") == {"horizon": 1}
    assert parse_hyperparameters({}, "x") == {}


def test_drawn_points_lie_in_the_space_and_spread_over_it() -> None:
    space = parse_search_space({"lr": RATE, "beta": {"choices": [0.9, 0.95]}, "decay": 0.1}, "x")
    studies = [space.draw(study, 5) for study in range(20)]
    points = [point for study in studies for point in study]
    for point in points:
        assert 1e-4 <= point["lr"] <= 1e-2 and point["beta"] in (0.9, 0.95) and point["decay"] == 0.1
    assert 0.4 < sum(point["lr"] < 1e-3 for point in points) / len(points) < 0.6
    assert 0.35 < sum(point["beta"] == 0.9 for point in points) / len(points) < 0.65
    for study in studies:
        assert {point["lr"] < 1e-3 for point in study} == {True, False}


def test_a_horizon_in_third_place_is_each_of_its_five_values_once_in_every_study_of_five() -> None:
    space = parse_search_space({"lr": RATE, "decay": PRODUCT, "horizon": {"choices": HORIZONS}}, "x")
    for study in range(20):
        assert sorted(point["horizon"] for point in space.draw(study, 5)) == HORIZONS


@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 7), st.integers(1, 7))
@settings(deadline=None)
def test_studies_are_pieces_of_one_sequence_whose_first_points_never_change(
    axes: int, studies: int, trials: int, more: int
) -> None:
    space = parse_search_space({f"a{i}": RATE for i in range(axes)}, "x")
    cut = [point for study in range(studies) for point in space.draw(study, trials)]
    assert cut == space.draw(0, studies * trials) == space.draw(0, studies * trials + more)[: studies * trials]
    assert len({str(point) for point in cut}) == len(cut)


bounds = st.floats(1e-9, 1e3)


@given(bounds, bounds, bounds, bounds, st.booleans(), st.integers(0, 9))
@settings(deadline=None)
def test_a_range_per_another_hyperparameter_is_the_range_of_their_product(a, b, c, d, first: bool, study: int) -> None:
    rate = {"min": min(a, b), "max": max(a, b), "scaling": "log"}
    product = {"min": min(c, d), "max": max(c, d), "scaling": "log", "per": "lr"}
    both = {"decay": product, "lr": rate} if first else {"lr": rate, "decay": product}
    for point in parse_search_space(both, "x").draw(study, 5):
        assert product["min"] * (1 - 1e-9) <= point["lr"] * point["decay"] <= product["max"] * (1 + 1e-9)


def test_a_product_is_drawn_independently_of_its_other_factor() -> None:
    points = parse_search_space({"lr": RATE, "decay": PRODUCT}, "x").draw(0, 200)
    for upper in (True, False):
        half = [point["lr"] * point["decay"] for point in points if (point["lr"] > 1e-3) == upper]
        assert 0.4 < sum(product > (1e-4 * 3e-3) ** 0.5 for product in half) / len(half) < 0.6
