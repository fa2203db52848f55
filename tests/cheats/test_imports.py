"""What a submission imports from outside is what was hashed, readable where it lies, and nothing beside it is."""

import shutil
import subprocess
import sysconfig

import pytest

from tests.cheats.test_reach import needs_files
from tests.harness.trial.tiny import HONEST, SPEC
from tests.requirements import lacks
from timetrial.harness import UsageError
from timetrial.harness.planning.imports import MANIFEST, find_imports, hash_module, manifest
from timetrial.harness.planning.source import Source, read_copy
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.trial.referee import run_trial

USES = """
import os
import kit.core

def build_optimizer(model, hyperparameters, task):
    print(kit.core.__file__, kit.core.WHAT, flush=True)
    for place in {places}:
        try:
            print("REACHED", open(place).read(), flush=True)
        except OSError as error:
            print("refused", type(error).__name__, flush=True)
    return kit.core.make(model, hyperparameters.learning_rate)
"""
CHANGES = """
import kit.core

try:
    open(kit.core.__file__, "a")
except OSError:
    print("read-only", flush=True)
"""
CORE = """
import torch

WHAT = "the kit"

def make(model, rate):
    return torch.optim.AdamW(model.parameters(), lr=rate)
"""
EXTENSION = """
#include <Python.h>
static PyObject *half(PyObject *self, PyObject *x) { return PyFloat_FromDouble(PyFloat_AsDouble(x) / 2); }
static PyMethodDef methods[] = {{"half", half, METH_O, ""}, {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "halving", NULL, -1, methods};
PyMODINIT_FUNC PyInit_halving(void) { return PyModule_Create(&module); }
"""


@pytest.fixture
def kit(tmp_path):
    """A package that lies outside of the environment, beside a file that nobody may read."""
    folder = tmp_path / "src" / "kit"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "core.py").write_text(CORE)
    (tmp_path / "src" / "answers.py").write_text("the answers")
    return folder


def run(source: Source, arena, path):
    path.mkdir()
    result = run_trial(SPEC, source, arena, TrialFolder(path))
    log = path / "trainee.log"
    return result, log.read_text() if log.exists() else ""


@needs_files
def test_a_package_outside_of_the_environment_is_imported_and_what_lies_beside_it_is_not_read(kit, arena, tmp_path):
    places = [str(kit.parent / "answers.py"), str(tmp_path / "trial" / "evals.jsonl"), "/imports/answers.py"]
    result, said = run(Source(USES.format(places=places), imports={"kit": str(kit)}), arena, tmp_path / "trial")
    assert result.status == "budget_exhausted", (result.reason, result.traceback)
    assert "the kit" in said and said.count("refused") == 2 * 3 and "REACHED" not in said


def test_it_cannot_be_changed_by_who_imports_it(kit, arena, tmp_path):
    _, said = run(Source(CHANGES + HONEST, imports={"kit": str(kit)}), arena, tmp_path / "trial")
    assert "read-only" in said and (kit / "core.py").read_text() == CORE


HUNTS = """
import importlib, importlib.util

found = {}
for name in ("sklearn", "rdkit", "pytest", "kit", "pytorch_optimizer"):
    try:
        found[name] = importlib.util.find_spec(name) or importlib.import_module(name)
    except ImportError:
        pass
print("FOUND", found, flush=True)
"""


def test_what_is_installed_and_was_not_found_in_the_source_cannot_be_imported_whatever_the_way(arena, tmp_path):
    result, said = run(Source(HUNTS + HONEST), arena, tmp_path / "trial")
    assert result.status == "budget_exhausted" and "FOUND {}" in said


def test_a_compiled_module_runs(arena, tmp_path):
    compiler = shutil.which("cc") or shutil.which("g++")
    include = sysconfig.get_path("include")
    if compiler is None:
        lacks("compiler", "apt-get install g++ python3-dev")
    (tmp_path / "halving.c").write_text(EXTENSION)
    built = tmp_path / f"halving{sysconfig.get_config_var('EXT_SUFFIX')}"
    command = [compiler, "-x", "c", "-shared", "-fPIC", f"-I{include}", "-o", built, tmp_path / "halving.c"]
    subprocess.run(command, check=True, capture_output=True)
    (tmp_path / "mine.py").write_text("import halving\n")
    ((its),) = find_imports([tmp_path / "mine.py"], tmp_path)
    assert (its.place, its.files) == (built, 1)
    text = "import halving\nprint('HALF', halving.half(3.0), flush=True)\n"
    result, said = run(Source(text + HONEST, imports={"halving": str(built)}), arena, tmp_path / "trial")
    assert result.status == "budget_exhausted" and "HALF 1.5" in said


def test_a_copy_that_was_changed_does_not_run(kit, tmp_path):
    source, imports = tmp_path / "source", tmp_path / "imports"
    source.mkdir()
    (source / "submission.py").write_text("import kit.core\n")
    shutil.copytree(kit, imports / "kit")
    (source / MANIFEST).write_text(manifest(find_imports([source / "submission.py"], kit.parent)))
    assert read_copy("mine", source, imports).imports == {"kit": str(imports / "kit")}
    assert hash_module(kit) == hash_module(imports / "kit")
    other = tmp_path / "other"
    shutil.copytree(imports, other)
    (other / "kit" / "core.py").write_text(CORE + "WHAT = 'another'\n")
    with pytest.raises(UsageError, match="has changed since the run began"):
        read_copy("mine", source, other)
    with pytest.raises(UsageError, match="is missing"):
        read_copy("mine", source, tmp_path / "nowhere")
