"""Make a submission folder from the template, to edit, check and run."""

import argparse
import keyword

from timetrial.harness import UsageError

EXAMPLE = "timetrial new mine && timetrial check mine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a new name, such as my_adamw: lower case, digits, underscores")


def main(options: argparse.Namespace) -> int:
    import shutil

    from timetrial.harness.planning.catalogue import TEMPLATE
    from timetrial.harness.planning.places import ROOT, SUBMISSIONS

    name, folder = options.name, SUBMISSIONS / options.name
    if not name.isidentifier() or not name.isascii() or name != name.lower() or keyword.iskeyword(name):
        raise UsageError(f"the name {name!r} is no folder of submissions/: use lower case, digits and underscores")
    if folder.exists() or folder.with_suffix(".py").exists():
        raise UsageError(f"submissions/{name} is there already: choose another name, or edit it")
    shutil.copytree(SUBMISSIONS / TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    place = folder.relative_to(ROOT)
    print(f"made {place}/. Next:")
    print(f"  1. edit    {place}/submission.py     the algorithm, about ten lines")
    print(f"  2. edit    {place}/submission.yaml   who wrote it, and its search space")
    print(f"  3. check   timetrial check {name}")
    print(f"  4. run     timetrial run submission={name} suite=quickstart")
    return 0
