"""TEMPLATE: AdamW with warm-up and cosine decay, to start your own submission from. Say here what yours does."""

import torch

from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    # `hyperparameters` has what submission.yaml lists; `task` says what may be known of the problem: task.step_hint,
    # task.batch_size, task.roles[parameter_name] and more (class Task in harness/submission.py).
    groups = decay_groups(model, task, hyperparameters.weight_decay)  # none on biases and norms; all parameters once
    betas = (hyperparameters.beta1, 0.999)
    optimizer = torch.optim.AdamW(groups, lr=hyperparameters.learning_rate, betas=betas, foreach=True)
    # Return the optimizer alone, or with a scheduler, which is stepped after every step.
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
