"""What must hold for every table of times, whatever the numbers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.scoring.tables import INF, table
from timetrial.harness.scoring import ALGOPERF_V06, DEFAULT, Rules, score_table
from timetrial.harness.scoring.profile import BAND_TAUS, profile_of, ratios_to_fastest, scores_of
from timetrial.harness.scoring.rules import MAX_TAU

seconds = st.floats(0.5, 50.0) | st.just(INF)
studies = st.lists(seconds, min_size=1, max_size=5)
every_rules = pytest.mark.parametrize("rules", [DEFAULT, ALGOPERF_V06], ids=lambda rules: rules.name)


@st.composite
def times(draw: st.DrawFn) -> dict[str, dict[str, list[float]]]:
    """Draw 1 to 4 submissions on 1 to 4 workloads with 1 to 5 studies."""
    workloads = [f"workload_{w}" for w in range(draw(st.integers(1, 4)))]
    numbers = {workload: draw(st.integers(1, 5)) for workload in workloads}
    return {
        f"submission_{s}": {w: draw(st.lists(seconds, min_size=n, max_size=n)) for w, n in numbers.items()}
        for s in range(draw(st.integers(1, 4)))
    }


def scores(trials: pd.DataFrame, rules: Rules, resamples: int = 0) -> dict[str, tuple[float | None, ...]]:
    board = score_table(trials, rules, resamples=resamples)
    return {s.submission: (s.score.value, s.score.low, s.score.high) for s in board.by_time.standings}


def values(trials: pd.DataFrame, rules: Rules) -> dict[str, float | None]:
    return {name: score[0] for name, score in scores(trials, rules).items()}


@every_rules
@given(times(), st.sampled_from([1 / 1024, 0.25, 2.0, 4096.0]))
@settings(max_examples=50, deadline=None)
def test_multiplying_all_times_of_a_workload_changes_nothing(rules: Rules, times: dict, factor: float) -> None:
    trials = table(times)
    scaled = trials.assign(
        time_to_target=trials["time_to_target"] * np.where(trials["workload"] == "workload_0", factor, 1.0)
    )
    assert scores(scaled, rules, resamples=20) == scores(trials, rules, resamples=20)


@every_rules
@given(times())
@settings(max_examples=50, deadline=None)
def test_never_reaching_anything_scores_zero_and_changes_nobody(rules: Rules, times: dict) -> None:
    never = {workload: [INF] * len(missed) for workload, missed in times["submission_0"].items()}
    without, with_it = scores(table(times), rules, 20), scores(table({**times, "never": never}), rules, 20)
    assert with_it.pop("never")[0] == 0.0
    assert with_it == without


@every_rules
@given(times(), st.floats(0.01, 1.0), st.data())
@settings(max_examples=50, deadline=None)
def test_being_faster_on_one_workload_never_lowers_the_score(rules: Rules, times: dict, factor: float, data) -> None:
    submission = data.draw(st.sampled_from(sorted(times)))
    workload = data.draw(st.sampled_from(sorted(times[submission])))
    faster = [factor * min(seconds, 50.0) for seconds in times[submission][workload]]
    better = {**times, submission: {**times[submission], workload: faster}}
    assert values(table(better), rules)[submission] >= values(table(times), rules)[submission]


@every_rules
@given(times(), st.randoms())
@settings(max_examples=50, deadline=None)
def test_order_of_rows_never_matters(rules: Rules, times: dict, random) -> None:
    trials = table(times, budget_seconds=60.0).assign(steps_to_target=lambda t: t["time_to_target"] / 3)
    rows = list(range(len(trials)))
    random.shuffle(rows)
    shuffled, kept = trials.iloc[rows], trials
    options = {"resamples": 20, "reference": "submission_0"}
    assert score_table(shuffled, rules, **options).to_json() == score_table(kept, rules, **options).to_json()


@given(st.lists(st.floats(1.0, 6.0) | st.just(INF), min_size=1, max_size=8))
def test_closed_form_equals_the_integral_of_the_profile(ratios: list[float]) -> None:
    profile = profile_of(np.array(ratios))
    edges = np.append(profile.taus, MAX_TAU)
    middles = (edges[1:] + edges[:-1]) / 2  # the profile is constant between its jumps
    integral = float((profile.at(middles) * np.diff(edges)).sum())
    assert scores_of(np.array([ratios]), DEFAULT)[0] == pytest.approx(integral / 3, abs=1e-9)


@given(st.lists(st.floats(1.0, 6.0) | st.just(INF), min_size=1, max_size=8))
def test_grid_credit_equals_the_trapezoid_on_100_points(ratios: list[float]) -> None:
    grid = np.linspace(1, 4, 100)
    trapezoid = np.trapezoid(profile_of(np.array(ratios)).at(grid), grid) / 3
    assert scores_of(np.array([ratios]), ALGOPERF_V06)[0] == pytest.approx(trapezoid, abs=1e-9)


@given(times())
@settings(max_examples=50, deadline=None)
def test_profile_is_a_nondecreasing_step_function_from_tau_1(times: dict) -> None:
    for standing in score_table(table(times), resamples=20).by_time.standings:
        profile = standing.profile
        assert profile.taus[0] == 1.0 and profile.taus[-1] <= MAX_TAU
        assert (np.diff(profile.taus) > 0).all() and (np.diff(profile.rhos) > 0).all()
        assert ((profile.rhos >= 0) & (profile.rhos <= 1)).all()
        if profile.low is not None:
            assert (profile.low <= profile.at(BAND_TAUS)).all() and (profile.at(BAND_TAUS) <= profile.high).all()


@given(times())
@settings(max_examples=50, deadline=None)
def test_intervals_contain_their_estimate_and_stay_in_range(times: dict) -> None:
    for standing in score_table(table(times), resamples=20).by_time.standings:
        score, fragility = standing.score, standing.fragility
        assert score.low is None or 0 <= score.low <= score.value <= score.high <= 1
        assert fragility.low <= score.value <= fragility.high


def test_ratios_are_one_for_the_fastest_and_infinite_where_nobody_reaches() -> None:
    ratios = ratios_to_fastest(np.array([[2.0, INF, 0.0], [3.0, INF, 1.0]]))
    assert ratios.tolist() == [[1.0, INF, 1.0], [1.5, INF, INF]]
