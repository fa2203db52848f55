"""Check a submission: read its yaml and search space, lint its source, run some steps on every workload, resume one.

With --workload: check that a workload of your own keeps to what a race needs, and race adamw on it for some steps.
"""

import argparse
import contextlib
import re
import shlex
import sys
import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from timetrial.harness import UsageError
from timetrial.harness.planning.source import MAIN

if TYPE_CHECKING:
    from timetrial.harness.planning.spec import TrialSpec
    from timetrial.harness.records.files import Result

EXAMPLE = "timetrial check adamw --suite quickstart        timetrial check --workload ./mine.py"
STEPS = 20
"""Batches on every workload, with an evaluation in the middle."""

PATIENCE = 15.0
"""Seconds after which a person is told what is being waited for."""
EVERYWHERE = "every workload"
ENDED = ("target_reached", "budget_exhausted", "diverged")
"""How a trial ends whose submission does what it must."""

Line = tuple[str, str, str]
"""`ok`, `warning` or `wrong`; what was checked; what was found."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a submission: a name, ./folder, ./file.py, module:Class")
    parser.add_argument(
        "space", metavar="+space.ARGUMENT=VALUES", nargs="*", help="of an optimizer class, as timetrial run takes it"
    )
    parser.add_argument(
        "--workload", action="store_true", help="NAME is a workload: ./file.py, module:Class, a plug-in, or one of new"
    )
    parser.add_argument("--data", choices=("real", "synthetic"), default="real", help="with --workload")
    parser.add_argument("--data-root", metavar="DIR", help="with --workload: the folder that has its data")
    parser.add_argument("--suite", default="quickstart", help="the suite whose workloads are tried, on synthetic data")


def main(options: argparse.Namespace) -> int:
    for override in options.space:
        if options.workload or not override.startswith("+space."):
            raise UsageError(f"{override}: timetrial check takes +space.ARGUMENT=VALUES alone, for an optimizer class")
    wrong, diverged = 0, False
    lines = _workload_lines(options) if options.workload else _lines(options.name, options.suite, options.space)
    for verdict, what, finding in lines:
        print(f"{verdict:8} {what:22} {finding}", flush=True)
        wrong += verdict == "wrong"
        diverged |= what == EVERYWHERE
    if diverged:
        advice = "next: take smaller steps, in its values or its search space, and check again"
    elif options.workload:
        advice = "next: timetrial calibrate suite=FILE.yaml, with an entry for it"
    else:
        words = [f"submission={options.name}", f"suite={options.suite}", *_ruleset(options.name, options.space)]
        advice = f"next: {shlex.join(['timetrial', 'run', *words, *options.space])}"
    print(f"{wrong} of the checks failed" if wrong else advice, file=sys.stderr)
    return 1 if wrong else 0


def _ruleset(name: str, space: list[str]) -> list[str]:
    """Name the ruleset of a first race: without tuning where it has values of its own."""
    from timetrial.harness.planning.catalogue import find_submission
    from timetrial.harness.planning.configuration import compose

    with contextlib.suppress(UsageError):
        if "self_tuning" in find_submission(name, compose(space).get("space")).rulesets:
            return ["ruleset=self_tuning"]
    return []


def _lines(name: str, suite: str, space: list[str]) -> Iterator[Line]:
    from timetrial.harness.planning.catalogue import find_submission
    from timetrial.harness.planning.configuration import compose
    from timetrial.harness.planning.outside import is_outside
    from timetrial.harness.planning.places import SUBMISSIONS
    from timetrial.harness.rules.lint import REFUSED, lint_files

    try:
        folder = find_submission(name, compose(space).get("space"))
    except UsageError as error:
        if is_outside(name) or not (SUBMISSIONS / name / "submission.yaml").is_file():
            raise
        yield "wrong", "submission.yaml", str(error)
        return
    yield "ok", "submission.yaml", f"author: {folder.author}; enters {' and '.join(folder.rulesets)}"
    if folder.unsigned:
        yield "warning", "submission.yaml", folder.unsigned
    if folder.search_space is not None:
        yield "ok", "search space", f"first point: {_in_words(folder.search_space.draw(0, 5)[0])}"
    for its in folder.imports:
        version = f"{its.distribution} {its.version}" if its.distribution else "its own"
        yield "ok", f"imports {its.name}", f"{version}: {its.files} files, {its.bytes:,} bytes, hash {its.hash}"
        if its.distribution is None and its.place.is_dir():
            yield "warning", f"imports {its.name}", "to enter the collection, put its modules beside submission.py"
    code = folder.code_files()
    findings = lint_files(code.items())
    for found in findings:
        verdict, file = "wrong" if found.severity == REFUSED else "warning", _named(found.file, folder.origin)
        yield verdict, f"{file}:{found.line}", found.message
    if not findings:
        yield "ok", "source", f"{len(code)} files, nothing against the rules"
    yield from _trials([f"submission={name}", f"ruleset={folder.rulesets[0]}", f"suite={suite}", *space])


def _workload_lines(options: argparse.Namespace) -> Iterator[Line]:
    """Run the conformance checks, and a short trial through the real referee."""
    from pathlib import Path

    from timetrial.harness.planning.spec import UNREACHABLE, TrialSpec, WorkloadSpec
    from timetrial.harness.planning.suite_file import find_implementation
    from timetrial.harness.rules.conformance import check_workload
    from timetrial.harness.rules.probe import run_briefly
    from timetrial.harness.trial.arena import make_workload
    from timetrial.harness.workload import DataSource

    name = options.name
    made = next((str(file) for file in (Path(name) / f"{name}.py", Path(f"{name}.py")) if file.is_file()), name)
    found = find_implementation(made, Path.cwd(), "check --workload")
    spec = WorkloadSpec(name=name, sizes={}, target=0.0, budget_seconds=100.0, step_hint=100, eval_every=10, **found)
    workload = make_workload(spec, None)
    root = None if options.data_root is None else Path(options.data_root)
    failed = False
    for finding in check_workload(workload, DataSource(options.data, root)):
        failed |= finding.problem is not None
        yield ("ok", finding.check, "") if finding.problem is None else ("wrong", finding.check, finding.problem)
    if failed:
        return
    spec = replace(spec, target=UNREACHABLE[workload.higher_is_better])
    trial = TrialSpec(
        suite="check", suite_version=1, ruleset="self_tuning", submission="adamw", source_hash="", workload=spec,
        study=0, trial=0, hyperparameters={"learning_rate": 2e-3, "beta1": 0.9, "beta2": 0.98, "weight_decay": 0.1},
        budget_seconds=100.0, step_hint=100, data=options.data, device="cpu", threads=1, warmup_steps=2,
        max_steps=STEPS,
    )  # fmt: skip
    yield from _verdicts(run_briefly([trial], root))


def _trials(overrides: list[str]) -> Iterator[Line]:
    """Run `STEPS` batches on every workload of the suite with the first point of the search space."""
    from timetrial.harness.planning.configuration import compose
    from timetrial.harness.planning.environment import choose_device
    from timetrial.harness.planning.plan import make_plan
    from timetrial.harness.rules.probe import run_briefly

    config = compose([*overrides, "data=synthetic", f"max_steps={STEPS}"])
    plan = make_plan(config, choose_device(config["device"]), threads=1)
    first = [spec for spec in plan if (spec.study, spec.trial) == (0, 0)]
    specs = [replace(spec, workload=replace(spec.workload, eval_every=STEPS // 2)) for spec in first]
    trained = yield from _verdicts(run_briefly(specs))
    if trained:
        yield _resumption(min(trained, key=lambda pair: pair[0])[1])


def _resumption(spec: "TrialSpec") -> Line:
    """Interrupt and resume a trial: what its submission has kept to itself is lost then, and shows."""
    from timetrial.harness.rules.probe import resume_briefly

    (found,) = _told_of_waiting(map(resume_briefly, [spec]))
    what, where = "resumed", f"on {spec.workload.name}"
    if found.result.status not in ENDED:
        if found.result.traceback:
            print(_own_frames(found.result.traceback, spec.submission), file=sys.stderr)
        return "wrong", what, f"{where}: {found.result.status}: {found.result.reason}"
    if found.same_weights:
        return "ok", what, f"{where}, after {STEPS // 2} batches: it ends at the same weights"
    if found.reproducible:
        lost = "state_dict must give all that training needs to go on, and load_state_dict take it back"
        return "wrong", what, f"{where}, it ends at other weights than without an interruption: {lost}"
    drawn = "random numbers come from task.generator; one that decides by elapsed_seconds may differ"
    return "warning", what, f"{where}, it ends at other weights each time, interrupted or not: {drawn}"


def _verdicts(
    tried: "Iterator[tuple[TrialSpec, Result | UsageError]]",
) -> Generator[Line, None, list[tuple[float, "TrialSpec"]]]:
    """Say how each trial ended, and return the seconds and the trials of those that trained well.

    What hangs on one workload is not tried on another, where it would hang as long.
    """
    told, diverged, trained = set(), [], []
    for spec, result in _told_of_waiting(tried):
        if isinstance(result, UsageError):
            yield "wrong", spec.workload.name, str(result)
        elif result.status in ENDED:
            diverged.append(result.status == "diverged")
            if not diverged[-1]:
                trained.append((result.seconds, spec))
            speed = f"{result.seconds / max(1, result.step) * 1000:.1f} ms per batch"
            reason = f"; {result.reason}: too large a step at this point?" if result.reason else ""
            yield "warning" if diverged[-1] else "ok", spec.workload.name, f"{result.step:g} batches, {speed}{reason}"
        else:
            asks = "closure" in (result.reason or "")
            remedy = ": give it one in a class Submission, as submissions/README.md shows for SAM" if asks else ""
            yield "wrong", spec.workload.name, f"{result.status}: {result.reason}{remedy}"
            if result.traceback and result.reason not in told:
                print(_own_frames(result.traceback, spec.submission), file=sys.stderr)
            told.add(result.reason)
            if result.status == "hung":
                return []
    if len(diverged) > 1 and all(diverged):
        yield "warning", EVERYWHERE, "its loss or weights are not finite after a few batches"
    return trained


def _told_of_waiting(tried: Iterator) -> Iterator:
    """Give the trials as they come, and say so where one is long in coming."""
    line = "still waiting: a busy machine starts slowly, compiling takes a minute, an endless loop is ended in two"
    while True:
        timer = threading.Timer(PATIENCE, print, (line,), {"file": sys.stderr})
        timer.start()
        try:
            one = next(tried, None)
        finally:
            timer.cancel()
        if one is None:
            return
        yield one


def _named(file: str, origin: str) -> str:
    """Name a file of a submission as its person knows it: `./mine.py` is `submission.py` where it is raced."""
    return origin if file == MAIN and origin.endswith(".py") else file


def _own_frames(text: str, submission: str) -> str:
    """Leave the frames of the harness, above those of the submission, out of a traceback; name a file as typed."""
    from timetrial.harness.planning.catalogue import find_submission

    text = text.replace(f'File "{MAIN}"', f'File "{_named(MAIN, find_submission(submission).origin)}"')
    frames = re.split(r"(?m)^(?=  File )", text)
    return "".join(frame for frame in frames if not re.match(r'  File ".*/harness/', frame)).strip()


def _in_words(point: dict[str, Any]) -> str:
    values = {name: f"{value:.3g}" if isinstance(value, float) else value for name, value in point.items()}
    return ", ".join(f"{name} {value}" for name, value in values.items())
