"""What a trainee process gives up before it runs a submission's code, and what the kernel enforces of it."""

import contextlib
import ctypes
import glob
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from timetrial.harness.trial import landlock, namespaces, system_calls

KEPT_VARIABLES = ("PATH", "LANG", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
CODE = Path(__file__).resolve().parent.parent.parent
"""The clone, of which a trainee reads the harness and nothing else."""
FILE_LIMIT, OPEN_FILES_LIMIT, TASKS_LIMIT = 1 << 30, 1024, 1024
"""Bytes of all files of a trainee (of each, without namespaces), its open files, its threads and processes at most."""

MEMORY_SHARE = 0.8
IMPORTS = "/imports"
"""Where a trainee with a file system of its own finds what its submission imports, if that is not readable anyway."""
OWN_THREADS = "/proc/self/task"
"""Where libcuda names its threads as it starts; from driver 570 on it fails with error 304 if it cannot."""

FILES, NETWORK, OTHERS, TASKS = "files", "network", "other processes", "number of processes"
SHARED_MEMORY, SYSTEM_CALLS, DISK = "shared memory", "system calls", "disk space"
WALL = (FILES, NETWORK, OTHERS, SHARED_MEMORY, SYSTEM_CALLS, DISK, TASKS)
"""All that can be kept from a trainee; a result says what was (`environment.isolation`)."""
_PR_CAPBSET_DROP, _CAPABILITY_VERSION = 24, 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Wall:
    """What stands around a trainee before it starts; it adds what a process can only do to itself."""

    namespaces: int
    folder: str
    """Where it may write."""
    view: bool
    """Whether it sees a file system of its own."""
    own_proc: bool
    """Whether /proc shows its own processes alone."""
    imports: Mapping[str, str] = field(default_factory=dict)
    """Where it reads what its submission imports from outside, by the names of the modules."""


def memory_limit() -> int:
    """Give the bytes of memory that a trainee may have: most of the machine's, but never all."""
    return int(MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def raise_wall(entered: int, folder: str, imports: Mapping[str, str], gpu: bool = False) -> Wall:
    """Build what the namespaces `entered` allow; `folder`, empty, is for a trainee without a file system of its own.

    `imports` are the places of what its submission imports, which it may read. With `gpu`, for a trial on one, /proc is
    left to Landlock, since a driver names its threads there.
    """
    if entered & namespaces.NEW_PIDS:
        namespaces.limit_numbers(TASKS_LIMIT)
        seen = {name: _place_in_view(place) for name, place in imports.items()}
        with contextlib.suppress(OSError):  # a user namespace in which nothing may be mounted
            shown = {seen[name]: place for name, place in imports.items() if seen[name] != place}
            own_proc = namespaces.show_only(_readable(), shown, FILE_LIMIT, gpu and landlock.version() > 0)
            return Wall(entered, namespaces.WRITABLE, True, own_proc, seen)
    return Wall(entered, folder, False, False, imports)


def _place_in_view(place: str) -> str:
    """Say where a trainee with a file system of its own finds what lies at `place`: there, if it is readable there."""
    if any(Path(place).is_relative_to(os.path.realpath(path)) for path in _readable()):
        return place
    return f"{IMPORTS}/{os.path.basename(place)}"


def isolate(wall: Wall, kept_files: Iterable[int], memory_bytes: int, gpu: bool = False) -> list[str]:
    """Leave the referee's environment and files, and whatever else the kernel lets a process give up, for good.

    With `gpu`, what the driver of one does as it starts stays possible. Gives what is kept from this process from here
    on, of `WALL`. To be called before there are threads.
    """
    _close_files(kept_files)
    for name in list(os.environ):
        if name not in KEPT_VARIABLES:
            del os.environ[name]
    os.environ |= {"HOME": wall.folder, "TMPDIR": wall.folder, "USER": "trainee"}
    tempfile.tempdir = wall.folder  # the forkserver may have looked up its own
    sys.argv = ["trainee"]
    os.chdir(wall.folder)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")  # where memory ends, this process ends first
    _limit_resources(memory_bytes)
    number = landlock.version()
    if number:
        proc = ["/proc"] if wall.own_proc else _own_proc()
        writable = [wall.folder, *_devices()]
        if gpu:
            writable.append(OWN_THREADS)
            os.open(OWN_THREADS, os.O_PATH)  # stays open: what a rule is about must not be forgotten and made anew
        landlock.restrict([*_readable(), *wall.imports.values(), *proc], writable)
    _drop_capabilities()
    filtered = system_calls.leave_out(gpu)
    return _enforced(wall, number, filtered)


def _enforced(wall: Wall, number: int, filtered: bool) -> list[str]:
    """List what stands, by the namespaces, the version `number` of Landlock, and the filter of system calls."""
    own_pids, own_users = wall.namespaces & namespaces.NEW_PIDS, wall.namespaces & namespaces.NEW_USER
    stands = {
        FILES: wall.view or number > 0,
        NETWORK: wall.namespaces & namespaces.NEW_NETWORK or filtered,
        OTHERS: own_pids or number >= 6,
        SHARED_MEMORY: filtered,
        SYSTEM_CALLS: filtered,
        DISK: wall.view,
        TASKS: own_pids or (own_users and os.getuid() != 0),
    }
    enforced = [name for name in WALL if stands[name]]
    if NETWORK not in enforced and number >= 4:
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


def _drop_capabilities() -> None:
    """Give up what root, here or in a user namespace, may do beyond others; programs that it starts have none."""
    for capability in range(64):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header, none = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    _libc.capset(header, none)


def _readable() -> list[str]:
    """List the code, libraries and facts about the machine that Python, torch and compilers need."""
    code = [str(CODE / "harness"), str(CODE / "pyproject.toml")]
    installed = [path for path in sys.path if path and not CODE.is_relative_to(path) and os.path.isdir(path)]
    python = [sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.path.realpath(sys.executable))]
    system = ["/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt", "/sys", "/dev/zero", "/dev/urandom", "/dev/random"]
    etc = [f"/etc/{name}" for name in ("ld.so.cache", "localtime", "passwd", "group", "nsswitch.conf", "alternatives")]
    loaded = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    libraries = [path for path in loaded if os.path.isabs(path) and not CODE.is_relative_to(os.path.realpath(path))]
    places = [*code, *installed, *python, *system, *etc, *libraries, *_devices()]
    return [path for path in places if namespaces.can_show(path)]


def _devices() -> list[str]:
    """List the devices that a trainee may write to."""
    return ["/dev/null", *glob.glob("/dev/nvidia*")]


def _own_proc() -> list[str]:
    """List what a trainee may read of a /proc that shows all processes."""
    facts = [f"/proc/{name}" for name in ("cpuinfo", "meminfo", "stat", "filesystems", "devices", "driver", "sys/vm")]
    own = [f"/proc/self/{name}" for name in ("maps", "stat", "statm", "status", "cgroup", "mountinfo", "task", "fd")]
    return [*facts, *own]


def available() -> list[str]:
    """List what of `WALL` stands on this machine, by building it around a process that ends at once."""
    return _behind_a_wall("\n".join).splitlines()


def start_gpu() -> int:
    """Start the driver of the GPU behind a wall, as a trial does; gives what `cuInit` says of it, 0 for success.

    https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__INITIALIZE.html; -1 where there is no libcuda.so.1.
    """
    return int(_behind_a_wall(lambda _: str(ctypes.CDLL("libcuda.so.1").cuInit(0)), gpu=True) or -1)


def _behind_a_wall(tell: Callable[[list[str]], str], gpu: bool = False) -> str:
    """Give what `tell` says, in a process behind a wall, of the list of what is kept from it; "" where it fails."""
    answer, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            entered = namespaces.enter()
            if entered & namespaces.NEW_PIDS and (inner := os.fork()):
                os.waitpid(inner, 0)
            else:
                wall = raise_wall(entered, tempfile.gettempdir(), {}, gpu)
                os.write(told, tell(isolate(wall, [told], memory_limit(), gpu)).encode())
        finally:
            os._exit(0)
    os.close(told)
    os.waitpid(child, 0)
    with open(answer) as file:
        return file.read()
