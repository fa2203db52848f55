"""Adam without bias correction, with decoupled weight decay: w <- w - learning_rate m / (sqrt(v) + eps).

The algorithm of Kingma & Ba (2015) without its division by 1 - beta^t: early steps are too large, by up to
(1 - beta1) / sqrt(1 - beta2).
"""

import torch

from timetrial.submissions.foreach import ForeachOptimizer
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class AdamUncorrected(ForeachOptimizer):
    buffers = ("m", "v")

    def update(self, group, weights, gradients, m, v):
        torch._foreach_lerp_(m, gradients, 1 - group["beta1"])
        torch._foreach_mul_(v, group["beta2"])
        torch._foreach_addcmul_(v, gradients, gradients, 1 - group["beta2"])
        denominators = torch._foreach_sqrt(v)
        torch._foreach_add_(denominators, group["eps"])
        torch._foreach_addcdiv_(weights, m, denominators, -group["lr"])


def build_optimizer(model, hyperparameters, task):
    optimizer = AdamUncorrected(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        beta1=hyperparameters.beta1,
        beta2=hyperparameters.beta2,
        eps=1e-8,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
