"""Stochastic weight averaging: an equal average of the weights along a constant learning rate.

Izmailov et al. (2018), algorithm 1: momentum SGD with a cosine down to `final_rate` of the learning rate over the first
three quarters of the step hint, then constant, while a snapshot every 1 % of the step hint enters the average.
"""

import torch

from timetrial.submissions.averaging import AveragingSubmission
from timetrial.submissions.optimizers import momentum
from timetrial.submissions.schedules import WARMUP, half_cosine, scheduled

START = 0.75


def build_optimizer(model, hyperparameters, task):
    optimizer = momentum(model, hyperparameters, task)
    final, turn = hyperparameters.final_rate, (START - WARMUP) / (1 - WARMUP)
    schedule = scheduled(
        optimizer, task.step_hint, WARMUP, lambda p: final + (1 - final) * half_cosine(min(p / turn, 1.0))
    )
    return optimizer, schedule


class Submission(AveragingSubmission):
    def __init__(self, model, hyperparameters, task):
        super().__init__(build_optimizer, model, hyperparameters, task, start=START, interval=0.01)

    def take(self, weights):
        if not self.kept:
            self.kept = [[t.clone() for t in weights]]
        else:
            torch._foreach_lerp_(self.kept[0], weights, 1 / self.taken)

    def average(self):
        return self.kept[0] if self.kept else None
