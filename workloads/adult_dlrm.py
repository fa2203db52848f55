"""Adult with the recommendation model DLRM (Naumov et al. 2019): embeddings, dot products and perceptrons."""

import random
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timetrial.harness.workload import Batch, Data, DataSource, Workload
from timetrial.workloads.initialisation import ACTIVATIONS, build, check_activation, he_std
from timetrial.workloads.sources.adult import CATEGORIES, NUMBERS, VALUES, adult, synthetic_people
from timetrial.workloads.sources.splits import hold_out, tensors
from timetrial.workloads.variants import common, deeper, near

HELD_OUT = 5000


class Dlrm(nn.Module):
    """Maps categories, int64 [people, 8], and numbers [people, 6] to logits [people].

    Numbers go through the bottom perceptron to a vector of the embeddings' width; the dot products of all pairs of
    vectors, and the bottom's own, go through the top perceptron.
    """

    def __init__(self, embedding: int, bottom: int, top: int, depth: int, activation: str) -> None:
        super().__init__()
        vectors = len(CATEGORIES) + 1
        self.categories = nn.Embedding(sum(VALUES), embedding)
        self.bottom_in = nn.Linear(len(NUMBERS), bottom)
        self.bottom_out = nn.Linear(bottom, embedding)
        widths = [embedding + vectors * (vectors - 1) // 2, *(top for _ in range(depth))]
        self.top = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.head = nn.Linear(top, 1)
        self.activation = ACTIVATIONS[activation]()
        starts = [sum(VALUES[:column]) for column in range(len(VALUES))]
        pairs = [(first, second) for first in range(vectors) for second in range(first)]
        self.starts, self.pairs = starts, [first * vectors + second for first, second in pairs]

    def forward(self, categories: Tensor, numbers: Tensor) -> Tensor:
        starts, pairs = (torch.tensor(each, device=categories.device) for each in (self.starts, self.pairs))
        dense = self.activation(self.bottom_out(self.activation(self.bottom_in(numbers))))
        vectors = torch.cat((dense[:, None], self.categories(categories + starts)), dim=1)
        products = (vectors @ vectors.mT).flatten(1).index_select(1, pairs)
        x = torch.cat((dense, products), dim=1)
        for layer in self.top:
            x = self.activation(layer(x))
        return self.head(x)[:, 0]


@dataclass(frozen=True, kw_only=True)
class AdultDlrm(Workload):
    """Predicts an income above 50,000 dollars: 27,561 people to train, 5,000 to validate and 16,281 to test."""

    metric: ClassVar[str] = "loss"
    higher_is_better: ClassVar[bool] = False
    training_sample: ClassVar[int] = 5000

    batch_size: int = 256
    embedding: int = 32
    """Width of the embeddings."""
    bottom: int = 256
    """Width of the hidden layer of the perceptron of the numbers."""
    top: int = 256
    """Width of the hidden layers of the perceptron that predicts."""
    depth: int = 2
    """How many hidden layers that one has."""
    activation: str = "relu"
    init_scale: float = 1.0
    """A factor on the standard deviation of every initial weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)

    def build_model(self, generator: torch.Generator) -> nn.Module:
        """Build with He initialisation, 1/sqrt(inputs) in the output layer and 0.1 in the embeddings."""

        def std(name: str, module: nn.Module) -> float:
            if isinstance(module, nn.Embedding):
                return 0.1 * self.init_scale
            return self.init_scale * (module.in_features**-0.5 if name == "head" else he_std(module))

        def construct() -> nn.Module:
            return Dlrm(self.embedding, self.bottom, self.top, self.depth, self.activation)

        return build(construct, std, generator)

    def load_all(self, split: str, source: DataSource) -> Data:
        """Load `categories` int64 [people, 8], `numbers` float32 [people, 6] and `labels` float32 [people]."""
        train = split != "test"
        arrays = synthetic_people(train) if source.kind == "synthetic" else adult(train, source)
        return hold_out(arrays, split, HELD_OUT) if train else tensors(arrays)

    def examples(self, data: Data) -> int:
        return len(data["labels"])

    def batch(self, data: Data, indices: Tensor, generator: torch.Generator) -> Batch:
        inputs = tuple(data[name].index_select(0, indices) for name in ("categories", "numbers"))
        return Batch(inputs, data["labels"].index_select(0, indices))

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        with self.autocast(batch.targets.device):
            return F.binary_cross_entropy_with_logits(model(*batch.inputs).float(), batch.targets)

    def evaluate(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Compute the log loss, in nats, and the accuracy."""
        labels = data["labels"]
        with self.autocast(labels.device):
            chunks = zip(data["categories"].split(4096), data["numbers"].split(4096), strict=True)
            logits = torch.cat([model(*chunk) for chunk in chunks]).double()
        loss = F.binary_cross_entropy_with_logits(logits, labels.double())
        accuracy = ((logits > 0) == (labels > 0.5)).double().mean()
        loss, accuracy = torch.stack((loss, accuracy)).tolist()
        return {"loss": loss, "accuracy": accuracy}

    def draw_variant(self, seed: int) -> "AdultDlrm":
        draw = random.Random(seed)
        return replace(
            self,
            embedding=near(draw, self.embedding, 4),
            bottom=near(draw, self.bottom, 32),
            top=near(draw, self.top, 32),
            depth=deeper(draw, self.depth),
            **common(draw),
            training_examples=draw.choice((5_000, 10_000, 14_000)),
        )
