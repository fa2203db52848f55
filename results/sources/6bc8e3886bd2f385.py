"""AdaGrad: s <- s + g^2; w <- w - learning_rate g / (sqrt(s) + eps) (Duchi et al. 2011, diagonal form)."""

import torch

from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup
from timetrial.submissions.weight_decay import decouple_weight_decay


def build_optimizer(model, hyperparameters, task):
    optimizer = torch.optim.Adagrad(
        decay_groups(model, task, hyperparameters.weight_decay), lr=hyperparameters.learning_rate, foreach=True
    )
    return decouple_weight_decay(optimizer), cosine_with_warmup(optimizer, task.step_hint)
