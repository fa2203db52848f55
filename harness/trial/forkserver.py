"""The process that trainees start from, with all that is slow to import in it, as the referee sees it.

It is spoken to over a pair of sockets that the two inherit: there is no path or name by which a trainee could.
"""

import atexit
import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence

from timetrial.harness.planning.spec import TrialSpec

PRELOADED = ("timetrial.harness.trial.preload", "scipy", "schedulefree", "prodigyopt")
"""What is imported besides the workloads, for every submission the same: libraries, nothing of a submission's own."""
COMMAND = "from timetrial.harness.trial.forkserver_process import main; main()"
SETTINGS = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1", "TORCHINDUCTOR_COMPILE_THREADS": "1"}
"""The first, so that a workload which asks, as it is imported, whether there is a GPU starts no driver here: after that
no process that is forked could (https://docs.pytorch.org/docs/stable/cuda_environment_variables.html). The second, so
that torch compiles in the process that asks for it: one with others beside it is forgiven no waiting for a core."""
HEADER = struct.Struct("!Q")


class ForkServer:
    """A process that forks a trainee for each request, and ends with this one."""

    def __init__(self, modules: Sequence[str], workloads: Iterable[tuple[str, str | None]]) -> None:
        """Start it, with `modules` and `workloads` imported; what cannot be is an error in each trainee.

        Workloads, which may be texts, come by its standard input: a trainee sees the arguments.
        """
        self.socket, other_end = socket.socketpair()
        with other_end:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", COMMAND, str(other_end.fileno()), *modules],
                env=os.environ | SETTINGS,
                pass_fds=[other_end.fileno()],
                stdin=subprocess.PIPE,
                stdout=2,
            )
        with contextlib.suppress(BrokenPipeError), self.process.stdin as given:
            given.write(json.dumps(list(workloads)).encode())

    @property
    def pid(self) -> int:
        return self.process.pid

    def fork(self, assignment: bytes, files: Sequence[int]) -> int:
        """Start a trainee with a pickled `assignment` and `files`; gives the number of the process above it.

        Raises `OSError` where the server has gone.
        """
        socket.send_fds(self.socket, [HEADER.pack(len(assignment))], list(files))
        self.socket.sendall(assignment)
        answer = self.socket.recv(HEADER.size, socket.MSG_WAITALL)
        if len(answer) < HEADER.size:
            raise ConnectionError("the process that trainees start from has gone")
        return HEADER.unpack(answer)[0]

    def close(self) -> None:
        self.socket.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)


_workloads: dict[tuple[str, str | None], None] = {}
_running: ForkServer | None = None


def prepare_forkserver(specs: Iterable[TrialSpec]) -> None:
    """Have trainees start from a process that has imported torch, the libraries, and the workloads of `specs`.

    Where one of them is a text that the running server does not have, which no import would find there, that ends.
    """
    wanted = dict.fromkeys((spec.workload.implementation, spec.workload.text) for spec in specs)
    if _running is not None and any(text is not None for _, text in wanted.keys() - _workloads.keys()):
        _running.close()
        forget_forkserver()
    _workloads.update(wanted)


def forkserver() -> ForkServer:
    """Give the running server of this process, started now where there is none."""
    global _running
    if _running is None or _running.process.poll() is not None:
        _running = ForkServer(PRELOADED, _workloads)
        atexit.register(_running.close)
    return _running


def forget_forkserver() -> None:
    """Start the next trainee from a new server; for whoever has forked a process that had one."""
    global _running
    _running = None


os.register_at_fork(after_in_child=forget_forkserver)
