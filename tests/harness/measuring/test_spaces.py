"""Where the best points of a search space lie: on made results whose answer is plain, and on a small workload."""

import csv
import sys

import pytest

from timetrial.harness.measuring import spaces
from timetrial.harness.measuring.spaces import measure, position, summarize
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.plan import select_workloads
from timetrial.harness.planning.search_space import parse_search_space

SPACE = parse_search_space(
    {
        "lr": {"min": 1e-3, "max": 1e-1, "scaling": "log"},
        "decay": {"min": 1e-4, "max": 1e-2, "scaling": "log", "per": "lr"},
        "horizon": {"choices": [0.5, 1.0]},
        "beta": {"choices": [0.9, 0.95]},
    },
    "x",
)


def ranked(points: list, quality) -> list:
    """Rank made points: the larger `quality(point)`, the better."""
    order = sorted(points, key=quality, reverse=True)
    return [{"point": point, "best": quality(point), "step": 1, "rank": order.index(point)} for point in points]


def test_a_position_is_the_share_of_a_logarithmic_range_or_of_the_range_of_a_product():
    point = {"lr": 1e-2, "decay": 1e-1, "beta": 0.95}
    assert position(SPACE.axes["lr"], "lr", point) == pytest.approx(0.5)
    assert position(SPACE.axes["decay"], "decay", point) == pytest.approx(0.5)
    assert position(SPACE.axes["beta"], "beta", point) == 1


def test_positions_of_drawn_points_are_the_points_of_the_sequence():
    for point in SPACE.draw(0, 25):
        assert all(0 <= position(SPACE.axes[name], name, point) <= 1 for name in ("lr", "decay"))


@pytest.mark.parametrize(
    ("quality", "verdict"),
    [
        (lambda point: point["lr"], "high edge"),
        (lambda point: -point["lr"], "low edge"),
        (lambda point: -abs(point["lr"] - 1e-2), "inside"),
    ],
)
def test_the_summary_says_at_which_edge_the_best_fifth_lie(quality, verdict):
    summary = {row["hyperparameter"]: row for row in summarize(SPACE, ranked(SPACE.draw(0, 25), quality))}
    assert summary["lr"]["verdict"] == verdict
    assert set(summary) == {"lr", "decay", "beta"}  # the horizon is the same for all


def test_choices_are_counted_among_the_best_and_points_that_diverged_are_none_of_them():
    points = SPACE.draw(0, 25)
    rows = ranked([point for point in points if point["beta"] == 0.9], lambda point: point["lr"])
    rows += [{"point": point, "best": None, "step": None} for point in points if point["beta"] == 0.95]
    beta = next(row for row in summarize(SPACE, rows) if row["hyperparameter"] == "beta")
    assert beta["verdict"] == "0.9 5, 0.95 0"
    assert beta["diverged"] == sum(point["beta"] == 0.95 for point in points)


SMALL = (
    "suite=quickstart",
    "workloads=[modular_division]",
    "suite.workloads.modular_division.step_hint=20",
    "suite.workloads.modular_division.sizes.modulus=11",
)


def test_the_best_rank_first_and_a_rate_that_explodes_has_no_rank(monkeypatch):
    huge = {"min": 1e30, "max": 1e32, "scaling": "log"}
    monkeypatch.setattr(
        spaces, "_space", lambda name: parse_search_space({"learning_rate": huge, "weight_decay": 0.0}, "")
    )
    (workload,) = select_workloads(compose(["submission=sgd", *SMALL]))
    track = spaces.Track(workload, "synthetic", None)
    assert all("rank" not in row and row["best"] is None for row in measure(track, "sgd", 2))
    monkeypatch.undo()
    rows = measure(track, "sgd", 4)
    assert sorted(row["rank"] for row in rows) == [0, 1, 2, 3]
    by_rank = sorted(rows, key=lambda row: row["rank"])
    assert [row["best"] for row in by_rank] == sorted((row["best"] for row in rows), reverse=True)
    assert measure(track, "sgd", 4) == rows  # counted in steps, so that it is the same again


def test_the_command_writes_a_line_for_each_hyperparameter_and_refuses_what_has_no_axes(tmp_path, monkeypatch, capsys):
    output = tmp_path / "spaces.csv"
    monkeypatch.setattr(sys, "argv", ["spaces", "submission=adamw", *SMALL, "--points", "2", "--output", str(output)])
    assert spaces.main() == 0
    rows = list(csv.DictReader(output.open()))
    assert {row["hyperparameter"] for row in rows} == {"learning_rate", "weight_decay", "beta1", "beta2"}
    assert {row["points"] for row in rows} == {"2"}
    monkeypatch.setattr(sys, "argv", ["spaces", "submission=generalized_adam", *SMALL, "--output", str(output)])
    assert spaces.main() == 2
    assert "generalized_adam" in capsys.readouterr().err
