"""Cheats on the time for which the clock does not run: before the start, between evaluations, at checkpoints."""

import pytest

from tests.cheats.test_clock import SLOW_STEP
from tests.harness.trial.tiny import HONEST, SPEC, run, spec_with
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.trial import referee, watch
from timetrial.harness.trial.allowances import CHECKPOINT_CEILING, Start, checkpoint_excess, least_seconds
from timetrial.harness.trial.failures import TrialFailure
from timetrial.harness.trial.referee import Interrupted

TRAINS_WITH_THE_DATA = """
import time, timetrial.harness.trial.batches as batches
opened = batches.BatchStream.open

def train_first(self, data):
    time.sleep(0.4 * (len(built) > 1))
    opened(self, data)

batches.BatchStream.open = train_first
"""
TRAINS_WHEN_BUILT = HONEST.replace("    return", "    built.append(1); time.sleep(0.4 * (len(built) > 1))\n    return")
BEFORE = {"the data come": HONEST.replace("    return", "    built.append(1)\n    return") + TRAINS_WITH_THE_DATA}
BEFORE["it is built again"] = "import time\n" + TRAINS_WHEN_BUILT


@pytest.mark.parametrize("when", BEFORE)
def test_what_a_submission_does_once_data_are_in_reach_is_on_the_clock(when, ran, honest) -> None:
    result, metrics = ran("built = []\n" + BEFORE[when])
    assert result.status == "budget_exhausted", result.reason
    assert result.seconds >= 0.4
    assert metrics == honest


def test_processor_time_of_the_start_beyond_its_allowance_is_on_the_clock(ran, honest) -> None:
    busy = "import time\nwhile time.process_time() < began + 3: pass\n"
    result, metrics = ran(f"import time\nbegan = time.process_time()\n{busy}{HONEST}")
    assert result.seconds >= 1.0
    assert metrics == honest


def test_an_honest_start_is_within_its_allowance(arena, tmp_path, monkeypatch) -> None:
    spent = []
    monkeypatch.setattr(referee, "Start", lambda spec, seconds: spent.append(seconds) or Start(spec, seconds))
    run(HONEST, arena, tmp_path / "trial")
    assert Start(SPEC, spent[0]).excess(0.001) == 0


def test_the_allowance_of_a_start_grows_with_the_steps_of_the_warm_up_and_is_charged_once() -> None:
    start = Start(spec_with(warmup_steps=2, threads=1), spent=10.0)
    assert start.excess(1.0) == pytest.approx(10.0 - 0.5 - 3 * 2 * 1.0)
    assert start.excess(1.0) == 0


LOADS = """
from timetrial.harness.workload import DataSource
import timetrial.workloads.modular_division as module
import torch

def build_optimizer(model, hyperparameters, task):
    workload = task.next_batch.__self__.workload
    for load in (workload.load, workload.load_all, module.ModularDivision.load_all):
        try:
            print("REACHED", load("train", DataSource("synthetic")), flush=True)
        except RuntimeError as error:
            print("refused", error, flush=True)
    return torch.optim.AdamW(model.parameters(), lr=hyperparameters.learning_rate)
"""


def test_the_workload_of_a_trainee_has_no_way_to_its_data(ran, honest, tmp_path) -> None:
    _, metrics = ran(LOADS)
    said = (tmp_path / "trial" / "trainee.log").read_text()
    assert "refused" in said and "REACHED" not in said
    assert metrics == honest


TRAINS_AT_THE_END = """
import torch

class Submission:
    def __init__(self, model, hyperparameters, task):
        self.model, self.task = model, task
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=hyperparameters.learning_rate)

    def training_step(self, batch):
        self.optimizer.zero_grad()
        self.task.loss(self.model, batch).backward()
        self.optimizer.step()

    def prepare_for_evaluation(self):
        import contextlib
        for _ in range(10):
            self.training_step(self.task.next_batch())
        return contextlib.nullcontext()

    def state_dict(self):
        return {}
"""


def test_batches_of_the_hand_over_count_for_the_evaluation_that_they_serve(ran) -> None:
    _, metrics = ran(TRAINS_AT_THE_END)
    assert metrics[0][0] == 20


DIES = (
    HONEST.replace("    return", "    task_of.append(task)\n    return")
    + """
import os, timetrial.harness.trial.trainee as trainee
task_of, handed = [], []
over = trainee.Run.hand_over

def die_after_two(self, weights):
    handed.append(1)
    if len(handed) == 4:  # one is of the warm-up
        os.kill(os.getpid(), 9)
    over(self, weights)

trainee.Run.hand_over = die_after_two
"""
)


def test_a_trainee_that_dies_by_itself_has_crashed_and_keeps_its_seconds(ran) -> None:
    result, metrics = ran(DIES)
    assert (result.status, len(metrics)) == ("crashed", 2)
    assert result.seconds > 0


def test_taking_back_a_state_is_on_the_clock(arena, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(referee, "CHECKPOINT_SECONDS", 0.0)
    source = SLOW_STEP.replace("sleep(0.01)", "pass").rstrip().removesuffix("pass") + "sleep(0.7)\n"
    stops = iter([True, True])
    with pytest.raises(Interrupted):
        run(source, arena, tmp_path / "trial", stop=lambda: next(stops))
    before = TrialFolder(tmp_path / "trial").read_evaluations()[-1].seconds
    result = run(source, arena, tmp_path / "trial")
    assert result.status == "budget_exhausted", result.reason
    assert result.seconds >= before + 0.7


def test_a_large_state_buys_no_time() -> None:
    assert checkpoint_excess(took=6.5, writing=4.0) == 6.5 - CHECKPOINT_CEILING
    assert checkpoint_excess(took=0.03, writing=0.02) == 0  # an honest one
    assert checkpoint_excess(took=0.2, writing=0.001) > 0.1


def test_evaluations_have_a_least_distance_so_that_a_budget_holds_so_many() -> None:
    spec = spec_with(budget_seconds=20.0)
    assert least_seconds(spec, batches=10, draw_seconds=0.0) == pytest.approx(0.002)
    assert least_seconds(spec, batches=1000, draw_seconds=0.01) == 10.0


CLAIMS = """
import timetrial.harness.trial.trainee as trainee

def claim_all(self, examples):
    self.batches.examples_drawn = 10**9

trainee.Run.train_to = claim_all
"""


def test_batches_that_were_claimed_and_not_drawn_are_on_the_clock(arena, ran) -> None:
    result, _ = ran(HONEST + CLAIMS, spec_with(max_steps=None))
    assert arena.draw_seconds > 0
    assert result.seconds >= min(20.0, 10**9 / 32 * arena.draw_seconds)
    assert result.status == "budget_exhausted"


@pytest.mark.parametrize(("spent", "seconds", "caught"), [(0.6, 60.0, True), (0.3, 60.0, False), (0.2, 1.0, True)])
def test_a_tenth_of_unlimited_time_is_not_unlimited(spent, seconds, caught, monkeypatch) -> None:
    times, at = iter([0.0, 1.0, 1.0 + spent]), iter([0.0, 1.0, 1.0 + seconds])
    monkeypatch.setattr(watch, "processor_seconds", lambda *_: next(times))
    monkeypatch.setattr(watch.time, "perf_counter", lambda: next(at))
    observed = watch.Watch(root=0, threads=1)
    if caught:
        with pytest.raises(TrialFailure, match="off the clock"), observed.idle():
            pass
    else:
        with observed.idle():
            pass
