"""How the slots of a machine are shared out."""

import os

import pytest

from timetrial.harness.runs import local
from timetrial.harness.runs.local import share_out

AUTO = {"slots": "auto", "threads": "auto"}


@pytest.mark.parametrize(
    ("options", "gpus", "cores", "shared"),
    [
        (AUTO, 0, 8, (8, 1)),
        (AUTO, 0, 1, (1, 1)),
        ({**AUTO, "slots": 1}, 0, 8, (1, 1)),
        ({**AUTO, "threads": 3}, 0, 8, (2, 3)),
        ({**AUTO, "threads": 16}, 0, 8, (1, 16)),
        ({"slots": 3, "threads": 2}, 0, 8, (3, 2)),
        (AUTO, 2, 16, (2, 8)),
        ({**AUTO, "slots": 4}, 2, 16, (4, 4)),
    ],
)
def test_trials_on_a_cpu_have_one_thread_and_slots_fill_the_cores(options, gpus, cores, shared, monkeypatch) -> None:
    monkeypatch.setattr(local, "SLOT_BYTES", 1)
    assert share_out(options, gpus, cores) == shared


def test_there_are_no_more_slots_than_memory_for_them(monkeypatch) -> None:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    monkeypatch.setattr(local, "SLOT_BYTES", memory // 3)
    assert share_out(AUTO, 0, 64) == (3, 1)
    assert share_out({**AUTO, "slots": 64}, 0, 64) == (64, 1)
