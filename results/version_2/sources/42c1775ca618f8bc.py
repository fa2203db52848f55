"""YellowFin: momentum SGD that tunes its momentum and learning rate from the gradients it sees.

Zhang & Mitliagkas (2019), algorithms 1 to 4, with their adaptive clipping (section 3.3) and slow start;
`learning_rate` is a factor on the tuned rate, 1 by default. Longer than most: it is three estimators and a cubic.
"""

import math

import torch

from submissions.foreach import L2
from submissions.parameter_groups import decay_groups
from submissions.schedules import cosine_with_warmup


class YellowFin(L2):
    """v <- momentum v - rate g; w <- w + v, with one momentum and one rate for all parameters (eq. 1)."""

    buffers = ("v",)

    def __init__(self, parameters, window=20, **options):
        super().__init__(parameters, window=window, curvatures=[], averages={}, **options)

    def smoothed(self, name, value):
        """Update the exponential average `name` with `value`, and give it without the bias of its zero start."""
        first = self.param_groups[0]
        beta = first["beta"]
        average = beta * first["averages"].get(name, 0.0) + (1 - beta) * value
        first["averages"] = {**first["averages"], name: average}
        return average / (1 - beta ** (first["step"] + 1))

    def before_update(self):
        first = self.param_groups[0]
        t = first["step"] + 1
        moments = []
        for group in self.param_groups:
            weights = [p for p in group["params"] if p.grad is not None]
            gradients = [p.grad for p in weights]
            if weights and group["weight_decay"] != 0.0:
                super().decay(group, weights, gradients)
            moments += zip(gradients, self.buffer("g", weights), self.buffer("g2", weights), strict=True)
        gradients, g, g2 = (list(tensors) for tensors in zip(*moments, strict=True))
        norm = torch.nn.utils.get_total_norm(gradients).item()
        if t > 1 and norm > (limit := math.sqrt(first["h_max"])):
            torch._foreach_mul_(gradients, limit / norm)
            norm = limit

        # Algorithm 2, the range of curvatures, with averages of logarithms.
        curvatures = first["curvatures"] = [*first["curvatures"], norm**2 + 1e-30][-first["window"] :]
        first["h_max"] = h_max = math.exp(self.smoothed("log_h_max", math.log(max(curvatures))))
        h_min = math.exp(self.smoothed("log_h_min", math.log(min(curvatures))))

        # Algorithm 3, the variance of the gradient.
        torch._foreach_lerp_(g, gradients, 1 - first["beta"])
        torch._foreach_mul_(g2, first["beta"])
        torch._foreach_addcmul_(g2, gradients, gradients, 1 - first["beta"])
        unbias = 1 - first["beta"] ** t
        square = sum(x.sum() for x in g2) / unbias - sum((x * x).sum() for x in g) / unbias**2
        variance = max(square.item(), 1e-30)

        # Algorithm 4, the distance to the optimum.
        distance = self.smoothed("distance", self.smoothed("norm", norm) / self.smoothed("curvature", curvatures[-1]))

        # SingleStep: minimise momentum distance^2 + rate^2 variance within the robust region.
        spread = math.sqrt(h_max / h_min)
        root = max(cubic_root(distance**2 * h_min**2 / (2 * variance)), (spread - 1) / (spread + 1))
        first["momentum"] = self.smoothed("momentum", root**2)
        first["rate"] = self.smoothed("rate", (1 - root) ** 2 / h_min)

    def decay(self, group, weights, gradients):
        """It is in the gradients already, before they are measured."""

    def update(self, group, weights, gradients, v):
        first, t = self.param_groups[0], group["step"]
        rate = group["lr"] * first["rate"] * min(1.0, t / (10 * group["window"]))
        torch._foreach_mul_(v, first["momentum"])
        torch._foreach_add_(v, gradients, alpha=-rate)
        torch._foreach_add_(weights, v)


def cubic_root(p):
    """Solve p x = (1 - x)^3 for x in (0, 1), which is y^3 + p y + p = 0 with y = x - 1.

    By the hyperbolic form of Cardano's formula: Vieta's, which the paper uses, cancels where p is large.
    """
    p = max(p, 1e-30)
    return 1 - 2 * math.sqrt(p / 3) * math.sinh(math.asinh(1.5 * math.sqrt(3 / p)) / 3)


def build_optimizer(model, hyperparameters, task):
    optimizer = YellowFin(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        beta=hyperparameters.beta,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
