"""Amos: Adam-style steps whose learning rate and weight decay follow from the scale each weight should have.

Tian & Parikh (2022), algorithm 1: with g2 the mean of g^2 over an output unit, v <- beta2 v + (1 - beta2) g2 (bias-
corrected), c = (1 + sqrt(xi) b / 4)^(-1/2), d = 1 / (1 + sqrt(xi eta) b / 4) and gamma = c xi^2 g2 / v,
u = d (xi eta g / sqrt(v) + gamma w / 2); b <- b + gamma (1 + b); m <- beta1 m + (1 - beta1) u; w <- w - m.
xi is constant after the warm-up, since b decays the steps: 1 / sqrt(batches in the training set), as its authors
recommend, times the learning rate, which is 1 by default. There is no other weight decay.
"""

import math

import torch

from timetrial.submissions.foreach import ForeachOptimizer
from timetrial.submissions.schedules import constant


class Amos(ForeachOptimizer):
    buffers = ("m",)

    def __init__(self, parameters, scales, **options):
        super().__init__(parameters, **options)
        self.scales = scales

    def update(self, group, weights, gradients, m):
        xi, unbias = group["lr"], 1 - group["beta2"] ** group["step"]
        for w, g, moment in zip(weights, gradients, m, strict=True):
            dimensions = tuple(range(1, w.ndim)) or (0,)
            g2 = g.square().mean(dimensions, keepdim=True)
            state, eta = self.state[w], self.scales[w]
            if "v" not in state:
                state["v"], state["b"] = torch.zeros_like(g2), torch.zeros_like(g2)
            v = state["v"].lerp_(g2, 1 - group["beta2"]) / unbias + 1e-30
            b = state["b"]
            gamma = (1 + math.sqrt(xi) / 4 * b).rsqrt() * xi**2 * g2 / v
            update = (xi * eta * g * v.rsqrt() + gamma / 2 * w) / (1 + math.sqrt(xi * eta) / 4 * b)
            b += gamma * (1 + b)
            w.sub_(moment.lerp_(update, 1 - group["beta1"]))


def scales(model, roles):
    """Give eta for each parameter, the scale that its entries should have (their section 4 and their code).

    The kernel that reads the images, which are not of the scale of features, is the first one of a model without
    embeddings.
    """
    kernels = [name for name, role in roles.items() if role == "convolution"]
    image = kernels[0] if kernels and "embedding" not in roles.values() else None
    etas = {}
    for name, p in model.named_parameters():
        role, inputs = roles[name], p[0].numel()
        if name == image:
            etas[p] = math.sqrt(8 / p[0, 0].numel())
        elif role in ("norm", "bias"):
            etas[p] = {"norm": 1.0, "bias": 0.5}[role]
        else:
            etas[p] = math.sqrt((1 if role == "output" else 2) / inputs)
    return etas


def build_optimizer(model, hyperparameters, task):
    optimizer = Amos(
        model.parameters(),
        scales(model, task.roles),
        lr=hyperparameters.learning_rate * math.sqrt(task.batch_size / task.training_examples),
        beta1=hyperparameters.beta1,
        beta2=hyperparameters.beta2,
    )
    return optimizer, constant(optimizer, task.step_hint)
