"""Decoupled weight decay for optimizers that only know it as a term of the gradient."""

from typing import Any

import torch


def decouple_weight_decay(optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
    """Take the weight decay of `optimizer` out of its gradients: w <- (1 - lr weight_decay) w before each step instead.

    As in AdamW (Loshchilov & Hutter 2019, algorithm 2).
    """
    for group in optimizer.param_groups:
        group["separate_weight_decay"] = group["weight_decay"]
        group["weight_decay"] = 0.0
    optimizer.register_step_pre_hook(decay)
    return optimizer


@torch.no_grad()
def decay(optimizer: torch.optim.Optimizer, *arguments: Any) -> None:
    for group in optimizer.param_groups:
        weights = [p for p in group["params"] if p.grad is not None]
        if weights and group["separate_weight_decay"] != 0.0:
            torch._foreach_mul_(weights, 1.0 - group["lr"] * group["separate_weight_decay"])
