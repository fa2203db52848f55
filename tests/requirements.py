"""What a test needs and a machine may lack: it then skips and says so, or fails where TIMETRIAL_REQUIRE names it."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

REQUIRED = tuple(filter(None, os.environ.get("TIMETRIAL_REQUIRE", "").split(",")))


def lacks(name: str, what: str) -> NoReturn:
    """Skip the test for want of `name`, one of those in CONTRIBUTING.md, or fail it where that is required."""
    if name in REQUIRED:
        pytest.fail(f"TIMETRIAL_REQUIRE asks for {name}: {what}")
    pytest.skip(what)


def folder_of(name: str, variable: str, holding: str) -> Path:
    """Give the folder that the environment variable names, or skip or fail."""
    if not os.environ.get(variable):
        lacks(name, f"set {variable} to the folder of {holding}")
    return Path(os.environ[variable])
