"""QHAdam: Adam with quasi-hyperbolic terms in both moments (Ma & Yarats 2019), decoupled weight decay.

w <- w - learning_rate ((1 - nu1) g + nu1 m) / (sqrt((1 - nu2) g^2 + nu2 v) + eps), m and v bias-corrected.
"""

import torch

from timetrial.submissions.foreach import ForeachOptimizer, adam_moments
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class QHAdam(ForeachOptimizer):
    buffers = ("m", "v")

    def update(self, group, weights, gradients, m, v):
        t, nu1, nu2 = group["step"], group["nu1"], group["nu2"]
        m_hat, denominators = adam_moments(gradients, m, v, group["beta1"], group["beta2"], t, eps=0.0)
        torch._foreach_mul_(denominators, denominators)
        torch._foreach_mul_(denominators, nu2)
        torch._foreach_addcmul_(denominators, gradients, gradients, 1 - nu2)
        torch._foreach_sqrt_(denominators)
        torch._foreach_add_(denominators, group["eps"])
        torch._foreach_lerp_(gradients, m_hat, nu1)
        torch._foreach_addcdiv_(weights, gradients, denominators, -group["lr"])


def build_optimizer(model, hyperparameters, task):
    optimizer = QHAdam(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        beta1=hyperparameters.beta1,
        beta2=hyperparameters.beta2,
        nu1=hyperparameters.nu1,
        nu2=hyperparameters.nu2,
        eps=1e-8,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
