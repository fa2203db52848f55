"""A small problem with a parameter of every role, on which each submission of the collection is built and trained."""

import importlib
import io
from typing import Any

import torch
from torch import nn

from timetrial.harness.planning.catalogue import SUBMISSIONS, TEMPLATE, find_submission, submission_names
from timetrial.harness.submission import Submission, Task, build_submission
from timetrial.harness.workload import Batch

NAMES = [*submission_names(), TEMPLATE]
STEP_HINT = 12


class ToyModel(nn.Module):
    """Tokens to classes, through an embedding, a convolution with batch normalisation, and a hidden layer."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.embedding = nn.Embedding(7, 27)
        self.convolution = nn.Conv2d(3, 4, 3)
        self.batch_norm = nn.BatchNorm2d(4)
        self.hidden = nn.Linear(4, 6)
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 5)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        images = self.embedding(tokens).view(-1, 3, 3, 3)
        features = self.batch_norm(self.convolution(images)).flatten(1).relu()
        return self.head(self.norm(self.hidden(features)).relu())


ROLES = {
    "embedding.weight": "embedding",
    "convolution.weight": "convolution",
    "batch_norm.weight": "norm",
    "hidden.weight": "hidden_matrix",
    "norm.weight": "norm",
    "head.weight": "output",
}


def make_task(
    model: nn.Module, step_hint: int = STEP_HINT, roles: dict[str, str] | None = None, loss: Any = None
) -> Task:
    """Describe the problem of guessing 3 x mod 5 from x; its batches are the same for every task."""
    generator = torch.Generator().manual_seed(0)

    def next_batch(size: int | None = None) -> Batch:
        tokens = torch.randint(7, (size or 32,), generator=generator)
        return Batch(tokens, tokens * 3 % 5)

    def cross_entropy(model: nn.Module, batch: Batch) -> torch.Tensor:
        return nn.functional.cross_entropy(model(batch.inputs), batch.targets)

    return Task(
        step_hint=step_hint,
        batch_size=32,
        training_examples=320,
        budget_seconds=10.0,
        device=torch.device("cpu"),
        generator=generator,
        roles={name: (roles or ROLES).get(name, "bias") for name, _ in model.named_parameters()},
        loss=loss or cross_entropy,
        next_batch=next_batch,
        elapsed_seconds=lambda: 0.0,
    )


def any_hyperparameters(name: str) -> dict[str, Any]:
    """Give the values for self-tuning, or else a point of the search space, with short periods for a short run."""
    folder = find_submission(name)
    values = folder.hyperparameters or folder.search_space.draw(study=0, trials=1)[0]
    return {**values, **({"update_every": 2} if "update_every" in values else {})}


def source(name: str) -> Any:
    """Import the code of a submission."""
    return importlib.import_module(f"{SUBMISSIONS.name}.{name}.submission")


def build(name: str, values: dict[str, Any] | None = None, **task: Any) -> tuple[nn.Module, Submission]:
    """Build a submission on a fresh toy model."""
    model = ToyModel()
    return model, build_submission(source(name), model, values or any_hyperparameters(name), make_task(model, **task))


def train(submission: Submission, batches: list[Batch]) -> None:
    for batch in batches:
        submission.training_step(batch)


def through_bytes(state: Any) -> Any:
    """Save and load `state`, as a checkpoint does."""
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    return torch.load(stream, weights_only=True)


def weights_in_evaluation(model: nn.Module, submission: Submission) -> dict[str, torch.Tensor]:
    """Copy the state of the model as an evaluation would see it."""
    with submission.prepare_for_evaluation():
        return {name: tensor.clone() for name, tensor in model.state_dict().items()}
