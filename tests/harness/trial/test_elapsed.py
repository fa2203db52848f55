"""`task.elapsed_seconds()` is the clock that the budget counts, as the referee tells it, and only information."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from tests.harness.trial.tiny import HONEST, SPEC, metrics, run
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.rules.lint import lint_source
from timetrial.harness.trial.arena import Arena
from timetrial.harness.trial.elapsed import ElapsedSeconds
from timetrial.harness.trial.referee import Interrupted

PACED = replace(SPEC, workload=replace(SPEC.workload, pace_seconds=0.05))
"""On a machine that takes 50 ms for a step of the pacer, which takes some milliseconds here."""
READS = """
import contextlib, os, torch

class Submission:
    def __init__(self, model, hyperparameters, task):
        self.model, self.task = model, task
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=hyperparameters.learning_rate)
        self.tell("built")

    def tell(self, when):
        os.write(1, f"{when} {self.task.elapsed_seconds():.9f}\\n".encode())

    def training_step(self, batch):
        self.optimizer.zero_grad()
        self.task.loss(self.model, batch).backward()
        self.optimizer.step()
        self.tell("step")

    @contextlib.contextmanager
    def prepare_for_evaluation(self):
        self.tell("evaluation")
        yield

    def state_dict(self):
        self.tell("checkpoint")
        self.tell("checkpoint")
        return {"optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state):
        self.optimizer.load_state_dict(state["optimizer"])
        self.tell("resumed")
"""


@pytest.fixture(scope="module")
def paced():
    torch.set_num_threads(1)
    arena = Arena(PACED, None)
    yield arena
    arena.close()


def told(path) -> list[tuple[str, float]]:
    """What the submission has read, without the warm-up before it."""
    lines = re.findall(r"^(\w+) ([\d.]+)$", (path / "trainee.log").read_text(), re.MULTILINE)
    last = max(i for i, (when, _) in enumerate(lines) if when == "built")
    return [(when, float(value)) for when, value in lines[last:]]


def test_it_is_the_paced_clock_of_the_referee_and_never_goes_back(paced, tmp_path):
    result = run(READS, paced, tmp_path, PACED)
    assert result.status == "budget_exhausted", (result.reason, result.traceback)
    read, evaluations = told(tmp_path), TrialFolder(tmp_path).read_evaluations()
    assert all(one <= other for (_, one), (_, other) in pairwise(read))
    first_steps = [read[i + 1][1] for i, (when, _) in enumerate(read[:-1]) if when == "evaluation"][:2]
    for evaluation, seen in zip(evaluations, first_steps, strict=False):
        assert seen >= evaluation.paced_seconds
    assert read[-1][1] > 3 * result.seconds, "paced seconds of a machine that is much slower than this one"


def test_it_goes_on_over_an_interruption_from_the_referees_clock(paced, tmp_path):
    polls = iter([False, True, True])
    with pytest.raises(Interrupted):
        run(READS, paced, tmp_path, PACED, stop=lambda: next(polls))
    then = TrialFolder(tmp_path).read_evaluations()[-1].paced_seconds
    one, other = [value for when, value in told(tmp_path) if when == "checkpoint"]
    assert one == other > 0, "it stands meanwhile"
    run(READS, paced, tmp_path, PACED)
    (resumed,) = [value for when, value in told(tmp_path) if when == "resumed"]
    assert resumed >= then > 0


def test_who_does_not_read_it_trains_as_ever_and_who_breaks_it_gains_nothing(paced, tmp_path):
    run(HONEST, paced, tmp_path / "honest", PACED)
    spoil = "    task.elapsed_seconds.told = task.elapsed_seconds.latest = -1e9\n"
    cheat = HONEST.replace("    return", f"{spoil}    return")
    assert cheat != HONEST
    result = run(cheat, paced, tmp_path / "cheat", PACED)
    assert metrics(tmp_path / "cheat") == metrics(tmp_path / "honest")
    assert result.paced_seconds > 0 and result.status == "budget_exhausted"


def test_own_seconds_are_multiplied_by_the_pace_and_stand_when_stopped(monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    elapsed = ElapsedSeconds()
    elapsed.start(4.0, pace=0.5)
    now += 2
    assert elapsed() == 5.0
    elapsed.stop()
    now += 7
    assert elapsed() == 5.0
    elapsed.start(4.9, pace=0.5)
    assert elapsed() == 5.0, "it does not go back"
    now += 1
    assert elapsed() == 5.4


def test_the_lint_allows_a_share_of_the_budget_and_advises_it_in_place_of_time():
    share = "def late(task):\n    return task.elapsed_seconds() / task.budget_seconds > 0.8\n"
    assert lint_source(share) == []
    assert lint_source(share.replace("elapsed_seconds()", "step_hint")) != []
    (found,) = lint_source("import time\n")
    assert "task.elapsed_seconds()" in found.message
