"""Spoken digits with a Conformer (Gulati et al. 2020): attention and depthwise convolution in each block."""

import random
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timetrial.workloads.initialisation import ACTIVATIONS, build, fan_in
from timetrial.workloads.multi30k_transformer import Attention, Perceptron, sinusoids
from timetrial.workloads.sources.spoken_digits import ALPHABET
from timetrial.workloads.speech import SpokenDigits, Subsampling, steps_that_count
from timetrial.workloads.variants import common, deeper, split


class Convolution(nn.Module):
    """The convolution module (their section 2.2), with layer norm, to which padding is nothing, for batch norm."""

    def __init__(self, width: int, kernel: int, activation: str) -> None:
        super().__init__()
        self.pointwise_in = nn.Linear(width, 2 * width)
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width, bias=False)
        self.norm = nn.LayerNorm(width)
        self.activation = ACTIVATIONS[activation]()
        self.pointwise_out = nn.Linear(width, width)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        x = F.glu(self.pointwise_in(x)) * there[:, :, None]
        x = self.depthwise(x.transpose(1, 2)).transpose(1, 2)
        return self.pointwise_out(self.activation(self.norm(x)))


class ConformerBlock(nn.Module):
    """Half a perceptron, self-attention, convolution, half a perceptron, each added; then a norm (their equation 1)."""

    def __init__(self, width: int, heads: int, kernel: int, activation: str) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(5))
        self.perceptrons = nn.ModuleList(Perceptron(width, activation) for _ in range(2))
        self.attention = Attention(width, heads)
        self.convolution = Convolution(width, kernel, activation)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        x = x + self.perceptrons[0](self.norms[0](x)) / 2
        normed = self.norms[1](x)
        x = x + self.attention(normed, self.attention.keys_and_values(normed), there[:, None, None])
        x = x + self.convolution(self.norms[2](x), there)
        x = x + self.perceptrons[1](self.norms[3](x)) / 2
        return self.norms[4](x)


class Conformer(nn.Module):
    """Maps features [examples, frames, mels], of which `frames` count, to logits [examples, frames / 2, characters]."""

    def __init__(self, layers: int, width: int, heads: int, kernel: int, channels: int, activation: str) -> None:
        super().__init__()
        self.subsampling = Subsampling(channels, width, activation)
        self.blocks = nn.ModuleList(ConformerBlock(width, heads, kernel, activation) for _ in range(layers))
        self.head = nn.Linear(width, len(ALPHABET))

    def forward(self, features: Tensor, frames: Tensor) -> Tensor:
        x = self.subsampling(features)
        there = steps_that_count(x, frames)
        x = x + sinusoids(x.shape[1], x.shape[2], x.device)
        for block in self.blocks:
            x = block(x, there)
        return self.head(x)


@dataclass(frozen=True, kw_only=True)
class DigitsConformer(SpokenDigits):
    """A Conformer that is trained with CTC (Graves et al. 2006)."""

    heads: int = 4
    kernel: int = 15
    """Taps of the depthwise convolution, an odd number."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % (2 * self.heads):
            raise ValueError(f"width is {self.width}: choose a multiple of twice the heads, {2 * self.heads}")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}: choose an odd number")

    def build_model(self, generator: torch.Generator) -> nn.Module:
        """Build with the standard deviation 1/sqrt(inputs)."""

        def construct() -> nn.Module:
            return Conformer(self.layers, self.width, self.heads, self.kernel, self.channels, self.activation)

        return build(construct, lambda name, module: self.init_scale * fan_in(module) ** -0.5, generator)

    def draw_variant(self, seed: int) -> "DigitsConformer":
        draw = random.Random(seed)
        return replace(
            self,
            layers=deeper(draw, self.layers),
            **split(draw, self.width, self.heads),
            kernel=draw.choice((7, 11, 15)),
            **common(draw),
            training_examples=draw.choice((1_000, 1_500, 2_000, 4_000)),
        )
