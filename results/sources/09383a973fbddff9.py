"""Aggregated momentum: v_i <- beta_i v_i - g; w <- w + learning_rate mean_i v_i (Lucas et al. 2019, section 3).

The default damping vector, beta_i = 1 - 0.1^i for i = 0, 1, ...: 0, 0.9, 0.99 with three velocities.
"""

import torch

from timetrial.submissions.foreach import L2
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class AggMo(L2):
    def update(self, group, weights, gradients):
        for i in range(group["velocities"]):
            v = self.buffer(f"v{i}", weights)
            torch._foreach_mul_(v, 1 - 0.1**i)
            torch._foreach_sub_(v, gradients)
            torch._foreach_add_(weights, v, alpha=group["lr"] / group["velocities"])


def build_optimizer(model, hyperparameters, task):
    optimizer = AggMo(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        velocities=hyperparameters.velocities,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
