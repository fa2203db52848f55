"""Heavy-ball momentum: v <- momentum v + g + weight_decay w; w <- w - learning_rate v (Polyak 1964)."""

from timetrial.submissions.optimizers import momentum
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = momentum(model, hyperparameters, task)
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
