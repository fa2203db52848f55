"""LAWA: NAdamW, evaluated at the mean of the last k snapshots of its weights (Kaddour 2022; AlgoPerf's LAWA-queue)."""

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
        self.k = hyperparameters.k

    def take(self, weights):
        self.kept = [*self.kept, [t.clone() for t in weights]][-self.k :]

    def average(self):
        if len(self.kept) < self.k:
            return None
        total = [t.clone() for t in self.kept[0]]
        for weights in self.kept[1:]:
            torch._foreach_add_(total, weights)
        return torch._foreach_div(total, self.k)
