"""Averages of weights along the way, which take the place of the weights in evaluations and nowhere else.

Running statistics of batch normalisation are averaged like weights. Recomputing them for the averaged weights, the
other usual way, would take extra training batches at each evaluation, on the clock.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from timetrial.harness.submission import OptimizerSubmission, Task

Tensors = list[Tensor]


def floating_tensors(model: nn.Module) -> Tensors:
    """Give the parameters and floating-point buffers of `model`, in a fixed order."""
    return [t.detach() for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()]


@contextmanager
def swapped_in(tensors: Tensors, values: Tensors) -> Iterator[None]:
    """Let `tensors` hold `values`, and afterwards exactly what they held before."""
    before = [t.clone() for t in tensors]
    torch._foreach_copy_(tensors, values)
    try:
        yield
    finally:
        torch._foreach_copy_(tensors, before)


class AveragingSubmission(OptimizerSubmission):
    """The short form, with a snapshot of the weights taken into an average every `interval` steps from step `start` on.

    A subclass says in `take` what becomes of a snapshot, and in `average` what to evaluate (None: the weights
    themselves). It keeps its tensors in `self.kept`, which is saved and restored.
    """

    def __init__(
        self,
        build_optimizer: Callable,
        model: nn.Module,
        hyperparameters: SimpleNamespace,
        task: Task,
        start: float,
        interval: float,
    ) -> None:
        """`start` and `interval` are shares of the step hint."""
        super().__init__(build_optimizer, model, hyperparameters, task)
        self.start = round(start * task.step_hint)
        self.interval = max(1, round(interval * task.step_hint))
        self.steps = 0
        self.taken = 0
        self.kept: list[Tensors] = []

    def take(self, weights: Tensors) -> None:
        """Take in `weights`, the model's own tensors, as snapshot number `self.taken`, counted from 1."""
        raise NotImplementedError

    def average(self) -> Tensors | None:
        """Give the weights to evaluate, or None for the model's own."""
        raise NotImplementedError

    def training_step(self, batch: Any) -> None:
        super().training_step(batch)
        self.steps += 1
        if self.steps >= self.start and (self.steps - self.start) % self.interval == 0:
            self.taken += 1
            with torch.no_grad():
                self.take(floating_tensors(self.model))

    @contextmanager
    def prepare_for_evaluation(self) -> Iterator[None]:
        average = self.average()
        if average is None:
            yield
            return
        with swapped_in(floating_tensors(self.model), average):
            yield

    def state_dict(self) -> dict[str, Any]:
        average = {"steps": self.steps, "taken": self.taken, "kept": self.kept}
        return {**super().state_dict(), "average": average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.steps, self.taken = state["average"]["steps"], state["average"]["taken"]
        self.kept = [[t.clone() for t in tensors] for tensors in state["average"]["kept"]]
