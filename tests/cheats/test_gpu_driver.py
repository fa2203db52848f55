"""What the driver of a GPU does as it starts is possible behind the wall, and nothing near it that a cheat could use.

No GPU is needed: the calls are those that libcuda fails without (error 304).
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.trial.tiny import HONEST, SPEC, run
from tests.requirements import lacks
from timetrial.harness.planning.environment import has_compiler
from timetrial.harness.trial import isolation, landlock

STARTS = """
import os, socket, threading
os.ftruncate(os.memfd_create("shared", os.MFD_CLOEXEC), 1 << 21)
uvm = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
uvm.bind("\\0cuda-uvmfd-" + str(os.getpid())); uvm.listen(16)
thread = threading.Thread(target=threading.Event().wait, daemon=True); thread.start()
for number in {thread.native_id, threading.get_native_id()}:
    with open(f"/proc/self/task/{number}/comm", "w") as file: file.write("cuda-event")
    assert open(f"/proc/self/task/{number}/comm").read() == "cuda-event\\n"
try: socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect("/tmp/nvidia-mps/control")
except FileNotFoundError: print("alone", flush=True)
"""
CHEATS = {
    "the network": "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
    "a stream": "socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)",
    "messages without a connection": "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "whoever comes": "mine = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); mine.bind(chr(0) + 'x'); "
    "mine.listen(); mine.settimeout(1); mine.accept()",
    "a socket of the machine": "socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect({socket!r})",
    "the settings of the kernel": "open('/proc/sys/kernel/hostname', 'w').write('mine')",
    "the process above": "open(f'/proc/{{os.getppid()}}/comm', 'w').write('mine')",
    "its place when memory ends": "open('/proc/self/oom_score_adj', 'w').write('1000')",
}
ATTEMPT = """
import os, socket
try:
    {}
    print("REACHED", flush=True)
except OSError as error:
    print("refused:", error, flush=True)
"""
walled = pytest.mark.skipif(
    not {isolation.SYSTEM_CALLS, isolation.FILES} <= set(isolation.available()) or not landlock.version(),
    reason="this machine has no filter of system calls, or no Landlock",
)


@pytest.fixture
def says(arena, tmp_path):
    """Run a submission as on a GPU; gives what it has printed before torch looks for one."""

    def run_text(source: str) -> str:
        result = run(source + HONEST, arena, tmp_path / "trial", replace(SPEC, device="cuda"))
        assert isolation.SYSTEM_CALLS in result.environment["isolation"], result.reason
        return (tmp_path / "trial" / "trainee.log").read_text()

    return run_text


@walled
def test_a_driver_can_start(says) -> None:
    assert "alone" in says(STARTS)


@walled
@pytest.mark.parametrize("what", CHEATS)
def test_and_a_submission_gains_nothing_by_it(what, says, tmp_path) -> None:
    said = says(ATTEMPT.format(CHEATS[what].format(socket=str(tmp_path))))
    assert "refused" in said and "REACHED" not in said


DRIVER = r"""
#include <cstdio>
#include <cstring>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void *wait_for(void *) { pause(); return nullptr; }

extern "C" int cuInit(unsigned) {
    if (memfd_create("shared", MFD_CLOEXEC) < 0) return 304;
    int uvm = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sockaddr_un address = {AF_UNIX, "\0cuda-uvmfd"};
    if (uvm < 0 || bind(uvm, (sockaddr *)&address, 13) || listen(uvm, 16)) return 304;
    pthread_t thread;
    if (pthread_create(&thread, nullptr, wait_for, nullptr)) return 304;
    return pthread_setname_np(thread, "cuda-event") ? 304 : FAULT;
}
"""


@pytest.fixture
def folder():
    """A folder outside /tmp, which a trainee has for itself."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        yield Path(name)


@walled
@pytest.mark.parametrize("fault", [0, 100])
def test_doctor_starts_the_driver_behind_the_wall(fault, folder) -> None:
    """With a driver that does what libcuda does, from a folder of LD_LIBRARY_PATH, where a cluster may have it."""
    if not has_compiler():
        lacks("compiler", "g++ or the headers of Python are missing")
    source, library, smi = (folder / name for name in ("driver.cpp", "libcuda.so.1", "nvidia-smi"))
    source.write_text(DRIVER)
    subprocess.run(["g++", "-shared", "-fPIC", f"-DFAULT={fault}", source, "-o", library, "-pthread"], check=True)
    smi.write_text("#!/bin/sh\necho 'A card, 1 MiB, 570.1, 1 MHz'\n")
    smi.chmod(0o755)
    said = subprocess.run(
        [sys.executable, "-c", "from timetrial.harness.commands import doctor\nprint(*doctor._enforced(), sep='\\n')"],
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "LD_LIBRARY_PATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    line = next(line for line in said.splitlines() if "GPU behind the wall" in line)
    assert ("starts" in line) == (fault == 0), line
    assert ("error 100" in line) == (fault == 100), line
