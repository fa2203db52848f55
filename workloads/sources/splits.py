"""Fixed splits of data: the same in every run, on every machine."""

import numpy as np
import torch

from timetrial.harness.workload import Data
from timetrial.workloads.sources.cache import Arrays

SEED = 20230612
"""The seed of the splits, which is no run's seed."""


def shuffled(examples: int) -> np.ndarray:
    """Order the indices below `examples` at random, always in the same way.

    The first n of what is cut from it are a fair sample. `RandomState` and not `default_rng`: numpy guarantees that its
    stream never changes (NEP 19).
    """
    return np.random.RandomState(SEED).permutation(examples)


def hold_out(arrays: Arrays, split: str, held_out: int) -> Data:
    """Take `held_out` random examples of `arrays` as the validation split, or the rest as the training split."""
    order = shuffled(len(next(iter(arrays.values()))))
    chosen = order[:held_out] if split == "validation" else order[held_out:]
    return tensors({name: array[chosen] for name, array in arrays.items()})


def tensors(arrays: Arrays) -> Data:
    """Turn arrays into contiguous tensors of their own memory."""
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
