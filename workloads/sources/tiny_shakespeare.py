"""Tiny Shakespeare (Karpathy 2015): 1,115,394 characters, 65 distinct."""

import numpy as np
import torch

from timetrial.harness import UsageError
from timetrial.harness.workload import DataSource, cache_folder
from timetrial.workloads.sources.cache import hash_files

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
VOCABULARY = 65
REMEDY = "pass data_root=DIR with DIR/tiny_shakespeare/input.txt, or data=synthetic"


def tiny_shakespeare(source: DataSource) -> np.ndarray:
    """Load the whole text as tokens, uint8 [characters]: the rank of each character among those that occur.

    Raises `UsageError` where the file is neither in `source.root` nor, without a root, can be downloaded, or differs.
    """
    path = (source.root or cache_folder()) / "tiny_shakespeare" / "input.txt"
    if source.root is None and not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(URL, str(path), hash_prefix=SHA256, progress=False)
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise UsageError(
                f"tiny Shakespeare is not in the cache and download failed ({reason}): {REMEDY}"
            ) from error
    if not path.is_file():
        raise UsageError(f"tiny Shakespeare not found: {path} is missing: {REMEDY}")
    if (found := hash_files(path)) != SHA256:
        raise UsageError(
            f"{path} is not tiny Shakespeare: its sha256 is {found[:12]}..., not {SHA256[:12]}...: {REMEDY}"
        )
    text = np.fromfile(path, dtype=np.uint8)
    return np.searchsorted(np.unique(text), text).astype(np.uint8)
