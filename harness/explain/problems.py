"""Problems in two dimensions, written as workloads: any submission can be drawn on them.

The point is the only parameter, a 1 x 2 matrix with the role of a hidden matrix, so that methods for matrices show what
they do: of one row, U V^T is the normalised gradient. With more than one of `copies` it is [copies, 2], and every copy
draws its own noise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from timetrial.harness.workload import Batch, Data, DataSource, Workload


class Point(nn.Module):
    """The coordinates [copies, 2]."""

    def __init__(self, start: tuple[float, float], copies: int) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.tensor([start]).repeat(copies, 1))

    def forward(self) -> Tensor:
        return self.at


@dataclass(frozen=True, kw_only=True)
class Problem(Workload):
    """A function of two numbers; a subclass may make it a mean over examples."""

    metric: ClassVar[str] = "loss"
    higher_is_better: ClassVar[bool] = False
    minimum: ClassVar[tuple[float, float]] = (0.0, 0.0)
    lowest: ClassVar[float] = 0.0

    batch_size: int = 1
    start: tuple[float, float] = (0.0, 0.0)
    copies: int = 1

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        """Compute the function at points, elementwise."""
        raise NotImplementedError

    def build_model(self, generator: torch.Generator) -> nn.Module:
        return Point(self.start, self.copies)

    def load_all(self, split: str, source: DataSource) -> Data:
        """Give `examples` [1, 2], which a function without noise does not read."""
        return {"examples": torch.zeros(1, 2)}

    def examples(self, data: Data) -> int:
        return len(data["examples"])

    def batch(self, data: Data, indices: Tensor, generator: torch.Generator) -> Batch:
        return Batch(data["examples"][indices], data["examples"][indices])

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return self.value(*model().unbind(-1)).sum()

    def evaluate(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Compute the function itself, without noise, as a mean over the copies."""
        return {"loss": self.value(*model().unbind(-1)).mean().item()}

    def parameter_roles(self, model: nn.Module) -> dict[str, str]:
        return {"at": "hidden_matrix"}

    def draw_variant(self, seed: int) -> "Problem":
        raise NotImplementedError("these problems are drawn, and not raced")


@dataclass(frozen=True, kw_only=True)
class Rosenbrock(Problem):
    """(1 - x)^2 + 100 (y - x^2)^2 (Rosenbrock 1960): a curved valley with its end at (1, 1)."""

    minimum: ClassVar[tuple[float, float]] = (1.0, 1.0)
    start: tuple[float, float] = (-1.5, 1.5)

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        return (1 - x) ** 2 + 100 * (y - x * x) ** 2


@dataclass(frozen=True, kw_only=True)
class IllConditioned(Problem):
    """(x^2 + 100 y^2) / 2: the condition number is 100."""

    start: tuple[float, float] = (-1.5, 1.0)

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        return (x * x + 100 * y * y) / 2


@dataclass(frozen=True, kw_only=True)
class Levy(Problem):
    """Levy's function in two dimensions (Laguna & Marti 2005): many local minima around the global one at (1, 1)."""

    minimum: ClassVar[tuple[float, float]] = (1.0, 1.0)
    start: tuple[float, float] = (-1.5, 1.7)

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        v, w = 1 + (x - 1) / 4, 1 + (y - 1) / 4
        first = torch.sin(math.pi * v) ** 2 + (v - 1) ** 2 * (1 + 10 * torch.sin(math.pi * v + 1) ** 2)
        return first + (w - 1) ** 2 * (1 + torch.sin(2 * math.pi * w) ** 2)


@dataclass(frozen=True, kw_only=True)
class NoisySum(Problem):
    """The mean of |w - a_i|^2 / 2 over 64 examples a_i of mean zero and of unit variance in each coordinate.

    A batch is drawn with replacement, for each copy its own, so that the noise of the gradient is of variance
    1 / batch_size in each coordinate. The curvature mu is 1; `value` is the loss above its minimum.
    """

    batch_size: int = 2
    start: tuple[float, float] = (-1.5, 1.0)

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        return (x * x + y * y) / 2

    def load_all(self, split: str, source: DataSource) -> Data:
        """Draw `examples` [64, 2]."""
        examples = torch.randn(64, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        return {"examples": ((examples - examples.mean(0)) / examples.std(0, correction=0)).float()}

    def batch(self, data: Data, indices: Tensor, generator: torch.Generator) -> Batch:
        drawn = torch.randint(len(data["examples"]), (self.copies, len(indices)), generator=generator)
        return Batch(data["examples"][drawn], drawn)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Sum over the copies: the gradient of each is that of its own mean over its batch."""
        return (model()[:, None] - batch.inputs).square().sum(-1).mean(1).sum() / 2


@dataclass(frozen=True, kw_only=True)
class WrongWay(Problem):
    """Slopes of 3, -1 and -1 along x, in an order drawn anew for every three steps (Reddi et al. 2018, section 3).

    Their mean is 1/3: downhill is to the left. Whoever trains on it keeps x in [-1, 1].
    """

    minimum: ClassVar[tuple[float, float]] = (-1.0, 0.0)

    def value(self, x: Tensor, y: Tensor) -> Tensor:
        return x / 3

    def load_all(self, split: str, source: DataSource) -> Data:
        return {"examples": torch.tensor([[3.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])}

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        return (model() * batch.inputs.mean(0)).sum()


PATHS: dict[str, Callable[[], Problem]] = {
    "rosenbrock": Rosenbrock,
    "quadratic": IllConditioned,
    "levy": Levy,
    "noisy_sum": NoisySum,
}
"""The problems whose paths are drawn."""
