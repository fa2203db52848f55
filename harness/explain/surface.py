"""The loss of a model as a function of its weights: on a line, along filter-normalised directions, and how wide it is.

Filter-normalised (Li et al. 2018, section 4): each filter (row) of a direction has the norm of the filter of the
weights, and parameters of one dimension stay as they are.
"""

import numpy
import torch
from torch import Tensor, nn

from timetrial.harness.explain.loop import set_weights, weights_of
from timetrial.harness.workload import Batch, Data, Workload


class Landscape:
    """The loss of a trained model as a function of its weights, a vector."""

    def __init__(self, workload: Workload, data: Data, start: Tensor, model: nn.Module, examples: int) -> None:
        """`start`: the weights that training began with; `model`: what it ended with; `examples`: of the loss."""
        self.start, self.end = start, weights_of(model)
        self.workload, self.model = workload, model.eval()
        for module in self.model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train()
        count = min(examples, workload.examples(data))
        self.batch: Batch = workload.batch(data, torch.arange(count), torch.Generator().manual_seed(0))

    @torch.no_grad()
    def loss(self, weights: Tensor) -> float:
        set_weights(self.model, weights)
        return self.workload.loss(self.model, self.batch).item()

    def direction(self, generator: torch.Generator) -> Tensor:
        """Draw a filter-normalised direction at the end."""
        set_weights(self.model, self.end)
        return torch.cat([filter_normalised(p.detach(), generator).reshape(-1) for p in self.model.parameters()])


def filter_normalised(weights: Tensor, generator: torch.Generator) -> Tensor:
    """Draw a direction whose filters (along the first dimension) have the norms of those of `weights`."""
    if weights.ndim < 2:
        return torch.zeros_like(weights)
    drawn = torch.randn(weights.shape, generator=generator)
    norms = [tensor.flatten(1).norm(dim=1) for tensor in (weights, drawn)]
    return drawn * (norms[0] / norms[1]).reshape(-1, *[1] * (weights.ndim - 1))


def line(landscape: Landscape, start: Tensor) -> list[tuple[float, float]]:
    """Compute the loss on the line from `start` (0) to the end (1), and a quarter beyond both."""
    return [(float(a), landscape.loss(start + a * (landscape.end - start))) for a in numpy.linspace(-0.25, 1.25, 25)]


def width(landscape: Landscape, directions: list[Tensor], steps: numpy.ndarray, rise: float) -> float:
    """Find how far of `steps` one can go before the loss has risen by `rise`, the mean over directions and signs."""
    found = []
    for direction in (signed * sign for signed in directions for sign in (1, -1)):
        losses = [landscape.loss(landscape.end + s * direction) for s in steps]
        found.append(first_rise(steps, numpy.array(losses), rise))
    return float(numpy.mean(found))


def first_rise(steps: numpy.ndarray, losses: numpy.ndarray, rise: float) -> float:
    """Interpolate where `losses` are first `rise` above their first; the last step where they never are."""
    above = losses - losses[0] >= rise
    if not above.any():
        return float(steps[-1])
    i = int(above.argmax())
    share = (losses[0] + rise - losses[i - 1]) / (losses[i] - losses[i - 1])
    return float(steps[i - 1] + share * (steps[i] - steps[i - 1]))
