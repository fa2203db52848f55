"""Adafactor: a second moment in factored form, and steps relative to the size of the weights.

Shazeer & Stern (2018), algorithms 4 and 5, without momentum; the step is at most learning_rate RMS(w).
"""

import torch

from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = torch.optim.Adafactor(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        eps=(1e-15, 1e-3),  # torch squares the first: the paper's 1e-30
        foreach=True,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
