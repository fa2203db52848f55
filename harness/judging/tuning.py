"""The same tuning for both sides of a comparison: points of their search spaces, in a study that decides nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from timetrial.harness import UsageError
from timetrial.harness.judging.pairs import Arm, plan_arms, read_table
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.plan import select_workloads
from timetrial.harness.planning.search_space import Hyperparameters
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.runs.execute import Place, run_to_end
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.scoring.trials import choose_clock, crossing_column

TUNING_STUDY = 90_000
"""The study of tuning trials, which no verdict comes from: what was chosen on a study is too good there."""


def plan_tuning(config: Mapping[str, Any], submissions: Sequence[str], points: int, place: Place) -> list[TrialSpec]:
    """List the trials of the first `points` points of each search space, one study.

    Raises `UsageError` for a submission without a search space, or with a list of fewer points: both sides search as
    much.
    """
    workloads = select_workloads(config)
    arms = []
    for name in submissions:
        space = find_submission(name).search_space
        if space is None:
            raise UsageError(f"--tune {points}: submission {name!r} has no search_space: leave --tune out")
        if 0 < len(space.points) < points:
            raise UsageError(f"--tune {points}: submission {name!r} lists {len(space.points)} points: tune no more")
        arms += [Arm(name, name, {w.name: values for w in workloads}) for values in space.draw(0, points)]
    return plan_arms(config, arms, [TUNING_STUDY], place)


def tune(
    run: RunFolder, plan: Sequence[TrialSpec], place: Place, clock: str | None
) -> dict[str, dict[str, Hyperparameters]]:
    """Run a plan of `plan_tuning`; gives for each submission the best point on each workload.

    The best reaches the target first; where all miss, it has the best metric of all its evaluations.
    """
    run_to_end(run, plan, place)
    trials = read_table(run, plan)
    column = crossing_column(choose_clock(trials, clock))
    specs = {str(run.trial(spec).path): spec for spec in plan}
    found: dict[str, dict[str, Hyperparameters]] = {}
    for (submission, workload), rows in trials.groupby(["submission", "workload"], observed=True):
        sign = -1.0 if rows["higher_is_better"].fillna(False).any() else 1.0
        metric = [float(np.nanmin(sign * e[:, 0], initial=np.inf)) for e in rows["evaluations"]]
        best = rows.assign(best=metric).sort_values([column, "best", "trial"]).iloc[0]
        found.setdefault(str(submission), {})[str(workload)] = specs[best["path"]].hyperparameters
    return found
