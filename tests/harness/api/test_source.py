"""The source of a function travels with all that it uses, and what cannot travel is one clear line."""

import math
import subprocess
import sys

import pytest
import torch
from torch import nn

import timetrial
from timetrial.racing import race
from timetrial.source import source_of
from timetrial.submissions.schedules import cosine_with_warmup as cosine

SCALE = 3
TABLE = {"rates": [0.1, 0.2]}
WEIGHTS = torch.ones(2)


def scaled(rate: float) -> float:
    return math.sqrt(rate) * SCALE


class Mine(torch.optim.SGD):
    def step(self, closure=None):
        return super().step(closure)


def short(model: nn.Module, hyperparameters, task):
    optimizer = Mine(model.parameters(), lr=scaled(TABLE["rates"][0]) * hyperparameters.factor)
    return optimizer, cosine(optimizer, task.step_hint)


def with_a_tensor(model, hyperparameters, task):
    return torch.optim.SGD(model.parameters(), lr=WEIGHTS.sum())


def with_a_typo(model, hyperparameters, task):
    return Mien(model.parameters(), lr=0.1)  # noqa: F821


def test_what_a_function_uses_comes_before_it_and_the_file_stands_alone():
    short.HYPERPARAMETERS = {"factor": 2.0}
    text = source_of(short)
    assert "WEIGHTS" not in text and "import sys" not in text
    space = {"__name__": "elsewhere"}
    exec(compile(text, "short.py", "exec"), space)
    assert space["HYPERPARAMETERS"] == {"factor": 2.0} and space["build_optimizer"].__name__ == "short"
    model = nn.Linear(2, 1)
    hyperparameters, task = type("H", (), {"factor": 2.0}), type("T", (), {"step_hint": 10})
    optimizer, _ = space["build_optimizer"](model, hyperparameters, task)
    assert type(optimizer).__name__ == "Mine" and type(optimizer) is not Mine
    assert optimizer.param_groups[0]["initial_lr"] == math.sqrt(0.1) * 3 * 2.0


def test_a_class_is_the_longer_form():
    class Submission:
        def __init__(self, model, hyperparameters, task):
            self.rate = SCALE

    text = source_of(Submission)
    assert text.splitlines()[0] == "SCALE = 3" and "class Submission:" in text
    assert "Submission = " not in text and text.endswith("HYPERPARAMETERS = {}\n")


class Bare(torch.optim.SGD):
    pass


def with_a_class_that_has_no_methods(model, hyperparameters, task):
    return Bare(model.parameters(), lr=0.1)


def test_a_class_without_methods_of_its_own_travels_too():
    text = source_of(with_a_class_that_has_no_methods)
    assert "class Bare(torch.optim.SGD):\n    pass" in text and "import torch" in text


def test_what_a_function_has_closed_over_travels_as_a_value():
    rate = 0.25

    def closed(model, hyperparameters, task):
        return torch.optim.SGD(model.parameters(), lr=rate)

    assert "rate = 0.25\n" in source_of(closed)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (with_a_tensor, "with_a_tensor uses WEIGHTS, a Tensor of this session: build it inside with_a_tensor"),
        (with_a_typo, "with_a_typo uses Mien, which is not defined here: define or import it first"),
        (lambda model, hyperparameters, task: None, "<lambda> has no source that can be found"),
        (3, "3 is no submission"),
        (torch.optim.AdamW, "AdamW is an optimizer"),
    ],
)
def test_what_cannot_travel_is_named(function, said):
    with pytest.raises(timetrial.UsageError) as error:
        race([function])
    assert str(error.value).startswith(said) and "\n" not in str(error.value)


def test_hyperparameters_that_nobody_gave_are_missed_before_a_trial_crashes():
    def hopeful(model, hyperparameters, task):
        return torch.optim.SGD(model.parameters(), lr=hyperparameters.learning_rate)

    with pytest.raises(timetrial.UsageError, match=r"hopeful reads hyperparameters.learning_rate: say hopeful.HYPER"):
        race(hopeful)


def test_a_name_of_the_collection_is_not_taken():
    def adamw(model, hyperparameters, task):
        return torch.optim.AdamW(model.parameters())

    with pytest.raises(timetrial.UsageError, match="would be called 'adamw', as one of the collection: rename it"):
        race([adamw])


def test_other_settings_are_another_run_and_places_are_not(monkeypatch):
    class Stop(Exception):
        pass

    def run_of(**settings):
        with pytest.raises(Stop) as stop:
            race("adamw", **settings)
        return next((word for word in stop.value.args[0] if word.startswith("run=")), None)

    def start(words):
        raise Stop(words)

    monkeypatch.setattr("timetrial.harness.runs.start.start", start)
    few, fewer = run_of(max_steps=20), run_of(max_steps=20, studies=1)
    assert few.startswith("run='quickstart-") and few == run_of(max_steps=20, data_root="data")
    assert len({few, fewer, run_of(workloads=["small_gpt"])}) == 3
    assert run_of() is None and run_of(data_root="data", executor="slurm") is None
    assert run_of(max_steps=20, run="mine") == "run='mine'"


def test_a_key_that_there_is_not_is_named_and_not_the_suite():
    with pytest.raises(timetrial.UsageError, match=r"workload=.* did you mean workloads="):
        timetrial.race("adamw", workload=["small_gpt"])


def test_importing_timetrial_is_fast_and_imports_no_torch():
    program = "import sys, timetrial; dir(timetrial); print(*{'torch', 'pandas', 'rich'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", program]).split() == []


def test_a_name_that_timetrial_does_not_have_is_an_attribute_error_that_says_what_it_has():
    with pytest.raises(AttributeError, match="Results, UsageError, race, read"):
        timetrial.rase  # noqa: B018
