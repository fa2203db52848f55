"""A submission that is made of an optimizer class: its search space, and its `submission.py`, written out."""

import json
from collections.abc import Mapping
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.optimizer_class import OptimizerClass

AROUND = 10.0
"""A default learning rate is searched from a tenth of it to ten times it."""
HORIZONS = (0.4, 0.55, 0.7, 0.85, 1.0)
DECAY = {"min": 3e-4, "max": 1e-2, "scaling": "log", "per": "lr"}
ADAM = {"min": 1e-3, "max": 3e-2, "scaling": "log"}
"""The collection's ranges of weight decay times rate, of AdamW's rate for what is no matrix, and of the horizon."""
OWN_ADAM_RATE = 2e-3


def read_axis(given: Any) -> Any:
    """Read an axis in its short form: `[min, max, log]` or `[min, max, linear]`, or another list, of choices.

    Two numbers and a word are a range, so that a scale that there is not is found when the range is read.
    """
    if isinstance(given, list | tuple):
        if [isinstance(one, str) for one in given] == [False, False, True]:
            return dict(zip(("min", "max", "scaling"), given, strict=True))
        return {"choices": list(given)}
    return given


def class_spaces(
    typed: str, its: OptimizerClass, space: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Give the search space of a class and its own hyperparameters, by the names of its arguments.

    The own ones are None where it has no default for one of them.
    """
    known = tunable(its)
    if "lr" not in known:
        raise UsageError(f"submission {typed!r} has no argument lr: give a file with build_optimizer")
    axes = {name: _checked(name, known[name], read_axis(given)) for name, given in space.items() if name in known}
    if rate := known["lr"]:
        axes.setdefault("lr", {"min": rate / AROUND, "max": rate * AROUND, "scaling": "log"})
    if "lr" not in axes:
        raise UsageError(f"submission {typed!r} has no default rate: give one as +space.lr='[1e-4,1e-2,log]'")
    if "weight_decay" in known:
        axes.setdefault("weight_decay", DECAY)
    if its.roles:
        axes.setdefault("adam_learning_rate", ADAM)
    axes.setdefault("horizon", {"choices": list(HORIZONS)})
    own = {name: known[name] if isinstance(axis, Mapping) else axis for name, axis in axes.items() if name != "horizon"}
    return axes, None if None in own.values() else own


def _checked(name: str, default: Any, axis: Any) -> Any:
    """Refuse words where the class has a number or a switch; what it does with them is not known before it steps."""
    values = axis.get("choices", ()) if isinstance(axis, Mapping) else (axis,)
    words = [value for value in values if isinstance(value, str)]
    if words and isinstance(default, bool | int | float):
        wanted = "true or false" if isinstance(default, bool) else "numbers"
        raise UsageError(f"+space.{name}: {words[0]!r} in place of {default!r}: give {wanted}")
    return axis


def tunable(its: OptimizerClass) -> dict[str, Any]:
    """List the hyperparameters that a class has, with their defaults: a list such as `betas` as beta1, beta2."""
    found: dict[str, Any] = {"horizon": None}
    for name, value in its.defaults.items():
        if isinstance(value, list):
            found |= {f"{name.removesuffix('s')}{i}": one for i, one in enumerate(value, start=1)}
        else:
            found[name] = value
    return found | ({"adam_learning_rate": OWN_ADAM_RATE} if its.roles else {})


def class_source(typed: str, its: OptimizerClass, tuned: set[str]) -> str:
    """Write the `submission.py` of a class, with every argument that is not its default."""
    arguments = []
    for name, value in its.defaults.items():
        parts = [f"{name.removesuffix('s')}{i}" for i in range(1, len(value) + 1)] if isinstance(value, list) else []
        if any(part in tuned for part in parts):
            values = [f"hyperparameters.{p}" if p in tuned else repr(v) for p, v in zip(parts, value, strict=True)]
            arguments.append(f"{name}=({', '.join(values)}{',' * (len(values) == 1)})")
        elif name in tuned and name != "weight_decay":
            arguments.append(f"{name}=hyperparameters.{name}")
    if its.has_foreach and its.module.startswith("torch."):  # as the collection does: torch's own choice is a loop
        arguments.append("foreach=True")
    decay = "hyperparameters.weight_decay" if "weight_decay" in its.defaults else None
    schedule = "constant" if its.has_modes else "cosine_with_warmup"
    imports = [f"from timetrial.submissions.schedules import {schedule}"]
    if its.roles:
        imports.insert(0, "from timetrial.submissions.matrix_classes import with_adamw")
        options = "".join(f"        {name}={value!r},\n" for name, value in its.options.items())
        built = (
            "with_adamw(\n"
            f"        lambda groups: {its.name}(groups, {', '.join(arguments)}),\n"
            "        model,\n        task,\n"
            f"        roles=({', '.join(map(json.dumps, its.roles))},),\n"
            f"        weight_decay={decay or 0.0},\n"
            "        learning_rate=hyperparameters.lr,\n"
            "        adam_learning_rate=hyperparameters.adam_learning_rate,\n"
            f"{options}    )"
        )
    else:
        groups = "model.parameters()"
        if decay:
            imports.insert(0, "from timetrial.submissions.parameter_groups import decay_groups")
            groups = f"decay_groups(model, task, {decay})"
        built = f"{its.name}(\n" + "".join(f"        {given},\n" for given in (groups, *arguments)) + "    )"
    return (
        f'"""{typed} with the collection\'s parameter groups and schedule, as `timetrial` has written it."""\n\n'
        f"from {its.module} import {its.name}\n\n" + "\n".join(imports) + "\n\n\n"
        "def build_optimizer(model, hyperparameters, task):\n"
        f"    optimizer = {built}\n"
        f"    return optimizer, {schedule}(optimizer, task.step_hint)\n"
    )
