"""CIFAR-10 with a vision transformer (Dosovitskiy et al. 2021): patches, pre-norm blocks and mean pooling."""

import random
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timetrial.harness.workload import Batch, Data, DataSource, Workload
from timetrial.workloads.cifar_resnet import CHANNELS, CLASSES, MEAN, PADDING, SIZE, STD, CifarResNet
from timetrial.workloads.evaluation import classification_metrics
from timetrial.workloads.images import crop_and_flip, normalise
from timetrial.workloads.initialisation import build, check_activation, fan_in
from timetrial.workloads.transformer import Block
from timetrial.workloads.variants import common, deeper, split


class VisionTransformer(nn.Module):
    """Maps patches [examples, patches, pixels] to logits [examples, 10]; the mean over patches is classified."""

    def __init__(self, pixels: int, patches: int, layers: int, width: int, heads: int, activation: str) -> None:
        super().__init__()
        self.patches = nn.Linear(pixels, width)
        self.positions = nn.Embedding(patches, width)
        self.blocks = nn.Sequential(*(Block(width, heads, activation, causal=False) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, patches: Tensor) -> Tensor:
        x = self.blocks(self.patches(patches) + self.positions.weight)
        return self.head(self.norm(x).mean(1))


@dataclass(frozen=True, kw_only=True)
class CifarViT(Workload):
    """A vision transformer on 32 x 32 colour images: 45,000 to train, 5,000 to validate and 10,000 to test."""

    metric: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    training_sample: ClassVar[int] = 500

    batch_size: int = 64
    patch: int = 8
    """Pixels along a side of a patch."""
    layers: int = 4
    width: int = 96
    heads: int = 3
    activation: str = "gelu"
    init_scale: float = 1.0
    """A factor on the standard deviation of every initial weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)
        if self.width % self.heads:
            raise ValueError(f"width is {self.width}: choose a multiple of heads, {self.heads}")
        if SIZE % self.patch:
            raise ValueError(f"patch is {self.patch}: choose a divisor of {SIZE}")

    def build_model(self, generator: torch.Generator) -> nn.Module:
        """Build with the standard deviation 1/sqrt(inputs), 0.02 for positions.

        What adds to the residual stream is divided by sqrt(2 layers) besides, as in GPT-2 (Radford et al. 2019).
        """

        def std(name: str, module: nn.Module) -> float:
            if isinstance(module, nn.Embedding):
                return 0.02 * self.init_scale
            residual = name.endswith(("attention_out", "mlp_out"))
            return self.init_scale * (fan_in(module) * (2 * self.layers if residual else 1)) ** -0.5

        def construct() -> nn.Module:
            patches = (SIZE // self.patch) ** 2
            pixels = CHANNELS * self.patch**2
            return VisionTransformer(pixels, patches, self.layers, self.width, self.heads, self.activation)

        return build(construct, std, generator)

    def load_all(self, split: str, source: DataSource) -> Data:
        """Load `images` uint8 [examples, 32, 32, 3] and `labels` int64 [examples], as the residual network does."""
        return CifarResNet().load_all(split, source)

    def examples(self, data: Data) -> int:
        return len(data["labels"])

    def batch(self, data: Data, indices: Tensor, generator: torch.Generator) -> Batch:
        images = crop_and_flip(data["images"].index_select(0, indices), PADDING, generator)
        return Batch(self._inputs(images), data["labels"].index_select(0, indices))

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        with self.autocast(batch.inputs.device):
            return F.cross_entropy(model(batch.inputs), batch.targets)

    def evaluate(self, model: nn.Module, data: Data) -> dict[str, float]:
        chunk = 100 if data["images"].device.type == "cpu" else 2500
        chunks = zip(data["images"].split(chunk), data["labels"].split(chunk), strict=True)
        with self.autocast(data["images"].device):
            return classification_metrics(lambda images: model(self._inputs(images)), chunks)

    def _inputs(self, images: Tensor) -> Tensor:
        """Cut bytes [examples, 32, 32, 3] into normalised patches [examples, patches, pixels of a patch]."""
        rows = images.unflatten(1, (-1, self.patch)).unflatten(3, (-1, self.patch))  # row, y, column, x, channel
        return normalise(rows.transpose(2, 3).flatten(3).flatten(1, 2), MEAN, STD)

    def draw_variant(self, seed: int) -> "CifarViT":
        draw = random.Random(seed)
        return replace(
            self,
            layers=deeper(draw, self.layers),
            **split(draw, self.width, self.heads),
            **common(draw),
            training_examples=draw.choice((5_000, 10_000, 20_000, 40_000)),
        )
