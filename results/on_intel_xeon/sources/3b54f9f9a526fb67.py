"""LAMB: AdamW's update scaled to the size of each layer's weights (You et al. 2020, algorithm 2, with phi(z) = z).

w <- w - learning_rate |w| / |u| u with u = m / (sqrt(v) + eps) + weight_decay w. Biases and norms, whose weights begin
at or near zero, take u itself, as usual.
"""

import torch

from timetrial.submissions.foreach import ForeachOptimizer, adam_moments
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class LAMB(ForeachOptimizer):
    buffers = ("m", "v")

    def decay(self, group, weights, gradients):
        """Leave it to the update."""

    def update(self, group, weights, gradients, m, v):
        updates, denominators = adam_moments(
            gradients, m, v, group["beta1"], group["beta2"], group["step"], group["eps"]
        )
        torch._foreach_div_(updates, denominators)
        if group["layerwise"]:
            torch._foreach_add_(updates, weights, alpha=group["weight_decay"])
            for update, size, length in zip(
                updates, torch._foreach_norm(weights), torch._foreach_norm(updates), strict=True
            ):
                update.mul_(torch.where((size > 0) & (length > 0), size / length, 1.0))
        torch._foreach_add_(weights, updates, alpha=-group["lr"])


def build_optimizer(model, hyperparameters, task):
    decayed, undecayed = decay_groups(model, task, hyperparameters.weight_decay)
    optimizer = LAMB(
        [{**decayed, "layerwise": True}, {**undecayed, "layerwise": False}],
        lr=hyperparameters.learning_rate,
        beta1=hyperparameters.beta1,
        beta2=hyperparameters.beta2,
        eps=1e-6,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
