"""What of a trial and its re-run counts as equal, and what is said of what is not."""

import math
from dataclasses import replace

import pytest
from msgspec.structs import replace as replace_field

from tests.harness.entries.conftest import BOARD
from timetrial.harness import UsageError
from timetrial.harness.entries.committed import CommittedEntry
from timetrial.harness.entries.comparing import compare, first_difference, read_ending
from timetrial.harness.entries.spread import Repeats
from timetrial.harness.records.verification import Verification, read_verification, write_verification


@pytest.fixture(scope="module")
def reached(pristine):
    """A trial that reached its target after some evaluations."""
    trials = map(read_ending, CommittedEntry(pristine / BOARD / "sgd").trials())
    return next(ending for ending in trials if ending[0].status == "target_reached" and len(ending[1]) > 4)


@pytest.fixture(scope="module")
def no_repeats(pristine):
    return Repeats([], CommittedEntry(pristine / BOARD / "sgd").trials()[0].read_spec())


def cut(ending, points, status="budget_exhausted"):
    """End a trial after so many evaluations."""
    result, evaluations = ending
    last = evaluations[points - 1]
    return replace(result, status=status, step=last.step, steps_to_target=None), evaluations[:points]


def slowed(ending, factor, flags=()):
    """Make a trial slower, whatever clock it has."""
    times = ("seconds", "paced_seconds", "steady_seconds")
    slower = [
        replace(one, **{name: factor * getattr(one, name) for name in times if getattr(one, name) is not None})
        for one in ending[1]
    ]
    return replace(ending[0], flags=tuple(flags)), slower


def with_metric(ending, point, value):
    points = list(ending[1])
    name = next(iter(points[point].validation))
    points[point] = replace(points[point], validation={**points[point].validation, name: value})
    return ending[0], points


def test_a_budget_may_end_one_of_two_equal_trials_earlier(reached):
    assert first_difference(reached, reached) is None
    assert first_difference(reached, cut(reached, 3)) is None and first_difference(cut(reached, 3), reached) is None


def test_a_trial_that_ends_otherwise_is_another(reached):
    diverged = cut(reached, 3, "diverged")
    assert "diverged at step" in first_difference(reached, diverged)
    assert "when run again" in first_difference((reached[0], reached[1][:3]), reached)


def test_nan_is_nan_and_the_last_bit_counts(reached):
    nan = with_metric(reached, 1, math.nan)
    assert first_difference(nan, with_metric(reached, 1, math.nan)) is None
    value = next(iter(reached[1][1].validation.values()))
    step = reached[1][1].step
    assert f"at step {step:g} validation" in first_difference(
        reached, with_metric(reached, 1, math.nextafter(value, math.inf))
    )
    assert first_difference(reached, nan)


def test_where_nothing_is_repeated_nobody_says_how_far_trials_may_be_apart(reached, no_repeats):
    other = with_metric(reached, 1, 0.123)
    assert "0.123" in compare("t", reached, other, True, 0.0, no_repeats).problem
    with pytest.raises(UsageError, match="verify it where it ran"):
        compare("t", reached, other, False, 0.0, no_repeats)
    assert compare("t", reached, reached, False, 0.0, no_repeats).bit_for_bit


@pytest.mark.parametrize(
    ("factor", "shift", "flags", "differs"),
    [
        (1.2, 1, (), False),
        (1.3, 1, (), True),
        (0.7, 1, (), True),
        (1.9, 1, ("unsteady_clock",), False),
        (2.1, 1, ("unsteady_clock",), True),
        (3.0, 3, (), False),
        (1.0, 3, (), True),
        (9.0, None, (), False),
    ],
)
def test_times_are_compared_beyond_what_clocks_and_machines_differ_by(
    reached, no_repeats, factor, shift, flags, differs
):
    log_shift = None if shift is None else math.log(shift)
    rerun = compare("t", reached, slowed(reached, factor, flags), True, log_shift, no_repeats)
    assert bool(rerun.problem) == differs and rerun.bit_for_bit
    assert rerun.seconds_per_step[1] == pytest.approx(factor * rerun.seconds_per_step[0])
    if differs:
        assert f"takes {factor / shift:.2f} times" in rerun.problem


def test_a_busy_machine_moves_the_stopwatch_alone_and_a_verification_says_by_how_much(reached, no_repeats):
    paced = [replace(one, paced_seconds=one.seconds) for one in reached[1]]
    busy = [replace(one, seconds=1.8 * one.seconds) for one in paced]
    rerun = compare("t", (reached[0], paced), (reached[0], busy), True, 0.0, no_repeats)
    assert rerun.problem is None
    its = Verification("2026-11-28T08:08", "here", {}, 1, "", (rerun,), "verified")
    assert its.in_words().endswith(
        "1 equal bit for bit; a step took 1.00x in paced seconds and 1.80x in measured seconds"
    )
    assert read_verification(write_verification(its)) == its
    older = replace_field(rerun, measured_seconds_per_step=None)
    assert replace_field(its, trials=(older,)).times_in_words() == "1.00x in paced seconds"
