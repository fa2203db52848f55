"""How calibration finds targets, on made curves whose answer is plain."""

import pandas as pd
import pytest

from timetrial.harness.measuring import calibration
from timetrial.harness.measuring.calibration import REFERENCES, SEEDS, steps_to, summarize
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
            "phase": phase,
            "study": seed if phase == "confirm" else 0,
            "trial": seed if phase == "search" else 7,
            "step": float(step),
            "validation": min(1.0, slope * step / 100 * (1 + seed / 100)),
            "train": 1.0,
            "test": 0.5,
            "seconds_per_step": 0.01,
        }
        for submission, slope in SLOPES.items()
        for phase in ("search", "confirm")
        for seed in range(1, SEEDS + 1)
        for step in STEPS
    ]
    return pd.DataFrame(made)


def test_the_target_is_what_four_of_five_seeds_reach(rows):
    summary = summarize(rows, higher_is_better=True).set_index("submission")
    assert summary.loc["momentum", "reached"] == pytest.approx(0.5 * 1.02)  # the seeds reach 0.5 times 1.01 to 1.05
    assert summary.loc["momentum", "worst"] == pytest.approx(0.5 * 1.01)
    assert summary.loc["momentum", "best"] == pytest.approx(0.5 * 1.05)


def test_four_tenths_of_the_points_reach_what_is_likely(rows):
    assert summarize(rows, higher_is_better=True).set_index("submission").loc["momentum", "likely"] == pytest.approx(
        0.5 * 1.04  # two of the five points, which reach 0.5 times 1.01 to 1.05
    )


def test_the_target_is_the_easier_of_the_two(rows):
    (workload,) = select_workloads(compose(["suite=quickstart", "workloads=[modular_division]"]))
    harder = rows.assign(validation=rows["validation"].where(rows["phase"] == "confirm", rows["validation"] / 2))
    for given, target in ((rows, 1.0), (harder, 0.5)):  # adamw's fourth seed saturates
        assert f"    target: {target:.4g}\n" in calibration._findings(workload, given, SEEDS)


def test_for_a_loss_everything_is_the_other_way_round(rows):
    rows["validation"] = 3 - rows["validation"]
    summary = summarize(rows, higher_is_better=False).set_index("submission")
    assert summary.loc["momentum", "reached"] == pytest.approx(3 - 0.5 * 1.02)
    assert summary.loc["momentum", "worst"] == pytest.approx(3 - 0.5 * 1.01)


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
    assert calibration._best_point([], higher_is_better=True) is None


def test_a_small_workload_is_calibrated_from_end_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "RUNS", tmp_path)
    sizes = "suite.workloads.modular_division.sizes"
    config = compose(
        [
            "suite=quickstart",
            "submission=adamw",
            "workloads=[modular_division]",
            f"{sizes}.modulus=11",
            "suite.workloads.modular_division.step_hint=120",
        ]
    )
    (workload,) = select_workloads(config)
    found = calibration.Calibration(config, "cpu", slots=2, threads=1, points=3, seeds=2)
    rows = pd.DataFrame(calibration.calibrate(found, workload))
    assert set(rows["phase"]) == {"search", "confirm"}
    assert rows[rows["phase"] == "confirm"].groupby("submission")["study"].nunique().eq(2).all()
    assert summarize(rows, higher_is_better=True)["reached"].between(0, 1).all()
    trials = list(tmp_path.rglob("result.json"))
    again = pd.DataFrame(calibration.calibrate(found, workload))
    assert list(tmp_path.rglob("result.json")) == trials and again.equals(rows)
