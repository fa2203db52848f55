"""A run in pieces, each on a machine that has nothing but what the last piece left."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "in_pieces"
RACE = ["run", "submission=sgd", "suite=quickstart", "workloads=[modular_division]", "ruleset=self_tuning", "run=r"]
MOST = 8


def piece(folder, seconds, *command):
    environment = {**os.environ, "PYTHON": sys.executable}
    return subprocess.run(
        [SCRIPT, "run", folder, str(seconds), *command], env=environment, capture_output=True, text=True
    )


def ended(folder):
    """Say when each trial has ended, as the state that travels has it."""
    with tarfile.open(folder / "state.tar.gz") as state:
        files = [state.extractfile(name) for name in state.getnames() if name.endswith("result.json")]
        return sorted(json.load(file)["finished_at"] for file in files)


def test_pieces_go_on_where_the_last_was_stopped(tmp_path):
    found = []
    while not found or found[-1].returncode == 124:
        assert len(found) < MOST, found[-1].stderr
        seconds = 10 * (len(found) + 1)  # the first is too short for all, and some is long enough on a busy machine
        found.append(piece(tmp_path, seconds, *RACE, "max_steps=60", "ruleset.studies=30", "executor.slots=1"))
        shutil.rmtree(tmp_path / "runs")  # the machine forgets
        after = ended(tmp_path)
        if len(found) == 1:
            first = after
    assert found[-1].returncode == 0, found[-1].stderr
    assert len(found) > 1 and len(after) == 30 and after[: len(first)] == first


def test_a_command_that_fails_says_so_and_what_is_no_verb_of_it_is_refused(tmp_path):
    failed = piece(tmp_path, 30, "run", "submission=nobody")
    assert failed.returncode == 2 and "unknown submission" in failed.stderr
    assert subprocess.run([SCRIPT, "push", tmp_path], capture_output=True).returncode == 2
