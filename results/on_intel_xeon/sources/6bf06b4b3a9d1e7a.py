"""Muon: momentum orthogonalized by five quintic Newton-Schulz steps (Jordan et al. 2024).

Hidden matrices take Muon's update with a step of sqrt(max(1, rows / columns)) times the learning rate, convolution
kernels with the learning rate itself, as its author has it; embeddings, output layer, norms and biases take AdamW's.
"""

from functools import partial

from timetrial.submissions.orthogonalized_momentum import muon, orthogonalize
from timetrial.submissions.schedules import cosine_with_warmup

NEWTON_SCHULZ = ((3.4445, -4.7750, 2.0315),) * 5


def build_optimizer(model, hyperparameters, task):
    optimizer = muon(model, hyperparameters, task, partial(orthogonalize, coefficients=NEWTON_SCHULZ))
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
