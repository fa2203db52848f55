"""CIFAR-10 (Krizhevsky 2009): 50,000 + 10,000 colour images of 32 x 32 pixels, 10 classes."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from timetrial.harness import UsageError
from timetrial.harness.workload import DataSource
from timetrial.workloads.sources.cache import Arrays, cached, hash_files

if TYPE_CHECKING:
    from datasets import Dataset

HUB_NAME = "uoft-cs/cifar10"
REVISION = "0b2714987fa478483af9968de7c934580d0bb9a2"
REMEDY = (
    f"pass data_root=DIR with the Parquet files of huggingface.co/datasets/{HUB_NAME} in DIR/cifar10, or data=synthetic"
)


def cifar10(train: bool, source: DataSource) -> Arrays:
    """Load `images` uint8 [examples, 32, 32, 3] and `labels` int64 [examples].

    Raises `UsageError` where the files are neither in `source.root` nor, without a root, can be downloaded.
    """
    split = "train" if train else "test"
    if source.root is None:
        return cached(f"cifar10-{split}", REVISION, lambda: _download(split))
    files = sorted((source.root / "cifar10").glob(f"{split}-*.parquet"))
    if not files:
        raise UsageError(f"CIFAR-10 not found: {source.root / 'cifar10'} has no {split}-*.parquet: {REMEDY}")
    return cached(f"cifar10-{split}", hash_files(*files), lambda: _read(split, files))


def _download(split: str) -> Arrays:
    from datasets import load_dataset  # takes a second to import

    try:
        return _decode(load_dataset(HUB_NAME, revision=REVISION, split=split))
    except OSError as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"CIFAR-10 is not in the cache and download failed ({reason}): {REMEDY}") from error


def _read(split: str, files: list[Path]) -> Arrays:
    import datasets  # takes a second to import

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as folder:
        paths = {split: [str(file) for file in files]}
        return _decode(datasets.load_dataset("parquet", data_files=paths, split=split, cache_dir=folder))


def _decode(rows: "Dataset") -> Arrays:
    images, labels = zip(*((np.asarray(row["img"]), row["label"]) for row in rows), strict=True)
    return {"images": np.stack(images), "labels": np.asarray(labels, dtype=np.int64)}
