"""How weights move, where it is known."""

import types

import pytest
import torch

from timetrial.harness.explain import dynamics
from timetrial.harness.explain.loop import Training, find_workload
from timetrial.harness.workload import DataSource


def test_stable_rank_lies_between_one_and_the_rank():
    assert dynamics.stable_rank(torch.eye(7)) == pytest.approx(7)
    assert dynamics.stable_rank(torch.outer(torch.arange(1.0, 5), torch.arange(1.0, 4))) == pytest.approx(1)
    assert dynamics.stable_rank(torch.diag(torch.tensor([2.0, 1.0, 1.0]))) == pytest.approx(1.5)


def test_a_step_of_sgd_has_the_effective_rate_eta_over_the_squared_norm():
    workload = find_workload("quickstart", "small_gpt")
    data = workload.load("train", DataSource("synthetic"))
    sgd = types.SimpleNamespace(build_optimizer=lambda model, *_: torch.optim.SGD(model.parameters(), lr=0.1))
    training = Training(workload, sgd, {}, steps=6, data=data)
    before = {n: p.detach().norm().item() for n, p in training.model.named_parameters()}
    rows = dynamics.measure(training, 6, 1)
    embedded = [row for row in rows if row["role"] == "output"]
    (name,) = [name for name, role in training.task.roles.items() if role == "output"]
    assert embedded[0]["effective_rate"] == pytest.approx(0.1 / before[name] ** 2, rel=1e-3)
    assert {row["role"] for row in rows} == set(training.task.roles.values())


def test_muon_moves_matrices_in_all_directions():
    options = dynamics.Options(suite="quickstart", data="synthetic", steps=10, every=5, submission=("adamw", "muon"))
    found = dynamics.run(options)
    assert found.numbers["stable_rank_muon"] > 3 * found.numbers["stable_rank_adamw"]
    assert "stable rank of the update: adamw" in found.paragraph.lower() and found.figure().axes
