"""A base for optimizers whose update is written once for lists of tensors, as fast as torch's own `foreach` ones."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Tensors = list[Tensor]


class ForeachOptimizer(torch.optim.Optimizer):
    """An optimizer that a subclass finishes with `buffers` and `update`.

    `buffers` names what is kept for each parameter, zeros at first; `group["step"]` counts steps from 1. Weight decay
    is decoupled (Loshchilov & Hutter 2019, algorithm 2): w <- (1 - lr weight_decay) w before the update; a subclass
    whose method treats it otherwise overrides `decay`.
    """

    buffers: tuple[str, ...] = ()

    def __init__(self, parameters: Any, lr: float, weight_decay: float = 0.0, **options: Any) -> None:
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "step": 0, **options})

    def update(self, group: dict[str, Any], weights: Tensors, gradients: Tensors, *buffers: Tensors) -> None:
        """Update `weights` and `buffers`, in place, from `gradients`, which may be overwritten."""
        raise NotImplementedError

    def decay(self, group: dict[str, Any], weights: Tensors, gradients: Tensors) -> None:
        """Apply the weight decay of a group, where it is not zero, before the update."""
        torch._foreach_mul_(weights, 1.0 - group["lr"] * group["weight_decay"])

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.before_update()
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if not weights:
                continue
            gradients = [p.grad for p in weights]
            group["step"] += 1
            if group["weight_decay"] != 0.0:
                self.decay(group, weights, gradients)
            self.update(group, weights, gradients, *(self.buffer(name, weights) for name in self.buffers))
        return loss

    def before_update(self) -> None:
        """Prepare what all groups share, such as the norm of the whole gradient."""

    def buffer(self, name: str, weights: Tensors) -> Tensors:
        """Give the buffer `name` of each of `weights`, zeros where it is new."""
        for p in weights:
            if name not in self.state[p]:
                self.state[p][name] = torch.zeros_like(p, memory_format=torch.preserve_format)
        return [self.state[p][name] for p in weights]


class L2(ForeachOptimizer):
    """The same with weight decay in the gradient, g <- g + weight_decay w, as in plain gradient descent."""

    def decay(self, group: dict[str, Any], weights: Tensors, gradients: Tensors) -> None:
        torch._foreach_add_(gradients, weights, alpha=group["weight_decay"])


def adam_moments(
    gradients: Tensors, m: Tensors, v: Tensors, beta1: float, beta2: float, t: int, eps: float
) -> tuple[Tensors, Tensors]:
    """Update Adam's moments; give the bias-corrected first one and the denominators sqrt(v / (1 - beta2^t)) + eps."""
    torch._foreach_lerp_(m, gradients, 1 - beta1)
    torch._foreach_mul_(v, beta2)
    torch._foreach_addcmul_(v, gradients, gradients, 1 - beta2)
    denominators = torch._foreach_div(v, 1 - beta2**t)
    torch._foreach_sqrt_(denominators)
    torch._foreach_add_(denominators, eps)
    return torch._foreach_div(m, 1 - beta1**t), denominators
