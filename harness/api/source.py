"""The source of a function or class, as a file that stands alone: how a submission leaves a notebook.

What it uses travels with it: imports as imports, functions and classes of the same module with their source, and plain
values (numbers, text, and lists and mappings of them) as they are at that moment.
"""

import ast
import builtins
import contextlib
import inspect
import linecache
import symtable
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import packages_distributions
from types import FunctionType, ModuleType
from typing import Any

from timetrial.harness import UsageError

VALUES = ("HYPERPARAMETERS", "SEARCH_SPACE")
"""Attributes of a function or class that say which values are tried, and names in its file for the same."""


def source_of(submission: Callable[..., Any]) -> str:
    """Write the file of a function `build_optimizer(model, hyperparameters, task)`, or of a class like `Submission`.

    Its attributes `HYPERPARAMETERS` and `SEARCH_SPACE` become those of the file, without any: no hyperparameters.
    Raises `UsageError` for what has no source, and for a name in it that is not found or cannot travel.
    """
    name = getattr(submission, "__name__", repr(submission))
    if inspect.isclass(submission) and not hasattr(submission, "training_step") and hasattr(submission, "step"):
        raise UsageError(f"{name} is an optimizer: give its path as text, or a function that builds it for a model")
    bundle = _Bundle(name)
    bundle.add(submission)
    values = {key: getattr(submission, key) for key in VALUES if hasattr(submission, key)}
    if not values:
        for read in _hyperparameters_read(bundle.parts[-1]):
            raise UsageError(f"{name} reads hyperparameters.{read}: say {name}.HYPERPARAMETERS = {{{read!r}: ...}}")
        values = {"HYPERPARAMETERS": {}}
    role = "Submission" if inspect.isclass(submission) else "build_optimizer"
    ending = [f"{role} = {name}"] * (name != role)
    ending += [f"{key} = {_plain(name, f'{name}.{key}', value)}" for key, value in values.items()]
    above = sorted(bundle.lines, key=lambda line: not line.startswith(("import ", "from ")))
    return "\n\n\n".join(filter(None, ["\n".join(above), *bundle.parts, "\n".join(ending)])) + "\n"


class _Bundle:
    """Definitions in an order in which each finds those that it uses."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[str] = []
        """Imports and values."""
        self.parts: list[str] = []
        """The texts of functions and classes."""
        self.known: dict[str, Any] = {}

    def add(self, defined: Callable[..., Any]) -> None:
        """Add a function or class, after all that it uses."""
        self.known[defined.__name__] = defined
        text = _text_of(defined)
        there = _names_around(defined)
        for name in sorted(_free_names(text) - {defined.__name__}):
            if name in there:
                self._add_name(name, there[name], defined.__module__)
            elif not hasattr(builtins, name):
                raise UsageError(f"{self.name} uses {name}, which is not defined here: define or import it first")
        self.parts.append(text)

    def _add_name(self, name: str, value: Any, module: str) -> None:
        if name in self.known:
            if self.known[name] is not value:
                raise UsageError(f"{self.name} uses two things named {name}: give one of them another name")
            return
        self.known[name] = value
        if isinstance(value, ModuleType):
            self._check_installed(name, value.__name__)
            self.lines.append(f"import {value.__name__}" + f" as {name}" * (value.__name__ != name))
        elif isinstance(value, FunctionType | type) and value.__module__ == module and value.__name__ == name:
            self.add(value)
        elif home := _home_of(value):
            self._check_installed(name, home)
            self.lines.append(f"from {home} import {value.__name__}" + f" as {name}" * (value.__name__ != name))
        else:
            self.lines.append(f"{name} = {_plain(self.name, name, value)}")

    def _check_installed(self, name: str, module: str) -> None:
        top = module.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in (*_installed(), "timetrial"):
            file = getattr(sys.modules.get(module), "__file__", None) or module
            raise UsageError(f"{self.name} uses {name} of {file}, which no package installs: define it in the notebook")


@cache
def _installed() -> frozenset[str]:
    return frozenset(packages_distributions())


def _home_of(value: Any) -> str | None:
    """Name the module that a function or class can be imported from; None for anything else."""
    module, name = getattr(value, "__module__", None), getattr(value, "__name__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    return module if getattr(sys.modules.get(module), name, None) is value and module != "__main__" else None


def _plain(owner: str, name: str, value: Any) -> str:
    """Write a value down; raises `UsageError` where it is more than numbers, text, and lists and mappings of them."""
    try:
        if ast.literal_eval(text := repr(value)) == value:
            return text
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    raise UsageError(f"{owner} uses {name}, a {type(value).__name__} of this session: build it inside {owner}")


def _text_of(defined: Callable[..., Any]) -> str:
    """Find the text of a function or class, also of a class in a cell, which `inspect` does not find."""
    function = defined if isinstance(defined, FunctionType) else next(_methods(defined), None)
    lines = linecache.getlines(function.__code__.co_filename) if function else []
    name, at = defined.__name__, function.__code__.co_firstlineno if function else 0
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        tree = ast.Module([], [])
    for node in ast.walk(tree):
        named = isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name
        first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) if named else 0
        if named and first <= at <= node.end_lineno:
            return textwrap.dedent("".join(lines[first - 1 : node.end_lineno])).strip("\n")
    if isinstance(defined, type):  # without methods, so that nothing but its name leads to it
        with contextlib.suppress(OSError, TypeError):
            return textwrap.dedent(inspect.getsource(defined)).strip("\n")
    raise UsageError(f"{name} has no source that can be found: define it with def or class, in a cell or a file")


def _methods(kind: type) -> Iterator[FunctionType]:
    return (value for value in vars(kind).values() if isinstance(value, FunctionType))


def _names_around(defined: Callable[..., Any]) -> dict[str, Any]:
    """Give what the names in the text of a function or class stand for: the globals and what it has closed over."""
    functions = [defined] if isinstance(defined, FunctionType) else list(_methods(defined))
    found: dict[str, Any] = {} if functions else dict(vars(sys.modules[defined.__module__]))
    for function in functions:
        found |= function.__globals__
        found |= inspect.getclosurevars(function).nonlocals
    return found


def _free_names(text: str) -> set[str]:
    """List the names that a text reads and does not define."""
    module = symtable.symtable(text, "<source>", "exec")
    names, tables = set(), [module]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        names |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and s.is_global()}
    return names - {s.get_name() for s in module.get_symbols() if s.is_assigned()}


def _hyperparameters_read(text: str) -> list[str]:
    """List the attributes that the second parameter of a function is asked for, such as learning_rate."""
    (node,) = ast.parse(text).body
    if not isinstance(node, ast.FunctionDef) or len(node.args.args) < 2:
        return []
    given = node.args.args[1].arg
    reads = [n for n in ast.walk(node) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]
    return [n.attr for n in reads if n.value.id == given]
