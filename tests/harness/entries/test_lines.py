"""The quick way to read a committed line gives what the slow way gives, and leaves to it what it cannot read."""

import json

import numpy as np
import pytest

from tests.harness.entries.conftest import BOARD
from timetrial.harness.entries.committed import CommittedEntry, CommittedTrial
from timetrial.harness.entries.lines import read_line
from timetrial.harness.records.curve import curve_of
from timetrial.harness.records.files import CorruptRecord


@pytest.fixture
def entry(results):
    return CommittedEntry(results / BOARD / "sgd")


def changed(entry, change):
    content = json.loads(entry.trials_file.read_bytes().splitlines()[0])
    change(content["evaluations"])
    return CommittedTrial(entry, entry.trials_file, 1, json.dumps(content).encode())


def test_both_ways_give_the_same_numbers(entry):
    for trial in entry.trials():
        quick, slow = trial.read_curve()[1], curve_of(trial.read_evaluations())
        assert trial._content.evaluations is not None and quick.metrics == slow.metrics
        assert np.array_equal(quick.values, slow.values) and np.array_equal(quick.clocks, slow.clocks, equal_nan=True)


def test_the_nan_of_a_trial_that_diverged_is_read_the_slow_way(entry):
    trial = changed(entry, lambda evaluations: evaluations[0]["validation"].update(accuracy=float("nan")))
    curve = trial.read_curve()[1]
    assert trial._content.evaluations is None
    assert np.isnan(curve.values[0, curve.metrics.index("accuracy")]) and np.isfinite(curve.values[1:]).all()


@pytest.mark.parametrize("wrong", [{"seconds": -1.0}, {"step": True}, {"step": None}])
def test_what_an_evaluation_cannot_be_is_corrupt_either_way(entry, wrong):
    trial = changed(entry, lambda evaluations: evaluations[0].update(wrong))
    for read in (trial.read_curve, trial.read_ending):
        with pytest.raises(CorruptRecord, match=r"trials\.jsonl:1"):
            read()


@pytest.mark.parametrize("wrong", [{"train": [1]}, {"unknown": 1}, {"stretch": {"seconds": 1}}])
def test_what_no_score_needs_is_checked_the_slow_way_alone(entry, wrong):
    trial = changed(entry, lambda evaluations: evaluations[0].update(wrong))
    assert len(trial.read_curve()[1])
    with pytest.raises(CorruptRecord, match=r"trials\.jsonl:1"):
        trial.read_ending()


def test_a_line_that_is_no_trial_is_refused():
    for line in (b"", b"{", b"[]", b'{"spec":{}}'):
        with pytest.raises((ValueError, TypeError, KeyError)):
            read_line(line)
