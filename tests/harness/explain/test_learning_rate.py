"""What the learning-rate experiment states, on draws whose bands are known, on records, and on a grid."""

import pandas
import pytest

from tests.harness.report.generator import Algorithm, write_run
from timetrial.harness import UsageError
from timetrial.harness.explain import learning_rate


@pytest.mark.parametrize("low, high, where", [(1e-3, 1e-2, "below"), (1e-4, 1e-3, "in"), (1e-5, 1e-4, "above")])
def test_the_band_says_where_the_rate_that_people_try_first_lies(low, high, where):
    assert learning_rate.where(pandas.Series({"band_low": low, "band_high": high})) == where


def test_every_draw_of_a_run_is_a_point(tmp_path):
    write_run(tmp_path / "run", [Algorithm("adamw"), Algorithm("sgd")], studies=2, trials=3)
    finding = learning_rate.run(learning_rate.Options(run=str(tmp_path / "run")))
    counts = finding.table.groupby(["submission", "workload"]).size()
    assert len(counts) == 8 and set(counts) == {6}
    assert finding.numbers["pairs"] == 8
    shares = [finding.numbers[f"share_at_3e-4_{where}"] for where in ("below", "in", "above")]
    assert sum(shares) == pytest.approx(1.0)


def test_a_grid_trains_at_each_rate_and_far_too_large_ones_leave_the_band():
    small = {"data": "synthetic", "suite": "quickstart", "submission": ("sgd",), "grid": 3, "steps": 60}
    finding = learning_rate.run(learning_rate.Options(low=0.1, high=1e5, **small))
    assert finding.table.learning_rate.tolist() == pytest.approx([0.1, 100.0, 1e5])
    assert finding.table.band_high.iloc[0] == pytest.approx(0.1)
    assert finding.numbers["decades_sgd"] == 0.0


def test_a_run_without_draws_is_named(tmp_path):
    write_run(tmp_path / "run", [Algorithm("adamw")], ruleset="self_tuning", studies=1, trials=1)
    with pytest.raises(UsageError, match="ruleset external"):
        learning_rate.run(learning_rate.Options(run=str(tmp_path / "run")))
