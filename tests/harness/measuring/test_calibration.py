"""How calibration finds targets, on made curves whose answer is plain."""

import pandas as pd
import pytest

from timetrial.harness.measuring import calibration
from timetrial.harness.measuring.calibration import REFERENCES, SEEDS, steps_to, suggest_target, summarize
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.plan import select_workloads

STEPS = range(10, 101, 10)
SLOPES = {"momentum": 0.5, "adamw": 1.0, "muon": 2.0}


@pytest.fixture
def rows():
    """Accuracy rises by `slope` percent in a step, up to 1; later seeds are 1 % better."""
    made = [
        {
            "submission": submission,
            "phase": "confirm",
            "study": seed,
            "trial": 7,
            "step": float(step),
            "validation": min(1.0, slope * step / 100 * (1 + seed / 100)),
            "train": 1.0,
            "test": 0.5,
            "seconds_per_step": 0.01,
        }
        for submission, slope in SLOPES.items()
        for seed in range(1, SEEDS + 1)
        for step in STEPS
    ]
    return pd.DataFrame(made)


def test_the_target_is_what_the_best_reaches_at_half_of_the_budget(rows):
    rows = rows[(rows["submission"] != "muon") | (rows["step"] <= 40)]  # a budget of 40 of its slower steps
    summary = summarize(rows, higher_is_better=True).set_index("submission")
    assert summary.loc["adamw", "at_half"] == pytest.approx(0.5 * 1.03)
    assert summary.loc["muon", "at_half"] == pytest.approx(0.4 * 1.03)
    assert suggest_target(summary, higher_is_better=True) == pytest.approx(0.5 * 1.03)


def test_the_target_is_lower_where_only_one_would_reach_it(rows):
    summary = summarize(rows, higher_is_better=True).set_index("submission")
    assert summary["at_half"].max() == 1.0
    summary.loc["adamw", "at_end_worst"] = 0.8
    assert suggest_target(summary, higher_is_better=True) == 0.8


def test_for_a_loss_everything_is_the_other_way_round(rows):
    rows["validation"] = 3 - rows["validation"]
    summary = summarize(rows, higher_is_better=False).set_index("submission")
    assert summary.loc["adamw", "at_half"] == pytest.approx(3 - 0.5 * 1.03)
    assert suggest_target(summary, higher_is_better=False) == pytest.approx(3 - 1.0)


def test_steps_to_a_target_are_medians_over_the_seeds_that_reach_it(rows):
    table = steps_to(rows, 0.99, higher_is_better=True)
    assert list(table.index) == list(REFERENCES)
    assert table.loc["adamw", f"reached_of_{SEEDS}"] == SEEDS
    assert table.loc["adamw", "median"] == 100
    assert table.loc["muon", "median"] == 50
    assert pd.isna(table.loc["momentum", "median"])


def test_the_best_point_is_the_earliest_at_the_best_value():
    rows = [
        {"trial": 0, "validation": 0.9, "step": 10},
        {"trial": 1, "validation": 1.0, "step": 30},
        {"trial": 2, "validation": 1.0, "step": 20},
    ]
    assert calibration._best_point(rows, higher_is_better=True) == 2
    assert calibration._best_point(rows, higher_is_better=False) == 0


def test_slower_steps_make_a_budget_of_fewer_steps():
    cost = {"momentum": 0.01, "adamw": 0.01, "muon": 0.04}
    rows = [{"submission": name, "seconds_per_step": seconds} for name, seconds in cost.items() for _ in range(3)]
    assert calibration._budgets(rows, 1000) == {"momentum": 1000, "adamw": 1000, "muon": 250}


def test_a_small_workload_is_calibrated_from_end_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "POINTS", 3)
    monkeypatch.setattr(calibration, "SEEDS", 2)
    monkeypatch.setattr(calibration, "RUNS", tmp_path)
    sizes = "suite.workloads.modular_division.sizes"
    config = compose(["suite=quickstart", "submission=adamw", "workloads=[modular_division]", f"{sizes}.modulus=11"])
    (workload,) = select_workloads(config)
    found = calibration.Calibration(config, "cpu", slots=2, threads=1)
    rows = pd.DataFrame(calibration.calibrate(found, workload, budget_steps=80))
    assert set(rows["phase"]) == {"cost", "search", "confirm"}
    assert rows[rows["phase"] == "confirm"].groupby("submission")["study"].nunique().eq(2).all()
    assert 0 < suggest_target(summarize(rows, higher_is_better=True), higher_is_better=True) <= 1
    trials = list(tmp_path.rglob("result.json"))
    again = pd.DataFrame(calibration.calibrate(found, workload, budget_steps=80))
    assert list(tmp_path.rglob("result.json")) == trials and again.equals(rows)
