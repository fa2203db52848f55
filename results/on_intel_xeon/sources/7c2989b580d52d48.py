"""Momentum whose update is replaced, for each matrix, by the nearest orthogonal matrix: Muon and its variants.

An odd polynomial a x + b x^3 + c x^5 of a matrix acts on its singular values alone: X <- a X + (b A + c A^2) X with
A = X X^T. Applied a few times with coefficients that push all of (0, 1] towards 1, it turns U S V^T into about U V^T.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from timetrial.harness.submission import Task
from timetrial.submissions.combined import Combined
from timetrial.submissions.foreach import ForeachOptimizer, Tensors
from timetrial.submissions.parameter_groups import matrices_and_rest

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
        x = a * x + (b * square if c == 0.0 else b * square + c * square @ square) @ x
    return (x.mT if tall else x).to(matrices.dtype)


class OrthogonalizedMomentum(ForeachOptimizer):
    """B <- momentum B + G; W <- W - lr sqrt(max(1, rows / columns)) orthogonal(G + momentum B) (Jordan et al. 2024).

    A convolution kernel is the matrix (output channels) x (input channels, height, width), and its step is lr itself,
    as its author has it. B is kept times 1 - momentum, which the orthogonalization cancels. Matrices of one shape are
    orthogonalized together. Without `nesterov`, B itself is orthogonalized; with the `scale` none, every step is lr.
    """

    buffers = ("momentum_buffer",)

    def __init__(
        self,
        parameters: Any,
        orthogonal: Callable[[Tensor], Tensor],
        nesterov: bool = True,
        scale: str = "spectral",
        **options: Any,
    ) -> None:
        """`orthogonal` maps matrices [..., rows, columns] to the nearest orthogonal ones, or about these."""
        super().__init__(parameters, **options)
        self.orthogonal, self.nesterov, self.scale = orthogonal, nesterov, scale

    def update(self, group: dict[str, Any], weights: Tensors, gradients: Tensors, momentum_buffer: Tensors) -> None:
        torch._foreach_lerp_(momentum_buffer, gradients, 1 - group["momentum"])
        if self.nesterov:
            torch._foreach_lerp_(gradients, momentum_buffer, group["momentum"])
        directions = gradients if self.nesterov else momentum_buffer
        by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}
        for weight, update in zip(weights, directions, strict=True):
            by_shape.setdefault(weight.shape, []).append((weight, update))
        for pairs in by_shape.values():
            matrices = torch.stack([update.flatten(1) for _, update in pairs])
            rows, columns = matrices.shape[1:]
            is_scaled = self.scale == "spectral" and pairs[0][0].ndim == 2
            scale = max(1.0, rows / columns) ** 0.5 if is_scaled else 1.0
            updates = self.orthogonal(matrices)
            for (weight, _), update in zip(pairs, updates, strict=True):
                weight.add_(update.view_as(weight), alpha=-group["lr"] * scale)


def muon(
    model: nn.Module,
    hyperparameters: SimpleNamespace,
    task: Task,
    orthogonal: Callable[[Tensor], Tensor],
) -> Combined:
    """Build it for hidden matrices and convolution kernels, and AdamW with a learning rate of its own for the rest.

    `weight_decay` is that of the matrices; the rest has what makes lr weight_decay the same for every parameter.
    """
    ratio = hyperparameters.learning_rate / hyperparameters.adam_learning_rate
    matrices, rest = matrices_and_rest(model, task, hyperparameters.weight_decay, rest_ratio=ratio)
    return Combined(
        OrthogonalizedMomentum(
            matrices,
            orthogonal,
            nesterov=getattr(hyperparameters, "nesterov", True),
            scale=getattr(hyperparameters, "scale", "spectral"),
            lr=hyperparameters.learning_rate,
            momentum=hyperparameters.momentum,
        ),
        torch.optim.AdamW(
            rest,
            lr=hyperparameters.adam_learning_rate,
            betas=(hyperparameters.beta1, hyperparameters.beta2),
            foreach=True,
        ),
    )
