"""Check a submission: read its yaml and search space, lint its source, and run some steps on every workload."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from timetrial.harness import UsageError

EXAMPLE = "timetrial check adamw --suite quickstart"
STEPS = 20
"""Batches on every workload, with an evaluation in the middle."""

Line = tuple[str, str, str]
"""`ok`, `warning` or `wrong`; what was checked; what was found."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a submission: a name, ./folder, ./file.py, module:Class")
    parser.add_argument("--suite", default="quickstart", help="the suite whose workloads are tried, on synthetic data")


def main(options: argparse.Namespace) -> int:
    wrong = 0
    for verdict, what, finding in _lines(options.name, options.suite):
        print(f"{verdict:8} {what:22} {finding}", flush=True)
        wrong += verdict == "wrong"
    advice = f"next: timetrial run submission={options.name} suite={options.suite}"
    print(f"{wrong} of the checks failed" if wrong else advice, file=sys.stderr)
    return 1 if wrong else 0


def _lines(name: str, suite: str) -> Iterator[Line]:
    from timetrial.harness.planning.catalogue import find_submission
    from timetrial.harness.planning.outside import is_outside
    from timetrial.harness.planning.places import SUBMISSIONS
    from timetrial.harness.rules.lint import REFUSED, lint_files

    try:
        folder = find_submission(name)
    except UsageError as error:
        if is_outside(name) or not (SUBMISSIONS / name / "submission.yaml").is_file():
            raise
        yield "wrong", "submission.yaml", str(error)
        return
    yield "ok", "submission.yaml", f"{folder.author}; enters {' and '.join(folder.rulesets)}"
    if folder.search_space is not None:
        yield "ok", "search space", f"first point: {_in_words(folder.search_space.draw(0, 5)[0])}"
    for its in folder.imports:
        version = f"{its.distribution} {its.version}" if its.distribution else "its own"
        yield "ok", f"imports {its.name}", f"{version}: {its.files} files, {its.bytes:,} bytes, hash {its.hash}"
    findings = lint_files(folder.source_files().items())
    for found in findings:
        yield ("wrong" if found.severity == REFUSED else "warning"), f"{found.file}:{found.line}", found.message
    if not findings:
        yield "ok", "source", f"{len(folder.source_files())} files, nothing against the rules"
    yield from _trials(name, folder.rulesets[0], suite)


def _trials(name: str, ruleset: str, suite: str) -> Iterator[Line]:
    """Run `STEPS` batches on every workload of the suite with the first point of the search space."""
    from timetrial.harness.planning.configuration import compose
    from timetrial.harness.planning.environment import choose_device
    from timetrial.harness.planning.plan import make_plan
    from timetrial.harness.rules.probe import run_briefly

    overrides = [f"submission={name}", f"suite={suite}", f"ruleset={ruleset}", "data=synthetic", f"max_steps={STEPS}"]
    config = compose(overrides)
    plan = make_plan(config, choose_device(config["device"]), threads=1)
    first = [spec for spec in plan if (spec.study, spec.trial) == (0, 0)]
    specs = [replace(spec, workload=replace(spec.workload, eval_every=STEPS // 2)) for spec in first]
    for spec, result in run_briefly(specs):
        if isinstance(result, UsageError):
            yield "wrong", spec.workload.name, str(result)
        elif result.status in ("target_reached", "budget_exhausted", "diverged"):
            verdict = "warning" if result.status == "diverged" else "ok"
            speed = f"{result.seconds / max(1, result.step) * 1000:.1f} ms per batch"
            diverged = f"; {result.reason}: too large a step at this point?" if result.reason else ""
            yield verdict, spec.workload.name, f"{result.step:g} batches, {speed}{diverged}"
        else:
            yield "wrong", spec.workload.name, f"{result.status}: {result.reason}"
            print(result.traceback or "", file=sys.stderr)


def _in_words(point: dict[str, Any]) -> str:
    values = {name: f"{value:.3g}" if isinstance(value, float) else value for name, value in point.items()}
    return ", ".join(f"{name} {value}" for name, value in values.items())
