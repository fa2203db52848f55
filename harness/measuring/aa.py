"""A/A: one submission entered twice, again and again. Is it ever separated from itself?

Each entry has studies of its own, so other initial weights and another order of batches; nothing else differs. The
studies of the two entries take turns in a real run, while another program keeps a core busy. Each pair of entries is
scored as a leaderboard of two, by every clock, and the table says how many pairs were separated at 95 %, and how far
apart they were. At most one pair in twenty should be.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.measuring.clock import keep_busy, run_beside
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.environment import describe_machine
from timetrial.harness.planning.places import RESULTS, RUNS
from timetrial.harness.planning.plan import make_plan
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.crossing import CLOCKS
from timetrial.harness.records.table import read_trials
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.runs.local import run_locally, slots_and_threads
from timetrial.harness.runs.progress_bar import Progress
from timetrial.harness.runs.slot import SlotAssignment
from timetrial.harness.scoring import score_table

ENTRIES = ("first", "second")


def entry_of(study: int, studies: int) -> tuple[int, str, int]:
    """Say which study of which entry of which pair a recorded study is; entries of a pair have `studies` each."""
    pair, place = divmod(study, 2 * studies)
    return pair, ENTRIES[place % 2], place // 2


def compare(trials: Any, studies: int) -> Any:
    """Score each pair of entries by each clock, from the table of all trials; gives a row for each, as a data frame."""
    import numpy
    import pandas

    trials = trials.copy()
    trials["pair"], trials["submission"], trials["study"] = zip(
        *(entry_of(study, studies) for study in trials["study"]), strict=True
    )
    rows = []
    for pair, own in trials.groupby("pair"):
        for clock in CLOCKS:
            board = score_table(own.drop(columns="pair"), clock=clock, reference=ENTRIES[0])
            second = board.of(ENTRIES[1])
            rows.append(
                {
                    "pair": pair,
                    "clock": clock,
                    "separated": bool(second.faster_than or second.slower_than),
                    "log_speedup": float(numpy.log(second.speedup.value)),
                }
            )
    return pandas.DataFrame(rows)


def run_trials(run: RunFolder, config: dict[str, Any]) -> None:
    """Run what is missing of the pairs, the two entries of each in turn, beside another program."""
    run.add(plan := make_plan(config, "cpu", 1))
    missing = tuple(spec.folder for spec in plan if not run.trial(spec).is_finished)
    slots, _ = slots_and_threads(config["executor"], "cpu")
    if missing:
        with run_beside(keep_busy), Progress(run.path, plan, done=len(plan) - len(missing)) as progress:
            run_locally(SlotAssignment(str(run.path), missing, config["data_root"], None), slots, 1, "cpu", progress)
        if progress.blocked:
            raise UsageError(next(iter(progress.blocked.values())))


def describe(found: Any, spec: TrialSpec, studies: int) -> str:
    """Write the table of the pairs that were compared."""
    machine = describe_machine()
    lines = [
        "# One submission, entered twice",
        "",
        f"`python -m timetrial.harness.measuring.aa` writes this file; `aa.csv` has the pairs. {spec.submission} on",
        f"{spec.suite} version {spec.suite_version}, {spec.ruleset}, {studies} studies an entry, with another program",
        f"on one of {machine['cores']} cores ({machine['processor']}). Spread: the standard deviation of log speed-up.",
        "",
        "| clock | pairs | separated | spread |",
        "| --- | ---: | ---: | ---: |",
    ]
    for clock, own in found.groupby("clock", sort=False):
        lines.append(f"| {clock} | {len(own)} | {own['separated'].sum()} | {own['log_speedup'].std():.3f} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m timetrial.harness.measuring.aa",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m timetrial.harness.measuring.aa suite=mini data_root=DIR",
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="as of timetrial run; adamw and self_tuning by default"
    )
    parser.add_argument("--pairs", type=int, default=20, help="how often it is entered twice (default 20)")
    parser.add_argument("--studies", type=int, default=5, help="of each entry (default 5)")
    parser.add_argument("--output", type=Path, default=RESULTS / "benchmark" / "aa.md")
    options = parser.parse_args()
    studies = 2 * options.pairs * options.studies
    given = ["submission=adamw", "ruleset=self_tuning", "device=cpu", *options.overrides, f"ruleset.studies={studies}"]
    try:
        config = compose(given)
        run = RunFolder(RUNS / f"aa-{config['suite']['name']}-{config['ruleset']['name']}")
        run_trials(run, config)
        found = compare(read_trials([run]), options.studies)
    except UsageError as error:
        print(f"timetrial.harness.measuring.aa: {error}", file=sys.stderr)
        return 2
    found.to_csv(options.output.with_suffix(".csv"), index=False, float_format="%.6g")
    text = describe(found, run.trials()[0].read_spec(), options.studies)
    options.output.write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
