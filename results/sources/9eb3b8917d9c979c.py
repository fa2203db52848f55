"""Demon: momentum that decays to zero over training in place of the learning rate (Chen et al. 2022, algorithm 1).

v <- beta_t v - learning_rate g; w <- w + v, where beta_t / (1 - beta_t), the weight of past gradients, decays linearly
to zero at the step hint T: beta_t = beta (1 - t/T) / ((1 - beta) + beta (1 - t/T)). After the usual warm-up the
learning rate stays: the decay of momentum is the method's schedule.
"""

import torch

from timetrial.submissions.foreach import L2
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import constant


class Demon(L2):
    buffers = ("v",)

    def update(self, group, weights, gradients, v):
        left = max(0.0, 1 - (group["step"] - 1) / group["total_steps"])
        torch._foreach_mul_(v, group["momentum"] * left / ((1 - group["momentum"]) + group["momentum"] * left))
        torch._foreach_add_(v, gradients, alpha=-group["lr"])
        torch._foreach_add_(weights, v)


def build_optimizer(model, hyperparameters, task):
    optimizer = Demon(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        momentum=hyperparameters.momentum,
        total_steps=task.step_hint,
    )
    return optimizer, constant(optimizer, task.step_hint)
