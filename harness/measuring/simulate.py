"""Simulate leaderboards from recorded trials, and count how often the scores' claims about them are true.

A simulated submission draws its trials, with replacement, from all trials that a recorded submission ran on a workload;
so it is known what the best of a study is truly worth, and by how much another is slower whose times are the same times
a factor. Writes a table of coverage, power and false separations as Markdown.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from timetrial.harness.entries.find import find_run
from timetrial.harness.planning.places import RESULTS
from timetrial.harness.records.table import read_trials
from timetrial.harness.scoring import Estimate, Leaderboard, score_table
from timetrial.harness.scoring.best_of_k import Array
from timetrial.harness.scoring.trials import available_clocks, prepare_trials

SLOWER = (0.0, 0.1, 0.2, 0.5)
REFERENCE = "0"


@dataclass(frozen=True, eq=False)
class Source:
    """The recorded trials of one submission: by workload, when they crossed the target, and their evaluations."""

    times: dict[str, Array]
    evaluations: dict[str, list[Array]]
    targets: dict[str, float]
    higher_is_better: dict[str, bool]
    budgets: dict[str, float]


@dataclass(frozen=True)
class Shape:
    """How many studies and trials a simulated submission has."""

    studies: int
    trials: int


def read_sources(trials: pd.DataFrame, clock: str) -> list[Source]:
    """Read the submissions of one leaderboard's table that reach any target."""
    trials = prepare_trials(trials)
    found = []
    for _, own in trials.groupby("submission", observed=True):
        by_workload = dict(list(own.groupby("workload", observed=True)))
        source = Source(
            {name: rows[f"crossing_{clock}"].to_numpy() for name, rows in by_workload.items()},
            {name: [_one_clock(array, clock) for array in rows["evaluations"]] for name, rows in by_workload.items()},
            {name: float(rows["target"].iloc[0]) for name, rows in by_workload.items()},
            {name: bool(rows["higher_is_better"].iloc[0]) for name, rows in by_workload.items()},
            {name: float(rows["budget_seconds"].iloc[0]) for name, rows in by_workload.items()},
        )
        if any(np.isfinite(times).any() for times in source.times.values()):
            found.append(source)
    return found


def _one_clock(evaluations: Array, clock: str) -> Array:
    """Let all clocks be the one that is simulated."""
    column = {"paced": 1, "measured": 2, "steps": 3}[clock]
    return evaluations[:, [0, column, column, 3]]


def draw(source: Source, slower: float, shape: Shape, generator: np.random.Generator, name: str) -> pd.DataFrame:
    """Draw the trials of a submission like `source`, with times that are `slower` (0.1: 10 %) longer."""
    count, tables = shape.studies * shape.trials, []
    factor = np.array([1, 1 + slower, 1 + slower, 1])
    for workload, times in source.times.items():
        drawn = generator.integers(len(times), size=count)
        crossed = times[drawn] * (1 + slower)
        crossed = np.where(crossed <= source.budgets[workload], crossed, np.inf)
        tables.append(
            pd.DataFrame(
                {
                    "submission": name,
                    "workload": workload,
                    "study": np.repeat(np.arange(shape.studies), shape.trials),
                    "trial": np.tile(np.arange(shape.trials), shape.studies),
                    "time_to_target": crossed,
                    "crossing_steps": crossed,
                    "evaluations": [source.evaluations[workload][i] * factor for i in drawn],
                    "target": source.targets[workload],
                    "higher_is_better": source.higher_is_better[workload],
                    "budget_seconds": source.budgets[workload],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def true_log_time(source: Source, slower: float, trials: int) -> float:
    """Compute what a study of so many draws is expected to be worth: the mean over workloads of the best log time."""
    found = []
    for workload, times in source.times.items():
        budget = source.budgets[workload]
        best = np.log(np.minimum(np.sort(times) * (1 + slower), budget))
        left = np.arange(len(best), -1, -1) / len(best)
        found.append(float((left[:-1] ** trials - left[1:] ** trials) @ best))
    return float(np.mean(found))


def board(sources: Sequence[tuple[Source, float]], shape: Shape, generator: np.random.Generator) -> Leaderboard:
    """Score a simulated leaderboard; submissions are called 0, 1, 2 ..., and 0 is the reference."""
    drawn = [draw(*source, shape, generator, str(i)) for i, source in enumerate(sources)]
    return score_table(pd.concat(drawn, ignore_index=True), reference=REFERENCE)


def covers(estimate: Estimate, truth: float) -> bool:
    return estimate.low is not None and estimate.low <= truth <= estimate.high


def simulate_pairs(sources: Sequence[Source], slower: float, shape: Shape, repetitions: int, seed: int) -> dict:
    """Let a submission race one that is `slower`: how often is it found, does the interval hold the true speed-up?"""
    generator = np.random.default_rng(seed)
    found, wrong, covered, on_the_way, on_the_way_wrong = [], [], [], [], []
    for repetition in range(repetitions):
        source = sources[repetition % len(sources)]
        standing = board([(source, 0.0), (source, slower)], shape, generator).of("1")
        truth = np.exp(true_log_time(source, 0.0, shape.trials) - true_log_time(source, slower, shape.trials))
        found.append(standing.speedup.high < 1)
        wrong.append(standing.speedup.low > 1)
        covered.append(covers(standing.speedup, truth))
        on_the_way.append(standing.on_the_way.high < 1)
        on_the_way_wrong.append(standing.on_the_way.low > 1)
    return {
        "slower": slower,
        "found": float(np.mean(found)),
        "wrong": float(np.mean(wrong)),
        "covered": float(np.mean(covered)),
        "on_the_way": float(np.mean(on_the_way)),
        "on_the_way_wrong": float(np.mean(on_the_way_wrong)),
    }


def simulate_boards(sources: Sequence[Source], alike: bool, shape: Shape, repetitions: int, seed: int) -> dict:
    """Race as many as are recorded, drawn from them or all `alike`: which of the claims about them are true?"""
    generator, size = np.random.default_rng(seed), len(sources)
    covered, false, best = [], [], []
    for repetition in range(repetitions):
        chosen = generator.choice(size, size) if not alike else [repetition % size] * size
        field = [(sources[i], 0.0) for i in chosen]
        truths = np.array([true_log_time(*one, shape.trials) for one in field])
        scored = board(field, shape, generator)
        for i in range(1, size):
            covered.append(covers(scored.of(str(i)).speedup, float(np.exp(truths[0] - truths[i]))))
        false.append(
            any(truths[i] >= truths[int(other)] for i in range(size) for other in scored.of(str(i)).faster_than)
        )
        best.append(bool(scored.of(str(int(truths.argmin()))).may_be_best))
    return {"covered": float(np.mean(covered)), "false": float(np.mean(false)), "best": float(np.mean(best))}


def report(name: str, sources: Sequence[Source], shape: Shape, repetitions: int, say: Callable[[str], None]) -> str:
    """Run all simulations of one ruleset, and write their tables."""
    lines = [
        f"## {name}: {shape.studies} studies of {shape.trials}, {len(sources)} recorded submissions",
        "",
        "| truly slower | found slower | found faster | interval holds the truth | on the way: found slower | faster |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for seed, slower in enumerate(SLOWER):
        pair = simulate_pairs(sources, slower, shape, repetitions, seed)
        cells = [pair[key] for key in ("slower", "found", "wrong", "covered", "on_the_way", "on_the_way_wrong")]
        lines.append("| " + " | ".join(f"{cell:.1%}" for cell in cells) + " |")
        say(lines[-1])
    lines += [
        "",
        f"| field of {len(sources)} | speed-up intervals that hold the truth | boards with any false separation "
        "| boards whose true best is among those that may be |",
        "| --- | ---: | ---: | ---: |",
    ]
    for alike, what in ((True, "all alike"), (False, "drawn from the records")):
        found = simulate_boards(sources, alike, shape, max(1, repetitions // 2), 100 + alike)
        lines.append(f"| {what} | {found['covered']:.1%} | {found['false']:.1%} | {found['best']:.1%} |")
        say(lines[-1])
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="*", default=[str(RESULTS / "mini")], help="runs or committed results")
    parser.add_argument(
        "--repetitions", type=int, default=400, help="simulated pairs for each row; half as many boards"
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "benchmark" / "scoring_simulation.md")
    options = parser.parse_args()
    boards = [read_trials([find_run(results)]).groupby(["suite", "ruleset"]) for results in options.results]
    parts = []
    for (suite, ruleset), rows in chain.from_iterable(boards):
        clock = available_clocks(prepare_trials(rows))[0]
        studies = int(rows["study"].max()) + 1
        shape = Shape(studies, int(rows["trial"].max()) + 1)
        name = f"{suite} version {rows['suite_version'].iloc[0]}, {ruleset}, {clock} seconds"
        parts.append(report(name, read_sources(rows, clock), shape, options.repetitions, print))
    introduction = (
        "# How often the scores' claims are true\n\n"
        "`scripts/simulate_scoring` writes this file. A simulated submission draws its trials with replacement from "
        'those that a recorded one ran. "Found" means that the 95 % interval of the speed-up is on one side of 1; a '
        "field is compared at simultaneous 95 %, so at most 5 % of boards should hold a false separation, and in 95 % "
        "the true best should be among those that may be.\n"
        f"{options.repetitions} pairs for each row, {options.repetitions // 2} boards.\n\n"
    )
    options.output.write_text(introduction + "\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
