"""Submissions that break: the trial gets the right status in time, nothing is left behind, and the next one runs."""

import os
import tempfile
import time

import pytest

from tests.harness.trial.tiny import HONEST, metrics, run, spec_with
from timetrial.harness.trial import referee
from timetrial.harness.trial.trainee_process import LOG_LIMIT

AT_STEP = """
import os, sys, signal, ctypes
import torch
steps = 0

def break_it(optimizer, *_):
    global steps
    steps += 1
    if steps == 15:
        {what}

def build_optimizer(model, hyperparameters, task):
    optimizer = torch.optim.AdamW(model.parameters(), lr=hyperparameters.learning_rate)
    optimizer.register_step_post_hook(break_it)
    return optimizer
"""
ENDS = {
    "crashed": {
        "an exception": ("raise KeyError('no such thing')", "KeyError: 'no such thing'"),
        "the interpreter's end": ("sys.exit(0)", "SystemExit: 0"),
        "the process's end": ("os._exit(0)", "exited with code 0"),
        "a segmentation fault": ("ctypes.string_at(0)", "killed by SIGSEGV"),
        "an abort": ("os.abort()", "killed by SIGABRT"),
        "endless recursion": ("f = lambda: f(); f()", "RecursionError"),
        "a wrong type": ("optimizer.param_groups[0]['lr'] = 'high'; optimizer.step()", "Error"),
        "a reason that a terminal would obey": ("raise ValueError('\\x1b[2J\\ud800' * 999)", "ValueError: \ufffd[2J"),
        "its own death": ("os.kill(os.getpid(), 9)", "the trainee was killed"),
        "a signal without a name": ("os.kill(os.getpid(), 40)", "killed by signal 40"),
    },
    "out_of_memory": {
        "a huge tensor": ("torch.ones(10**12)", "allocate memory"),
        "a list without end": ("x = []\n        while True: x.append(bytearray(1 << 26))", "MemoryError"),
    },
}
CASES = [(status, what, *case) for status, cases in ENDS.items() for what, case in cases.items()]


@pytest.fixture(autouse=True)
def nothing_is_left(arena, tmp_path, monkeypatch):
    """No process and no folder is left behind."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    before = _trainees()
    yield
    assert _trainees() == before
    assert list(scratch.glob("timetrial-*")) == []


def _trainees() -> set[int]:
    """List the processes below the forkserver of this process."""
    from timetrial.harness.trial.process_tree import descendants

    return {pid for child in descendants(os.getpid()) for pid in descendants(child)}


@pytest.mark.parametrize(("status", "what", "line", "reason"), CASES, ids=[f"{c[0]}: {c[1]}" for c in CASES])
def test_a_breaking_submission_has_its_status_and_a_reason_in_a_line(
    status, what, line, reason, arena, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(referee, "memory_limit", lambda: 1 << 30)
    result = run(AT_STEP.format(what=line), arena, tmp_path / "breaks")
    assert result.status == status, result.reason
    assert reason in result.reason
    assert "\n" not in result.reason
    assert len(result.reason) < 1000
    assert result.time_to_target is None


@pytest.mark.parametrize(
    "stubborn", ["pass", "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pthread_sigmask(0, range(1, 65))"]
)
def test_a_submission_that_never_returns_is_hung_in_time(stubborn, arena, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(referee, "HUNG_FACTOR", 0.0)
    monkeypatch.setattr(referee, "GRACE_SECONDS", 2.0)
    endless = AT_STEP.format(what=f"{stubborn}\n        while True: pass")
    began = time.monotonic()
    result = run(endless, arena, tmp_path / "hangs", spec_with(budget_seconds=100.0))
    assert result.status == "hung"
    assert "within 2 s" in result.reason
    assert time.monotonic() - began < 30


def test_an_output_of_gigabytes_is_cut(arena, tmp_path) -> None:
    source = AT_STEP.format(what="[os.write(1, b'x' * (1 << 20)) for _ in range(1024)]")
    result = run(source, arena, tmp_path / "prints")
    assert result.status == "budget_exhausted", result.reason
    size = (tmp_path / "prints" / "trainee.log").stat().st_size
    assert LOG_LIMIT <= size <= LOG_LIMIT + 100


FORKS = """for _ in range(20):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                    __import__('time').sleep(600)
                os._exit(0)"""


def test_processes_that_a_submission_leaves_behind_are_ended(arena, tmp_path) -> None:
    result = run(AT_STEP.format(what=FORKS), arena, tmp_path / "forks")
    assert result.status in ("budget_exhausted", "disqualified"), result.reason


def test_a_process_whose_name_is_no_text_breaks_nothing(arena, tmp_path) -> None:
    name = "libc = ctypes.CDLL(None); assert libc.prctl(15, b'\\xff) 1\\n(\\xfe', 0, 0, 0) == 0"
    result = run(AT_STEP.format(what=name), arena, tmp_path / "renames")
    assert result.status == "budget_exhausted", result.reason
    assert result.peak_memory_bytes > 0


def test_files_and_locked_folders_that_a_submission_leaves_are_removed(arena, tmp_path) -> None:
    litter = "os.makedirs('a/b'); open('a/b/c', 'w').write('x' * 1000); os.symlink('/tmp', 'a/link'); os.chmod('a', 0)"
    result = run(AT_STEP.format(what=litter), arena, tmp_path / "litters")
    assert result.status == "budget_exhausted", result.reason


BAD_SUBMISSIONS = {
    "no Python": ("def build_optimizer(:", "SyntaxError"),
    "nothing defined": ("x = 1", "defines neither build_optimizer"),
    "no optimizer": ("def build_optimizer(m, h, t): return 'adam'", "build_optimizer returned str"),
    "a hyperparameter that is not there": (
        HONEST.replace("learning_rate", "warmth", 2),
        "no hyperparameter 'warmth' is given",
    ),
    "a parameter in no group": (
        HONEST.replace("model.parameters()", "list(model.parameters())[1:]"),
        "parameters in no parameter group",
    ),
    "an import that is not there": ("import no_such_module", "No module named 'no_such_module'"),
}


@pytest.mark.parametrize("what", BAD_SUBMISSIONS)
def test_a_bad_submission_is_told_what_is_wrong_in_one_line(what, arena, tmp_path) -> None:
    source, reason = BAD_SUBMISSIONS[what]
    result = run(source, arena, tmp_path / "bad")
    assert result.status == "crashed"
    assert reason in result.reason
    assert "submission.py" in result.traceback or "TypeError" in result.traceback


def test_a_trial_after_a_broken_one_is_as_if_it_had_never_been(arena, tmp_path, honest) -> None:
    run(AT_STEP.format(what="os.abort()"), arena, tmp_path / "breaks")
    run(HONEST, arena, tmp_path / "after")
    assert metrics(tmp_path / "after") == honest
