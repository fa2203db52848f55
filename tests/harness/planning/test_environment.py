"""What a record says of the machine and the clone that it comes from."""

import subprocess

import pytest

from timetrial.harness.planning import environment


@pytest.fixture
def clone(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "CLONE", tmp_path)
    (tmp_path / "results").mkdir()
    for file in ("code.py", "results/seen.md"):
        (tmp_path / file).write_text("before")
    identity = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_a_changed_clone_is_dirty_and_one_with_new_results_is_not(clone):
    clean = environment._commit()
    assert len(clean) == 12
    (clone / "results" / "seen.md").write_text("after")
    assert environment._commit() == clean
    (clone / "code.py").write_text("after")
    assert environment._commit() == f"{clean}-dirty"


GPUS = {"GPU-5f1b-aa": "one", "GPU-77c0-bb": "other"}


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        (None, ["one", "other"]),
        ("1", ["other"]),
        ("1,0", ["other", "one"]),
        ("7", []),
        ("", []),
        ("GPU-77c0-bb", ["other"]),
        ("GPU-5f, 1", ["one", "other"]),
        ("GPU-of-another-node", []),
        ("MIG-11", ["part of one"]),
    ],
)
def test_gpus_are_those_that_cuda_shows(visible, seen):
    assert environment._visible(GPUS, visible) == seen


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "CLONE", tmp_path)
    assert environment._commit() is None
