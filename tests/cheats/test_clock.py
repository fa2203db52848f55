"""Cheats on the stopwatch: it is the referee's, and counts real seconds while the trainee may compute."""

import time

import pytest

from tests.harness.trial.tiny import HONEST, spec_with
from timetrial.harness.trial import trainee_process, watch
from timetrial.harness.trial.arena import Arena
from timetrial.harness.trial.failures import TrialFailure
from timetrial.harness.trial.process_tree import descendants

SLOW_STEP = """
import time, torch
sleep = time.sleep

class Submission:
    def __init__(self, model, hyperparameters, task):
        self.model, self.task = model, task
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=hyperparameters.learning_rate)

    def training_step(self, batch):
        sleep(0.01)
        self.optimizer.zero_grad()
        self.task.loss(self.model, batch).backward()
        self.optimizer.step()

    def prepare_for_evaluation(self):
        import contextlib
        return contextlib.nullcontext()

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass
"""
"""The honest twin with 10 ms of real work in each of its 30 steps."""

PATCHES = {
    "time.perf_counter": "time.perf_counter = time.monotonic = time.time = lambda: 0.0",
    "torch.cuda.synchronize": "torch.cuda.synchronize = torch.cpu.synchronize = lambda *_: None",
    "the harness's clock": """
import timetrial.harness.trial.clock, timetrial.harness.trial.trainee
timetrial.harness.trial.clock.Clock.advance = lambda *_: None
timetrial.harness.trial.trainee._synchronize = lambda *_: None""",
    "the referee's functions": """
import timetrial.harness.trial.referee as referee
referee.run_trial = referee._evaluate = referee._train_to_evaluation_point = lambda *_: None""",
}


@pytest.mark.parametrize("what", PATCHES)
def test_patching_any_clock_changes_no_second(what, ran, honest) -> None:
    result, metrics = ran(SLOW_STEP + PATCHES[what])
    assert result.status == "budget_exhausted", result.reason
    assert result.seconds >= 30 * 0.01
    assert metrics == honest


def test_the_clock_agrees_with_a_clock_outside(ran) -> None:
    began = time.perf_counter()
    result, _ = ran(SLOW_STEP)
    outside = time.perf_counter() - began
    assert 30 * 0.01 <= result.seconds <= outside
    assert outside <= result.seconds + result.warmup_seconds + result.evaluation_seconds + 5


AFTER_HAND_OVER = """
import torch
work = %s

def build_optimizer(model, hyperparameters, task):
    return torch.optim.AdamW(model.parameters(), lr=hyperparameters.learning_rate)

def train_in_secret():
    x = torch.randn(64, 64)
    while True:
        x = (x @ x).tanh()

work(train_in_secret)
"""
OFF_CLOCK = {
    "a thread": AFTER_HAND_OVER % "lambda f: __import__('threading').Thread(target=f, daemon=True).start()",
    "a child process": AFTER_HAND_OVER % "lambda f: __import__('os').fork() == 0 and f()",
    "a process of another session, whose parent has gone": AFTER_HAND_OVER
    % "lambda f: (lambda os: os.fork() == 0 and (os.setsid(), os.fork() == 0 and f(), os._exit(0)))(__import__('os'))",
}


@pytest.fixture
def long_evaluations(monkeypatch):
    """Evaluations that take a tenth of a second and more, as those of a workload of real size do."""
    evaluate = Arena.evaluate

    def evaluate_slowly(self, split):
        time.sleep(0.05)
        return evaluate(self, split)

    monkeypatch.setattr(Arena, "evaluate", evaluate_slowly)


@pytest.mark.parametrize("who", OFF_CLOCK)
def test_computing_while_the_clock_stands_disqualifies(who, ran, long_evaluations) -> None:
    result, _ = ran(OFF_CLOCK[who], spec_with(max_steps=200))
    assert result.status == "disqualified"
    assert "off the clock" in result.reason or "more than 1 thread" in result.reason


def test_a_process_that_it_forks_at_once_is_not_taken_for_the_trainee(ran, monkeypatch) -> None:
    forks = "import os, threading, time\nif os.fork() == 0: time.sleep(60), os._exit(0)\n"
    spins = "def spin():\n    while True: pass\nthreading.Thread(target=spin, daemon=True).start()\n"
    monkeypatch.setattr(trainee_process, "descendants", lambda pid: time.sleep(0.5) or descendants(pid))
    result, _ = ran(forks + spins + HONEST, spec_with(max_steps=200))
    assert result.status == "disqualified", result.reason


def test_an_honest_trial_with_as_many_evaluations_is_not_disqualified(ran, long_evaluations) -> None:
    result, _ = ran(HONEST, spec_with(max_steps=200))
    assert result.status == "budget_exhausted", result.reason


def test_more_processor_time_than_the_threads_of_the_trial_have_disqualifies(monkeypatch) -> None:
    spent = iter([0.0, 10.0, 10.0])  # at the start of training, at its end, after the evaluation
    at = iter([0.0, 5.0, 5.1])
    monkeypatch.setattr(watch, "processor_seconds", lambda *_: next(spent))
    monkeypatch.setattr(watch.time, "perf_counter", lambda: next(at))
    observed = watch.Watch(root=0, threads=1)
    with pytest.raises(TrialFailure, match="which is more than 1 thread"), observed.idle():
        pass


def test_an_answer_before_the_question_disqualifies(ran) -> None:
    result, _ = ran(
        HONEST
        + """
import gc, timetrial.harness.trial.channel as channel
receive = channel.Channel.receive

def answer_first(self, timeout=None):
    self.send("evaluation_point", examples=320)
    self.send("weights")
    return receive(self, timeout)

channel.Channel.receive = answer_first
"""
    )
    assert result.status == "disqualified"
    # Which is noticed depends on whether the early answer arrives before the first question is sent.
    assert "before it was told" in result.reason or "where 'built' was due" in result.reason


@pytest.mark.parametrize("claim", ["0", "1", "-5", "None", "'many'", "float('nan')", "319", "1 << 70", "[320]", "True"])
def test_an_evaluation_point_that_is_not_due_disqualifies(claim, ran) -> None:
    result, _ = ran(
        HONEST
        + f"""
import timetrial.harness.trial.channel as channel
send = channel.Channel.send
claimed = lambda fields: {{"examples": {claim}}} if "examples" in fields else fields
channel.Channel.send = lambda self, kind, **fields: send(self, kind, **claimed(fields))
"""
    )
    assert result.status == "disqualified"
    assert "examples where 320 were due" in result.reason


RAISE_LATE = """
original = Submission.{where}

def raise_late(self, *given):
    if getattr(self, "steps", 0) >= 15:
        raise SystemExit(0)
    return original(self, *given)

Submission.{where} = raise_late
"""


@pytest.mark.parametrize("where", ["training_step", "prepare_for_evaluation", "state_dict"])
def test_raising_at_the_right_moment_stops_no_clock(where, ran, honest) -> None:
    source = SLOW_STEP.replace("sleep(0.01)", "self.steps = getattr(self, 'steps', 0) + 1")
    raising = source + RAISE_LATE.format(where=where)
    result, metrics = ran(raising)
    if where == "state_dict":  # nothing asks for it before the end, which has been decided then
        assert (result.status, metrics) == ("budget_exhausted", honest)
        assert result.optimizer_state_bytes is None
    else:
        assert result.status == "crashed"
        assert result.time_to_target is None
        assert metrics == honest[:1]


def test_training_while_the_state_is_written_is_on_the_clock(arena, tmp_path, monkeypatch) -> None:
    from tests.harness.trial.tiny import run
    from timetrial.harness.trial import referee

    monkeypatch.setattr(referee, "CHECKPOINT_SECONDS", 0.0)
    slow_state = SLOW_STEP.replace("return {}", "sleep(1.5)\n        return {}")
    result = run(slow_state, arena, tmp_path / "trial", spec_with(max_steps=20))
    assert result.status == "budget_exhausted"
    assert result.seconds > 1.0


def test_a_state_that_cannot_be_given_is_a_crash_that_says_why(ran, monkeypatch) -> None:
    from timetrial.harness.trial import referee

    monkeypatch.setattr(referee, "CHECKPOINT_SECONDS", 0.0)
    result, _ = ran(SLOW_STEP.replace("return {}", "raise NotImplementedError('no state here')"))
    assert result.status == "crashed"
    assert "NotImplementedError: no state here" in result.reason
    assert "state_dict" in result.traceback


WORK_WHILE_THE_STATE_IS_WRITTEN = """
import timetrial.harness.trial.channel as channel
send_bytes = channel.Channel.send_bytes

def send_and_work(self, payload):
    send_bytes(self, payload)
    x = torch.randn(64, 64)
    while self.is_silent and not payload.startswith(b'{'):  # a message is JSON, a state is not
        x = (x @ x).tanh()

channel.Channel.send_bytes = send_and_work
"""


@pytest.mark.parametrize(
    ("after", "status"), [("", "budget_exhausted"), (WORK_WHILE_THE_STATE_IS_WRITTEN, "disqualified")]
)
def test_computing_while_a_large_state_is_written_disqualifies(after, status, ran, monkeypatch) -> None:
    from timetrial.harness.records.files import TrialFolder
    from timetrial.harness.trial import referee

    def write_for_long(*given):
        write(*given)
        time.sleep(0.3)

    write = TrialFolder.write_checkpoint
    monkeypatch.setattr(referee, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(TrialFolder, "write_checkpoint", write_for_long)
    result, _ = ran(HONEST + after, spec_with(max_steps=40))
    assert result.status == status, result.reason
    if status == "disqualified":
        assert "off the clock" in result.reason
