"""AlgoPerf's Generalized Adam: momentum SGD and NAdamW as two settings of one family (Kasimbeg et al. 2025).

With `preconditioner: adam` it is NAdamW; with `none` it is Nesterov's momentum with decoupled weight decay:
v <- beta1 v + g; w <- w - learning_rate (g + beta1 v).
"""

import torch

from timetrial.submissions.foreach import ForeachOptimizer
from timetrial.submissions.optimizers import nadamw
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class NesterovW(ForeachOptimizer):
    buffers = ("v",)

    def update(self, group, weights, gradients, v):
        torch._foreach_mul_(v, group["beta1"])
        torch._foreach_add_(v, gradients)
        torch._foreach_add_(gradients, v, alpha=group["beta1"])
        torch._foreach_add_(weights, gradients, alpha=-group["lr"])


def build_optimizer(model, hyperparameters, task):
    if hyperparameters.preconditioner == "none":
        groups = decay_groups(model, task, hyperparameters.weight_decay)
        optimizer = NesterovW(groups, lr=hyperparameters.learning_rate, beta1=hyperparameters.beta1)
    else:
        optimizer = nadamw(model, hyperparameters, task)
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
