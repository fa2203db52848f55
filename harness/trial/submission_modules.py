"""Importing a submission from its text, and what it imports from the places that were hashed: nothing else is found.

What every submission can import is the standard library, this project, and what that needs.
"""

import linecache
import sys
import types
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

from timetrial.harness.planning.imports import is_common
from timetrial.harness.planning.source import MAIN, Source

PACKAGE = "timetrial.submissions"


def load_submission(source: Source) -> types.ModuleType:
    """Run the text of a `submission.py` as a module of its own, whose lines tracebacks can show."""
    for name in filter(_is_ours, list(sys.modules)):
        del sys.modules[name]
    for name in source.imports:
        sys.modules.pop(name, None)
    sys.meta_path = [_Texts(source.modules), _Recorded(source.imports, sys.meta_path)]
    module = sys.modules["submission"] = types.ModuleType("submission")
    _run(source.main, MAIN, module)
    return module


class _Recorded(MetaPathFinder):
    """Finds top-level modules from outside in the places that were hashed, and others only where all can import them.

    It stands before the finders that there were, so that what was not recorded is not there, for whoever asks.
    """

    find_distributions = staticmethod(PathFinder.find_distributions)  # what is installed stays known to its packages

    def __init__(self, places: Mapping[str, str], finders: Sequence[Any]) -> None:
        self.places, self.finders = places, finders
        self.there = {name.partition(".")[0] for name in sys.modules} - places.keys()

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        if name in self.places:
            return _spec_at(name, Path(self.places[name]))
        first = name.partition(".")[0]
        known = first in self.places or first in self.there or first.startswith("_sysconfigdata") or is_common(first)
        found = (finder.find_spec(name, path, target) for finder in self.finders)
        spec = next((spec for spec in found if spec is not None), None)
        return spec if spec is not None and (known or _is_of_setuptools(spec)) else None


def _is_of_setuptools(spec: ModuleSpec) -> bool:
    """Whether it is one of the modules that setuptools, which torch.compile needs, brings with it."""
    places = [spec.origin or "", *(spec.submodule_search_locations or ())]
    return any("/setuptools/_vendor/" in place for place in places)


def _spec_at(name: str, place: Path) -> ModuleSpec | None:
    """Give the spec of a module at a place of its own, whatever lies beside it."""
    if place.is_file():
        return spec_from_file_location(name, place)
    spec = PathFinder.find_spec("__init__", [str(place)])
    if spec is None or not spec.has_location:
        return _namespace(name, place)
    return spec_from_file_location(name, spec.origin, submodule_search_locations=[str(place)])


def _namespace(name: str, place: Path) -> ModuleSpec:
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(place)]
    return spec


class _Texts(MetaPathFinder, Loader):
    """Finds the modules of `submissions/` and those beside `submission.py` among texts, and no other of these."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = {name: text for name, text in texts.items() if _is_ours(name) or not is_common(name)}
        packages = {name.rpartition(".")[0] for name in texts if _is_ours(name)} | {PACKAGE}
        self.texts |= dict.fromkeys(packages - self.texts.keys(), "")

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        if name not in self.texts:
            if _is_ours(name):
                raise ModuleNotFoundError(f"No module named {name!r} in the source of this submission", name=name)
            return None
        is_package = any(other.startswith(f"{name}.") for other in self.texts) or name == PACKAGE
        return ModuleSpec(name, self, is_package=is_package)

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        _run(self.texts[name], name.removeprefix(f"{PACKAGE}.").replace(".", "/") + ".py", module)


def _is_ours(name: str) -> bool:
    return name == PACKAGE or name.startswith(f"{PACKAGE}.")


def _run(text: str, file: str, module: types.ModuleType) -> None:
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    exec(compile(text, file, "exec"), module.__dict__)
