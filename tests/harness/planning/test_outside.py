"""Submissions from outside of the collection: what may be typed, what is read of it, and the mistakes in a line."""

import importlib.metadata
import json
import re
from types import SimpleNamespace

import pytest
import torch

from tests.requirements import lacks
from timetrial.harness import UsageError
from timetrial.harness.cli import main
from timetrial.harness.commands.list import inventory
from timetrial.harness.planning import catalogue, imports, outside
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.places import SUBMISSIONS
from timetrial.harness.planning.plan import make_plan
from timetrial.harness.planning.source import read_source
from timetrial.harness.trial.submission_modules import load_submission

OPTIMIZER = '''"""Gradient descent of mine."""

import torch

from rates import rate

SEARCH_SPACE = {"learning_rate": [1e-3, 1e-1, "log"], "momentum": [0.0, 0.9]}
HYPERPARAMETERS = {"learning_rate": 0.1, "momentum": 0.9}


def build_optimizer(model, hyperparameters, task):
    return torch.optim.SGD(model.parameters(), lr=rate(hyperparameters))
'''
RATES = "def rate(hyperparameters):\n    return hyperparameters.learning_rate\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of a person's, which is the current one, with an optimizer in two files."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OPTIMIZER)
    (tmp_path / "rates.py").write_text(RATES)
    return tmp_path


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a distribution, with its files and entry points, into a folder that Python looks into."""

    def install(name: str, version: str, files: dict[str, str], **metadata: str) -> None:
        place = tmp_path / "installed"
        about = place / f"{name}-{version}.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (about / "RECORD").write_text("".join(f"{file},,\n" for file in files))
        for file, text in metadata.items():
            (about / file.replace("__", ".")).write_text(text)
        for file, text in files.items():
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            (place / file).write_text(text)
        monkeypatch.syspath_prepend(place)
        forget()

    yield install
    forget()


def forget() -> None:
    for known in (outside.plugins, imports._installed, imports._distributions, imports.provided_modules):
        known.cache_clear()


def test_a_file_says_its_search_space_and_comes_with_what_lies_beside_it(folder):
    found = find_submission("./mine.py")
    assert (found.name, found.description, found.rulesets) == (
        *("mine", "Gradient descent of mine."),
        ("external", "self_tuning"),
    )
    assert found.search_space.axes["learning_rate"].scaling == "log"
    assert found.search_space.axes["momentum"].values == (0.0, 0.9)
    files = found.source_files()
    assert files["submission.py"].read_text() == OPTIMIZER and files["rates.py"].read_text() == RATES
    before = found.source_hash()
    (folder / "rates.py").write_text(RATES + "# other\n")
    assert find_submission("./mine.py").source_hash() != before
    assert find_submission("mine").name == "mine", "known by its name once it was found"


def test_a_folder_with_a_submission_yaml_is_read_as_one_of_the_collection(folder):
    (folder / "lab" / "sgd2").mkdir(parents=True)
    (folder / "lab" / "sgd2" / "submission.py").write_text("def build_optimizer(m, h, t): ...\n")
    text = "author: a\ndescription: b\nlicence: c\nhyperparameters: {learning_rate: 0.1}\n"
    (folder / "lab" / "sgd2" / "submission.yaml").write_text(text)
    for typed in ("./lab/sgd2", "lab/sgd2/submission.py", str(folder / "lab" / "sgd2")):
        assert find_submission(typed).name == "sgd2"
    (plan, *_) = make_plan({**compose(["submission=lab/sgd2", "ruleset=self_tuning"])}, "cpu", 1)
    assert plan.submission == "sgd2" and plan.folder.startswith("sgd2/self_tuning/")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("./nothing.py", "there is no"),
        ("./bare.py", "has no search space"),
        ("./adamw.py", "'adamw', as one of the collection: rename it"),
        ("./computed.py", "SEARCH_SPACE is no literal"),
        ("./broken.py", "is no Python"),
        ("./report.py", "choose another"),
        ("a:b:c", "no import path"),
        ("nowhere", "unknown submission"),
    ],
)
def test_a_mistake_is_a_line_that_says_what_to_do(folder, typed, said):
    (folder / "bare.py").write_text("x = 1\n")
    (folder / "adamw.py").write_text(OPTIMIZER)
    (folder / "computed.py").write_text("SEARCH_SPACE = make()\n")
    (folder / "broken.py").write_text("def\n")
    with pytest.raises(UsageError, match=said) as error:
        find_submission(typed)
    assert "\n" not in str(error.value)


def test_two_of_one_name_are_refused(folder):
    (folder / "other").mkdir()
    (folder / "other" / "mine.py").write_text(OPTIMIZER)
    with pytest.raises(UsageError, match="lists a name twice"):
        make_plan(compose(["submission=[./mine.py,other/mine.py]"]), "cpu", 1)


@pytest.fixture(scope="module")
def muon():
    return find_submission("torch.optim:Muon")


@pytest.mark.usefixtures("imports_restored")
def test_a_class_for_matrices_gets_them_by_their_role_and_adamw_takes_the_rest(muon):
    assert muon.name == "torch.optim:Muon" and not muon.imports
    rate = muon.search_space.axes["lr"]
    assert (rate.min, rate.max, rate.scaling) == (pytest.approx(1e-4), pytest.approx(1e-2), "log")
    module = load_submission(read_source(muon.name, muon.source_files(), muon.imports))
    model = torch.nn.ModuleDict({"hidden": torch.nn.Linear(4, 4), "head": torch.nn.Linear(4, 2)})
    roles = {"hidden.weight": "hidden_matrix", "hidden.bias": "bias", "head.weight": "output", "head.bias": "bias"}
    values = SimpleNamespace(lr=0.01, weight_decay=0.1, adam_learning_rate=0.002)
    optimizer, _ = module.build_optimizer(model, values, SimpleNamespace(roles=roles, step_hint=100))
    own, adamw = optimizer.optimizers
    assert (type(own), type(adamw)) == (torch.optim.Muon, torch.optim.AdamW)
    assert own.param_groups[0]["params"] == [model["hidden"].weight] and own.param_groups[0]["weight_decay"] == 0.1
    decays = {id(p): group["weight_decay"] for group in adamw.param_groups for p in group["params"]}
    assert decays[id(model["head"].weight)] == pytest.approx(0.5)
    assert decays[id(model["head"].bias)] == decays[id(model["hidden"].bias)] == 0.0


def test_the_space_of_a_class_is_chosen_on_the_command_line_and_a_name_that_it_has_not_is_a_mistake(muon):
    overrides = ["submission=[adamw,torch.optim:Muon]", "ruleset.studies=1"]
    plan = make_plan(compose([*overrides, "+space.lr=[0.5,0.6,linear]", "+space.momentum=0.8"]), "cpu", 1)
    own = [spec.hyperparameters for spec in plan if spec.submission == "torch.optim:Muon"]
    assert all(0.5 <= point["lr"] <= 0.6 and point["momentum"] == 0.8 for point in own)
    assert (
        "momentum=hyperparameters.momentum"
        in find_submission("torch.optim:Muon", {"momentum": 0.8}).source_files()["submission.py"].read_text()
    )
    for wrong, said in ((overrides, "has no such argument"), (["submission=adamw"], "no submission is one")):
        with pytest.raises(UsageError, match=said):
            make_plan(compose([*wrong, "+space.rho=[0.5,0.6,linear]"]), "cpu", 1)


WITHOUT_A_RATE = """
import torch


class Asks(torch.optim.SGD):
    def __init__(self, params, lr=None):
        assert lr > 0
        super().__init__(params, lr=lr)


class Chooses(torch.optim.SGD):
    def __init__(self, params, lr=None, relative=True):
        assert (lr is None) == relative
        super().__init__(params, lr=0.1 if relative else lr)


class Lacks(torch.optim.SGD):
    def __init__(self, params):
        super().__init__(params, lr=0.1)
"""
RATE = {"lr": [0.1, 0.5, "log"]}


def test_a_class_without_a_default_rate_is_told_how_to_give_one(folder, installed):
    installed("their-kit", "2.1", {"theirkit/__init__.py": WITHOUT_A_RATE})
    for name, space in (("Asks", RATE), ("Chooses", RATE | {"relative": False})):
        with pytest.raises(UsageError, match=r"no default rate: give one as \+space.lr="):
            find_submission(f"theirkit:{name}")
        found = find_submission(f"theirkit:{name}", space)
        assert "lr=hyperparameters.lr" in found.source_files()["submission.py"].read_text()
    with pytest.raises(UsageError, match="has no argument lr: give a file with build_optimizer"):
        find_submission("theirkit:Lacks")


def test_what_is_tried_of_a_class_is_checked_as_it_is_run(folder, installed, capsys):
    installed("their-kit", "2.1", {"theirkit/__init__.py": WITHOUT_A_RATE})
    space = "+space.lr=[0.1,0.5,log]"
    assert main(["check", "theirkit:Asks", space]) == 0
    said = capsys.readouterr()
    assert "first point: lr 0." in said.out and said.out.count("20 batches") == 4
    assert f"timetrial run submission=theirkit:Asks suite=quickstart '{space}'" in said.err
    assert main(["check", "theirkit:Asks", "suite=mini"]) == 2
    assert "takes +space.ARGUMENT=VALUES alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("+space.betas=[0.9,0.99]", "has no such argument: did you mean beta1 and beta2?"),
        ("+space.weight_dekay=0.1", "has no such argument: did you mean weight_decay?"),
        ("+space.zzz=0.1", "has no such argument: choose of amsgrad"),
        ("+space.lr=[0.1,1,logg]", "search_space.lr: scaling is 'logg': choose linear or log"),
        ("+space.amsgrad=[a,b]", "+space.amsgrad: 'a' in place of False: give true or false"),
        ("+space.eps=small", "+space.eps: 'small' in place of 1e-08: give numbers"),
    ],
)
def test_a_mistake_in_the_space_of_a_class_is_named_with_its_remedy(override, said, capsys):
    assert main(["run", "submission=torch.optim:AdamW", override]) == 2
    assert said in capsys.readouterr().err


def test_what_is_imported_is_recorded_with_distribution_version_and_a_hash_of_its_files(folder, installed):
    installed("their-kit", "2.1", {"theirkit/__init__.py": "import far\n", "theirkit/core.py": "x = 1\n"})
    (folder / "local").mkdir()
    (folder / "local" / "part.py").write_text("import theirkit.core\n")
    (folder / "mine.py").write_text(OPTIMIZER + "\nimport local.part\nimport os, torch.nn, scipy\n")
    found = find_submission("./mine.py")
    its = json.loads(found.source_files()["imports.json"].read_text())
    assert its.keys() == {"local", "theirkit"}
    assert its["local"]["distribution"] is None
    assert (its["theirkit"]["distribution"], its["theirkit"]["version"]) == ("their-kit", "2.1")
    assert str(folder) not in json.dumps(its), "no path of this machine"
    before = found.source_hash()
    (folder / "installed" / "theirkit" / "core.py").write_text("x = 2\n")
    assert find_submission("./mine.py").source_hash() != before


def test_an_editable_install_is_known_by_the_folder_that_it_is_made_in(folder, installed):
    (folder / "src" / "kit").mkdir(parents=True)
    (folder / "src" / "kit" / "__init__.py").write_text("")
    origin = json.dumps({"url": (folder / "src").as_uri(), "dir_info": {"editable": True}})
    installed("kit-in-the-making", "0.0.1", {}, direct_url__json=origin)
    place = imports.find_module("kit", folder / "src")
    assert imports.distribution_of("kit", place).version == "0.0.1"


PLUGIN = "[timetrial.submissions]\n{}\n[timetrial.workloads]\nrings = theirkit.rings:Rings\n"


def test_plug_ins_are_listed_with_their_package_and_never_shadow_the_collection(folder, installed):
    files = {"theirkit/__init__.py": "", "theirkit/sgd3.py": OPTIMIZER.replace("from rates", "from .rates")}
    points = PLUGIN.format("sgd3 = theirkit.sgd3\nadamw = theirkit.sgd3")
    installed("their-kit", "2.1", files | {"theirkit/rates.py": RATES}, entry_points__txt=points)
    found = inventory()
    assert ("sgd3", "their-kit 2.1") in [(its["name"], its["from"]) for its in found["submissions"]]
    assert ("rings", "their-kit 2.1") in [(its["name"], its["from"]) for its in found["workloads"]]
    assert ["their-kit 2.1 brings one of that name" in line for line in found["unreadable"]] == [True]
    folder = find_submission("sgd3")
    assert "from theirkit.sgd3 import build_optimizer" in folder.source_files()["submission.py"].read_text()
    assert folder.imports[0].distribution == "their-kit"
    with pytest.raises(UsageError, match="of the collection, and their-kit"):
        find_submission("adamw")


def test_the_class_of_an_installed_package_is_asked_for_what_it_takes():
    try:
        version = importlib.metadata.version("pytorch_optimizer")
    except importlib.metadata.PackageNotFoundError:
        lacks("extras", "no pytorch_optimizer: pip install -e '.[test]'")
    found = find_submission("pytorch_optimizer:Muon", {"nesterov": False})
    assert found.author == f"pytorch_optimizer {version}"
    text = found.source_files()["submission.py"].read_text()
    assert "use_muon=True" in text and "nesterov=hyperparameters.nesterov" in text
    assert [its.name for its in found.imports] == ["pytorch_optimizer"]


WRONG_NAME = """
import torch

def build_optimizer(model, hyperparameters, task):
    return torch.optim.SGD(model.parameters(), lr=hyperparameters.rate)

HYPERPARAMETERS = {"learning_rate": 0.1}
"""


def test_check_names_the_hyperparameters_that_there_are_and_shows_each_error_once(folder, capsys):
    (folder / "mine.py").write_text(WRONG_NAME)
    assert main(["check", "./mine.py"]) == 1
    said = capsys.readouterr()
    assert said.out.count("no hyperparameter 'rate' is given: there are learning_rate") == 4
    assert said.err.count("Traceback") == 1 and "/harness/" not in said.err and "hyperparameters.rate" in said.err


ENDLESS = """
import torch

HYPERPARAMETERS = {"learning_rate": 0.1}


class Endless(torch.optim.SGD):
    def step(self, closure=None):
        while True:
            pass


def build_optimizer(model, hyperparameters, task):
    return Endless(model.parameters(), lr=hyperparameters.learning_rate)
"""


def test_check_says_what_it_waits_for_and_does_not_hang_on_every_workload(folder, capsys, monkeypatch):
    monkeypatch.setattr("timetrial.harness.trial.referee.START_SECONDS", 5.0)
    monkeypatch.setattr("timetrial.harness.commands.check.PATIENCE", 3.0)
    (folder / "mine.py").write_text(ENDLESS)
    assert main(["check", "./mine.py"]) == 1
    said = capsys.readouterr()
    assert said.out.count("hung: no end of the warm-up") == 1 and "small_gpt" not in said.out
    assert "still waiting" in said.err and "Traceback" not in said.err


LOST = """
import torch

HYPERPARAMETERS = {"learning_rate": 0.02}


class Lost(torch.optim.SGD):
    momentum = {}

    @torch.no_grad()
    def step(self, closure=None):
        for p in self.param_groups[0]["params"]:
            momentum = self.momentum.setdefault(p, torch.zeros_like(p)).mul_(0.9).add_(p.grad)
            p.sub_(momentum, alpha=self.param_groups[0]["lr"])


def build_optimizer(model, hyperparameters, task):
    return Lost(model.parameters(), lr=hyperparameters.learning_rate)
"""
ONE_SMALL_WORKLOAD = """
workloads:
  division:
    implementation: timetrial.workloads.modular_division.ModularDivision
    sizes: {modulus: 11, width: 16, layers: 1, heads: 2, batch_size: 32}
    target: 0.9
    budget_seconds: 20
    step_hint: 100
    eval_every: 10
"""
NOISY = LOST.replace("import", "import os\nimport", 1)
NOISY = NOISY.replace("momentum = self", "p.add_(1e-6 * os.urandom(1)[0]); momentum = self")
KEPT = LOST.replace("self.momentum.setdefault(p,", "self.state[p].setdefault('momentum',")
UNSAVED = LOST.replace(
    "    momentum = {}", "    momentum = {}\n\n    def state_dict(self):\n        raise KeyError('momentum')"
)


@pytest.mark.parametrize(
    ("text", "verdict", "finding"),
    [
        (KEPT, "ok", "it ends at the same weights"),
        (LOST, "wrong", "state_dict must give all that training needs"),
        (NOISY, "warning", "at other weights each time"),
        (UNSAVED, "wrong", "crashed: KeyError: 'momentum'"),
    ],
)
def test_check_interrupts_and_resumes(folder, text, verdict, finding, capsys):
    (folder / "mine.py").write_text(text)
    (folder / "small.yaml").write_text(ONE_SMALL_WORKLOAD)
    assert main(["check", "./mine.py", "--suite", "./small.yaml"]) == (verdict == "wrong")
    said = capsys.readouterr()
    (line,) = [line for line in said.out.splitlines() if line.split()[1] == "resumed"]
    assert line.startswith(verdict) and finding in line
    assert ('File "./mine.py", line' in said.err) == (text == UNSAVED)


CLOSED = LOST.replace("closure=None", "closure")
CLOSED = CLOSED.replace("        for", "        with torch.enable_grad():\n            closure()\n        for")
ASKING = LOST.replace("        for", "        assert closure, 'Lost needs a closure'\n        for")


def test_a_step_that_requires_a_closure_gets_one_and_one_that_only_asks_a_remedy(folder, capsys):
    (folder / "small.yaml").write_text(ONE_SMALL_WORKLOAD)
    (folder / "mine.py").write_text(CLOSED.replace("self.momentum.setdefault(p,", "self.state[p].setdefault('m',"))
    assert main(["check", "./mine.py", "--suite", "./small.yaml"]) == 0
    assert main(["check", "mine:Lost", "--suite", "./small.yaml"]) == 0
    (folder / "asking.py").write_text(ASKING)
    with pytest.raises(UsageError, match=r"a step fails .*Lost needs a closure"):
        find_submission("asking:Lost")
    (folder / "mine.py").write_text(ASKING)
    assert main(["check", "./mine.py", "--suite", "./small.yaml"]) == 1
    assert "Lost needs a closure: give it one in a class Submission" in capsys.readouterr().out


@pytest.mark.parametrize("ends", ["target: 0.01", "budget_seconds: 0.005"])
def test_a_trial_that_would_end_early_is_resumed_all_the_same(folder, ends, capsys):
    text = re.sub(f"{ends.partition(':')[0]}: .*", ends, ONE_SMALL_WORKLOAD)
    (folder / "small.yaml").write_text(text)
    assert main(["check", "adamw", "--suite", "./small.yaml"]) == 0
    assert "it ends at the same weights" in capsys.readouterr().out


def test_the_example_with_two_gradients_is_a_whole_file(folder, capsys):
    examples = re.findall(r"```python\n(.*?)```", (SUBMISSIONS / "README.md").read_text(), re.DOTALL)
    (example,) = [text for text in examples if "self.rho" in text]
    (folder / "sam.py").write_text(example)
    assert main(["check", "./sam.py"]) == 0
    assert "warning" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "named"),
    [(b"# -*- coding: latin-1 -*-\n# \xe9\n", "mine.py is not UTF-8"), (b"# \xe9\n", "mine.py is not UTF-8")],
)
def test_a_file_that_is_not_utf8_is_named_by_its_place(folder, text, named):
    (folder / "mine.py").write_bytes(text + OPTIMIZER.encode())
    with pytest.raises(UsageError, match=f"^{folder / named}"):
        find_submission("./mine.py")


def test_modules_of_its_own_are_read_as_its_source_is_and_enter_the_collection_beside_it(folder, monkeypatch, capsys):
    (folder / "rates.py").unlink()
    (folder / "rates").mkdir()
    (folder / "rates" / "__init__.py").write_text(f"import subprocess\n{RATES}")
    (folder / "small.yaml").write_text(ONE_SMALL_WORKLOAD)
    assert main(["check", "./mine.py", "--suite", "./small.yaml"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"wrong +rates/__init__.py:1 ", said) and "put its modules beside submission.py" in said
    (folder / "collection" / "mine" / "rates").mkdir(parents=True)
    for file in ("submission.yaml", "submission.py", "rates/__init__.py"):
        (folder / "collection" / "mine" / file).write_text("")
    monkeypatch.setattr(catalogue, "SUBMISSIONS", folder / "collection")
    with pytest.raises(UsageError, match=r"'mine' has modules in .*rates: put them beside"):
        find_submission("mine")


def test_a_file_without_values_is_told_which_constant_it_lacks(folder):
    (folder / "mine.py").write_text(OPTIMIZER.replace("HYPERPARAMETERS", "OTHERS"))
    with pytest.raises(UsageError, match="give it HYPERPARAMETERS, or choose ruleset=external"):
        make_plan(compose(["submission=./mine.py", "ruleset=self_tuning"]), "cpu", 1)


def test_a_class_of_a_file_is_told_how_to_write_it():
    for typed, written in (("./mine.py:Gentle", "mine:Gentle"), ("my-own.py:Gentle", "my-own:Gentle")):
        with pytest.raises(UsageError, match=f"write {written}, in its folder"):
            find_submission(typed)


def test_check_asks_for_smaller_steps_where_all_workloads_diverge(folder, capsys):
    (folder / "mine.py").write_text(WRONG_NAME.replace("hyperparameters.rate", "1e30"))
    assert main(["check", "./mine.py"]) == 0
    said = capsys.readouterr()
    assert said.out.count("too large a step") == 4 and "every workload" in said.out
    assert "next: take smaller steps" in said.err and "timetrial run" not in said.err
