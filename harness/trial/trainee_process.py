"""The trainee as the referee sees it: a process to command, to wait for, and to end."""

import contextlib
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from dataclasses import replace
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from timetrial.harness.trial import trainee
from timetrial.harness.trial.channel import Channel, ChannelClosed, ChannelTimeout, ChannelViolation
from timetrial.harness.trial.failures import TraineeKilled, TrialFailure
from timetrial.harness.trial.process_tree import END_SECONDS, end_descendants, parent_of
from timetrial.harness.trial.shared_tensors import SharedTensors

LOG_LIMIT = 256 * 1024
"""Bytes of a trainee's output that are kept."""
CHECKPOINT_LIMIT = min(16 << 30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8)
"""Bytes of a trainee's state that a referee takes."""


class TraineeProcess:
    """A running trainee. Leaving the context ends it and whatever it has started."""

    def __init__(self, assignment: trainee.Assignment, log_file: Path) -> None:
        self.folder = tempfile.mkdtemp(prefix="timetrial-")
        own_end, other_end = socket.socketpair()
        read_end, write_end = os.pipe()
        self.out_of_memory_kills = _out_of_memory_kills()
        self.process = multiprocessing.get_context("forkserver").Process(
            target=trainee.main,
            args=(other_end, DupFd(write_end), replace(assignment, folder=self.folder)),
            daemon=True,
        )
        try:
            self.process.start()
        except OSError:
            own_end.close()
            os.close(read_end)
            _remove(self.folder)
            raise
        finally:
            other_end.close()
            os.close(write_end)
        self.forkserver = parent_of(self.process.pid)
        self.isolation: list[str] = []
        self.channel = Channel(own_end, self.process.sentinel)
        self.log = threading.Thread(target=_keep_output, args=(read_end, log_file), daemon=True)
        self.log.start()

    def __enter__(self) -> "TraineeProcess":
        return self

    def __exit__(self, *_: object) -> None:
        end_descendants(self.forkserver)
        self.process.join(timeout=END_SECONDS)
        with contextlib.suppress(ValueError):  # it cannot be killed: a driver holds it
            self.process.close()
        self.channel.close()
        self.log.join(timeout=END_SECONDS)
        _remove(self.folder)

    def prepare(self, training_data: SharedTensors, timeout: float) -> float:
        """Wait until the trainee is isolated, warmed up and built, and hand it the training data; gives the seconds."""
        isolated, began = self.expect("isolated", timeout)
        self.isolation = isolated["enforced"]  # no code of the submission has run yet
        self.expect("built", timeout)
        with self._failures():
            self.channel.send_file(training_data.file)
        _, ready = self.expect("ready", timeout)
        return ready - began

    def command(self, kind: str) -> float:
        """Send a command; gives the time at which it left. A trainee that has spoken unasked is disqualified."""
        if not self.channel.is_silent:
            raise TrialFailure("disqualified", f"the trainee sent a message before it was told to {kind}")
        started = time.perf_counter()
        with self._failures():
            self.channel.send(kind)
        return started

    def expect(self, kind: str, timeout: float) -> tuple[dict[str, Any], float]:
        """Wait for a message of `kind`, at most `timeout` seconds; gives it with the time at which it arrived.

        Raises `TrialFailure` with the status of whatever came instead, or `TraineeKilled`.
        """
        with self._failures(waiting_for=kind, timeout=timeout):
            message = self.channel.receive(timeout)
            arrived = time.perf_counter()
        if message["kind"] == "failed":
            status = message.get("status")
            if status not in ("crashed", "out_of_memory"):
                raise TrialFailure("disqualified", f"the trainee claims the status {status!r}")
            raise TrialFailure(status, str(message.get("reason")), str(message.get("traceback")))
        if message["kind"] != kind:
            raise TrialFailure("disqualified", f"the trainee sent {message['kind']!r} where {kind!r} was due")
        return message, arrived

    def state_bytes(self, timeout: float) -> bytes:
        """Ask for the trainee's state, as bytes to store."""
        self.command("checkpoint")
        with self._failures(waiting_for="state", timeout=timeout):
            return self.channel.receive_bytes(CHECKPOINT_LIMIT, timeout)

    @property
    def peak_memory_bytes(self) -> int:
        """The largest resident size of the process so far, as the kernel counts it; 0 where it is gone."""
        with contextlib.suppress(OSError), open(f"/proc/{self.process.pid}/status") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return 0

    @contextlib.contextmanager
    def _failures(self, waiting_for: str = "", timeout: float = 0):
        try:
            yield
        except ChannelTimeout:
            raise TrialFailure("hung", f"no {waiting_for.replace('_', ' ')} within {timeout:.0f} s") from None
        except ChannelViolation as error:
            raise TrialFailure("disqualified", f"the trainee sent {error}") from None
        except ChannelClosed:
            raise self._death() from None

    def _death(self) -> Exception:
        self.process.join(timeout=END_SECONDS)
        code = self.process.exitcode
        if code is None:
            return TrialFailure("crashed", "the trainee closed its channel and lives on")
        if code == -signal.SIGKILL and _out_of_memory_kills() > self.out_of_memory_kills:
            return TrialFailure("out_of_memory", "the kernel killed the trainee for want of memory")
        if code in (-signal.SIGKILL, _FORKSERVER_GONE):
            return TraineeKilled("the trainee was killed")
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        return TrialFailure("crashed", f"the trainee {how}; its output is in trainee.log")


_FORKSERVER_GONE = 255


def _remove(folder: str) -> None:
    """Remove the folder of a trainee that has ended, also where it has locked folders of its own."""
    for path, folders, _ in os.walk(folder):
        for name in folders:
            if not os.path.islink(inner := os.path.join(path, name)):
                os.chmod(inner, 0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _out_of_memory_kills() -> int:
    """Count the processes that the kernel has killed for want of memory since the machine started."""
    with contextlib.suppress(OSError), open("/proc/vmstat") as file:
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _keep_output(read_end: int, log_file: Path) -> None:
    """Write the first `LOG_LIMIT` bytes of a trainee's output to its log, and drop the rest."""
    kept = 0
    with open(read_end, "rb", buffering=0) as output:
        while piece := output.read(65536):
            if kept < LOG_LIMIT:
                with contextlib.suppress(OSError), open(log_file, "ab") as log:
                    log.write(piece[: LOG_LIMIT - kept])
                    if kept + len(piece) > LOG_LIMIT:
                        log.write(f"\n[output cut here, at {LOG_LIMIT} bytes]\n".encode())
            kept += len(piece)
