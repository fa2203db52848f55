"""`timetrial ladder`: the search over rates, the fit that refuses, and a real one along the width of a small GPT."""

import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tests.harness.judging.paired import HANDICAPPED, OVERRIDES, PLAIN, config_and_place, write_submissions
from timetrial.harness import UsageError, cli
from timetrial.harness.commands.ladder import read_values
from timetrial.harness.judging import ladder
from timetrial.harness.judging.exponent import Rung, drift, fit, mean_ratio
from timetrial.harness.judging.ladder import at, at_rate, best_rate
from timetrial.harness.planning import catalogue
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.plan import select_workloads
from timetrial.harness.scoring.jackknife import Estimate

pytestmark = pytest.mark.timeout(900)  # trials take seconds on a quiet machine, and minutes on a loaded one
VALUES = (16.0, 32.0, 64.0, 128.0)


def rungs(exponents, noise=0.02, bend=0.0):
    """Make rungs whose log advantages go with the axis to a power, or with a bend that is no power."""
    generator = np.random.default_rng(0)
    found = []
    for name, exponent in exponents.items():
        for value in VALUES:
            x = np.log(value / VALUES[0])
            ratios = np.log(1.5) + exponent * x + bend * (x - 1) ** 2 + noise * generator.standard_normal(5)
            rate = 0.01 * (value / VALUES[0]) ** -1.0
            found.append(Rung(value, name, rate, True, mean_ratio(ratios), tuple(ratios), 0))
    return found


def test_a_power_of_the_axis_is_found_and_used_beyond_it():
    found = fit(rungs({"a": -0.1, "b": -0.1}))
    assert found.exponent.low < -0.1 < found.exponent.high
    assert found.refusal == ""
    assert found.beyond["a"] == pytest.approx(1.5 * 16**-0.1, rel=0.05)


def test_an_exponent_is_as_sure_as_it_says_though_advantages_share_the_reference():
    draw, covered = np.random.default_rng(0), 0
    for _ in range(200):
        shared = {value: draw.normal(0, 0.1, 5) for value in (16, 32, 64, 96)}
        its = [
            Rung(value, name, 1.0, True, Estimate(1.0), tuple(noise + 0.2 * np.log(value) + draw.normal(0, 0.1, 5)), 0)
            for value, noise in shared.items()
            for name in "abcd"
        ]
        exponent = fit(its).exponent
        covered += exponent.low <= 0.2 <= exponent.high
    assert covered >= 180  # 160 where the submissions count as independent


@pytest.mark.parametrize(
    ("its", "why"),
    [
        (rungs({"a": -0.3, "b": 0.3}), "poor"),
        (rungs({"a": -0.1}, bend=0.2), "poor"),
        ([rung for rung in rungs({"a": -0.1, "b": -0.1}) if rung.value < 100], "too few"),
        ([replace(rung, inside=False) for rung in rungs({"a": -0.1, "b": -0.1})], "edge"),
        ([replace(rung, misses=1) for rung in rungs({"a": -0.1, "b": -0.1})], "missed"),
    ],
)
def test_nothing_is_said_beyond_the_axis_where_the_fit_does_not_carry(its, why):
    found = fit(its)
    assert found.beyond is None
    assert why in found.refusal


def test_the_drift_of_the_best_rate_is_an_exponent():
    assert drift(rungs({"a": 0.0})).value == pytest.approx(-1.0)


def test_the_best_rate_is_the_top_of_a_parabola_and_inside_only_between_worse_ones():
    top = 0.3
    scores = {power: -((power - top) ** 2) for power in (-1, 0, 1)}
    assert best_rate(scores).top == pytest.approx(top)
    assert best_rate(scores).inside
    assert not best_rate({-1: 1.0, 0: 2.0, 1: 3.0}).inside
    assert best_rate({-1: 1.0, 0: 2.0, 1: float("nan")}) == ladder.Best(0, 0.0, True)  # a rate that diverged is worse


def test_where_all_rates_diverge_smaller_ones_are_tried():
    nan = float("nan")
    assert not best_rate({-1: nan, 0: nan, 1: nan}).inside
    assert list(ladder._edges({-1: nan, 0: nan, 1: nan})) == [-2, -3]
    assert list(ladder._edges({-1: 1.0, 0: 2.0, 1: 3.0})) == [2, 3]


def test_a_trial_that_diverges_has_taken_its_whole_plan(tmp_path, monkeypatch):
    from tests.harness.report.generator import WORKLOADS, Algorithm, write_run

    run = write_run(tmp_path / "run", [Algorithm("adamw")], workloads=WORKLOADS[:1], studies=1, trials=1)
    (trial,) = run.trials()
    spec = json.loads(trial.spec_file.read_text()) | {"max_steps": 1000}
    trial.spec_file.write_text(json.dumps(spec))
    last = trial.read_evaluations()[1]
    lines = trial.evaluations_file.read_text().splitlines()[:2]
    trial.evaluations_file.write_text("".join(line + "\n" for line in lines))
    kind = SimpleNamespace(metric=next(iter(last.validation)), higher_is_better=True)
    monkeypatch.setattr(ladder, "kind_of", lambda workload: kind)
    found = [ladder._crossing(trial, spec["workload"], 2.0, clock) for clock in ("steps", "measured")]
    assert found == [(1000.0, True), (pytest.approx(last.seconds * 1000 / last.step), True)]


def test_each_value_of_an_axis_has_a_name_of_its_own_from_which_it_is_read():
    config, _ = config_and_place()
    (base,) = select_workloads(config)
    names = {value: at(base, "horizon", value).name for value in (1 / 3, 0.3333333, 2.0, 1234567.0)}
    assert {name.rpartition("_")[2]: value for value, name in names.items()} == {
        "0.3333333333333333": 1 / 3, "0.3333333": 0.3333333, "2": 2.0, "1234567": 1234567.0
    }  # fmt: skip
    assert all(float(name.rpartition("_")[2]) == value for value, name in names.items())


def test_another_batch_size_keeps_the_examples_and_horizon_the_sizes():
    config, _ = config_and_place()
    (base,) = select_workloads(config)
    larger = at(base, "batch_size", 64)
    assert larger.sizes["batch_size"] * larger.step_hint == base.sizes["batch_size"] * base.step_hint
    assert at(base, "horizon", 0.5).step_hint == base.step_hint / 2
    with pytest.raises(UsageError, match="no such size"):
        at(base, "colour", 2)


def test_with_the_rate_goes_what_is_given_per_rate():
    adamw = find_submission("adamw")
    own, doubled = adamw.hyperparameters, at_rate(adamw, 1)
    assert doubled["learning_rate"] == 2 * own["learning_rate"]
    assert doubled["weight_decay"] == own["weight_decay"] / 2
    assert (
        at_rate(find_submission("muon"), 1)["adam_learning_rate"]
        == 2 * find_submission("muon").hyperparameters["adam_learning_rate"]
    )


@pytest.mark.parametrize("given", ["[16]", "[32,16]", "[0,1]", "16", "[a,b]"])
def test_values_that_make_no_axis_are_refused(given):
    with pytest.raises(UsageError, match="values="):
        read_values(given)


def test_along_the_width_a_handicap_of_a_half_stays_and_has_a_page(tmp_path, monkeypatch, capsys):
    write_submissions(tmp_path / "submissions", plain=PLAIN, handicapped=HANDICAPPED)
    for file in (tmp_path / "submissions").glob("*/submission.yaml"):  # a rate that is the best of its neighbours
        file.write_text(file.read_text().replace("0.003}", "0.01}"))
    monkeypatch.setattr(catalogue, "SUBMISSIONS", tmp_path / "submissions")
    monkeypatch.setattr(ladder, "RUNS", tmp_path / "runs")
    words = [word for word in OVERRIDES if "sizes.width" not in word and not word.startswith("workloads=")]
    asked = ["submission=[handicapped,plain]", "workload=small_gpt", "axis=width", "values=[16,32]"]
    asked += ["suite.workloads.small_gpt.step_hint=80", "--studies", "2", "--output", str(tmp_path / "page")]
    assert cli.main(["ladder", *words, *asked]) == 0
    printed = capsys.readouterr().out
    assert "Nothing is said beyond these values" in printed
    found = json.loads((tmp_path / "page" / "ladder.json").read_text(), parse_constant=pytest.fail)
    assert found["fit"]["exponent"] is None
    for rung in found["rungs"]:
        if rung["submission"] == "plain":
            assert rung["advantage"]["value"] > 1.2
    page = (tmp_path / "page" / "ladder.html").read_text()
    assert "<svg" in page and "plain" in page
    assert not re.search(r'(src|href)="http', page), "it needs no network"
