"""A folder on this machine for downloaded files and decoded data."""

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from timetrial.harness.workload import cache_folder

Arrays = dict[str, np.ndarray]


def hash_files(*paths: Path) -> str:
    """Compute the sha256 of `paths`, one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def hash_arrays(*arrays: np.ndarray) -> str:
    """Compute the sha256 of the shapes, dtypes and bytes of `arrays`, in hexadecimal."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def cached(name: str, key: str, decode: Callable[[], Arrays]) -> Arrays:
    """Give the arrays of the cache entry `name`-`key`; where it is missing or damaged, `decode` them and keep them.

    An entry is one uncompressed `.npz` file: its checksums are verified as it is read, and nothing is ever unpickled.
    A cache that cannot be written costs time, not the run.
    """
    path = cache_folder() / "decoded" / f"{name}-{key[:32]}.npz"
    try:
        with np.load(path, allow_pickle=False) as entry:
            return dict(entry)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        arrays = decode()
    with contextlib.suppress(OSError):
        _write(path, arrays)
    return arrays


def _write(path: Path, arrays: Arrays) -> None:
    """Put an entry in place by an atomic rename: whoever reads at the same time sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        try:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
