"""LAWA with a moving average: NAdamW, evaluated at an exponential average of snapshots of its weights.

AlgoPerf's LAWA-EMA (Kasimbeg et al. 2025), after Kaddour (2022): a <- decay a + (1 - decay) w from the second
snapshot on.
"""

import torch

from timetrial.submissions.averaging import AveragingSubmission
from timetrial.submissions.optimizers import nadamw
from timetrial.submissions.schedules import cosine_with_warmup

START = 0.02
"""The share of the step hint after which snapshots begin, as in AlgoPerf's."""


def build_optimizer(model, hyperparameters, task):
    optimizer = nadamw(model, hyperparameters, task)
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)


class Submission(AveragingSubmission):
    def __init__(self, model, hyperparameters, task):
        super().__init__(build_optimizer, model, hyperparameters, task, start=START, interval=hyperparameters.interval)
        self.decay = hyperparameters.decay

    def take(self, weights):
        if not self.kept:
            self.kept = [[t.clone() for t in weights]]
        else:
            torch._foreach_lerp_(self.kept[0], weights, 1 - self.decay)

    def average(self):
        return self.kept[0] if self.kept else None
