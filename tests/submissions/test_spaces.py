"""The search spaces of the collection keep to one method, and the table of submissions/README.md is what they are."""

import pytest
import torch

from tests.submissions.toy import build, train
from timetrial.harness.planning.catalogue import SUBMISSIONS, TEMPLATE, find_submission, submission_names
from timetrial.harness.planning.search_space import HORIZON, Range
from timetrial.harness.report.page_data import search_space_lines

HORIZONS = (0.4, 0.55, 0.7, 0.85, 1.0)
SPACES = {
    name: find_submission(name).search_space
    for name in [*submission_names(), TEMPLATE]
    if find_submission(name).search_space is not None
}
DRAWN = [name for name, space in SPACES.items() if space.axes]


@pytest.mark.parametrize("name", DRAWN)
def test_every_range_is_one_and_a_half_decades_on_a_log_scale(name):
    for axis in SPACES[name].axes.values():
        if isinstance(axis, Range):
            assert axis.scaling == "log"
            assert 30 * 0.999 <= axis.max / axis.min <= 100 / 3 * 1.001


@pytest.mark.parametrize("name", DRAWN)
def test_no_space_has_more_than_five_dimensions(name):
    assert len(SPACES[name].axes) <= 5


def trained(name: str, step_hint: int) -> list[torch.Tensor]:
    model, submission = build(name, step_hint=step_hint)
    train(submission, [submission.task.next_batch() for _ in range(10)])
    return [tensor.clone() for tensor in model.state_dict().values()]


@pytest.mark.parametrize("name", DRAWN)
def test_a_space_has_the_horizon_of_all_exactly_where_training_depends_on_the_step_hint(name):
    same = all(torch.equal(a, b) for a, b in zip(trained(name, 40), trained(name, 400), strict=True))
    axes = SPACES[name].axes
    assert (HORIZON not in axes) == same
    if HORIZON in axes:
        assert axes[HORIZON].values == HORIZONS
        assert list(axes).index(HORIZON) == 2  # there each study of five has each of them once


def test_the_product_of_rate_and_decay_has_one_range_for_all_that_have_both_as_such():
    products = {
        (axis.min, axis.max) for space in SPACES.values() for axis in space.axes.values()
        if isinstance(axis, Range) and axis.per == "learning_rate"
    }  # fmt: skip
    assert products == {(3e-4, 1e-2), (1e-4, 3e-3), (1e-5, 3e-4)}, "decoupled; L2; L2 with momentum, ten times longer"


def test_decay_without_a_product_is_drawn_only_where_the_rate_is_not_in_it():
    alone = {
        name for name, space in SPACES.items()
        if isinstance(axis := space.axes.get("weight_decay"), Range) and axis.per is None
    }  # fmt: skip
    no_rate = {"yellowfin", "prodigy", "schedule_free_prodigy", "dadapt_adam"}
    assert alone == {"adam", "adadelta", "lars"} | no_rate


def test_the_page_shows_a_product_as_it_is_drawn():
    lines = dict(search_space_lines(find_submission("adamw")))
    assert lines["weight_decay x learning_rate"] == "0.0003 to 0.01, log scale"


def test_readme_says_what_each_space_is_and_where_it_comes_from():
    text = (SUBMISSIONS / "README.md").read_text().split("\n## Search spaces\n")[1]
    for name in submission_names():
        space = find_submission(name).search_space
        if space is None:
            continue
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        for axis_name, axis in space.axes.items():
            if isinstance(axis, Range):
                product = "" if axis.per is None else f" x {axis.per}"
                assert f"{axis_name}{product} {axis.min:g} to {axis.max:g}" in row
            elif axis_name != HORIZON:
                assert f"{axis_name} {', '.join(map(str, axis.values))}" in row
