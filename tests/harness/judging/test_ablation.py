"""`timetrial ablate`: the designs, what is estimated from them, and a real one whose answer is known."""

import json

import numpy as np
import pytest

from tests.harness.judging.paired import OVERRIDES, SWITCHED, SWITCHES, write_submissions
from timetrial.harness import UsageError, cli
from timetrial.harness.judging import ablation
from timetrial.harness.judging.ablation import contribution, design
from timetrial.harness.planning import catalogue
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.search_space import parse_switches

pytestmark = pytest.mark.timeout(900)  # trials take seconds on a quiet machine, and minutes on a loaded one
FEW = {"nesterov": (True, False), "scale": ("spectral", "none", "other")}
MANY = {f"part{i}": (True, False) for i in range(6)}


def test_few_switches_are_taken_away_one_by_one_and_the_whole_method_comes_last():
    assert design(FEW) == [
        {"nesterov": False, "scale": "spectral"},
        {"nesterov": True, "scale": "none"},
        {"nesterov": True, "scale": "other"},
        {"nesterov": True, "scale": "spectral"},
    ]


def test_more_than_five_switches_make_a_half_fraction_whose_effects_are_not_mixed_up():
    combinations = design(MANY)
    assert len(combinations) == 2 ** (len(MANY) - 1)
    signs = np.array([[1 if one[name] else -1 for name in MANY] for one in combinations])
    assert (signs.sum(axis=0) == 0).all()
    assert (signs.T @ signs == len(combinations) * np.eye(len(MANY))).all()


@pytest.mark.parametrize("switches", [FEW, MANY])
def test_effects_that_are_known_are_found(switches):
    combinations = design(switches)
    name = next(iter(switches))
    generator = np.random.default_rng(0)
    seeds = generator.standard_normal((5, 1))  # shared by the trials of a study, so that they cancel
    effect = np.log(1.3) * np.array([one[name] is False for one in combinations])
    logs = seeds + effect + 0.01 * generator.standard_normal((5, len(combinations)))
    found = contribution(logs, combinations, name, True, False)
    assert found.low < 1.3 < found.high
    assert found.low > 1.25
    other = list(switches)[1]
    nothing = contribution(logs, combinations, other, switches[other][0], switches[other][1])
    assert nothing.value == pytest.approx(1, abs=0.02)


def test_more_than_five_switches_have_two_values_each():
    with pytest.raises(UsageError, match="part9"):
        design(MANY | {"part9": (1, 2, 3)})


@pytest.mark.parametrize("given", [["a"], {"a": [True]}, {"a": True}, {"a": [1, 1]}])
def test_switches_that_are_none_are_refused_in_a_line(given):
    with pytest.raises(UsageError, match="switches"):
        parse_switches(given, "here")


def test_muon_as_it_is_drawn_is_the_whole_method():
    muon = find_submission("muon")
    assert muon.switches["nesterov"] == (True, False)
    assert muon.hyperparameters["nesterov"] is True
    assert muon.search_space.draw(0, 1)[0]["scale"] == "spectral"


def test_a_part_that_saves_a_third_of_the_batches_is_worth_a_half(tmp_path, monkeypatch, capsys):
    write_submissions(tmp_path / "submissions", switched=SWITCHED)
    with open(tmp_path / "submissions" / "switched" / "submission.yaml", "a") as file:
        file.write(SWITCHES)
    monkeypatch.setattr(catalogue, "SUBMISSIONS", tmp_path / "submissions")
    monkeypatch.setattr(ablation, "RUNS", tmp_path / "runs")
    assert cli.main(["ablate", "switched", *OVERRIDES, "--studies", "2", "--clock", "steps", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (part,) = found["parts"]
    assert part["name"] == "thrifty"
    assert part["contribution"]["value"] == pytest.approx(1.5, rel=0.15)
    assert found["arms"] == 2
