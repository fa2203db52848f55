"""Momentum with an exponentially growing learning rate and no weight decay (Li & Arora 2020, section 2).

Where normalisation makes the loss blind to the scale of a weight, this is the same run as `constant`, momentum with a
constant rate eta and weight decay lambda: the weights are those of that run times alpha^-t, with alpha the larger root
of x^2 - (1 + momentum - eta lambda) x + momentum = 0, and the rate is eta alpha^(-2t - 1). Hidden matrices and
convolution kernels grow; everything else, which no normalisation follows for certain, keeps the constant rate and
weight decay.
"""

import math

import torch

from timetrial.submissions.parameter_groups import matrices_and_rest
from timetrial.submissions.schedules import exponentially_growing


def build_optimizer(model, hyperparameters, task):
    eta, gamma = hyperparameters.learning_rate, hyperparameters.momentum
    alpha = larger_root(gamma, eta * hyperparameters.weight_decay)
    matrices, rest = matrices_and_rest(model, task, hyperparameters.weight_decay)
    optimizer = torch.optim.SGD(
        [
            *({**group, "lr": eta / alpha, "weight_decay": 0.0, "grows": True} for group in matrices),
            *({**group, "grows": False} for group in rest),
        ],
        lr=eta,
        momentum=gamma,
        foreach=True,
    )
    for group in optimizer.param_groups:
        for weight in group["params"] if group["grows"] else ():
            # The other run begins at rest; seen through the growing scale it begins with this velocity.
            optimizer.state[weight]["momentum_buffer"] = weight.detach() * (alpha - 1) / (eta * alpha)
    return optimizer, exponentially_growing(optimizer, growth=alpha**-2)


def larger_root(gamma, eta_lambda):
    half = (1 + gamma - eta_lambda) / 2
    if half * half < gamma:
        raise ValueError(
            f"learning_rate * weight_decay is {eta_lambda:g}: with momentum {gamma:g} the equivalence needs at most "
            f"{(1 - math.sqrt(gamma)) ** 2:.2g}"
        )
    return half + math.sqrt(half * half - gamma)
