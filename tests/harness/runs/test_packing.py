"""Packing: every trial in exactly one job, in order, and no job longer than its time limit."""

from dataclasses import replace

import pytest

from tests.harness.runs.tiny_runs import LOCAL
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.plan import make_plan
from timetrial.harness.runs.packing import JOB_SECONDS, expected_seconds, pack


@pytest.fixture(scope="module")
def specs():
    plan = make_plan(compose(["submission=[sgd,adamw]", *LOCAL, "ruleset.studies=5", "ruleset.trials=5"]), "cpu", 1)
    return [replace(spec, budget_seconds=3.0 + i % 7) for i, spec in enumerate(plan)]


@pytest.mark.parametrize(
    ("minutes", "slots", "max_jobs"), [(2, 1, 1), (5, 1, 8), (60, 1, 8), (60, 4, 3), (600, 1, 100)]
)
def test_every_trial_is_packed_once_in_order_and_within_the_time_limit(specs, minutes, slots, max_jobs):
    packs = pack(specs, minutes * 60, slots, max_jobs)
    assert [spec for trials in packs for spec in trials] == specs
    longest = max(expected_seconds(spec) for spec in specs)
    for trials in packs:
        assert sum(expected_seconds(spec) for spec in trials) / slots <= minutes * 60 - JOB_SECONDS + longest


def test_little_work_is_one_job_and_more_is_spread_over_as_many_as_may_run(specs):
    assert len(pack(specs[:5], 3600, 1, 8)) == 1
    assert len(pack(specs, 3600, 1, 4)) == 4
    assert pack([], 3600, 1, 4) == []


def test_a_time_limit_below_any_trial_still_gives_each_a_job(specs):
    assert [len(trials) for trials in pack(specs, 10, 1, 2)] == [1] * len(specs)
