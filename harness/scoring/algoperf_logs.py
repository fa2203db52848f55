"""AlgoPerf's own logs as a table of trials: from evaluations and targets to times."""

from pathlib import Path

import numpy as np
import pandas as pd

from timetrial.harness import UsageError
from timetrial.harness.scoring.rules import RULES

EVALS_TEXT = ("leaderboard", "submission", "tuning", "workload")
EVALS_WHOLE = ("study", "trial", "eval_index", "global_step")
EVALS_COLUMNS = (*EVALS_TEXT, *EVALS_WHOLE, "accumulated_submission_time", "val_metric")
TARGETS_COLUMNS = ("leaderboard", "workload", "role", "base_workload", "direction", "val_target")
BUDGET = "max_runtime_s_external"
"""An optional column of targets: seconds, for the external ruleset."""
TUNINGS = {"external": ("external", 1), "self": ("self_tuning", 3)}
"""AlgoPerf's word for each ruleset, with ours and how many times the external budget it has (Dahl et al. 2023)."""
IGNORED = {name for rules in RULES.values() for name in rules.ignored_workloads}


def read_algoperf_logs(evals: Path, targets: Path, leaderboard: str, tuning: str) -> pd.DataFrame:
    """Read one leaderboard's logs, with one row per trial that has evaluations, as `score_table` wants them.

    `evals` has a row per evaluation, `targets` one per workload; CSV, compressed or not. A trial reaches its target at
    the first evaluation whose validation metric is at or past it; nan never is. A submission without any log of a
    workload gets one trial without evaluations there. Raises `UsageError` naming file and line for bad input.
    """
    if tuning not in TUNINGS:
        raise UsageError(f"--tuning {tuning}: unknown tuning; choose one of {', '.join(TUNINGS)}")
    ruleset, budget_factor = TUNINGS[tuning]
    goals = _read_targets(targets, leaderboard, budget_factor)
    rows = _read_evals(evals, leaderboard, tuning)
    rows = rows[~rows["workload"].isin(IGNORED - set(goals.index))]
    unknown = rows[~rows["workload"].isin(goals.index)]
    if len(unknown):
        where, workload = _line(evals, unknown), unknown["workload"].iloc[0]
        raise UsageError(f"{where}: workload {workload!r} is unknown; {targets} has {', '.join(goals.index)}")
    trials = _trials(rows, goals)
    trials = trials.assign(suite=f"algoperf {leaderboard}", ruleset=ruleset)
    return trials.merge(goals[["role", "base_workload", "budget_seconds"]], left_on="workload", right_index=True)


def _trials(rows: pd.DataFrame, goals: pd.DataFrame) -> pd.DataFrame:
    key = ["submission", "workload", "study", "trial"]
    rows = rows.sort_values([*key, "eval_index"])
    goal = goals.loc[rows["workload"]]
    sign = np.where(goal["direction"] == "min", 1, -1)
    past = sign * rows["val_metric"].to_numpy() <= sign * goal["val_target"].to_numpy()
    reached = rows[past].drop_duplicates(key).set_index(key)
    trials = rows.groupby(key).agg(
        n_evals=("eval_index", "size"),
        last_seconds=("accumulated_submission_time", "last"),
        last_step=("global_step", "last"),
    )
    trials["time_to_target"] = reached["accumulated_submission_time"].reindex(trials.index, fill_value=np.inf)
    trials["steps_to_target"] = reached["global_step"].astype(float).reindex(trials.index, fill_value=np.inf)
    trials["eval_index_at_target"] = reached["eval_index"].reindex(trials.index, fill_value=-1)
    everywhere = pd.MultiIndex.from_product([rows["submission"].unique(), goals.index], names=key[:2])
    absent = everywhere.difference(trials.index.droplevel(key[2:])).to_frame(index=False)
    never = absent.assign(study=0, trial=1, n_evals=0, time_to_target=np.inf, steps_to_target=np.inf)
    return pd.concat([trials.reset_index(), never], ignore_index=True)


def _read_targets(path: Path, leaderboard: str, budget_factor: int) -> pd.DataFrame:
    goals = _read(path, TARGETS_COLUMNS)
    listed = sorted(set(goals["leaderboard"]))
    if leaderboard not in listed:
        raise UsageError(f"--leaderboard {leaderboard}: not in {path}; choose one of {', '.join(listed)}")
    goals = goals[goals["leaderboard"] == leaderboard].assign(**({} if BUDGET in goals else {BUDGET: np.nan}))
    goals = _with_numbers(path, goals, ("val_target", BUDGET))
    unset = goals[goals["val_target"].isna()]
    if len(unset):
        raise UsageError(f"{_line(path, unset)}: val_target is empty; it must be a number")
    for column, known in (("direction", ("min", "max")), ("role", ("base", "heldout", "ignored"))):
        wrong = goals[~goals[column].isin(known)]
        if len(wrong):
            raise UsageError(f"{_line(path, wrong)}: {column} is {wrong[column].iloc[0]!r}; use {' or '.join(known)}")
    twice = goals[goals["workload"].duplicated()]
    if len(twice):
        raise UsageError(f"{_line(path, twice)}: workload {twice['workload'].iloc[0]!r} is listed twice; keep one row")
    return goals.assign(budget_seconds=goals[BUDGET] * budget_factor).set_index("workload")


def _read_evals(path: Path, leaderboard: str, tuning: str) -> pd.DataFrame:
    rows = _read(path, EVALS_COLUMNS)
    rows = rows[(rows["leaderboard"] == leaderboard) & (rows["tuning"] == tuning)]
    if rows.empty:
        raise UsageError(f"{path}: no rows of leaderboard {leaderboard} with tuning {tuning}; choose another pair")
    rows = _with_numbers(path, rows, (*EVALS_WHOLE, "accumulated_submission_time", "val_metric"))
    for column in (*EVALS_WHOLE, "accumulated_submission_time"):
        wrong = rows[~((rows[column] >= 0) & np.isfinite(rows[column]))]
        if len(wrong):
            raise UsageError(
                f"{_line(path, wrong)}: {column} is {wrong[column].iloc[0]}; it must be a number from 0 on"
            )
    rows = rows.astype(dict.fromkeys(EVALS_WHOLE, int))
    key = ["submission", "workload", "study", "trial", "eval_index"]
    twice = rows[rows.duplicated(key)]
    if len(twice):
        named = ", ".join(f"{column} {twice[column].iloc[0]}" for column in key)
        raise UsageError(f"{_line(path, twice)}: two rows for one evaluation of a trial ({named}); leave one out")
    return rows


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read a CSV that has `columns`, every cell as text, since a digit less moves a trial."""
    try:
        rows = pd.read_csv(path, dtype=str)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; name the CSV with the logs") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as CSV ({' '.join(str(error).split())}); check the file") from None
    absent = [column for column in columns if column not in rows]
    if absent:
        raise UsageError(f"{path}: column {absent[0]!r} is missing; it needs {', '.join(columns)}")
    return rows


def _with_numbers(path: Path, rows: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Turn text into numbers with Python's float, which rounds correctly."""
    numbers = {}
    for column in columns:
        try:
            numbers[column] = rows[column].to_numpy(object).astype(float)
        except ValueError:
            wrong = rows[pd.to_numeric(rows[column], errors="coerce").isna() & rows[column].notna()]
            raise UsageError(
                f"{_line(path, wrong)}: {column} is {wrong[column].iloc[0]!r}; it must be a number"
            ) from None
    return rows.assign(**numbers)


def _line(path: Path, rows: pd.DataFrame) -> str:
    """Name the line of the first of `rows`; the header is line 1."""
    return f"{path} line {rows.index[0] + 2}"
