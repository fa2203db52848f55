"""The slots of one machine: how many, where each runs, and what happens when one dies."""

import os
import queue
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.environment import gpus
from timetrial.harness.runs.progress_bar import Progress
from timetrial.harness.runs.slot import STOPPED, SlotAssignment
from timetrial.harness.runs.slot_process import SlotProcess

RESTARTS = 3
"""How often slots that have died are replaced without a trial having ended in between."""
SLOT_BYTES = 2 << 30
"""Memory of a referee and its trainee, which both hold torch and the data of every workload."""
END_SECONDS = 10.0
"""How long a slot that was told to stop at once may take."""


def slots_and_threads(options: Mapping[str, Any], device: str) -> tuple[int, int]:
    """Say how many slots this machine runs, and how many threads a trial has.

    Raises `UsageError` for numbers that are neither `auto` nor at least 1.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return share_out(options, len(gpus()) if device == "cuda" else 0, len(os.sched_getaffinity(0)), memory)


def share_out(options: Mapping[str, Any], gpus: int, cores: int, memory: float) -> tuple[int, int]:
    """Read `slots` and `threads` of an executor, where either may be `auto`, for so many cores and bytes of memory.

    On a CPU a trial has one thread and slots fill the cores, since with several threads the time of a trial depends on
    their number and on every other program; where memory is short there are fewer. With GPUs each has a slot, and the
    cores are divided among them.
    """
    if gpus:
        slots = whole(gpus if options["slots"] == "auto" else options["slots"], "slots")
        return slots, whole(max(1, cores // slots) if options["threads"] == "auto" else options["threads"], "threads")
    threads = whole(1 if options["threads"] == "auto" else options["threads"], "threads")
    fill = max(1, int(min(cores // threads, memory // SLOT_BYTES)))
    return whole(fill if options["slots"] == "auto" else options["slots"], "slots"), threads


def whole(value: Any, name: str, least: int = 1) -> int:
    """Read a whole number of an executor's options; raises `UsageError` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        auto = "auto, or " if name in ("slots", "threads") else ""
        raise UsageError(f"executor.{name} is {value!r}: give {auto}a whole number of at least {least}")
    return value


class LocalSlots:
    """Slots on this machine that work through one assignment together."""

    def __init__(self, assignment: SlotAssignment, slots: int, threads: int, device: str) -> None:
        self.assignment = assignment
        self.places = _places(slots, threads, device)
        self.running: dict[int, SlotProcess] = {}
        self.stopping = False

    def run(self, progress: Progress) -> None:
        """Return when no trial is left to do. A slot that dies is replaced; one that fails, by a full disk, is not."""
        reports: queue.Queue = queue.Queue()
        restarts = 0
        with tempfile.TemporaryDirectory(prefix="timetrial-", ignore_cleanup_errors=True) as temporary:
            try:
                for number in range(len(self.places)):
                    self._start(number, temporary, reports)
                while self.running:
                    try:
                        number, report = reports.get(timeout=0.5)
                    except queue.Empty:
                        progress.refresh()
                        continue
                    if report["event"] != "ended":
                        progress.report(number, report)
                        restarts = 0 if report["event"] == "finished" else restarts
                        continue
                    del self.running[number]
                    progress.ended(number)
                    if report["code"] in (0, 1, STOPPED) or self.stopping:
                        continue
                    if restarts == RESTARTS:
                        progress.note(f"slot {number} was killed again (exit code {report['code']}): not started again")
                        continue
                    restarts += 1
                    progress.note(f"slot {number} was killed (exit code {report['code']}): starting it again")
                    self._start(number, temporary, reports)
            finally:
                self._end()

    def _start(self, number: int, temporary: str, reports: queue.Queue) -> None:
        cores, gpu = self.places[number]
        self.running[number] = SlotProcess(number, replace(self.assignment, cores=cores), gpu, temporary, reports)

    def stop(self, seconds: float) -> bool:
        """Have all slots stop at the next evaluation point with a checkpoint; says whether they did within `seconds`.

        May be called by a signal handler in the middle of `run`.
        """
        self.stopping = True
        deadline = time.monotonic() + seconds
        slots = list(self.running.values())
        for slot in slots:
            slot.stop()
        return all([slot.wait(max(0.0, deadline - time.monotonic())) for slot in slots])

    def _end(self) -> None:
        """End what still runs, at once."""
        for slot in self.running.values():
            slot.abandon()
        for slot in self.running.values():
            slot.wait(END_SECONDS)


def run_locally(assignment: SlotAssignment, slots: int, threads: int, device: str, progress: Progress) -> None:
    """Work through the trials of `assignment` in `slots` processes, and return when none is left to do."""
    LocalSlots(assignment, slots, threads, device).run(progress)


def _places(slots: int, threads: int, device: str) -> Sequence[tuple[tuple[int, ...] | None, str | None]]:
    """Give each slot its CPU cores (None: all) and its GPU (None: none to choose)."""
    if device == "cuda":
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else [str(i) for i in range(max(1, len(gpus())))]
        return [(None, names[i % len(names)]) for i in range(slots)]
    cores = sorted(os.sched_getaffinity(0))
    if slots == 1:
        return [(None, None)]
    return [(tuple(cores[(i * threads + j) % len(cores)] for j in range(threads)), None) for i in range(slots)]
