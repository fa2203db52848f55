"""A damaged file is named by `status` and `score`, and only its trial is run again."""

import json

from tests.harness.runs.tiny_runs import LOCAL, metrics, overrides, timetrial, trial_folders
from timetrial.harness.records.files import TrialFolder


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _nothing(content: bytes) -> bytes:
    return b""


def _garbled(content: bytes) -> bytes:
    return b"\x00\xff" + content[2:]


def _another_status(content: bytes) -> bytes:
    return json.dumps(json.loads(content) | {"status": "splendid"}).encode()


def _damaged_checkpoint(folder: TrialFolder) -> None:
    """Leave the trial as a kill does, with a checkpoint that is only half there."""
    folder.result_file.unlink()
    folder.write_checkpoint({}, b"state of a trainee")
    folder.checkpoint_file.write_bytes(_half(folder.checkpoint_file.read_bytes()))


DAMAGES = [
    ("result.json", _half),
    ("result.json", _nothing),
    ("result.json", _another_status),
    ("evals.jsonl", _garbled),
]


def test_damaged_files_are_named_and_only_their_trials_are_run_again(tmp_path):
    run = tmp_path / "run"
    arguments = [*overrides(run, trials=len(DAMAGES) + 3, steps=20), *LOCAL]
    done = timetrial("run", *arguments)
    assert done.returncode == 0, done.stderr
    before, (*hurt, checkpointed, lost, whole) = metrics(run), trial_folders(run)
    untouched = whole.result_file.stat().st_mtime_ns

    damaged = []
    for folder, (name, damage) in zip(hurt, DAMAGES, strict=True):
        damaged.append(folder.path / name)
        damaged[-1].write_bytes(damage(damaged[-1].read_bytes()))
    _damaged_checkpoint(checkpointed)
    score = timetrial("score", str(run))
    assert score.returncode == 1
    for file in damaged:
        assert str(file) in score.stderr
    lost.spec_file.write_bytes(_half(lost.spec_file.read_bytes()))
    score = timetrial("score", str(run))
    assert score.returncode == 2 and str(lost.spec_file) in score.stderr and score.stderr.count("\n") == 1

    damaged += [checkpointed.checkpoint_file, lost.spec_file]
    status = timetrial("status", str(run))
    assert status.returncode == 0
    for file in damaged:
        assert f"corrupt  {file}" in status.stdout
    listed = json.loads(timetrial("status", str(run), "--format", "json").stdout)
    assert len(listed["corrupt"]) == len(damaged)

    done = timetrial("run", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(" stopped by max_steps=") == len(damaged)
    assert metrics(run) == before
    assert whole.result_file.stat().st_mtime_ns == untouched
    assert "corrupt  " not in timetrial("status", str(run)).stdout
