"""Which part of a submission helps? Run it without each of the `switches` of its submission.yaml, in paired studies.

All start from the same weights on the same batches, study by study. Up to five switches are taken away one by one; with
more of them half of all combinations are run. The same command again goes on where it was stopped.
"""

import argparse
import json
import sys
from dataclasses import asdict

EXAMPLE = "timetrial ablate muon suite=mini --studies 5 data_root=DIR"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a submission with switches")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="as of timetrial run: suite, workloads, ...")
    parser.add_argument("--studies", type=int, default=5, metavar="N", help="paired studies (5)")
    parser.add_argument("--clock", choices=("paced", "measured", "steps"), help="by default paced where there is one")
    parser.add_argument("--json", action="store_true", help="write JSON to standard output")


def main(options: argparse.Namespace) -> int:
    from timetrial.harness.judging.ablation import ablate
    from timetrial.harness.planning.configuration import RUN_ONLY, compose
    from timetrial.harness.runs.execute import TrialLost, read_place
    from timetrial.harness.scoring.present import clock_in_words, with_interval

    config = compose([f"submission={options.name}", "ruleset=self_tuning", *options.overrides], RUN_ONLY)
    try:
        found = ablate(config, options.name, options.studies, read_place(config), options.clock)
    except TrialLost as lost:
        print(f"timetrial ablate: {lost}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(asdict(found), indent=1))
        return 0
    print(
        f"{found.submission} on {found.suite}: how many times as long it takes without a part, by "
        f"{clock_in_words(found.clock)}; {found.studies} paired studies of {found.arms}, "
        f"{found.core_seconds / 60:.1f} core-minutes; 95 % intervals, each for itself"
    )
    for part in found.parts:
        low, high = part.contribution.low, part.contribution.high
        said = "helps" if low > 1 else "hurts" if high < 1 else "not decided"
        missed = f"; {part.misses} missed, which count as the budget" if part.misses else ""
        change = f"{part.name}: {part.whole} -> {part.without}"
        print(f"  {change:32} {with_interval(part.contribution, '{:.2f}x'):26} {said}{missed}")
    return 0
