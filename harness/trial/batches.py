"""The stream of training batches, the same for every submission in a study."""

from typing import Any

import torch
from torch import Tensor

from timetrial.harness.workload import Batch, Data, Workload


class BatchStream:
    """Endless batches: every example once in an epoch, in an order drawn from the seed, on the device.

    The data come with `open`, when everything else is built: nothing can learn from them before the clock starts.
    """

    def __init__(self, workload: Workload, examples: int, device: torch.device, seed: int) -> None:
        self.workload = workload
        self.data: Data | None = None
        self.examples = examples
        self.examples_drawn = 0
        self.generator = torch.Generator(device).manual_seed(seed)
        self._shuffle()

    def open(self, data: Data) -> None:
        """Draw from `data`, on the device, from now on."""
        self.data = data

    def _shuffle(self) -> None:
        self.epoch_start = self.generator.get_state()
        self.order = torch.randperm(self.examples, generator=self.generator, device=self.generator.device)
        self.position = 0

    def next(self, size: int | None = None) -> Batch:
        """Draw the next batch, of `size` examples or of the workload's batch size.

        Raises `ValueError` for a size that is no whole number above zero, `RuntimeError` before training has begun.
        """
        if self.data is None:
            raise RuntimeError("next_batch: there are no batches before the first training step")
        size = self.workload.batch_size if size is None else size
        if not isinstance(size, int) or size < 1:
            raise ValueError(f"next_batch(size={size!r}): give a whole number of at least 1")
        self.examples_drawn += size
        return self.workload.batch(self.data, self._indices(size), self.generator)

    def _indices(self, size: int) -> Tensor:
        if self.position + size <= self.examples:
            indices = self.order[self.position : self.position + size]
            self.position += size
            return indices
        pieces = []
        while size > 0:
            if self.position == self.examples:
                self._shuffle()
            piece = self.order[self.position : self.position + size]
            self.position += len(piece)
            size -= len(piece)
            pieces.append(piece)
        return torch.cat(pieces)

    def state_dict(self) -> dict[str, Any]:
        """Give the point in the stream: the order of the epoch is drawn again from its start."""
        return {
            "epoch_start": self.epoch_start,
            "position": self.position,
            "generator": self.generator.get_state(),
            "examples_drawn": self.examples_drawn,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from the point that `state_dict` gave."""
        self.generator.set_state(state["epoch_start"])
        self._shuffle()
        self.position = state["position"]
        self.generator.set_state(state["generator"])
        self.examples_drawn = state["examples_drawn"]
