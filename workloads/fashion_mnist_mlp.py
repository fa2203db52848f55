"""Fashion-MNIST with a multilayer perceptron: the smallest problem on which optimizers differ."""

import random
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timetrial.harness.workload import Batch, Data, DataSource, Workload
from timetrial.workloads.evaluation import classification_metrics
from timetrial.workloads.images import normalise
from timetrial.workloads.initialisation import ACTIVATIONS, build, check_activation, he_std
from timetrial.workloads.sources.fashion_mnist import fashion_mnist
from timetrial.workloads.sources.splits import hold_out, tensors
from timetrial.workloads.sources.synthetic_images import HELD_OUT, synthetic_images
from timetrial.workloads.variants import common, deeper, near

MEAN, STD = 0.2860, 0.3530
SIZE, CLASSES = 28, 10


@dataclass(frozen=True, kw_only=True)
class FashionMnistMlp(Workload):
    """A multilayer perceptron on 28 x 28 grey images: 55,000 to train, 5,000 to validate and 10,000 to test."""

    metric: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True

    batch_size: int = 512
    hidden: tuple[int, ...] = (512, 512)
    """Widths of the hidden layers."""
    dropout: float = 0.0
    """The probability that a hidden unit is left out of a step."""
    activation: str = "relu"
    init_scale: float = 1.0
    """A factor on the standard deviation of every initial weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}: choose a probability from 0 to below 1")
        object.__setattr__(self, "hidden", tuple(self.hidden))

    def build_model(self, generator: torch.Generator) -> nn.Module:
        def construct() -> nn.Module:
            model = nn.Sequential()
            inputs = SIZE * SIZE
            for layer, width in enumerate(self.hidden):
                model.add_module(f"hidden_{layer}", nn.Linear(inputs, width))
                model.add_module(f"activation_{layer}", ACTIVATIONS[self.activation]())
                if self.dropout:
                    model.add_module(f"dropout_{layer}", nn.Dropout(self.dropout))
                inputs = width
            model.add_module("head", nn.Linear(inputs, CLASSES))
            return model

        return build(construct, lambda name, module: self.init_scale * he_std(module), generator)

    def load_all(self, split: str, source: DataSource) -> Data:
        """Load `images` uint8 [examples, 784] and `labels` int64 [examples]."""
        train, synthetic = split != "test", source.kind == "synthetic"
        arrays = synthetic_images(train, SIZE, channels=1) if synthetic else fashion_mnist(train, source)
        arrays = arrays | {"images": arrays["images"].reshape(-1, SIZE * SIZE)}
        return hold_out(arrays, split, HELD_OUT if synthetic else 5000) if train else tensors(arrays)

    def examples(self, data: Data) -> int:
        return len(data["labels"])

    def batch(self, data: Data, indices: Tensor, generator: torch.Generator) -> Batch:
        images = data["images"].index_select(0, indices)
        return Batch(normalise(images, MEAN, STD), data["labels"].index_select(0, indices))

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        with self.autocast(batch.inputs.device):
            return F.cross_entropy(model(batch.inputs), batch.targets)

    def evaluate(self, model: nn.Module, data: Data) -> dict[str, float]:
        chunks = zip(data["images"].split(5000), data["labels"].split(5000), strict=True)
        with self.autocast(data["images"].device):
            return classification_metrics(lambda images: model(normalise(images, MEAN, STD)), chunks)

    def draw_variant(self, seed: int) -> "FashionMnistMlp":
        draw = random.Random(seed)
        layers = deeper(draw, len(self.hidden))
        return replace(
            self,
            hidden=tuple(near(draw, draw.choice(self.hidden), 32) for _ in range(layers)),
            **common(draw),
            training_examples=draw.choice((5_000, 10_000, 20_000, 40_000)),
        )
