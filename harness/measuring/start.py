"""Measure what a trial costs besides training: to start its processes behind the wall, to warm up, and to end them.

Trials of a few steps of one workload of `quickstart`, one after the other, as a slot runs them.
"""

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

REPETITIONS = 20
STAGES = ("wall", "warm-up", "begin", "rest")


def measure() -> dict[str, list[float]]:
    """Run the trials; gives the milliseconds of each stage, of the first trial as well, which starts the forkserver."""
    import torch  # takes a second

    from timetrial.harness.planning.catalogue import find_submission
    from timetrial.harness.planning.configuration import compose
    from timetrial.harness.planning.plan import make_plan
    from timetrial.harness.planning.source import read_source
    from timetrial.harness.records.files import TrialFolder
    from timetrial.harness.trial import referee
    from timetrial.harness.trial.arena import Arena
    from timetrial.harness.trial.forkserver import prepare_forkserver
    from timetrial.harness.trial.trainee_process import TraineeProcess

    marks: list[float] = []

    class Marked(TraineeProcess):
        def __init__(self, *given):
            marks[:] = [time.perf_counter()]
            super().__init__(*given)

        def expect(self, kind, timeout):
            message = super().expect(kind, timeout)
            if kind in ("isolated", "warm", "built"):
                marks.append(message[1])
            return message

    given = ["submission=adamw", "suite=quickstart", "ruleset=self_tuning", "workloads=[modular_division]"]
    spec = make_plan(compose(given), "cpu", threads=1)[0]
    spec = replace(spec, max_steps=2, workload=replace(spec.workload, eval_every=2, target=1e9))
    torch.set_num_threads(1)
    prepare_forkserver([spec])
    source, arena = read_source("adamw", find_submission("adamw").source_files()), Arena(spec, None)
    referee.TraineeProcess = Marked
    stages: dict[str, list[float]] = {stage: [] for stage in STAGES}
    with tempfile.TemporaryDirectory() as place:
        for number in range(REPETITIONS):
            folder = TrialFolder(Path(place) / str(number))
            folder.path.mkdir()
            result = referee.run_trial(spec, source, arena, folder)
            rest = time.perf_counter() - marks[-1] - result.seconds - result.evaluation_seconds
            times = [*(after - before for before, after in pairwise(marks)), rest]
            for stage, seconds in zip(STAGES, times, strict=True):
                stages[stage].append(1e3 * seconds)
    arena.close()
    return stages


def main() -> int:
    argparse.ArgumentParser(prog="scripts/measure_start", description=__doc__).parse_args()
    stages = measure()
    for stage, times in stages.items():
        print(
            f"{stage:8} {statistics.median(times[1:]):6.0f} ms (median of {len(times) - 1})   first {times[0]:6.0f} ms"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
