"""Normalised SGD with momentum: m <- momentum m + (1 - momentum) g; w <- w - learning_rate m / |m|.

Cutkosky & Mehta (2020), algorithm 1. The norm is that of all parameters together.
"""

import torch

from timetrial.submissions.foreach import ForeachOptimizer
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class NormalizedSGD(ForeachOptimizer):
    def before_update(self):
        momenta = []
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            m = self.buffer("m", weights)
            if m:
                torch._foreach_lerp_(m, [p.grad for p in weights], 1 - group["momentum"])
            momenta += m
        self.norm = torch.nn.utils.get_total_norm(momenta) + 1e-12

    def update(self, group, weights, gradients):
        torch._foreach_add_(weights, torch._foreach_div(self.buffer("m", weights), self.norm), alpha=-group["lr"])


def build_optimizer(model, hyperparameters, task):
    optimizer = NormalizedSGD(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        momentum=hyperparameters.momentum,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
