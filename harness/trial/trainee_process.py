"""The trainee as the referee sees it: a process to command, to wait for, and to end."""

import contextlib
import json
import os
import pickle
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from timetrial.harness.trial import trainee
from timetrial.harness.trial.channel import Channel, ChannelClosed, ChannelTimeout, ChannelViolation
from timetrial.harness.trial.failures import TraineeKilled, TrialFailure
from timetrial.harness.trial.forkserver import forkserver
from timetrial.harness.trial.keeper import MEMORY
from timetrial.harness.trial.process_tree import END_SECONDS, descendants, end_descendants, processor_seconds
from timetrial.harness.trial.shared_tensors import SharedTensors, bytes_file

LOG_LIMIT = 256 * 1024
"""Bytes of a trainee's output that are kept."""
CHECKPOINT_LIMIT = min(16 << 30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 8)
"""Bytes of a trainee's state that a referee takes."""

SIGNAL_SECONDS = 1.0
"""How long a killed trainee is not judged: a cluster that takes a job away kills the referee in the same moment."""

IN_WORDS = {"isolated": "wall", "warm": "end of the warm-up", "built": "optimizer", "evaluation_point": "evaluation"}
"""What a person calls a message that a trainee did not send in time."""


class TraineeProcess:
    """A running trainee. Leaving the context ends it and whatever it has started."""

    def __init__(self, assignment: trainee.Assignment, weights: SharedTensors, log_file: Path) -> None:
        self.folder = tempfile.mkdtemp(prefix="timetrial-")
        own_end, other_end = socket.socketpair()
        output, written = os.pipe()
        self.end, told = os.pipe()
        self.out_of_memory_kills = _out_of_memory_kills()
        self.log = threading.Thread(target=_keep_output, args=(output, log_file), daemon=True)
        self.log.start()
        try:
            self.forkserver = forkserver()
            self.spent_before = processor_seconds(self.root)
            content = pickle.dumps(replace(assignment, folder=self.folder))
            self.keeper = self.forkserver.fork(content, [other_end.fileno(), weights.file, written, told])
        except OSError:
            own_end.close()
            os.close(self.end)
            _remove(self.folder)
            raise
        finally:
            other_end.close()
            os.close(written)
            os.close(told)
        self.pid = self.keeper
        self.overseers = [self.root, self.keeper]
        """The processes above the trainee: what they do is not its doing."""
        self.isolation: list[str] = []
        self.channel = Channel(own_end, self.end)

    @property
    def root(self) -> int:
        """The process that all those of trainees are below."""
        return self.forkserver.pid

    def __enter__(self) -> "TraineeProcess":
        return self

    def __exit__(self, *_: object) -> None:
        end_descendants(self.root)
        self.channel.close()
        os.close(self.end)
        self.log.join(timeout=END_SECONDS)
        _remove(self.folder)

    def warm_up(self, timeout: float) -> float:
        """Wait until the trainee is isolated and warm; gives the seconds that it took to warm up."""
        isolated, began = self.expect("isolated", timeout)
        self.isolation = isolated["enforced"]
        self.overseers = [self.root, self.keeper, *descendants(self.keeper)]
        self.pid = self.overseers.pop()
        self.command("import")  # no code of the submission has run yet, so that all above are known
        return self.expect("warm", timeout)[1] - began

    def begin(self, training_data: SharedTensors, state: bytes, timeout: float, **told: float) -> float:
        """Hand over training data and state, in files of their own, and wait for the submission; gives the seconds.

        `told`: what it may know of the clock, as `command` takes it.
        """
        data, file = training_data.copy(), bytes_file(state)
        try:
            started = self.command("begin", **told)
            with self._failures():
                self.channel.send_file(data.file)
                self.channel.send_file(file)
            return self.expect("built", timeout)[1] - started
        finally:
            data.close()
            os.close(file)

    @property
    def processor_seconds(self) -> float:
        """The processor time of all its processes so far."""
        return processor_seconds(self.root) - self.spent_before

    def command(self, kind: str, **told: float) -> float:
        """Send a command; gives the time at which it left. A trainee that has spoken unasked is disqualified.

        `told`: with a command to train, `elapsed`, what the paced clock shows, and `pace`, as `Clock` has it.
        """
        if not self.channel.is_silent:
            raise TrialFailure("disqualified", f"the trainee sent a message before it was told to {kind}")
        started = time.perf_counter()
        with self._failures():
            self.channel.send(kind, **told)
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
        """Ask for the trainee's state, as bytes to store; raises `TrialFailure` where it cannot give it."""
        self.command("checkpoint")
        self.expect("state", timeout)
        with self._failures(waiting_for="state", timeout=timeout):
            return self.channel.receive_bytes(CHECKPOINT_LIMIT, timeout)

    @property
    def peak_memory_bytes(self) -> int:
        """The largest resident size of the process so far, as the kernel counts it; 0 where it is gone."""
        with contextlib.suppress(OSError), open(f"/proc/{self.pid}/status", errors="replace") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return 0

    @contextlib.contextmanager
    def _failures(self, waiting_for: str = "", timeout: float = 0):
        try:
            yield
        except ChannelTimeout:
            awaited = IN_WORDS.get(waiting_for, waiting_for)
            raise TrialFailure("hung", f"no {awaited} within {timeout:.0f} s") from None
        except ChannelViolation as error:
            raise TrialFailure("disqualified", f"the trainee sent {error}") from None
        except ChannelClosed:
            raise self._death() from None

    def _death(self) -> TrialFailure:
        how = self._how_it_ended()
        if (exceeded := how.get("exceeded")) is not None:
            status = "out_of_memory" if exceeded == MEMORY else "crashed"
            return TrialFailure(status, f"the trainee had more {exceeded} than a trial may have")
        if "status" not in how:
            time.sleep(SIGNAL_SECONDS)
            return TraineeKilled()
        code = os.waitstatus_to_exitcode(how["status"])
        if code == -signal.SIGKILL:
            time.sleep(SIGNAL_SECONDS)
            if _out_of_memory_kills() > self.out_of_memory_kills:
                return TrialFailure("out_of_memory", "the kernel killed the trainee for want of memory")
            return TraineeKilled()
        how_it_ended = f"was killed by {_signal_name(-code)}" if code < 0 else f"exited with code {code}"
        return TrialFailure("crashed", f"the trainee {how_it_ended}; its output is in trainee.log")

    def _how_it_ended(self) -> dict[str, Any]:
        """Read what its keeper says; nothing where that was killed. A trainee that lives on has closed its channel."""
        if not select.select([self.end], [], [], END_SECONDS)[0]:
            raise TrialFailure("crashed", "the trainee closed its channel and lives on")
        said = os.read(self.end, 4096)
        return json.loads(said) if said else {}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time signals have no name
        return f"signal {number}"


def _remove(folder: str) -> None:
    """Remove the folder of a trainee that has ended, however deep and locked what it has left there is."""
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    if os.path.isdir(folder):  # what walks down it must not be Python: thousands of folders may lie in each other
        for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            subprocess.run([*command, "--", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


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
