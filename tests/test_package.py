"""The wheel, installed where there is no clone, is a working `timetrial` with one import name."""

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from email.parser import Parser
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from tests.requirements import lacks
from timetrial.harness.planning.places import HOMEPAGE, ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SMALL = ("suite=quickstart", "max_steps=40", "ruleset.trials=1", "executor.threads=1", "device=cpu")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the sdist, and the wheel from the sdist, of a copy of this tree with everything that a clone has."""
    copy, built = tmp_path_factory.mktemp("tree") / "clone", tmp_path_factory.mktemp("built")
    passed_over = ignore_patterns(".venv", ".git", "build", "*.egg-info", ".*_cache")
    runs = lambda folder: {"runs"} if Path(folder) == ROOT / "results" else set()  # noqa: E731
    copytree(ROOT, copy, ignore=lambda folder, names: passed_over(folder, names) | runs(folder))
    (copy / "submissions" / "sgd" / "__pycache__").mkdir(exist_ok=True)
    (copy / "submissions" / "sgd" / "__pycache__" / "submission.cpython-311.pyc").write_bytes(b"stale")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built), str(copy))
    assert len(list(built.glob("*.tar.gz"))) == 1
    return next(built.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of packages of a fresh environment with the wheel, and the libraries of this one."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment)
    (packages,) = environment.glob("lib/python*/site-packages")
    pip = (sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"))
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "libraries.pth").write_text("\n".join(libraries) + "\n")
    return packages


@pytest.fixture(scope="module")
def timetrial(installed, tmp_path_factory):
    """Call the installed program in an empty folder; `timetrial.folder` is that folder."""
    program = installed.parents[2] / "bin" / "timetrial"

    def call(*arguments, **variables):
        return run(str(program), *arguments, cwd=call.folder, code=None, **variables)

    call.folder = tmp_path_factory.mktemp("elsewhere")
    return call


@pytest.fixture(scope="module")
def raced(timetrial):
    """The README's race, shortened, with its report."""
    race = timetrial("run", "submission=[sgd,adamw,muon]", *SMALL)
    assert race.returncode == 0, race.stderr
    report = timetrial("report", "quickstart")
    assert report.returncode == 0, report.stderr
    return report


def run(*command, cwd=None, code=0, **variables):
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "TIMETRIAL_HOME")}
    environment = inherited | {"OMP_NUM_THREADS": "1"} | variables
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=280)
    assert code in (None, done.returncode), done.stdout[-2000:] + done.stderr[-2000:]
    return done


def names_in(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_packages_named_in_pyproject_are_those_of_the_tree():
    folders = PROJECT["tool"]["setuptools"]["package-dir"]
    found = {"timetrial.configs"}
    for package in ("timetrial.harness", "timetrial.workloads", "timetrial.submissions"):
        root = ROOT / folders[package]
        for file in root.rglob("__init__.py"):
            found.add(".".join([package, *file.parent.relative_to(root).parts]))
    found = found - {"timetrial.harness.api"} | {"timetrial"}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found


def test_the_wheel_holds_the_whole_program_and_nothing_that_only_a_clone_needs(wheel):
    names = {name for name in names_in(wheel) if not name.startswith("timetrial-")}
    assert {name.split("/")[0] for name in names} == {"timetrial"}
    api = {path.name for path in (ROOT / "harness" / "api").iterdir() if path.is_file()}
    assert {name.split("/")[1] for name in names} == {*api, "harness", "workloads", "submissions", "configs"}
    wanted = {"timetrial/submissions/README.md"}
    for folder, pattern in (
        ("harness", "*.py"),
        ("harness/report/assets", "*"),
        ("workloads", "*.py"),
        ("submissions", "*.py"),
        ("submissions", "*.yaml"),
        ("configs", "*.yaml"),
        ("configs", "published/*.csv"),
    ):
        paths = (path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob(pattern))
        wanted |= {f"timetrial/{path.removeprefix('harness/api/')}" for path in paths}
    assert wanted <= names
    assert not [name for name in names - wanted if name.endswith((".pyc", ".csv", ".jsonl", ".svg", ".html"))]


def test_the_wheel_says_what_it_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("METADATA")]
        said = Parser().parsestr(archive.read(name).decode())
    assert said["Version"] == PROJECT["project"]["version"]
    assert said["License-Expression"] == "Apache-2.0" and said.get_all("License-File") == ["LICENSE"]
    assert said["Keywords"] and said.get_all("Classifier") and f"Homepage, {HOMEPAGE}" in said.get_all("Project-URL")


def test_it_installs_one_import_name(installed):
    names = {path.name for path in installed.iterdir()} - {"libraries.pth", "__pycache__"}
    assert names == {"timetrial", f"timetrial-{PROJECT['project']['version']}.dist-info"}


def test_a_race_and_its_report_run_in_any_folder(raced, timetrial, installed):
    assert [path.name for path in timetrial.folder.iterdir() if path.name != "mine"] == ["timetrial-runs"]
    run_folder = timetrial.folder / "timetrial-runs" / "quickstart"
    assert len(list(run_folder.glob("*/external/*/study_0/trial_0/result.json"))) == 3 * 4
    assert str(run_folder / "report" / "leaderboard.html") in raced.stdout.splitlines()
    assert (run_folder / "report" / "leaderboard.html").stat().st_size > 10_000
    python = installed.parents[2] / "bin" / "python"
    place = run(str(python), "-c", "import timetrial.harness as it; print(it.__file__)", cwd=timetrial.folder).stdout
    assert Path(place.strip()) == installed / "timetrial" / "harness" / "__init__.py"


@pytest.mark.parametrize("verb", ["status quickstart", "score quickstart", "compare quickstart sgd adamw"])
def test_verbs_read_a_run_where_timetrial_home_is(raced, timetrial, tmp_path, verb):
    home = timetrial.folder / "timetrial-runs"
    (tmp_path / "home").symlink_to(home)
    done = timetrial(*verb.split(), TIMETRIAL_HOME=str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    assert "adamw" in done.stdout


def test_a_run_that_is_not_there_is_looked_for_in_the_folder_of_runs(timetrial, tmp_path):
    done = timetrial("status", "quickstart", TIMETRIAL_HOME=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith(f"timetrial status: no run 'quickstart' in {tmp_path}")


def test_a_clone_keeps_its_runs_in_results():
    python = "from timetrial.harness.planning.places import RUNS; print(RUNS)"
    assert run(sys.executable, "-c", python, cwd="/").stdout.strip() == str(ROOT / "results" / "runs")


def test_the_packaged_submissions_and_workloads_can_be_listed(timetrial):
    listed = timetrial("list")
    assert listed.returncode == 0, listed.stderr
    for name in ("small_gpt", "quickstart", "self_tuning", "schedule_free_adamw"):
        assert f"\n  {name} " in listed.stdout


def test_new_writes_into_the_current_folder_and_never_into_the_installed_package(timetrial, installed):
    before = sorted((installed / "timetrial" / "submissions").iterdir())
    done = timetrial("new", "mine")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (timetrial.folder / "mine").iterdir()} == {"submission.py", "submission.yaml"}
    assert "timetrial check ./mine" in done.stdout
    assert sorted((installed / "timetrial" / "submissions").iterdir()) == before
    again = timetrial("new", "mine")
    assert again.returncode == 2 and "mine is there already" in again.stderr


@pytest.mark.parametrize("arguments", [("--check",), ("sgd", "quickstart")])
def test_submit_outside_of_a_clone_is_one_line_that_says_where_to_go(timetrial, arguments):
    done = timetrial("submit", *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "in a clone" in done.stderr and HOMEPAGE in done.stderr


def test_jobs_of_a_cluster_run_the_installed_package(timetrial):
    try:
        run("sinfo")
    except (OSError, AssertionError):
        lacks("slurm", "no SLURM answers sinfo here: scripts/local_slurm up starts one")
    cluster = ("executor=slurm", "executor.cpus=1", "executor.time=5", "workloads=[modular_division]")
    settings = [setting for setting in SMALL if not setting.startswith("device")]
    done = timetrial("run", "submission=sgd", "run=cluster", *settings, *cluster, "--wait")
    assert done.returncode == 0, done.stderr
    log = next((timetrial.folder / "timetrial-runs" / "cluster" / "jobs").glob("*_log.out")).read_text()
    assert "modular_division" in log
