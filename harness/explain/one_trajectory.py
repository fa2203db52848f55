"""Two optimizers on one trajectory: at which step and on which parameter they part, and by how much.

Both start from the same weights, with the same hyperparameters, and take each step from the weights that the first one
has come to, on the same batch. So each has the gradients of one trajectory and a state of its own, a difference of one
step is not mixed with those of the steps before, and what agrees goes on to agree. Learning rates are constant: the
schedules of both are taken off.
"""

import ast
import importlib
import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from timetrial.harness import UsageError
from timetrial.harness.explain.loop import Training, find_workload, hyperparameters_of
from timetrial.harness.submission import OptimizerSubmission, Submission, Task, optimizers_of
from timetrial.harness.workload import ROLES, Batch, DataSource, Workload

DTYPES = (torch.float64, torch.float32)
SYNONYMS = (("lr", "learning_rate"), ("eps", "epsilon"))
"""Names of one hyperparameter. Beside these, `betas` is what `beta1` and `beta2` are together."""
SWITCHES = {"self", "params", "foreach", "fused", "capturable", "differentiable", "kwargs", "defaults"}
"""Arguments of an optimizer that are no hyperparameters."""
REPRESENTABLE = 4.0
"""Roundings of a weight, of half a unit in the last place each, that two ways to write an update may differ by."""
MATRICES = "hidden_matrix"

Values = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """How far the weights of one parameter are apart after a step that began at the same weights."""

    step: int
    parameter: str
    role: str
    weights: float
    """The largest difference of two weights."""
    share: float
    """The same as a share of the largest change of a weight in this step; inf where the first changes none."""
    parts: bool
    """Whether that is more than rounding."""

    def __str__(self) -> str:
        share = "where the first does not move it" if self.share == math.inf else f"by {self.share:.1%} of the step"
        if 0 < self.share < 0.001:
            share = f"by {self.share:.0e} of the step"
        return f"step {self.step}, in {self.parameter} ({self.role}): {share}, {self.weights:.0e} in a weight"


@dataclass(frozen=True)
class Agreement:
    """What one precision shows."""

    dtype: str
    first: tuple[Difference, ...]
    """For each parameter that parts, where it first does, the earliest and largest first."""
    largest: Difference
    """The largest share of all steps and parameters."""

    def __str__(self) -> str:
        if self.first:
            lines = [f"they part at {self.first[0]}"]
            at_once = sum(difference.step == self.first[0].step for difference in self.first)
            lines.append(f"parameters that part: {at_once} at this step, {len(self.first)} in all")
            return "\n".join([*lines, f"furthest at {self.largest}"])
        if self.largest.weights == 0:
            return "they agree to the last bit"
        return f"they agree but for rounding, at most at {self.largest}"


@dataclass(frozen=True)
class Conformance:
    """What came out of a comparison."""

    one: str
    other: str
    values: tuple[Values, Values]
    """The hyperparameters of both; where the groups of a class differ, a tuple with the value of each."""
    compared: int
    parameters: int
    """How many of how many parameters of the model were compared: those that both train."""
    agreements: tuple[Agreement, ...]
    """In float64 and in float32."""

    @property
    def holds(self) -> bool:
        return not any(agreement.first for agreement in self.agreements)

    def __str__(self) -> str:
        lines = [
            *((name, _in_words(values)) for name, values in zip((self.one, self.other), self.values, strict=True)),
            ("compared", f"{self.compared} of {self.parameters} parameters"),
            *((agreement.dtype, str(agreement)) for agreement in self.agreements),
        ]
        width = max(len(name) for name, _ in lines)
        indent = "\n" + " " * (width + 2)
        return "\n".join(f"{name:{width}}  {text.replace(chr(10), indent)}" for name, text in lines)


def conform(
    one: str,
    other: str,
    *,
    steps: int = 20,
    values: Mapping[str, Any] | None = None,
    mapping: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    workload: Workload | None = None,
    seed: int = 0,
) -> Conformance:
    """Compare two optimizers, each a submission's name or a class such as `torch.optim:AdamW`, over `steps` steps.

    `values`: hyperparameters of `one`, in place of its own or its defaults. Those of `other` are the same by name, or
    as `mapping` says: `{"lr": "learning_rate"}`, or a value, `{"nesterov": "False"}`. A class takes the parameter
    groups of `one`, with their values. `only`: roles of parameters to compare; without it all, or the hidden matrices
    alone where a class refuses others. `workload`: what is trained, by default small_gpt of the suite quickstart.

    Raises `UsageError` for what cannot be found or built.
    """
    for role in only:
        if role not in ROLES:
            raise UsageError(f"--only {role}: choose of {', '.join(ROLES)}")
    workload = workload or find_workload("quickstart", "small_gpt")
    data = workload.load("train", DataSource("synthetic"))
    agreements = []
    for dtype in DTYPES:
        setting = Setting(workload, tuple(only), {"steps": steps, "data": data, "seed": seed, "dtype": dtype})
        first = _first(setting, one, dict(values or {}))
        second = _second(setting, other, first, dict(mapping or {}))
        shared = sorted(first.trained & second.trained)
        if not shared:
            raise UsageError(f"{one} and {other} train no parameter both: choose other roles with --only")
        try:
            agreements.append(_follow(first.training, second.training, shared, steps))
        except (TypeError, ValueError, RuntimeError, LookupError) as error:
            raise UsageError(f"{one} and {other} cannot take these steps: {' '.join(str(error).split())}") from None
    parameters = len(list(first.training.model.parameters()))
    return Conformance(one, other, (first.values, second.values), len(shared), parameters, tuple(agreements))


@dataclass(frozen=True)
class Setting:
    """What both train on: the workload, the roles of parameters that count (none: all), and options of `Training`."""

    workload: Workload
    only: tuple[str, ...]
    options: Values

    def train(self, name: str, submission: Any, hyperparameters: Values | None = None) -> Training:
        """Build a training run; raises `UsageError` for what a submission or an optimizer refuses."""
        try:
            return Training(self.workload, submission, hyperparameters, **self.options)
        except (TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"{name} cannot be built here: {error}") from None

    def counts(self, role: str) -> bool:
        return not self.only or role in self.only


@dataclass(frozen=True)
class Side:
    """One of the two, ready to train."""

    training: Training
    values: Values
    """Its hyperparameters."""
    groups: list[tuple[list[str], Values]]
    """Its parameter groups: the names of the parameters that count, and the options."""

    @property
    def trained(self) -> set[str]:
        return {name for names, _ in self.groups for name in names}


class Partly(Submission):
    """An optimizer that need not train all parameters; the rest stay where they are."""

    def __init__(self, model: nn.Module, task: Task, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(model, SimpleNamespace(), task)
        self.optimizer = optimizer
        trained = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        rest = [parameter for parameter in model.parameters() if id(parameter) not in trained]
        self.idle = torch.optim.SGD(rest, lr=0.0) if rest else None
        if hasattr(optimizer, "train"):
            optimizer.train()

    def training_step(self, batch: Batch) -> None:
        self.model.zero_grad()
        self.task.loss(self.model, batch).backward()
        self.optimizer.step()


def optimizer_class(path: str) -> type[torch.optim.Optimizer]:
    """Import an optimizer such as `torch.optim:AdamW`; raises `UsageError` where there is none."""
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"{path} cannot be imported: {error}") from None
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise UsageError(f"{path} is no torch.optim.Optimizer: name a class, as in torch.optim:AdamW")
    return found


def _first(setting: Setting, one: str, values: Values) -> Side:
    if ":" in one:
        model = setting.workload.build_model(torch.Generator().manual_seed(0))
        return _of_class(setting, one, [([name for name, _ in model.named_parameters()], values)])
    own = hyperparameters_of(one)
    for name in values:
        if name not in own:
            raise UsageError(f"{one} has no hyperparameter {name!r}: it has {', '.join(own)}")
    return _of_submission(setting, one, own | values)


def _second(setting: Setting, other: str, first: Side, mapping: Mapping[str, str]) -> Side:
    """Build the other, with the hyperparameters of the first by name or by `mapping`."""
    if ":" in other:
        wanted = _hyperparameters_of_class(optimizer_class(other))
        groups = [(names, _map(first.values, group, wanted, mapping)) for names, group in first.groups]
        return _of_class(setting, other, groups)
    own = hyperparameters_of(other)
    if unknown := sorted(set(mapping) - set(own)):
        raise UsageError(f"--map {unknown[0]}: {other} has no such hyperparameter: it has {', '.join(own)}")
    return _of_submission(setting, other, own | _map(first.values, first.groups[0][1], own, mapping))


def _of_submission(setting: Setting, name: str, values: Values) -> Side:
    training = setting.train(name, name, values)
    submission = training.submission
    if isinstance(submission, OptimizerSubmission):
        submission.scheduler = None
        for group in submission.optimizer.param_groups:
            group["lr"] = group.get("initial_lr", group["lr"])
    return Side(training, values, _groups(setting, training))


def _of_class(setting: Setting, path: str, groups: Sequence[tuple[list[str], Values]]) -> Side:
    """Build an optimizer class for parameters by name; where it refuses some, for hidden matrices alone."""
    kind = optimizer_class(path)
    known = _hyperparameters_of_class(kind)

    def build(model: nn.Module, roles: Mapping[str, str], role: str | None) -> torch.optim.Optimizer:
        parameters, given = dict(model.named_parameters()), []
        for names, values in groups:
            chosen = [n for n in names if setting.counts(roles[n]) and role in (None, roles[n])]
            if chosen:
                given.append({"params": [parameters[n] for n in chosen], **values})
        arguments = {key: value for key, value in (given or [{}])[0].items() if key in known}
        return kind(given, **arguments)

    def submission(model: nn.Module, _: Any, task: Task) -> Partly:
        try:
            optimizer = build(model, task.roles, None)
        except ValueError:
            optimizer = build(model, task.roles, MATRICES)
        return Partly(model, task, optimizer)

    training = setting.train(path, SimpleNamespace(Submission=submission))
    groups = _groups(setting, training)
    values = {key: [group[key] for _, group in groups if key in group] for key in known}
    return Side(training, {key: _one_or_all(found) for key, found in values.items() if found}, groups)


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if values.count(values[0]) == len(values) else tuple(values)


def _groups(setting: Setting, training: Training) -> list[tuple[list[str], Values]]:
    names = {id(parameter): name for name, parameter in training.model.named_parameters()}
    idle = getattr(training.submission, "idle", None)
    found = []
    for optimizer in optimizers_of(training.submission):
        for group in optimizer.param_groups if optimizer is not idle else ():
            own = [names[id(parameter)] for parameter in group["params"]]
            options = {key: value for key, value in group.items() if key not in ("params", "initial_lr")}
            found.append(([name for name in own if setting.counts(training.task.roles[name])], options))
    return [(own, options) for own, options in found if own]


def _hyperparameters_of_class(kind: type[torch.optim.Optimizer]) -> list[str]:
    return [name for name in inspect.signature(kind.__init__).parameters if name not in SWITCHES]


def _map(values: Values, group: Values, wanted: Iterable[str], mapping: Mapping[str, str]) -> Values:
    """Give what is `wanted` of the hyperparameters of a submission and of one of its groups, which goes first."""
    known = _with_synonyms(values) | _with_synonyms(group)
    found = {name: known[name] for name in wanted if name in known}
    for name, source in mapping.items():
        try:
            found[name] = known[source] if source in known else ast.literal_eval(source)
        except (ValueError, SyntaxError):
            there = f"there are {', '.join(sorted(values))}"
            raise UsageError(f"--map {name}={source}: neither a value nor a hyperparameter: {there}") from None
    return found


def _with_synonyms(values: Values) -> Values:
    found = dict(values)
    for one, other in SYNONYMS:
        for name, synonym in ((one, other), (other, one)):
            if name in values:
                found.setdefault(synonym, values[name])
    if isinstance(values.get("betas"), Sequence):
        found |= {f"beta{i}": beta for i, beta in enumerate(values["betas"], start=1)}
    elif betas := [values[name] for name in ("beta1", "beta2", "beta3") if name in values]:
        found.setdefault("betas", tuple(betas))
    return found


def _follow(first: Training, second: Training, shared: Sequence[str], steps: int) -> Agreement:
    """Take the steps, both from the weights of the first."""
    differences: list[Difference] = []
    ahead, beside = first.run(steps), second.run(steps)
    ours, theirs = dict(first.model.named_parameters()), dict(second.model.named_parameters())
    for step in range(1, steps + 1):
        before = {name: parameter.detach().clone() for name, parameter in ours.items()}
        random = torch.get_rng_state()
        next(ahead)
        torch.set_rng_state(random)
        with torch.no_grad():
            for name, parameter in theirs.items():
                parameter.copy_(before[name])
        next(beside)
        for name in shared:
            role = first.task.roles[name]
            differences.append(_difference(step, name, role, before[name], ours[name], theirs[name]))
    earliest: dict[str, Difference] = {}
    for difference in differences:
        if difference.parts:
            earliest.setdefault(difference.parameter, difference)
    parted = sorted(earliest.values(), key=lambda difference: (difference.step, -difference.share))
    dtype = str(next(iter(ours.values())).dtype).removeprefix("torch.")
    return Agreement(dtype, tuple(parted), max(differences, key=lambda difference: difference.share))


@torch.no_grad()
def _difference(step: int, name: str, role: str, before: Tensor, one: Tensor, other: Tensor) -> Difference:
    """Measure two steps: they part by more than half of their digits, and more than roundings of the weights."""
    apart, moved = (one - other).abs().max().item(), (one - before).abs().max().item()
    epsilon = torch.finfo(one.dtype).eps
    rounding = REPRESENTABLE * epsilon * before.abs().max().item()
    share = apart / moved if moved else math.inf if apart else 0.0
    parts = not apart <= math.sqrt(epsilon) * moved + rounding
    return Difference(step, name, role, apart, share, parts)


def _in_words(values: Values) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_value, value))})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
