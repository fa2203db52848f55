"""What a trainee process gives up before it runs a submission's code."""

import contextlib
import ctypes
import glob
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from timetrial.harness.trial import landlock

KEPT_VARIABLES = ("PATH", "LANG", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
CODE = Path(__file__).resolve().parent.parent.parent
"""The clone, of which a trainee reads the code and nothing else."""
FILE_LIMIT, OPEN_FILES_LIMIT, TASKS_LIMIT = 1 << 30, 1024, 1024
"""Bytes of a file, open files, and threads and processes of a trainee at most."""

MEMORY_SHARE = 0.8

FOLDERS, NETWORK, OTHERS, TASKS = "files", "network", "other processes", "number of processes"
_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def memory_limit() -> int:
    """Give the bytes of memory of its own that a trainee may have: most of the machine's, but never all."""
    return int(MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def isolate(folder: str, kept_files: Iterable[int], memory_bytes: int) -> list[str]:
    """Leave the referee's session, environment, files and folder for the empty `folder`, which the referee removes.

    Gives what the kernel enforces from here on, of `FOLDERS`, `NETWORK`, `OTHERS` and `TASKS`. The process leads a
    group of its own and dies with the forkserver, which dies with the referee. To be called before there are threads.
    """
    with contextlib.suppress(OSError):
        os.setsid()
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _close_files(kept_files)
    for name in list(os.environ):
        if name not in KEPT_VARIABLES:
            del os.environ[name]
    os.environ |= {"HOME": folder, "TMPDIR": folder, "USER": "trainee"}
    tempfile.tempdir = folder  # the forkserver has looked up its own
    sys.argv = ["trainee"]
    os.chdir(folder)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # where memory ends, this process ends first
    enforced = [NETWORK, TASKS] if _leave_network() else []
    if os.getuid() == 0 and TASKS in enforced:
        enforced.remove(TASKS)  # the kernel does not count the processes of root
    _limit_resources(memory_bytes)
    if landlock.version():
        landlock.restrict(_readable(), [folder, "/dev/null", *glob.glob("/dev/nvidia*")])
        enforced += [FOLDERS, *([OTHERS] if landlock.version() >= 6 else [])]
        if landlock.version() >= 4 and NETWORK not in enforced:
            enforced.append(f"{NETWORK} (TCP)")
    return sorted(enforced)


def _close_files(kept: Iterable[int]) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    start = 3
    for descriptor in sorted(kept):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _leave_network() -> bool:
    """Move to a network without any interface, in a user namespace of our own; says whether the kernel lets us."""
    user, group = os.getuid(), os.getgid()
    if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with contextlib.suppress(OSError):
            Path(f"/proc/self/{file}").write_text(text)
    return True


def _limit_resources(memory_bytes: int) -> None:
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_DATA: memory_bytes,
        resource.RLIMIT_FSIZE: FILE_LIMIT,
        resource.RLIMIT_NOFILE: OPEN_FILES_LIMIT,
        resource.RLIMIT_NPROC: TASKS_LIMIT,
    }
    for limit, value in limits.items():
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        if limit != resource.RLIMIT_NPROC or os.getuid() != 0:
            resource.setrlimit(limit, (value, value))


def _readable() -> list[str]:
    """List the code, libraries and facts about the machine that Python, torch and compilers need."""
    code = [str(CODE / package) for package in ("harness", "workloads", "submissions")]
    python = [sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.path.realpath(sys.executable))]
    system = ["/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt", "/sys", "/dev/zero", "/dev/urandom", "/dev/random"]
    etc = [f"/etc/{name}" for name in ("ld.so.cache", "localtime", "passwd", "group", "nsswitch.conf", "alternatives")]
    proc = [f"/proc/{name}" for name in ("cpuinfo", "meminfo", "stat", "filesystems", "devices", "driver", "sys/vm")]
    own = [f"/proc/self/{name}" for name in ("maps", "stat", "statm", "status", "cgroup", "mountinfo", "task", "fd")]
    return [*code, *python, *system, *etc, *proc, *own]


def available() -> dict[str, str | None]:
    """Say, for each thing that may be kept from a trainee on this machine, by what; None where it cannot be."""
    child = os.fork()
    if child == 0:
        os._exit(0 if _leave_network() else 1)
    namespaces = os.waitpid(child, 0)[1] == 0
    number = landlock.version()
    by_landlock = f"Landlock, version {number}"
    network = "a user namespace" if namespaces else (f"{by_landlock}: TCP only" if number >= 4 else None)
    return {
        FOLDERS: by_landlock if number else None,
        NETWORK: network,
        OTHERS: by_landlock if number >= 6 else None,
        TASKS: "RLIMIT_NPROC in a user namespace" if namespaces and os.getuid() != 0 else None,
    }
