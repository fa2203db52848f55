"""Schedule-Free AdamW: an average of the iterates in place of a decaying learning rate (Defazio et al. 2024, alg. 1).

Gradients are taken at y = (1 - beta1) z + beta1 x, between the iterates z and their average x, which is evaluated.
"""

import schedulefree

from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import warmup_steps


def build_optimizer(model, hyperparameters, task):
    return schedulefree.AdamWScheduleFree(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        betas=(hyperparameters.beta1, hyperparameters.beta2),
        warmup_steps=warmup_steps(task.step_hint),
    )
