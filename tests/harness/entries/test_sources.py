import json
from dataclasses import replace

import pytest

from tests.harness.entries.conftest import BOARD, check_fails_naming
from timetrial.harness import UsageError
from timetrial.harness.cli import main
from timetrial.harness.entries.committed import CommittedEntry
from timetrial.harness.planning.catalogue import find_submission, hash_source


def restored(entry, folder):
    CommittedEntry(entry).restore_source(folder)
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def entry_with(entry, sources):
    """Write other sources into an entry."""
    said = json.loads((entry / "entry.json").read_text())
    said["sources"] |= sources
    (entry / "entry.json").write_text(json.dumps(said))


def test_a_text_that_two_submissions_share_is_there_once(results):
    contents = [path.read_bytes() for path in (results / "sources").iterdir()]
    assert len(contents) == len(set(contents))
    shared = [CommittedEntry(results / BOARD / name).source_files()["shared/schedules.py"] for name in ("sgd", "adamw")]
    assert shared[0] == shared[1] and shared[0].name.endswith(".py")


def test_the_source_of_an_entry_is_restored_as_it_ran(results, tmp_path):
    entry = CommittedEntry(results / BOARD / "adamw")
    files = restored(entry.path, tmp_path / "again")
    assert {name: path.read_bytes() for name, path in files.items()} == {
        name: path.read_bytes() for name, path in find_submission("adamw").source_files().items()
    }
    assert hash_source(files) == entry.read()["source_hash"]


def test_the_restored_source_trains_as_the_original_does_bit_for_bit(results, tmp_path):
    from timetrial.harness.planning.source import read_source
    from timetrial.harness.records.files import TrialFolder
    from timetrial.harness.trial.arena import Arena
    from timetrial.harness.trial.referee import run_trial

    entry = CommittedEntry(results / BOARD / "adamw")
    recorded = next(
        spec for spec in (trial.read_spec() for trial in entry.trials()) if spec.workload.name == "modular_division"
    )
    spec = replace(recorded, max_steps=2 * recorded.workload.eval_every)
    arena = Arena(spec, None)
    metrics = []
    for files in (restored(entry.path, tmp_path / "again"), find_submission("adamw").source_files()):
        folder = TrialFolder(tmp_path / f"trial_{len(metrics)}")
        folder.path.mkdir()
        run_trial(spec, read_source("adamw", files), arena, folder, lambda: False)
        metrics.append([(evaluation.step, evaluation.validation) for evaluation in folder.read_evaluations()])
    arena.close()
    assert metrics[0] == metrics[1] and len(metrics[0]) == 2


def test_a_source_is_restored_into_a_new_folder_only_and_only_as_it_ran(results, tmp_path):
    entry = CommittedEntry(results / BOARD / "sgd")
    with pytest.raises(UsageError, match="exists"):
        entry.restore_source(tmp_path)
    entry.source_files()["submission.py"].write_text("# something else\n")
    with pytest.raises(UsageError, match="was changed"):
        entry.restore_source(tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_changed_text_is_found(results, capsys):
    text = CommittedEntry(results / BOARD / "adamw").source_files()["submission.py"]
    text.write_text(text.read_text() + "# faster\n")
    check_fails_naming(capsys, f"sources/{text.name} was changed")


def test_a_missing_text_is_found_with_the_entry_that_names_it(results, capsys):
    text = CommittedEntry(results / BOARD / "adamw").source_files()["submission.py"]
    text.unlink()
    check_fails_naming(capsys, f"sources/{text.name} is missing", "adamw/entry.json")


def test_a_link_in_place_of_a_text_is_found(results, tmp_path, capsys):
    text = CommittedEntry(results / BOARD / "adamw").source_files()["submission.py"]
    text.rename(tmp_path / "elsewhere.py")
    text.symlink_to(tmp_path / "elsewhere.py")
    check_fails_naming(capsys, f"sources/{text.name} is missing")


def test_a_text_that_no_entry_names_is_found(results, capsys):
    (results / "sources" / "0123456789abcdef.py").write_text("# left behind\n")
    check_fails_naming(capsys, "0123456789abcdef.py: no entry names it")


def test_another_text_under_the_name_of_a_file_is_not_the_source_that_ran(results, capsys):
    other = CommittedEntry(results / BOARD / "adamw").source_files()["submission.py"]
    entry_with(results / BOARD / "sgd", {"shared/more.py": other.name})
    check_fails_naming(capsys, "sgd/entry.json: source_hash")


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("name", ["../../escaped.py", "/tmp/escaped.py", "shared/../../x.py", "a\\b.py", "..", ".x.py"])
def test_a_name_that_leads_out_of_the_folder_is_refused_everywhere(results, tmp_path, capsys, name, as_text):
    entry = CommittedEntry(results / BOARD / "sgd")
    text = entry.source_files()["submission.py"].name
    entry_with(entry.path, {"submission.py": name} if as_text else {name: text})
    check_fails_naming(capsys, "sgd/entry.json", "cannot be the name of a source file")
    with pytest.raises(UsageError, match="cannot be the name"):
        entry.restore_source(tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert main(["report", str(results / BOARD)]) == 2
    assert "cannot be the name" in capsys.readouterr().err


def test_a_file_of_such_a_name_is_not_submitted(results, capsys):
    run = results / "runs/first"
    odd = run / "sgd/source/odd\nname.py"
    odd.write_text("")
    assert main(["submit", "sgd", str(run)]) == 1
    assert "rename the file" in capsys.readouterr().err


def test_a_new_entry_in_place_of_an_old_one_leaves_no_text_behind(results):
    run = results / "runs/first"
    entry = CommittedEntry(results / BOARD / "sgd")
    (results / "sources" / "0123456789abcdef.py").write_text("# of an older entry\n")
    assert main(["submit", "sgd", str(run)]) == 0
    assert not (results / "sources" / "0123456789abcdef.py").exists()
    assert all(text.is_file() for text in entry.source_files().values())


def test_the_page_holds_a_shared_text_once(results):
    page = (results / BOARD / "leaderboard.html").read_text()
    assert page.count("def cosine_with_warmup") == 1
