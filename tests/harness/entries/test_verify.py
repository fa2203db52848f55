"""Entries that were really raced are run again: the true one is verified, and forged ones are challenged."""

import itertools
import json
import shutil

import pytest

from tests.harness.entries.conftest import tamper
from tests.harness.entries.raced import BOARD, forge, race, stand_in
from timetrial.harness import UsageError
from timetrial.harness.cli import main
from timetrial.harness.entries.committed import CommittedEntry, committed_results
from timetrial.harness.entries.comparing import compare, read_ending
from timetrial.harness.entries.spread import Repeats
from timetrial.harness.entries.verifying import draw_trials
from timetrial.harness.planning.places import RESULTS

pytestmark = pytest.mark.timeout(560)  # on a loaded machine
SEED = "3"


@pytest.fixture(scope="module")
def raced(tmp_path_factory):
    """Results that were raced, and one of their entries verified.

    Its trials take a tenth of a second, and a busy machine may slow one of them for as long: then all is raced again.
    """
    for _ in range(3):
        root = tmp_path_factory.mktemp("raced")
        with pytest.MonkeyPatch.context() as patch:
            race(root, patch)
            if main(["verify", f"{BOARD}/muon", "--seed", SEED]) == 0:
                return root
    raise AssertionError("what was raced is challenged each time")


@pytest.fixture
def root(raced, tmp_path, monkeypatch):
    """A copy of it, the re-runs included, so that the same studies need not run again."""
    root = tmp_path / "copy"
    shutil.copytree(raced, root)
    stand_in(root, monkeypatch)
    return root


@pytest.fixture
def entry(root):
    return CommittedEntry(root / "results" / BOARD / "muon")


def without_verifications(entry):
    entry.verifications_file.unlink()
    assert main(["submit", "--rewrite"]) == 0


def test_what_was_raced_is_verified_bit_for_bit_and_shown(entry, root, capsys):
    (verification,) = entry.verifications()
    (rerun,) = verification.trials
    assert verification.verdict == "verified" and rerun.bit_for_bit and rerun.steps[0] == rerun.steps[1]
    assert verification.environment["libraries"]["torch"] and "host" not in verification.environment
    assert main(["submit", "--check"]) == 0
    table = (root / "results" / BOARD / "leaderboard.md").read_text()
    assert "- muon: verified 20" in table and "- self-reported: adamw" in table
    assert '"standing":"verified"' in (root / "results" / BOARD / "leaderboard.html").read_text()


def test_times_that_were_quartered_with_their_hashes_pass_a_reader_and_not_a_re_run(entry, capsys):
    def quarter(line):
        for evaluation in line["evaluations"]:
            for name in ("seconds", "paced_seconds"):
                evaluation[name] /= 4
            for name in ("seconds", "processor_seconds", "waiting_seconds"):
                evaluation["stretch"][name] /= 4
        for name in ("time_to_target", "paced_time_to_target", "seconds", "paced_seconds"):
            line["result"][name] /= 4

    without_verifications(entry)
    forge(entry, quarter)
    assert main(["submit", "--check"]) == 0
    assert main(["verify", f"{BOARD}/muon", "--seed", SEED]) == 1
    assert "times the recorded seconds" in capsys.readouterr().out
    assert entry.verifications()[0].verdict == "challenged"
    assert "challenged" in (entry.path.parent / "leaderboard.md").read_text()
    assert main(["submit", "--check"]) == 0


def test_steps_that_were_changed_with_their_hashes_pass_a_reader_and_not_a_re_run(entry, capsys):
    def halve(line):
        for evaluation in line["evaluations"]:
            evaluation["step"] /= 2
        line["result"]["step"] /= 2
        line["result"]["steps_to_target"] /= 2

    without_verifications(entry)
    forge(entry, halve)
    assert main(["submit", "--check"]) == 0
    assert main(["verify", f"{BOARD}/muon", "--seed", SEED]) == 1
    assert "an evaluation at step 10 is recorded, and is at step 20 when run again" in capsys.readouterr().out


def test_the_same_seed_again_runs_the_same_trials_again(entry, root):
    for times in (1, 2):
        assert main(["verify", f"{BOARD}/muon", "--seed", "11"]) == 0
        folders = list((root / "runs").glob("verify-*-11-*"))
        assert len(folders) == times and all(list(folder.rglob("result.json")) for folder in folders)
    one, other = entry.verifications()[-2:]
    assert [rerun.trial for rerun in one.trials] == [rerun.trial for rerun in other.trials]
    assert one.trials[0].measured_seconds_per_step != other.trials[0].measured_seconds_per_step


def test_records_that_are_not_whole_are_not_run_at_all(entry, capsys):
    tamper(entry.trials_file, '"wall_seconds":', '"wall_seconds":1')
    assert main(["verify", f"{BOARD}/muon"]) == 1
    assert "was changed after it was submitted" in capsys.readouterr().err


def test_on_another_processor_times_are_compared_through_the_reference(root, entry, capsys):
    without_verifications(entry)
    for name in ("muon", "adamw"):
        one = CommittedEntry(entry.path.with_name(name))
        move = {"processor_family": "GenuineIntel family 6 model 85, avx512f"}
        said = json.loads(one.entry_file.read_text())
        said["environment"] |= move
        one.entry_file.write_text(json.dumps(said))
        forge(one, lambda line: line["result"]["environment"].update(move))  # noqa: B023
    assert main(["verify", f"{BOARD}/muon", "--seed", SEED]) == 0
    assert list((root / "runs").glob("verify-*/adamw/self_tuning/*/study_*/trial_0/result.json"))
    shutil.rmtree(entry.path.with_name("adamw"))
    assert main(["verify", f"{BOARD}/muon", "--seed", SEED]) == 2
    assert "verify it where it ran" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"verdict":"verified"', '"verdict":"challenged"', "is not what it found"),
        ('"verdict":"verified"', '"verdict":"certified"', "corrupt record"),
        ('"problem":null', '"problem":"slower"', "is not what it found"),
        ('"trial":"', '"trial":"another_', "is not recorded as it says"),
        ('"records":"', '"records":"0', "it verifies other records"),
    ],
)
def test_a_verification_that_was_edited_is_found(entry, capsys, old, new, named):
    tamper(entry.verifications_file, old, new)
    assert main(["submit", "--check"]) == 1
    assert named in capsys.readouterr().err


def test_a_new_entry_in_place_of_a_verified_one_is_not_verified(entry, root):
    assert main(["submit", "muon", str(root / "runs/race")]) == 0
    assert not entry.verifications()


def test_studies_are_drawn_by_the_seed_with_all_their_trials(entry):
    drawn = [[trial.key for trial in draw_trials(entry, 1, seed)] for seed in (0, 0, 1, 2, 3, 4, 5, 6)]
    assert drawn[0] == drawn[1] and len(set(map(tuple, drawn))) == 2 and all(len(trials) == 1 for trials in drawn)
    assert len(draw_trials(entry, 2, 0)) == 2
    for wrong in (0, 3):
        with pytest.raises(UsageError, match="give a number from 1 to 2"):
            draw_trials(entry, wrong, 0)


def test_an_entry_of_another_version_of_its_suite_is_not_run(capsys):
    assert main(["verify", "version_2/mini/self_tuning/muon"]) == 2
    assert "what it ran is in commit" in capsys.readouterr().err


def test_trials_that_repeat_each_other_are_seldom_taken_for_different_ones():
    results = committed_results(RESULTS / "version_2/mini/self_tuning")
    trials = [trial for entry in results.entries[:12] for trial in entry.trials()]
    fashion = [trial for trial in trials if trial.read_spec().workload.name == "fashion_mnist_mlp"]
    repeats = Repeats(results.entries, fashion[0].read_spec())
    by_submission = itertools.groupby(fashion, lambda trial: trial.entry.submission)
    pairs = [pair for _, group in by_submission for pair in list(itertools.combinations(group, 2))[:3]]
    found = [compare("", read_ending(one), read_ending(two), False, 0.0, repeats).problem for one, two in pairs]
    assert len(pairs) == 36 and sum(map(bool, found)) <= 3
    early, late = (max if late else min for late in (False, True))
    ends = [read_ending(key(fashion, key=lambda trial: trial.read_result().step)) for key in (early, late)]
    assert "in steps" in compare("", *ends, False, 0.0, repeats).problem
