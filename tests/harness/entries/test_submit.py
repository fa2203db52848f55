import json
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from tests.harness.entries.conftest import BOARD, check_fails_naming, tamper
from timetrial.harness.cli import main
from timetrial.harness.entries.committed import CommittedEntry
from timetrial.harness.entries.submitting import difference, environment_problems
from timetrial.harness.planning import catalogue
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.places import SUBMISSIONS
from timetrial.harness.planning.plan import make_plan


def test_the_committed_layout_holds_no_path_of_the_machine(results, pristine):
    entry = results / BOARD / "sgd"
    assert {path.name for path in entry.iterdir()} == {"entry.json", "trials.jsonl", "reference.jsonl"}
    assert {path.name for path in (results / BOARD).iterdir() if path.is_file()} == {
        *("leaderboard.md", "leaderboard.csv", "leaderboard.html", "speedup.svg", "performance_profile.svg")
    }
    for file in results.rglob("*"):
        if file.is_file() and "runs" not in file.relative_to(results).parts:
            assert str(pristine.parent) not in file.read_text() and "node1" not in file.read_text()


def test_a_clone_scores_to_the_numbers_of_the_run(results, capsys):
    scores = []
    for place in (results / "runs" / "first", results / "quickstart", results / BOARD, results):
        if place == results:
            shutil.rmtree(results / "runs")
        assert main(["score", str(place), "--format", "csv"]) == 0
        scores.append(capsys.readouterr().out)
    assert len(set(scores)) == 1


def test_untouched_results_pass_the_check(results, capsys):
    assert main(["submit", "--check"]) == 0
    assert "2 entries" in capsys.readouterr().out


def test_submitting_prints_rank_change_for_others_and_git_commands(results, capsys):
    shutil.rmtree(results / BOARD / "sgd")
    assert main(["submit", "sgd", str(results / "runs" / "first")]) == 0
    out = capsys.readouterr().out
    assert (
        "sgd is on rank 1" in out
        and re.search(r"adamw: rank 1 with a score of [\d.]+ .*-> ", out)
        and re.search(r"git add results .*submissions/schedules.py submissions/sgd\n", out)
    )


def test_a_text_of_the_clone_whose_numbers_change_goes_into_the_pull_request_too(results, capsys):
    shutil.rmtree(results / BOARD / "sgd")
    (results.parent / "README.md").write_text(f"There are <!--= trials {BOARD}-->?<!--/--> trials.\n")
    assert main(["submit", "sgd", str(results / "runs" / "first")]) == 0
    assert "git add README.md results submissions/" in capsys.readouterr().out


def test_a_changed_record_is_found_and_named(results, capsys):
    tamper(results / BOARD / "sgd/trials.jsonl", '"wall_seconds":', '"wall_seconds":1')
    check_fails_naming(capsys, "sgd/trials.jsonl:1", "changed", "cifar_resnet/study_0/trial_0")


def test_a_missing_trial_is_found_and_named(results, capsys):
    file = results / BOARD / "sgd/trials.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    check_fails_naming(capsys, "sgd", "cifar_resnet/study_0/trial_0 is missing")


def test_a_trial_missing_from_records_and_entry_alike_is_found(results, capsys):
    file, entry = results / BOARD / "sgd/trials.jsonl", results / BOARD / "sgd/entry.json"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    said = json.loads(entry.read_text())
    del said["trials"]["cifar_resnet/study_0/trial_0"]
    entry.write_text(json.dumps(said))
    check_fails_naming(capsys, "cifar_resnet/study_0/trial_0 is missing")


@pytest.mark.parametrize("file", ["leaderboard.md", "leaderboard.csv", "leaderboard.html"])
def test_a_hand_edited_score_is_found_and_named(results, capsys, file):
    score = re.search(r"\b0\.\d{2,}", (results / BOARD / file).read_text())[0]
    tamper(results / BOARD / file, score, "0.1234")
    check_fails_naming(capsys, file, "0.1234")


def test_a_time_edited_together_with_its_hash_contradicts_the_evaluations(results, capsys):
    file, entry = results / BOARD / "adamw/trials.jsonl", results / BOARD / "adamw/entry.json"
    lines = file.read_text().splitlines()
    place = next(i for i, line in enumerate(lines) if '"status":"target_reached"' in line)
    trial = json.loads(lines[place])
    trial["result"]["time_to_target"] /= 2
    lines[place] = json.dumps(trial, separators=(",", ":"))
    file.write_text("\n".join(lines) + "\n")
    said = json.loads(entry.read_text())
    said["trials"] |= {t.key: t.hash for t in CommittedEntry(entry.parent).trials()}
    entry.write_text(json.dumps(said))
    check_fails_naming(capsys, f"adamw/trials.jsonl:{place + 1}")


def test_a_report_over_committed_results_leaves_what_is_committed_alone(results):
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    assert main(["report", str(results / "quickstart")]) == 0
    assert all(path.read_bytes() == content for path, content in before.items())
    written = {path.relative_to(results) for path in results.rglob("*") if path.is_file() and path not in before}
    assert {path.parts[:2] for path in written} == {("reports", "quickstart")}
    assert {"training_curves_small_gpt.svg", "score.png"} <= {path.name for path in written}


def test_an_edited_leaderboard_is_written_again_as_it_was(results, capsys):
    file = results / BOARD / "leaderboard.md"
    before = file.read_bytes()
    file.write_text("nobody won")
    assert main(["submit", "--rewrite"]) == 0
    assert file.read_bytes() == before and str(file) in capsys.readouterr().out


def test_boards_of_an_earlier_version_are_checked_and_written_again_where_they_lie(results, capsys):
    earlier = results / "version_1"
    earlier.mkdir()
    (results / "quickstart").rename(earlier / "quickstart")
    (results / "sources").rename(earlier / "sources")
    assert main(["submit", "--check"]) == 0
    assert "2 entries" in capsys.readouterr().out
    tamper(earlier / BOARD / "leaderboard.md", "sgd", "sgd2")
    check_fails_naming(capsys, str(earlier / BOARD / "leaderboard.md"))
    assert main(["submit", "--rewrite"]) == 0
    assert main(["submit", "--check"]) == 0


def test_a_board_of_another_machine_stands_beside_and_is_checked_and_written_again(results, capsys):
    before = (results / BOARD / "leaderboard.md").read_text()
    for name in ("sgd", "adamw"):
        assert main(["submit", name, str(results / "runs" / "first"), "--on", "laptop"]) == 0
    assert "adamw is on rank 2 of 2" in capsys.readouterr().out
    there = results / "on_laptop" / BOARD
    assert (there / "leaderboard.html").exists() and (results / BOARD / "leaderboard.md").read_text() == before
    assert {file.name for file in (results / "sources").iterdir()} == {
        file.name for file in (results / "on_laptop/sources").iterdir()
    }
    (there / "leaderboard.csv").unlink()
    (results / "on_laptop/README.md").write_text(f"There are <!--= trials {BOARD}-->?<!--/--> trials.\n")
    check_fails_naming(capsys, "on_laptop")
    assert main(["submit", "--rewrite"]) == 0 and main(["submit", "--check"]) == 0
    assert "4 entries" in capsys.readouterr().out and "48" in (results / "on_laptop/README.md").read_text()
    assert main(["score", str(there)]) == 0
    tamper(there / "sgd/trials.jsonl", '"wall_seconds":', '"wall_seconds":1')
    check_fails_naming(capsys, "on_laptop/quickstart/external/sgd/trials.jsonl:1")


def test_changed_metadata_are_found(results, capsys):
    tamper(results / BOARD / "adamw/entry.json", '"author": "TimeTrial"', '"author": "Somebody Else"')
    check_fails_naming(capsys, "adamw/entry.json", "Somebody Else")


def test_a_run_with_a_missing_trial_is_not_submitted(results, capsys):
    run = results / "runs" / "first"
    shutil.rmtree(run / "sgd/external/small_gpt/study_0/trial_1")
    (run / "sgd/external/small_gpt/study_0/trial_0/result.json").unlink()
    before = (results / BOARD / "sgd/entry.json").read_bytes()
    assert main(["submit", "sgd", str(run)]) == 1
    message = capsys.readouterr().err
    assert "small_gpt/study_0/trial_1" in message and "small_gpt/study_0/trial_0: it has not ended" in message
    assert (results / BOARD / "sgd/entry.json").read_bytes() == before


@pytest.mark.parametrize(
    "file, old, new, named",
    [
        ("result.json", '"processor": "AMD EPYC 7763"', '"processor": "Another"', "Another"),
        ("result.json", '"flags": []', '"flags": ["unsteady_clock"]', "unsteady_clock"),
        ("result.json", '"status": "target_reached"', '"status": "crashed"', "corrupt record"),
        ("spec.json", '"budget_seconds": ', '"budget_seconds": 9', "budget_seconds"),
        ("spec.json", '"source_hash": "', '"source_hash": "f', "source"),
        ("result.json", '"data_hash": "', '"data_hash": "f', "data f"),
    ],
)
def test_records_that_do_not_fit_are_not_submitted(results, capsys, file, old, new, named):
    trial = results / "runs/first/sgd/external/modular_division/study_0/trial_1"
    reached = json.loads((trial / "result.json").read_text())["status"] == "target_reached"
    assert reached
    tamper(trial / file, old, new)
    assert main(["submit", "sgd", str(results / "runs/first")]) == 1
    assert named in capsys.readouterr().err


def test_a_submission_that_changed_since_it_ran_is_not_submitted(results, capsys):
    copy = results / "runs/first/sgd/source/submission.py"
    copy.write_text(copy.read_text() + "# not what ran\n")
    assert main(["submit", "sgd", str(results / "runs/first")]) == 1
    message = capsys.readouterr().err
    assert "submissions/sgd/submission.py" in message and "the copy in the run" in message


def test_wrong_usage_is_said_in_a_line(results, capsys):
    wrong = ["", "sgd", "sgd --check", "nobody runs/first", "--check --on laptop"]
    for arguments in [*wrong, f"sgd {results / 'runs/first'} --on ../laptop"]:
        assert main(["submit", *arguments.split()]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_templates_author_is_named_before_a_run_and_not_after_it_alone(results, tmp_path, monkeypatch, capsys):
    collection = tmp_path / "submissions"
    for name in ("template", "mine"):
        shutil.copytree(SUBMISSIONS / "template", collection / name)
    for shared in SUBMISSIONS.glob("*.py"):
        shutil.copy(shared, collection)
    monkeypatch.setattr(catalogue, "SUBMISSIONS", collection)
    said = "submissions/mine/submission.yaml has the template's author and description: write your own before a run"
    run = ["run", "submission=mine", "suite=quickstart", "workloads=[modular_division]", "ruleset.studies=1"]
    assert main([*run, "ruleset=self_tuning", "max_steps=2", f"run={tmp_path / 'run'}", "device=cpu"]) == 0
    assert f"note: {said}" in capsys.readouterr().err
    assert main(["submit", "mine", str(tmp_path / "run")]) == 1
    assert said in capsys.readouterr().err
    assert find_submission("template").unsigned is None
    tamper(collection / "mine/submission.yaml", "author: Your name", "author: A. Person")
    assert "the template's description: write" in find_submission("mine").unsigned
    monkeypatch.undo()
    assert find_submission("adamw").unsigned is None


@pytest.mark.parametrize(("threads", "problems"), [(1, 0), (2, 1)])
def test_a_run_may_go_on_with_other_slots_where_trials_have_one_thread(threads, problems):
    def trial(cores):
        return SimpleNamespace(
            path=f"on {cores}",
            read_spec=lambda: SimpleNamespace(threads=threads, workload=SimpleNamespace(name="any")),
            read_result=lambda: SimpleNamespace(environment={"torch": "2.15", "cores": cores}, data_hash="same"),
        )

    assert len(environment_problems([trial(1), trial(2)])) == problems


def test_a_trial_of_another_plan_is_told_by_the_number_that_differs():
    (spec, *_) = make_plan(compose(["suite=quickstart", "submission=sgd"]), "cpu", threads=1)
    longer = replace(spec, workload=replace(spec.workload, budget_seconds=99.0))
    assert difference(spec, replace(spec, threads=2)) == ""
    assert difference(longer, spec).startswith("its workload.budget_seconds is 99.0, and that of the quickstart suite")
    assert difference(replace(spec, hyperparameters={"learning_rate": 7.0}), spec).startswith(
        "its hyperparameters is {"
    )
