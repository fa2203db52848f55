"""The documentation site is built as CI builds it, dead links and all; the workflows of .github/ are linted."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import copytree, ignore_patterns, which

import pytest
import yaml

from tests.requirements import lacks
from timetrial.harness.planning.places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def tool(name):
    """Find a program of the extra docs, beside this Python or on the path."""
    path = which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if path is None:
        lacks("docs", f"no {name} here: ./scripts/setup docs")
    return path


def build(folder, site):
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "OMP_NUM_THREADS": "1"}
    command = [tool("mkdocs"), "build", "--strict", "--site-dir", str(site)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)


def test_the_site_is_built_without_a_warning(tmp_path):
    done = build(ROOT, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    api = (tmp_path / "api/index.html").read_text()
    assert "The number of steps a schedule may plan for." in api and "timetrial.harness.workload" in api
    patterns = ("results/*/*/leaderboard.html", "results/on_*/*/*/leaderboard.html")
    boards = [path.relative_to(ROOT) for pattern in patterns for path in ROOT.glob(pattern)]
    listed = (tmp_path / "leaderboards/index.html").read_text()
    for board in boards:
        assert (tmp_path / board).read_bytes() == (ROOT / board).read_bytes() and f'href="../{board}"' in listed
    assert boards and (tmp_path / "results/explain/norms/figure.svg").is_file()
    assert 'href="harness/scoring/"' in (tmp_path / "index.html").read_text()
    source = f"{PROJECT['urls']['Homepage']}/blob/main/submissions/muon/submission.py"
    assert f'href="{source}"' in (tmp_path / "submissions/index.html").read_text()


def test_a_dead_link_a_dead_anchor_and_a_page_that_is_missing_stop_the_build(tmp_path):
    copy = tmp_path / "clone"
    copytree(
        ROOT, copy, ignore=ignore_patterns(".*", "runs", "reports", "sources", "tests", "*.egg-info", "trials.jsonl")
    )
    with open(copy / "docs/rules.md", "a") as page:
        page.write("\n[one](nowhere.md) [two](../README.md#no-such-heading) [three](../scripts/nothing.py)\n")
    (copy / "workloads/README.md").unlink()
    done = build(copy, tmp_path / "site")
    assert done.returncode != 0
    for named in ("nowhere.md", "no-such-heading", "scripts/nothing.py", "workloads/README.md"):
        assert named in done.stderr


def lint(folder):
    command = [tool("zizmor"), "--offline", "--no-progress", "--pedantic", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def test_the_workflows_have_no_finding_and_one_with_holes_has(tmp_path):
    done = lint(ROOT / ".github")
    assert done.returncode == 0, done.stdout
    copytree(ROOT / ".github", tmp_path / ".github")
    entry = tmp_path / ".github/workflows/entry.yml"
    entry.write_text(entry.read_text().replace("pull_request:", "pull_request_target:"))
    tests = tmp_path / ".github/workflows/tests.yml"
    tests.write_text(re.sub(r"checkout@\w+ # (v\d)[\d.]+", r"checkout@\1", tests.read_text()))
    found = lint(tmp_path / ".github").stdout
    assert "dangerous-triggers" in found and "unpinned-uses" in found


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_right_that_it_does_not_name_and_runs_scripts_that_are_there(workflow):
    given = yaml.safe_load(workflow.read_text())
    assert given["permissions"] == {}
    for job in given["jobs"].values():
        rights = {name for name, level in job["permissions"].items() if level == "write"}
        assert rights <= {"id-token", "pages"} and not (rights and any("run" in step for step in job["steps"]))
        for script in re.findall(r"scripts/\w+", "\n".join(step.get("run", "") for step in job["steps"])):
            assert os.access(ROOT / script, os.X_OK), script


def test_every_python_that_the_package_names_is_tested():
    workflow = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())
    named = [line.split(" :: ")[-1] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d", line)]
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == named


def test_citation_and_changelog_know_the_version():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == PROJECT["version"]
    assert f"## {PROJECT['version']}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_an_extra_is_listed_without_the_project():
    command = [sys.executable, ROOT / "scripts/requirements_of"]
    done = subprocess.run([*command, "docs"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == PROJECT["optional-dependencies"]["docs"]
    done = subprocess.run([*command, "nothing"], capture_output=True, text=True)
    assert done.returncode and "name one of" in done.stderr


def test_the_workflow_verifies_new_entries_of_suites_that_fit_and_fails_where_one_is_challenged(tmp_path):
    def git(*arguments):
        person = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        return subprocess.run(["git", *person, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)

    def commit(*entries):
        for entry in entries:
            (tmp_path / "results" / entry).mkdir(parents=True)
            (tmp_path / "results" / entry / "trials.jsonl").write_text("{}\n")
        git("add", "-A")
        git("commit", "-m", "entries")
        return git("rev-parse", "HEAD").stdout.strip()

    for name, content in (
        ("scripts/verify_new", (ROOT / "scripts/verify_new").read_text()),
        (".venv/bin/timetrial", '#!/bin/sh\necho "$@"\ncase $2 in *forged*) exit 1 ;; esac\n'),
    ):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(content)
        (tmp_path / name).chmod(0o755)
    git("init", "-q")
    base = commit("mini/external/old")
    good = commit("mini/external/new", "full/external/large")
    commit("quickstart/self_tuning/forged")

    done = subprocess.run([tmp_path / "scripts/verify_new", base], capture_output=True, text=True)
    assert "verify mini/external/new" in done.stdout and "verify quickstart/self_tuning/forged" in done.stdout
    assert "old" not in done.stdout and "full/external/large is of a suite" in done.stdout and done.returncode == 1
    git("reset", "-q", "--hard", good)
    assert subprocess.run([tmp_path / "scripts/verify_new", base], capture_output=True).returncode == 0
    assert subprocess.run([tmp_path / "scripts/verify_new"], capture_output=True).returncode == 2
