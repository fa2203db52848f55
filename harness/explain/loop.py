"""The training loop of the experiments, without a referee: for a notebook as well.

    training = Training(find_workload("mini", "small_gpt"), "adamw", steps=500, source=DataSource("synthetic"))
    for step in training.run(500):
        print(step, training.loss)

The submission's code runs in this process and is trusted, no clock counts, and nothing is scored.
"""

import importlib.util
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import COLLECTION, find_submission
from timetrial.harness.planning.configuration import compose, options
from timetrial.harness.planning.plan import select_workloads
from timetrial.harness.planning.seeds import derive_seed
from timetrial.harness.submission import Task, build_submission
from timetrial.harness.trial.arena import make_workload
from timetrial.harness.trial.batches import BatchStream
from timetrial.harness.trial.elapsed import ElapsedSeconds
from timetrial.harness.workload import Batch, Data, DataSource, Workload


def find_workload(suite: str, name: str) -> Workload:
    """Make workload `name` at the sizes of `suite`; raises `UsageError` where one of them is unknown."""
    if suite not in options("suite"):
        raise UsageError(f"unknown suite {suite!r}: choose of {', '.join(options('suite'))}")
    config = compose([f"suite={suite}", "submission=template"])
    (spec,) = select_workloads({**config, "workloads": [name]})
    return make_workload(spec, None)


def submission_module(name: str) -> types.ModuleType:
    """Import the `submission.py` of a submission, in this process; raises `UsageError` where there is none."""
    found = find_submission(name)
    if found.origin == COLLECTION:
        return importlib.import_module(f"timetrial.submissions.{name}.submission")
    spec = importlib.util.spec_from_file_location(f"submission_{found.source_hash()}", found.path / "submission.py")
    module = importlib.util.module_from_spec(spec)
    places = [str(place) for place in (found.path, found.beside) if place is not None]
    sys.path[:0] = places
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.path[: len(places)]
    return module


def hyperparameters_of(name: str, **changes: Any) -> dict[str, Any]:
    """Give a submission's own hyperparameters, or else the first point of its search space, with `changes`.

    A change of what the submission does not have is left out, such as a weight decay where it knows none.
    """
    folder = find_submission(name)
    values = folder.hyperparameters if folder.hyperparameters is not None else folder.search_space.draw(0, 1)[0]
    return dict(values) | {key: value for key, value in changes.items() if key in values}


class Training:
    """One training run of a submission on a workload: the same weights and batches for every submission of a seed."""

    def __init__(
        self,
        workload: Workload,
        submission: str | types.ModuleType | types.SimpleNamespace,
        hyperparameters: Mapping[str, Any] | None = None,
        *,
        steps: int,
        source: DataSource | None = None,
        data: Data | None = None,
        seed: int = 0,
        model: nn.Module | None = None,
        loss: Callable[[nn.Module, Batch], Tensor] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Build everything on the processor.

        `submission`: a name, or what has `build_optimizer` or `Submission` as a `submission.py` does;
        `hyperparameters`: by default the submission's own; `steps`: the step hint; `data`: the training split, by
        default what the workload loads from `source`; `model`: in place of the one that the workload builds from
        `seed`; `loss`: in place of the workload's; `dtype`: float64 makes the model, and what it reads, of double
        precision.
        """
        torch.manual_seed(derive_seed("explain", "trial", seed))
        self.workload = workload
        self._loss_of = loss or workload.loss
        self.data = workload.load("train", source or DataSource()) if data is None else data
        weights = torch.Generator().manual_seed(derive_seed("explain", "weights", seed))
        self.model = (workload.build_model(weights) if model is None else model).to(dtype).train()
        if dtype != torch.float32:
            self.model.register_forward_pre_hook(lambda _, inputs: tuple(_cast(tensor, dtype) for tensor in inputs))
        examples, device = workload.examples(self.data), torch.device("cpu")
        self.batches = BatchStream(workload, examples, device, derive_seed("explain", "batches", seed))
        self.batches.open(self.data)
        self.task = Task(
            step_hint=steps,
            batch_size=workload.batch_size,
            training_examples=examples,
            budget_seconds=float("inf"),
            device=device,
            generator=torch.Generator().manual_seed(derive_seed("explain", "trial", seed)),
            roles=types.MappingProxyType(workload.parameter_roles(self.model)),
            loss=self._loss,
            next_batch=self.batches.next,
            elapsed_seconds=ElapsedSeconds(),
        )
        if isinstance(submission, str):
            hyperparameters = hyperparameters_of(submission) if hyperparameters is None else hyperparameters
            submission = submission_module(submission)
        self.submission = build_submission(submission, self.model, hyperparameters or {}, self.task)

    def _loss(self, model: nn.Module, batch: Batch) -> Tensor:
        loss = self._loss_of(model, batch)
        self._last = loss.detach()
        return loss

    def run(self, steps: int) -> Iterator[int]:
        """Take `steps` steps; gives the number of each, from 1, when it is done."""
        for step in range(1, steps + 1):
            self.submission.training_step(self.batches.next())
            yield step

    def train(self, steps: int) -> None:
        """Take `steps` steps, with nothing in between."""
        for _ in self.run(steps):
            pass

    def gradients(self, count: int) -> Tensor:
        """Compute gradients at the weights as they are, of batches drawn with replacement: (count, parameters)."""
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        examples, generator = self.workload.examples(self.data), self.task.generator
        found = []
        for _ in range(count):
            indices = torch.randint(examples, (self.workload.batch_size,), generator=generator)
            loss = self._loss_of(self.model, self.workload.batch(self.data, indices, generator))
            found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
        return torch.stack(found)

    @property
    def loss(self) -> float:
        """The training loss of the last batch, before its step."""
        return self._last.item()

    def evaluate(self, data: Data) -> dict[str, float]:
        """Compute the workload's metrics of the weights that the submission would hand in."""
        with self.submission.prepare_for_evaluation(), torch.inference_mode():
            metrics = self.workload.evaluate(self.model.eval(), data)
        self.model.train()
        return metrics


def weights_of(model: nn.Module) -> Tensor:
    """Give a copy of all parameters as one vector, in the order of `model.parameters()`."""
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


def set_weights(model: nn.Module, weights: Tensor) -> None:
    """Write a vector as `weights_of` gives it into the parameters, whose memory format stays."""
    sizes = [p.numel() for p in model.parameters()]
    with torch.no_grad():
        for p, values in zip(model.parameters(), weights.split(sizes), strict=True):
            p.copy_(values.view(p.shape))


def _cast(tensor: Any, dtype: torch.dtype) -> Any:
    return tensor.to(dtype) if torch.is_tensor(tensor) and tensor.is_floating_point() else tensor
