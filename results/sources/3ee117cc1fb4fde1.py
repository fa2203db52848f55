"""Schedule-Free Prodigy: neither a learning rate nor a schedule to set.

Prodigy (Mishchenko & Defazio 2024) without momentum steps z, with gradients taken at y = (1 - beta1) z + beta1 x; x,
which is evaluated, is the average of z in which each step weighs the square of its learning rate (Defazio et al. 2024,
eqs. 3-5). `schedulefree` has a wrapper for this, but it is no torch optimizer and takes no scheduler.
"""

import prodigyopt
import torch

from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import constant


class ScheduleFreeProdigy(prodigyopt.Prodigy):
    def __init__(self, parameters, momentum, **options):
        super().__init__(parameters, betas=(0.0, options.pop("beta2")), **options)
        for group in self.param_groups:
            group["momentum"], group["total"] = momentum, 0.0

    def parts(self, group):
        """Give the parameters of a group that have taken a step or are about to, with their z and x."""
        weights = [p for p in group["params"] if p.grad is not None or "z" in self.state[p]]
        for p in weights:
            if "z" not in self.state[p]:
                self.state[p]["z"], self.state[p]["x"] = p.detach().clone(), p.detach().clone()
        return weights, [self.state[p]["z"] for p in weights], [self.state[p]["x"] for p in weights]

    @torch.no_grad()
    def step(self, closure=None):
        rate = self.param_groups[0]["d"] * self.param_groups[0]["lr"]
        for group in self.param_groups:
            weights, z, _ = self.parts(group)
            if weights:
                torch._foreach_copy_(weights, z)
        loss = super().step(closure)
        for group in self.param_groups:
            weights, z, x = self.parts(group)
            if weights:
                group["total"] += rate**2
                torch._foreach_copy_(z, weights)
                torch._foreach_lerp_(x, z, rate**2 / group["total"])
        self.train()
        return loss

    @torch.no_grad()
    def train(self):
        for group in self.param_groups:
            weights, z, x = self.parts(group)
            if weights:
                torch._foreach_copy_(weights, torch._foreach_lerp(z, x, group["momentum"]))

    @torch.no_grad()
    def eval(self):
        for group in self.param_groups:
            weights, _, x = self.parts(group)
            if weights:
                torch._foreach_copy_(weights, x)


def build_optimizer(model, hyperparameters, task):
    optimizer = ScheduleFreeProdigy(
        decay_groups(model, task, hyperparameters.weight_decay),
        momentum=hyperparameters.beta1,
        beta2=hyperparameters.beta2,
        lr=1.0,
        d_coef=hyperparameters.d_coef,
        safeguard_warmup=True,
    )
    return optimizer, constant(optimizer, task.step_hint)
