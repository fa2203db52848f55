"""What an optimizer class takes, for a submission that is made of it: asked in a process of its own.

The package of the class runs code when it is imported, so neither the command line nor a referee imports it.
"""

import functools
import importlib
import inspect
import json
import os
import subprocess
import sys
import warnings
from dataclasses import asdict, dataclass, field
from typing import Any

from timetrial.harness import UsageError

COMMAND = "from timetrial.harness.planning.optimizer_class import main; main()"
SECONDS = 300.0
"""How long importing a package, and a few steps, may take."""
Scalar = bool | int | float | str


@dataclass(frozen=True)
class OptimizerClass:
    """A class of optimizers, as its signature and a few steps on made-up parameters show it."""

    module: str
    name: str
    description: str
    defaults: dict[str, Any] = field(default_factory=dict)
    """Its arguments that are plain values, or lists of these, with their defaults; None: it has none."""
    roles: tuple[str, ...] = ()
    """The roles that it takes; empty: parameters of any shape."""
    options: dict[str, Any] = field(default_factory=dict)
    """What each of its groups must say besides."""
    has_modes: bool = False
    """Whether it has `train()` and `eval()`, and so no need of a decaying rate."""
    has_foreach: bool = False
    """Whether it has the argument `foreach`."""


@functools.cache
def read_class(module: str, name: str) -> OptimizerClass:
    """Ask what the class `module:name` takes; raises `UsageError` where it is none that can be stepped by itself."""
    search = os.pathsep.join(path for path in sys.path if path)  # found here is found there
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", COMMAND, module, name],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=os.environ | {"PYTHONPATH": search, "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"{module}:{name} takes more than {SECONDS:.0f} s to import: try again, or give a file"
        ) from None
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise UsageError(f"{module}:{name} cannot be imported: {said}")
    answer = json.loads(lines[-1])
    if "error" in answer:
        raise UsageError(f"{module}:{name}: {answer['error']}")
    return OptimizerClass(**{**answer, "roles": tuple(answer["roles"])})


def main() -> None:
    """Run as a process: the arguments are the module and the name of the class; prints a line of JSON."""
    warnings.simplefilter("ignore")
    sys.path.append(os.getcwd())
    try:
        answer = asdict(_look(*sys.argv[1:3]))
    except UsageError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer))


def _look(module: str, name: str) -> OptimizerClass:
    import torch

    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{error}: install the package, or name a class that it has") from None
    if not inspect.isclass(found) or not issubclass(found, torch.optim.Optimizer):
        raise UsageError("it is no class of torch.optim.Optimizer: give a file with build_optimizer or Submission")
    arguments = [
        a for a in inspect.signature(found).parameters.values() if a.kind not in (a.VAR_POSITIONAL, a.VAR_KEYWORD)
    ]
    required = [a.name for a in arguments[1:] if a.default is a.empty and a.name != "lr"]
    if required:
        raise UsageError(f"it needs {', '.join(required)} besides parameters: give a file with build_optimizer")
    defaults = {a.name: None if a.default is a.empty else a.default for a in arguments[1:] if _is_plain(a)}
    needs_rate = defaults.get("lr", 0.0) is None and _step(found, (4, 4), {}, {}) is not None
    roles, options = _shapes(found, {"lr": 1e-3} if needs_rate else {})
    return OptimizerClass(
        module=module,
        name=name,
        description=(inspect.getdoc(found) or "").strip().partition("\n")[0],
        defaults=defaults,
        roles=roles,
        options=options,
        has_modes=hasattr(found, "train") and hasattr(found, "eval"),
        has_foreach="foreach" in [a.name for a in arguments],
    )


def _is_plain(argument: inspect.Parameter) -> bool:
    """Whether an argument can be a hyperparameter, or a few of them; of those without a value, the rate is one."""
    default = argument.default
    if argument.name == "lr" and default in (argument.empty, None):
        return True
    if isinstance(default, list | tuple):
        return all(isinstance(one, Scalar) for one in default)
    return isinstance(default, Scalar)


def _shapes(found: type, arguments: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Find the roles that it is for, and what its groups must say: a class for matrices takes no vector."""
    error = _step(found, (4, 4), arguments, {})
    if error is None and _step(found, (4,), arguments, {}) is None:
        return (), {}
    options = {} if error is None else {"use_muon": True}  # as groups of several libraries' Muon say it
    if error is not None and _step(found, (4, 4), arguments, options) is not None:
        raise UsageError(f"a step fails ({error}): give a file with build_optimizer or Submission")
    takes_kernels = _step(found, (4, 3, 3, 3), arguments, options) is None
    return ("hidden_matrix", "convolution") if takes_kernels else ("hidden_matrix",), options


def _step(found: type, shape: tuple[int, ...], arguments: dict[str, Any], options: dict[str, Any]) -> str | None:
    """Take two steps on a parameter of `shape`; gives the error, in a line."""
    import torch

    from timetrial.harness.submission import requires_closure

    def loss() -> torch.Tensor:
        parameter.grad = torch.ones(shape)
        return parameter.detach().sum()

    parameter = torch.nn.Parameter(torch.ones(shape))
    try:
        optimizer = found([{"params": [parameter], **options}], **arguments)
        if hasattr(optimizer, "train"):
            optimizer.train()
        for _ in range(2):
            loss()
            optimizer.step(*([loss] if requires_closure(optimizer) else []))
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return None
