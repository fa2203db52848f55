"""Imports run in one direction, from the command line down to the two interfaces, and never in a circle."""

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from timetrial.harness.planning.places import ROOT

LAYERS = (
    ("workload", "submission"),
    ("planning",),
    ("records",),
    ("scoring", "trial"),
    ("rules", "runs"),
    ("report",),
    ("entries",),
    ("judging",),
    ("measuring", "explain"),
    ("api",),
    ("commands",),
    ("cli",),
)
"""What may import what: each room of `harness/` only from the rows above it, and from itself."""


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(["timetrial", *parts]).removesuffix(".__init__").replace("timetrial.harness.api", "timetrial")


def room_of(module: str) -> str:
    """Name the room of `harness/` that a module is in; `api` is the package timetrial itself."""
    parts = module.split(".")
    return "api" if parts[1:2] not in (["harness"], ["workloads"], ["submissions"]) else parts[2]


MODULES = {
    module_name(file): file
    for folder in ("harness", "workloads", "submissions")
    for file in sorted((ROOT / folder).rglob("*.py"))
}


ROOMS: dict[str, list[str]] = {}
for name, file in MODULES.items():
    if "harness" in file.relative_to(ROOT).parts[:1] and name != "timetrial.harness":
        ROOMS.setdefault(room_of(name), []).append(name)


def imports_of(module: str) -> Iterator[str]:
    """List the modules of this project that `module` imports, wherever in it, but for type checkers alone."""
    tree = ast.parse(MODULES[module].read_bytes())
    for branch in [node for node in ast.walk(tree) if isinstance(node, ast.If)]:
        if ast.unparse(branch.test) == "TYPE_CHECKING":
            branch.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("timetrial"):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in MODULES else node.module for name in names)


def test_no_import_runs_in_a_circle():
    graph = {module: set(imports_of(module)) - {module} for module in MODULES}
    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, naming the circle
    assert len(order) >= len(MODULES)


@pytest.mark.parametrize("room", [room for layer in LAYERS for room in layer])
def test_a_room_of_the_harness_imports_only_from_those_below_it(room):
    below = {name for layer in LAYERS[: [room in layer for layer in LAYERS].index(True)] for name in layer} | {room}
    if room == "submission":
        below |= {"workload"}
    for module in ROOMS[room]:
        for name in imports_of(module):
            if name != "timetrial.harness":
                assert room_of(name) in below, f"{module} imports {name}"


def test_every_room_of_the_harness_has_a_layer():
    assert set(ROOMS) == {room for layer in LAYERS for room in layer}


def test_harness_names_no_workload_and_no_submission_and_these_know_only_its_interfaces():
    interfaces = ("timetrial.harness", "timetrial.harness.workload", "timetrial.harness.submission")
    packages = {module: "harness" if module in ROOMS["api"] else module.split(".")[1] for module in MODULES}
    for module, package in packages.items():
        for name in imports_of(module):
            allowed = packages[name] == package or (package != "harness" and name in interfaces)
            assert allowed, f"{module} imports {name}"
