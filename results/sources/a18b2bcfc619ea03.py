"""Muon with the classical cubic Newton-Schulz iteration, x <- (3 x - x^3) / 2, in ten steps.

It converges to 1 exactly, but multiplies a small singular value by 1.5 per step only, where the quintic of `muon` has
3.4445 and never settles (Jordan et al. 2024).
"""

from functools import partial

from timetrial.submissions.orthogonalized_momentum import muon, orthogonalize
from timetrial.submissions.schedules import cosine_with_warmup

CUBIC = ((1.5, -0.5, 0.0),) * 10


def build_optimizer(model, hyperparameters, task):
    optimizer = muon(model, hyperparameters, task, partial(orthogonalize, coefficients=CUBIC))
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
