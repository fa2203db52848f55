"""Claims: which slot works on which trial, on a folder that many nodes may share.

A claim is a file in the trial's folder, made by a hard link, which is atomic on local disks and on NFS. The claims of a
trial are numbered and the highest number holds: whoever finds the holder dead makes the next number, and only one can.
No lock is ever held, so none can be left behind.
"""

import contextlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

EXPIRY_SECONDS = 60.0
"""A claim that was not refreshed for so long is dead."""
REFRESH_SECONDS = 10.0


class Claim:
    """The right to run a trial. Leaving the context gives it up."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._given_up = threading.Event()
        threading.Thread(target=self._keep_fresh, daemon=True).start()

    @property
    def is_held(self) -> bool:
        """Whether nobody has taken the trial over."""
        return _latest(self.file.parent) == self.file

    def _keep_fresh(self) -> None:
        while not self._given_up.wait(REFRESH_SECONDS):
            with contextlib.suppress(OSError):
                os.utime(self.file)

    def __enter__(self) -> "Claim":
        return self

    def __exit__(self, *_: object) -> None:
        self._given_up.set()
        self.file.unlink(missing_ok=True)


def take_claim(folder: Path, job: str | None = None) -> Claim | None:
    """Claim the trial in `folder`; None where somebody alive has it."""
    latest = _latest(folder)
    mark = folder / f".claim.{os.uname().nodename}.{os.getpid()}.{threading.get_ident()}"
    mark.write_text(json.dumps(_myself() | {"job": job}))
    try:
        if latest is not None and is_alive(latest, now=mark.stat().st_mtime):
            return None
        number = 1 if latest is None else int(latest.suffix[1:]) + 1
        file = folder / f"claim.{number}"
        try:
            os.link(mark, file)
        except FileExistsError:
            return None
        if _latest(folder) != file:
            file.unlink(missing_ok=True)
            return None
        for older in folder.glob("claim.*"):
            if older != file:
                older.unlink(missing_ok=True)
        return Claim(file)
    finally:
        mark.unlink(missing_ok=True)


def holder(folder: Path) -> dict[str, Any] | None:
    """Say who works on the trial in `folder`: host, pid and job; None where nobody alive does."""
    latest = _latest(folder)
    if latest is None or not is_alive(latest, now=time.time()):
        return None
    return _read(latest)


def is_alive(file: Path, now: float) -> bool:
    """Say whether the holder of a claim lives: on this machine by its process, elsewhere by its last refreshing.

    `now` (seconds) is a time of the file system's own clock, since clocks of nodes differ.
    """
    owner, me = _read(file), _myself()
    if owner is None:
        return False
    if owner.get("machine") == me["machine"]:
        return _started_at(owner.get("pid")) == owner.get("started")
    try:
        return now - file.stat().st_mtime < EXPIRY_SECONDS
    except OSError:
        return False


def _latest(folder: Path) -> Path | None:
    claims = [path for path in folder.glob("claim.*") if path.suffix[1:].isdigit()]
    return max(claims, key=lambda path: int(path.suffix[1:]), default=None)


def _read(file: Path) -> dict[str, Any] | None:
    try:
        owner = json.loads(file.read_text())
    except (OSError, ValueError):
        return None
    return owner if isinstance(owner, dict) else None


def _myself() -> dict[str, Any]:
    return {"host": os.uname().nodename, "machine": _machine(), "pid": os.getpid(), "started": _started_at(os.getpid())}


def _machine() -> str:
    """Name what a process id is unique in: this boot of this kernel, and this namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"


def _started_at(pid: Any) -> str | None:
    """Give the start time of a process in clock ticks since boot, None where there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]
