"""Claims: which slot works on which trial, on a folder that many nodes may share.

A claim is a file in the trial's folder, made by a hard link, which is atomic on local disks and on NFS. The claims of a
trial are numbered, so that whoever finds a claim dead makes the next number, and only one can. Whoever has made a claim
looks once more whether another is alive, and gives up then. No lock is ever held, so none can be left behind.
"""

import contextlib
import errno
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from timetrial.harness.trial.process_tree import stat_of

EXPIRY_SECONDS = 60.0
"""A claim that was not refreshed for so long is dead."""
REFRESH_SECONDS = 10.0


def _stop_at_once() -> None:
    os._exit(3)


class Claim:
    """The right to run a trial. Leaving the context gives it up.

    A process that slept through its claim's expiry finds the file gone, and calls `lost`: by default it ends on the
    spot, before it writes into a trial that another one runs now.
    """

    def __init__(self, file: Path, lost: Callable[[], None] = _stop_at_once) -> None:
        self.file, self.lost = file, lost
        self._given_up = threading.Event()
        threading.Thread(target=self._keep_fresh, daemon=True).start()

    def _keep_fresh(self) -> None:
        while not self._given_up.wait(REFRESH_SECONDS):
            try:
                os.utime(self.file)
            except OSError as error:  # a full or read-only disk is for the trial itself to report
                if error.errno in (errno.ENOENT, errno.ESTALE) and not self._given_up.is_set():
                    return self.lost()

    def __enter__(self) -> "Claim":
        return self

    def __exit__(self, *_: object) -> None:
        self._given_up.set()
        with contextlib.suppress(OSError):
            self.file.unlink()


def take_claim(folder: Path, job: str | None = None) -> Claim | None:
    """Claim the trial in `folder` for this process, which the cluster knows as `job`; None where somebody alive has it.

    Raises `OSError` where the folder cannot be written.
    """
    mark = folder / f".claim.{os.uname().nodename}.{os.getpid()}.{threading.get_ident()}"
    mark.write_text(json.dumps(_myself() | {"job": job}))
    try:
        now = mark.stat().st_mtime
        claims = _claims(folder)
        if any(is_alive(claim, now) for claim in claims):
            return None
        file = folder / f"claim.{max((_number(claim) for claim in claims), default=0) + 1}"
        try:
            os.link(mark, file)
        except FileExistsError:
            return None
        others = [claim for claim in _claims(folder) if claim != file]
        if any(is_alive(other, now) for other in others):
            file.unlink()
            return None
        for other in others:
            other.unlink(missing_ok=True)
        return Claim(file)
    finally:
        mark.unlink(missing_ok=True)


def holder(folder: Path) -> dict[str, Any] | None:
    """Say who works on the trial in `folder`: host, pid, runner and job; None where nobody alive does."""
    alive = [claim for claim in _claims(folder) if is_alive(claim, now=time.time())]
    return _read(alive[0]) if alive else None


def is_alive(file: Path, now: float) -> bool:
    """Say whether the holder of a claim lives: on this machine by its process, elsewhere by its last refreshing.

    `now` (seconds) is a time of the file system's own clock, since clocks of nodes differ.
    """
    owner = _read(file)
    if owner is None:
        return False
    if is_here(owner):
        return owner.get("started") is not None and started_at(owner.get("pid")) == owner["started"]
    try:
        return now - file.stat().st_mtime < EXPIRY_SECONDS
    except OSError:
        return False


def is_here(owner: dict[str, Any]) -> bool:
    """Say whether the holder of a claim runs, or ran, where its process id can be looked up."""
    return owner.get("machine") == _machine()


def started_at(pid: Any) -> str | None:
    """Give the start time of a process in clock ticks since boot, None where there is no such process."""
    try:
        fields = stat_of(pid)
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _claims(folder: Path) -> list[Path]:
    return [path for path in folder.glob("claim.*") if path.suffix[1:].isdigit()]


def _number(claim: Path) -> int:
    return int(claim.suffix[1:])


def _read(file: Path) -> dict[str, Any] | None:
    try:
        owner = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return owner if isinstance(owner, dict) else None


def _myself() -> dict[str, Any]:
    pid, runner = os.getpid(), os.getppid()
    return {
        "host": os.uname().nodename,
        "machine": _machine(),
        "pid": pid,
        "started": started_at(pid),
        "runner": runner,
        "runner_started": started_at(runner),
    }


def _machine() -> str:
    """Name what a process id is unique in: this boot of this kernel, and this namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"
