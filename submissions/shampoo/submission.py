"""Shampoo as first published: sums over all gradients, one factor per dimension of the tensor.

Gupta, Koren & Singer (2018), algorithm 2: H_i <- H_i + G_(i) G_(i)^T for each of the k dimensions, beginning at
epsilon I; then G is multiplied along each by H_i^(-1 / 2k). As they did in practice, a dimension above `max_size` has
a diagonal factor, the roots are computed anew every `update_every` steps, and it is a moving average of the gradients
that is preconditioned.
"""

import torch

from timetrial.submissions.decompositions import eigh
from timetrial.submissions.foreach import ForeachOptimizer
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class Shampoo(ForeachOptimizer):
    buffers = ("m",)

    def update(self, group, weights, gradients, m):
        torch._foreach_lerp_(m, gradients, 1 - group["momentum"])
        for weight, gradient, update in zip(weights, gradients, m, strict=True):
            state, k = self.state[weight], weight.ndim
            if "factors" not in state:
                state["factors"] = [first_factor(weight, i, group) for i in range(k)]
            for i, factor in enumerate(state["factors"]):
                unfolded = gradient.movedim(i, 0).flatten(1) if k > 1 else gradient[:, None]
                factor += unfolded @ unfolded.mT if factor.ndim == 2 else unfolded.square().sum(1)
            if (group["step"] - 1) % group["update_every"] == 0:
                state["roots"] = [root(factor, -1 / (2 * k), group["epsilon"]) for factor in state["factors"]]
            for i, matrix in enumerate(state["roots"]):
                moved = update.movedim(i, -1)
                update = (moved @ matrix if matrix.ndim == 2 else moved * matrix).movedim(-1, i)
            weight.sub_(update, alpha=group["lr"])


def first_factor(weight, dimension, group):
    size = weight.size(dimension)
    shape = (size, size) if size <= group["max_size"] else (size,)
    return (torch.eye(size).to(weight) if len(shape) == 2 else weight.new_ones(shape)) * group["epsilon"]


def root(factor, power, epsilon):
    """Raise a factor to `power`. No eigenvalue is below epsilon, where it began, but by rounding."""
    if factor.ndim == 1:
        return factor**power
    eigenvalues, eigenvectors = eigh(factor)
    return (eigenvectors * eigenvalues.clamp(min=epsilon) ** power) @ eigenvectors.mT


def build_optimizer(model, hyperparameters, task):
    optimizer = Shampoo(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        momentum=hyperparameters.momentum,
        epsilon=hyperparameters.epsilon,
        max_size=hyperparameters.max_size,
        update_every=hyperparameters.update_every,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
