"""RMSProp with momentum, over an average of squared gradients.

s <- alpha s + (1 - alpha) g^2; v <- momentum v + g / (sqrt(s) + eps); w <- w - learning_rate v.
Tieleman & Hinton (2012, lecture 6.5), with the momentum that Graves (2013, section 4.2) added.
"""

import torch

from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup
from timetrial.submissions.weight_decay import decouple_weight_decay


def build_optimizer(model, hyperparameters, task):
    optimizer = torch.optim.RMSprop(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        alpha=hyperparameters.alpha,
        momentum=hyperparameters.momentum,
        foreach=True,
    )
    return decouple_weight_decay(optimizer), cosine_with_warmup(optimizer, task.step_hint)
