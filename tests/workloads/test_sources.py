"""Where data come from: missing data name their remedy, damaged caches are rebuilt, real data are the real ones."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.requirements import folder_of
from timetrial.harness import UsageError
from timetrial.harness.workload import SPLITS, DataSource
from timetrial.workloads.cifar_resnet import CifarResNet
from timetrial.workloads.fashion_mnist_mlp import FashionMnistMlp
from timetrial.workloads.small_gpt import SmallGpt
from timetrial.workloads.sources import tiny_shakespeare as shakespeare_module
from timetrial.workloads.sources.cache import cached, hash_files
from timetrial.workloads.sources.cifar10 import cifar10
from timetrial.workloads.sources.fashion_mnist import fashion_mnist
from timetrial.workloads.sources.tiny_shakespeare import tiny_shakespeare


def data_root() -> Path:
    return folder_of("data", "TIMETRIAL_DATA_ROOT", "the data sets")


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TIMETRIAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_fashion_mnist(root: Path, examples: int) -> np.ndarray:
    """Write IDX files (magic number, dimensions, bytes) of random images for both parts; returns the images."""
    folder = root / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    images = np.random.RandomState(0).randint(256, size=(examples, 28, 28), dtype=np.uint8)
    labels = (np.arange(examples) % 10).astype(np.uint8)
    for part in ("train", "t10k"):
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = np.array([0x800 + array.ndim, *array.shape], dtype=">u4").tobytes()
            (folder / f"{part}-{kind}-ubyte").write_bytes(header + array.tobytes())
    return images


def write_cifar10(root: Path, examples: int) -> np.ndarray:
    """Write a Parquet file as the hub has it, of losslessly encoded random images."""
    from datasets import ClassLabel, Dataset, Features, Image
    from PIL import Image as Picture

    (root / "cifar10").mkdir(parents=True)
    images = np.random.RandomState(0).randint(256, size=(examples, 32, 32, 3), dtype=np.uint8)
    rows = {"img": [Picture.fromarray(image) for image in images], "label": [i % 10 for i in range(examples)]}
    features = Features({"img": Image(), "label": ClassLabel(num_classes=10)})
    Dataset.from_dict(rows, features=features).to_parquet(root / "cifar10" / "train-00000-of-00001.parquet")
    return images


@pytest.mark.parametrize(
    ("workload", "place"),
    [
        (FashionMnistMlp(), "FashionMNIST/raw"),
        (CifarResNet(), "cifar10"),
        (SmallGpt(), "tiny_shakespeare/input.txt"),
    ],
)
@pytest.mark.parametrize("split", SPLITS)
def test_a_folder_without_the_data_is_an_error_that_names_it_and_the_remedies(workload, place, split, tmp_path):
    with pytest.raises(UsageError) as error:
        workload.load(split, DataSource("real", tmp_path))
    message = str(error.value)
    assert str(tmp_path / place) in message
    assert "data_root=DIR" in message and "data=synthetic" in message and "\n" not in message


OFFLINE = """
import sys
from torchvision.datasets import FashionMNIST
from timetrial.harness import UsageError
from timetrial.harness.workload import DataSource
from timetrial.workloads.cifar_resnet import CifarResNet
from timetrial.workloads.fashion_mnist_mlp import FashionMnistMlp
from timetrial.workloads.small_gpt import SmallGpt
from timetrial.workloads.sources import tiny_shakespeare
FashionMNIST.mirrors = ["file:///nowhere/"]
tiny_shakespeare.URL = "file:///nowhere/input.txt"
for workload in (FashionMnistMlp(), CifarResNet(), SmallGpt()):
    try:
        workload.load("train", DataSource("real"))
    except UsageError as error:
        print(str(error))
"""


def test_failed_downloads_are_errors_of_one_line_with_the_reason_and_the_remedies(tmp_path):
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", OFFLINE], env=environment, cwd=root, capture_output=True, text=True, timeout=120
    )
    lines = [line for line in result.stdout.splitlines() if "download failed (" in line]
    assert [line.split(" is not in the cache")[0] for line in lines] == [
        "Fashion-MNIST",
        "CIFAR-10",
        "tiny Shakespeare",
    ]
    assert all("data_root=DIR" in line and "data=synthetic" in line for line in lines)


def test_a_text_that_is_not_the_original_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "tiny_shakespeare" / "input.txt"
    path.parent.mkdir()
    path.write_text("To be, or not to be")
    with pytest.raises(UsageError, match="is not tiny Shakespeare"):
        tiny_shakespeare(DataSource("real", tmp_path))
    monkeypatch.setattr(shakespeare_module, "URL", path.as_uri())
    with pytest.raises(UsageError, match="invalid hash"):
        tiny_shakespeare(DataSource("real"))


def test_fashion_mnist_is_read_as_its_files_say_and_then_from_the_cache(tmp_path, cache_folder, monkeypatch):
    images = write_fashion_mnist(tmp_path, 30)
    for _ in range(2):
        arrays = fashion_mnist(True, DataSource("real", tmp_path))
        assert np.array_equal(arrays["images"], images)
        assert arrays["labels"].tolist() == [i % 10 for i in range(30)] and arrays["labels"].dtype == np.int64
        monkeypatch.setattr(
            "timetrial.workloads.sources.fashion_mnist._decode", None
        )  # the second time it is not decoded
    assert len(list((cache_folder / "decoded").iterdir())) == 1


def test_cifar_is_decoded_as_its_files_say_and_then_read_from_the_cache(tmp_path, monkeypatch):
    images = write_cifar10(tmp_path, 12)
    for _ in range(2):
        arrays = cifar10(True, DataSource("real", tmp_path))
        assert np.array_equal(arrays["images"], images)
        assert arrays["labels"].tolist() == [i % 10 for i in range(12)]
        monkeypatch.setattr("timetrial.workloads.sources.cifar10._decode", None)  # the second time it is not decoded


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "pickle"])
def test_a_damaged_cache_entry_is_rebuilt(damage, cache_folder):
    arrays = {"images": np.arange(100_000, dtype=np.uint8), "labels": np.arange(10)}
    cached("name", "key", lambda: arrays)
    (path,) = (cache_folder / "decoded").iterdir()
    good = path.read_bytes()
    if damage == "pickle":
        np.savez(path, images=np.array([{}], dtype=object), labels=np.arange(10))
    else:
        flipped = bytearray(good)
        flipped[50_000] ^= 1
        path.write_bytes(
            {"cut": good[:60_000], "flipped": bytes(flipped), "empty": b"", "text": b"not an entry"}[damage]
        )
    found = cached("name", "key", lambda: arrays)
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert cached("name", "key", lambda: pytest.fail("the entry was not rebuilt")).keys() == arrays.keys()
    assert list((cache_folder / "decoded").iterdir()) == [path]


def test_changed_files_are_decoded_anew(tmp_path):
    write_fashion_mnist(tmp_path, 30)
    before = fashion_mnist(True, DataSource("real", tmp_path))
    path = tmp_path / "FashionMNIST" / "raw" / "train-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    path.write_bytes(content)
    after = fashion_mnist(True, DataSource("real", tmp_path))
    assert (before["images"] != after["images"]).sum() == 1


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way of a folder")
    monkeypatch.setenv("TIMETRIAL_CACHE", str(tmp_path / "file"))
    assert cached("name", "key", lambda: {"a": np.arange(3)})["a"].tolist() == [0, 1, 2]


def test_hashes_are_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert hash_files(tmp_path / "a").startswith("ba7816bf8f01cfea")


def test_importing_a_workload_imports_no_data_library():
    names = "fashion_mnist_mlp, cifar_resnet, small_gpt, modular_division"
    code = (
        f"import sys; from timetrial.workloads import {names}; print({{'torchvision', 'datasets'}} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120
    )
    assert result.stdout.strip() == "set()", result.stderr


def test_real_data_have_the_stated_sizes():
    source = DataSource("real", data_root())
    for workload, sizes in (
        (FashionMnistMlp(), (55_000, 5_000, 10_000)),
        (SmallGpt(), (1_003_854 - 256, 55_770 - 256, 55_770 - 256)),
    ):
        assert tuple(workload.examples(workload.load(split, source)) for split in SPLITS) == sizes


def test_real_images_are_normalised_and_their_classes_balanced():
    workload = FashionMnistMlp()
    data = workload.load("train", DataSource("real", data_root()))
    batch = workload.batch(data, torch.arange(20_000), torch.Generator())
    assert batch.inputs.mean().item() == pytest.approx(0, abs=0.02)
    assert batch.inputs.std().item() == pytest.approx(1, abs=0.02)
    assert (data["labels"].bincount() - 5_500).abs().max() < 100


def test_real_cifar_has_the_stated_sizes_and_is_normalised():
    workload = CifarResNet()
    test = workload.load("test", DataSource("real", data_root()))
    assert workload.examples(test) == 10_000 and test["labels"].bincount().tolist() == [1000] * 10
    inputs = workload._inputs(test["images"])
    assert inputs.mean().item() == pytest.approx(0, abs=0.03)
    assert inputs.std().item() == pytest.approx(1, abs=0.03)


def test_real_text_is_the_original_and_is_downloaded_to_the_cache(monkeypatch, cache_folder):
    path = data_root().resolve() / "tiny_shakespeare" / "input.txt"
    text = path.read_text()
    alphabet = sorted(set(text))
    monkeypatch.setattr(shakespeare_module, "URL", path.as_uri())
    tokens = tiny_shakespeare(DataSource("real"))
    assert "".join(alphabet[token] for token in tokens) == text
    assert (cache_folder / "tiny_shakespeare" / "input.txt").is_file()
