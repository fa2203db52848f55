"""The table of trials that scores are made from: its columns and its checks.

One row is one planned trial, as `records/table.py` and `read_algoperf_logs` give them. Needed are submission, workload,
study, trial and time_to_target (measured seconds of the first evaluation at the target, inf where there is none).
Optional are
- steps_to_target and paced_time_to_target (of the same evaluation), eval_index_at_target, n_evals;
- crossing_measured, crossing_paced, crossing_steps: when the target was crossed, between evaluations; without them the
  times of the first evaluation; evaluations and higher_is_better, from which crossings of other levels follow;
- last_seconds, last_paced, last_step, budget_seconds and budget_clock (which of the clocks the budget counts);
  max_steps (NaN: no limit but the budget);
- status (one of `STATUSES`), flags (tuple of str), path (to name the trial by);
- positions (dict: where in its range of the search space each hyperparameter lies, from 0 to 1);
- suite, ruleset (together the leaderboard), protocol (equal for all trials of a workload that may be compared);
- role (base, heldout or ignored) and base_workload of AlgoPerf's held-out workloads; machine; provisional;
- slowness (what the times of a committed entry were divided by already), slowness_error (of its logarithm).
"""

import numpy as np
import pandas as pd

from timetrial.harness import UsageError
from timetrial.harness.planning.spec import STATUSES, UNFINISHED
from timetrial.harness.records.crossing import CLOCKS

KEY = ("submission", "workload", "study", "trial")
REQUIRED = (*KEY, "time_to_target")
DEFAULTS = {
    "suite": "",
    "protocol": "",
    "ruleset": "",
    "path": "",
    "eval_index_at_target": 0,
    "n_evals": 1,
    "last_seconds": np.nan,
    "last_paced": np.nan,
    "last_step": np.nan,
    "budget_seconds": np.nan,
    "budget_clock": "measured",
    "max_steps": np.nan,
    "role": "base",
    "base_workload": "",
    "machine": None,
    "slowness": 1.0,
    "slowness_error": 0.0,
    "provisional": False,
}
"""What a table that leaves a column out means by it."""
FIRST_EVALUATION = {"paced": "paced_time_to_target", "measured": "time_to_target", "steps": "steps_to_target"}
"""For each clock, the column with its reading at the first evaluation at the target."""
LAST = {"paced": "last_paced", "measured": "last_seconds", "steps": "last_step"}
"""For each clock, the column with its reading at the end of the trial."""


def crossing_column(clock: str) -> str:
    return f"crossing_{clock}"


def prepare_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """Check a table of trials and fill in optional columns.

    Names become categories in alphabetical order, so that the order of rows decides nothing. Only `target_reached`
    counts as reached: the times of every other status become infinite, but for a target that was crossed within the
    budget before the evaluation after it ended the trial.
    Raises `UsageError` for an empty table, a missing column, an unknown status, a negative time, two rows for a trial.
    """
    absent = [column for column in REQUIRED if column not in trials]
    if absent:
        raise UsageError(
            f"table of trials: column {absent[0]!r} is missing (there are: {', '.join(map(str, trials.columns))}); "
            f"it needs {', '.join(REQUIRED)}"
        )
    if trials.empty:
        raise UsageError("no trials to score: the table is empty; name a run that has been started")
    trials = trials.assign(**{column: value for column, value in DEFAULTS.items() if column not in trials})
    if "flags" not in trials:
        trials["flags"] = [()] * len(trials)
    if "status" not in trials:
        reached = np.isfinite(trials["time_to_target"])
        trials["status"] = np.where(reached, "target_reached", "budget_exhausted")
    for column in ("submission", "workload"):
        trials[column] = trials[column].astype(str).astype("category")
    _check(trials)
    reached, crossed = (
        trials["status"] == "target_reached",
        trials["status"].isin(("target_reached", "budget_exhausted")),
    )
    for clock, column in FIRST_EVALUATION.items():
        if column in trials:
            trials[column] = trials[column].where(reached, np.inf).astype(float)
        if crossing_column(clock) in trials:
            trials[crossing_column(clock)] = trials[crossing_column(clock)].where(crossed, np.inf).astype(float)
        elif column in trials:
            trials[crossing_column(clock)] = trials[column]
    return trials


def _check(trials: pd.DataFrame) -> None:
    statuses = trials["status"].astype("category")
    for status in statuses.cat.categories.difference(STATUSES):
        row = trials[statuses == status].iloc[0]
        raise UsageError(f"{name_trial(row)}: status is {status!r}; it must be one of {', '.join(STATUSES)}")
    for clock in ("measured", "steps"):
        column, unit = FIRST_EVALUATION[clock], CLOCKS[clock]
        if column not in trials:
            continue
        wrong = ~(trials[column] >= 0) | ((trials["status"] == "target_reached") & np.isinf(trials[column]))
        if wrong.any():
            row = trials[wrong].iloc[0]
            raise UsageError(
                f"{name_trial(row)}: {column} is {row[column]}; it must be a number of {unit} from 0 on, "
                f"and finite for target_reached"
            )
    duplicated = trials.duplicated(["suite", "ruleset", *KEY], keep=False)
    if duplicated.any():
        first, second = [row for _, row in trials[duplicated].sort_values([*KEY, "path"], kind="stable")[:2].iterrows()]
        raise UsageError(f"two rows for one trial: {name_trial(first)} and {name_trial(second)}; leave one out")


def name_trial(row: pd.Series) -> str:
    """Name a trial for a message: where it is stored when that is known, else its key."""
    key = f"{row['submission']}/{row['workload']}/study {row['study']}/trial {row['trial']}"
    return str(row["path"]) if row["path"] else key


def choose_clock(trials: pd.DataFrame, asked: str | None) -> str:
    """Give the clock that was `asked` for, by default paced seconds where a prepared table has them, else measured.

    Raises `UsageError` for a clock that is none, and for one that the records do not have.
    """
    if asked is not None and asked not in CLOCKS:
        raise UsageError(f"--clock {asked}: unknown clock; choose one of {', '.join(CLOCKS)}")
    there = available_clocks(trials)
    if asked is None:
        return there[0]
    if asked not in there:
        first = trials.iloc[0]
        where = f"the records of {first['suite']}/{first['ruleset']}"
        raise UsageError(f"--clock {asked}: {where} do not have it; choose one of {', '.join(there)}")
    return asked


def available_clocks(trials: pd.DataFrame) -> list[str]:
    """List the clocks that a prepared table has, in the order of `CLOCKS`."""
    ended = trials[~trials["status"].isin(UNFINISHED)]
    paced = len(ended) > 0 and bool((ended["budget_clock"] == "paced").all())
    return [clock for clock in CLOCKS if crossing_column(clock) in trials and (clock != "paced" or paced)]
