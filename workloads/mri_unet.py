"""Fashion-MNIST from a quarter of its Fourier transform, with a U-Net (Ronneberger et al. 2015): fastMRI's task."""

import random
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from timetrial.harness.workload import Batch, Data, DataSource, Workload
from timetrial.workloads.initialisation import ACTIVATIONS, build, check_activation, fan_in, he_std
from timetrial.workloads.sources.cache import cached, hash_arrays
from timetrial.workloads.sources.fashion_mnist import fashion_mnist
from timetrial.workloads.sources.kspace import undersample
from timetrial.workloads.sources.splits import hold_out, tensors
from timetrial.workloads.sources.synthetic_images import HELD_OUT, synthetic_images
from timetrial.workloads.variants import common, near

SIZE = 28
WINDOW = 7


class DoubleConvolution(nn.Sequential):
    """Convolution, instance norm (without parameters, as in fastMRI) and activation, twice."""

    def __init__(self, inputs: int, outputs: int, activation: str) -> None:
        layers = []
        for channels in (inputs, outputs):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.InstanceNorm2d(outputs)]
            layers += [ACTIVATIONS[activation]()]
        super().__init__(*layers)


class UNet(nn.Module):
    """Maps zero-filled images [examples, height, width], 0 to 1, to reconstructions of the same shape.

    Each image is brought to zero mean and unit variance, and the result brought back.
    """

    def __init__(self, levels: int, width: int, activation: str) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(levels + 1)]
        self.down = nn.ModuleList(
            DoubleConvolution(inputs, outputs, activation)
            for inputs, outputs in zip([1, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2, bias=False) for w in reversed(widths[:-1]))
        self.merge = nn.ModuleList(DoubleConvolution(2 * w, w, activation) for w in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        mean, std = images.mean((1, 2), keepdim=True), images.std((1, 2), keepdim=True) + 1e-6
        x = ((images - mean) / std)[:, None]
        skipped = []
        for level, down in enumerate(self.down):
            x = down(F.avg_pool2d(x, 2) if level else x)
            skipped.append(x)
        skipped.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat((up(x), skipped.pop()), dim=1))
        return self.head(x)[:, 0].float() * std + mean


def ssim(images: Tensor, others: Tensor) -> Tensor:
    """Compute the structural similarity of images [examples, height, width] of the range 0 to 1, [examples].

    The mean over all uniform windows of 7 x 7, with sample covariances and k = (0.01, 0.03) (Wang et al. 2004,
    equation 13), as fastMRI does.
    """

    def windows(x: Tensor) -> Tensor:
        return F.avg_pool2d(x[:, None], WINDOW, stride=1)

    c1, c2 = 0.01**2, 0.03**2
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    mean, other = windows(images), windows(others)
    variance = unbiased * (windows(images * images) - mean * mean)
    other_variance = unbiased * (windows(others * others) - other * other)
    covariance = unbiased * (windows(images * others) - mean * other)
    luminance = (2 * mean * other + c1) / (mean * mean + other * other + c1)
    structure = (2 * covariance + c2) / (variance + other_variance + c2)
    return (luminance * structure).mean((1, 2, 3))


@dataclass(frozen=True, kw_only=True)
class MriUNet(Workload):
    """A U-Net that removes the aliasing of undersampling: 55,000 images to train, 5,000 to validate, 10,000 to test."""

    metric: ClassVar[str] = "ssim"
    higher_is_better: ClassVar[bool] = True
    training_sample: ClassVar[int] = 100

    batch_size: int = 32
    levels: int = 2
    """How many times the resolution is halved."""
    width: int = 8
    """Channels at the full resolution, which double at each level."""
    activation: str = "relu"
    init_scale: float = 1.0
    """A factor on the standard deviation of every initial weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activation(self.activation)
        if SIZE % 2**self.levels:
            raise ValueError(f"levels is {self.levels}: choose 1 or 2, for {SIZE} pixels halve no more often")

    def build_model(self, generator: torch.Generator) -> nn.Module:
        """Build with He initialisation, 1/sqrt(inputs) in the output layer."""

        def std(name: str, module: nn.Module) -> float:
            if isinstance(module, nn.ConvTranspose2d):  # each output has one tap of each input channel
                return self.init_scale * module.in_channels**-0.5
            return self.init_scale * (fan_in(module) ** -0.5 if name == "head" else he_std(module))

        return build(lambda: UNet(self.levels, self.width, self.activation), std, generator)

    def load_all(self, split: str, source: DataSource) -> Data:
        """Load `images` and `zero_filled`, uint8 [examples, 28, 28]."""
        train, synthetic = split != "test", source.kind == "synthetic"
        whole = synthetic_images(train, SIZE, channels=1) if synthetic else fashion_mnist(train, source)
        images = whole["images"].reshape(-1, SIZE, SIZE)
        arrays = cached("kspace", hash_arrays(images), lambda: undersample(images, seed=94 if train else 95))
        return hold_out(arrays, split, HELD_OUT if synthetic else 5000) if train else tensors(arrays)

    def examples(self, data: Data) -> int:
        return len(data["images"])

    def batch(self, data: Data, indices: Tensor, generator: torch.Generator) -> Batch:
        return Batch(*(data[name].index_select(0, indices).float() / 255 for name in ("zero_filled", "images")))

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        with self.autocast(batch.inputs.device):
            return F.l1_loss(model(batch.inputs), batch.targets)

    def evaluate(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Compute the mean SSIM over images and the mean absolute error of a pixel, of the range 0 to 1."""
        similarity, error = 0.0, 0.0
        chunk = 50 if data["images"].device.type == "cpu" else 2500
        with self.autocast(data["images"].device):
            for given, image in zip(data["zero_filled"].split(chunk), data["images"].split(chunk), strict=True):
                output, image = model(given.float() / 255), image.float() / 255
                similarity = similarity + ssim(output, image).double().sum()
                error = error + (output - image).abs().double().sum()
        similarity, error = torch.stack((similarity, error)).tolist()
        examples = self.examples(data)
        return {"ssim": similarity / examples, "loss": error / (examples * SIZE * SIZE)}

    def draw_variant(self, seed: int) -> "MriUNet":
        draw = random.Random(seed)
        return replace(
            self,
            levels=draw.choice((1, 2)),
            width=near(draw, self.width, 2),
            **common(draw),
            training_examples=draw.choice((2_000, 4_000, 8_000, 10_000)),
        )
