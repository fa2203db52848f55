"""The local executor: slots on this machine, and what they report."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from harness.catalogue import ROOT
from harness.environment import gpus
from harness.errors import UsageError
from harness.records import TrialFolder
from harness.runs.progress import Progress
from harness.runs.slot import SlotAssignment

KEPT_VARIABLES = (
    "PATH HOME USER LANG LC_ALL TZ TMPDIR LD_LIBRARY_PATH VIRTUAL_ENV XDG_CACHE_HOME TIMETRIAL_CACHE HF_HOME HF_ENDPOINT "
    "HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy SSL_CERT_FILE CUDA_VISIBLE_DEVICES CUDA_HOME"
).split()
"""The environment of a slot, and so of its trainees; nothing else of a person's environment reaches them."""
RESTARTS = 3
"""How often slots that have died are replaced without a trial having ended in between."""


def slots_and_threads(options: Mapping[str, Any], device: str) -> tuple[int, int]:
    """Say how many slots this machine runs, and how many threads a trial has.

    Raises `UsageError` for numbers that are neither `auto` nor at least 1, or more GPU slots than GPUs.
    """
    cores = len(os.sched_getaffinity(0))
    slots = options["slots"] if options["slots"] != "auto" else (len(gpus()) if device == "cuda" else 1)
    threads = options["threads"] if options["threads"] != "auto" else max(1, cores // max(1, _whole(slots, "slots")))
    return _whole(slots, "slots"), _whole(threads, "threads")


def _whole(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"executor.{name} is {value!r}: give auto, or a whole number of at least 1")
    return value


class Slot:
    """A slot process, whose reports go into a queue."""

    def __init__(self, number: int, assignment: SlotAssignment, gpu: str | None, reports: queue.Queue) -> None:
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        environment |= {"PYTHONPATH": str(ROOT)} | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})
        self.number = number
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from harness.runs.slot import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            text=True,
        )
        self.process.stdin.write(json.dumps(asdict(assignment)) + "\n")
        self.process.stdin.flush()
        threading.Thread(target=self._read, args=(reports,), daemon=True).start()

    def _read(self, reports: queue.Queue) -> None:
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                reports.put((self.number, json.loads(line)))
        self.process.wait()
        reports.put((self.number, {"event": "ended", "code": self.process.returncode}))

    def end(self) -> None:
        """End the process and its trainee now; its standard input is what it lives on."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run_locally(assignment: SlotAssignment, slots: int, threads: int, device: str, progress: Progress) -> None:
    """Work through the trials of `assignment` in `slots` processes, and return when none is left to do."""
    reports: queue.Queue = queue.Queue()
    places = _places(slots, threads, device)
    running: dict[int, Slot] = {}
    restarts = 0

    def start(number: int) -> None:
        cores, gpu = places[number]
        running[number] = Slot(number, replace(assignment, cores=cores), gpu, reports)

    try:
        for number in range(slots):
            start(number)
        while running:
            try:
                number, report = reports.get(timeout=0.5)
            except queue.Empty:
                progress.refresh()
                continue
            if report["event"] != "ended":
                progress.report(number, report)
                restarts = 0 if report["event"] == "finished" else restarts
                continue
            del running[number]
            if report["code"] not in (0, 1) and restarts < RESTARTS:
                restarts += 1
                progress.note(f"slot {number} was killed (exit code {report['code']}): starting it again")
                start(number)
    finally:
        for slot in running.values():
            slot.end()


def _places(slots: int, threads: int, device: str) -> Sequence[tuple[tuple[int, ...] | None, str | None]]:
    """Give each slot its CPU cores (None: all) and its GPU (None: none to choose)."""
    if device == "cuda":
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else [str(i) for i in range(len(gpus()))]
        return [(None, names[i % len(names)]) for i in range(slots)]
    cores = sorted(os.sched_getaffinity(0))
    if slots == 1:
        return [(None, None)]
    return [(tuple(cores[(i * threads + j) % len(cores)] for j in range(threads)), None) for i in range(slots)]


def unfinished(folders: Sequence[TrialFolder]) -> list[TrialFolder]:
    """List the trials that have no result yet."""
    return [folder for folder in folders if not folder.is_finished]
