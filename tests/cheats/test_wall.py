"""Cheats that would carry something from trial to trial, or take from the machine more than a trial may have."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from tests.cheats.test_breaking import AT_STEP
from tests.cheats.test_reach import needs
from tests.harness.trial.tiny import HONEST, run
from timetrial.harness.planning.places import ROOT
from timetrial.harness.trial import isolation, namespaces, referee
from timetrial.harness.trial.trainee_process import _remove

LIBC = "import ctypes; libc = ctypes.CDLL(None, use_errno=True)"
CALL = LIBC + "; result = libc.syscall({}); 1 / (result >= 0 or ctypes.get_errno() not in (1, 38))"
MARKS = {
    "a System V segment": CALL.format("29, 77, 4096, 0o1666"),
    "a System V queue": CALL.format("68, 77, 0o1666"),
    "a POSIX queue": CALL.format("240, b'timetrial', 0o102, 0o666, None"),
    "the session's keyring": CALL.format("248, b'user', b'weights', b'xx', 2, -3"),
    "an extended attribute of the weights' file": "[os.setxattr(n, 'user.w', b'1') for n in range(3, 64)]",
    "a unix socket": "__import__('socket').socket(__import__('socket').AF_UNIX)",
    "memory with a file": "os.memfd_create('kept')",
    "a file among the libraries": "open(torch.__file__ + '.mark', 'w')",
    "a file in the folder for temporary files of the machine": "os.stat({marker!r})",
}
OTHERS = {
    "the limits of the referee": "__import__('resource').prlimit({referee}, 8, (0, 0))",
    "its own limits through another number": "__import__('resource').prlimit(os.getppid(), 8, (0, 0))",
    "the cores of the referee": "os.sched_setaffinity({referee}, [0])",
    "its own cores": "os.sched_setaffinity(0, os.sched_getaffinity(0))",
    "the priority of the referee": "os.setpriority(os.PRIO_PROCESS, {referee}, 19)",
    "the memory of another process": CALL.format("310, {referee}, None, 0, None, 0, 0"),
    "tracing": CALL.format("101, 16, {referee}, 0, 0"),
    "a user namespace": CALL.format("272, 0x10000000"),
    "children whose processor time nobody sees": "__import__('signal').signal(17, __import__('signal').SIG_IGN)",
    "such children, by a number that the kernel cuts to 17": CALL.format(
        "ctypes.c_long(13), ctypes.c_long(17 | 1 << 32), (ctypes.c_ulong * 4)(1), None, ctypes.c_long(8)"
    ),
    "which pages of a library are in memory": LIBC
    + "; import mmap, torch; pages = mmap.mmap(-1, 4096)"
    + "; place = ctypes.addressof(ctypes.c_char.from_buffer(pages)); 1 / (libc.mincore(ctypes.c_void_p(place), 4096, "
    + "ctypes.create_string_buffer(1)) == 0 or ctypes.get_errno() != 1)",
    "pages of a library that leave memory": "__import__('mmap').mmap(-1, 4096).madvise(21)",
    "only the pages that are in memory": "os.preadv(os.open(os.__file__, 0), [bytearray(1)], 0, os.RWF_NOWAIT)",
}
x86_64 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of system calls are those of x86_64")


@x86_64
@needs(isolation.SYSTEM_CALLS)
@needs(isolation.DISK)
@pytest.mark.parametrize("what", MARKS)
def test_nothing_outlives_an_attempt(what, says, tmp_path) -> None:
    marker = Path("/tmp") / f"timetrial-mark-{os.getpid()}"
    marker.touch()
    line = MARKS[what].format(marker=str(marker)) if "{marker" in MARKS[what] else MARKS[what]
    said = says(f"import torch\n{line}")
    marker.unlink()
    assert "refused" in said and "REACHED" not in said


@x86_64
@needs(isolation.SYSTEM_CALLS)
@pytest.mark.parametrize("what", OTHERS)
def test_no_other_process_is_within_reach(what, says) -> None:
    said = says(OTHERS[what].format(referee=os.getpid()))
    assert "refused" in said and "REACHED" not in said


@needs(isolation.SYSTEM_CALLS)
def test_a_file_that_stays_cannot_be_marked_by_its_mode_or_times(says) -> None:
    before = os.stat(torch.__file__)
    says("import torch\nos.chmod(torch.__file__, 0o600); os.utime(torch.__file__, (1, 1))")
    after = os.stat(torch.__file__)
    assert (before.st_mode, before.st_mtime) == (after.st_mode, after.st_mtime)


@needs(isolation.SYSTEM_CALLS)
def test_what_training_needs_is_left(says) -> None:
    honest = """
import subprocess, tempfile, threading
assert subprocess.run(["true"]).returncode == 0
with tempfile.NamedTemporaryFile() as file: file.write(b"x")
thread = threading.Thread(target=print); thread.start(); thread.join()
os.sched_getaffinity(0); __import__('resource').getrlimit(0); open("/proc/cpuinfo").read(10)"""
    assert "REACHED" in says(honest)


@needs(isolation.DISK)
def test_the_files_of_a_trial_together_have_a_limit(says) -> None:
    fill = "[open(f'{n}', 'wb').write(bytes(1 << 28)) for n in range(5)]"
    assert "No space left" in says(fill)


@needs(isolation.TASKS)
def test_the_processes_of_a_trial_together_have_a_limit(arena, tmp_path) -> None:
    many = "[__import__('threading').Thread(target=signal.pause).start() for _ in range(3000)]"
    result = run(AT_STEP.format(what=many), arena, tmp_path / "trial")
    assert result.status == "crashed"
    assert "start new thread" in result.reason or "more processes and threads" in result.reason


def test_the_memory_of_the_processes_of_a_trial_together_has_a_limit(arena, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(referee, "memory_limit", lambda: 1 << 30)
    shared = "for _ in range(16):\n            if os.fork() == 0: x = torch.ones(20 << 20); signal.pause()"
    result = run(AT_STEP.format(what=f"{shared}\n        signal.sigtimedwait([], 20)"), arena, tmp_path / "trial")
    assert result.status == "out_of_memory", result.reason
    assert "more memory" in result.reason


def test_folders_in_each_other_by_the_thousand_are_removed(tmp_path) -> None:
    deep, here = tmp_path / "deep", os.getcwd()
    deep.mkdir()
    try:
        os.chdir(deep)
        for _ in range(1500):
            os.mkdir("x")
            os.chdir("x")
        os.chmod(".", 0)
    finally:
        os.chdir(here)
    _remove(str(deep))
    assert not deep.exists()


TELLS = "import os\nprint('HERE', os.listdir('.'), os.getuid(), flush=True)\n"
DENY = """
import errno, os, sys
import pyseccomp as seccomp
calls = seccomp.SyscallFilter(seccomp.ALLOW)
for name in ("unshare", "setns", "mount", "pivot_root"):
    calls.add_rule(seccomp.ERRNO(errno.EPERM), name)
calls.load()
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def _trial(tmp_path: Path, *before: str, source: str = TELLS + HONEST) -> dict:
    """Run an honest trial, of `source`, in a program of its own, started by what stands `before` it."""
    command = [*(before or (sys.executable,)), "-m", "tests.cheats.ordinary", str(tmp_path)]
    environment = os.environ | {"TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, input=source, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@needs(isolation.SYSTEM_CALLS)
def test_a_trial_where_no_namespace_is_allowed_runs_and_says_what_stands(tmp_path) -> None:
    """As in a container without privileges."""
    result = _trial(tmp_path, sys.executable, "-c", DENY)
    assert result["status"] == "budget_exhausted", result["reason"]
    stands = result["environment"]["isolation"]
    assert isolation.SYSTEM_CALLS in stands and isolation.SHARED_MEMORY in stands
    assert isolation.DISK not in stands


READS_LATE = """
import os, sys
def late():
    (library,) = [path for path in (f"{folder}/read_late.py" for folder in sys.path) if os.path.exists(path)]
    try: open(library, "a").write("more")
    except OSError: print("HERE", open(library).read(), flush=True)
    open("/tmp/much", "wb").write(bytes(3 << 20))
    try: os.rename("/tmp/etc", "/tmp/elsewhere")
    except FileNotFoundError: print("WHOLE", flush=True)
"""


@pytest.fixture
def below_tmp():
    with tempfile.TemporaryDirectory(dir=namespaces.WRITABLE) as folder:
        yield Path(folder)


@needs(isolation.DISK)
def test_libraries_in_the_folder_for_temporary_files_are_read_late_and_never_written(below_tmp) -> None:
    """As those of an environment below /tmp, where the one folder that a trial may write to is mounted."""
    libraries = below_tmp / "an" / "environment"
    libraries.mkdir(parents=True)
    (libraries / "read_late.py").write_text("a library")
    (below_tmp / "link").symlink_to(namespaces.WRITABLE)
    told = READS_LATE + HONEST.replace("    return", "    late()\n    return")
    environment = ("env", f"PYTHONPATH={libraries}:{below_tmp / 'link'}", "LD_LIBRARY_PATH=/tmp", sys.executable)
    result = _trial(below_tmp, *environment, source=told)
    assert result["status"] == "budget_exhausted", (result["reason"], result["traceback"])
    assert "HERE a library" in result["said"] and "WHOLE" in result["said"]


def _opened(folders: list[Path], beside: Path) -> tuple[str, ...]:
    """Give the start of a command that shows `folders`, which may lie where root alone can go, to every user.

    In mounts of its own, each folder on the way that is closed to others is covered by an empty one that is open.
    """
    ways = [[*reversed(folder.parents), folder] for folder in folders]
    closed = {str(next((path for path in way if not path.stat().st_mode & 1), "")) for way in ways} - {""}
    kept = {str(folder): beside / f"opened_{number}" for number, folder in enumerate(folders)}
    lines = [f"mkdir {at} && mount --bind {folder} {at}" for folder, at in kept.items()]
    lines += [f"mount -t tmpfs -o mode=755 none {path}" for path in sorted(closed)]
    lines += [f"mkdir -p {folder} && mount --bind {at} {folder}" for folder, at in kept.items()]
    return ("unshare", "--mount", "sh", "-ec", "\n".join([*lines, f"cd {ROOT}", 'exec "$@"']), "sh")


@pytest.fixture
def open_folder():
    """A folder where everybody may write, which `tmp_path` is not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


def test_a_trial_of_an_ordinary_user_runs_behind_the_same_wall(open_folder) -> None:
    if os.getuid() != 0:
        result = _trial(open_folder)
    else:
        private = _opened([Path(sys.base_prefix), ROOT], beside=open_folder)
        user = (
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "--no-new-privs",
            "--inh-caps=-all",
        )
        result = _trial(open_folder, *private, *user, sys.executable)
        assert "HERE [] 65534" in result["said"]
    assert result["status"] == "budget_exhausted", (result["reason"], result["traceback"])
    assert result["environment"]["isolation"] == sorted(isolation.WALL)
