"""Averages of weights, where their distances are known."""

import math

import pytest
import torch

from timetrial.harness.explain import averaging


def test_independent_snapshots_are_as_far_from_the_next_as_from_any_and_those_that_wander_are_nearer():
    generator = torch.Generator().manual_seed(0)
    draws = [torch.randn(5000, generator=generator) for _ in range(40)]
    independent = averaging.distances(draws)
    assert independent["ratio"] == pytest.approx(1, rel=0.02)
    assert independent["between"] == pytest.approx(math.sqrt(2 * 5000), rel=0.02)
    wandering = averaging.distances(list(torch.stack(draws).cumsum(0)))
    assert wandering["next_one"] == pytest.approx(math.sqrt(5000), rel=0.02) and wandering["ratio"] < 0.4


@pytest.mark.parametrize("workload", ["fashion_mnist_mlp", "cifar_resnet"])
def test_an_average_of_equal_weights_is_the_last_iterate(workload):
    options = averaging.Options(
        suite="quickstart", workload=workload, data="synthetic", learning_rate=0.0, steps=4, every=2, start=0.2
    )
    found = averaging.run(options)
    assert found.numbers["from_centre"] == pytest.approx(0, abs=1e-6)
    if workload == "fashion_mnist_mlp":  # batch norm has moved on meanwhile
        assert found.numbers["swa_loss"] == pytest.approx(found.numbers["last_loss"], rel=1e-5)


def test_it_says_what_it_saw():
    found = averaging.run(averaging.Options(suite="quickstart", data="synthetic", steps=40, every=4))
    assert set(found.table.weights) == {"last", "lawa", "swa"} and found.figure().axes
    better = found.numbers["swa_loss"] < found.numbers["last_loss"]
    assert ("Neither average" in found.paragraph) <= (not better)
