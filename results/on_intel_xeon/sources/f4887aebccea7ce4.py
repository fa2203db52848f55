"""Preconditioners with one factor per side of a weight matrix, applied block by block: Shampoo at scale, and CASPR."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from timetrial.harness.submission import Task
from timetrial.submissions.decompositions import eigh
from timetrial.submissions.foreach import ForeachOptimizer, Tensors, adam_moments
from timetrial.submissions.parameter_groups import decay_groups


class BlockPreconditioned(ForeachOptimizer):
    """Adam whose direction is preconditioned block by block, and whose step keeps Adam's size (grafting).

    A convolution kernel is the matrix (output channels) x (input channels, height, width); each matrix is cut into
    blocks of at most `block_size` rows and columns. For each block G of the gradient, L <- beta2 L + (1 - beta2) G G^T
    and R <- beta2 R + (1 - beta2) G^T G, and every `update_every` steps their inverse fourth roots are computed anew.
    The bias-corrected first moment is preconditioned with these roots, as the subclass says in `precondition`, and
    scaled to the norm of Adam's update of the same block (Anil et al. 2020; Shi et al. 2023). Vectors, and everything
    before the first roots, take Adam's update.
    """

    buffers = ("m", "v")
    nesterov = False
    """Whether beta1 m + (1 - beta1) g takes the place of the first moment m."""

    def begin(self, g: Tensor) -> dict[str, Tensor]:
        """Give the factors of a block that has seen no gradient."""
        return {"L": g.new_zeros(g.size(0), g.size(0)), "R": g.new_zeros(g.size(1), g.size(1))}

    def gather(self, group: dict[str, Any], factors: dict[str, Tensor], g: Tensor) -> None:
        """Take the gradient of a block into its factors."""
        factors["L"].lerp_(g @ g.mT, 1 - group["beta2"])
        factors["R"].lerp_(g.mT @ g, 1 - group["beta2"])

    def find_roots(self, group: dict[str, Any], factors: dict[str, Tensor]) -> None:
        """Compute the roots `left` and `right` of the factors anew."""
        unbias = 1 - group["beta2"] ** group["step"]
        factors["left"] = inverse_root(factors["L"] / unbias, 4, group["ridge"])
        factors["right"] = inverse_root(factors["R"] / unbias, 4, group["ridge"])

    def precondition(self, left: Tensor, right: Tensor, direction: Tensor) -> Tensor:
        """Apply the roots `left` and `right` of a block, L^(-1/4) and R^(-1/4)."""
        raise NotImplementedError

    def update(self, group: dict[str, Any], weights: Tensors, gradients: Tensors, m: Tensors, v: Tensors) -> None:
        directions, denominators = adam_moments(
            gradients, m, v, group["beta1"], group["beta2"], group["step"], group["eps"]
        )
        if self.nesterov:
            torch._foreach_mul_(directions, group["beta1"])
            alpha = (1 - group["beta1"]) / (1 - group["beta1"] ** group["step"])
            torch._foreach_add_(directions, gradients, alpha=alpha)
        updates = list(torch._foreach_div(directions, denominators))
        for i, weight in enumerate(weights):
            if weight.ndim > 1:
                matrices = (gradients[i].flatten(1), directions[i].flatten(1), updates[i].flatten(1))
                updates[i] = self.preconditioned(group, self.state[weight], *matrices).view_as(weight)
        torch._foreach_add_(weights, updates, alpha=-group["lr"])

    def preconditioned(
        self, group: dict[str, Any], state: dict[str, Any], gradient: Tensor, direction: Tensor, adam: Tensor
    ) -> Tensor:
        """Give the update of one matrix; `state` keeps its blocks."""
        blocks = state.setdefault("blocks", [])
        update = adam.clone()
        for i, block in enumerate(block_slices(gradient, group["block_size"])):
            g = gradient[block]
            if i == len(blocks):
                blocks.append(self.begin(g))
            factors = blocks[i]
            self.gather(group, factors, g)
            if group["step"] % group["update_every"] == 0:
                self.find_roots(group, factors)
            if "left" in factors:
                d = self.precondition(factors["left"], factors["right"], direction[block])
                update[block] = d * (adam[block].norm() / (d.norm() + 1e-30))
        return update


def block_slices(matrix: Tensor, size: int) -> Iterator[tuple[slice, slice]]:
    """Cut a matrix into blocks of at most `size` rows and columns."""
    for row in range(0, matrix.size(0), size):
        for column in range(0, matrix.size(1), size):
            yield slice(row, row + size), slice(column, column + size)


def inverse_root(matrix: Tensor, root: float, ridge: float) -> Tensor:
    """Compute (M + ridge max(eigenvalue) I)^(-1 / root) of a symmetric positive semi-definite matrix M."""
    eigenvalues, eigenvectors = eigh(matrix)
    eigenvalues = eigenvalues.clamp(min=0.0) + ridge * eigenvalues[-1].clamp(min=1e-30)
    return (eigenvectors * eigenvalues ** (-1.0 / root)) @ eigenvectors.mT


def block_preconditioned(
    method: type[BlockPreconditioned], model: nn.Module, hyperparameters: SimpleNamespace, task: Task
) -> BlockPreconditioned:
    """Build one of the methods above, with the same groups and constants."""
    return method(
        decay_groups(model, task, hyperparameters.weight_decay),
        lr=hyperparameters.learning_rate,
        beta1=hyperparameters.beta1,
        beta2=hyperparameters.beta2,
        eps=1e-8,
        ridge=1e-6,
        block_size=hyperparameters.block_size,
        update_every=hyperparameters.update_every,
    )
