import csv
import io
import re

import numpy as np
import pytest

from tests.harness.report.generator import FIELD, MACHINE, WORKLOADS, Algorithm, write_run
from timetrial.harness.cli import main

SMALL = {"workloads": WORKLOADS[:1], "studies": 2, "trials": 1}
PLOTS = ["speedup", "performance_profile", "score", "time_to_target", "time_against_memory", "tuning_curves"]
PLOTS += [f"training_curves_{workload.name}" for workload in WORKLOADS]


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_is_a_png_of_a_columns_width_that_is_not_blank_and_an_svg_with_its_fonts(report, name):
    from matplotlib.image import imread

    image = imread(report / f"{name}.png")
    assert image.shape[1] >= 3.3 * 300 - 1
    assert len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 20
    svg = (report / f"{name}.svg").read_text()
    assert "<text" not in svg  # letters are outlines, so they look the same without the font


def test_the_leaderboard_says_who_may_be_the_best_and_marks_misses(report):
    rows = [line.split(" | ") for line in (report / "leaderboard.md").read_text().splitlines() if line.startswith("| ")]
    best = {row[1]: (row[0].strip("| "), row[6]) for row in rows if len(row) == 12}
    assert best["muon"] == ("1", "yes")
    assert best["sgd"][1] == best["sign_sgd"][1] == "no"
    assert any("missed" in cell for row in rows if row[0] == "| sgd" for cell in row)


def test_the_leaderboard_says_how_much_a_learning_rate_may_be_off_and_what_memory_it_takes(report, tmp_path):
    board = (report / "leaderboard.md").read_text()
    assert re.search(r"\| muon \|.*\| \d+\.\dx \| 4\.5 B/parameter \| 400 MB \|", board)
    write_run(tmp_path / "run", FIELD[:2], ruleset="self_tuning", **{**SMALL, "studies": 1})
    main(["report", str(tmp_path / "run")])
    without_draws = (tmp_path / "run/report/leaderboard.md").read_text()
    assert re.search(r"\| muon \|.*\| - \| 4\.5 B/parameter \| 400 MB \|", without_draws)


def test_csv_has_a_row_for_each_submission_and_the_scores_that_score_prints(report, run_folder, capsys):
    rows = list(csv.DictReader((report / "leaderboard.csv").open()))
    main(["score", str(run_folder), "--format", "csv"])
    assert rows == list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_report_prints_the_leaderboard_and_the_files_to_stdout(tmp_path, capsys):
    run = write_run(tmp_path / "run", FIELD[:2], **SMALL)
    assert main(["report", str(run.path), "--output", str(tmp_path / "elsewhere")]) == 0
    out = capsys.readouterr().out
    files = [line for line in out.splitlines() if line.startswith(str(tmp_path))]
    assert "| 1 | muon |" in out and str(tmp_path / "elsewhere" / "leaderboard.html") in files
    assert not (run.path / "report").exists()


def test_several_rulesets_have_a_folder_each_and_share_a_page(tmp_path):
    for ruleset in ("external", "self_tuning"):
        write_run(tmp_path / "run", FIELD[:2], ruleset=ruleset, **SMALL)
    assert main(["report", str(tmp_path / "run")]) == 0
    for ruleset in ("external", "self_tuning"):
        assert ruleset in (tmp_path / "run/report" / f"mini_{ruleset}" / "leaderboard.md").read_text()
    assert (tmp_path / "run/report/leaderboard.html").exists()


def test_mixed_hardware_is_refused_and_where_allowed_shown_on_every_report(tmp_path, capsys):
    write_run(tmp_path / "run", FIELD[:1], **SMALL)
    write_run(tmp_path / "run", FIELD[1:2], machine={**MACHINE, "processor": "Slow 9000"}, **SMALL)
    for verb in ("score", "report"):
        assert main([verb, str(tmp_path / "run")]) == 2
        message = capsys.readouterr().err
        assert "Slow 9000" in message and "--allow-mixed-hardware" in message
        assert main([verb, str(tmp_path / "run"), "--allow-mixed-hardware"]) == 0
        assert "Slow 9000" in capsys.readouterr().err
    for file in ("leaderboard.md", "leaderboard.html"):
        assert "different hardware" in (tmp_path / "run/report" / file).read_text()


def test_provisional_targets_are_marked_on_every_report(tmp_path):
    import dataclasses

    workloads = [dataclasses.replace(WORKLOADS[0], provisional=True)]
    write_run(tmp_path / "run", FIELD[:2], workloads=workloads, studies=2, trials=1)
    main(["report", str(tmp_path / "run")])
    for file in ("leaderboard.md", "leaderboard.html"):
        assert "provisional" in (tmp_path / "run/report" / file).read_text()


def test_an_incomplete_submission_is_listed_without_a_score_and_the_exit_code_is_1(tmp_path, capsys):
    unlucky = Algorithm("unlucky", statuses={(WORKLOADS[0].name, 0, 0): "missing"})
    write_run(tmp_path / "run", [FIELD[1], unlucky], **SMALL)
    assert main(["report", str(tmp_path / "run")]) == 1
    assert re.search(r"\| - \| unlucky \| incomplete", capsys.readouterr().out)


def test_a_diverged_trial_is_a_miss_whose_reason_stands_on_the_page(tmp_path):
    unlucky = Algorithm("unlucky", statuses={(WORKLOADS[0].name, 0, 0): "diverged"})
    write_run(tmp_path / "run", [FIELD[1], unlucky], **SMALL)
    assert main(["report", str(tmp_path / "run")]) == 0
    assert "made up: diverged" in (tmp_path / "run/report/leaderboard.html").read_text()


def test_nobody_complete_gives_a_page_and_training_curves_without_a_score(tmp_path):
    unlucky = Algorithm("unlucky", statuses={(WORKLOADS[0].name, 0, 0): "crashed"})
    write_run(tmp_path / "run", [unlucky], **SMALL)
    assert main(["report", str(tmp_path / "run")]) == 1
    assert (tmp_path / "run/report/training_curves_fashion_mnist_mlp.png").exists()


def test_talk_style_is_for_slides(tmp_path):
    from matplotlib.image import imread

    write_run(tmp_path / "run", FIELD[:2], **SMALL)
    main(["report", str(tmp_path / "run"), "--style", "talk"])
    assert imread(tmp_path / "run/report/score.png").shape[1] >= 1920


def test_a_page_of_thirty_submissions_is_at_most_a_megabyte(tmp_path):
    write_run(tmp_path / "run", [Algorithm(f"algorithm_{i}", 0.4 + i / 25) for i in range(30)])
    from timetrial.harness.entries.find import find_run
    from timetrial.harness.report.boards import read_boards
    from timetrial.harness.report.write import write_report

    write_report(read_boards([find_run(str(tmp_path / "run"))]), tmp_path, formats=())
    page = tmp_path / "leaderboard.html"
    assert page.stat().st_size <= 1_000_000


def test_entries_made_without_the_whole_wall_are_marked(report) -> None:
    text = (report / "leaderboard.md").read_text()
    (mark,) = [line for line in text.splitlines() if "made without a wall around" in line]
    assert "system calls" in mark
