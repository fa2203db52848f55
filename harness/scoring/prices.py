"""Prices: what a step of each submission costs on some machine, and what a leaderboard would be there.

A price file is JSON: the fields of `Prices`. Steps to target do not depend on hardware; times there are steps times the
price, and a miss counts as the price of the steps that the budget has bought the reference.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from timetrial.harness import UsageError
from timetrial.harness.records.crossing import CLOCKS
from timetrial.harness.scoring.best_of_k import weights
from timetrial.harness.scoring.leaderboard import Leaderboard
from timetrial.harness.scoring.score import score_table
from timetrial.harness.scoring.trials import crossing_column, prepare_trials

UNIT = "measured"
"""The clock of a table that is replaced by priced seconds."""
FACTORS = (1e-3, 1e3)
"""Between which a break-even is looked for."""


@dataclass(frozen=True)
class Prices:
    """Seconds of a step on one machine."""

    name: str
    """Of the machine, for people: a choice on the page."""
    suite: str
    suite_version: int
    ruleset: str
    seconds: dict[str, dict[str, float]]
    """By submission, then by workload."""
    spread: dict[str, dict[str, float]]
    """How far repeated measurements of a price lie apart: the largest over the smallest."""
    changed: list[str]
    """Submissions whose source in this clone is not the one that ran."""
    missing: dict[str, str]
    """Submissions that could not be priced, and why."""
    machine: dict[str, Any]
    measured_at: str

    @property
    def clock(self) -> str:
        """The name of its clock on a page."""
        return f"at {self.name}"

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1) + "\n"


def read_prices(file: Path) -> Prices:
    """Read a price file; raises `UsageError` where it is none."""
    try:
        found = Prices(**json.loads(file.read_text()))
        numbers = [float(price) for its in found.seconds.values() for price in its.values()]
        if not numbers or not all(0 < number < np.inf for number in numbers):
            raise ValueError("a price is no number above zero")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{file} is no price file: {error}: timetrial price writes one") from None
    return found


def fits(prices: Prices, trials: pd.DataFrame) -> bool:
    """Say whether prices are of the suite, its version and the ruleset of a leaderboard's trials."""
    first = trials.iloc[0]
    theirs = (prices.suite, prices.suite_version, prices.ruleset)
    return theirs == (first["suite"], first["suite_version"], first["ruleset"])


def priced(trials: pd.DataFrame, prices: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """Give the trials of the submissions that have a price, with priced seconds in place of measured ones."""
    cost = [
        prices.get(str(row.submission), {}).get(str(row.workload), np.nan)
        for row in trials[["submission", "workload"]].itertuples()
    ]
    trials = trials.assign(cost=cost)
    unpriced = set(trials.loc[trials["cost"].isna(), "submission"])
    trials = trials[~trials["submission"].isin(unpriced)].assign(slowness=1.0, slowness_error=0.0)  # steps have none
    bought = trials["last_paced"].where(trials["budget_clock"] == "paced", trials["last_seconds"])
    trials["last_paced"], trials["budget_clock"] = bought, "paced"  # so that a budget is what it buys the reference
    trials["last_seconds"] = trials["last_step"] * trials["cost"]
    trials["time_to_target"] = trials["steps_to_target"] * trials["cost"]
    trials[crossing_column(UNIT)] = trials[crossing_column("steps")] * trials["cost"]
    if "evaluations" in trials:
        at, steps = (1 + list(CLOCKS).index(clock) for clock in (UNIT, "steps"))
        trials["evaluations"] = [
            np.concatenate([e[:, :at], e[:, steps : steps + 1] * cost, e[:, at + 1 :]], axis=1)
            for e, cost in zip(trials["evaluations"], trials["cost"], strict=True)
        ]
    return trials


def score_at(trials: pd.DataFrame, prices: Prices, allow_incomplete: bool = False) -> Leaderboard:
    """Score a table of trials as it would be on the machine of `prices`.

    Raises `UsageError` where no submission of the table has a price.
    """
    here = priced(trials, prices.seconds)
    if here.empty:
        raise UsageError(f"prices of {prices.name}: none is of a submission on {prices.suite}/{prices.ruleset}")
    board = score_table(here, clock=UNIT, allow_incomplete=allow_incomplete)
    notes = [note for note in board.notes if not note.startswith(("times are measured", "seconds come from"))]
    notes.append(f"times are steps to target times the price of a step on {prices.name}")
    if without := sorted(set(trials["submission"].astype(str)) - set(here["submission"].astype(str))):
        notes.append(f"not priced there, and left out: {', '.join(without)}")
    if changed := sorted(set(prices.changed) & set(here["submission"].astype(str))):
        notes.append(f"priced with a source that has changed since: {', '.join(changed)}")
    return replace(board, clock=prices.clock, notes=tuple(notes))


def break_even(trials: pd.DataFrame, prices: Prices, submission: str, board: Leaderboard) -> float | None:
    """Find by which factor the price of a submission's step may change until it is as fast as the reference.

    Above 1: its step may cost so many times as much; infinite where it is faster at any price, since it reaches what
    the reference misses. Below: it must cost so much less. None where no factor does it, since its own misses, which
    count as the budget, do not become hits.
    """
    here = prepare_trials(priced(trials, prices.seconds))

    def mean_log_time(name: str, factor: float) -> float:
        means = []
        for workload, budget in board.budgets.items():
            own = here[(here["submission"] == name) & (here["workload"] == workload)]
            times = own[crossing_column(UNIT)].to_numpy() if len(own) else np.array([np.inf])  # never ran: a miss
            logs = np.sort(np.log(np.minimum(times * factor, budget)))
            means.append(float(weights(len(logs), board.trials_of_study) @ logs))
        return float(np.mean(means))

    goal = mean_log_time(board.reference, 1.0)
    low, high = (mean_log_time(submission, factor) - goal for factor in FACTORS)
    if low < 0 and high <= 0:
        return math.inf
    if not low < 0 < high:
        return None
    return float(np.exp(brentq(lambda log: mean_log_time(submission, np.exp(log)) - goal, *np.log(FACTORS), xtol=1e-4)))
