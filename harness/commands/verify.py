"""Run studies of a committed entry again, from the source stored with it, and compare steps, metrics and times.

The studies are drawn at random. What came out is written beside the entry, and shown on its leaderboard.
"""

import argparse
import os
import secrets
import sys

from timetrial.harness.planning import places

EXAMPLE = "timetrial verify mini/self_tuning/muon --studies 1 --seed 7"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("entry", metavar="ENTRY", help="a folder of results/, such as mini/self_tuning/muon")
    parser.add_argument("--studies", type=int, default=1, metavar="N", help="how many studies to run again (1)")
    parser.add_argument("--seed", type=int, help="what draws them; by default a new one that nobody knows before")
    parser.add_argument(
        "--data-root", metavar="DIR", help="a folder with the data sets; by default TIMETRIAL_DATA_ROOT"
    )


def main(options: argparse.Namespace) -> int:
    """Print the verdict; return 1 where the entry is challenged, or its records are not whole."""
    from timetrial.harness.entries.check import check_entry
    from timetrial.harness.entries.submitting import read_committed, write_leaderboards
    from timetrial.harness.entries.verifying import check_can_run, draw_trials, find_entry, verify

    entry = find_entry(options.entry, places.RESULTS)
    if problems := check_entry(entry):
        print(f"{entry.path} is not what was recorded: {problems[0]}", file=sys.stderr)
        return 1
    check_can_run(entry)
    seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    trials = draw_trials(entry, options.studies, seed)
    drawn = ", ".join(str(study) for study in sorted({trial.read_spec().study for trial in trials}))
    times = len(entry.verifications()) + 1  # a new one each time, so that nothing is counted twice
    folder = places.RUNS / f"verify-{entry.suite}-{entry.ruleset}-{entry.submission}-{seed}-{times}"
    print(f"seed {seed} draws study {drawn} of {entry.submission}: {len(trials)} trials, in {folder}", file=sys.stderr)
    data_root = options.data_root or os.environ.get("TIMETRIAL_DATA_ROOT")
    verification = verify(entry, trials, seed, folder, data_root)
    entry.add_verification(verification)
    write_leaderboards(entry.path.parents[2], [read_committed(entry.path.parent, allow_mixed_hardware=True)])
    print(f"{entry.suite}/{entry.ruleset}/{entry.submission} {verification.in_words()}")
    for problem in verification.problems:
        print(f"  {problem}")
    return int(bool(verification.problems))
