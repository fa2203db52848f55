"""Cheats on what is evaluated: the workload's own model, with tensors of the names, shapes and dtypes it has."""

import pytest

from tests.harness.trial.tiny import HONEST
from timetrial.harness.trial import referee
from timetrial.harness.trial.arena import Arena
from timetrial.harness.trial.shared_tensors import SharedTensors

BEFORE_RETURN = "    return torch.optim"
HARMLESS = {
    "a replaced forward": "model.forward = type(model).forward.__get__(model); model.eval_forward = lambda x: 1",
    "a bigger attribute": "model.secret = lambda: torch.zeros(10**6)",
    "a hook that would cheat in evaluations": "model.register_forward_hook(lambda m, i, o: o if m.training else o * 0)",
}


@pytest.mark.parametrize("cheat", HARMLESS)
def test_changing_the_model_object_does_not_reach_the_referees_own(cheat, ran, honest) -> None:
    _, metrics = ran(HONEST.replace(BEFORE_RETURN, f"    {HARMLESS[cheat]}\n{BEFORE_RETURN}"))
    assert metrics == honest


@pytest.mark.parametrize("method", ["loss", "evaluate"])
def test_overwriting_the_workload_changes_no_metric_of_the_referee(method, ran) -> None:
    zero = f"m.ModularDivision.{method} = lambda self, model, batch: sum(p.sum() for p in model.parameters()) * 0"
    result, metrics = ran(f"{HONEST}\nimport timetrial.workloads.modular_division as m\n{zero}\n")
    assert result.status == "budget_exhausted"
    assert metrics[-1][2]["loss"] > 0


SWAP = """
import contextlib
import torch

class Submission:
    def __init__(self, model, hyperparameters, task):
        self.model, self.task = model, task

    def training_step(self, batch):
        pass

    @contextlib.contextmanager
    def prepare_for_evaluation(self):
        model = self.model
        {swap}
        yield

    def state_dict(self):
        return {{}}
"""
REFUSED = {
    "larger weights": "model.head.weight = torch.nn.Parameter(torch.zeros(50, 50))",
    "another dtype": "model.double()",
    "an extra tensor": "model.register_buffer('more', torch.zeros(3))",
    "a missing tensor": "del model.head",
    "no tensors": "model.state_dict = lambda: {n: 'pickle me' for n in type(model).state_dict(model)}",
    "nothing": "model.state_dict = lambda: None",
}


@pytest.mark.parametrize("swap", REFUSED)
def test_weights_that_are_not_the_models_are_refused(swap, ran) -> None:
    result, metrics = ran(SWAP.format(swap=REFUSED[swap]))
    assert result.status == "crashed"
    assert result.reason
    assert not metrics


LIE = """lie = type("Lie", (torch.Tensor,), {"__add__": lambda *_: 1 / 0})
        state = type(model).state_dict(model)
        model.state_dict = lambda: {n: t.as_subclass(lie) for n, t in state.items()}"""


def test_a_tensor_subclass_arrives_as_the_numbers_it_holds(ran) -> None:
    _, expected = ran(SWAP.format(swap="pass"))
    result, metrics = ran(SWAP.format(swap=LIE))
    assert result.status in ("budget_exhausted", "crashed")
    assert not metrics or metrics[-1] == expected[-1]


def test_weights_written_after_the_clock_has_stopped_are_never_read(arena) -> None:
    shared = SharedTensors(arena.model.state_dict())
    assert arena.load_weights(shared.tensors)
    before = arena.evaluate("validation")
    for tensor in shared.tensors.values():
        tensor.fill_(float("nan")) if tensor.is_floating_point() else tensor.zero_()
    assert arena.evaluate("validation") == before
    shared.close()


def test_weights_are_copied_before_anything_else_is_done_with_an_arrival(ran, monkeypatch) -> None:
    calls = []
    for owner, name in ((Arena, "load_weights"), (referee, "_measure")):  # the second paces, which takes its time
        monkeypatch.setattr(owner, name, _noted(getattr(owner, name), calls))
    _, metrics = ran(HONEST)
    assert calls == ["load_weights", "_measure"] * len(metrics)


def _noted(function, calls):
    def note(*arguments):
        calls.append(function.__name__)
        return function(*arguments)

    return note


def test_the_shared_memory_can_neither_shrink_nor_grow_nor_training_data_be_written(arena) -> None:
    import os

    shared = SharedTensors(arena.model.state_dict())
    for size in (0, 1 << 30):
        with pytest.raises(OSError):
            os.ftruncate(shared.file, size)
    shared.close()
    with pytest.raises(OSError):
        os.pwrite(arena.training_data.file, b"\0", 0)


def test_weights_that_are_not_finite_end_the_trial_as_diverged(ran) -> None:
    result, _ = ran(SWAP.format(swap="torch.nn.init.constant_(model.head.weight, float('nan'))"))
    assert result.status == "diverged"


GARBAGE = {
    "a pickle": "self.send_bytes(__import__('pickle').dumps(os.system))",
    "a huge message": "self.socket.sendall(b'\\xff' * 8)",
    "deep JSON": "self.send_bytes(b'[' * 100000)",
    "an unknown kind": "send(self, 'target_reached', seconds=0.0)",
    "a status of its own": "send(self, 'failed', status='target_reached', reason='won')",
}


@pytest.mark.parametrize("what", GARBAGE)
def test_anything_else_on_the_channel_disqualifies(what, ran) -> None:
    source = f"""
import os
import timetrial.harness.trial.channel as channel
send = channel.Channel.send

def lie(self, kind, **fields):
    if kind == "evaluation_point":
        {GARBAGE[what]}
    send(self, kind, **fields)

channel.Channel.send = lie
"""
    result, metrics = ran(HONEST + source)
    assert result.status == "disqualified", result.reason
    assert not metrics
