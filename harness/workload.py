"""The interface of a workload: model, data, loss and metric, the same for every submission."""

import hashlib
import importlib
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from numbers import Integral, Real
from pathlib import Path
from types import ModuleType
from typing import ClassVar, NamedTuple

import numpy
import torch
from torch import Tensor, nn

from timetrial.harness import UsageError

SPLITS = ("train", "validation", "test")
ROLES = ("embedding", "hidden_matrix", "convolution", "bias", "norm", "output")

_OPTIONAL = (int | None, float | None, "int | None", "float | None")
_NUMBERS = {Integral: (int, "int", int | None, "int | None"), Real: (float, "float", float | None, "float | None")}
_COUNTS = ("batch_size", "training_examples", "validation_examples", "test_examples")

Data = Mapping[str, Tensor]
"""The tensors of one split by name."""


class Batch(NamedTuple):
    """Inputs and targets of a training step; the first dimension of both is the example, except in packed graphs."""

    inputs: Tensor | tuple[Tensor, ...]
    """What the model reads: one tensor, or several where one is not enough (features and lengths, atoms and bonds)."""
    targets: Tensor

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors of the batch, inputs first."""
        return (*(self.inputs if isinstance(self.inputs, tuple) else (self.inputs,)), self.targets)

    def map(self, function: Callable[[Tensor], Tensor]) -> "Batch":
        """Apply `function` to each tensor."""
        several = isinstance(self.inputs, tuple)
        inputs = tuple(map(function, self.inputs)) if several else function(self.inputs)
        return Batch(inputs, function(self.targets))


@dataclass(frozen=True)
class DataSource:
    """Where the data of a workload come from.

    `kind` is `real` (the original files, from `root` or else downloaded into the cache) or `synthetic` (procedural, no
    file needed). A workload whose data are computed, such as modular arithmetic, has the same data for both.
    """

    kind: str = "real"
    root: Path | None = None


def cache_folder() -> Path:
    """Find the cache: `TIMETRIAL_CACHE`, or else `timetrial` in `XDG_CACHE_HOME` or in `~/.cache`."""
    if folder := os.environ.get("TIMETRIAL_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "timetrial"


@dataclass(frozen=True, kw_only=True)
class Workload(ABC):
    """What a submission trains. Subclasses are frozen dataclasses whose fields are their sizes.

    A field of type `int` or `float` takes such a number alone.

    Targets, budgets and evaluation points are not here: a suite's config gives them to the referee, and the trainee,
    which holds a workload too, never learns the target.
    """

    metric: ClassVar[str]
    """The entry of `evaluate` that the target is on."""
    higher_is_better: ClassVar[bool]
    output_layer: ClassVar[str] = "head"
    """The name, in the model, of the layer that makes the predictions."""
    training_sample: ClassVar[int] = 1000
    """How many training examples, `first(data, training_sample)`, tell how well training data are fitted."""

    batch_size: int
    precision: str = "float32"
    """`float32`, or `bfloat16` for autocast in `loss` and `evaluate`."""
    training_examples: int | None = None
    """Train on the first so many examples of the training split; None: on all of them."""
    validation_examples: int | None = None
    """Validate on the first so many examples of the validation split; None: on all of them."""
    test_examples: int | None = None
    """Test on the first so many examples of the test split; None: on all of them."""

    def __post_init__(self) -> None:
        for size in fields(self):
            value = getattr(self, size.name)
            kind = next((kind for kind, types in _NUMBERS.items() if size.type in types), None)
            if kind is None or (value is None and size.type in _OPTIONAL):
                continue
            if isinstance(value, bool) or not isinstance(value, kind):
                raise ValueError(
                    f"{size.name} is {value!r}: give {'a whole number' if kind is Integral else 'a number'}"
                )
            if size.name in _COUNTS and value < 1:
                raise ValueError(f"{size.name} is {value!r}: give at least 1")
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision is {self.precision!r}: choose float32 or bfloat16")

    @abstractmethod
    def build_model(self, generator: torch.Generator) -> nn.Module:
        """Build the model on the CPU; every initial weight comes from `generator`, none from torch's global state."""

    def load(self, split: str, source: DataSource) -> Data:
        """Load one of `SPLITS` as contiguous CPU tensors, cut to the number of examples that the sizes ask for.

        The harness puts them on the device. Raises `UsageError` naming the folder or command that would provide data
        that are missing.
        """
        if split not in SPLITS or source.kind not in ("real", "synthetic"):
            raise ValueError(f"no {source.kind} data of split {split!r}: choose one of {SPLITS}, real or synthetic")
        limits = {"train": self.training_examples, "validation": self.validation_examples, "test": self.test_examples}
        limit = limits[split]
        data = {name: as_tensor(name, values) for name, values in self.load_all(split, source).items()}
        if limit is None:
            return data
        return {name: tensor.clone() for name, tensor in self.first(data, limit).items()}

    @abstractmethod
    def load_all(self, split: str, source: DataSource) -> Mapping[str, Tensor | numpy.ndarray]:
        """Load all of a split, as `load`: examples in an order that makes the first of them a fair sample.

        NumPy arrays are taken as well: float64 becomes float32, and int32 becomes int64.
        """

    def first(self, data: Data, examples: int) -> Data:
        """Take the first `examples` examples of a split, all if there are fewer; they are a fair sample of it."""
        return {name: tensor[:examples] for name, tensor in data.items()}

    def examples(self, data: Data) -> int:
        """Count the examples of a split: the indices that `batch` takes are 0 to this number; by default its rows."""
        return len(next(iter(data.values())))

    def batch(self, data: Data, indices: Tensor, generator: torch.Generator) -> Batch:
        """Gather the examples at `indices` (int64, on the device), augmented with draws from `generator`.

        By default the rows of `inputs` and `targets`, as they are.
        """
        return Batch(data["inputs"].index_select(0, indices), data["targets"].index_select(0, indices))

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Compute the mean training loss of `batch`, a scalar."""

    @abstractmethod
    def evaluate(self, model: nn.Module, data: Data) -> dict[str, float]:
        """Compute the metrics of `model` (already in evaluation mode, gradients off) on a whole split."""

    def reaches(self, metrics: Mapping[str, float], target: float) -> bool:
        """Say whether `metrics` are at or past `target`; a metric that is not a number never is."""
        value = metrics[self.metric]
        return value >= target if self.higher_is_better else value <= target

    def parameter_roles(self, model: nn.Module) -> dict[str, str]:
        """Say for each parameter, by name, which of `ROLES` it plays."""
        roles = {}
        for module_name, module in model.named_modules():
            for name, parameter in module.named_parameters(recurse=False):
                full_name = f"{module_name}.{name}" if module_name else name
                roles[full_name] = self._role(module_name, module, name, parameter)
        return roles

    def _role(self, module_name: str, module: nn.Module, name: str, parameter: Tensor) -> str:
        """Say what a parameter does; two roles are a choice.

        The kernels of an LSTM, whose four gates are stacked in one matrix, are hidden matrices: like the stacked query,
        key and value of attention they map hidden features to hidden features. A depthwise kernel [channels, 1, taps]
        is no such map: each channel has taps of its own and meets no other, as each token has its own row of a table.
        It is an embedding, so that no method mixes its channels, as orthogonalising it would.
        """
        if name == "bias" or (parameter.ndim <= 1 and name.startswith("bias")):
            return "bias"
        if isinstance(module, nn.Embedding):
            return "embedding"
        if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.LayerNorm | nn.GroupNorm | nn.RMSNorm):
            return "norm"
        if module_name == self.output_layer:
            return "output"
        if isinstance(module, nn.modules.conv._ConvNd):
            return "embedding" if 1 < module.groups == module.in_channels else "convolution"
        if parameter.ndim == 2:
            return "hidden_matrix"
        raise TypeError(
            f"{type(self).__name__}.parameter_roles: no role known for {module_name}.{name} of {type(module)}"
        )

    def autocast(self, device: torch.device) -> AbstractContextManager:
        """Give the context in which forward passes run at this workload's precision."""
        return torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16")

    def draw_variant(self, seed: int) -> "Workload":
        """Draw a workload of the same kind with other sizes, for runs on problems that no author has seen.

        Everything drawn (width, depth, activation, initialisation, data subset) is a field of the dataclass.
        """
        raise UsageError(f"{type(self).__name__} draws no variants: write its draw_variant, or leave out variant_seed")


def as_tensor(name: str, values: Tensor | numpy.ndarray) -> Tensor:
    """Give the contiguous tensor of `values`; raises `UsageError` for an array that no tensor can hold."""
    if isinstance(values, Tensor):
        return values.contiguous()
    smaller = {numpy.dtype("float64"): "float32", numpy.dtype("int32"): "int64"}
    array = numpy.array(values, dtype=smaller.get(values.dtype))
    try:
        return torch.from_numpy(array)
    except TypeError:
        raise UsageError(f"the data {name!r} are an array of {array.dtype}: give numbers, such as int64") from None


def workload_class(implementation: str, text: str | None = None) -> type[Workload]:
    """Import the class that a suite names, such as `timetrial.workloads.small_gpt.SmallGpt` or `package.module:Class`.

    With the `text` of a file, `implementation` is its name and the class in it, such as `digits.py:Digits`: equal texts
    are one module. Raises `ImportError`, `AttributeError` or `ValueError` where there is none.
    """
    if text is not None:
        file, _, name = implementation.rpartition(":")
        return getattr(_module_of(file, text), name)
    module, _, name = implementation.replace(":", ".").rpartition(".")
    if module.startswith("workloads."):  # records from before the package had one import name
        module = f"timetrial.{module}"
    return getattr(importlib.import_module(module), name)


def _module_of(file: str, text: str) -> ModuleType:
    """Give the module that `text` is, run once in this process and named by its content, so that it can be pickled."""
    name = f"timetrial_workload_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if name not in sys.modules:
        module = sys.modules[name] = ModuleType(name)
        try:
            exec(compile(text, file, "exec"), module.__dict__)
        except Exception as error:
            del sys.modules[name]
            raise ImportError(f"{file}: {type(error).__name__}: {error}") from error
    return sys.modules[name]
