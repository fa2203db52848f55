"""AdaPlus: AdamW with Nesterov momentum, as in NAdam, over the spread of the gradient, as in AdaBelief.

Guan (2023), algorithm 1: s <- beta2 s + (1 - beta2) (g - m)^2 + eps; the update is beta1 m + (1 - beta1) g, divided by
sqrt(s), with Adam's bias corrections.
"""

import torch

from timetrial.submissions.foreach import ForeachOptimizer
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class AdaPlus(ForeachOptimizer):
    buffers = ("m", "s")

    def update(self, group, weights, gradients, m, s):
        t, beta1, beta2 = group["step"], group["beta1"], group["beta2"]
        torch._foreach_lerp_(m, gradients, 1 - beta1)
        surprise = torch._foreach_sub(gradients, m)
        torch._foreach_mul_(s, beta2)
        torch._foreach_addcmul_(s, surprise, surprise, 1 - beta2)
        torch._foreach_add_(s, group["eps"])
        ahead = torch._foreach_lerp(m, gradients, 1 - beta1)
        rate = group["lr"] * (1 - beta2**t) ** 0.5 / (1 - beta1**t)
        torch._foreach_addcdiv_(weights, ahead, torch._foreach_sqrt(s), -rate)


def build_optimizer(model, hyperparameters, task):
    optimizer = AdaPlus(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        beta1=hyperparameters.beta1,
        beta2=hyperparameters.beta2,
        eps=1e-8,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
