"""Run two optimizers on one trajectory, and say at which step and on which parameter they part, and by how much.

A and B are submissions, or classes such as torch.optim:AdamW. Both take each step from the weights that A has come to,
on the same batch, with the same hyperparameters and a constant rate, in float64 and in float32.
"""

import argparse
import ast
from typing import Any

from timetrial.harness import UsageError

EXAMPLE = "timetrial conform adamw torch.optim:AdamW"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("one", metavar="A", help="a submission, or a class as MODULE:CLASS")
    parser.add_argument("other", metavar="B", help="what it is compared with")
    parser.add_argument("values", nargs="*", metavar="key=value", help="hyperparameters of A, in place of its own")
    parser.add_argument("--steps", type=int, default=20, metavar="N", help="how many steps, 20 by default")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="lr=learning_rate",
        help="a hyperparameter of B, and the one of A that it is, or a value; the same names, lr for learning_rate, "
        "and betas for beta1 and beta2 are found without it",
    )
    parser.add_argument("--only", action="append", default=[], metavar="ROLE", help="compare parameters of this role")
    parser.add_argument("--suite", default="quickstart", help="the suite of the workload, quickstart by default")
    parser.add_argument("--workload", default="small_gpt", help="what is trained, on synthetic data; small_gpt")


def main(options: argparse.Namespace) -> int:
    """Print what was found; return 1 where they part."""
    if options.steps < 1:
        raise UsageError(f"--steps {options.steps}: give a whole number of at least 1")
    mapping = dict(_pair(text, "--map ") for text in options.map)
    values = {key: _value(value) for key, value in (_pair(text) for text in options.values)}
    from timetrial.harness.explain.loop import find_workload
    from timetrial.harness.explain.one_trajectory import conform  # imports torch

    workload = find_workload(options.suite, options.workload)
    given = {"steps": options.steps, "values": values, "mapping": mapping, "only": options.only}
    found = conform(options.one, options.other, workload=workload, **given)
    print(found)
    return int(not found.holds)


def _pair(text: str, option: str = "") -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key or not value:
        raise UsageError(f"{option}{text}: write NAME=VALUE, such as lr=learning_rate")
    return key, value


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
