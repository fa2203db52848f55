"""Momentum whose update is replaced, for each matrix, by the nearest orthogonal matrix: Muon and its variants.

An odd polynomial a x + b x^3 + c x^5 of a matrix acts on its singular values alone: X <- a X + (b A + c A^2) X with
A = X X^T. Applied a few times with coefficients that push all of (0, 1] towards 1, it turns U S V^T into about U V^T.
"""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from harness.submission import Task
from submissions.combined import Combined
from submissions.foreach import ForeachOptimizer, Tensors
from submissions.parameter_groups import matrices_and_rest

Coefficients = tuple[tuple[float, float, float], ...]


def orthogonalize(matrices: Tensor, coefficients: Coefficients, margin: float = 1.0) -> Tensor:
    """Apply one odd polynomial per entry of `coefficients` to `matrices` scaled to the norm 1 / margin.

    `matrices` has the shape (..., rows, columns); each is treated alone. In bfloat16 on an
    accelerator, as its authors do; in the matrices' own precision on a CPU, where that is faster.
    """
    x = matrices.bfloat16() if matrices.is_cuda else matrices
    tall = x.size(-2) > x.size(-1)
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) * margin + 1e-7)
    for a, b, c in coefficients:
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if tall else x).to(matrices.dtype)


class OrthogonalizedMomentum(ForeachOptimizer):
    """B <- momentum B + G; W <- W - lr sqrt(max(1, rows / columns)) orthogonalize(G + momentum B) (Jordan et al. 2024).

    A convolution kernel is the matrix (output channels) x (input channels, height, width). B is kept times
    1 - momentum, which the orthogonalization cancels. Matrices of one shape are orthogonalized together.
    """

    buffers = ("momentum_buffer",)

    def __init__(self, parameters: Any, coefficients: Coefficients, margin: float = 1.0, **options: Any) -> None:
        super().__init__(parameters, **options)
        self.coefficients = coefficients
        self.margin = margin

    def update(self, group: dict[str, Any], weights: Tensors, gradients: Tensors, momentum_buffer: Tensors) -> None:
        torch._foreach_lerp_(momentum_buffer, gradients, 1 - group["momentum"])
        torch._foreach_lerp_(gradients, momentum_buffer, group["momentum"])
        by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}
        for weight, update in zip(weights, gradients, strict=True):
            by_shape.setdefault(weight.shape, []).append((weight, update))
        for pairs in by_shape.values():
            matrices = torch.stack([update.flatten(1) for _, update in pairs])
            rows, columns = matrices.shape[1:]
            updates = orthogonalize(matrices, self.coefficients, self.margin)
            for (weight, _), update in zip(pairs, updates, strict=True):
                weight.add_(update.view_as(weight), alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def muon(
    model: nn.Module,
    hyperparameters: SimpleNamespace,
    task: Task,
    coefficients: Coefficients,
    margin: float = 1.0,
) -> Combined:
    """Build it for hidden matrices and convolution kernels, and AdamW with a learning rate of its own for the rest."""
    matrices, rest = matrices_and_rest(model, task, hyperparameters.weight_decay)
    return Combined(
        OrthogonalizedMomentum(
            matrices, coefficients, margin, lr=hyperparameters.learning_rate, momentum=hyperparameters.momentum
        ),
        torch.optim.AdamW(
            rest,
            lr=hyperparameters.adam_learning_rate,
            betas=(hyperparameters.beta1, hyperparameters.beta2),
            fused=True,
        ),
    )
