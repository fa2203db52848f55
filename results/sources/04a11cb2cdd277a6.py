"""D-Adapted Adam: Adam with a learning rate that grows with a lower bound on the distance to the solution.

Defazio & Mishchenko (2023), in its form for Adam and the order of its authors' code. With d the bound, lr = d times
the schedule, b = sqrt(beta2) and D = sqrt(v) + eps: r <- b r + (1 - b) lr <g, s / D>; m <- beta1 m + (1 - beta1) lr g;
v <- beta2 v + (1 - beta2) g^2; s <- b s + (1 - b) lr g; d <- max(d, r / ((1 - b) |s|_1)); w <- w - m / D.
"""

import math

import torch

from timetrial.submissions.foreach import ForeachOptimizer
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup


class DAdaptAdam(ForeachOptimizer):
    buffers = ("m", "v")

    def decay(self, group, weights, gradients):
        torch._foreach_mul_(weights, 1.0 - self.rate * group["weight_decay"])

    def denominators(self, group, v):
        roots = torch._foreach_sqrt(v)
        torch._foreach_add_(roots, group["eps"])
        return roots

    def before_update(self):
        first = self.param_groups[0]
        b = math.sqrt(first["beta2"])
        self.rate = first["d"] * first["lr"]
        products, sizes = [], []
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            if not weights:
                continue
            gradients = [p.grad for p in weights]
            m, v, s = (self.buffer(name, weights) for name in ("m", "v", "s"))
            scaled = torch._foreach_div(s, self.denominators(group, v))
            products += [torch.sum(g * x) for g, x in zip(gradients, scaled, strict=True)]
            torch._foreach_mul_(m, group["beta1"])
            torch._foreach_add_(m, gradients, alpha=(1 - group["beta1"]) * self.rate)
            torch._foreach_mul_(v, group["beta2"])
            torch._foreach_addcmul_(v, gradients, gradients, 1 - group["beta2"])
            torch._foreach_mul_(s, b)
            torch._foreach_add_(s, gradients, alpha=(1 - b) * self.rate)
            sizes += torch._foreach_norm(s, 1)
        product, size = torch.stack([torch.stack(products).sum(), torch.stack(sizes).sum()]).tolist()
        first["r"] = b * first["r"] + (1 - b) * self.rate * product
        if size > 0.0:
            first["d"] = max(first["d"], first["r"] / ((1 - b) * size))

    def update(self, group, weights, gradients, m, v):
        torch._foreach_addcdiv_(weights, m, self.denominators(group, v), -1.0)


def build_optimizer(model, hyperparameters, task):
    optimizer = DAdaptAdam(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=1.0,
        beta1=hyperparameters.beta1,
        beta2=hyperparameters.beta2,
        eps=1e-8,
        d=hyperparameters.d0,
        r=0.0,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
