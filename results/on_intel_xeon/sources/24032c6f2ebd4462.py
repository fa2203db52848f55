"""The optimizers that many submissions build on, each with the same groups and options everywhere.

torch's `foreach` implementations are asked for, on a CPU as on a GPU, since our own are written so too: torch itself
would choose its loops on a CPU. No submission uses its `fused` ones, which few methods have.
"""

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from timetrial.harness.submission import Task
from timetrial.submissions.foreach import ForeachOptimizer, Tensors
from timetrial.submissions.parameter_groups import decay_groups


def momentum(model: nn.Module, hyperparameters: SimpleNamespace, task: Task, nesterov: bool = False) -> torch.optim.SGD:
    """Build SGD with momentum: v <- momentum v + g + weight_decay w; w <- w - learning_rate v (or Nesterov's)."""
    return torch.optim.SGD(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        momentum=hyperparameters.momentum,
        nesterov=nesterov,
        foreach=True,
    )


def adamw(model: nn.Module, hyperparameters: SimpleNamespace, task: Task, amsgrad: bool = False) -> torch.optim.AdamW:
    """Build AdamW (Loshchilov & Hutter 2019, algorithm 2), with AMSGrad's maximum if asked for."""
    return torch.optim.AdamW(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        betas=(hyperparameters.beta1, hyperparameters.beta2),
        amsgrad=amsgrad,
        foreach=True,
    )


class NAdamW(ForeachOptimizer):
    """AdamW with Nesterov momentum, the optimizer of AlgoPerf's baselines (NAdam of Choi et al. 2019, table 1).

    m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2; and instead of m the update takes
    beta1 m + (1 - beta1) g, with Adam's bias corrections. `power` is the root that is taken of v: 2 for Adam's.
    """

    buffers = ("m", "v")

    def update(self, group: dict[str, Any], weights: Tensors, gradients: Tensors, m: Tensors, v: Tensors) -> None:
        t, beta1, beta2 = group["step"], group["beta1"], group["beta2"]
        torch._foreach_lerp_(m, gradients, 1 - beta1)
        torch._foreach_mul_(v, beta2)
        torch._foreach_addcmul_(v, gradients, gradients, 1 - beta2)
        ahead = torch._foreach_lerp(m, gradients, 1 - beta1)
        denominators = torch._foreach_div(v, 1 - beta2**t)
        if group["power"] == 2.0:
            torch._foreach_sqrt_(denominators)
        else:
            torch._foreach_pow_(denominators, 1.0 / group["power"])
        torch._foreach_add_(denominators, group["eps"])
        torch._foreach_addcdiv_(weights, ahead, denominators, -group["lr"] / (1 - beta1**t))


def nadamw(model: nn.Module, hyperparameters: SimpleNamespace, task: Task, power: float = 2.0) -> NAdamW:
    return NAdamW(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        beta1=hyperparameters.beta1,
        beta2=hyperparameters.beta2,
        eps=1e-8,
        power=power,
    )
