"""NAdamW with cosine cycles, each with a warm-up of its own: AlgoPerf's Cyclic LR (Kasimbeg et al. 2025)."""

from timetrial.submissions.optimizers import nadamw
from timetrial.submissions.schedules import cosine_cycles


def build_optimizer(model, hyperparameters, task):
    optimizer = nadamw(model, hyperparameters, task)
    return optimizer, cosine_cycles(optimizer, task.step_hint, cycles=hyperparameters.cycles)
