"""Fashion-MNIST (Xiao et al. 2017): 60,000 + 10,000 grey images of 28 x 28 pixels, 10 classes."""

from pathlib import Path

import numpy as np

from timetrial.harness import UsageError
from timetrial.harness.workload import DataSource, cache_folder
from timetrial.workloads.sources.cache import Arrays, cached, hash_files

REMEDY = "pass data_root=DIR with DIR/FashionMNIST/raw as torchvision writes it, or data=synthetic"


def fashion_mnist(train: bool, source: DataSource) -> Arrays:
    """Load `images` uint8 [examples, 28, 28] and `labels` int64 [examples].

    Raises `UsageError` where the files are neither in `source.root` nor, without a root, can be downloaded.
    """
    root = source.root or cache_folder()
    part = "train" if train else "t10k"
    files = [root / "FashionMNIST" / "raw" / f"{part}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")]
    if source.root is None and not all(file.is_file() for file in files):
        _download(root)
    if missing := [file.name for file in files if not file.is_file()]:
        raise UsageError(f"Fashion-MNIST not found: {files[0].parent} has no {missing[0]}: {REMEDY}")
    return cached("fashion_mnist", hash_files(*files), lambda: _decode(root, train))


def _download(root: Path) -> None:
    from torchvision.datasets import FashionMNIST  # takes seconds to import

    try:
        FashionMNIST(root, download=True)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"Fashion-MNIST is not in the cache and download failed ({reason}): {REMEDY}") from error


def _decode(root: Path, train: bool) -> Arrays:
    from torchvision.datasets import FashionMNIST  # takes seconds to import

    data = FashionMNIST(root, train=train)
    return {"images": data.data.numpy(), "labels": data.targets.numpy().astype(np.int64)}
