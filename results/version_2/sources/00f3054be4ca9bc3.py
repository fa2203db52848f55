"""Preconditioners with one factor per side of a weight matrix, applied block by block: Shampoo at scale, and CASPR."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from harness.submission import Task
from submissions.foreach import ForeachOptimizer, Tensors, adam_moments
from submissions.parameter_groups import decay_groups


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

    def precondition(self, left: Tensor, right: Tensor, direction: Tensor) -> Tensor:
        """Apply the roots `left` = L^(-1/4) and `right` = R^(-1/4) of a block."""
        raise NotImplementedError

    def update(self, group: dict[str, Any], weights: Tensors, gradients: Tensors, m: Tensors, v: Tensors) -> None:
        directions, denominators = adam_moments(
            gradients, m, v, group["beta1"], group["beta2"], group["step"], group["eps"]
        )
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
                blocks.append({"L": g.new_zeros(g.size(0), g.size(0)), "R": g.new_zeros(g.size(1), g.size(1))})
            factors = blocks[i]
            factors["L"].lerp_(g @ g.mT, 1 - group["beta2"])
            factors["R"].lerp_(g.mT @ g, 1 - group["beta2"])
            if group["step"] % group["update_every"] == 0:
                unbias = 1 - group["beta2"] ** group["step"]
                factors["left"] = inverse_root(factors["L"] / unbias, 4, group["ridge"])
                factors["right"] = inverse_root(factors["R"] / unbias, 4, group["ridge"])
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
    eigenvalues, eigenvectors = torch.linalg.eigh(matrix)
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
