"""Steepest descent in a norm: m <- momentum m + (1 - momentum) g; w <- w - learning_rate LMO(m).

Bernstein & Newhouse (2024). LMO(g), the linear minimisation oracle with its sign turned, is the d in the unit ball of
the norm with the largest <g, d>, which is the dual norm of g. `norm` is one of
l2: all parameters as one vector, d = g / |g|; dual: l2.
sign: the largest entry of a tensor, d = sign(g); dual: the sum of absolute values.
frobenius: l2 of each tensor by itself, d = g / |g|; dual: the same.
spectral: the largest singular value of each matrix (a kernel is (output channels) x (the rest), a vector has one
column), d = U V^T; dual: the sum of singular values.
`scaled` multiplies the step by the dual norm, which makes it the minimiser of <g, d> + |d|^2 / 2.
"""

import torch

from timetrial.submissions.decompositions import polar
from timetrial.submissions.foreach import ForeachOptimizer
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup

TINY = 1e-30


class LMO(ForeachOptimizer):
    def before_update(self):
        averages = []
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            m = self.buffer("m", weights)
            if m:
                torch._foreach_lerp_(m, [p.grad for p in weights], 1 - group["momentum"])
            averages += m
        if self.param_groups[0]["norm"] == "l2":
            self.length = torch.nn.utils.get_total_norm(averages)

    def update(self, group, weights, gradients):
        m = self.buffer("m", weights)
        if group["norm"] == "l2":
            pairs = [(x / (self.length + TINY), self.length) for x in m]
        else:
            pairs = [ORACLES[group["norm"]](x) for x in m]
        for weight, (direction, dual) in zip(weights, pairs, strict=True):
            weight.sub_(direction * dual if group["scaled"] else direction, alpha=group["lr"])


def sign(g):
    return g.sign(), g.abs().sum()


def frobenius(g):
    length = g.norm()
    return g / (length + TINY), length


def spectral(g):
    if g.ndim < 2:
        return frobenius(g)
    direction, dual = polar(g.flatten(1))
    return direction.view_as(g), dual


ORACLES = {"sign": sign, "frobenius": frobenius, "spectral": spectral}
"""For each norm of a tensor: LMO(g) and the dual norm of g."""


def build_optimizer(model, hyperparameters, task):
    if hyperparameters.norm not in ("l2", *ORACLES):
        raise ValueError(f"norm is {hyperparameters.norm!r}: choose l2, {', '.join(ORACLES)}")
    optimizer = LMO(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        norm=hyperparameters.norm,
        momentum=hyperparameters.momentum,
        scaled=hyperparameters.scaled,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
