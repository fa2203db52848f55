"""The weights of the last evaluation, which a run keeps when asked, and what is not done with them."""

import pytest
import torch

from tests.harness.entries.raced import race
from tests.harness.runs.tiny_runs import LOCAL, overrides, trial_folders
from timetrial.harness import UsageError
from timetrial.harness.cli import main
from timetrial.harness.records.files import CorruptRecord, TrialFolder
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.trial import arena


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A `results/` of two entries whose run kept its weights, beside that run."""
    with pytest.MonkeyPatch.context() as patch:
        yield race(tmp_path_factory.mktemp("kept"), patch, "keep_weights=true")


def test_kept_weights_give_the_metrics_of_the_last_evaluation_again(results):
    folders = RunFolder(results.parent / "runs/race").trials()
    assert len(folders) == 4
    place = arena.Arena(folders[0].read_spec(), None)
    for folder in folders:
        last = folder.read_evaluations()[-1]
        assert place.load_weights(folder.read_weights())
        assert (place.evaluate("validation"), place.evaluate("test")) == (last.validation, last.test)


def test_an_entry_has_no_weights(results):
    assert list((results.parent / "runs").rglob("*.pt")) and not list(results.rglob("*.pt"))
    entry = results / "tiny/self_tuning/adamw"
    assert {file.name for file in entry.iterdir()} == {"entry.json", "trials.jsonl"}
    assert b"weights" not in (entry / "trials.jsonl").read_bytes().replace(b"weights or loss", b"")


def test_a_run_keeps_no_weights_unless_asked_and_ends_no_trial_again_for_them(tmp_path):
    run = tmp_path / "run"
    assert main(["run", *LOCAL, *overrides(run, trials=1, steps=20)]) == 0
    (folder,) = trial_folders(run)
    ended = folder.result_file.read_bytes()
    assert not list(run.rglob("*.pt")) and folder.read_weights() is None
    assert main(["run", *LOCAL, *overrides(run, trials=1, steps=20), "keep_weights=true"]) == 0
    assert folder.result_file.read_bytes() == ended and folder.read_weights() is None


def test_what_is_neither_yes_nor_no_is_said_in_a_line(tmp_path, capsys):
    assert main(["run", *LOCAL, *overrides(tmp_path / "run"), "keep_weights=often"]) == 2
    error = capsys.readouterr().err
    assert "keep_weights=true or keep_weights=false" in error and error.count("\n") == 1


def test_weights_that_are_too_large_are_refused_before_the_trial(results, monkeypatch):
    place = arena.Arena(RunFolder(results.parent / "runs/race").trials()[0].read_spec(), None)
    place.check_that_weights_can_be_kept()
    monkeypatch.setattr(arena, "MOST_KEPT_BYTES", 1000)
    with pytest.raises(UsageError, match="leave keep_weights out"):
        place.check_that_weights_can_be_kept()


def test_a_damaged_file_of_weights_is_named(tmp_path):
    folder = TrialFolder(tmp_path)
    folder.write_weights({"bias": torch.arange(3.0)})
    assert torch.equal(folder.read_weights()["bias"], torch.arange(3.0))
    folder.weights_file.write_bytes(folder.weights_file.read_bytes()[:-30])
    with pytest.raises(CorruptRecord, match=r"weights\.pt"):
        folder.read_weights()
