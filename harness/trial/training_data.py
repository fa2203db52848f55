"""What a trainee knows of the training data before the clock starts, and the random data it warms up with."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NoReturn

import numpy
import torch
from torch import Tensor

from timetrial.harness.trial.shared_tensors import Place, SharedTensors
from timetrial.harness.workload import Data, Workload


@dataclass(frozen=True)
class Column:
    """A tensor of the training data, without its values."""

    place: Place
    low: int
    high: int
    """Its values, where they are whole numbers, are from `low` to `high`."""


def describe(data: Data, shared: SharedTensors) -> dict[str, Column]:
    """Describe the tensors of `data`, which lie in `shared`."""
    return {name: Column(place, *_value_range(data[name])) for name, place in shared.places.items()}


def _value_range(tensor: Tensor) -> tuple[int, int]:
    return (0, 0) if tensor.is_floating_point() else (int(tensor.min()), int(tensor.max()))


def random_data(columns: Mapping[str, Column], examples: int, seed: int, device: torch.device) -> Data:
    """Draw random tensors with the shapes, dtypes and ranges of the training data, with at most `examples` rows."""
    drawn = {}
    for name, column in columns.items():
        generator = torch.Generator(device).manual_seed(seed)
        place = column.place
        shape = (min(place.shape[0], examples), *place.shape[1:])
        if place.dtype.is_floating_point:
            drawn[name] = torch.randn(shape, dtype=place.dtype, device=device, generator=generator)
        else:
            values = (column.low, column.high + 1)
            drawn[name] = torch.randint(*values, shape, dtype=place.dtype, device=device, generator=generator)
    return drawn


KEPT_FROM_TRAINEES = ("load", "load_all", "evaluate", "draw_variant")


def forget_the_data_of(workload: Workload) -> None:
    """Leave a workload, in this process, only what batches and losses need: nothing that could make its data.

    Its code of data sources goes as well. A trainee does this to itself, before it runs a line of a submission.
    """
    for kind in type(workload).__mro__:
        for name in KEPT_FROM_TRAINEES:
            if name in vars(kind):
                setattr(kind, name, _refuse)
        own = sys.modules.get(kind.__module__)
        if own is not None and not kind.__module__.startswith("timetrial."):
            _forget_arrays(own)
    for name, module in list(sys.modules.items()):
        if name.startswith("timetrial.workloads"):
            for key, value in list(vars(module).items()):
                if getattr(value, "__module__", "").startswith("timetrial.workloads.sources"):
                    setattr(module, key, _refuse)
            if name.startswith("timetrial.workloads.sources"):
                vars(module).clear()
                del sys.modules[name]


def _forget_arrays(module: ModuleType) -> None:
    """Drop the tensors and arrays that a workload from outside holds in its module, which may be its data."""
    for key, value in list(vars(module).items()):
        if isinstance(value, Tensor | numpy.ndarray):
            setattr(module, key, _refuse)


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError("a trainee has no data but the batches that it draws on the clock")
