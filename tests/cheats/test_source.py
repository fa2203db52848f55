"""Cheats that bring code or data which the hash of a source does not cover."""

import pytest

from tests.harness.trial.tiny import HONEST, SPEC
from timetrial.harness import UsageError
from timetrial.harness.cli import main
from timetrial.harness.planning import catalogue
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.source import Source, read_source
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.trial.referee import run_trial

YAML = "author: a\ndescription: b\nlicence: c\nhyperparameters: {learning_rate: 0.1}\n"
HELPER = "import torch\n\ndef make(model, rate):\n    return torch.optim.AdamW(model.parameters(), lr=rate)\n"
IMPORTS = """
from timetrial.submissions.{} import make

def build_optimizer(model, hyperparameters, task):
    return make(model, hyperparameters.learning_rate)
"""


@pytest.fixture
def submission(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "SUBMISSIONS", tmp_path)
    folder = tmp_path / "mine"
    (folder / "core").mkdir(parents=True)
    (folder / "submission.yaml").write_text(YAML)
    (folder / "submission.py").write_text(HONEST)
    return folder


def run(source: Source, arena, folder):
    folder.mkdir()
    return run_trial(SPEC, source, arena, TrialFolder(folder))


def test_a_package_of_its_own_that_no_hash_covers_cannot_be_imported(submission, arena, tmp_path) -> None:
    found = find_submission("mine")
    (submission / "core" / "impl.py").write_text(HELPER)
    with pytest.raises(UsageError, match=r"'mine' has modules in .*core: put them beside"):
        find_submission("mine")
    (submission / "weights.npy").write_bytes(b"trained")
    (submission / "submission.py").write_text(IMPORTS.format("mine.core.impl"))
    result = run(read_source("mine", found.source_files()), arena, tmp_path / "trial")
    assert result.status == "crashed"
    assert "No module named 'timetrial.submissions.mine'" in result.reason


def test_files_beside_a_submission_and_shared_modules_are_hashed_and_imported(submission, arena, tmp_path) -> None:
    for module, file in (("mine.parts", submission / "parts.py"), ("parts", tmp_path / "parts.py")):
        (submission / "submission.py").write_text(IMPORTS.format(module))
        file.write_text(HELPER)
        found = find_submission("mine")
        before, source = found.source_hash(), read_source("mine", found.source_files())
        result = run(source, arena, tmp_path / f"trial_{module}")
        assert result.status == "budget_exhausted", result.reason
        file.write_text(HELPER + "# changed\n")
        assert find_submission("mine").source_hash() != before


@pytest.mark.parametrize("verb", [["check", "mine"], ["run", "submission=mine", "suite=quickstart"]])
def test_a_source_that_is_not_utf_8_is_a_mistake_in_a_line(verb, submission, capsys) -> None:
    (submission / "submission.py").write_bytes("# -*- coding: latin-1 -*-\nname = 'é'\n".encode("latin-1"))
    with pytest.raises(UsageError, match="not UTF-8"):
        find_submission("mine")
    assert main(verb) == 2
    message = capsys.readouterr().err
    assert "not UTF-8" in message and "Traceback" not in message
