"""Made-up runs, written once, and what the command line makes of them."""

from pathlib import Path

import pytest

from tests.harness.report.generator import FIELD, Algorithm, write_run
from timetrial.harness.cli import main

HOSTILE = Algorithm(
    "evil",
    0.8,
    description='</script><script>document.title = "owned"</script><img src=x onerror=alert(1)> "quotes" & more',
    references=("javascript:alert(1)", "Doe 2024, https://example.org/a?b=1&c=<i>"),
    author="<b>bold</b>",
)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory) -> Path:
    """A run of everybody in `FIELD`, and one whose words are written to break a page."""
    path = tmp_path_factory.mktemp("runs") / "first"
    write_run(path, [*FIELD, HOSTILE])
    return path


@pytest.fixture(scope="session")
def report(run_folder) -> Path:
    """The report of that run."""
    assert main(["report", str(run_folder)]) == 0
    return run_folder / "report"
