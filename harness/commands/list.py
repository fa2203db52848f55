"""List workloads, suites, submissions and rulesets: what a run can be made of, and where each comes from."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

EXAMPLE = "timetrial list --format json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("table", "json"), default="table", help="for people, or for programs")


def main(options: argparse.Namespace) -> int:
    found = inventory()
    if options.format == "json":
        print(json.dumps(found, indent=1))
    else:
        _print_tables(found)
    for wrong in found["unreadable"]:
        print(f"timetrial list: {wrong}", file=sys.stderr)
    return 1 if found["unreadable"] else 0


def inventory() -> dict[str, Any]:
    """Collect what there is, as plain values; a submission that cannot be read is under `unreadable`."""
    from timetrial.harness import UsageError
    from timetrial.harness.planning.catalogue import TEMPLATE, find_submission, submission_names
    from timetrial.harness.planning.configuration import compose, options
    from timetrial.harness.planning.outside import SUBMISSIONS_GROUP, WORKLOADS_GROUP, brought_by, plugins

    submissions, unreadable = [], []
    for name in sorted({*submission_names(), *plugins(SUBMISSIONS_GROUP)}):
        try:
            folder = find_submission(name)
        except UsageError as error:
            unreadable.append(str(error))
            continue
        submissions.append(
            {"name": name, "from": folder.origin, "rulesets": folder.rulesets, "description": folder.description}
        )
    suites = [compose([f"suite={name}", f"submission={TEMPLATE}"])["suite"] for name in options("suite")]
    rulesets = [
        compose([f"ruleset={name}", "suite=mini", f"submission={TEMPLATE}"])["ruleset"] for name in options("ruleset")
    ]
    workloads = {name: given["implementation"] for suite in suites for name, given in suite["workloads"].items()}
    described = [
        {"name": name, "from": "collection", "description": _first_line(implementation)}
        for name, implementation in workloads.items()
    ]
    for name, point in plugins(WORKLOADS_GROUP).items():
        if name in workloads:
            unreadable.append(
                f"workload {name!r} is of the collection, and {brought_by(point)} brings one of that name"
            )
        else:
            described.append({"name": name, "from": brought_by(point), "description": point.value})
    return {
        "workloads": sorted(described, key=lambda workload: workload["name"]),
        "suites": [
            {
                "name": suite["name"],
                "version": suite["version"],
                "data": suite["data"],
                "description": _first_comment("suite", suite["name"]),
                "workloads": {
                    name: {key: given[key] for key in ("target", "budget_seconds", "step_hint")}
                    for name, given in suite["workloads"].items()
                },
            }
            for suite in suites
        ],
        "rulesets": [given | {"description": _first_comment("ruleset", given["name"])} for given in rulesets],
        "submissions": submissions,
        "unreadable": unreadable,
    }


def _first_comment(group: str, name: str) -> str:
    """Give the first line of comment of a config, which says what it is."""
    from timetrial.harness.planning.places import CONFIGS

    lines = (CONFIGS / group / f"{name}.yaml").read_text().splitlines()
    comments = (line.removeprefix("#").strip() for line in lines if line.startswith("#") and "@package" not in line)
    return next(comments, "")


def _first_line(implementation: str) -> str:
    """Give the first line of the docstring of a workload's module, without importing it and so torch."""
    import ast
    from importlib.util import find_spec

    text = ast.get_docstring(ast.parse(Path(find_spec(implementation.rpartition(".")[0]).origin).read_bytes()))
    return (text or "").partition("\n")[0]


def _print_tables(found: dict[str, Any]) -> None:
    _print_rows("workloads", [(w["name"], f"{_from(w)}{w['description']}") for w in found["workloads"]])
    _print_rows("suites", [(f"{s['name']} (version {s['version']})", s["description"]) for s in found["suites"]])
    _print_rows(
        "rulesets", [(r["name"], f"{r['studies']} x {r['trials']}: {r['description']}") for r in found["rulesets"]]
    )
    rows = [(s["name"], f"{_from(s)}{', '.join(s['rulesets'])}: {s['description']}") for s in found["submissions"]]
    _print_rows("submissions", rows)


def _from(found: dict[str, Any]) -> str:
    """Say where something comes from, if that is not the collection."""
    return "" if found["from"] == "collection" else f"[{found['from']}] "


def _print_rows(title: str, rows: list[tuple[str, str]]) -> None:
    width = max((len(name) for name, _ in rows), default=0)
    print(title)
    for name, text in rows:
        print(f"  {name:{width}}  {text}")
    print()
