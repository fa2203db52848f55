"""What a workload must keep to, so that a race on it is fair and can be repeated: checks for one of your own.

`timetrial check --workload` runs them, and a test can: `for finding in check_workload(workload, source): ...`.
"""

import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import numpy
import torch
from torch import Tensor, nn

from timetrial.harness import UsageError
from timetrial.harness.workload import ROLES, SPLITS, Batch, Data, DataSource, Workload

FEW = 32
"""Examples that are evaluated one by one."""
STEPS = 30
"""Steps of AdamW after which the training loss should be lower."""
DTYPES = (torch.uint8, torch.int16, torch.int64, torch.float32, torch.bool)
VARIANTS = 3
TOLERANCE = 1e-4
"""Relative, for sums in another order."""
MEANS = ("loss", "accuracy", "error")
"""Metrics that are means over examples by their names."""


class Nonconforming(Exception):
    """What a workload does that it may not, and what to do."""


@dataclass(frozen=True)
class Finding:
    """What a check has found; nothing wrong where `problem` is None."""

    check: str
    problem: str | None
    """What is wrong, where, and what to do, in a line."""


@dataclass(frozen=True)
class Subject:
    """A workload with its data, as the checks see it."""

    workload: Workload
    source: DataSource
    data: dict[str, Data]

    def model(self, seed: int = 0) -> nn.Module:
        return self.workload.build_model(_seeded(seed))

    def batch(self, seed: int = 0) -> Batch:
        """Draw a batch of the usual size of training data."""
        train, generator = self.data["train"], _seeded(seed)
        indices = torch.randint(self.workload.examples(train), (self.workload.batch_size,), generator=generator)
        return self.workload.batch(train, indices, generator)


def check_workload(workload: Workload, source: DataSource) -> Iterator[Finding]:
    """Run all checks on a workload, each whatever the others find; where data cannot be loaded there is only that.

    An error that a method of the workload raises is a problem, in one line.
    """
    try:
        subject = Subject(workload, source, {split: workload.load(split, source) for split in SPLITS})
    except Exception as error:
        yield Finding("data", f"load: {type(error).__name__}: {error}")
        return
    for name, check in CHECKS.items():
        state = torch.get_rng_state()
        try:
            check(subject)
            yield Finding(name, None)
        except Nonconforming as problem:
            yield Finding(name, str(problem))
        except Exception as error:
            yield Finding(name, f"{type(error).__name__}: {' '.join(str(error).split())}")
        finally:
            torch.set_rng_state(state)


def check_data(subject: Subject) -> None:
    """Data are plain tensors on the CPU, the same at each loading, and the splits have no example in common."""
    for split, data in subject.data.items():
        for name, tensor in data.items():
            what = f"load_all({split!r})[{name!r}]"
            _require(tensor.dtype in DTYPES, f"{what} is {tensor.dtype}: give one of {', '.join(map(str, DTYPES))}")
            _require(len(tensor) > 0, f"{what} is empty")
        again = subject.workload.load(split, subject.source)
        _require(_same(data, again), f"load_all({split!r}) gives other data the second time: cut and shuffle by a seed")
    names = {split: sorted(data) for split, data in subject.data.items()}
    _require(names["train"] == names["validation"] == names["test"], f"splits have different tensors: {names}")
    if not all(_rows_are_examples(subject.workload, data) for data in subject.data.values()):
        return  # as in a text, whose examples are windows of it
    rows = {split: _rows(data) for split, data in subject.data.items()}
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        shared = len(rows[one] & rows[other])
        small = min(len(rows[one]), len(rows[other]))
        _require(shared <= small / 2, f"{shared} of {small} examples of {other} are in {one} too: make splits disjoint")


def _rows_are_examples(workload: Workload, data: Data) -> bool:
    return workload.examples(data) == len(next(iter(data.values())))


def check_memory(subject: Subject) -> None:
    """The module of the workload holds no data: a trainee imports it, and would have what it is scored on."""
    for kind in type(subject.workload).__mro__:
        for name, value in vars(sys.modules.get(kind.__module__, object)).items() if kind is not object else ():
            size = value.numel() if isinstance(value, Tensor) else value.size if isinstance(value, numpy.ndarray) else 0
            where = f"{kind.__module__.partition('_workload_')[0]}: {name}"
            _require(size < 1000, f"{where} holds {size} numbers when it is imported: load data in load_all")
    pickle.dumps(subject.workload)
    hash(subject.workload)


def check_determinism(subject: Subject) -> None:
    """Weights and batches follow from their generators, and nothing draws from torch's global state."""
    before = torch.get_rng_state()
    first, again, other = (subject.model(seed).state_dict() for seed in (0, 0, 1))
    _require(_same(first, again), "build_model gives other weights for one seed: draw them from its generator")
    _require(not _same(first, other), "build_model gives the same weights for two seeds: draw them from its generator")
    one, same = subject.batch(5), subject.batch(5)
    _require(all(map(torch.equal, one.tensors, same.tensors)), "batch gives other examples for one seed")
    model = subject.model().eval()
    with torch.inference_mode():
        metrics = [subject.workload.evaluate(model, subject.data["validation"]) for _ in range(2)]
    _require(metrics[0] == metrics[1], f"evaluate gives {metrics[0]} and then {metrics[1]} for one model")
    untouched = torch.equal(before, torch.get_rng_state())
    _require(untouched, "build_model, batch or evaluate draws from torch's global state: use the given generator")


def check_roles(subject: Subject) -> None:
    """Every parameter has one of the roles, and one layer makes the predictions."""
    model = subject.model()
    roles, names = subject.workload.parameter_roles(model), {name for name, _ in model.named_parameters()}
    _require(set(roles) == names, f"parameter_roles misses or adds {', '.join(sorted(set(roles) ^ names))}")
    wrong = {name: role for name, role in roles.items() if role not in ROLES}
    _require(not wrong, f"parameter_roles gives {wrong}: choose of {', '.join(ROLES)}")
    has_output = "output" in roles.values()
    layer = subject.workload.output_layer
    _require(has_output, f"no parameter has the role output: name the last layer {layer!r}, or set output_layer")


def check_training(subject: Subject) -> None:
    """The loss is a finite scalar, has a gradient for every parameter, and falls when AdamW trains."""
    model, workload = subject.model().train(), subject.workload
    batch = subject.batch()
    loss = workload.loss(model, batch)
    _require(loss.ndim == 0 and bool(loss.isfinite()), f"loss gives {loss}: give a finite scalar")
    loss.backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    _require(not without, f"the loss does not depend on {', '.join(without)}: leave out what is not trained")
    before = loss.item()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(STEPS):
        optimizer.zero_grad()
        workload.loss(model, batch).backward()
        optimizer.step()
    after = workload.loss(model, batch).item()
    _require(after < before, f"{STEPS} steps of AdamW on one batch take the loss from {before:.4g} to {after:.4g}")


def check_evaluation(subject: Subject) -> None:
    """Metrics are those of a plain loop over examples, leave the model alone, and have the target's among them."""
    workload, model = subject.workload, subject.model().eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    few = workload.first(subject.data["validation"], FEW)
    with torch.inference_mode():
        whole = workload.evaluate(model, few)
        _require(
            workload.metric in whole, f"evaluate gives {', '.join(whole)}, and not {workload.metric!r}, the metric"
        )
        wrong = [name for name, value in whole.items() if type(value) is not float or value != value]
        _require(not wrong, f"evaluate gives {whole}: give floats that are numbers")
        count = workload.examples(few) if _rows_are_examples(workload, few) else 0
        means = [name for name in whole if count and any(word in name for word in MEANS)]
        single = [workload.evaluate(model, {name: t[i : i + 1] for name, t in few.items()}) for i in range(count)]
    _require(_same(before, model.state_dict()), "evaluate changes the model")
    for name in means:
        loop = sum(its[name] for its in single) / count
        close = abs(loop - whole[name]) <= TOLERANCE * max(1.0, abs(loop))
        _require(
            close, f"evaluate gives {name} {whole[name]:.6g} for {count} examples, and a loop over them {loop:.6g}"
        )


def check_resident(subject: Subject) -> None:
    """No file is opened while the clock runs or a model is evaluated, and drawing a batch leaves the data alone."""
    train = {name: tensor.clone() for name, tensor in subject.data["train"].items()}
    model = subject.model()
    opened: list[Any] = []

    def refuse(file: Any, *_: Any, **__: Any) -> None:
        opened.append(file)
        raise OSError("no file may be opened here")

    with mock.patch("builtins.open", refuse), torch.no_grad():
        try:
            subject.workload.loss(model, subject.batch())
            subject.workload.evaluate(model.eval(), subject.workload.first(subject.data["validation"], FEW))
        except OSError:
            pass
    named = f"batch, loss or evaluate opens {opened[0] if opened else ''}: load all data in load_all"
    _require(not opened, named)
    _require(_same(train, subject.data["train"]), "batch changes the data: give copies")


def check_variants(subject: Subject) -> None:
    """Variants follow from their seeds, differ from each other, and train and evaluate."""
    workload = subject.workload
    try:
        drawn = [workload.draw_variant(seed) for seed in range(VARIANTS)]
    except UsageError as error:
        raise Nonconforming(str(error)) from None
    _require(
        drawn[0] == workload.draw_variant(0), "draw_variant gives another variant for one seed: draw from the seed"
    )
    _require(len({repr(its) for its in drawn}) > 1, "draw_variant gives the same for every seed")
    for seed, variant in enumerate(drawn):
        its = Subject(variant, subject.source, {split: variant.load(split, subject.source) for split in SPLITS})
        loss = variant.loss(its.model(), its.batch())
        with torch.inference_mode():
            metrics = variant.evaluate(its.model().eval(), variant.first(its.data["validation"], FEW))
        fine = bool(loss.isfinite()) and variant.metric in metrics
        _require(fine, f"draw_variant({seed}) gives {variant}, whose loss is {loss.item()} and metrics {metrics}")


CHECKS: dict[str, Callable[[Subject], None]] = {
    "data": check_data,
    "memory": check_memory,
    "determinism": check_determinism,
    "roles": check_roles,
    "training": check_training,
    "evaluation": check_evaluation,
    "resident data": check_resident,
    "variants": check_variants,
}


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise Nonconforming(problem)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _same(one: Any, other: Any) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def _rows(data: Data) -> set[bytes]:
    """Give the examples of a split as bytes, where all of its tensors have a row for each."""
    if len({len(tensor) for tensor in data.values()}) > 1:
        return set()
    columns = [tensor.flatten(1) if tensor.ndim > 1 else tensor[:, None] for tensor in data.values()]
    return {b"".join(row) for row in zip(*([r.tobytes() for r in c.numpy()] for c in columns), strict=True)}
