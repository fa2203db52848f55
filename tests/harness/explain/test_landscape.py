"""The loss around minima, where its shape is known."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch

from tests.harness.trial.tiny import HONEST, SPEC
from timetrial.harness import UsageError
from timetrial.harness.explain import landscape, surface
from timetrial.harness.explain.kept import find_kept
from timetrial.harness.explain.loop import find_workload, set_weights, weights_of
from timetrial.harness.planning.source import Source
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.trial.arena import Arena
from timetrial.harness.trial.referee import run_trial
from timetrial.harness.workload import DataSource


def test_a_parabola_has_risen_by_a_tenth_where_it_must():
    steps = numpy.linspace(0, 1, 401)
    assert surface.first_rise(steps, 3 + 5 * steps**2, 0.1) == pytest.approx(math.sqrt(0.1 / 5), rel=1e-4)
    assert surface.first_rise(steps, 3 - steps, 0.1) == 1.0


def test_a_direction_has_the_norms_of_the_filters():
    weights = torch.randn(6, 4, 3, 3) * torch.arange(6.0).reshape(6, 1, 1, 1)
    drawn = surface.filter_normalised(weights, torch.Generator().manual_seed(0))
    assert torch.allclose(drawn.flatten(1).norm(dim=1), weights.flatten(1).norm(dim=1), atol=1e-5)
    assert not surface.filter_normalised(torch.ones(5), torch.Generator()).any()


def test_weights_go_into_a_vector_and_back():
    workload = find_workload("quickstart", "cifar_resnet")
    one, other = (workload.build_model(torch.Generator().manual_seed(seed)) for seed in (0, 1))
    set_weights(other, weights_of(one))
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))
    assert other.stem.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_line_begins_at_the_start_and_ends_at_the_end():
    options = landscape.Options(suite="quickstart", data="synthetic", examples=100)
    found = landscape.train(find_workload("quickstart", "fashion_mnist_mlp"), "adamw", 20, options)
    line = dict(surface.line(found, found.start))
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


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A run that kept weights: two submissions, of which one does not move, and two trials of the other."""
    run = RunFolder(tmp_path_factory.mktemp("kept") / "run")
    arena = Arena(SPEC, None)
    for name, trial, rate in (("still", 0, 0.0), ("moves", 0, 0.01), ("moves", 1, 0.02)):
        spec = replace(SPEC, submission=name, trial=trial, hyperparameters={"learning_rate": rate})
        run.trial(spec).write_spec(spec)
        run_trial(spec, Source(HONEST), arena, run.trial(spec), keep_weights=True)
    return str(run.path)


def test_the_start_of_a_kept_trial_is_where_it_began(kept):
    still, moved = (find_kept(kept, name, "modular_division") for name in ("still", "moves"))
    assert torch.equal(weights_of(still.start), weights_of(still.end))
    assert torch.equal(weights_of(still.start), weights_of(moved.start))
    assert moved.spec.trial == 0 and not torch.equal(weights_of(moved.end), weights_of(moved.start))


def test_the_minima_of_a_run_that_kept_its_weights_are_drawn_and_said(kept):
    options = landscape.Options(
        run=kept, submission=("still", "moves"), workload="modular_division", points=3, reach=0.2
    )
    found = landscape.run(options)
    line = found.table[(found.table.model == "moves") & (found.table.kind == "line")].set_index("a").loss
    assert line[0.0] == pytest.approx(found.numbers["end_still"], rel=1e-5)
    assert line[1.0] == pytest.approx(found.numbers["end_moves"], rel=1e-5) and line[1.0] < line[0.0]
    assert "still" in found.paragraph and "shortcuts" not in found.paragraph
    assert len(found.figure().axes) == 3


@pytest.mark.parametrize("submission, workload", [("absent", "modular_division"), ("moves", "small_gpt")])
def test_weights_that_a_run_did_not_keep_are_named(kept, submission, workload):
    with pytest.raises(UsageError, match=f"keeps no weights of {submission} on {workload}: run it with keep_weights"):
        landscape.run(landscape.Options(run=kept, submission=(submission, "still"), workload=workload))


def test_damaged_weights_are_named(kept, tmp_path):
    copy = RunFolder(Path(shutil.copytree(kept, tmp_path / "run")))
    for folder in copy.trials():
        folder.weights_file.write_bytes(b"no weights")
    with pytest.raises(UsageError, match=r"weights\.pt.*run this trial again"):
        find_kept(str(copy.path), "still", "modular_division")


def test_dropout_and_shortcuts_are_sizes_of_the_workloads():
    mlp, resnet = (find_workload("quickstart", name) for name in ("fashion_mnist_mlp", "cifar_resnet"))
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
