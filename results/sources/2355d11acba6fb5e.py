"""AdEMAMix: AdamW with a second, much slower average of the gradient (Pagliardini et al. 2025, algorithm 1).

w <- w - learning_rate ((m1 + alpha m2) / (sqrt(v) + eps) + weight_decay w), where alpha and the slow beta3 grow to
their values over the step hint (section 3): beta3 so that its half-life grows linearly.
"""

import math

import torch

from timetrial.submissions.foreach import ForeachOptimizer, adam_moments
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class AdEMAMix(ForeachOptimizer):
    buffers = ("m1", "m2", "v")

    def update(self, group, weights, gradients, m1, m2, v):
        t = group["step"]
        done = min(t / group["total_steps"], 1.0)
        beta3 = growing_beta(group["beta1"], group["beta3"], done)
        fast, denominators = adam_moments(gradients, m1, v, group["beta1"], group["beta2"], t, group["eps"])
        torch._foreach_lerp_(m2, gradients, 1 - beta3)
        torch._foreach_add_(fast, m2, alpha=group["alpha"] * done)
        torch._foreach_addcdiv_(weights, fast, denominators, -group["lr"])


def growing_beta(start, end, done):
    """Go from `start` to `end` as `done` goes from 0 to 1, with 1 / log(beta) linear in `done`."""
    a, b = math.log(start), math.log(end)
    return min(math.exp(a * b / ((1 - done) * b + done * a)), end)


def build_optimizer(model, hyperparameters, task):
    optimizer = AdEMAMix(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        beta1=hyperparameters.beta1,
        beta2=hyperparameters.beta2,
        beta3=hyperparameters.beta3,
        alpha=hyperparameters.alpha,
        eps=1e-8,
        total_steps=task.step_hint,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
