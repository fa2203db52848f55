"""What decides a score does not depend on the order, the number or the interruption of trials."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.plan import make_plan
from timetrial.harness.planning.source import read_source
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.trial import referee
from timetrial.harness.trial.arena import Arena
from timetrial.harness.trial.batches import BatchStream
from timetrial.harness.trial.referee import Interrupted, run_trial
from timetrial.harness.trial.shared_tensors import SharedTensors
from timetrial.harness.workload import DataSource

WORKLOADS = ("fashion_mnist_mlp", "cifar_resnet", "small_gpt", "modular_division")
EVALUATIONS = 4


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def arenas():
    """The quickstart's workloads, loaded once."""
    made = {name: Arena(spec_of(name), None) for name in WORKLOADS}
    yield made
    for arena in made.values():
        arena.close()


def spec_of(workload: str, submission: str = "adamw", study: int = 0, trial: int = 0) -> TrialSpec:
    """A trial of a few steps that neither time nor target ends."""
    config = compose(["suite=quickstart", f"submission={submission}", f"workloads=[{workload}]"])
    config["ruleset"]["studies"] = study + 1
    spec = next(s for s in make_plan(config, "cpu", 1) if (s.study, s.trial) == (study, trial))
    every = 5
    endless = replace(spec.workload, target=spec.workload.target * 1e-6 or 1e-6, eval_every=every)
    if workload != "small_gpt":
        endless = replace(endless, target=1e6)
    return replace(spec, workload=endless, budget_seconds=1e4, max_steps=every * EVALUATIONS)


def metrics_of(folder: Path) -> list[tuple]:
    """All that is recorded except what a clock or a memory has measured."""
    return [(e.step, e.train, e.validation, e.test) for e in TrialFolder(folder).read_evaluations()]


def run(spec: TrialSpec, arena: Arena, path: Path, stop=lambda: False) -> list[tuple]:
    path.mkdir(parents=True, exist_ok=True)
    source = read_source(spec.submission, find_submission(spec.submission).source_files())
    result = run_trial(spec, source, arena, TrialFolder(path), stop)
    assert result.status == "budget_exhausted", (result.reason, result.traceback)
    return metrics_of(path)


@pytest.mark.parametrize("workload", WORKLOADS)
def test_the_same_trial_twice_gives_the_same_metrics_bit_for_bit(workload, arenas, tmp_path) -> None:
    first = run(spec_of(workload), arenas[workload], tmp_path / "first")
    assert first == run(spec_of(workload), arenas[workload], tmp_path / "second")
    assert len(first) == EVALUATIONS
    assert first[0][2] != first[-1][2]


@pytest.mark.parametrize("workload", WORKLOADS)
def test_metrics_do_not_depend_on_the_trials_before(workload, arenas, tmp_path) -> None:
    alone = run(spec_of(workload, trial=1), arenas[workload], tmp_path / "alone")
    run(spec_of(workload, "muon"), arenas[workload], tmp_path / "other")
    assert alone == run(spec_of(workload, trial=1), arenas[workload], tmp_path / "after another")
    assert alone != metrics_of(tmp_path / "other")


def test_another_study_starts_elsewhere(arenas, tmp_path) -> None:
    spec = spec_of("modular_division")
    other = replace(spec, study=1)
    assert run(spec, arenas["modular_division"], tmp_path / "0") != run(
        other, arenas["modular_division"], tmp_path / "1"
    )


@pytest.mark.usefixtures("imports_restored")
@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_study_starts_every_submission_from_the_same_weights_and_batches(workload, arenas) -> None:
    from timetrial.harness.trial.referee import _assign
    from timetrial.harness.trial.submission_modules import load_submission
    from timetrial.harness.trial.trainee import Run

    starts = []
    for submission in ("sgd", "muon"):
        spec = spec_of(workload, submission)
        source, arena = read_source(submission, find_submission(submission).source_files()), arenas[workload]
        shared = SharedTensors(arena.model.state_dict())
        started = Run(_assign(spec, source, arena, shared), arena.training_examples)
        started.build(load_submission(source), spec.hyperparameters)
        shared.close()
        started.batches.open(arenas[workload].training_data.tensors)
        batches = [started.batches.next() for _ in range(3)]
        starts.append((started.model.state_dict(), batches))
    (weights, batches), (other_weights, other_batches) = starts
    assert all(torch.equal(weights[name], other_weights[name]) for name in weights)
    for batch, other in zip(batches, other_batches, strict=True):
        assert torch.equal(batch.inputs, other.inputs)
        assert torch.equal(batch.targets, other.targets)


@pytest.mark.parametrize("submission", ["sgd", "adamw", "muon"])
@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_trial_interrupted_and_resumed_ends_as_one_never_interrupted(workload, submission, arenas, tmp_path) -> None:
    spec = spec_of(workload, submission)
    whole = run(spec, arenas[workload], tmp_path / "whole")
    polls = iter([False, True] + [True] * 10)
    with pytest.raises(Interrupted):
        run(spec, arenas[workload], tmp_path / "cut", stop=lambda: next(polls))
    assert (tmp_path / "cut" / "checkpoint.pt").exists()
    clock_then = json.loads((tmp_path / "cut" / "evals.jsonl").read_text().splitlines()[-1])["seconds"]
    last = TrialFolder(tmp_path / "cut").read_evaluations()[-1]
    TrialFolder(tmp_path / "cut").append(replace(last, step=last.step + 0.5))  # of an attempt that was killed
    resumed = run(spec, arenas[workload], tmp_path / "cut")
    assert resumed == whole
    evaluations = TrialFolder(tmp_path / "cut").read_evaluations()
    assert evaluations[-1].seconds > clock_then
    assert not (tmp_path / "cut" / "checkpoint.pt").exists()


def test_a_trial_killed_after_a_checkpoint_repeats_what_was_lost(arenas, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(referee, "CHECKPOINT_SECONDS", 0.0)
    spec, arena = spec_of("modular_division"), arenas["modular_division"]
    whole = run(spec, arena, tmp_path / "whole")
    folder = TrialFolder(tmp_path / "killed")
    checkpoints = []
    write = TrialFolder.write_checkpoint

    def die_at_the_third(self, *parts) -> None:
        checkpoints.append(parts)
        if len(checkpoints) == 3:
            raise KeyboardInterrupt
        write(self, *parts)

    monkeypatch.setattr(TrialFolder, "write_checkpoint", die_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(spec, arena, folder.path)
    assert len(folder.read_evaluations()) == 3  # the third was recorded; the checkpoint is of the second
    assert run(spec, arena, folder.path) == whole


def stream_of(workload, data, seed: int) -> BatchStream:
    stream = BatchStream(workload, workload.examples(data), torch.device("cpu"), seed)
    stream.open(data)
    return stream


@pytest.mark.parametrize("sizes", [[64] * 30, [7, 64, 200, 1, 64, 3000, 64]])
def test_every_example_is_drawn_once_in_an_epoch_whatever_the_sizes(sizes) -> None:
    from timetrial.workloads.modular_division import ModularDivision

    workload = ModularDivision(modulus=23, width=16, heads=2, layers=1, batch_size=64)
    data = workload.load("train", DataSource("synthetic"))
    stream = stream_of(workload, data, seed=1)
    n = stream.examples
    drawn = torch.cat([stream._indices(size) for size in sizes])
    for start in range(0, len(drawn) - n, n):
        assert drawn[start : start + n].sort().values.equal(torch.arange(n))


def test_a_stream_of_batches_goes_on_from_its_state() -> None:
    from timetrial.workloads.modular_division import ModularDivision

    workload = ModularDivision(modulus=23, width=16, heads=2, layers=1, batch_size=64)
    data = workload.load("train", DataSource("synthetic"))
    stream = stream_of(workload, data, seed=1)
    for _ in range(9):
        stream.next()
    state = stream.state_dict()
    expected = [stream.next() for _ in range(9)]
    other = stream_of(workload, data, seed=5)
    other.load_state_dict(state)
    for batch in expected:
        assert torch.equal(batch.inputs, other.next().inputs)
