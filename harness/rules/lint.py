"""What the source of a submission shows of the rules: findings with line numbers, by reading alone.

A refusal keeps an entry out; a warning stays on it for readers to judge. Nothing here is relied on for a score: what a
trainee does is bounded by the referee, whatever its source hides.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from timetrial.harness.planning.imports import is_common
from timetrial.harness.rules.words import (
    FILE_METHODS,
    FOREIGN_CALLS,
    FOREIGN_MODULES,
    INTROSPECTION,
    REACHED,
    SIZES,
    SUSPECT_CALLS,
    SUSPECT_MODULES,
    TASK_NUMBERS,
    UNUSUAL_SIZE,
)

REFUSED, WARNING = "refused", "warning"
DEEPEST = 4
"""The names below `timetrial` in `from timetrial.submissions.NAME.module import function`."""


@dataclass(frozen=True, order=True)
class Finding:
    """A place in a source that breaks a rule, or may."""

    file: str
    line: int
    severity: str
    """`refused` or `warning`."""
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.severity}: {self.message}"


def lint_files(files: Iterable[tuple[str, Path]]) -> list[Finding]:
    """Read the Python files of a submission, such as `SubmissionFolder.source_files().items()`."""
    return sorted({f for name, path in files if path.suffix == ".py" for f in lint_source(path.read_bytes(), name)})


def lint_source(source: str | bytes, file: str = "submission.py") -> list[Finding]:
    """Read the text of a module; what is no Python is one refusal."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return [Finding(file, error.lineno or 1, REFUSED, f"is no Python: {error.msg}")]
    except (ValueError, RecursionError, MemoryError) as error:
        return [Finding(file, 1, REFUSED, f"cannot be read: {' '.join(str(error).split()) or type(error).__name__}")]
    try:
        reader = _Reader(tree)
        return sorted({Finding(file, line, severity, message) for line, severity, message in reader.findings()})
    except RecursionError:
        return [Finding(file, 1, REFUSED, "nests too deeply to be read")]


class _Reader:
    """One pass over a module that knows what each imported name stands for."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        self.imported: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.name if alias.asname else alias.name.partition(".")[0]
                    self.imported[alias.asname or name] = name
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    self.imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"

        self.modules = {name.partition(".")[0] for name in self.imported.values()}

    def findings(self) -> Iterator[tuple[int, str, str]]:
        for node in ast.walk(self.tree):
            for severity, message in self._judge(node):
                yield getattr(node, "lineno", 1), severity, message

    def _judge(self, node: ast.AST) -> Iterator[tuple[str, str]]:
        match node:
            case ast.Import():
                for alias in node.names:
                    yield from _judge_module(alias.name)
            case ast.ImportFrom():
                for alias in node.names:
                    yield from _judge_module(f"{node.module or ''}.{alias.name}", node.level)
            case ast.Attribute() if node.attr in INTROSPECTION:
                yield _behind(node.attr)
            case ast.MatchClass() if found := INTROSPECTION.intersection(node.kwd_attrs):
                yield _behind(min(found))
            case ast.Attribute() if node.attr in FILE_METHODS:
                yield REFUSED, f"{node.attr} reaches files: a submission reads and writes none"
            case ast.Name(id="getattr" | "setattr" | "delattr") if id(node) not in self.called:
                yield REFUSED, f"hands {node.id} on: write down what is read or set"
            case ast.Attribute() | ast.Name() if isinstance(node.ctx, ast.Load):
                yield from self._judge_name(node)
            case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[target, *_]):
                yield from self._judge_setattr(target)
            case ast.Call(func=ast.Name(id="getattr"), args=[target, name, *_]):
                yield from self._judge_getattr(target, name)
            case ast.Call(func=ast.Attribute(attr="get"), args=[key, *_]) if _mentions(key, TASK_NUMBERS | {"numel"}):
                yield REFUSED, "looks a value up by a number of the task or of weights, which singles out a workload"
            case ast.Compare():
                yield from _judge_comparison(node)
            case ast.Subscript() if _mentions(node.slice, TASK_NUMBERS):
                yield (
                    REFUSED,
                    "looks a value up by a number of the task, which singles out a workload",
                )
            case ast.Subscript(value=ast.Dict()) if _tells_size(node.slice):
                yield REFUSED, "looks a value up by a size, which singles out a workload"
            case ast.Subscript() if _mentions(node.slice, {"numel", "nelement"}) and isinstance(node.ctx, ast.Load):
                yield REFUSED, "looks a value up by a number of weights, which singles out a workload"
            case ast.Match() if _mentions(node.subject, TASK_NUMBERS | {"shape"}):
                yield REFUSED, "matches on numbers of the task or shapes, which singles out a workload"
        for target in _assigned(node):
            if isinstance(target, ast.Attribute):
                yield from self._judge_patch(target.value)
                if target.attr in ("forward", "__class__", "__call__"):
                    yield REFUSED, f"replaces {target.attr}: what is evaluated is the workload's own model"

    def _judge_name(self, node: ast.Attribute | ast.Name) -> Iterator[tuple[str, str]]:
        name = self._full_name(node)
        if name is None:
            return
        first, *others = name.split(".")
        if others and others[-1] in REACHED and first in self.modules:
            yield REFUSED, f"reaches {others[-1]} through {first}"
        for rules, severity in ((FOREIGN_CALLS, REFUSED), (SUSPECT_CALLS, WARNING)):
            for start, reason in rules.items():
                if name == start or (start.endswith(".") and name.startswith(start)):
                    yield severity, f"{name} {reason}"

    def _judge_getattr(self, target: ast.expr, name: ast.expr) -> Iterator[tuple[str, str]]:
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            yield REFUSED, "reads an attribute whose name is computed: write it down"
            return
        attribute = ast.Attribute(target, name.value, ast.Load())
        yield from self._judge(attribute)

    def _judge_setattr(self, target: ast.expr) -> Iterator[tuple[str, str]]:
        if isinstance(target, ast.Name) and target.id == "self":
            return
        yield REFUSED, f"sets an attribute of {ast.unparse(target)}, which it was given, by name"

    def _judge_patch(self, target: ast.expr) -> Iterator[tuple[str, str]]:
        name = self._full_name(target)
        if name is None or name.partition(".")[0] not in self.modules:
            return
        if any(map(is_common, name.split("."))):
            yield REFUSED, f"changes {name}, which is not its own"
        else:
            yield WARNING, f"changes {name}, of a package that it brings"

    def _full_name(self, node: ast.expr) -> str | None:
        """Give the dotted name that an expression stands for; builtins stand for themselves."""
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        return ".".join([self.imported.get(node.id, node.id), *reversed(parts)])


def _judge_module(name: str, level: int = 0) -> Iterator[tuple[str, str]]:
    if level:
        yield REFUSED, f"imports relatively: write `from timetrial.submissions.{name.strip('.')} import ...`"
        return
    first, *others = name.split(".")
    if others and others[-1] in REACHED and first != "timetrial":
        yield REFUSED, f"imports {others[-1]} through {first}"
    if first == "timetrial" and others[:1] == ["submissions"] and len(others) > DEEPEST:
        yield REFUSED, f"imports {name}: a trainee has the files beside submission.py and the modules of submissions/"
    for rules, severity in ((FOREIGN_MODULES, REFUSED), (SUSPECT_MODULES, WARNING)):
        for module, reason in rules.items():
            if name == module or name.startswith(f"{module}."):
                yield severity, f"imports {module}, which {reason}"
    if name.startswith("timetrial.harness") and not name.startswith(
        ("timetrial.harness.submission", "timetrial.harness.workload.Batch")
    ):
        yield REFUSED, "imports the harness: only timetrial.harness.submission is for submissions"


def _judge_comparison(node: ast.Compare) -> Iterator[tuple[str, str]]:
    sides = [node.left, *node.comparators]
    sizes = {c.value for side in sides for c in ast.walk(side) if isinstance(c, ast.Constant) and _is_size(c.value)}
    sides = [side for side in sides if not _is_share_of_the_budget(side)]
    exact = any(isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn | ast.Is) for operator in node.ops)
    if any(_mentions(side, TASK_NUMBERS) for side in sides) and any(isinstance(side, ast.Constant) for side in sides):
        yield (REFUSED if exact else WARNING), "branches on a number of the task, which may single out a workload"
    elif sizes and any(map(_tells_size, sides)):
        number = ", ".join(map(str, sorted(sizes)))
        yield (REFUSED if exact else WARNING), f"branches on a size ({number}), which may single out a workload"


def _is_share_of_the_budget(node: ast.expr) -> bool:
    """Whether an expression is `task.elapsed_seconds() / task.budget_seconds`, the same on every workload."""
    match node:
        case ast.BinOp(
            left=ast.Call(func=ast.Attribute(attr="elapsed_seconds")),
            op=ast.Div(),
            right=ast.Attribute(attr="budget_seconds"),
        ):
            return True
    return False


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= UNUSUAL_SIZE


def _tells_size(node: ast.AST) -> bool:
    """Whether a shape, a number of weights, or a length stands somewhere in an expression."""
    called = (part.func for part in ast.walk(node) if isinstance(part, ast.Call))
    return _mentions(node, SIZES) or any(isinstance(function, ast.Name) and function.id == "len" for function in called)


def _mentions(node: ast.AST, names: Iterable[str]) -> bool:
    """Whether an attribute of one of `names` stands somewhere in an expression."""
    return any(isinstance(part, ast.Attribute) and part.attr in names for part in ast.walk(node))


def _assigned(node: ast.AST) -> Iterator[ast.expr]:
    """List what a statement assigns to or deletes."""
    if isinstance(node, ast.Assign | ast.Delete):
        targets = list(node.targets)
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.NamedExpr | ast.For):
        targets = [node.target]
    else:
        return
    while targets:
        target = targets.pop()
        if isinstance(target, ast.Tuple | ast.List):
            targets += target.elts
        else:
            yield target


def _behind(name: str) -> tuple[str, str]:
    return REFUSED, f"{name} looks behind the interface: use what model, hyperparameters and task offer"
