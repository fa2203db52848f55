"""What must hold for every table of times, whatever the numbers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.scoring.tables import INF, table
from timetrial.harness.scoring import ALGOPERF_V06, DEFAULT, Rules, score_table
from timetrial.harness.scoring.algoperf import credits_of, ratios_to_fastest
from timetrial.harness.scoring.profile import BAND_TAUS, credit, profile_of
from timetrial.harness.scoring.rules import MAX_TAU

seconds = st.floats(0.5, 50.0) | st.just(INF)
every_rules = pytest.mark.parametrize("rules", [DEFAULT, ALGOPERF_V06], ids=lambda rules: rules.name)
few = settings(max_examples=30, deadline=None)


@st.composite
def times(draw: st.DrawFn) -> dict[str, dict[str, list[float]]]:
    """Draw 1 to 4 submissions on 1 to 4 workloads with 1 to 5 studies."""
    workloads = [f"workload_{w}" for w in range(draw(st.integers(1, 4)))]
    numbers = {workload: draw(st.integers(1, 5)) for workload in workloads}
    return {
        f"submission_{s}": {w: draw(st.lists(seconds, min_size=n, max_size=n)) for w, n in numbers.items()}
        for s in range(draw(st.integers(1, 4)))
    }


def board(times: dict, rules: Rules = DEFAULT):
    return score_table(table(times, budget_seconds=60.0), rules, reference="submission_0")


@every_rules
@given(times(), st.sampled_from([1 / 1024, 0.25, 2.0, 4096.0]))
@few
def test_multiplying_all_times_of_a_workload_changes_nothing(rules: Rules, times: dict, factor: float) -> None:
    trials = table(times, budget_seconds=60.0)
    scale = np.where(trials["workload"] == "workload_0", factor, 1.0)
    scaled = trials.assign(time_to_target=trials["time_to_target"] * scale, budget_seconds=60.0 * scale)
    before, after = score_table(trials, rules), score_table(scaled, rules)
    for standing in before.standings:
        assert after.of(standing.submission).score.value == pytest.approx(standing.score.value, abs=1e-9)


@given(times())
@few
def test_an_added_submission_changes_nobodys_speedup(times: dict) -> None:
    added = {workload: [1.0] * len(missed) for workload, missed in times["submission_0"].items()}
    after = board({**times, "added": added})
    for standing in board(times).standings:
        assert after.of(standing.submission).speedup == standing.speedup


@every_rules
@given(times())
@few
def test_never_reaching_anything_scores_zero_and_changes_nobody(rules: Rules, times: dict) -> None:
    never = {workload: [INF] * len(missed) for workload, missed in times["submission_0"].items()}
    after = board({**times, "never": never}, rules)
    assert after.of("never").score.value == 0.0
    for standing in board(times, rules).standings:
        assert after.of(standing.submission).score == standing.score


@given(times(), st.floats(0.01, 1.0), st.data())
@few
def test_a_faster_trial_never_lowers_the_speedup(times: dict, factor: float, data) -> None:
    if len(times) == 1:
        times = {**times, "submission_1": times["submission_0"]}
    submission = data.draw(st.sampled_from(sorted(set(times) - {"submission_0"})))
    workload = data.draw(st.sampled_from(sorted(times[submission])))
    one, *others = times[submission][workload]
    better = {**times, submission: {**times[submission], workload: [factor * min(one, 50.0), *others]}}
    assert board(better).of(submission).speedup.value >= board(times).of(submission).speedup.value * (1 - 1e-12)


@every_rules
@given(times(), st.floats(0.01, 1.0), st.data())
@few
def test_being_faster_on_one_workload_never_lowers_the_score(rules: Rules, times: dict, factor: float, data) -> None:
    submission = data.draw(st.sampled_from(sorted(times)))
    workload = data.draw(st.sampled_from(sorted(times[submission])))
    faster = {**times[submission], workload: [factor * time for time in times[submission][workload]]}
    before, after = (board(t, rules).of(submission).score.value for t in (times, {**times, submission: faster}))
    assert after >= before - 1e-9


@every_rules
@given(times(), st.randoms())
@few
def test_order_of_rows_never_matters(rules: Rules, times: dict, random) -> None:
    trials = table(times, budget_seconds=60.0)
    rows = list(range(len(trials)))
    random.shuffle(rows)
    assert score_table(trials.iloc[rows], rules).to_json() == score_table(trials, rules).to_json()


@given(st.lists(st.floats(1.0, 6.0) | st.just(INF), min_size=1, max_size=8))
def test_credits_are_the_integral_of_the_profile(ratios: list[float]) -> None:
    array, share = np.array(ratios), np.full(len(ratios), 1 / len(ratios))
    profile = profile_of(array, share)
    edges = np.append(profile.taus, MAX_TAU)
    middles = (edges[1:] + edges[:-1]) / 2  # the profile is constant between its jumps
    integral = float((profile.at(middles) * np.diff(edges)).sum())
    assert credit(array).mean() == pytest.approx(integral / 3, abs=1e-9)
    grid = np.linspace(1, 4, 100)
    assert credits_of(array).mean() == pytest.approx(np.trapezoid(profile.at(grid), grid) / 3, abs=1e-9)


@given(times())
@few
def test_score_is_the_area_under_the_profile_which_lies_in_its_band(times: dict) -> None:
    for standing in board(times).standings:
        profile = standing.profile
        edges = np.append(profile.taus, MAX_TAU)
        assert standing.score.value == pytest.approx(float((profile.rhos * np.diff(edges)).sum()) / 3, abs=1e-6)
        assert profile.taus[0] == 1.0 and (np.diff(profile.taus) > 0).all() and (np.diff(profile.rhos) > -1e-12).all()
        if profile.low is not None:
            drawn = profile.at(BAND_TAUS)
            assert (profile.low <= drawn + 1e-6).all() and (drawn <= profile.high + 1e-6).all()


@given(times())
@few
def test_intervals_contain_their_estimate_and_stay_in_range(times: dict) -> None:
    for standing in board(times).standings:
        score, speedup = standing.score, standing.speedup
        assert score.low is None or -1e-12 <= score.low <= score.value <= score.high <= 1 + 1e-12
        assert speedup.low is None or 0 < speedup.low <= speedup.value <= speedup.high


def test_ratios_are_one_for_the_fastest_and_infinite_where_nobody_reaches() -> None:
    ratios = ratios_to_fastest(np.array([[2.0, INF, 0.0], [3.0, INF, 1.0]]))
    assert ratios.tolist() == [[1.0, INF, 1.0], [1.5, INF, INF]]


def test_a_table_of_any_index_is_scored() -> None:
    trials = table({"a": {"x": [1, 2]}})
    assert score_table(pd.concat([trials]).set_index(pd.Index([7, 7]))).of("a").rank == 1
