"""Tiny Shakespeare, character by character, with a decoder-only transformer."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timetrial.harness.workload import Batch, Data, DataSource, Workload
from timetrial.workloads.evaluation import classification_metrics
from timetrial.workloads.initialisation import check_activation
from timetrial.workloads.sources.markov_text import markov_text
from timetrial.workloads.sources.tiny_shakespeare import VOCABULARY, tiny_shakespeare
from timetrial.workloads.transformer import build_transformer
from timetrial.workloads.variants import common, deeper, near, split


@dataclass(frozen=True, kw_only=True)
class SmallGpt(Workload):
    """A language model of characters: the first 90 % of the text to train, 5 % to validate and 5 % to test.

    An example is a window of the text, and its index the place where it starts.
    """

    metric: ClassVar[str] = "loss"
    higher_is_better: ClassVar[bool] = False
    training_sample: ClassVar[int] = 4096

    batch_size: int = 64
    context: int = 256
    """Tokens in a window."""
    layers: int = 6
    width: int = 384
    heads: int = 6
    activation: str = "gelu"
    init_scale: float = 1.0
    """A factor on the standard deviation of every initial weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)
        if self.width % self.heads:
            raise ValueError(f"width is {self.width}: choose a multiple of heads, {self.heads}")

    def build_model(self, generator: torch.Generator) -> nn.Module:
        return build_transformer(
            generator,
            self.init_scale,
            vocabulary=VOCABULARY,
            outputs=VOCABULARY,
            context=self.context,
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            activation=self.activation,
        )

    def load_all(self, split: str, source: DataSource) -> Data:
        """Load `tokens` uint8 [characters]."""
        tokens = markov_text() if source.kind == "synthetic" else tiny_shakespeare(source)
        train_end, validation_end = len(tokens) * 90 // 100, len(tokens) * 95 // 100
        parts = {"train": (0, train_end), "validation": (train_end, validation_end), "test": (validation_end, None)}
        return {"tokens": torch.from_numpy(np.array(tokens[slice(*parts[split])]))}

    def first(self, data: Data, examples: int) -> Data:
        """Take the text that the first `examples` windows cover: text is not shuffled."""
        return {"tokens": data["tokens"][: examples + self.context]}

    def examples(self, data: Data) -> int:
        return len(data["tokens"]) - self.context

    def batch(self, data: Data, indices: Tensor, generator: torch.Generator) -> Batch:
        places = indices[:, None] + torch.arange(self.context + 1, device=indices.device)
        windows = data["tokens"].index_select(0, places.flatten()).view(places.shape).long()
        return Batch(windows[:, :-1], windows[:, 1:])

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        with self.autocast(batch.inputs.device):
            return F.cross_entropy(model(batch.inputs).flatten(0, 1), batch.targets.flatten())

    def evaluate(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Compute the loss in nats per token, over windows side by side: each token but the first is predicted once."""
        with self.autocast(data["tokens"].device):
            return classification_metrics(model, self._windows(data["tokens"]))

    def _windows(self, tokens: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Cut the text into whole windows, in chunks of some thousand tokens, and the shorter one that is left over."""
        whole = (len(tokens) - 1) // self.context * self.context
        inputs, targets = (tokens[start : start + whole].view(-1, self.context) for start in (0, 1))
        windows = max(1, (2**11 if tokens.device.type == "cpu" else 2**15) // self.context)
        yield from ((i.long(), t.long()) for i, t in zip(inputs.split(windows), targets.split(windows), strict=True))
        if whole < len(tokens) - 1:
            yield tokens[None, whole:-1].long(), tokens[None, whole + 1 :].long()

    def draw_variant(self, seed: int) -> "SmallGpt":
        draw = random.Random(seed)
        return replace(
            self,
            layers=deeper(draw, self.layers),
            **split(draw, self.width, self.heads),
            context=near(draw, self.context, 8),
            **common(draw),
            training_examples=draw.choice((100_000, 200_000, 400_000)),
        )
