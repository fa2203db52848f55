"""Make a submission folder from the template, to edit, check and run."""

import argparse
import keyword
from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.planning.places import CLONE, HOMEPAGE, SUBMISSIONS

EXAMPLE = "timetrial new mine && timetrial check mine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a new name, such as my_adamw: lower case, digits, underscores")


def main(options: argparse.Namespace) -> int:
    import shutil

    from timetrial.harness.planning.catalogue import TEMPLATE

    name = options.name
    place = f"submissions/{name}" if CLONE else name
    folder = (CLONE or Path.cwd()) / place
    if not name.isidentifier() or not name.isascii() or name != name.lower() or keyword.iskeyword(name):
        raise UsageError(f"the name {name!r} is no name of a submission: use lower case, digits and underscores")
    if folder.exists() or folder.with_suffix(".py").exists():
        raise UsageError(f"{place} is there already: choose another name, or edit it")
    shutil.copytree(SUBMISSIONS / TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    print(f"made {place}/. Next:")
    print(f"  1. edit    {place}/submission.py     the algorithm, about ten lines")
    print(f"  2. edit    {place}/submission.yaml   who wrote it, and its search space")
    if not CLONE:
        print(f"  3. move    {place}/ into submissions/ of a clone of TimeTrial, which runs it: {HOMEPAGE}")
        return 0
    print(f"  3. check   timetrial check {name}")
    print(f"  4. run     timetrial run submission={name} suite=quickstart")
    return 0
