"""The forkserver itself: it imports a fixed list of libraries and workloads, and forks a trainee for each request.

No line of a submission runs here, nor is anything of one read. The processes of an attempt are, from above: one that
makes the namespaces, where they are allowed, the keeper, the first process in them, and the trainee.
"""

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
from functools import partial
from typing import NoReturn

from timetrial.harness.trial import isolation, namespaces, system_calls
from timetrial.harness.trial.forkserver import HEADER
from timetrial.harness.trial.keeper import keep
from timetrial.harness.trial.process_tree import die_with_parent

FILES = ("channel", "weights", "output", "end")
"""What comes with a request, in this order."""


def main() -> None:
    """Run as a process: the arguments are the descriptor of a socket, and modules to import; its input, workloads."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    for module in sys.argv[2:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    from timetrial.harness.workload import workload_class

    for implementation, text in json.load(sys.stdin):
        with contextlib.suppress(ImportError, AttributeError, ValueError):
            workload_class(implementation, text)
    system_calls.prepared()
    signal.signal(signal.SIGCHLD, _reap)
    while header := _receive(control):
        size, files = header
        assignment = control.recv(size, socket.MSG_WAITALL)
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            _attempt(assignment, dict(zip(FILES, files, strict=True)))
        for file in files:
            os.close(file)
        with contextlib.suppress(OSError):  # the referee has gone, and the next wait says so
            control.sendall(HEADER.pack(child))


def _receive(control: socket.socket) -> tuple[int, list[int]] | None:
    """Wait for the head of a request; None where the referee has gone."""
    with contextlib.suppress(OSError):
        header, files, _, _ = socket.recv_fds(control, HEADER.size, len(FILES))
        if len(header) == HEADER.size:
            return HEADER.unpack(header)[0], files
    return None


def _reap(*_: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _attempt(assignment: bytes, files: dict[str, int]) -> NoReturn:
    """Be the process above the keeper, or the keeper itself where there are no namespaces."""
    with contextlib.suppress(OSError):
        os.setsid()
    die_with_parent()
    for standard in (1, 2):
        os.dup2(files["output"], standard)
    os.close(files["output"])
    entered = namespaces.enter()
    if entered & namespaces.NEW_PIDS and (keeper := os.fork()):
        for file in (files["channel"], files["weights"], files["end"]):
            os.close(file)
        os.waitpid(keeper, 0)
        os._exit(0)
    die_with_parent()
    from timetrial.harness.trial import trainee

    told = trainee.read_assignment(assignment)
    wall = isolation.raise_wall(entered, told.folder, told.source.imports, gpu=told.device == "cuda")
    run = partial(trainee.main, files["channel"], files["weights"], told, wall)
    keep(run, files["end"], told.memory_bytes, isolation.TASKS_LIMIT)
