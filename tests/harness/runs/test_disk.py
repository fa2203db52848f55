"""A full disk and a folder that becomes read-only: one clear line, what was written stays readable, the run resumes."""

import contextlib
import os
import subprocess

import pytest

from tests.harness.runs.tiny_runs import (
    LOCAL,
    lines_written,
    metrics,
    overrides,
    start,
    timetrial,
    trial_folders,
    wait_for,
)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk takes root and a kernel that allows it")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def _full(folder):
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1024))
    yield
    ballast.unlink()


@contextlib.contextmanager
def _read_only(folder):
    # The kernel refuses as long as a file of the disk is open for writing, which one of a run's often is.
    remount = ["mount", "-o", "remount,ro", str(folder)]
    wait_for(lambda: not subprocess.run(remount, capture_output=True).returncode, "a moment between two writes")
    yield
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)


@pytest.mark.parametrize(
    ("fault", "said"),
    [(_full, "No space left on device"), (_read_only, "Read-only file system")],
    ids=["full", "read-only"],
)
def test_a_disk_that_fails_in_the_middle_is_named_and_the_run_goes_on_afterwards(small_disk, fault, said):
    run = small_disk / "run"
    arguments = [*overrides(run, steps=300), *LOCAL]
    process = start("run", *arguments)
    wait_for(lambda: lines_written(run) >= 3, "some evaluations")
    with fault(small_disk):
        _, errors = process.communicate(timeout=100)
        assert process.returncode == 1
        assert errors.splitlines()[-1].startswith("timetrial run: ") and said in errors.splitlines()[-1]
        assert str(run) in errors.splitlines()[-1] and "Traceback" not in errors
        assert len(trial_folders(run)[0].read_evaluations()) >= 3
        status = timetrial("status", str(run))
        assert status.returncode == 0 and "corrupt  " not in status.stdout
        again = timetrial("run", *arguments)
        assert again.returncode == 1 and said in again.stderr.splitlines()[-1] and "Traceback" not in again.stderr
    done = timetrial("run", *arguments)
    assert done.returncode == 0, done.stderr
    assert all(len(lines) == 30 for lines in metrics(run).values())
