"""The plan: what a configuration asks for, and the one clear line when it asks for what cannot be."""

import itertools

import pytest

from timetrial.harness import UsageError
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.plan import add_reference, make_plan
from timetrial.harness.planning.seeds import derive_seed


def plan_of(*overrides: str):
    return make_plan(compose(["submission=adamw", *overrides]), device="cpu", threads=1)


def test_external_is_five_studies_of_five_trials_on_every_workload() -> None:
    plan = plan_of("suite=mini", "ruleset=external", "submission=[sgd,adamw]")
    assert len(plan) == 2 * 5 * 5 * 4
    assert len({spec.folder for spec in plan}) == len(plan)


def test_self_tuning_is_five_trials_with_more_budget_and_a_longer_plan() -> None:
    external, own = plan_of("suite=mini")[0], plan_of("suite=mini", "ruleset=self_tuning")
    assert len(own) == 5 * 4
    assert {spec.trial for spec in own} == {0}
    assert own[0].budget_seconds == 1.5 * external.budget_seconds
    assert own[0].step_hint == 1.25 * own[0].workload.step_hint == 1.25 * external.workload.step_hint
    assert len({str(spec.hyperparameters) for spec in own}) == 1


def test_quickstart_is_three_studies_of_two_trials_without_real_data() -> None:
    plan = plan_of("suite=quickstart")
    assert len(plan) == 3 * 2 * 4
    assert {spec.data for spec in plan} == {"synthetic"}


def test_points_are_the_same_on_every_workload_and_differ_between_studies_and_trials() -> None:
    plan = plan_of("suite=mini")
    points = {}
    for spec in plan:
        points.setdefault((spec.study, spec.trial), set()).add(str(spec.hyperparameters))
    assert all(len(on_workloads) == 1 for on_workloads in points.values())
    assert len({point for on_workloads in points.values() for point in on_workloads}) == 25


def test_external_cuts_one_sequence_of_points_into_studies_and_more_trials_are_more_of_it() -> None:
    def points(*overrides: str) -> list:
        plan = plan_of("suite=mini", "workloads=[small_gpt]", *overrides)
        drawn = {(spec.study, spec.trial): spec.hyperparameters for spec in plan}
        return [drawn[key] for key in sorted(drawn)]

    assert points() == points("ruleset.studies=1", "ruleset.trials=25")
    assert points("ruleset.studies=7")[:25] == points() == points("ruleset.studies=3", "ruleset.trials=10")[:25]


def test_horizon_multiplies_the_step_hint_and_is_recorded_with_the_hyperparameters() -> None:
    hint = "suite.workloads.small_gpt.step_hint=900"
    plan = plan_of("suite=mini", "submission=[adamw,constant]", "workloads=[small_gpt]", hint)
    by_horizon = {spec.hyperparameters.get("horizon"): spec.step_hint for spec in plan}
    assert by_horizon == {0.4: 360, 0.55: 495, 0.7: 630, 0.85: 765, 1.0: 900, None: 900}
    assert len({spec.protocol for spec in plan}) == 1  # plans of different lengths may be compared


def test_submissions_take_turns_so_that_a_slow_hour_hits_all() -> None:
    plan = plan_of("suite=mini", "submission=[sgd,adamw]")
    assert [spec.submission for spec in plan[:4]] == ["sgd", "adamw", "sgd", "adamw"]
    assert plan[0].workload.name == plan[1].workload.name


def with_reference(*overrides: str):
    config = compose(["submission=sgd", *overrides])
    return add_reference(config, make_plan(config, "cpu", 1), "cpu", 1)


def test_the_first_study_of_the_reference_runs_spread_over_the_run_of_another() -> None:
    plan = with_reference("suite=mini")
    places = [i for i, spec in enumerate(plan) if spec.submission == "adamw"]
    assert len(places) == 5 * 4 and len(plan) == 20 + 5 * 5 * 4
    assert {plan[i].study for i in places} == {0}
    assert {later - earlier for earlier, later in itertools.pairwise(places)} == {6}
    alone = make_plan(compose(["submission=adamw", "suite=mini"]), "cpu", 1)
    assert [plan[i] for i in places] == alone[:20]


def test_the_reference_never_runs_twice_nor_where_it_is_not_wanted() -> None:
    for overrides in (["submission=[sgd,adamw]", "suite=mini"], ["suite=quickstart"], ["suite=mini", "reference=null"]):
        config = compose(["submission=sgd", *overrides])
        assert with_reference(*overrides) == make_plan(config, "cpu", 1)
    assert sum(spec.submission == "adamw" for spec in with_reference("suite=mini", "reference_studies=9")) == 5 * 5 * 4
    for unused in ([], ["submission=[sgd,adamw]"]):
        with pytest.raises(UsageError, match="reference_studies is 0"):
            with_reference("suite=mini", "reference_studies=0", *unused)


def test_a_space_that_is_given_for_a_class_is_not_asked_of_the_reference() -> None:
    config = compose(["submission=torch.optim:AdamW", "suite=mini", "+space.lr=[1e-4,1e-2,log]"])
    own = make_plan(config, "cpu", 1)
    beside = [spec for spec in add_reference(config, own, "cpu", 1) if spec not in own]
    assert beside == [spec for spec in with_reference("suite=mini") if spec.submission == "adamw"]


def test_protocol_is_shared_by_submissions_and_not_by_budgets() -> None:
    plan = plan_of("suite=mini", "submission=[sgd,adamw]")
    changed = plan_of("suite=mini", "suite.workloads.fashion_mnist_mlp.budget_seconds=9")
    assert plan[0].protocol == plan[1].protocol
    assert changed[0].protocol != plan[1].protocol


def test_seeds_depend_on_every_part_and_on_nothing_else() -> None:
    parts = ("batches", "mini", 1, "small_gpt", 0)
    assert derive_seed(*parts) == derive_seed(*parts) == 4820528269430881180
    others = [("weights", *parts[1:]), ("batches", "full", *parts[2:]), (*parts[:2], 2, *parts[3:]), (*parts[:4], 1)]
    assert len({derive_seed(*other) for other in [parts, *others]}) == 5


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["submission=adamv"], ["adamv", "did you mean adam"]),
        (["submission=[adamw,adamw]"], ["adamw", "twice"]),
        (["suite=minni"], ["minni", "did you mean mini"]),
        (["ruleset=internal"], ["internal", "external"]),
        (["workloads=[mnist]"], ["mnist", "fashion_mnist_mlp"]),
        (["studies=3"], ["write ruleset.studies=3"]),
        (["slots=2"], ["write executor.slots=2"]),
        (["executor.slotz=2"], ["did you mean executor.slots=?"]),
        (["executor.workers=2"], ["choose of executor.slots, executor.threads"]),
        (["executor.partition=gpu"], ["add executor=slurm, which has it"]),
        (["ruleset.studies=[1"], ["a bracket is missing"]),
        (["runn=mine"], ["did you mean run=?"]),
        (["nothing=1"], ["choose of suite, ruleset"]),
        (["ruleset.studies=0"], ["ruleset.studies", "0"]),
        (["suite=mini", "suite.workloads.small_gpt.eval_every=0"], ["eval_every", "0"]),
        (["suite=mini", "suite.workloads.small_gpt.budget_seconds=-1"], ["budget_seconds", "-1"]),
        (["ruleset.budget_factor=0"], ["ruleset.budget_factor is 0", "above zero"]),
        (["ruleset.step_hint_factor=two"], ["ruleset.step_hint_factor is 'two'", "above zero"]),
        (["suite=mini", "+suite.workloads.small_gpt.buget=1"], ["small_gpt", "buget"]),
        (["suite=mini", "suite.workloads.small_gpt.pace_seconds=0"], ["pace_seconds is 0", "above zero"]),
        (["suite=mini", "suite.workloads.small_gpt.test_target=abc"], ["test_target is 'abc'"]),
        (["suite.warmup_steps=two"], ["suite.warmup_steps is 'two'", "at least 0"]),
        (["suite.version=null"], ["suite.version is None", "at least 1"]),
        (["submission=generalized_adam", "ruleset.trials=6"], ["ruleset.trials is 6", "generalized_adam", "5 points"]),
        (["max_steps=0"], ["max_steps is 0", "or null"]),
        (["max_steps=1.5"], ["max_steps is 1.5"]),
        (["variant_seed=a"], ["variant_seed is 'a'", "of at least 0"]),
        (["seed=3"], ["ruleset.studies", "--first-study"]),
        (["data=fake"], ["fake", "synthetic"]),
        (["adamw"], ["adamw", "key=value"]),
        (["a=[1"], ["a=[1"]),
    ],
)
def test_wrong_configuration_is_one_line_that_names_it_and_the_remedy(overrides: list[str], says: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        plan_of(*overrides)
    message = str(error.value)
    assert "\n" not in message
    for part in says:
        assert part in message
