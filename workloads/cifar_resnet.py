"""CIFAR-10 with a pre-activation residual network: convolutions, batch norm and augmentation."""

import random
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timetrial.harness.workload import Batch, Data, DataSource, Workload
from timetrial.workloads.evaluation import classification_metrics
from timetrial.workloads.images import crop_and_flip, normalise
from timetrial.workloads.initialisation import ACTIVATIONS, build, check_activation, fan_in, he_std
from timetrial.workloads.sources.cifar10 import cifar10
from timetrial.workloads.sources.splits import hold_out, tensors
from timetrial.workloads.sources.synthetic_images import HELD_OUT, synthetic_images
from timetrial.workloads.variants import common, deeper, near

MEAN, STD = 0.4734, 0.2516
"""Of the pixels of all channels, scaled to 0 to 1."""
SIZE, CHANNELS, CLASSES = 32, 3, 10
PADDING = 4


class Residual(nn.Module):
    """Norm, activation, convolution, twice; added to the input (He et al. 2016b, figure 1b).

    Where the shape changes, the shortcut is a 1 x 1 convolution of the activated input.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, activation: str, skips: bool = True) -> None:
        super().__init__()
        self.norm_1 = nn.BatchNorm2d(inputs)
        self.conv_1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm_2 = nn.BatchNorm2d(outputs)
        self.conv_2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.activation = ACTIVATIONS[activation]()
        self.skips = skips
        same_shape = inputs == outputs and stride == 1
        self.shortcut = None if same_shape or not skips else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        activated = self.activation(self.norm_1(x))
        residual = self.conv_2(self.activation(self.norm_2(self.conv_1(activated))))
        if not self.skips:
            return residual
        return (x if self.shortcut is None else self.shortcut(activated)) + residual


class ResNet(nn.Module):
    """Maps images [examples, 3, 32, 32] to logits [examples, 10] in three stages, each at half the resolution."""

    def __init__(self, depth: int, width: int, activation: str, stem_stride: int = 1, skips: bool = True) -> None:
        super().__init__()
        self.stem = nn.Conv2d(CHANNELS, width, 3, stem_stride, padding=1, bias=False)
        blocks, inputs = [], width
        for stage in range(3):
            for block in range((depth - 2) // 6):
                outputs = width * 2**stage
                blocks.append(Residual(inputs, outputs, 2 if stage > 0 and block == 0 else 1, activation, skips))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.BatchNorm2d(inputs)
        self.activation = ACTIVATIONS[activation]()
        self.head = nn.Linear(inputs, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        x = self.activation(self.norm(self.blocks(self.stem(images))))
        return self.head(x.mean((2, 3)))


@dataclass(frozen=True, kw_only=True)
class CifarResNet(Workload):
    """A residual network on 32 x 32 colour images: 45,000 to train, 5,000 to validate and 10,000 to test."""

    metric: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True
    training_sample: ClassVar[int] = 500

    batch_size: int = 256
    depth: int = 32
    """Layers: 6 n + 2 for n blocks in each of three stages."""
    width: int = 16
    """Channels of the first stage: 8 or more. Torch 2.15 crashes in the backward pass of narrower ones on processors
    without AVX-512."""
    stem_stride: int = 1
    """2 halves the resolution at once: four times the channels for the cost, which use a core better."""
    skips: bool = True
    """False leaves out the shortcuts: a plain network, to see what they are worth."""
    activation: str = "relu"
    init_scale: float = 1.0
    """A factor on the standard deviation of every initial weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)
        if self.depth < 8 or self.depth % 6 != 2:
            raise ValueError(f"depth is {self.depth}: choose 6 n + 2, as 8, 14, 20 or 32")

    def build_model(self, generator: torch.Generator) -> nn.Module:
        """Build with He initialisation, 1/sqrt(inputs) in the output layer; in channels-last memory format."""

        def std(name: str, module: nn.Module) -> float:
            return self.init_scale * (fan_in(module) ** -0.5 if name == "head" else he_std(module))

        model = build(
            lambda: ResNet(self.depth, self.width, self.activation, self.stem_stride, self.skips), std, generator
        )
        return model.to(memory_format=torch.channels_last)

    def load_all(self, split: str, source: DataSource) -> Data:
        """Load `images` uint8 [examples, 32, 32, 3] and `labels` int64 [examples]."""
        train, synthetic = split != "test", source.kind == "synthetic"
        arrays = synthetic_images(train, SIZE, CHANNELS) if synthetic else cifar10(train, source)
        return hold_out(arrays, split, HELD_OUT if synthetic else 5000) if train else tensors(arrays)

    def examples(self, data: Data) -> int:
        return len(data["labels"])

    def batch(self, data: Data, indices: Tensor, generator: torch.Generator) -> Batch:
        images = crop_and_flip(data["images"].index_select(0, indices), PADDING, generator)
        return Batch(self._inputs(images), data["labels"].index_select(0, indices))

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        with self.autocast(batch.inputs.device):
            return F.cross_entropy(model(batch.inputs), batch.targets)

    def evaluate(self, model: nn.Module, data: Data) -> dict[str, float]:
        # Activations of 100 images stay in a CPU's caches; a GPU wants thousands.
        device = data["images"].device
        chunk = 100 if device.type == "cpu" else 2500
        chunks = zip(data["images"].split(chunk), data["labels"].split(chunk), strict=True)
        with self.autocast(device):
            return classification_metrics(lambda images: model(self._inputs(images)), chunks)

    def draw_variant(self, seed: int) -> "CifarResNet":
        draw = random.Random(seed)
        return replace(
            self,
            depth=deeper(draw, self.depth, step=6, fewest=8),
            width=near(draw, self.width, 4),
            **common(draw),
            training_examples=draw.choice((5_000, 10_000, 20_000, 40_000)),
        )

    @staticmethod
    def _inputs(images: Tensor) -> Tensor:
        """Turn bytes [examples, height, width, channels] into floats [examples, channels, height, width].

        Only the strides change: this is the channels-last memory format already.
        """
        return normalise(images, MEAN, STD).permute(0, 3, 1, 2)
