"""What a referee keeps from trial to trial: the workload, its data, and its own copy of the model."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor

from timetrial.harness import UsageError
from timetrial.harness.planning.spec import TrialSpec, WorkloadSpec
from timetrial.harness.trial.pacer import Pacer, is_paced
from timetrial.harness.trial.shared_tensors import SharedTensors
from timetrial.harness.trial.training_data import describe, random_data
from timetrial.harness.workload import SPLITS, Data, DataSource, Workload, workload_class

DRAWS = 20
MOST_KEPT_BYTES = 1 << 30
"""What the weights of a trial may take on disk where they are kept."""


class Arena:
    """A workload ready for trials: training data to share, validation and test data that no trainee ever holds."""

    def __init__(self, spec: TrialSpec, data_root: Path | None) -> None:
        self.workload = make_workload(spec.workload, spec.variant_seed)
        self.device = torch.device(spec.device)
        splits = {split: self.workload.load(split, DataSource(spec.data, data_root)) for split in SPLITS}
        self.data_hash = hash_data(splits)
        self.training_data = SharedTensors(splits["train"], read_only=True)
        self.training_columns = describe(splits["train"], self.training_data)
        self.training_examples = self.workload.examples(splits["train"])
        self.draw_seconds = self._time_a_draw(splits["train"])
        sample = self.workload.first(splits["train"], self.workload.training_sample)
        self.evaluated = {
            "train": self._on_device(sample),
            "validation": self._on_device(splits["validation"]),
            "test": self._on_device(splits["test"]),
        }
        self.model = self._build_model(spec.workload.name).to(self.device).eval()
        self.pacer = self.build_pacer() if is_paced(spec) else None
        self.parameters = sum(parameter.numel() for parameter in self.model.parameters())

    def _build_model(self, name: str) -> torch.nn.Module:
        try:
            return self.workload.build_model(torch.Generator().manual_seed(0))
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise UsageError(f"workload {name} builds no model: {what}: check its sizes in its suite") from error

    def build_pacer(self) -> Pacer:
        """Build the reference loop of the clock, which trains on random data."""
        data = random_data(self.training_columns, 8 * self.workload.batch_size + 4096, 0, self.device)
        return Pacer(self.workload, data)

    def _time_a_draw(self, data: Data) -> float:
        """Give half of the shortest time, in seconds, that it took to draw a batch of training data on the processor.

        On a GPU a batch is drawn in no time that could be told from none.
        """
        if self.device.type != "cpu":
            return 0.0
        generator, seconds = torch.Generator().manual_seed(0), []
        for _ in range(DRAWS):
            began = time.perf_counter()
            indices = torch.randint(self.training_examples, (self.workload.batch_size,), generator=generator)
            self.workload.batch(data, indices, generator)
            seconds.append(time.perf_counter() - began)
        return min(seconds) / 2

    def _on_device(self, data: Data) -> Data:
        return {name: tensor.to(self.device) for name, tensor in data.items()}

    def load_weights(self, weights: Mapping[str, Tensor]) -> bool:
        """Take over the weights that were handed in; says whether all of them are finite."""
        self.model.load_state_dict(weights)
        floats = [tensor for tensor in self.model.state_dict().values() if tensor.is_floating_point()]
        return bool(torch.stack([tensor.isfinite().all() for tensor in floats]).all())

    def evaluate(self, split: str) -> dict[str, float]:
        """Compute the metrics of the model on a split."""
        with torch.inference_mode():
            return self.workload.evaluate(self.model, self.evaluated[split])

    def check_that_weights_can_be_kept(self) -> None:
        """Raise `UsageError` where the weights of a trial would take more than `MOST_KEPT_BYTES`."""
        needed = sum(tensor.nbytes for tensor in self.model.state_dict().values())
        if needed > MOST_KEPT_BYTES:
            raise UsageError(
                f"keep_weights: a trial has {needed / 2**30:.1f} GiB of weights, and at most "
                f"{MOST_KEPT_BYTES / 2**30:g} GiB are kept: leave keep_weights out, or this workload"
            )

    def close(self) -> None:
        self.training_data.close()


def make_workload(spec: WorkloadSpec, variant_seed: int | None) -> Workload:
    """Instantiate a workload at the sizes of its suite, or the variant of it that `variant_seed` draws."""
    try:
        its = workload_class(spec.implementation, spec.text)
        if unknown := spec.sizes.keys() - (known := [size.name for size in fields(its)]):
            raise ValueError(f"it has no size {min(unknown)}, but {', '.join(known)}")
        workload = its(**_hashable(spec.sizes))
    except (ImportError, AttributeError, TypeError, ValueError, ArithmeticError) as error:
        raise UsageError(f"workload {spec.name}: {error}: check its implementation and sizes in its suite") from None
    return workload if variant_seed is None else workload.draw_variant(variant_seed)


def _hashable(sizes: dict) -> dict:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in sizes.items()}


def hash_data(splits: Mapping[str, Data]) -> str:
    """Hash all that is trained and evaluated on (SHA-256 of names, shapes, dtypes and bytes, 16 hexadecimal digits)."""
    digest = hashlib.sha256()
    for split in sorted(splits):
        for name, tensor in sorted(splits[split].items()):
            digest.update(f"{split}/{name}/{tuple(tensor.shape)}/{tensor.dtype}".encode())
            digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
