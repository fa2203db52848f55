"""The results table: crossings of the target, from the files of trials."""

import dataclasses
import json

import numpy as np
import pytest

from tests.harness.report.generator import PACED_WORKLOADS, WORKLOADS, Algorithm, write_run
from timetrial.harness.records.table import read_trials
from timetrial.harness.scoring import score_table
from timetrial.harness.scoring.on_the_way import times_on_the_way
from timetrial.harness.scoring.trials import prepare_trials

WORKLOAD = dataclasses.replace(WORKLOADS[0], target=0.5, budget_seconds=11.0)


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run", [Algorithm("adamw")], workloads=[WORKLOAD], studies=2, trials=1)


def end_late(run, study, accuracies):
    """Let a trial have its last evaluation after the budget: it is exhausted, whatever that evaluation shows."""
    folder = next(folder for folder in run.trials() if folder.read_spec().study == study)
    first = folder.read_evaluations()[0]
    evaluations = [
        dataclasses.replace(
            first, step=step, seconds=seconds, steady_seconds=seconds, validation={"accuracy": accuracy}
        )
        for (seconds, step), accuracy in zip([(4.0, 100.0), (12.0, 300.0)], accuracies, strict=True)
    ]
    folder.evaluations_file.write_text("".join(json.dumps(dataclasses.asdict(e)) + "\n" for e in evaluations))
    misses = {"time_to_target": None, "steady_time_to_target": None, "steps_to_target": None, "flags": []}
    result = json.loads(folder.result_file.read_text()) | misses
    result |= {"status": "budget_exhausted", "seconds": 12.0, "step": 300.0}
    folder.result_file.write_text(json.dumps(result))
    return read_trials([run]).set_index("study").loc[study]


def test_a_crossing_within_the_budget_counts_though_its_evaluation_came_after_it(run):
    row = end_late(run, 1, (0.2, 0.6))
    assert (row["crossing_measured"], row["crossing_steps"]) == pytest.approx((10.0, 250.0))
    assert np.isinf(row["time_to_target"]) and row["status"] == "budget_exhausted"


def test_a_crossing_after_the_budget_counts_on_no_clock(run):
    row = end_late(run, 1, (0.2, 0.52))
    assert np.isinf([row["crossing_measured"], row["crossing_steps"]]).all()


def test_where_no_metric_is_known_times_are_those_of_evaluations_on_every_clock(tmp_path):
    """The class is gone, and both of its metrics cross the target."""
    spec = dataclasses.replace(PACED_WORKLOADS[0], target=0.5, implementation="gone.Away")
    run = write_run(tmp_path / "run", [Algorithm("adamw")], workloads=[spec], studies=2, trials=1)
    for trial in run.trials():
        lines = [json.loads(line) for line in trial.evaluations_file.read_text().splitlines()]
        for line in lines:
            line["validation"]["loss"] = 1 - line["validation"]["accuracy"]
        trial.evaluations_file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    trials = read_trials([run])
    assert trials["metric"].isna().all() and (trials["status"] == "target_reached").all()
    for clock, column in (("paced", "paced_time_to_target"), ("measured", "time_to_target")):
        assert trials[f"crossing_{clock}"].tolist() == trials[column].tolist()
    board = score_table(trials)
    assert (board.clock, board.of("adamw").reach) == ("paced", 1)


def test_an_incomplete_trial_has_no_levels_on_the_way(run):
    trials = prepare_trials(read_trials([run]))
    assert np.isfinite(times_on_the_way(trials, "measured", "adamw")).all()
    trials.loc[trials["study"] == 1, "status"] = "disqualified"
    finite = np.isfinite(times_on_the_way(trials, "measured", "adamw"))
    assert finite[trials["study"] == 0].all() and not finite[trials["study"] == 1].any()
