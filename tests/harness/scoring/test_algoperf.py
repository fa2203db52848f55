"""AlgoPerf's published scores from AlgoPerf's own logs, its held-out rule by hand, and bad logs."""

import itertools
from pathlib import Path

import pandas as pd
import pytest

from tests.harness.scoring.tables import INF, table
from tests.requirements import folder_of
from timetrial.harness import UsageError
from timetrial.harness.scoring import ALGOPERF_V05, ALGOPERF_V06, DEFAULT, Rules, read_algoperf_logs, score_table

EVALS = """\
leaderboard,submission,tuning,workload,study,trial,eval_index,accumulated_submission_time,global_step,val_metric
v0.5,a,self,digits,0,1,0,10.0,100,0.8
v0.5,a,self,digits,0,1,1,20.0,200,
v0.5,a,self,digits,0,1,2,30.0,300,0.9
v0.5,a,self,digits,0,1,3,40.0,400,0.7
"""
TARGETS = """\
leaderboard,workload,role,base_workload,direction,val_target,max_runtime_s_external
v0.5,digits,base,digits,max,0.9,50
v0.5,words,base,words,min,1.5,50
"""


def algoperf_root() -> Path:
    return folder_of("algoperf", "TIMETRIAL_ALGOPERF_ROOT", "evals.csv.gz, targets.csv and published.csv")


@pytest.mark.parametrize(
    "leaderboard, tuning, rules", [("v0.5", "self", ALGOPERF_V05), ("v0.6", "external", ALGOPERF_V06)]
)
def test_published_scores_are_reproduced_to_4_decimals(leaderboard: str, tuning: str, rules: Rules) -> None:
    root = algoperf_root()
    published = pd.read_csv(root / "published.csv")
    published = published[(published["leaderboard"] == leaderboard) & (published["tuning"] == tuning)]
    trials = read_algoperf_logs(root / "evals.csv.gz", root / "targets.csv", leaderboard, tuning)
    scores = score_table(trials, rules).standings
    found = {standing.submission: (standing.rank, round(standing.score.value, 4)) for standing in scores}
    assert found == {row.submission: (row.rank, row.score) for row in published.itertuples()}


def heldout_table() -> pd.DataFrame:
    """Two base workloads, x with a held-out variant, and three submissions with one study each.

    By hand: c misses base x, so its x_variant is emptied (a); then b is the fastest on x_variant (10) and a's 41 is
    more than 4 times that (b), which empties a's x (c). x is left with b alone: r = 1. y: a 1, b 1.5, c 4.
    """
    trials = table(
        {
            "a": {"x": [5], "x_variant": [41], "y": [10]},
            "b": {"x": [6], "x_variant": [10], "y": [15]},
            "c": {"x": [INF], "x_variant": [2], "y": [40]},
        },
    )
    variant = trials["workload"] == "x_variant"
    return trials.assign(role=variant.map({True: "heldout", False: "base"}), base_workload=variant.map({True: "x"}))


def test_heldout_workloads_empty_bases_in_algoperfs_order() -> None:
    scores = {s.submission: s.score.value for s in score_table(heldout_table(), ALGOPERF_V05).standings}
    # r = 1.5: k = ceil(33 * 0.5) = 17, credit 82.5 / 99; r = 4: k = 99, credit 0.5 / 99.
    assert scores == pytest.approx({"a": 1 / 2, "b": (1 + 82.5 / 99) / 2, "c": (0.5 / 99) / 2}, abs=1e-12)


def test_rules_without_heldout_workloads_leave_them_out() -> None:
    scores = {s.submission: s.score.value for s in score_table(heldout_table(), ALGOPERF_V06).standings}
    # x: a 1, b 1.2 (k = 7), c missed.
    assert scores["b"] == pytest.approx((92.5 / 99 + 82.5 / 99) / 2)
    assert scores["a"] == 1.0


def test_algoperf_counts_the_trial_of_the_first_evaluation_and_we_the_best_of_a_study() -> None:
    rows = [
        {"submission": "a", "trial": 0, "time_to_target": 30.0, "eval_index_at_target": 4},
        {"submission": "a", "trial": 1, "time_to_target": 20.0, "eval_index_at_target": 5},
        {"submission": "a", "trial": 2, "time_to_target": 25.0, "eval_index_at_target": 4},
        {"submission": "a", "trial": 3, "time_to_target": INF, "eval_index_at_target": -1},
    ]
    trials = pd.DataFrame(rows).assign(workload="x", study=0)

    def time(rules: Rules) -> float:
        return score_table(trials, rules).of("a").workloads["x"].value.value

    assert (time(ALGOPERF_V06), time(DEFAULT)) == (25.0, pytest.approx(20.0))


def test_trials_without_evaluations_are_skipped_by_algoperf_and_missed_by_us() -> None:
    trials = table({"a": {"x": [10, 20, INF, INF]}}).assign(n_evals=[1, 1, 0, 0])
    assert score_table(trials, ALGOPERF_V06).of("a").workloads["x"].value.value == 15.0
    assert score_table(trials, DEFAULT).of("a").workloads["x"].reach == 0.5


def write(folder: Path, evals: str = EVALS, targets: str = TARGETS) -> tuple[Path, Path]:
    (folder / "evals.csv").write_text(evals)
    (folder / "targets.csv").write_text(targets)
    return folder / "evals.csv", folder / "targets.csv"


def test_target_is_reached_at_the_first_evaluation_at_it_and_nan_is_not(tmp_path: Path) -> None:
    trials = read_algoperf_logs(*write(tmp_path), "v0.5", "self")
    digits = trials[trials["workload"] == "digits"].iloc[0]
    assert (digits.time_to_target, digits.steps_to_target, digits.eval_index_at_target) == (30.0, 300, 2)
    assert (digits.n_evals, digits.last_seconds, digits.budget_seconds) == (4, 40.0, 150.0)


def test_workload_without_logs_stays_in_the_denominator(tmp_path: Path) -> None:
    trials = read_algoperf_logs(*write(tmp_path), "v0.5", "self")
    board = score_table(trials, ALGOPERF_V05)
    assert board.of("a").score.value == 0.5
    assert not board.incomplete


@pytest.mark.parametrize(
    "change, complaint",
    [
        ({"evals": EVALS.replace(",study,", ",stage,")}, "evals.csv: column 'study' is missing"),
        ({"evals": EVALS.replace("30.0", "-30.0")}, "evals.csv line 4: accumulated_submission_time is -30.0"),
        ({"evals": EVALS.replace("30.0", "soon")}, "evals.csv line 4: accumulated_submission_time is 'soon'"),
        ({"evals": EVALS + EVALS.splitlines()[-1]}, "evals.csv line 6: two rows for one evaluation"),
        ({"evals": EVALS.replace("digits", "sums")}, "evals.csv line 2: workload 'sums' is unknown"),
        ({"evals": ""}, "evals.csv: cannot be read"),
        ({"targets": TARGETS.replace("val_target", "goal")}, "targets.csv: column 'val_target' is missing"),
        ({"targets": TARGETS.replace("0.9", "")}, "targets.csv line 2: val_target is empty"),
        ({"targets": TARGETS.replace("0.9,50", "0.9,long")}, "targets.csv line 2: max_runtime_s_external is 'long'"),
        ({"targets": TARGETS.replace("max,0.9", "up,0.9")}, "targets.csv line 2: direction is 'up'"),
        ({"targets": TARGETS.replace("words,base,words", "digits,base,digits")}, "workload 'digits' is listed twice"),
    ],
)
def test_bad_logs_are_named_with_file_and_line(tmp_path: Path, change: dict[str, str], complaint: str) -> None:
    with pytest.raises(UsageError) as error:
        read_algoperf_logs(*write(tmp_path, **change), "v0.5", "self")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_halves_of_a_recorded_submissions_studies_are_not_distinguishable_in_90_percent_of_splits() -> None:
    root = algoperf_root()
    trials = read_algoperf_logs(root / "evals.csv.gz", root / "targets.csv", "v0.5", "self")
    trials = trials[trials["n_evals"] > 0]
    told_apart = []
    for submission, studies in itertools.product(trials["submission"].unique(), itertools.combinations(range(5), 3)):
        own = trials[trials["submission"] == submission]
        halves = own.assign(submission=own["study"].isin(studies).map({True: "a", False: "again"}))
        halves["study"] = halves.groupby(["submission", "workload"]).cumcount()
        speedup = score_table(halves, reference="a").of("again").speedup
        told_apart.append(not speedup.low <= 1 <= speedup.high)
    assert len(told_apart) == 60
    assert sum(told_apart) <= 6
