"""Spoken digits with a network in the manner of Deep Speech 2 (Amodei et al. 2016): convolutions, then LSTMs."""

import random
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from timetrial.workloads.initialisation import build, fan_in
from timetrial.workloads.sources.spoken_digits import ALPHABET
from timetrial.workloads.speech import SpokenDigits, Subsampling, steps_that_count
from timetrial.workloads.variants import common, deeper, near


class DeepSpeech(nn.Module):
    """Maps features [examples, frames, mels], of which `frames` count, to logits [examples, frames / 2, characters].

    Each layer is a norm and an LSTM in both directions (Hochreiter & Schmidhuber 1997); the norm is of each step of
    time and not of the batch, so that padding counts for nothing. Inputs beyond the utterance are zero.
    """

    def __init__(self, layers: int, width: int, channels: int, activation: str) -> None:
        super().__init__()
        self.subsampling = Subsampling(channels, 2 * width, activation)
        self.norms = nn.ModuleList(nn.LayerNorm(2 * width) for _ in range(layers))
        self.recurrent = nn.ModuleList(
            nn.LSTM(2 * width, width, batch_first=True, bidirectional=True) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(2 * width)
        self.head = nn.Linear(2 * width, len(ALPHABET))

    def forward(self, features: Tensor, frames: Tensor) -> Tensor:
        x = self.subsampling(features)
        there = steps_that_count(x, frames)[:, :, None]
        for norm, recurrent in zip(self.norms, self.recurrent, strict=True):
            x, _ = recurrent(norm(x) * there)
        return self.head(self.norm(x))


@dataclass(frozen=True, kw_only=True)
class DigitsDeepSpeech(SpokenDigits):
    """A bidirectional LSTM that is trained with CTC (Graves et al. 2006); `width` is that of one direction."""

    activation: str = "relu"

    def build_model(self, generator: torch.Generator) -> nn.Module:
        """Build with the standard deviation 1/sqrt(inputs), in LSTMs 1/sqrt(width)."""

        def std(name: str, module: nn.Module) -> float:
            inputs = self.width if isinstance(module, nn.LSTM) else fan_in(module)
            return self.init_scale * inputs**-0.5

        def construct() -> nn.Module:
            return DeepSpeech(self.layers, self.width, self.channels, self.activation)

        return build(construct, std, generator)

    def draw_variant(self, seed: int) -> "DigitsDeepSpeech":
        draw = random.Random(seed)
        return replace(
            self,
            layers=deeper(draw, self.layers),
            width=near(draw, self.width, 8),
            channels=near(draw, self.channels, 4),
            **common(draw),
            training_examples=draw.choice((1_000, 1_500, 2_000, 4_000)),
        )
