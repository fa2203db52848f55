"""Importing a submission from its text: a trainee reads no file of `submissions/`, so what runs is what was hashed."""

import linecache
import sys
import types
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

from timetrial.harness.planning.source import MAIN, Source

PACKAGE = "timetrial.submissions"


def load_submission(source: Source) -> types.ModuleType:
    """Run the text of a `submission.py` as a module of its own, whose lines tracebacks can show."""
    for name in [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Texts(source.modules))
    module = sys.modules["submission"] = types.ModuleType("submission")
    _run(source.main, MAIN, module)
    return module


class _Texts(MetaPathFinder, Loader):
    """Finds the modules of `submissions/` among texts, and no other."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = dict(texts)
        packages = {name.rpartition(".")[0] for name in texts} | {PACKAGE}
        self.texts |= dict.fromkeys(packages - self.texts.keys(), "")

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        if name != PACKAGE and not name.startswith(f"{PACKAGE}."):
            return None
        if name not in self.texts:
            raise ModuleNotFoundError(f"No module named {name!r} in the source of this submission", name=name)
        is_package = any(other.startswith(f"{name}.") for other in self.texts) or name == PACKAGE
        return ModuleSpec(name, self, is_package=is_package)

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        _run(self.texts[name], name.removeprefix(f"{PACKAGE}.").replace(".", "/") + ".py", module)


def _run(text: str, file: str, module: types.ModuleType) -> None:
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), module.__dict__)
