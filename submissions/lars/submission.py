"""LARS: momentum with a rate for each layer, in proportion to its weights (You, Gitman & Ginsburg 2017, algorithm 1).

v <- momentum v + learning_rate r (g + weight_decay w); w <- w - v, with the layer's
r = trust |w| / (|g| + weight_decay |w|). Biases and norms, whose weights begin at or near zero, have r = 1, as usual.
"""

import torch

from timetrial.submissions.foreach import ForeachOptimizer
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class LARS(ForeachOptimizer):
    buffers = ("v",)

    def decay(self, group, weights, gradients):
        """Leave it to the update."""

    def update(self, group, weights, gradients, v):
        if group["layerwise"]:
            sizes, slopes = torch._foreach_norm(weights), torch._foreach_norm(gradients)
            torch._foreach_add_(gradients, weights, alpha=group["weight_decay"])
            for gradient, size, slope in zip(gradients, sizes, slopes, strict=True):
                ratio = group["trust"] * size / (slope + group["weight_decay"] * size)
                gradient.mul_(torch.where((size > 0) & (slope > 0), ratio, 1.0))
        torch._foreach_mul_(v, group["momentum"])
        torch._foreach_add_(v, gradients, alpha=group["lr"])
        torch._foreach_sub_(weights, v)


def build_optimizer(model, hyperparameters, task):
    decayed, undecayed = decay_groups(model, task, hyperparameters.weight_decay)
    optimizer = LARS(
        [{**decayed, "layerwise": True}, {**undecayed, "layerwise": False}],
        lr=hyperparameters.learning_rate,
        momentum=hyperparameters.momentum,
        trust=hyperparameters.trust,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
