"""Check a complete run of a submission and add it to the committed leaderboard in results/.

With --check instead: find changed records, hand-edited scores and missing trials in what is committed.
With --rewrite: write leaderboards, and the numbers in texts about them, again from the committed records.
"""

import argparse
import sys
from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.planning import places

EXAMPLE = "timetrial submit my_optimizer my_run        timetrial submit --check"
MOST_NAMED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="submission to add")
    parser.add_argument("run", nargs="?", metavar="RUN", help="name or folder of the run that holds its trials")
    parser.add_argument(
        "--on", metavar="MACHINE", help="add it to the leaderboard of another machine, results/on_MACHINE, instead"
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--check", action="store_true", help="check the committed results instead; exit code 1: wrong")
    instead.add_argument("--rewrite", action="store_true", help="write the committed leaderboards again instead")
    parser.add_argument(
        "--allow-mixed-hardware", action="store_true", help="compare times from different machines, and say so"
    )


def main(options: argparse.Namespace) -> int:
    """Add a run or check what is committed; return 1 where that fails, naming what is wrong."""
    if places.CLONE is None:
        raise UsageError(f"the leaderboards are in a clone of TimeTrial: run this in one (git clone {places.HOMEPAGE})")
    if options.check or options.rewrite:
        option = "--check" if options.check else "--rewrite"
        if given := options.name or options.on:
            raise UsageError(f"{given} with {option}: give NAME and RUN to submit, or {option} alone")
        return (_check if options.check else _rewrite)(options.allow_mixed_hardware)
    if not options.name or not options.run:
        raise UsageError("give NAME and RUN, as in `timetrial submit my_optimizer my_run`, or --check or --rewrite")
    return _submit(options.name, options.run, options.on, options.allow_mixed_hardware)


def _submit(name: str, run: str, machine: str | None, allow_mixed_hardware: bool) -> int:
    from timetrial.harness.entries.find import find_run
    from timetrial.harness.entries.submitting import add_entry, changed_files, find_candidates, find_problems, root_of

    root, candidates = root_of(machine), find_candidates(find_run(run), name)
    problems = [problem for candidate in candidates for problem in find_problems(candidate)]
    if problems:
        _name(problems, f"{name} in {run} cannot be submitted")
        return 1
    to_add = {"results", f"submissions/{name}"}
    for candidate in candidates:
        if changed := changed_files(candidate):
            print(f"note: not what ran, which results/ keeps: {', '.join(changed)}", file=sys.stderr)
        change = add_entry(candidate, root, allow_mixed_hardware)
        print("\n".join(_describe(name, change)))
        for warning in change.after.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        for file in change.files:
            if file.name == "README.md":
                print(f"note: numbers in {file} are others now: read the sentences around them", file=sys.stderr)
        to_add |= {file.name for file in change.files if file.parent == places.RESULTS.parent}
        to_add |= {name.replace("shared/", "submissions/") for name in candidate.files if name.startswith("shared/")}
    print("\nFor a pull request:")
    print(f"  git switch -c submit-{name}")
    print(f"  git add {' '.join(sorted(to_add))}")
    print(f"  git commit -m 'Submit {name}'")
    print(f"  git push -u origin submit-{name}")
    return 0


def _describe(name: str, change) -> list[str]:
    """Say where the submission stands now, and what its coming changed for the others."""
    from timetrial.harness.scoring.present import with_interval

    scores = change.after.scores
    own, count = scores.of(name), len(scores.standings)
    headline = f"{change.after.suite}, {change.after.ruleset}: {name} is on rank {own.rank} of {count}"
    lines = [f"{headline}, with a speed-up of {with_interval(own.speedup, '{:.2f}x')} over {scores.reference}"]
    before = {} if change.before is None else {s.submission: s for s in change.before.scores.standings}
    for standing in scores.standings:
        if old := before.get(standing.submission):
            was, now = (f"{s.rank} with a score of {s.score.value:.2f}" for s in (old, standing))
            lines.append(f"  {standing.submission}: {f'rank {was} -> {now}' if was != now else f'stays on rank {now}'}")
    return lines


def _check(allow_mixed_hardware: bool) -> int:
    from timetrial.harness.entries.check import check_results
    from timetrial.harness.entries.committed import read_roots

    found = read_roots(places.RESULTS)
    if not found:
        print(f"{places.RESULTS}: no entry is committed yet", file=sys.stderr)
        return 0
    problems = [one for root, results in found.items() for one in check_results(results, root, allow_mixed_hardware)]
    if problems:
        _name(problems, "the committed results are not what was recorded")
        return 1
    entries = [entry for results in found.values() for entry in results.entries]
    trials = sum(len(entry.trials()) for entry in entries)
    print(f"{len(entries)} entries, {trials} trials: every record is whole, every score follows from them")
    return 0


def _rewrite(allow_mixed_hardware: bool) -> int:
    from timetrial.harness.entries.committed import read_roots
    from timetrial.harness.entries.submitting import rewrite

    for root in read_roots(places.RESULTS) or [places.RESULTS]:
        for file in rewrite(root, allow_mixed_hardware):
            print(file)
    return 0


def _name(problems: list[str], what: str) -> None:
    print(f"{what}:", file=sys.stderr)
    for problem in problems[:MOST_NAMED]:
        print(f"  {problem.removeprefix(f'{Path.cwd()}/')}", file=sys.stderr)
    if len(problems) > MOST_NAMED:
        print(f"  and {len(problems) - MOST_NAMED} more", file=sys.stderr)
