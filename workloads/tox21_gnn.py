"""Tox21 with a graph network (Battaglia et al. 2018): messages along bonds and a sum over atoms."""

import random
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timetrial.harness.workload import Batch, Data, DataSource, Workload
from timetrial.workloads.initialisation import ACTIVATIONS, build, check_activation, fan_in, he_std
from timetrial.workloads.sources.splits import shuffled, tensors
from timetrial.workloads.sources.synthetic_molecules import synthetic_molecules
from timetrial.workloads.sources.tox21 import ASSAYS, ATOM_VALUES, BOND_VALUES, MISSING, tox21
from timetrial.workloads.variants import common, deeper, near


class Table(nn.Embedding):
    """One table for several features, int64 [..., features]; the vectors of an item's features are added up."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features).sum(-2)


def in_one_table(features: np.ndarray, values: tuple[int, ...]) -> np.ndarray:
    """Number the values of several features, [..., features], on from each other: any number below the sum is valid."""
    return features + np.cumsum((0, *values[:-1])).astype(features.dtype)


class MessagePassing(nn.Module):
    """Each bond's message is computed from both of its atoms and itself; each atom adds up those it receives.

    The sum and the atom go through a perceptron of one hidden layer, whose result is added to the atom.
    """

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.sender = nn.Linear(width, width, bias=False)
        self.receiver = nn.Linear(width, width)
        self.bonds = Table(sum(BOND_VALUES), width)
        self.update_in = nn.Linear(2 * width, 2 * width)
        self.update_out = nn.Linear(2 * width, width)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, x: Tensor, bonds: Tensor, senders: Tensor, receivers: Tensor) -> Tensor:
        normed = self.norm(x)
        sent = self.sender(normed).index_select(0, senders) + self.receiver(normed).index_select(0, receivers)
        messages = self.activation(sent + self.bonds(bonds))
        received = torch.zeros_like(messages[:1]).expand(len(x), -1).index_add(0, receivers, messages)
        return x + self.update_out(self.activation(self.update_in(torch.cat((normed, received), dim=1))))


class GraphNetwork(nn.Module):
    """Maps a batch of graphs, all in one, to logits [molecules, 12].

    `atoms` int64 [atoms, 6]; `bonds` int64 [bonds, 3], each in both directions, from the atom `senders` to `receivers`,
    int64 [bonds]; `molecules` int64 [atoms]: the molecule of each atom, of which there are `count`.
    """

    def __init__(self, layers: int, width: int, activation: str) -> None:
        super().__init__()
        self.atoms = Table(sum(ATOM_VALUES), width)
        self.blocks = nn.ModuleList(MessagePassing(width, activation) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.readout = nn.Linear(width, 2 * width)
        self.head = nn.Linear(2 * width, ASSAYS)
        self.activation = ACTIVATIONS[activation]()

    def forward(
        self, atoms: Tensor, bonds: Tensor, senders: Tensor, receivers: Tensor, molecules: Tensor, count: int
    ) -> Tensor:
        x = self.atoms(atoms)
        for block in self.blocks:
            x = block(x, bonds, senders, receivers)
        x = self.activation(self.readout(self.norm(x)))
        # The sum over atoms, divided by the root of a usual number of them, so that logits begin near zero.
        pooled = torch.zeros_like(x[:1]).expand(count, -1).index_add(0, molecules, x) / 16
        return self.head(pooled)


def average_precision(scores: Tensor, labels: Tensor) -> Tensor:
    """Compute the area under the precision-recall steps, sum_n (R_n - R_{n-1}) P_n, a scalar float64.

    `scores` [examples], `labels` bool [examples]; equal scores are one threshold, as in scikit-learn. Not a number
    where no label is true or a score is none.
    """
    scores, order = scores.sort(descending=True)
    hits = labels[order].double().cumsum(0)
    last = torch.cat((scores[1:] != scores[:-1], torch.ones_like(labels[:1])))  # of each group of equal scores
    hits, ranks = hits[last], torch.arange(1, len(scores) + 1, device=scores.device)[last]
    gained = torch.diff(hits, prepend=torch.zeros_like(hits[:1]))
    value = (gained * hits / ranks).sum() / labels.sum()
    return torch.where(scores.isnan().any(), torch.nan, value)


@dataclass(frozen=True, kw_only=True)
class Tox21Gnn(Workload):
    """Predicts which of 12 assays a molecule responds to: 80 % of molecules to train, 10 % to validate, 10 % to test.

    A batch is one graph of many parts, as large as its molecules are; labels that are missing count for nothing.
    """

    metric: ClassVar[str] = "mean_average_precision"
    higher_is_better: ClassVar[bool] = True
    training_sample: ClassVar[int] = 400

    batch_size: int = 64
    layers: int = 3
    width: int = 64
    activation: str = "relu"
    init_scale: float = 1.0
    """A factor on the standard deviation of every initial weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)

    def build_model(self, generator: torch.Generator) -> nn.Module:
        """Build with He initialisation, 1/sqrt(inputs) where a result is added or read out, 0.3 in tables."""

        def std(name: str, module: nn.Module) -> float:
            if isinstance(module, nn.Embedding):
                return 0.3 * self.init_scale
            linear = name.endswith(("update_out", "head", "sender", "receiver"))
            return self.init_scale * (fan_in(module) ** -0.5 if linear else he_std(module))

        return build(lambda: GraphNetwork(self.layers, self.width, self.activation), std, generator)

    def load_all(self, split: str, source: DataSource) -> Data:
        """Load the arrays of `sources.tox21`, split at random; features are numbered as `in_one_table` does."""
        arrays = synthetic_molecules() if source.kind == "synthetic" else tox21(source)
        arrays |= {
            "atoms": in_one_table(arrays["atoms"], ATOM_VALUES),
            "bonds": in_one_table(arrays["bonds"], BOND_VALUES),
        }
        molecules = len(arrays["labels"])
        ends = {"train": (0, 8), "validation": (8, 9), "test": (9, 10)}[split]
        chosen = shuffled(molecules)[slice(*(molecules * end // 10 for end in ends))]
        return tensors({name: array[chosen] for name, array in arrays.items()})

    def examples(self, data: Data) -> int:
        return len(data["labels"])

    def batch(self, data: Data, indices: Tensor, generator: torch.Generator) -> Batch:
        """Gather molecules as one graph without padding: inputs are those of `GraphNetwork` but the count."""
        rows = {name: tensor.index_select(0, indices).long() for name, tensor in data.items()}
        counts, device = rows["atom_counts"], indices.device
        there = torch.arange(rows["atoms"].shape[1], device=device) < counts[:, None]
        bonded = torch.arange(rows["bonds"].shape[1], device=device) < rows["bond_counts"][:, None]
        # In data all ends are below the count; in random data, for the warm-up, they need not be.
        ends = torch.minimum(rows["ends"], counts[:, None, None] - 1) + (counts.cumsum(0) - counts)[:, None, None]
        first, second = ends[bonded].unbind(1)
        bonds = rows["bonds"][bonded]
        inputs = (
            rows["atoms"][there],
            torch.cat((bonds, bonds)),
            torch.cat((first, second)),
            torch.cat((second, first)),
            torch.arange(len(indices), device=device)[:, None].expand_as(there)[there],
        )
        return Batch(inputs, rows["labels"])

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        measured = batch.targets != MISSING
        with self.autocast(batch.targets.device):
            logits = model(*batch.inputs, len(batch.targets)).float()
        losses = F.binary_cross_entropy_with_logits(logits, (batch.targets == 1).float(), reduction="none")
        return (losses * measured).sum() / measured.sum().clamp(min=1)

    def evaluate(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Compute the mean over assays of the average precision, and the loss per label, in nats.

        An assay to which no molecule of the split responds has no average precision and is left out.
        """
        device = data["labels"].device
        indices = torch.arange(self.examples(data), device=device)
        batches = [self.batch(data, chunk, torch.Generator(device)) for chunk in indices.split(200)]
        with self.autocast(device):
            logits = torch.cat([model(*batch.inputs, len(batch.targets)) for batch in batches]).double()
        labels = data["labels"]
        measured = labels != MISSING
        losses = F.binary_cross_entropy_with_logits(logits, (labels == 1).double(), reduction="none")
        columns = [
            average_precision(scores[known], truth[known] == 1)
            for scores, truth, known in zip(logits.T, labels.T, measured.T, strict=True)
        ]
        answered = ((labels == 1).any(0)).tolist()
        precisions = [value for value, has_any in zip(columns, answered, strict=True) if has_any]
        mean = torch.stack(precisions).mean() if precisions else losses.new_tensor(torch.nan)
        mean, loss = torch.stack((mean, (losses * measured).sum() / measured.sum())).tolist()
        return {"mean_average_precision": mean, "loss": loss}

    def draw_variant(self, seed: int) -> "Tox21Gnn":
        draw = random.Random(seed)
        return replace(
            self,
            layers=deeper(draw, self.layers),
            width=near(draw, self.width, 8),
            **common(draw),
            training_examples=draw.choice((1_500, 2_000, 2_500, 3_000)),
        )
