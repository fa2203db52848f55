"""`timetrial judge`: real paired studies, of an optimizer and of the same one with a handicap that is known."""

import itertools
import json
from types import SimpleNamespace

import pytest

from tests.harness.judging.paired import HANDICAPPED, OVERRIDES, PLAIN, config_and_place, write_submissions
from timetrial.harness import UsageError, cli
from timetrial.harness.judging import pairs, verdict
from timetrial.harness.judging.pairs import Arm, plan_arms
from timetrial.harness.judging.targets import set_target
from timetrial.harness.judging.tuning import TUNING_STUDY, plan_tuning, tune
from timetrial.harness.judging.verdict import Question, check, confirm, judge
from timetrial.harness.planning import catalogue
from timetrial.harness.planning.plan import select_workloads
from timetrial.harness.records.table import read_trials
from timetrial.harness.runs.execute import TrialLost, run_to_end
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.trial.arena import make_workload

pytestmark = pytest.mark.timeout(900)  # trials take seconds on a quiet machine, and minutes on a loaded one


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of submissions and one of runs, in place of the clone's."""
    path = tmp_path_factory.mktemp("judge")
    write_submissions(
        path / "submissions", plain=PLAIN, twin=PLAIN, handicapped=HANDICAPPED, broken="raise RuntimeError('no')"
    )
    patch = pytest.MonkeyPatch()
    patch.setattr(catalogue, "SUBMISSIONS", path / "submissions")
    patch.setattr(verdict, "RUNS", path / "runs")
    yield path
    patch.undo()


@pytest.fixture(scope="module")
def answer(folder):
    """The verdict on the plain one against the handicapped one, by steps."""
    config, place = config_and_place()
    return judge(config, Question("plain", "handicapped", clock="steps", studies=6), place, lambda line: None)


def test_a_handicap_of_a_half_is_found_in_the_fewest_pairs_and_measured(answer):
    assert answer.verdict == "faster"
    assert answer.found.pairs == verdict.FEWEST
    assert answer.to_json()["speedup"]["value"] == pytest.approx(1.5, rel=0.12)
    assert answer.misses == {"small_gpt": (0, 0)}


def test_both_arms_of_a_study_start_at_the_same_weights_and_see_the_same_batches(folder, tmp_path):
    config, place = config_and_place("max_steps=10")
    values = {"small_gpt": {"learning_rate": 0.003}}
    plan = plan_arms(config, [Arm("plain", "plain", values), Arm("twin", "twin", values)], [0, 1], place)
    run = RunFolder(tmp_path / "arms")
    run_to_end(run, plan, place)
    plain, twin, other_plain, other_twin = [run.trial(spec).read_evaluations()[0].train for spec in plan]
    assert plain == twin and other_plain == other_twin
    assert plain != other_plain


def test_both_sides_search_the_same_number_of_points(folder):
    write_submissions(folder / "submissions", listed=PLAIN)
    file = folder / "submissions" / "listed" / "submission.yaml"
    points = f"search_space: [{', '.join(f'{{learning_rate: 0.00{i}}}' for i in range(1, 6))}]"
    file.write_text("\n".join(points if "search_space" in line else line for line in file.read_text().splitlines()))
    config, place = config_and_place()
    with pytest.raises(UsageError, match="--tune 6: submission 'listed' lists 5 points: tune no more"):
        plan_tuning(config, ["plain", "listed"], 6, place)
    assert len(plan_tuning(config, ["plain", "listed"], 4, place)) == 8


def test_the_same_command_goes_on_and_repeats_no_trial(answer, folder, capsys):
    result = next((folder / "runs").glob("*/*/*/*/*/*/result.json"))
    written = result.stat().st_mtime_ns
    code = cli.main(["judge", "plain", "handicapped", *OVERRIDES, "--clock", "steps", "--studies", "6", "--json"])
    assert code == 0
    answered = json.loads(capsys.readouterr().out)
    assert answered["verdict"] == "faster" and answered["speedup"]["low"] > 1
    assert answered["speedup"] == answer.to_json()["speedup"]
    assert result.stat().st_mtime_ns == written


def test_tuning_takes_the_point_that_reaches_the_target_first(folder, tmp_path):
    config, place = config_and_place()
    plan = plan_tuning(config, ["plain"], 3, place)
    run = RunFolder(tmp_path / "tuning")
    chosen = tune(run, plan, place, "steps")["plain"]["small_gpt"]
    crossed = read_trials([run]).set_index("trial")["crossing_steps"]
    assert crossed.nunique() > 1
    assert chosen == plan[crossed.idxmin()].hyperparameters
    assert {spec.study for spec in plan} == {TUNING_STUDY}


def small_variants(config):
    """List the seeds of five variants of one layer, so that this test takes seconds."""
    workload = make_workload(select_workloads(config)[0], None)
    drawn = ((seed, workload.draw_variant(seed)) for seed in itertools.count())
    small = (seed for seed, its in drawn if its.layers == 1)
    return list(itertools.islice(small, 5))


def test_variants_are_drawn_by_chance_and_then_kept(tmp_path):
    run = RunFolder(tmp_path / "run")
    first = [verdict._variant_seed(run, study) for study in range(3)]
    assert len(set(first)) == 3
    assert [verdict._variant_seed(run, study) for study in range(3)] == first


def test_a_verdict_is_confirmed_on_variants_that_are_drawn_once_and_have_targets_of_their_own(answer, folder):
    config, place = config_and_place()
    question = Question("plain", "handicapped", clock="steps", studies=5)
    run = RunFolder(folder / "runs" / (answer.run.rpartition("/")[2] + "-variants"))
    run.path.mkdir()
    (run.path / "variants.json").write_text(json.dumps(dict(enumerate(small_variants(config)))))
    found = confirm(config, question, answer, place, lambda line: None)
    assert found.to_json()["speedup"]["value"] > 1.2
    pairs = [trial.read_spec() for trial in run.trials() if trial.read_spec().study < 5]
    seeds = {spec.study: spec.variant_seed for spec in pairs}
    assert list(seeds.values()) == small_variants(config)
    targets = {spec.study: spec.workload.target for spec in pairs}
    assert len(set(targets.values())) == 5 and config["suite"]["workloads"]["small_gpt"]["target"] not in targets


@pytest.mark.parametrize("lost", [TrialLost("a trial crashed"), UsageError("no target can be set there")])
def test_a_verdict_that_cannot_be_confirmed_is_given_all_the_same(answer, lost, monkeypatch, capsys):
    def no_confirmation(*_):
        raise lost

    monkeypatch.setattr(verdict, "judge", lambda *_: answer)
    monkeypatch.setattr(verdict, "confirm", no_confirmation)
    arguments = ["judge", "plain", "handicapped", "suite=quickstart", "--confirm"]
    assert cli.main([*arguments, "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["verdict"] == "faster"
    assert json.loads(said.out)["confirmation"] == {"verdict": "failed", "reason": str(lost)}
    assert f"no verdict on hidden variants: {lost}" in said.err
    assert cli.main(arguments) == 1
    assert "plain is faster than handicapped" in capsys.readouterr().out


def pilot_of(levels):
    """Give a trial of `small_gpt`, whose metric is its loss, with an evaluation at each tenth of its plan."""
    lines = [
        SimpleNamespace(step=10 * i, seconds=i, paced_seconds=None, validation={"loss": level}) for i, level in levels
    ]
    return SimpleNamespace(path="runs/pilot", read_evaluations=lambda: lines)


def test_the_target_of_a_variant_is_a_level_that_was_held_and_no_lucky_one():
    (workload,) = select_workloads(config_and_place()[0])
    losses = [4.0, 3.5, 3.2, 3.0, 2.2, 2.9, 2.8, 1.0, 1.0, 1.0]
    its = set_target(workload, pilot_of(enumerate(losses, start=1)))
    assert (its.target, its.budget_seconds) == (2.9, 10.0)
    with pytest.raises(UsageError, match="no progress"):
        set_target(workload, pilot_of(enumerate([3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 1.0, 1.0, 1.0], start=1)))


def test_a_submission_that_crashes_gets_no_verdict(folder, capsys):
    code = cli.main(["judge", "broken", "plain", *OVERRIDES, "--studies", "5", "--json"])
    output = capsys.readouterr()
    assert code == 1
    assert json.loads(output.out)["verdict"] == "failed"
    assert "crashed" in output.err


@pytest.mark.parametrize(
    ("question", "named"),
    [
        (Question("a", "b", at_least=0.5), "--at-least 0.5"),
        (Question("a", "b", studies=4), "--studies 4"),
        (Question("a", "b", tune=2, mine_values={"learning_rate": 1.0}), "--tune"),
    ],
)
def test_a_question_without_an_answer_is_refused_in_a_line(question, named):
    with pytest.raises(UsageError, match=named):
        check(question)


def test_a_clock_that_the_trials_do_not_have_is_refused_before_they_run(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(verdict, "RUNS", tmp_path / "runs")
    assert cli.main(["judge", "plain", "twin", *OVERRIDES, "--clock", "paced", "executor.threads=2"]) == 2
    assert "--clock paced: trials of small_gpt have no pacer here" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
    with pytest.raises(SystemExit):
        cli.main(["judge", "plain", "twin", "--clock", "wall"])


def test_a_file_is_compared_under_its_name(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verdict, "RUNS", tmp_path / "runs")
    source = folder / "submissions" / "plain" / "submission.py"
    (tmp_path / "mine.py").write_text(f'HYPERPARAMETERS = {{"learning_rate": 0.003}}\n{source.read_text()}')
    words = ["judge", "./mine.py", "plain", *OVERRIDES, "--clock", "steps", "--studies", "5", "max_steps=10"]
    assert cli.main(words) == 3
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "mine" / "self_tuning").is_dir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.py").write_text((tmp_path / "mine.py").read_text())
    assert cli.main(["judge", "./mine.py", "./other/mine.py", *OVERRIDES]) == 2


def test_an_unknown_hyperparameter_is_named(folder):
    config, place = config_and_place()
    with pytest.raises(UsageError, match="rate"):
        judge(config, Question("plain", "plain", mine_values={"rate": 1.0}), place, lambda line: None)


def test_who_is_compared_with_himself_has_studies_of_his_own(folder):
    config, place = config_and_place()
    same = [{"small_gpt": {"learning_rate": 0.003}}] * 2
    plan = pairs.plan_arms(config, verdict._arms(Question("plain", "plain"), same), [0], place)
    assert [spec.study for spec in plan] == [pairs.APART, 0]


def test_a_number_is_not_set_to_a_text(folder):
    config, _ = config_and_place()
    with pytest.raises(UsageError, match="learning_rate=abc: give a number"):
        pairs.own_values("plain", select_workloads(config), {"learning_rate": "abc"})


def test_a_value_that_cannot_be_read_is_refused_in_a_line(folder, capsys):
    assert cli.main(["judge", "plain", "--set", "mine.learning_rate=["]) == 2
    assert "--set mine.learning_rate=[: [ is no value" in capsys.readouterr().err
