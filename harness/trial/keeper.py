"""The keeper of a trainee: the process above it, which reaps what it starts, watches the totals, and tells its end."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from timetrial.harness.trial.process_tree import adopt_orphans, die_with_parent

LOOK_SECONDS = 0.5
"""How often memory and processes are counted."""
MEMORY, TASKS = "memory", "processes and threads"
_SHARED_OUT = ("Pss_Anon:", "Pss_Shmem:")


def keep(run: Callable[[], None], end: int, memory_bytes: int, tasks: int) -> NoReturn:
    """Start `run` in a child and never return: this process ends when the child has, which kills its namespace.

    What the child's end was is written to the file `end` as JSON: `status`, as `waitpid` gives it, or what there was
    too much of, `exceeded`: more than `memory_bytes` of all processes together, or more `tasks` than there may be. This
    process imports nothing from here on: its child sees the same files, and may move folders in the writable one.
    """
    adopt_orphans()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        os.close(end)
        die_with_parent()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        run()
        os._exit(0)
    looked = time.monotonic()
    while True:
        signal.sigtimedwait({signal.SIGCHLD}, LOOK_SECONDS)
        if (status := _reap(child)) is not None:
            _tell(end, status=status)
        if time.monotonic() - looked > LOOK_SECONDS:
            looked = time.monotonic()
            if exceeded := _exceeded(memory_bytes, tasks):
                _tell(end, exceeded=exceeded)


def _reap(child: int) -> int | None:
    """Reap all that has ended; gives the status of `child` if that is among it."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            found = ended[1] if ended[0] == child else found
    return found


def _tell(end: int, **how: object) -> NoReturn:
    os.write(end, json.dumps(how).encode())
    os._exit(0)


def _exceeded(memory_bytes: int, tasks: int) -> str | None:
    """Say what there is too much of, of all processes below this one together; None for nothing."""
    below = list(_below(Path("/proc/self").resolve().name))
    states = [_fields(pid, "status") for pid in below]
    if sum(state.get("Threads:", 0) for state in states) > tasks:
        return TASKS
    resident = sum(state.get("RssAnon:", 0) + state.get("RssShmem:", 0) for state in states)
    if resident * 1024 > memory_bytes:  # pages that processes share are counted for each: look closely
        rollups = [_fields(pid, "smaps_rollup") for pid in below]
        if sum(rollup.get(name, 0) for rollup in rollups for name in _SHARED_OUT) * 1024 > memory_bytes:
            return MEMORY
    return None


def _below(pid: str) -> list[str]:
    found = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [child, *_below(child)]
    return found


def _fields(pid: str, file: str) -> dict[str, int]:
    """Read the numbers of a file of /proc; those of memory are in KiB."""
    with contextlib.suppress(OSError):
        lines = (line.split() for line in Path(f"/proc/{pid}/{file}").read_text(errors="replace").splitlines())
        return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}
    return {}
