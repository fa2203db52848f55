"""Metrics of a classifier over a whole split, with one synchronisation at the end."""

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor


def classification_metrics(predict: Callable[[Tensor], Tensor], batches: Iterable[tuple[Tensor, Tensor]]) -> dict:
    """Compute mean cross-entropy (nats) and accuracy over all predictions of all `batches` of (inputs, targets).

    `predict` gives logits [..., classes] for inputs; targets [...] are int64. Sums stay on the device until the end.
    """
    loss, correct, predictions = 0.0, 0, 0
    for inputs, targets in batches:
        logits = predict(inputs).float().flatten(0, -2)
        targets = targets.flatten()
        loss = loss + F.cross_entropy(logits, targets, reduction="sum").double()
        correct = correct + (logits.argmax(-1) == targets).sum()
        predictions += targets.numel()
    loss, correct = torch.stack((loss, correct.double())).tolist()
    return {"accuracy": correct / predictions, "loss": loss / predictions}
