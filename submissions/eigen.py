"""Eigenvalues of the factors of a preconditioner, which go on where the numbers do not."""

import torch
from torch import Tensor


def eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Decompose a symmetric [n, n] matrix: eigenvalues [n], rising, and eigenvectors [n, n] in columns.

    LAPACK gives up on numbers that are not finite, and seldom on finite ones, which are then tried in float64. Where
    that fails too all results are NaN, and so the weights become: training that has diverged is seen as such.
    """
    for attempt in (matrix, matrix.double()):
        try:
            values, vectors = torch.linalg.eigh(attempt)
        except torch.linalg.LinAlgError:
            continue
        return values.to(matrix), vectors.to(matrix)
    return matrix.new_full(matrix.shape[:1], torch.nan), torch.full_like(matrix, torch.nan)
