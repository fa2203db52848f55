"""A `results/` with two entries, and what the tests of it share."""

import shutil

import pytest

from tests.harness.report.generator import write_planned_run
from timetrial.harness.cli import main
from timetrial.harness.planning import places


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """A run of two submissions, and a `results/` where both were submitted."""
    root = tmp_path_factory.mktemp("clone") / "results"
    root.mkdir()
    run = write_planned_run(root / "runs" / "first", "sgd", "adamw")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "RESULTS", root)
        assert main(["submit", "sgd", str(run.path)]) == 0
        assert main(["submit", "adamw", str(run.path)]) == 0
    return root


@pytest.fixture
def results(pristine, tmp_path, monkeypatch):
    """A copy of it to tamper with."""
    root = tmp_path / "results"
    shutil.copytree(pristine, root)
    monkeypatch.setattr(places, "RESULTS", root)
    return root


BOARD = "quickstart/external"


def tamper(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def check_fails_naming(capsys, *named):
    assert main(["submit", "--check"]) == 1
    message = capsys.readouterr().err
    for name in named:
        assert name in message
