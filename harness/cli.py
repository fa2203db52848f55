"""The command line: `timetrial VERB`. Each verb is a module of `commands/`, imported when it is asked for."""

import argparse
import importlib
import sys

from timetrial.harness import UsageError

VERBS = {
    "list": "show workloads, suites, submissions and rulesets",
    "new": "make a submission folder, or a workload with its suite and test, from a template",
    "check": "read a submission, lint its source and run some steps; or check a workload of your own",
    "run": "run the trials of one or several submissions; goes on where it was stopped",
    "status": "show what of a run is done, running, missing or failed, and why",
    "cancel": "cancel what waits and runs of a run, and keep its records",
    "score": "score runs, with confidence intervals",
    "report": "write leaderboard, plots and training curves of runs",
    "compare": "compare two submissions of a run, workload by workload",
    "validity": "compare the order of a leaderboard with a published one, such as AlgoPerf's",
    "calibrate": "find targets, budgets and step hints of a suite by tuning reference submissions",
    "export": "write the records of runs as csv, parquet, for tensorboard or for wandb",
    "conform": "run two optimizers on one trajectory, and say where they part",
    "judge": "is one submission faster than another? paired studies until the evidence decides",
    "ablate": "which part of a submission helps? run it without each of its switches",
    "ladder": "how an advantage changes with size, batch size, data or the length of the plan",
    "price": "measure what a step costs here, and what a leaderboard would be on this machine",
    "explain": "run a small experiment that shows why optimizers rank as they do",
    "submit": "check a complete run and add it to the committed leaderboard",
    "verify": "run studies of a committed entry again, and compare with what is recorded",
    "doctor": "show hardware, libraries, data found and the timing noise of this machine",
}


def main(arguments: list[str] | None = None) -> int:
    """Run `timetrial`; gives the exit code: 0 all is well, 1 a trial or check failed, 2 wrong usage."""
    given = sys.argv[1:] if arguments is None else arguments
    verb = given[0] if given else None
    if verb not in VERBS:
        _help_parser().parse_args(given)  # prints help or what is wrong, and exits
    command = importlib.import_module(f"timetrial.harness.commands.{verb}")
    parser = argparse.ArgumentParser(
        prog=f"timetrial {verb}",
        description=command.__doc__,
        epilog=f"example: {command.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    options = parser.parse_intermixed_args(given[1:])  # options may stand between overrides
    try:
        return command.main(options)
    except UsageError as error:
        print(f"timetrial {verb}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"timetrial {verb}: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


def _help_parser() -> argparse.ArgumentParser:
    """Make the parser that lists the verbs."""
    parser = argparse.ArgumentParser(
        prog="timetrial",
        description="Which training algorithm reaches the target first?",
        epilog="example: timetrial run submission=[sgd,adamw] suite=quickstart && timetrial score quickstart",
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for verb, summary in VERBS.items():
        verbs.add_parser(verb, help=summary)
    return parser


if __name__ == "__main__":
    sys.exit(main())
