"""Lookahead over AdamW: every k steps the slow weights go a share alpha of the way to the fast ones, which start there
again (Zhang et al. 2019, algorithm 1). Evaluations are of the slow weights."""

import torch

from timetrial.harness.submission import OptimizerSubmission
from timetrial.submissions.averaging import swapped_in
from timetrial.submissions.optimizers import adamw
from timetrial.submissions.schedules import cosine_with_warmup


def build_optimizer(model, hyperparameters, task):
    optimizer = adamw(model, hyperparameters, task)
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)


class Submission(OptimizerSubmission):
    def __init__(self, model, hyperparameters, task):
        super().__init__(build_optimizer, model, hyperparameters, task)
        self.k, self.alpha = hyperparameters.k, hyperparameters.alpha
        self.steps = 0
        self.fast = [p.detach() for p in model.parameters()]
        self.slow = [p.clone() for p in self.fast]

    def training_step(self, batch):
        super().training_step(batch)
        self.steps += 1
        if self.steps % self.k == 0:
            torch._foreach_lerp_(self.slow, self.fast, self.alpha)
            torch._foreach_copy_(self.fast, self.slow)

    def prepare_for_evaluation(self):
        return swapped_in(self.fast, self.slow)

    def state_dict(self):
        return {**super().state_dict(), "steps": self.steps, "slow": self.slow}

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.steps = state["steps"]
        torch._foreach_copy_(self.slow, state["slow"])
