"""A float64 problem on which a submission is compared with its paper's equations, written out by the test."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from tests.submissions.toy import make_task, source
from timetrial.harness.submission import build_submission

STEPS, STEP_HINT = 8, 40
Weights = dict[str, Tensor]
ROLES = {"matrix": "hidden_matrix", "vector": "bias", "kernel": "convolution"}


class Problem(nn.Module):
    """A matrix, a vector and a convolution kernel; a batch c has the loss sum(c sin(w)) and the gradient c cos(w)."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)

        def draw(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64)

        shapes = {"matrix": (5, 3), "vector": (4,), "kernel": (4, 2, 3, 3)}
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(0.5 * draw(*shape)))
        self.batches = [{name: draw(*shape) for name, shape in shapes.items()} for _ in range(STEPS)]


def loss(model: Problem, batch: Weights) -> Tensor:
    return sum((batch[name] * p.sin()).sum() for name, p in model.named_parameters())


def trained(name: str, values: dict[str, Any]) -> Weights:
    """Train the submission `name` on the problem for `STEPS` steps; give the weights an evaluation would see."""
    model = Problem()
    task = make_task(model, step_hint=STEP_HINT, roles=ROLES, loss=loss)
    submission = build_submission(source(name), model, values, task)
    for batch in model.batches:
        submission.training_step(batch)
    with submission.prepare_for_evaluation():
        return {key: p.detach().clone() for key, p in model.named_parameters()}


def cosine(t: int) -> float:
    """Give the factor of step t, from 0: 5 % warm-up (two steps of 40), then half a cosine."""
    return (t + 1) / 2 if t < 2 else 0.5 * (1 + math.cos(math.pi * (t - 2) / 38))


def warm(t: int) -> float:
    """Give the factor of step t, from 0, where the rate stays after the warm-up."""
    return min((t + 1) / 2, 1.0)


def assert_follows(name: str, values: dict[str, Any], equations: Callable, schedule: Callable = cosine) -> None:
    """Compare a submission with `equations(w, gradient, rate, decay, h)`, applied to each parameter by itself.

    `gradient(w, t)` and `rate(t)` give what step t, from 0, sees; `decay` is the weight decay, which the vector does
    not have; `h` has the hyperparameters.
    """

    def together(weights: Weights, gradients: Callable, rate: Callable, decays: dict[str, float], h: Any) -> Weights:
        results = {}
        for key, w in weights.items():

            def gradient(w: Tensor, t: int, key: str = key) -> Tensor:
                return gradients({key: w}, t)[key]

            results[key] = equations(w, gradient, rate, decays[key], h)
        return results

    assert_follows_together(name, values, together, schedule)


def assert_follows_together(
    name: str, values: dict[str, Any], equations: Callable, schedule: Callable = cosine
) -> None:
    """The same for equations that see all parameters at once, in dictionaries."""
    problem = Problem()

    def gradients(weights: Weights, t: int) -> Weights:
        return {key: problem.batches[t][key] * w.cos() for key, w in weights.items()}

    def rate(t: int) -> float:
        return values.get("learning_rate", 1.0) * schedule(t)

    start = {key: p.detach().clone() for key, p in problem.named_parameters()}
    decay = values.get("weight_decay", 0.0)
    decays = {"matrix": decay, "vector": 0.0, "kernel": decay}
    expected = equations(start, gradients, rate, decays, SimpleNamespace(**values))
    result = trained(name, values)
    for key, w in result.items():
        moved = (w - dict(problem.named_parameters())[key].detach()).abs().max()
        assert moved > 1e-7, f"{name} did not move {key}"
        assert (w - expected[key]).abs().max() < 1e-9, f"{name}: {key}"
