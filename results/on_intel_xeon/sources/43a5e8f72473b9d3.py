"""Eigenvalues and singular values that go on where the numbers do not.

LAPACK gives up on numbers that are not finite, and seldom on finite ones, which are then tried in float64. Where that
fails too all results are NaN, and so the weights become: training that has diverged is seen as such.
"""

import torch
from torch import Tensor


def eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Decompose a symmetric [n, n] matrix: eigenvalues [n], rising, and eigenvectors [n, n] in columns."""
    for attempt in (matrix, matrix.double()):
        try:
            values, vectors = torch.linalg.eigh(attempt)
        except torch.linalg.LinAlgError:
            continue
        return values.to(matrix), vectors.to(matrix)
    return matrix.new_full(matrix.shape[:1], torch.nan), torch.full_like(matrix, torch.nan)


def polar(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Give U V^T of [..., rows, columns] matrices U S V^T, and their nuclear norms [...], the sums of S.

    Directions whose singular value is zero but for rounding have no part in U V^T.
    """
    for attempt in (matrices, matrices.double()):
        try:
            u, s, vh = torch.linalg.svd(attempt, full_matrices=False)
        except torch.linalg.LinAlgError:
            continue
        zero = s[..., :1] * max(matrices.shape[-2:]) * torch.finfo(s.dtype).eps
        kept = torch.where(s.isnan(), s, (s > zero).to(s.dtype))
        return ((u * kept[..., None, :]) @ vh).to(matrices), s.sum(-1).to(matrices)
    return torch.full_like(matrices, torch.nan), matrices.new_full(matrices.shape[:-2], torch.nan)
