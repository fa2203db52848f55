"""An optimizer and a workload of one's own, in a folder that is no clone: checked, calibrated, raced and resumed."""

import importlib.util
import json
import shutil
from dataclasses import replace

import pytest

from tests.harness.trial import tiny
from tests.requirements import lacks
from timetrial.harness import cli
from timetrial.harness.planning.catalogue import hash_source
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.records.run import Run

DIGITS = '''"""Handwritten digits of scikit-learn, by a small network."""
from collections import OrderedDict
from dataclasses import dataclass, replace
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from timetrial.harness.workload import Workload
from timetrial.workloads.evaluation import classification_metrics
from timetrial.workloads.initialisation import build, he_std

@dataclass(frozen=True, kw_only=True)
class Digits(Workload):
    metric, higher_is_better = "accuracy", True
    width: int = 32
    batch_size: int = 32
    def build_model(self, generator):
        def construct():
            return nn.Sequential(OrderedDict(hidden=nn.Linear(64, self.width), head=nn.Linear(self.width, 10)))
        return build(construct, lambda name, layer: he_std(layer), generator)
    def load_all(self, split, source):
        images, targets = load_digits(return_X_y=True)
        part = {"train": slice(0, 1197), "validation": slice(1197, 1497), "test": slice(1497, None)}[split]
        return {"inputs": images[part] / 16, "targets": targets[part]}
    def loss(self, model, batch):
        return F.cross_entropy(model(batch.inputs), batch.targets)
    def evaluate(self, model, data):
        return classification_metrics(model, [(data["inputs"], data["targets"])])
    def draw_variant(self, seed):
        return replace(self, width=(16, 24, 48, 64)[seed % 4])
'''
SUITE = """
workloads:
  digits: {implementation: ./digits.py, target: 0.999, budget_seconds: 60, step_hint: 60, eval_every: 20}
"""
MINE = '''"""Lion of a library, with a rate of mine."""
from pytorch_optimizer import Lion
from rates import rate

SEARCH_SPACE = {"learning_rate": (1e-4, 1e-2, "log")}

def build_optimizer(model, hyperparameters, task):
    return Lion(model.parameters(), lr=rate(hyperparameters))
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of a person's, outside of any clone."""
    for package in ("pytorch_optimizer", "sklearn"):
        if importlib.util.find_spec(package) is None:
            lacks("extras", f"no {package}: pip install -e '.[test]'")
    folder = tmp_path_factory.mktemp("theirs")
    for name, text in (("digits.py", DIGITS), ("small.yaml", SUITE), ("mine.py", MINE)):
        (folder / name).write_text(text)
    (folder / "rates.py").write_text("def rate(hyperparameters):\n    return hyperparameters.learning_rate\n")
    return folder


def race(folder):
    return [
        *("run", "submission=[./mine.py,pytorch_optimizer:SOAP]", "+space.lr=[1e-3,1e-2,log]", "suite=./small.yaml"),
        *(f"run={folder / 'race'}", "ruleset.studies=1", "ruleset.trials=1", "max_steps=60", "executor.slots=1"),
    ]


@pytest.fixture(scope="module")
def raced(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert cli.main(race(folder)) == 0
    return folder / "race"


def trials(run, name):
    return [TrialFolder(file.parent) for file in run.glob(f"{name}/external/digits/study_0/trial_*/spec.json")]


def test_a_file_and_a_class_of_a_package_are_raced_on_a_workload_of_twenty_lines(raced):
    for name in ("mine", "pytorch_optimizer:SOAP"):
        (trial,) = trials(raced, name)
        result, evaluations = trial.read_ending()
        assert result.status == "budget_exhausted" and result.step == 60
        assert evaluations[-1].validation["accuracy"] > 0.2
        its = json.loads((raced / name / "source" / "imports.json").read_text())["pytorch_optimizer"]
        assert its["version"] and len(its["hash"]) == 16
        assert (raced / name / "imports" / "pytorch_optimizer" / "__init__.py").exists()
        spec = trial.read_spec()
        assert spec.workload.text == DIGITS and spec.source_hash == hash_source(Run(raced).source_of(trial))


def test_the_verbs_know_them_by_what_was_typed(raced, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert cli.main(["compare", str(raced), "./mine.py", "pytorch_optimizer:SOAP"]) == 0
    assert cli.main(["report", str(raced), "--output", str(folder / "report")]) == 0
    page = (folder / "report" / "leaderboard.html").read_text()
    assert "pytorch_optimizer (pytorch_optimizer " in page and str(folder) not in page
    assert cli.main(["submit", "mine", str(raced)]) == 1
    assert "not of the collection" in capsys.readouterr().err


def test_an_open_race_goes_on_with_the_source_that_it_keeps_when_files_have_changed_or_gone(
    raced, folder, monkeypatch, capsys
):
    monkeypatch.chdir(folder)
    (trial,) = trials(raced, "mine")
    before = trial.read_ending()[1]
    (folder / "mine.py").write_text(MINE.replace("of mine", "of another kind"))
    assert cli.main(race(folder)) == 2, "all trials have ended: this would be another race"
    said = capsys.readouterr().err
    assert "another source of mine, which has changed since: give this run another name" in said
    trial.remove_records()
    (folder / "mine.py").unlink()
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    assert cli.main(race(folder)) == 0
    assert "goes on with the source that it keeps" in capsys.readouterr().err
    assert [e.validation for e in trial.read_ending()[1]] == [e.validation for e in before]


def test_the_workload_conforms_and_a_race_on_it_is_calibrated_with_a_few_points(folder, monkeypatch, capsys):
    from timetrial.harness.measuring import calibration
    from timetrial.harness.rules.conformance import check_workload
    from timetrial.harness.workload import DataSource, workload_class

    found = list(check_workload(workload_class("digits.py:Digits", DIGITS)(), DataSource()))
    assert [finding.problem for finding in found] == [None] * 8
    monkeypatch.chdir(folder)
    monkeypatch.setattr(calibration, "RUNS", folder)
    few = ("--points", "1", "--seeds", "1", "--seconds", "0.5", "--adamw-only")
    assert cli.main(["calibrate", "suite=./small.yaml", "executor.slots=1", *few]) == 0
    lines = capsys.readouterr().out.splitlines()
    said = dict(line.strip().split(": ") for line in lines[1:6])
    assert lines[0] == "  digits:" and 0 < float(said["target"]) <= 1 and int(said["step_hint"]) >= 25
    assert (folder / "calibration-small" / "findings" / "digits.csv").exists()


@pytest.mark.parametrize("name", ["small_gpt", "modular_division"])
def test_a_workload_whose_examples_are_no_rows_conforms(name):
    from timetrial.harness.explain.loop import find_workload
    from timetrial.harness.rules.conformance import check_workload
    from timetrial.harness.workload import DataSource

    found = list(check_workload(find_workload("quickstart", name), DataSource("synthetic")))
    assert [one for one in found if one.problem and one.check in ("data", "evaluation")] == []


def test_new_writes_a_workload_that_conforms_with_its_suite_and_its_test(tmp_path, monkeypatch, capsys):
    from timetrial.harness.planning.configuration import compose
    from timetrial.harness.planning.plan import select_workloads
    from timetrial.harness.rules.conformance import check_workload
    from timetrial.harness.trial.arena import make_workload
    from timetrial.harness.workload import DataSource

    monkeypatch.chdir(tmp_path)
    assert cli.main(["new", "--workload", "two_spirals"]) == 0
    assert {path.name for path in (tmp_path / "two_spirals").iterdir()} == {
        *("two_spirals.py", "two_spirals.yaml", "test_two_spirals.py")
    }
    assert "from two_spirals import TwoSpirals" in (tmp_path / "two_spirals" / "test_two_spirals.py").read_text()
    (spec,) = select_workloads(compose(["suite=two_spirals/two_spirals.yaml", "submission=adamw"]))
    assert spec.implementation == "two_spirals.py:TwoSpirals"
    found = list(check_workload(make_workload(spec, None), DataSource()))
    assert [finding.problem for finding in found] == [None] * 8
    assert cli.main(["new", "--workload", "two_spirals"]) == 2 and "is there already" in capsys.readouterr().err


WRONG = {
    "variants": ("replace(self, width=(16, 24, 48, 64)[seed % 4])", "self", "the same for every seed"),
    "determinism": ("he_std(layer), generator)", "he_std(layer), torch.Generator())", "the same weights for two seeds"),
    "roles": (", head=nn", ", last=nn", "no parameter has the role output"),
    "data": ('"validation": slice(1197, 1497)', '"validation": slice(0, 300)', "are in train too"),
    "memory": ("\n@dataclass", "\nIMAGES = load_digits().data\n\n@dataclass", "load data in load_all"),
    "evaluation": ("[(data[", "[(data['inputs'][:1], data['targets'][:1]), (data[", "and a loop over them"),
}
"""Of each check what makes it fail: a line of the workload, what stands there instead, and what is said."""


@pytest.mark.parametrize("check", WRONG)
def test_a_workload_that_does_not_conform_is_told_what_is_wrong(check):
    from timetrial.harness.rules.conformance import check_workload
    from timetrial.harness.workload import DataSource, workload_class

    right, wrong, said = WRONG[check]
    assert right in DIGITS
    kind = workload_class("digits.py:Digits", "import torch\n" + DIGITS.replace(right, wrong, 1))
    problems = {found.check: found.problem for found in check_workload(kind(), DataSource())}
    assert said in (problems[check] or ""), problems


def test_the_class_of_a_workload_that_is_a_file_is_found_by_what_needs_no_target():
    from timetrial.harness.judging.targets import kind_of, without_target
    from timetrial.harness.planning.spec import UNREACHABLE, WorkloadSpec

    workload = WorkloadSpec("digits", "digits.py:Digits", {}, 0.9, 60, 60, 20, text=DIGITS)
    assert kind_of(workload).metric == "accuracy"
    spec = replace(tiny.SPEC, workload=workload)
    assert without_target(spec).workload.target == UNREACHABLE[True]
