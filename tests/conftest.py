"""Shared by all tests."""

import signal
import sys

import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background, and so in what tests start


@pytest.fixture
def imports_restored(monkeypatch):
    """Take back what `load_submission` does to the imports: it is made for a trainee, which then ends."""
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    ours = "timetrial.submissions"
    before = {name: module for name, module in sys.modules.items() if name == ours or name.startswith(f"{ours}.")}
    yield
    for name in [name for name in sys.modules if name == ours or name.startswith(f"{ours}.")]:
        del sys.modules[name]
    sys.modules.update(before)
