"""Claims: exactly one process has a trial, whoever dies, and wherever."""

import json
import multiprocessing
import os
import time

import pytest

from timetrial.harness.runs import claims
from timetrial.harness.runs.claims import EXPIRY_SECONDS, holder, take_claim


@pytest.fixture
def dead_pid():
    process = multiprocessing.get_context("spawn").Process(target=int)
    process.start()
    process.join()
    return process.pid


def _write_claim(folder, number=1, **changes):
    owner = claims._myself() | {"job": None} | changes
    file = folder / f"claim.{number}"
    file.write_text(json.dumps(owner))
    return file


def test_a_claim_is_exclusive_and_is_given_up(tmp_path):
    with take_claim(tmp_path, job="17_3"):
        assert take_claim(tmp_path) is None
        assert holder(tmp_path)["pid"] == os.getpid()
        assert holder(tmp_path)["job"] == "17_3"
    assert holder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    with take_claim(tmp_path):
        pass


def test_the_claim_of_a_dead_process_is_taken_over_at_once(tmp_path, dead_pid):
    old = _write_claim(tmp_path, 4, pid=dead_pid)
    with take_claim(tmp_path):
        assert not old.exists()
        assert [file.name for file in tmp_path.iterdir()] == ["claim.5"]


def test_a_process_id_that_was_given_out_again_does_not_keep_a_claim_alive(tmp_path):
    _write_claim(tmp_path, started="1")
    assert holder(tmp_path) is None
    with take_claim(tmp_path):
        pass


def test_a_claim_of_another_node_expires(tmp_path):
    file = _write_claim(tmp_path, machine="another", pid=1)
    assert take_claim(tmp_path) is None
    long_ago = time.time() - EXPIRY_SECONDS - 1
    os.utime(file, (long_ago, long_ago))
    with take_claim(tmp_path):
        pass


def test_a_holder_keeps_its_claim_fresh(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "REFRESH_SECONDS", 0.05)
    with take_claim(tmp_path) as claim:
        os.utime(claim.file, (0, 0))
        deadline = time.monotonic() + 5
        while claim.file.stat().st_mtime == 0:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_holder_that_was_taken_over_notices(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "REFRESH_SECONDS", 0.05)
    noticed = []
    with take_claim(tmp_path) as claim:
        claim.lost = lambda: noticed.append(True)
        claim.file.unlink()
        deadline = time.monotonic() + 5
        while not noticed:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_claim_that_cannot_be_read_holds_nothing(tmp_path):
    (tmp_path / "claim.1").write_text("{")
    with take_claim(tmp_path):
        pass


def _race(folder, barrier, outcomes):
    for trial in sorted(folder.iterdir()):
        barrier.wait()
        claim = take_claim(trial)
        outcomes.put((trial.name, claim is not None))
        barrier.wait()


def test_of_many_processes_that_race_for_a_trial_exactly_one_has_it(tmp_path, dead_pid):
    """Over free trials, and over trials whose holder is dead."""
    context = multiprocessing.get_context("fork")
    racers, trials = 6, 60
    for number in range(trials):
        folder = tmp_path / f"{number:02}"
        folder.mkdir()
        if number % 2:
            _write_claim(folder, number, pid=dead_pid)
    barrier, outcomes = context.Barrier(racers), context.Queue()
    processes = [context.Process(target=_race, args=(tmp_path, barrier, outcomes)) for _ in range(racers)]
    for process in processes:
        process.start()
    seen = [outcomes.get(timeout=60) for _ in range(racers * trials)]
    for process in processes:
        process.join()
    wins = {folder.name: 0 for folder in tmp_path.iterdir()}
    for name, won in seen:
        wins[name] += won
    assert max(wins.values()) == 1
    assert sum(wins.values()) >= 0.8 * trials, "all give up only where two have claimed in the same instant"
