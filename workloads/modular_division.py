"""Division modulo a prime, learnt from half of the table: grokking (Power et al. 2022)."""

import random
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timetrial.harness.workload import Batch, Data, DataSource, Workload
from timetrial.workloads.evaluation import classification_metrics
from timetrial.workloads.initialisation import check_activation
from timetrial.workloads.sources.splits import shuffled, tensors
from timetrial.workloads.transformer import build_transformer
from timetrial.workloads.variants import common, deeper, split


@dataclass(frozen=True, kw_only=True)
class ModularDivision(Workload):
    """A transformer that reads `a op b =` and predicts a / b modulo a prime, at the token `=`.

    The data are all pairs with b other than 0, computed and therefore the same from every source: half to train, the
    rest halved to validate and to test. Tokens are the numbers 0 to modulus - 1, `op` = modulus, `=` = modulus + 1.
    """

    metric: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True

    batch_size: int = 512
    modulus: int = 97
    """A prime."""
    training_fraction: float = 0.5
    """The share of all pairs that is the training split."""
    layers: int = 2
    width: int = 128
    heads: int = 4
    activation: str = "gelu"
    init_scale: float = 1.0
    """A factor on the standard deviation of every initial weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)
        if self.width % self.heads:
            raise ValueError(f"width is {self.width}: choose a multiple of heads, {self.heads}")
        if self.modulus < 2 or any(self.modulus % n == 0 for n in range(2, int(self.modulus**0.5) + 1)):
            raise ValueError(f"modulus is {self.modulus}: choose a prime, so that every number but 0 can be divided by")
        if not 0 < self.training_fraction < 1:
            raise ValueError(f"training_fraction is {self.training_fraction}: choose a number between 0 and 1")

    def build_model(self, generator: torch.Generator) -> nn.Module:
        return build_transformer(
            generator,
            self.init_scale,
            vocabulary=self.modulus + 2,
            outputs=self.modulus,
            context=4,
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            activation=self.activation,
        )

    def load_all(self, split: str, source: DataSource) -> Data:
        """Compute `tokens` int64 [examples, 4] and `labels` int64 [examples]."""
        quotient, divisor = np.divmod(np.arange(self.modulus * (self.modulus - 1)), self.modulus - 1)
        divisor += 1
        # Each row is a product c * b; reading a = c * b mod p for its c gives every pair (a, b) once, with label c.
        dividend = quotient * divisor % self.modulus
        operator, equals = (np.full_like(dividend, self.modulus + token) for token in (0, 1))
        tokens = np.stack([dividend, operator, divisor, equals], axis=1)
        train_end = round(len(tokens) * self.training_fraction)
        validation_end = (train_end + len(tokens)) // 2
        parts = {"train": (0, train_end), "validation": (train_end, validation_end), "test": (validation_end, None)}
        chosen = shuffled(len(tokens))[slice(*parts[split])]
        return tensors({"tokens": tokens[chosen], "labels": quotient[chosen]})

    def examples(self, data: Data) -> int:
        return len(data["labels"])

    def batch(self, data: Data, indices: Tensor, generator: torch.Generator) -> Batch:
        return Batch(data["tokens"].index_select(0, indices), data["labels"].index_select(0, indices))

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        with self.autocast(batch.inputs.device):
            return F.cross_entropy(model(batch.inputs, last_only=True), batch.targets)

    def evaluate(self, model: nn.Module, data: Data) -> dict[str, float]:
        chunks = zip(data["tokens"].split(4096), data["labels"].split(4096), strict=True)
        with self.autocast(data["tokens"].device):
            return classification_metrics(lambda tokens: model(tokens, last_only=True), chunks)

    def draw_variant(self, seed: int) -> "ModularDivision":
        draw = random.Random(seed)
        modulus = range(round(0.7 * self.modulus), round(1.25 * self.modulus))
        return replace(
            self,
            modulus=draw.choice([p for p in modulus if all(p % d for d in range(2, p))]),
            training_fraction=draw.choice((0.5, 0.6, 0.7)),
            layers=deeper(draw, self.layers),
            **split(draw, self.width, self.heads),
            **common(draw),
        )
