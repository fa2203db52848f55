"""What every cheat is measured against: an arena for the tiny trial, and the honest twin that ran in it."""

from pathlib import Path

import pytest
import torch

from tests.harness.trial.tiny import HONEST, SPEC, metrics, run
from timetrial.harness.trial.arena import Arena


@pytest.fixture(scope="session")
def arena():
    torch.set_num_threads(1)
    arena = Arena(SPEC, None)
    yield arena
    arena.close()


@pytest.fixture(scope="session")
def honest(arena, tmp_path_factory) -> list[tuple]:
    """What the honest twin's evaluations recorded."""
    path = tmp_path_factory.mktemp("honest")
    result = run(HONEST, arena, path)
    assert (result.status, result.flags) == ("budget_exhausted", ()) or result.flags == ("unsteady_clock",)
    return metrics(path)


@pytest.fixture
def ran(arena, tmp_path):
    """Run a submission given as text; gives the result and what its evaluations recorded."""

    def run_text(source: str, spec=SPEC):
        result = run(source, arena, Path(tmp_path) / "trial", spec)
        return result, metrics(Path(tmp_path) / "trial")

    return run_text


ATTEMPT = """
import os, sys

def tell(what):
    os.write(1, (str(what) + "\\n").encode())

try:
    %s
    tell("REACHED")
except BaseException as error:
    tell("refused: " + repr(error))
"""


@pytest.fixture
def says(ran, tmp_path):
    """Run the honest submission after an attempt; gives what the attempt has printed."""

    def attempt(line: str) -> str:
        result, _ = ran(ATTEMPT % line.replace("\n", "\n    ") + HONEST)
        assert result.status == "budget_exhausted", (result.reason, result.traceback)
        return (tmp_path / "trial" / "trainee.log").read_text()

    return attempt
