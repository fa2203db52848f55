"""Momentum whose learning rate drops by ten when the training loss stops falling.

He et al. (2016) divide the rate by 10 "when the error plateaus". Here, where no validation set may be seen, that is the
mean training loss of every 1 % of the step hint: when `patience` of them in a row are not the lowest so far, by 0.01 %,
the rate drops (torch's ReduceLROnPlateau). Before that the usual warm-up.
"""

import torch

from timetrial.harness.submission import OptimizerSubmission
from timetrial.submissions.optimizers import momentum
from timetrial.submissions.schedules import constant, warmup_steps


def build_optimizer(model, hyperparameters, task):
    optimizer = momentum(model, hyperparameters, task)
    return optimizer, constant(optimizer, task.step_hint)


class Submission(OptimizerSubmission):
    def __init__(self, model, hyperparameters, task):
        super().__init__(build_optimizer, model, hyperparameters, task)
        self.warmup, self.interval = warmup_steps(task.step_hint), max(1, round(0.01 * task.step_hint))
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, patience=hyperparameters.patience)
        self.steps, self.total = 0, torch.zeros((), device=task.device)

    def training_step(self, batch):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.task.loss(self.model, batch)
        loss.backward()
        self.optimizer.step()
        self.steps += 1
        if self.steps <= self.warmup:
            self.scheduler.step()
            return
        self.total += loss.detach()
        if (self.steps - self.warmup) % self.interval == 0:
            self.plateau.step(self.total.item() / self.interval)
            self.total.zero_()

    def state_dict(self):
        watch = {"steps": self.steps, "total": self.total, "plateau": self.plateau.state_dict()}
        return {**super().state_dict(), "watch": watch}

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.steps = state["watch"]["steps"]
        self.total.copy_(state["watch"]["total"])
        self.plateau.load_state_dict(state["watch"]["plateau"])
