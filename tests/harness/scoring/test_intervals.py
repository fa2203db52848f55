"""What the bootstrap says: misses stay misses, equals are not told apart, and what differs is."""

import numpy as np
import pytest

from tests.harness.scoring.tables import INF, random_table, table
from timetrial.harness.scoring import score_table
from timetrial.harness.scoring.bootstrap import SPREAD_OF_RESAMPLED_MEDIAN, resample
from timetrial.harness.scoring.times import medians


def test_same_seed_gives_the_same_intervals_and_another_seed_others() -> None:
    trials = random_table(1, {"a": 1.0, "b": 1.5})
    first, again, other = (score_table(trials, seed=seed).to_json()["scores"] for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_a_submission_against_itself_is_not_distinguishable_in_90_to_99_percent_of_200_draws() -> None:
    covered = 0
    for draw in range(200):
        board = score_table(random_table(draw, {"a": 1.0, "again": 1.0}, workloads=4), resamples=500, seed=draw)
        (pair,) = board.by_time.neighbours
        covered += not pair.distinguishable
        assert [standing.rank for standing in board.by_time.standings] == [1, 1 if not pair.distinguishable else 2]
    assert 0.90 <= covered / 200 <= 0.99


def test_twice_as_slow_is_distinguishable_and_ranks_below() -> None:
    board = score_table(random_table(0, {"slow": 2.0, "fast": 1.0}))
    assert [(s.submission, s.rank) for s in board.by_time.standings] == [("fast", 1), ("slow", 2)]
    assert board.by_time.neighbours[0].distinguishable


def test_rank_after_a_tie_skips() -> None:
    trials = table({"a": {"x": [10, 11, 12, 13, 14]}, "b": {"x": [11, 10, 13, 12, 15]}, "c": {"x": [30] * 5}})
    assert [s.rank for s in score_table(trials).by_time.standings] == [1, 1, 3]


def test_a_drawn_miss_is_a_miss_and_breaks_no_interval() -> None:
    trials = table({"a": {"x": [10, 10, 10, INF, INF]}, "b": {"x": [10] * 5}})
    standing = score_table(trials).by_time.of("a")
    assert (standing.score.value, standing.score.low, standing.score.high) == (1.0, 0.0, 1.0)
    assert (standing.workloads["x"].value.low, standing.workloads["x"].value.high) == (10.0, INF)


def test_one_study_gives_no_interval_and_says_so() -> None:
    board = score_table(table({"a": {"x": [10.0]}, "b": {"x": [20.0]}}))
    assert board.by_time.of("a").score.low is None
    assert [s.rank for s in board.by_time.standings] == [1, 2]
    assert any("one study" in note for note in board.notes)


@pytest.mark.parametrize("studies", [2, 3, 4, 5])
def test_resampled_medians_are_medians_of_resampled_studies(studies: int) -> None:
    generator = np.random.default_rng(studies)
    values = generator.random((3, studies))
    values[0, 0] = INF
    drawn = generator.integers(studies, size=(50, studies))
    counts = np.stack([np.bincount(row, minlength=studies) for row in drawn])
    expected = np.median(values[:, drawn], axis=2).T
    assert medians(values, counts).tolist() == expected.tolist()


def test_studies_that_were_not_run_are_left_out_of_a_median() -> None:
    values = np.array([[1.0, np.nan, 3.0, 8.0], [np.nan] * 4, [5.0, 1.0, np.nan, np.nan]])
    assert medians(values, np.ones((1, 4), int)).tolist() == [[3.0, INF, 3.0]]


def test_resampling_is_paired_by_study_and_apart_for_workloads() -> None:
    study_effect = np.array([[10.0], [20.0]]) * np.arange(1.0, 6.0)
    samples = resample([study_effect, study_effect], 200, seed=0)
    assert samples[:, 1] / samples[:, 0] == pytest.approx(2.0)
    assert (samples[:, :, 0] != samples[:, :, 1]).any()


@pytest.mark.parametrize("studies", SPREAD_OF_RESAMPLED_MEDIAN)
def test_spread_of_resampled_medians_is_as_tabulated(studies: int) -> None:
    generator = np.random.default_rng(studies)
    variances = []
    for _ in range(10):
        counts = generator.multinomial(studies, np.full(studies, 1 / studies), size=200)
        variances.append(medians(generator.standard_normal((1000, studies)), counts).var(axis=0, ddof=1).mean())
    fresh = np.median(generator.standard_normal((100_000, studies)), axis=1)
    assert np.sqrt(np.mean(variances) / fresh.var()) == pytest.approx(SPREAD_OF_RESAMPLED_MEDIAN[studies], rel=0.03)
