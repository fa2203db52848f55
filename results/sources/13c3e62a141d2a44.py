"""YellowFin: momentum SGD that tunes its momentum and learning rate from the gradients it sees.

Zhang & Mitliagkas (2019), algorithms 1 to 4, with the slow start and the adaptive clipping (section 3.3) of their code:
gradients are measured first, and clipped to sqrt(h_max) after, so that h_max can follow a rise; what is measured grows
by a factor of 100 at most. `learning_rate` is a factor on the tuned rate, 1 by default. Longer than most: it is three
estimators and a cubic.
"""

import math

import torch

from timetrial.submissions.foreach import L2
from timetrial.submissions.parameter_groups import decay_groups
from timetrial.submissions.schedules import cosine_with_warmup

EPS = 1e-6
LARGEST_GROWTH = 100.0
"""Of h_max, the largest curvature, by one gradient."""
FIRST_RATE = 1e-4
"""The rate of the first step, when nothing is known."""


class YellowFin(L2):
    """v <- momentum v + g; w <- w - rate v, with one momentum and one rate for all parameters."""

    buffers = ("v",)

    def __init__(self, parameters, window=20, **options):
        unknown = {"curvatures": [], "averages": {}, "h_max": math.inf, "threshold": math.inf}
        super().__init__(parameters, window=window, **unknown, **options)

    def smoothed(self, name, value):
        """Update the exponential average `name` with `value`, and give it without the bias of its zero start."""
        first = self.param_groups[0]
        beta = first["beta"]
        average = beta * first["averages"].get(name, 0.0) + (1 - beta) * value
        first["averages"] = {**first["averages"], name: average}
        return average / (1 - beta ** (first["step"] + 1))

    def before_update(self):
        first = self.param_groups[0]
        weights = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        gradients = [p.grad for p in weights]
        norm = clip(gradients, math.sqrt(LARGEST_GROWTH * first["h_max"]) if first["step"] > 1 else math.inf)
        if not math.isfinite(norm * norm):
            first["rate"] = first["momentum"] = math.nan  # diverged, and seen to be
            return
        h_max, threshold = first["h_max"], first["threshold"]
        self.measure(first, norm, gradients, self.buffer("g", weights))
        if norm * norm >= threshold:
            clip(gradients, math.sqrt(h_max))

    def measure(self, first, norm, gradients, g):
        """Update the estimates, of which `g` is the average of the gradients; set the momentum and the rate."""
        t = first["step"] + 1
        # Algorithm 2, the range of curvatures.
        first["curvatures"] = curvatures = [*first["curvatures"], norm * norm][-first["window"] :]
        first["h_max"] = h_max = self.smoothed("h_max", max(curvatures))
        h_min = math.exp(self.smoothed("log_h_min", math.log(min(curvatures) + EPS)))
        first["threshold"] = math.exp(self.smoothed("log_h_max", math.log(max(curvatures) + EPS)))

        # Algorithm 3, the variance of the gradient.
        torch._foreach_lerp_(g, gradients, 1 - first["beta"])
        mean = torch.nn.utils.get_total_norm(g).item() / (1 - first["beta"] ** t)
        variance = max(self.smoothed("square", norm * norm) - mean * mean, EPS)

        # Algorithm 4, the distance to the optimum.
        self.smoothed("norm", norm)
        averages = first["averages"]
        distance = self.smoothed("distance", averages["norm"] / (averages["square"] + EPS))

        # SingleStep: minimise momentum distance^2 + rate^2 variance within the robust region.
        first["momentum"], first["rate"] = 0.0, FIRST_RATE
        if t > 1:
            size = (distance + EPS) * (h_min + EPS)
            spread = math.sqrt(max((h_max + EPS) / (h_min + EPS), 1 + EPS))
            root = max(cubic_root(size * size / (2 * (variance + EPS))), (spread - 1) / (spread + 1))
            first["momentum"] = root * root
            first["rate"] = (1 - root) ** 2 / (h_min + EPS) * min(1.0, t / (10 * first["window"]))

    def update(self, group, weights, gradients, v):
        first = self.param_groups[0]
        torch._foreach_mul_(v, first["momentum"])
        torch._foreach_add_(v, gradients)
        torch._foreach_add_(weights, v, alpha=-group["lr"] * first["rate"])


def clip(gradients, limit):
    """Scale `gradients` to a norm of at most `limit`; give the norm that they then have."""
    norm = torch.nn.utils.get_total_norm(gradients).item()
    if norm <= limit or not math.isfinite(norm):
        return norm
    torch._foreach_mul_(gradients, limit / norm)
    return limit


def cubic_root(p):
    """Solve p x = (1 - x)^3 for x in (0, 1), which is y^3 + p y + p = 0 with y = x - 1.

    By the hyperbolic form of Cardano's formula: Vieta's, which the paper uses, cancels where p is large.
    """
    return 1 - 2 * math.sqrt(p / 3) * math.sinh(math.asinh(1.5 * math.sqrt(3 / p)) / 3)


def build_optimizer(model, hyperparameters, task):
    optimizer = YellowFin(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        beta=hyperparameters.beta,
    )
    return optimizer, cosine_with_warmup(optimizer, task.step_hint)
