"""The two optimizers of a comparison, built for one workload: submissions or classes, with the same hyperparameters."""

import ast
import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from timetrial.harness import UsageError
from timetrial.harness.explain.agreement import Values
from timetrial.harness.explain.loop import Training, hyperparameters_of
from timetrial.harness.submission import OptimizerSubmission, Task, optimizers_of
from timetrial.harness.workload import Workload

SYNONYMS = (("lr", "learning_rate"), ("eps", "epsilon"))
"""Names of one hyperparameter. Beside these, `betas` is what `beta1` and `beta2` are together."""
SWITCHES = {"self", "params", "foreach", "fused", "capturable", "differentiable", "kwargs", "defaults"}
"""Arguments of an optimizer that are no hyperparameters."""
MATRICES = "hidden_matrix"


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
        except (TypeError, ValueError, AttributeError, LookupError) as error:
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


class Partly(OptimizerSubmission):
    """An optimizer that need not train all parameters; the rest stay where they are."""

    def __init__(self, model: nn.Module, task: Task, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(lambda *_: optimizer, model, SimpleNamespace(), task)
        trained = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        rest = [parameter for parameter in model.parameters() if id(parameter) not in trained]
        self.idle = torch.optim.SGD(rest, lr=0.0) if rest else None


def optimizer_class(path: str) -> type[torch.optim.Optimizer]:
    """Import an optimizer such as `torch.optim:AdamW`; raises `UsageError` where there is none."""
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UsageError(f"{path} cannot be imported: {error}") from None
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise UsageError(f"{path} is no torch.optim.Optimizer: name a class, as in torch.optim:AdamW")
    return found


def first_side(setting: Setting, one: str, values: Values) -> Side:
    if ":" in one:
        model = setting.workload.build_model(torch.Generator().manual_seed(0))
        return _of_class(setting, one, [([name for name, _ in model.named_parameters()], values)])
    own = hyperparameters_of(one)
    for name in values:
        if name not in own:
            raise UsageError(f"{one} has no hyperparameter {name!r}: it has {', '.join(own)}")
    return _of_submission(setting, one, own | values)


def second_side(setting: Setting, other: str, first: Side, mapping: Mapping[str, str]) -> Side:
    """Build the other, with the hyperparameters of the first by name or by `mapping`."""
    if ":" in other:
        defaults = _defaults_of_class(optimizer_class(other))
        if unknown := sorted(set(mapping) - set(defaults)):
            raise UsageError(f"--map {unknown[0]}: {other} has no such argument: it has {', '.join(defaults)}")
        groups = [
            (names, _filled(_map(first.values, group, defaults, mapping), defaults)) for names, group in first.groups
        ]
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
    known = _defaults_of_class(kind)

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


def _defaults_of_class(kind: type[torch.optim.Optimizer]) -> dict[str, Any]:
    """List the hyperparameters of a class with their defaults."""
    parameters = inspect.signature(kind.__init__).parameters.values()
    return {its.name: its.default for its in parameters if its.name not in SWITCHES}


def _filled(values: Values, defaults: Values) -> Values:
    """Fill up tuples that are too short, such as the `betas` of a method with `beta1` alone, with their defaults."""
    rest = {name: defaults[name][len(value) :] for name, value in values.items() if isinstance(value, tuple)
            and isinstance(defaults[name], tuple)}  # fmt: skip
    return values | {name: values[name] + its for name, its in rest.items()}


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
