"""The loss around minima, where its shape is known."""

import math

import numpy
import pytest
import torch

from timetrial.harness.explain import landscape
from timetrial.harness.explain.loop import find_workload, set_weights, weights_of
from timetrial.harness.workload import DataSource


def test_a_parabola_has_risen_by_a_tenth_where_it_must():
    steps = numpy.linspace(0, 1, 401)
    assert landscape.first_rise(steps, 3 + 5 * steps**2, 0.1) == pytest.approx(math.sqrt(0.1 / 5), rel=1e-4)
    assert landscape.first_rise(steps, 3 - steps, 0.1) == 1.0


def test_a_direction_has_the_norms_of_the_filters():
    weights = torch.randn(6, 4, 3, 3) * torch.arange(6.0).reshape(6, 1, 1, 1)
    drawn = landscape.filter_normalised(weights, torch.Generator().manual_seed(0))
    assert torch.allclose(drawn.flatten(1).norm(dim=1), weights.flatten(1).norm(dim=1), atol=1e-5)
    assert not landscape.filter_normalised(torch.ones(5), torch.Generator()).any()


def test_weights_go_into_a_vector_and_back():
    workload = find_workload("quickstart", "cifar_resnet")
    one, other = (workload.build_model(torch.Generator().manual_seed(seed)) for seed in (0, 1))
    set_weights(other, weights_of(one))
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))
    assert other.stem.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_line_begins_at_the_start_and_ends_at_the_end():
    options = landscape.Options(suite="quickstart", data="synthetic", examples=100)
    found = landscape.Landscape(find_workload("quickstart", "fashion_mnist_mlp"), "adamw", 20, options)
    line = dict(landscape.line(found, found.start))
    assert line[0.0] == pytest.approx(found.loss(found.start), rel=1e-6)
    assert line[1.0] == pytest.approx(found.loss(found.end), rel=1e-6) and line[1.0] < line[0.0]


def test_all_pairs_are_drawn_and_said():
    small = {"mlp_steps": 10, "resnet_steps": 3, "examples": 50, "points": 3}
    found = landscape.run(landscape.Options(suite="quickstart", data="synthetic", **small))
    assert {"width_resnet", "width_resnet, no skips", "width_mlp, dropout 0.2", "barrier"} <= found.numbers.keys()
    assert all(math.isfinite(number) for number in found.numbers.values())
    assert (found.table[found.table.kind == "plane"].groupby("model").size() == 9).all()
    assert "on the line between the minima of momentum and adamw" in found.paragraph.lower()
    assert found.figure().axes


def test_dropout_and_shortcuts_are_sizes_of_the_workloads():
    mlp, resnet = (find_workload("quickstart", name) for name in ("fashion_mnist_mlp", "cifar_resnet"))
    from dataclasses import replace

    with pytest.raises(ValueError, match=r"dropout is 1\.5"):
        replace(mlp, dropout=1.5)
    data = mlp.load("train", DataSource("synthetic"))
    dropped = replace(mlp, dropout=0.5).build_model(torch.Generator().manual_seed(0)).train()
    batch = mlp.batch(data, torch.arange(8), torch.Generator())
    assert not torch.equal(dropped(batch.inputs), dropped(batch.inputs))
    assert torch.equal(dropped.eval()(batch.inputs), dropped(batch.inputs))
    plain = replace(resnet, skips=False).build_model(torch.Generator().manual_seed(0))
    block = plain.blocks[0].eval()
    torch.nn.init.zeros_(block.conv_2.weight)
    assert not block(torch.randn(2, 8, 8, 8)).any(), "nothing goes past the convolutions"
    assert replace(resnet, skips=False).parameter_roles(plain).keys() == dict(plain.named_parameters()).keys()
