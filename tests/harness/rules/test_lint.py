"""The lint finds what breaks a rule, with its line, and leaves honest submissions alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timetrial.harness.planning.catalogue import SUBMISSIONS, find_submission, submission_names
from timetrial.harness.rules.lint import REFUSED, WARNING, lint_files, lint_source

BREAKS = {
    "import datasets": REFUSED,
    "from torchvision.datasets import CIFAR10": REFUSED,
    "import numpy as np; np.load('weights.npy')": REFUSED,
    "open('validation.npz')": REFUSED,
    "import os; os.environ['HOME']": REFUSED,
    "from os import environ as e; e['HOME']": REFUSED,
    "import subprocess": REFUSED,
    "import socket as s": REFUSED,
    "import ctypes.util": REFUSED,
    "import sys; sys._getframe(1)": REFUSED,
    "import gc; gc.get_objects()": REFUSED,
    "import inspect": REFUSED,
    "task.loss.__self__": REFUSED,
    "step.__globals__['assignment']": REFUSED,
    "import time; time.perf_counter = lambda: 0": REFUSED,
    "import torch; torch.cuda.synchronize = print": REFUSED,
    "import theirkit; theirkit.config.compile = False": WARNING,
    "import theirkit; theirkit.utils.torch.cuda.synchronize = print": REFUSED,
    "import torch; setattr(torch.cuda, 'synchronize', print)": REFUSED,
    "model.forward = cheat": REFUSED,
    "import timetrial.harness.trial.trainee": REFUSED,
    "from timetrial.workloads.small_gpt import SmallGpt": REFUSED,
    "if p.shape == (65, 384): lr = 1": REFUSED,
    "if p.numel() in (1024, 4096): lr = 1": REFUSED,
    "lr = 1 if task.step_hint == 1800 else 2": REFUSED,
    "lr = {128: 1, 256: 2}[task.batch_size]": REFUSED,
    "exec('import socket')": REFUSED,
    "__import__('socket')": REFUSED,
    "import torch; torch.set_num_threads(64)": REFUSED,
    "getattr(task.loss, '__self__')": REFUSED,
    "getattr(task.loss, '__se' + 'lf__')": REFUSED,
    "read = getattr": REFUSED,
    "import operator; operator.attrgetter('loss.__self__')(task)": REFUSED,
    "from operator import attrgetter as a; a('x')": REFUSED,
    "import torch; torch.os.listdir('/')": REFUSED,
    "import socketserver": REFUSED,
    "from unittest import mock": REFUSED,
    "import pydoc": REFUSED,
    "from codecs import open as read; read('validation.npz')": REFUSED,
    "import torch; torch.jit.fork(work, x)": REFUSED,
    "from torch import os": REFUSED,
    "import numpy; numpy.ctypeslib.as_array": REFUSED,
    "import torch; torch._C._set_flush_denormal(True)": REFUSED,
    "torch.UntypedStorage.from_file('weights', False, 9)": REFUSED,
    "storage.from_file('weights', False, 9)": REFUSED,
    "setattr(model, 'forward', cheat)": REFUSED,
    "setattr(task, 'step_hint', 1)": REFUSED,
    "if len(p) == 384: lr = 1": REFUSED,
    "if len(list(model.parameters())) == 62: lr = 1": REFUSED,
    "lr = {3616: 1, 9999: 2}[sum(p.numel() for p in model.parameters())]": REFUSED,
    "lr = TABLE[sum(p.numel() for p in model.parameters())]": REFUSED,
    "lr = TABLE.get(task.step_hint, 1)": REFUSED,
    "lr = {62: 1}[len(list(model.parameters()))]": REFUSED,
    "import torch; torch.set_float32_matmul_precision('medium')": REFUSED,
    "import torch; torch.set_flush_denormal(True)": REFUSED,
    "import timetrial.submissions.mine.core.impl.deep": REFUSED,
    "from timetrial.submissions.mine.core.impl import train": REFUSED,
    "if p.shape[0] > 8192: pass": WARNING,
    "import time": WARNING,
    "import torch; torch.manual_seed(0)": WARNING,
}


@pytest.mark.parametrize("line", BREAKS)
def test_a_break_is_found_at_its_line(line) -> None:
    findings = [f for f in lint_source(f"x = 1\n{line}\n") if f.severity == BREAKS[line]]
    assert findings
    assert all(f.line == 2 for f in findings)


HONEST = [
    *("if p.ndim == 2: pass", "if p.shape[0] == 1: pass", "n = task.step_hint // 20", "x[0] = 1"),
    *("if len(p.shape) == 2: pass", "getattr(group, 'lr', 0.1)", "setattr(self, name, 1)", "cache[p.shape] = 1"),
    *("import math; math.sqrt(2)", "import torch; torch.linalg.qr(x)", "state.get('step', 0)"),
    *("from timetrial.submissions.mine.parts import build", "x.sum() / x.numel()"),
    "def forward(ctx, input): return input.sign()",
]


@pytest.mark.parametrize("line", HONEST)
def test_what_optimizers_do_is_no_finding(line) -> None:
    assert lint_source(line) == []


@pytest.mark.parametrize("name", submission_names())
def test_no_submission_of_this_clone_is_refused(name) -> None:
    files = find_submission(name).source_files().items()
    assert [f for f in lint_files(files) if f.severity == REFUSED] == []


def test_what_is_no_python_is_one_refusal_with_its_line() -> None:
    (finding,) = lint_source("x = 1\ndef f(:\n")
    assert (finding.line, finding.severity) == (2, REFUSED)


WORDS = [
    "import os",
    "if p.shape == (64,):",
    " pass",
    "x = task.step_hint",
    "(",
    ")",
    "\n",
    "lambda:",
    "\x00",
    "é",
    "match x:",
]


@settings(max_examples=2000, deadline=None)
@given(
    st.one_of(st.text(max_size=60), st.binary(max_size=60), st.lists(st.sampled_from(WORDS), max_size=8).map("\n".join))
)
def test_any_text_has_findings_and_no_traceback(source) -> None:
    for finding in lint_source(source):
        assert finding.severity in (REFUSED, WARNING)
        assert finding.line >= 1


def test_the_template_passes() -> None:
    assert lint_files([("submission.py", SUBMISSIONS / "template" / "submission.py")]) == []


def test_a_pattern_reads_an_attribute_too() -> None:
    (found,) = lint_source("match task.next_batch:\n    case object(__self__=stream):\n        pass\n")
    assert (found.severity, found.line) == (REFUSED, 2)
