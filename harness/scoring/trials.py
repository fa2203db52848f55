"""The table of trials that scores are made from: its columns, its checks, and the trial of each study that counts.

One row is one planned trial, as `records/table.py` and `read_algoperf_logs` give them. Needed are
submission, workload, study, trial and time_to_target (seconds, inf when not reached). Optional are
- steps_to_target (inf when not reached), eval_index_at_target, n_evals, last_seconds, last_step, budget_seconds;
- status (one of `STATUSES`; only target_reached counts as reached), flags (tuple of str), path (to name the trial by);
- suite, ruleset (together the leaderboard), protocol (equal for all trials of a workload that may be compared);
- role (base, heldout or ignored) and base_workload of AlgoPerf's held-out workloads; machine; provisional.
"""

import numpy as np
import pandas as pd

from timetrial.harness import UsageError
from timetrial.harness.planning.spec import STATUSES
from timetrial.harness.scoring.rules import Rules

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
    "last_step": np.nan,
    "budget_seconds": np.nan,
    "role": "base",
    "base_workload": "",
    "machine": None,
    "provisional": False,
}
"""What a table that leaves a column out means by it."""
MEASURES = {"time_to_target": "s", "steps_to_target": "steps"}
"""What can be scored, and its unit."""


def prepare_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """Check a table of trials and fill in optional columns.

    Names become categories in alphabetical order, so that the order of rows decides nothing. Only `target_reached`
    counts as reached: the time and steps of every other status become infinite.
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
    for column in trials.columns.intersection(list(MEASURES)):
        trials[column] = trials[column].where(trials["status"] == "target_reached", np.inf).astype(float)
    return trials


def _check(trials: pd.DataFrame) -> None:
    statuses = trials["status"].astype("category")
    for status in statuses.cat.categories.difference(STATUSES):
        row = trials[statuses == status].iloc[0]
        raise UsageError(f"{name_trial(row)}: status is {status!r}; it must be one of {', '.join(STATUSES)}")
    for column, unit in MEASURES.items():
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


def counting_trials(trials: pd.DataFrame, rules: Rules, measure: str = "time_to_target") -> pd.DataFrame:
    """Pick the row of each (submission, workload, study) that counts, from a prepared table; ties go to the faster."""
    if rules.skip_unevaluated:
        trials = trials[trials["n_evals"] > 0]
    keys = [trials[measure]]
    if rules.counting_trial == "first_evaluation":
        keys.append(trials["eval_index_at_target"].where(np.isfinite(trials[measure]), np.inf))
    cell = [trials["study"], trials["workload"].cat.codes, trials["submission"].cat.codes]
    ordered = trials.iloc[np.lexsort([trials["trial"], *keys, *cell])]
    return ordered[~ordered.duplicated(["submission", "workload", "study"])]
