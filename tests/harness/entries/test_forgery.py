"""Entries that somebody has written by hand, hashes and all: names, plans and hyperparameters give them away."""

import json
import shutil
from pathlib import Path

import pytest

from tests.harness.entries.conftest import BOARD, check_fails_naming
from timetrial.harness.entries.committed import CommittedEntry
from timetrial.harness.entries.submitting import same_point


def forge(entry: CommittedEntry, change) -> None:
    """Rewrite the records of an entry by `change`, those beside it as well, and its hashes with them."""
    for file in filter(Path.exists, (entry.trials_file, entry.reference_file)):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        for line in lines:
            change(line)
        file.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    said = json.loads(entry.entry_file.read_text())
    said["trials"] = {trial.key: trial.hash for trial in entry.trials()}
    said["reference"] = {trial.key: trial.hash for trial in entry.beside()}
    entry.entry_file.write_text(json.dumps(said))


@pytest.fixture
def entry(results):
    return CommittedEntry(results / BOARD / "adamw")


def test_another_learning_rate_for_each_workload_is_found(entry, capsys):
    forge(
        entry, lambda line: line["spec"]["hyperparameters"].update(learning_rate=len(line["spec"]["workload"]["name"]))
    )
    check_fails_naming(capsys, "adamw/trials.jsonl", "they are one point")


def test_hyperparameters_that_were_chosen_and_not_drawn_are_found(entry, capsys):
    forge(entry, lambda line: line["spec"]["hyperparameters"].update(learning_rate=0.00123))
    check_fails_naming(capsys, "adamw/trials.jsonl", "hyperparameters is")


@pytest.mark.parametrize(("field", "value"), [("budget_seconds", 1e6), ("step_hint", 7), ("data", "real")])
def test_a_plan_of_its_own_is_found(field, value, entry, capsys):
    forge(entry, lambda line: line["spec"].update({field: value}))
    check_fails_naming(capsys, "adamw", field)


@pytest.mark.parametrize("name", ["_ghost", "<img src=x onerror=alert(1)>", "Adam W"])
def test_an_entry_under_a_name_that_is_none_is_found(name, entry, capsys):
    shutil.copytree(entry.path, entry.path.parent / name)
    check_fails_naming(capsys, "is no name")


def test_the_last_digits_of_a_drawn_number_may_differ():
    assert same_point({"rate": 0.1, "flag": True}, {"rate": 0.1 * (1 + 1e-14), "flag": True})
    assert not same_point({"rate": 0.1, "flag": True}, {"rate": 0.1001, "flag": True})
    assert not same_point({"rate": 0.1}, {"rate": 0.1, "more": 1})
