"""Many trials in one program: nothing grows, nothing is left behind. `TIMETRIAL_LONG_RUN=2000` takes four minutes."""

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.harness.runs.tiny_runs import LOCAL, forkservers_of, overrides, slots_of, start

TRIALS = int(os.environ.get("TIMETRIAL_LONG_RUN", "60"))


@pytest.mark.timeout(300 + TRIALS)
def test_memory_and_open_files_do_not_grow_from_a_tenth_of_the_trials_to_the_last(tmp_path, monkeypatch) -> None:
    """The program, its slot and the process that trainees start from; at most 5 % of memory, no open file."""
    with tempfile.TemporaryDirectory() as scratch:
        monkeypatch.setenv("TMPDIR", scratch)
        shared = set(os.listdir("/dev/shm"))
        program = start("run", *overrides(tmp_path / "run", trials=TRIALS, steps=10), *LOCAL)
        states = {}
        try:
            for line in program.stderr:
                if finished := re.match(r"\[(\d+)/", line):
                    states[int(finished[1])] = _state(program.pid)
            assert program.wait(timeout=60) == 0
        finally:
            program.kill()
            program.communicate()
        assert os.listdir(scratch) == []
        assert set(os.listdir("/dev/shm")) <= shared
    assert len(states) == TRIALS
    few = TRIALS // 10
    early, late = (_least(states[trial] for trial in range(end - few, end)) for end in (2 * few, TRIALS))
    print(f"from trial {few}: {early}; to trial {TRIALS - 1}: {late} (bytes of memory, open files)")
    assert len(early) == len(late) == 3
    for (memory, files), (more_memory, more_files) in zip(early, late, strict=True):
        assert more_memory < 1.05 * memory
        assert more_files <= files


def _least(states: Iterable[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    """Of each process the least of each: a state that is read late has the files of the next trial beside."""
    return [tuple(map(min, zip(*its, strict=True))) for its in zip(*states, strict=True)]


def _state(program: int) -> list[tuple[int, int]]:
    """Give memory and open files of the program, its slot, and the forkserver of the slot."""
    (slot,) = slots_of(program)
    (forkserver,) = forkservers_of(slot)
    return [(_resident_bytes(pid), len(os.listdir(f"/proc/{pid}/fd"))) for pid in (program, slot, forkserver)]


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
