"""Small sizes of all workloads, and synthetic data for them, shared by the tests of this folder."""

from functools import cache

import torch

from timetrial.harness.workload import Data, DataSource, Workload
from timetrial.workloads.adult_dlrm import AdultDlrm
from timetrial.workloads.cifar_resnet import CifarResNet
from timetrial.workloads.cifar_vit import CifarViT
from timetrial.workloads.digits_conformer import DigitsConformer
from timetrial.workloads.digits_deepspeech import DigitsDeepSpeech
from timetrial.workloads.fashion_mnist_mlp import FashionMnistMlp
from timetrial.workloads.modular_division import ModularDivision
from timetrial.workloads.mri_unet import MriUNet
from timetrial.workloads.multi30k_transformer import Multi30kTransformer
from timetrial.workloads.small_gpt import SmallGpt
from timetrial.workloads.tox21_gnn import Tox21Gnn

WORKLOADS = {
    "fashion_mnist_mlp": FashionMnistMlp(hidden=(32, 24), batch_size=16),
    "cifar_resnet": CifarResNet(depth=8, width=8, batch_size=16, validation_examples=300),
    "small_gpt": SmallGpt(layers=2, width=32, heads=2, context=16, batch_size=8, validation_examples=2000),
    "modular_division": ModularDivision(modulus=13, layers=1, width=32, heads=2, batch_size=32),
    "adult_dlrm": AdultDlrm(embedding=4, bottom=16, top=16, batch_size=16),
    "mri_unet": MriUNet(width=4, batch_size=8, validation_examples=300),
    "cifar_vit": CifarViT(layers=2, width=32, heads=2, batch_size=16, validation_examples=300),
    "digits_conformer": DigitsConformer(layers=1, width=16, heads=2, channels=2, batch_size=8),
    "digits_deepspeech": DigitsDeepSpeech(layers=1, width=16, channels=2, batch_size=8),
    "tox21_gnn": Tox21Gnn(layers=2, width=16, batch_size=16),
    "multi30k_transformer": Multi30kTransformer(layers=1, width=16, heads=2, vocabulary=200, batch_size=16),
}
CLASSIFIERS = {
    name: WORKLOADS[name]
    for name in ("fashion_mnist_mlp", "cifar_resnet", "small_gpt", "modular_division", "cifar_vit")
}
"""Those whose metrics are cross-entropy and accuracy."""


@cache
def synthetic(workload: Workload, split: str) -> Data:
    """Load a split once for all tests, whatever mode the first of them is in; no test writes into it."""
    with torch.inference_mode(False):
        return workload.load(split, DataSource("synthetic"))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_batch(workload: Workload, seed: int = 0, examples: int = 16):
    """Draw a batch of training data."""
    data, generator = synthetic(workload, "train"), seeded(seed)
    indices = torch.randint(workload.examples(data), (examples,), generator=generator)
    return workload.batch(data, indices, generator)
