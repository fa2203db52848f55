"""The contract of a submission: what a training algorithm is given, and what it must provide."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from timetrial.harness.workload import Batch


@dataclass(frozen=True)
class Task:
    """What a training algorithm may know of the problem; the same fields on every workload."""

    step_hint: int
    """The number of steps a schedule may plan for."""
    batch_size: int
    """Examples in a batch of the usual size."""
    training_examples: int
    """Examples in the training set."""
    budget_seconds: float
    """Training seconds after which the trial has missed its target."""
    device: torch.device
    generator: torch.Generator
    """A generator on the device, seeded for this trial, for whatever the algorithm draws."""
    roles: Mapping[str, str]
    """For each parameter, by name, one of `embedding`, `hidden_matrix`, `convolution`, `bias`, `norm`, `output`."""
    loss: Callable[[nn.Module, Batch], Tensor]
    """`loss(model, batch)`: the mean training loss, a scalar to call `backward` on."""
    next_batch: Callable[..., Batch]
    """`next_batch(size=None)`: draw the next batch, of `size` examples or of the usual size."""
    elapsed_seconds: Callable[[], float]
    """`elapsed_seconds()`: how much of the budget is spent, in the same (paced) seconds as `budget_seconds`: the
    referee's clock as of the last evaluation point, and the trainee's own since. It never goes back, and goes on where
    a trial was interrupted. A trial that decides by it is not reproducible bit for bit."""


class Submission:
    """The long form of a submission: derive from it, or provide the same methods."""

    def __init__(self, model: nn.Module, hyperparameters: SimpleNamespace, task: Task) -> None:
        self.model = model
        self.task = task

    def training_step(self, batch: Batch) -> None:
        """Take one step on `batch`; it may draw more with `task.next_batch`."""
        raise TypeError(f"{type(self).__name__} has no training_step(batch)")

    def prepare_for_evaluation(self) -> AbstractContextManager[Any]:
        """Give a context in which the model holds the weights to evaluate, and after which training goes on."""
        return nullcontext()

    def state_dict(self) -> dict[str, Any]:
        """Give everything, besides the model's own state, that training needs to go on from here."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""


class OptimizerSubmission(Submission):
    """The short form: one optimizer step per batch, with an optional scheduler stepped after it.

    An optimizer whose `step` requires a closure, as `torch.optim.LBFGS`, is given one.

    An optimizer with `train()` and `eval()` modes (as in `schedulefree`) is in the second during evaluations.
    """

    def __init__(
        self, build_optimizer: Callable, model: nn.Module, hyperparameters: SimpleNamespace, task: Task
    ) -> None:
        super().__init__(model, hyperparameters, task)
        built = build_optimizer(model, hyperparameters, task)
        self.optimizer, self.scheduler = built if isinstance(built, tuple) and len(built) == 2 else (built, None)
        if not isinstance(self.optimizer, torch.optim.Optimizer):
            raise TypeError(
                f"build_optimizer returned {type(built).__name__}: return an optimizer, or (optimizer, scheduler)"
            )
        self.needs_closure = requires_closure(self.optimizer)
        self.has_modes = hasattr(self.optimizer, "train") and hasattr(self.optimizer, "eval")
        if self.has_modes:
            self.optimizer.train()

    def training_step(self, batch: Batch) -> None:
        if self.needs_closure:
            self.optimizer.step(lambda: self._loss(batch))
        else:
            self._loss(batch)
            self.optimizer.step()
        if self.scheduler is not None:
            self.scheduler.step()

    def _loss(self, batch: Batch) -> Tensor:
        """Compute the loss and its gradients."""
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.task.loss(self.model, batch)
        loss.backward()
        return loss

    @contextmanager
    def prepare_for_evaluation(self) -> Iterator[None]:
        if self.has_modes:
            self.optimizer.eval()
        yield
        if self.has_modes:
            self.optimizer.train()

    def state_dict(self) -> dict[str, Any]:
        scheduler = None if self.scheduler is None else self.scheduler.state_dict()
        return {"optimizer": self.optimizer.state_dict(), "scheduler": scheduler}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])


def requires_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Say whether `step` takes a closure that has no default."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is closure.empty


class Hyperparameters(SimpleNamespace):
    """Values by their names; one that is not there is asked for with an `AttributeError` that lists those that are."""

    def __getattr__(self, name: str) -> NoReturn:
        there = ", ".join(vars(self)) or "none"
        raise AttributeError(f"no hyperparameter {name!r} is given: there are {there}")


def build_submission(
    module: ModuleType, model: nn.Module, hyperparameters: Mapping[str, Any], task: Task
) -> Submission:
    """Build the submission that `module` (a `submission.py`) defines, in its long or its short form.

    Raises `TypeError` where the module defines neither, or a parameter of the model is not in exactly one group.
    """
    values = Hyperparameters(**hyperparameters)
    if hasattr(module, "Submission") and module.Submission is not Submission:
        submission = module.Submission(model, values, task)
    elif hasattr(module, "build_optimizer"):
        submission = OptimizerSubmission(module.build_optimizer, model, values, task)
    else:
        raise TypeError(
            "submission.py defines neither build_optimizer(model, hyperparameters, task) nor class Submission"
        )
    check_parameter_groups(model, optimizers_of(submission))
    return submission


def optimizers_of(submission: Submission) -> list[torch.optim.Optimizer]:
    """Find the optimizers that `submission` holds in its attributes, or in lists and dicts there."""
    found = []
    for value in vars(submission).values():
        if isinstance(value, Mapping):
            value = value.values()
        for item in value if isinstance(value, Iterable) and not isinstance(value, Tensor | str) else (value,):
            if isinstance(item, torch.optim.Optimizer) and item not in found:
                found.append(item)
    return found


def check_parameter_groups(model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> None:
    """Check that every parameter of `model` is in exactly one parameter group of `optimizers`.

    A submission without any `torch.optim.Optimizer` updates the weights itself, and there is nothing to check.
    Raises `TypeError` naming the parameters that are in none or in several.
    """
    if not optimizers:
        return
    counts: dict[int, int] = {}
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                counts[id(parameter)] = counts.get(id(parameter), 0) + 1
    for problem, wrong in (("in no", lambda n: n == 0), ("in more than one", lambda n: n > 1)):
        names = [name for name, p in model.named_parameters() if wrong(counts.get(id(p), 0))]
        if names:
            raise TypeError(f"parameters {problem} parameter group of the optimizer: {', '.join(names)}")
