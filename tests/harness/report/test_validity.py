"""Agreement of a leaderboard with a published one, on tables whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from tests.harness.report.generator import FIELD, write_run
from tests.harness.scoring.tables import random_table
from timetrial.harness import UsageError
from timetrial.harness.cli import main
from timetrial.harness.report.boards import read_boards
from timetrial.harness.report.validity import agreement_between, conclusion
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.scoring.jackknife import Estimate
from timetrial.harness.scoring.validity import compare_with, read_published, split_half, tau

SPREADS = {"adamw": 1.0, "b": 1.3, "c": 1.7, "d": 2.2, "e": 2.9}
PUBLISHED = {"adamw": 0.9, "b": 0.7, "c": 0.5, "d": 0.3, "e": 0.1}
MEASURED = {"clock": "measured", "resamples": 40}


def test_tau_is_concordant_less_discordant_pairs_over_all():
    assert tau(np.array([1, 2, 3, 4.0]), np.array([1, 2, 4, 3.0])) == pytest.approx((5 - 1) / 6)


def test_the_same_order_is_one_and_surely_so():
    found = compare_with(random_table(0, SPREADS, noise=0.02), PUBLISHED, **MEASURED)
    both = found.speedup["both"]
    assert [both.value, both.low, found.score] == pytest.approx([1, 1, 1])
    assert found.chance == pytest.approx(1 / 120)
    assert not found.disagreements and not found.absent
    assert [one.value for one in found.workloads.values()] == pytest.approx([1] * 4)


def test_a_draw_without_any_study_of_a_submission_is_left_out_and_no_time_of_a_second():
    trials = random_table(0, SPREADS, noise=0.02)
    found = compare_with(trials[(trials["submission"] != "b") | (trials["study"] == 0)], PUBLISHED, **MEASURED)
    assert found.speedup["both"].low == pytest.approx(1)


def test_the_reverse_order_is_minus_one_and_names_every_pair():
    reverse = {name: 1 - score for name, score in PUBLISHED.items()}
    found = compare_with(random_table(0, SPREADS, noise=0.02), reverse, **MEASURED)
    assert found.speedup["both"].value == pytest.approx(-1)
    assert len(found.disagreements) == 10
    assert ("e", "adamw", True) in found.disagreements


def test_one_workload_that_disagrees_moves_the_interval_over_workloads_and_not_over_studies():
    trials = random_table(0, SPREADS, noise=0.02)
    odd = trials["workload"] == "workload_0"
    trials.loc[odd, "time_to_target"] = 200 / trials.loc[odd, "time_to_target"] ** 2
    found = compare_with(trials, PUBLISHED, **MEASURED)
    assert found.workloads["workload_0"].value == pytest.approx(-1)
    assert found.speedup["studies"].low == pytest.approx(found.speedup["studies"].high)
    assert found.speedup["workloads"].low < found.speedup["studies"].low


def test_half_of_the_workloads_is_held_against_the_other_half_in_each_way():
    up, down = np.array([1.0, 2, 3]), np.array([3.0, 2, 1])
    assert split_half(np.stack([up, up])) == pytest.approx(1)
    assert split_half(np.stack([up, up, 3 * down])) == pytest.approx(-1)
    assert split_half(np.stack([up, 2 * up, 4 * down, 8 * down])) == pytest.approx((-1 + 1 + 1) / 3)


@pytest.mark.parametrize(("reversed_workloads", "tau_of_halves"), [(0, 1), (1, -1), (2, 1 / 3)])
def test_workloads_that_contradict_each_other_are_found(reversed_workloads, tau_of_halves):
    trials = random_table(0, SPREADS, noise=0.02)
    odd = trials["workload"].isin([f"workload_{w}" for w in range(reversed_workloads)])
    trials.loc[odd, "time_to_target"] = 200 / trials.loc[odd, "time_to_target"] ** 2
    found = compare_with(trials, PUBLISHED, **MEASURED)
    assert found.halves.value == pytest.approx(tau_of_halves)
    assert f"One half of its workloads agrees with the other at tau {tau_of_halves:+.2f}" in conclusion(found)


def test_one_workload_has_no_halves():
    found = compare_with(random_table(0, SPREADS, workloads=1), PUBLISHED, **MEASURED)
    assert found.halves is None and "half" not in conclusion(found)


def test_one_study_has_no_spread_so_nothing_is_said_of_more_studies():
    spreads = {"adamw": 1.0, "b": 1.1, "c": 0.9, "d": 1.05, "e": 0.95}
    found = compare_with(random_table(0, spreads, studies=1, noise=0.3), PUBLISHED, **MEASURED)
    assert found.speedup["studies"].low is None and found.speedup["both"].low is not None
    assert "more studies" not in conclusion(found)


def test_of_submissions_that_all_miss_no_order_is_claimed():
    trials = random_table(0, SPREADS).assign(time_to_target=np.inf)
    said = conclusion(compare_with(trials, PUBLISHED, **MEASURED))
    assert said.startswith("By measured seconds, tau is not defined, since all are equal on 5 submissions.")


def test_without_the_reference_the_verb_writes_no_picture_and_says_so(tmp_path, capsys):
    field = [algorithm for algorithm in FIELD if algorithm.name != "adamw"]
    run = write_run(tmp_path / "run", field)
    scores = "\n".join(f"{algorithm.name},{i}" for i, algorithm in enumerate(field))
    (tmp_path / "published.csv").write_text(f"submission,score\n{scores}\n")
    arguments = ["validity", str(run.path), "--published", str(tmp_path / "published.csv"), "--resamples", "20"]
    assert main([*arguments, "--output", str(tmp_path / "there")]) == 0
    assert [file.name for file in (tmp_path / "there").iterdir()] == ["validity.md"]
    assert "no validity.svg: it needs speed-ups over adamw" in capsys.readouterr().err
    assert main([*arguments, "--output", str(tmp_path / "published.csv")]) == 2
    assert "published.csv: cannot be made (File exists): name another folder" in capsys.readouterr().err


def test_alike_submissions_have_an_interval_that_holds_zero():
    alike = dict.fromkeys(SPREADS, 1.0)
    tables = [random_table(seed, alike, noise=0.3) for seed in range(10)]
    held = [compare_with(table, PUBLISHED, **MEASURED).speedup["both"] for table in tables]
    assert sum(one.low <= 0 <= one.high for one in held) >= 7


def test_who_is_published_and_not_run_is_named():
    found = compare_with(random_table(0, SPREADS), {**PUBLISHED, "f": 1.0}, **MEASURED)
    assert found.absent == ("f",) and "f" not in found.published
    with pytest.raises(UsageError, match="share 1 submissions: an order needs 3"):
        compare_with(random_table(0, {"adamw": 1.0, "x": 2.0}), PUBLISHED, **MEASURED)


@pytest.mark.parametrize(
    "text",
    ["name,score\na,1\n", "submission,score\na,1\na,2\n", "submission,score\na,\n", "submission,score\na,x\n", ""],
)
def test_a_file_that_is_none_is_one_line(text, tmp_path):
    file = tmp_path / "published.csv"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"published\.csv: ") as raised:
        read_published(file)
    assert "\n" not in str(raised.value)


def test_the_verb_prints_and_writes_what_it_found(run_folder, tmp_path, capsys):
    published = tmp_path / "published.csv"
    published.write_text(
        "# from a paper\nsubmission,score\nmuon,0.9\nshampoo,0.8\nadamw,0.6\nsgd,0.1\nsign_sgd,0\nno,1\n"
    )
    command = ["validity", str(run_folder), "--published", str(published), "--output", str(tmp_path / "out")]
    assert main([*command, "--resamples", "20"]) == 0
    said = capsys.readouterr().out
    assert "on 5 submissions" in said and "Published, and not on this leaderboard: no." in said
    assert "| sgd | 0.10 |" in said and "by steps" in said.lower()
    assert (tmp_path / "out" / "validity.md").read_text() in said
    assert (tmp_path / "out" / "validity.svg").stat().st_size > 5000


def test_another_leaderboard_stands_in_the_place_of_published_scores(run_folder, tmp_path, capsys):
    assert main(["validity", str(run_folder), "--published", str(run_folder), "--output", str(tmp_path / "out")]) == 0
    same = capsys.readouterr().out
    assert same.startswith("# mini, external: does it order submissions as ") and "None" not in same
    assert "Pairs in another order, steps: none." in same
    assert "speed-ups differ by a factor of 1.00 in the median, and at most of 1.00" in same
    assert (tmp_path / "out" / "validity.svg").stat().st_size > 5000


@pytest.mark.parametrize("times", [0.5, 2])
def test_the_largest_difference_of_speedups_is_named_whichever_way_it_goes(run_folder, times):
    (board,) = read_boards([RunFolder(run_folder)])
    scores = board.by_clock["steps"]
    standings = [
        replace(one, speedup=Estimate(one.speedup.value * (times if one.submission == "muon" else 1)))
        for one in scores.standings
    ]
    other = replace(board, by_clock={"steps": replace(scores, standings=standings)})
    found = conclusion(agreement_between(board, other, "steps", resamples=20), "there")
    assert "by a factor of 1.00 in the median, and at most of 2.00 (muon)" in found


def test_leaderboards_with_other_references_or_none_are_not_compared(run_folder):
    (board,) = read_boards([RunFolder(run_folder)])
    over_sgd = replace(board, scores=replace(board.scores, reference="sgd"))
    with pytest.raises(UsageError, match="over adamw, and there over sgd"):
        agreement_between(board, over_sgd, "steps")
    alone = replace(board, by_clock={})
    for one, other in ((board, alone), (alone, board)):
        with pytest.raises(UsageError, match="has no speed-ups by steps"):
            agreement_between(one, other, "steps")


def test_algoperfs_table_is_there():
    from timetrial.harness.planning.catalogue import find_submission
    from timetrial.harness.planning.places import CONFIGS

    published = read_published(CONFIGS / "published" / "algoperf_v05_external.csv")
    assert len(published) == 11 and max(published, key=published.get) == "distributed_shampoo"
    assert all(find_submission(name).search_space for name in published)
