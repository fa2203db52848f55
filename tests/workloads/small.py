"""Small sizes of all four workloads, and synthetic data for them, shared by the tests of this folder."""

from functools import cache

import torch

from timetrial.harness.workload import Data, DataSource, Workload
from timetrial.workloads.cifar_resnet import CifarResNet
from timetrial.workloads.fashion_mnist_mlp import FashionMnistMlp
from timetrial.workloads.modular_division import ModularDivision
from timetrial.workloads.small_gpt import SmallGpt

WORKLOADS = {
    "fashion_mnist_mlp": FashionMnistMlp(hidden=(32, 24), batch_size=16),
    "cifar_resnet": CifarResNet(depth=8, width=4, batch_size=16, validation_examples=300),
    "small_gpt": SmallGpt(layers=2, width=32, heads=2, context=16, batch_size=8, validation_examples=2000),
    "modular_division": ModularDivision(modulus=13, layers=1, width=32, heads=2, batch_size=32),
}


@cache
def synthetic(workload: Workload, split: str) -> Data:
    """Load a split once for all tests; no test writes into it."""
    return workload.load(split, DataSource("synthetic"))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_batch(workload: Workload, seed: int = 0, examples: int = 16):
    """Draw a batch of training data."""
    data, generator = synthetic(workload, "train"), seeded(seed)
    indices = torch.randint(workload.examples(data), (examples,), generator=generator)
    return workload.batch(data, indices, generator)
