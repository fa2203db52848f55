"""`timetrial score` as a whole process: what goes to stdout, what to stderr, and the exit code."""

import argparse
import csv
import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import timetrial.harness.entries.find
import timetrial.harness.records.table
from tests.harness.report.generator import write_planned_run
from tests.harness.scoring.tables import INF, table
from timetrial.harness.commands import score

EVALS = (
    "leaderboard,submission,tuning,workload,study,trial,eval_index,accumulated_submission_time,global_step,val_metric\n"
)
TARGETS = "leaderboard,workload,role,base_workload,direction,val_target,max_runtime_s_external\n"


@pytest.fixture
def logs(tmp_path: Path) -> list[str]:
    """Two submissions, two studies of one workload: adamw at 10 and 12 s, sgd at 20 and 24 s."""
    seconds = {"adamw": (10, 12), "sgd": (20, 24)}
    rows = [
        f"v1,{name},self,digits,{k},1,0,{s},{s * 9},0.95\n"
        for name, times in seconds.items()
        for k, s in enumerate(times)
    ]
    (tmp_path / "evals.csv").write_text(EVALS + "".join(rows))
    (tmp_path / "targets.csv").write_text(TARGETS + "v1,digits,base,digits,max,0.9,100\n")
    files = ["--algoperf-evals", str(tmp_path / "evals.csv"), "--targets", str(tmp_path / "targets.csv")]
    return [*files, "--leaderboard", "v1", "--tuning", "self"]


def timetrial_score(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "timetrial.harness.cli", "score", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def test_json_on_stdout_is_best_first_with_intervals_and_notes_go_to_stderr(logs: list[str]) -> None:
    done = timetrial_score(*logs, "--format", "json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["rules"] == "default"
    # fastest: the square root of 120; credits of 10, 12, 20 and 24 s over it
    expected = [(1 + (4 - 12 / 120**0.5) / 3) / 2, (4 - 22 / 120**0.5) / 3]
    assert [s["submission"] for s in result["scores"]] == ["adamw", "sgd"]
    assert [s["score"] for s in result["scores"]] == pytest.approx(expected)
    assert result["scores"][1]["low"] < expected[1] < result["scores"][1]["high"]
    assert result["scores"][1]["speedup"]["value"] == pytest.approx(0.5)
    assert "note: times are measured seconds" in done.stderr


def test_csv_has_a_row_for_each_submission(logs: list[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(timetrial_score(*logs, "--format", "csv").stdout)))
    found = [(row["submission"], float(row["seconds_to_target.digits"])) for row in rows]
    assert found == [("adamw", pytest.approx(120**0.5)), ("sgd", pytest.approx(480**0.5))]


def test_steps_are_scored_where_they_are_asked_for(logs: list[str]) -> None:
    result = json.loads(timetrial_score(*logs, "--format", "json", "--clock", "steps").stdout)
    assert result["scores"][0]["workloads"]["digits"]["value"] == pytest.approx(9 * 120**0.5)


def test_table_shows_scores_times_and_differences(logs: list[str]) -> None:
    table = timetrial_score(*logs).stdout
    for part in ("algoperf v1", "measured seconds", "21.9 s 2.00x", "0.50x", "slower than"):
        assert part in table


@pytest.mark.parametrize(
    "wrong, complaint",
    [
        (["--rules", "algoperf_v07"], "--rules algoperf_v07: unknown rules"),
        (["--format", "xml"], "--format xml: unknown format"),
        (["--clock", "sundial"], "--clock sundial: unknown clock"),
        (["--clock", "paced"], "--clock paced: the records of algoperf v1/self_tuning do not have it"),
        (["--leaderboard", "v9"], "--leaderboard v9: not in"),
        (["--tuning", "both"], "--tuning both: unknown tuning"),
        (["--targets", "nowhere.csv"], "nowhere.csv: no such file"),
        (["some_run"], "some_run and --algoperf-evals"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(logs: list[str], wrong: list[str], complaint: str) -> None:
    done = timetrial_score(*logs, *wrong)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == ""


def test_incomplete_logs_of_options_and_no_run_are_wrong_usage(logs: list[str]) -> None:
    assert "--tuning is missing" in timetrial_score(*logs[:-2]).stderr
    assert "name a run" in timetrial_score().stderr


def score_in_process(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Score a run with one crashed trial; reading runs is tested where it lives."""
    columns = {"suite": "mini", "ruleset": "external", "path": "runs/r", "slowness_error": 0.0}
    trials = table({"adamw": {"x": [10, 11]}, "sgd": {"x": [20, INF]}}, **columns)
    trials["path"] += "/" + trials["submission"] + "/" + trials["study"].astype(str)
    trials["status"] = ["target_reached"] * 3 + ["crashed"]
    trials["machine"], trials["reason"] = "a laptop", ""
    trials["flags"] = [("unsteady_clock",), ("unsteady_clock",), (), ()]
    monkeypatch.setattr(timetrial.harness.entries.find, "find_run", lambda name: name)
    monkeypatch.setattr(timetrial.harness.records.table, "read_trials", lambda runs: trials)
    parser = argparse.ArgumentParser()
    score.add_arguments(parser)
    return score.main(parser.parse_args(["r", *arguments]))


@pytest.mark.parametrize("form", score.FORMATS)
def test_a_crashed_trial_is_named_and_the_exit_code_is_1(form: str, monkeypatch, capsys) -> None:
    assert score_in_process(monkeypatch, "--format", form) == 1
    shown = capsys.readouterr()
    assert "sgd is incomplete (1 trial), so it has no score" in shown.err
    assert "mini external: the clock was unsteady in 2 trials: paced seconds correct for it" in shown.err
    assert "runs/r/sgd/1: crashed" in shown.err
    assert "adamw" in shown.out and "incomplete" in shown.out


def test_allow_incomplete_counts_misses_says_so_and_exits_0(monkeypatch, capsys) -> None:
    assert score_in_process(monkeypatch, "--allow-incomplete") == 0
    shown = capsys.readouterr()
    assert "counted as misses (--allow-incomplete)" in shown.err
    assert "sgd (1 counted as misses)" in shown.out


def test_five_hundred_trials_are_scored_in_seconds_of_processor_time(tmp_path: Path) -> None:
    run = write_planned_run(tmp_path / "run", "sgd", "adamw", "muon", "momentum", "adam", suite="mini")
    assert len(run.trials()) == 500
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert timetrial_score(str(run.path)).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 4.0  # 2 on a quick machine
