"""Simulate verdicts of `timetrial judge`: how many paired studies they take, and how often they are wrong.

A simulated pair has a normal log ratio (or one with the tails of a t of 4 degrees of freedom) around a true speed-up.
Its spread is what committed records have: the standard deviation over studies of the mean log ratio to the reference
over workloads, by steps and by seconds. The table is written into a document, between two marks.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from timetrial.harness.entries.find import find_run
from timetrial.harness.judging.sequential import ALPHA, VERDICTS, decide, summarize
from timetrial.harness.judging.verdict import FEWEST
from timetrial.harness.planning.places import RESULTS, ROOT
from timetrial.harness.records.table import read_trials
from timetrial.harness.scoring import REFERENCE
from timetrial.harness.scoring.budgets import budget_of
from timetrial.harness.scoring.trials import LAST, crossing_column, prepare_trials

ADVANTAGES = (1.0, 1.1, 1.2, 1.5)
AT_LEAST = 1.05
STUDIES = 20
FREEDOM = 4
"""Degrees of freedom of the heavy tails."""
MARKS = ("<!-- scripts/simulate_judge writes from here -->", "<!-- to here -->")


@dataclass(frozen=True)
class Spread:
    """How much the log ratio of a pair varies from study to study, as it was recorded."""

    name: str
    value: float


def spreads(trials: pd.DataFrame, reference: str = REFERENCE) -> list[Spread]:
    """Measure the spread of pairs in a prepared table: the median and the upper quartile over submissions by steps,
    and the median by paced seconds. Submissions with fewer than three studies are left out."""
    found = []
    for clock, quantile in (("steps", 0.5), ("steps", 0.75), ("paced", 0.5)):
        logs = {}
        for workload, rows in trials.groupby("workload", observed=True):
            counted = np.log(np.minimum(rows[crossing_column(clock)], budget_of(rows, clock, reference)))
            logs[workload] = pd.Series(counted.to_numpy(), [rows["submission"].astype(str), rows["study"]])
        study = pd.DataFrame(logs).mean(axis=1).unstack()
        ratios = (study.loc[reference] - study).drop(index=reference).dropna(thresh=3)
        words = "median" if quantile == 0.5 else "upper quartile"
        found.append(Spread(f"{words} by {clock}", float(ratios.std(axis=1).quantile(quantile))))
    return found


def pair_seconds(trials: pd.DataFrame, reference: str = REFERENCE) -> float:
    """Give the core-seconds of the reference's half of a pair: its mean training seconds, summed over workloads."""
    own = trials[trials["submission"] == reference]
    return float(own.groupby("workload", observed=True)[LAST["paced"]].mean().sum())


def simulate_verdict(log_ratios: Sequence[float], at_least: float) -> tuple[str, int]:
    """Look at the ratios as `judge` does, after the first `FEWEST` and then one by one; gives the verdict and the
    pairs that it took."""
    for n in range(FEWEST, len(log_ratios) + 1):
        verdict = decide(summarize(log_ratios[:n]), at_least)
        if verdict != "undecided":
            return verdict, n
    return "undecided", len(log_ratios)


def peeking(log_ratios: Sequence[float]) -> bool:
    """Say whether an ordinary t-test, repeated after every pair, would at some look call the two different."""
    n = np.arange(FEWEST, len(log_ratios) + 1)
    found = [summarize(log_ratios[:k]) for k in n]
    t = np.array([one.mean / one.spread for one in found]) * np.sqrt(n)
    return bool((np.abs(t) > stats.t.ppf(1 - ALPHA / 2, n - 1)).any())


def is_wrong(verdict: str, advantage: float, at_least: float) -> bool:
    """Say whether a verdict is false where the true speed-up is `advantage`."""
    return {
        "faster": advantage <= 1,
        "slower": advantage >= 1,
        "not faster by at least": advantage >= at_least,
        "undecided": False,
    }[verdict]


def simulate(spread: float, advantage: float, repetitions: int, seed: int, heavy: bool = False) -> dict[str, float]:
    """Simulate verdicts; gives the share of each, of wrong ones, the pairs they take, and what peeking would say."""
    generator = np.random.default_rng(seed)
    drawn = generator.standard_t(FREEDOM, (repetitions, STUDIES)) / np.sqrt(FREEDOM / (FREEDOM - 2))
    if not heavy:
        drawn = generator.standard_normal((repetitions, STUDIES))
    ratios = np.log(advantage) + spread * drawn
    verdicts, pairs = zip(*(simulate_verdict(row, AT_LEAST) for row in ratios), strict=True)
    return {
        **{name: float(np.mean([v == name for v in verdicts])) for name in VERDICTS},
        "wrong": float(np.mean([is_wrong(v, advantage, AT_LEAST) for v in verdicts])),
        "pairs": float(np.median(pairs)),
        "most_pairs": float(np.quantile(pairs, 0.9)),
        "peeking": float(np.mean([peeking(row) for row in ratios])) if advantage == 1 else np.nan,
    }


def table(found: Sequence[Spread], half_pair: float, repetitions: int) -> str:
    """Write the simulated verdicts as Markdown."""
    heading = "| spread of a pair | true speed-up | pairs: median (90 %) | core-minutes | faster | slower "
    lines = [heading + f"| not by {AT_LEAST:.2f}x | undecided | wrong |", "| --- |" + " ---: |" * 8]
    peeked = []
    cases = [(s.name, s.value, False) for s in found] + [(f"{found[0].name}, heavy tails", found[0].value, True)]
    for seed, (name, spread, heavy) in enumerate(cases):
        for advantage in ADVANTAGES:
            row = simulate(spread, advantage, repetitions, seed, heavy)
            minutes = row["pairs"] * half_pair * (1 + 1 / advantage) / 60
            shares = " | ".join(f"{row[key]:.1%}" for key in (*VERDICTS, "wrong"))
            lines.append(
                f"| {name}: {spread:.3f} | {advantage:.1f}x | {row['pairs']:.0f} ({row['most_pairs']:.0f}) "
                f"| {minutes:.0f} | {shares} |"
            )
            peeked += [row["peeking"]] * (advantage == 1)
    ordinary = f"{min(peeked):.0%} to {max(peeked):.0%}"
    return "\n".join(
        [
            f"{repetitions} simulated verdicts a row, at most {STUDIES} studies, `--at-least {AT_LEAST}`. Core-minutes",
            f"are those of `mini`: {half_pair:.0f} core-seconds of training for the reference's half of a pair on all",
            "workloads. An ordinary t-test at 5 %, repeated after every pair until it is content, would call two equal",
            f"submissions different in {ordinary} of these cases.",
            "",
            *lines,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "results", nargs="?", default=str(RESULTS / "mini" / "self_tuning"), help="records of one board"
    )
    parser.add_argument("--repetitions", type=int, default=200, help="simulated verdicts for each row")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "judge.md", help="the document with the marks")
    options = parser.parse_args()
    trials = prepare_trials(read_trials([find_run(options.results)]))
    text = table(spreads(trials), pair_seconds(trials), options.repetitions)
    print(text)
    between = re.compile(f"(?<={re.escape(MARKS[0])}\n).*?(?={re.escape(MARKS[1])})", re.DOTALL)
    options.output.write_text(between.sub(lambda _: f"\n{text}\n\n", options.output.read_text()))


if __name__ == "__main__":
    main()
