"""How the training loss and its gradients are computed: eagerly, compiled, or replayed as a CUDA graph.

The suite chooses, the same for all submissions, and no submission changes a line: it calls `task.loss(model, batch)`
and `backward` as ever. The clock does not run while this is prepared. What it was not prepared for is computed eagerly:
batches of another size, another model, evaluation mode, no gradients wanted, hooks on modules, weights that moved.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from timetrial.harness.workload import Batch, Workload

WARMUP_RUNS = 3

Loss = Callable[[nn.Module, Batch], Tensor]
Capture = Callable[[Callable[[], Any]], tuple[Any, Callable[[], None]]]


def prepare_loss(execution: str, workload: Workload, model: nn.Module, example: Callable[[], Batch]) -> Loss:
    """Give the loss of `workload`, prepared for `model` and batches like `example()`, with the model left as it was."""

    def eager(model: nn.Module, batch: Batch) -> Tensor:
        return workload.loss(model, batch)

    if execution == "eager":
        return eager
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    batch = example()
    fast = compiled(eager, model, batch) if execution == "compiled" else graphed(eager, model, batch, capture)
    model.load_state_dict(state)
    model.zero_grad(set_to_none=True)
    return where_prepared(fast, eager, model, batch)


def where_prepared(fast: Loss, eager: Loss, model: nn.Module, example: Batch) -> Loss:
    """Use `fast` for what it was prepared for, and `eager` for everything else."""
    modules = list(model.modules())
    layout, addresses = _layout(example), _addresses(model)

    def is_as_prepared(given: nn.Module, batch: Batch) -> bool:
        return (
            given is model
            and all(module.training for module in modules)
            and torch.is_grad_enabled()
            and _layout(batch) == layout
            and _addresses(model) == addresses
            and all(p.requires_grad for p in model.parameters())
            and not any(map(_is_changed, modules))
        )

    return lambda given, batch: (fast if is_as_prepared(given, batch) else eager)(given, batch)


def _addresses(model: nn.Module) -> list[int]:
    return [tensor.data_ptr() for tensor in (*model.parameters(), *model.buffers())]


def _layout(batch: Batch) -> list[tuple[torch.Size, torch.dtype]]:
    return [(tensor.shape, tensor.dtype) for tensor in batch.tensors]


def _is_changed(module: nn.Module) -> bool:
    """Say whether somebody listens to a module, or has replaced what it does."""
    hooks = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    return bool(hooks) or "forward" in module.__dict__


def compiled(loss: Loss, model: nn.Module, example: Batch) -> Loss:
    """Compile `loss` with its gradients for batches like `example` (`torch.compile`)."""
    fast = torch.compile(loss, dynamic=False)
    for _ in range(WARMUP_RUNS):
        fast(model, example).backward()
    return fast


def capture(function: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
    """Record what `function` does on the GPU; gives its results, which every call of the second value renews.

    A few runs on a stream of their own come first, as torch's notes on CUDA graphs ask for.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARMUP_RUNS):
            function()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = function()
    return results, graph.replay


def graphed(loss: Loss, model: nn.Module, example: Batch, capture: Capture) -> Loss:
    """Record loss and gradients once, for batches like `example`, to be replayed for every batch.

    A replay overwrites the results of the one before, so each call keeps copies of its own. There are no second
    derivatives.
    """
    parameters = list(model.parameters())
    place = example.map(torch.clone)

    def forward_and_backward() -> tuple[Tensor, Sequence[Tensor]]:
        value = loss(model, place)
        return value.detach(), torch.autograd.grad(value, parameters)

    (value, gradients), replay = capture(forward_and_backward)

    def run(batch: Batch) -> tuple[Tensor, Sequence[Tensor]]:
        for ours, given in zip(place.tensors, batch.tensors, strict=True):
            ours.copy_(given)
        replay()
        return value.clone(), torch._foreach_mul(gradients, 1.0)

    return lambda model, batch: _Replayed.apply(run, batch, *parameters)


class _Replayed(torch.autograd.Function):
    """A loss whose gradients are known as soon as its value is."""

    @staticmethod
    def forward(ctx: Any, run: Callable, batch: Batch, *parameters: Tensor) -> Tensor:
        value, ctx.gradients = run(batch)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *torch._foreach_mul(ctx.gradients, factor)
