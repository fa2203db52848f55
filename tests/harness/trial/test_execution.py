"""Compiled and graphed losses give what eager ones give, and step aside where they were not prepared."""

from dataclasses import replace

import pytest
import torch

from tests.harness.trial.tiny import HONEST, SPEC, metrics, run
from tests.requirements import lacks
from timetrial.harness import UsageError
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.environment import has_compiler
from timetrial.harness.planning.plan import make_plan
from timetrial.harness.trial import execution
from timetrial.harness.trial.arena import Arena
from timetrial.harness.workload import Batch
from timetrial.workloads.cifar_resnet import CifarResNet

WORKLOAD = CifarResNet(depth=8, width=8, batch_size=6)


def record_on_cpu(function):
    """Stand in for a CUDA graph: each replay overwrites the results of the one before."""
    value, gradients = function()

    def replay():
        with torch.enable_grad():  # a graph does not ask
            new_value, new_gradients = function()
        value.copy_(new_value)
        for ours, new in zip(gradients, new_gradients, strict=True):
            ours.copy_(new)

    return (value, gradients), replay


def batch(seed: int, size: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(torch.randn(size, 3, 32, 32, generator=generator), torch.randint(10, (size,), generator=generator))


@pytest.fixture
def model():
    return WORKLOAD.build_model(torch.Generator().manual_seed(0)).train()


@pytest.fixture
def graphed(model, monkeypatch):
    monkeypatch.setattr(execution, "capture", record_on_cpu)
    return execution.prepare_loss("graphed", WORKLOAD, model, lambda: batch(99))


def gradients_of(loss, model) -> list[torch.Tensor]:
    model.zero_grad(set_to_none=True)
    loss.backward()
    return [p.grad.clone() for p in model.parameters()]


def close(first, second) -> bool:
    return all(torch.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(first, second, strict=True))


def test_preparing_leaves_weights_buffers_and_gradients_alone(model, monkeypatch):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    monkeypatch.setattr(execution, "capture", record_on_cpu)
    execution.prepare_loss("graphed", WORKLOAD, model, lambda: batch(99))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("seed", [1, 2])
def test_a_replayed_loss_has_the_value_and_gradients_of_an_eager_one(model, graphed, seed):
    expected = WORKLOAD.loss(model, batch(seed))
    wanted = gradients_of(expected, model)
    replayed = graphed(model, batch(seed))
    assert type(replayed.grad_fn).__name__ == "_ReplayedBackward"
    assert torch.allclose(replayed, expected)
    assert close(gradients_of(replayed, model), wanted)


def test_several_losses_at_once_keep_their_own_gradients(model, graphed):
    wanted = gradients_of(WORKLOAD.loss(model, batch(1)) + 3 * WORKLOAD.loss(model, batch(2)), model)
    assert close(gradients_of(graphed(model, batch(1)) + 3 * graphed(model, batch(2)), model), wanted)


def test_a_replay_sees_weights_that_were_updated_in_place(model, graphed):
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(0.9)
    assert torch.allclose(graphed(model, batch(1)), WORKLOAD.loss(model, batch(1)))


def _other_weights(model):
    first = next(model.parameters())
    first.data = first.data.clone()


UNPREPARED = {
    "a hook": lambda model: model.get_submodule("head").register_forward_hook(lambda *_: None),
    "another forward": lambda model: setattr(model.head, "forward", lambda x: x @ model.head.weight.T),
    "evaluation mode": lambda model: model.eval(),
    "weights that moved": _other_weights,
    "a part in evaluation mode": lambda model: next(m for m in model.modules() if "Norm" in type(m).__name__).eval(),
    "another weight": lambda model: setattr(model.head, "weight", torch.nn.Parameter(model.head.weight.detach() + 1)),
    "a frozen weight": lambda model: next(model.parameters()).requires_grad_(False),
}


@pytest.mark.parametrize("change", UNPREPARED)
def test_what_was_not_prepared_is_computed_eagerly(model, graphed, change):
    UNPREPARED[change](model)
    assert type(graphed(model, batch(1)).grad_fn).__name__ != "_ReplayedBackward"


def test_other_batches_and_no_gradients_are_computed_eagerly(model, graphed):
    assert type(graphed(model, batch(1, size=3)).grad_fn).__name__ != "_ReplayedBackward"
    with torch.no_grad():
        assert graphed(model, batch(1)).grad_fn is None


def test_a_compiled_trial_has_the_metrics_of_an_eager_one(tmp_path):
    if not has_compiler():
        lacks("compiler", "torch.compile needs g++ and the headers of Python (python3-dev)")
    arena = Arena(SPEC, None)
    for name in ("eager", "compiled"):
        result = run(HONEST, arena, tmp_path / name, replace(SPEC, execution=name))
        assert result.status == "budget_exhausted", result.reason
    arena.close()
    compare(metrics(tmp_path / "compiled"), metrics(tmp_path / "eager"))
    assert result.warmup_seconds > 1  # the compiler worked, and not on the clock
    assert result.seconds < result.warmup_seconds


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["graphed", "compiled"])
def test_on_a_gpu_it_has_the_metrics_of_an_eager_one(tmp_path, name):
    if not torch.cuda.is_available():
        lacks("gpu", "there is no GPU on this machine")
    spec = replace(SPEC, device="cuda")
    arena = Arena(spec, None)
    for mode in ("eager", name):
        result = run(HONEST, arena, tmp_path / mode, replace(spec, execution=mode))
        assert result.status == "budget_exhausted", result.reason
    arena.close()
    compare(metrics(tmp_path / name), metrics(tmp_path / "eager"))


def compare(first: list[tuple], second: list[tuple]) -> None:
    assert [line[0] for line in first] == [line[0] for line in second]
    for (_, train, validation, _), (_, other_train, other_validation, _) in zip(first, second, strict=True):
        assert train == pytest.approx(other_train, abs=0.1)
        assert validation == pytest.approx(other_validation, abs=0.1)
    assert first[-1][1]["loss"] == pytest.approx(second[-1][1]["loss"], rel=0.02)


def test_an_execution_that_cannot_be_is_one_line(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    for given, says in (
        ("fast", "suite.execution is 'fast': choose one of eager"),
        ("graphed", "needs a GPU"),
        ("compiled", "the headers of Python"),
    ):
        with pytest.raises(UsageError, match=says):
            make_plan(compose(["submission=adamw", f"suite.execution={given}"]), device="cpu", threads=1)
