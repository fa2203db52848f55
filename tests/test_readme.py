"""What the documents say is so: their commands run, their links lead somewhere, their tables are the program's.

Each `sh` block of README.md is run as written. What takes hours, data or a network stands in a `text` block: of that,
and of the blocks of the other documents, the verbs and the overrides must be right.
"""

import os
import re
import shlex
import subprocess
import sys
import venv
from shutil import copytree, ignore_patterns

import pytest

from timetrial.harness.cli import VERBS
from timetrial.harness.planning.catalogue import submission_names
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.outside import is_outside
from timetrial.harness.planning.places import ROOT
from timetrial.harness.planning.suite_file import is_suite_file

pytestmark = pytest.mark.timeout(560)  # the commands of the README, on a loaded machine

FOLDERS = (".github", "configs", "docs", "harness", "results", "scripts", "submissions", "workloads")
DOCUMENTS = [*ROOT.glob("*.md")] + [
    path
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.md"))
    if not set(path.relative_to(ROOT).parts[:-1]) & {"source", "__pycache__"}
    and path.relative_to(ROOT).parts[:2] != ("results", "runs")
]
WRITTEN = [path for path in DOCUMENTS if path.relative_to(ROOT).parts[0] != "results"]
"""The documents that a person writes; most of those in `results/` are written by the program."""
README = (ROOT / "README.md").read_text()
LINE_LENGTH = 120


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def blocks(text):
    """List the fenced blocks of a document, as (language, content)."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(text):
    """List the calls of `timetrial` in the fenced blocks of a document, each as its words."""
    for _, content in blocks(text):
        for line in content.replace("\\\n", " ").splitlines():
            if re.match(r"(\.venv/bin/)?timetrial ", line):
                yield shlex.split(line, comments=True)[1:]


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of this clone with an environment of its own, whose trials are few, on one thread, and of 40 batches."""
    folder = tmp_path_factory.mktemp("readme") / "clone"
    passed_over = ignore_patterns(".venv", ".git", "results", "*.egg-info", "__pycache__", ".*_cache")
    copytree(ROOT, folder, ignore=passed_over)
    for file, told, shortened in (
        ("config.yaml", "max_steps: null", "max_steps: 40"),
        ("ruleset/external.yaml", "trials: ${oc.select:suite.trials,5}", "trials: 1"),
        ("executor/local.yaml", "threads: auto", "threads: 1"),
    ):
        text = (folder / "configs" / file).read_text()
        assert told in text
        (folder / "configs" / file).write_text(text.replace(told, shortened))
    venv.create(folder / ".venv")
    (packages,) = folder.glob(".venv/lib/python*/site-packages")
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "libraries.pth").write_text("\n".join(libraries) + "\n")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--editable", str(folder))
    pip = (sys.executable, "-m", "pip", "--python", str(folder / ".venv" / "bin" / "python"))
    subprocess.run([*pip, "install", *options], check=True, timeout=200)
    (folder / ".venv" / "installed").touch()  # so that scripts/setup has nothing to install
    return folder


@pytest.fixture(scope="module")
def output(clone):
    """What the README's commands print, one after the other in one shell; its Python goes where it says."""
    script, written = ["set -euo pipefail"], iter(re.findall(r"into `(\S+\.py)`", README))
    for language, content in blocks(README):
        if language == "sh":
            script.append(content)
        elif language == "python":
            script.append(f"cat >{next(written)} <<'PYTHON'\n{content}PYTHON")
    passed_on = {name: value for name, value in os.environ.items() if not name.startswith(("TIMETRIAL_", "PYTHON"))}
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=clone,
        env=passed_on | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_commands_of_the_readme_run_as_written(output, clone):
    assert (clone / "results" / "runs" / "quickstart" / "report" / "leaderboard.html").exists()
    boards = output.split("# TimeTrial leaderboard: quickstart, self_tuning")
    assert len(boards) == 3, "one leaderboard from the quickstart, and one with the reader's own optimizer"
    assert "| mine |" not in boards[1] and "| mine |" in boards[2]


def test_the_readme_shows_the_columns_that_the_program_prints(output):
    shown = next(content for language, content in blocks(README) if "# TimeTrial leaderboard" in content)
    headings = [line for line in shown.splitlines() if line.startswith(("#", "| rank", "| ---"))]
    assert len(headings) == 3 and set(headings) <= set(output.splitlines())


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_to_files_that_are_there(document):
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / target).exists(), f"{name_of(document)} links to {target}"


@pytest.mark.parametrize("document", WRITTEN, ids=name_of)
def test_the_calls_of_timetrial_in_the_documents_are_right(document):
    examples = {"DIR": "dir", "my_method": "sgd", "mine": "sgd", "NAME": "sgd"}
    for verb, *words in commands(document.read_text()):
        assert verb in VERBS, f"{name_of(document)} has timetrial {verb}"
        if verb == "run":
            config = compose([word for word in words if not word.startswith("--") and not is_suite_file(word)])
            named = config["submission"]
            for name in [named] if isinstance(named, str) else named:
                known = is_outside(name) or examples.get(name, name) in submission_names()
                assert known, f"{name_of(document)} runs {name}"


@pytest.mark.parametrize("document", WRITTEN, ids=name_of)
def test_documents_name_folders_and_modules_that_are_there(document):
    rooms = "harness|workloads|submissions|configs|scripts|tests"
    for named in re.findall(rf"`((?:{rooms})/[\w/.]*)`", document.read_text()):
        assert (ROOT / named).exists() or "/mine/" in named, f"{name_of(document)} names {named}"


PAGES = sorted(path for path in (ROOT / "harness" / "report" / "assets").iterdir() if path.is_file())


@pytest.mark.parametrize("file", [*WRITTEN, *PAGES], ids=name_of)
def test_no_line_is_too_long(file):
    printed = False  # what a program prints, in a block of "text", is as long as it is
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        printed = line.startswith("```text") or (printed and not line.startswith("```"))
        table_or_link = file.suffix == ".md" and line.lstrip().startswith(("|", "![", "["))
        length = len(re.sub("<!--.*?-->", "", line))  # as it is read, without the marks of computed numbers
        fits = printed or table_or_link or length <= LINE_LENGTH
        assert fits, f"{name_of(file)}:{number} has {length} characters"
