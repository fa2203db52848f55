"""docs/python.md is one notebook: it is made of the page's code, executed in a real kernel, and shows what it says."""

import io
import os
import re

import nbformat
import pandas
import pytest
from nbclient import NotebookClient

import timetrial
from timetrial.harness.planning.places import ROOT

pytestmark = pytest.mark.timeout(280)  # four trials, on a loaded machine

CODE = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL)
RACE = 'race(["adamw", mine]'


class Watched(NotebookClient):
    """Counts the messages that a frontend gets while cells run."""

    def process_message(self, message, cell, cell_index):
        self.counts[message["msg_type"]] = self.counts.get(message["msg_type"], 0) + 1
        return super().process_message(message, cell, cell_index)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    home = tmp_path_factory.mktemp("notebook")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code.strip()) for code in CODE])
    client = Watched(book, timeout=260, kernel_name="python3", resources={"metadata": {"path": str(home)}})
    client.counts = {}
    client.execute(env=os.environ | {"TIMETRIAL_HOME": str(home / "runs"), "OMP_NUM_THREADS": "1"})
    book.counts, book.home = client.counts, home
    return book


def shown(notebook, code: str, form: str) -> str:
    """What the one cell with `code` in it shows last in a form such as text/html, or prints."""
    (cell,) = [cell for cell in notebook.cells if code in cell.source]
    if form == "stream":
        return "".join(output.text for output in cell.outputs if output.output_type == "stream")
    return [output for output in cell.outputs if form in output.get("data", {})][-1]["data"][form]


def test_the_race_shows_its_leaderboard(notebook):
    (table,) = pandas.read_html(io.StringIO(shown(notebook, RACE, "text/html")))
    assert set(table["submission"]) == {"adamw", "mine"}
    assert list(table["rank"]) in ([1, 2], [1, 1])


def test_a_progress_bar_was_alive_in_the_cell_and_says_that_all_is_done(notebook):
    assert notebook.counts["update_display_data"] >= 4, "one for each trial at least"
    (cell,) = [cell for cell in notebook.cells if RACE in cell.source]
    texts = [re.sub("<.*?>", "", output.get("data", {}).get("text/html", "")) for output in cell.outputs]
    assert any("4 of 4 trials" in text for text in texts)
    assert "[4/4]" in shown(notebook, RACE, "stream")


def test_what_cannot_travel_is_one_clear_line(notebook):
    said = shown(notebook, "[scaled]", "stream")
    assert said == "scaled uses scale, a Tensor of this session: build it inside scaled\n"


def test_plots_and_comparisons_show_themselves(notebook):
    assert shown(notebook, "performance_profile", "image/svg+xml").lstrip().startswith("<?xml")
    assert "mine is so much faster" in shown(notebook, "race.compare(", "text/html")


def test_what_was_raced_is_read_again(notebook):
    assert shown(notebook, "timetrial.read(", "text/plain") == "True"
    (run,) = (notebook.home / "runs").iterdir()
    results = timetrial.read(run)
    assert (results.trials["status"] != "crashed").all() and len(results.trials) == 4
    assert (
        list(results.trials.loc[results.trials["submission"] == "mine", "hyperparameter_learning_rate"]) == [2e-3] * 2
    )
    assert len(results.curves) == results.trials["n_evals"].sum()
