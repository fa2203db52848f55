"""Muon with the exact polar factor U V^T of a singular value decomposition: what its polynomials come close to."""

from timetrial.submissions.decompositions import polar
from timetrial.submissions.orthogonalized_momentum import muon
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = muon(model, hyperparameters, task, lambda matrices: polar(matrices)[0])
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
