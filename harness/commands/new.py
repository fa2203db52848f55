"""Make a submission folder from the template, or a workload with its suite and its test: to edit, check and run."""

import argparse
import keyword
from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.planning.places import CLONE, SUBMISSIONS, WORKLOADS

EXAMPLE = "timetrial new mine && timetrial check mine        timetrial new --workload mine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a new name, such as my_adamw: lower case, digits, underscores")
    parser.add_argument("--workload", action="store_true", help="make a workload, in a folder of this one")


def main(options: argparse.Namespace) -> int:
    import shutil

    from timetrial.harness.planning.catalogue import TEMPLATE

    name = options.name
    if options.workload:
        return _new_workload(name)
    place = f"submissions/{name}" if CLONE else name
    folder = (CLONE or Path.cwd()) / place
    _check_name(name, "submission")
    if folder.exists() or folder.with_suffix(".py").exists():
        raise UsageError(f"{place} is there already: choose another name, or edit it")
    shutil.copytree(SUBMISSIONS / TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    place = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    print(f"made {place}/. Next:")
    print(f"  1. edit    {place}/submission.py     the algorithm, about ten lines")
    print(f"  2. edit    {place}/submission.yaml   who wrote it, and its search space")
    typed = name if CLONE else f"./{name}"
    print(f"  3. check   timetrial check {typed}")
    print(f"  4. run     timetrial run submission=[{typed},adamw] suite=quickstart")
    return 0


def _check_name(name: str, what: str) -> None:
    if not name.isidentifier() or not name.isascii() or name != name.lower() or keyword.iskeyword(name):
        raise UsageError(f"the name {name!r} is no name of a {what}: use lower case, digits and underscores")


def _new_workload(name: str) -> int:
    _check_name(name, "workload")
    folder = Path(name)
    if folder.exists():
        raise UsageError(f"{folder} is there already: choose another name, or edit it")
    folder.mkdir()
    kind = "".join(part.capitalize() for part in name.split("_"))
    for template, file in (
        ("workload.py", f"{name}.py"),
        ("suite.yaml", f"{name}.yaml"),
        ("test.py.template", f"test_{name}.py"),
    ):
        text = (WORKLOADS / "template" / template).read_text()
        text = text.replace("class Template", f"class {kind}").replace("CLASS", kind).replace("NAME", name)
        (folder / file).write_text(text)
    print(f"made {folder}/. Next:")
    print(f"  1. edit       {folder}/{name}.py     model, data, loss and metric, about forty lines")
    print(f"  2. check      timetrial check --workload {folder}/{name}.py")
    print(f"  3. calibrate  timetrial calibrate suite={folder}/{name}.yaml --seconds 5")
    print(f"  4. edit       {folder}/{name}.yaml   with the numbers that it prints")
    print(f"  5. run        timetrial run submission=[adamw,muon] suite={folder}/{name}.yaml")
    return 0
