"""Is MINE faster than REFERENCE (adamw)? Run paired studies until the evidence decides, and say it.

Both train from the same weights on the same batches, study after study, as `timetrial run` would have them. After each
round the speed-up has an interval that holds however often one looks. The answer is `faster`, `slower`, `not faster by
at least` what --at-least gives, or `undecided` when the studies are spent; the exit code is 0, 1, 1 or 3. The same
command again goes on where it was stopped.
"""

import argparse
import json
import sys
from math import exp
from typing import TYPE_CHECKING, Any

from timetrial.harness import UsageError

if TYPE_CHECKING:
    from timetrial.harness.judging.verdict import Verdict

EXAMPLE = "timetrial judge muon suite=quickstart --at-least 1.05"
CODES = {"faster": 0, "slower": 1, "not faster by at least": 1, "undecided": 3}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mine", metavar="MINE", help="a submission")
    parser.add_argument(
        "others",
        nargs="*",
        metavar="REFERENCE or key=value",
        help="whom it is compared with (adamw), and overrides as of timetrial run: suite, workloads, executor, ...",
    )
    parser.add_argument(
        "--at-least", type=float, default=1.05, metavar="X", help="smallest speed-up that matters (1.05)"
    )
    parser.add_argument("--studies", type=int, default=20, metavar="N", help="the most paired studies (20)")
    parser.add_argument("--first-study", type=int, default=0, metavar="N", help="start at this one, for new seeds (0)")
    parser.add_argument("--tune", type=int, default=0, metavar="N", help="first try N points of both search spaces")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="mine.NAME=VALUE",
        help="a hyperparameter of MINE, or reference.NAME=VALUE; otherwise their own self-tuning values",
    )
    parser.add_argument("--clock", choices=("paced", "measured", "steps"), help="by default paced where there is one")
    parser.add_argument("--confirm", action="store_true", help="repeat a `faster` on variants that no author has seen")
    parser.add_argument("--json", action="store_true", help="write JSON to standard output")


def main(options: argparse.Namespace) -> int:
    from timetrial.harness.judging.verdict import Question, check, confirm, judge
    from timetrial.harness.planning.catalogue import find_submission
    from timetrial.harness.planning.configuration import RUN_ONLY, compose
    from timetrial.harness.runs.execute import TrialLost, read_place
    from timetrial.harness.scoring import REFERENCE

    names = [word for word in options.others if "=" not in word]
    if len(names) > 1:
        raise UsageError(f"{' '.join(names)}: compare with one reference; run judge once for each")
    values = read_values(options.set)
    typed = options.mine, names[0] if names else REFERENCE
    mine, reference = (find_submission(name).name for name in typed)
    if mine == reference and typed[0] != typed[1]:
        raise UsageError(f"{' and '.join(typed)} would both be called {mine}: rename one")
    question = Question(
        mine,
        reference,
        options.at_least,
        options.studies,
        options.first_study,
        options.tune,
        options.clock,
        values["mine"],
        values["reference"],
    )
    check(question)
    ruleset = "external" if options.tune else "self_tuning"
    overrides = [word for word in options.others if "=" in word]
    config = compose([f"submission={mine}", f"ruleset={ruleset}", *overrides], RUN_ONLY)
    place = read_place(config)
    try:
        verdict = judge(config, question, place, _say)
    except TrialLost as lost:
        print(f"timetrial judge: no verdict: {lost}", file=sys.stderr)
        if options.json:
            print(json.dumps({"verdict": "failed", "reason": str(lost)}))
        return 1
    confirmation, failure = None, ""
    if options.confirm and verdict.verdict == "faster":
        _say("faster; now on hidden variants")
        try:
            confirmation = confirm(config, question, verdict, place, _say)
        except (TrialLost, UsageError) as lost:
            failure = str(lost)
    if options.json:
        answer: dict[str, Any] = verdict.to_json()
        if options.confirm:
            answer["confirmation"] = confirmation.to_json() if confirmation else None
        if failure:
            answer["confirmation"] = {"verdict": "failed", "reason": failure}
        print(json.dumps(answer, indent=1))
    else:
        print(in_words(verdict))
        if confirmation:
            print(f"on hidden variants: {in_words(confirmation)}")
    if failure:
        print(f"timetrial judge: no verdict on hidden variants: {failure}", file=sys.stderr)
        return 1
    return CODES[(confirmation or verdict).verdict]


def read_values(given: list[str]) -> dict[str, dict[str, Any]]:
    """Read `mine.NAME=VALUE` and `reference.NAME=VALUE`; raises `UsageError` for anything else."""
    from yaml import YAMLError, safe_load

    from timetrial.harness.planning.search_space import parse_hyperparameters

    found: dict[str, dict[str, Any]] = {"mine": {}, "reference": {}}
    for word in given:
        name, _, value = word.partition("=")
        side, _, key = name.partition(".")
        if side not in found or not key or not value:
            raise UsageError(f"--set {word}: write mine.NAME=VALUE or reference.NAME=VALUE")
        try:
            found[side][key] = float(value) if _is_number(value) else safe_load(value)
        except YAMLError:
            raise UsageError(f"--set {word}: {value} is no value: give a number, a word or a list") from None
    return {side: parse_hyperparameters(values, f"--set {side}") for side, values in found.items()}


def in_words(verdict: "Verdict") -> str:
    """Say a verdict and what it rests on, in three or four lines."""
    from timetrial.harness.judging.verdict import in_brackets
    from timetrial.harness.scoring.present import clock_in_words

    head = {
        "faster": f"{verdict.mine} is faster than {verdict.reference}",
        "slower": f"{verdict.mine} is slower than {verdict.reference}",
        "not faster by at least": f"{verdict.mine} is not faster than {verdict.reference} by {verdict.at_least:.2f}x",
        "undecided": f"undecided between {verdict.mine} and {verdict.reference}",
    }[verdict.verdict]
    found = verdict.found
    lines = [
        f"{head}: speed-up {in_brackets(found)} by {clock_in_words(verdict.clock)}, on {verdict.suite}",
        f"  {found.pairs} paired studies, {verdict.core_seconds / 60:.1f} core-minutes of training, "
        f"{verdict.wall_seconds:.0f} s here; a pair's log speed-up has a spread of {found.spread:.3f}",
        "  by workload: " + ", ".join(f"{name} {exp(mean):.2f}x" for name, mean in verdict.by_workload.items()),
    ]
    lines += [
        f"  {name}: missed by {verdict.mine} {mine} and by {verdict.reference} {other} of {found.pairs} times; a "
        f"miss counts as the {'steps that the budget buys the reference' if verdict.clock == 'steps' else 'budget'}"
        for name, (mine, other) in verdict.misses.items()
        if mine or other
    ]
    return "\n".join(lines)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "." in text or "e" in text.lower()


def _say(line: str) -> None:
    print(f"judge: {line}", file=sys.stderr, flush=True)
