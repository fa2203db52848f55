"""Whether a leaderboard orders submissions as another does, such as a published one: Kendall's tau, and how sure it is.

tau-b (Kendall 1945) is 1 for the same order, 0 for orders that have nothing to do with each other, and -1 for the
reverse. Its interval comes from a bootstrap (Efron 1979): over studies, drawn again with replacement, the same numbers
for all submissions on a workload; over workloads; and over both, which asks what another benchmark made in the same way
would have said. The published scores are taken as they are. With few submissions a random order does as well by chance,
whose probability (exact where no two are equal) stands beside it.

No order can be predicted by one that does not predict itself. So the order on one half of the workloads is held against
the order on the other half (split-half reliability: Spearman 1910, Brown 1910).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import kendalltau

from timetrial.harness import UsageError
from timetrial.harness.planning.places import CONFIGS
from timetrial.harness.scoring.best_of_k import Array, weights
from timetrial.harness.scoring.jackknife import CONFIDENCE, Estimate
from timetrial.harness.scoring.trials import crossing_column, prepare_trials

if TYPE_CHECKING:
    import pandas as pd

    from timetrial.harness.scoring.leaderboard import Leaderboard

ALGOPERF = CONFIGS / "published" / "algoperf_v05_external.csv"
"""The scores of AlgoPerf's first competition, external tuning, as they were published."""
RESAMPLES = 200
FEWEST = 3
"""Submissions that an order needs to be compared with another."""
SOURCES = ("studies", "workloads", "both")


@dataclass(frozen=True)
class Agreement:
    """How one leaderboard by one clock agrees with published scores, or with the speed-ups of another leaderboard."""

    board: "Leaderboard"
    published: dict[str, float]
    """The scores, or speed-ups there, of those that are on both, the best first."""
    absent: tuple[str, ...]
    """Who is published and not on the board."""
    chance: float
    """The probability that a random order has so large a tau, by speed-ups."""
    speedup: dict[str, Estimate]
    """tau of our speed-ups with the published scores; for each of `SOURCES` the interval over it, none over studies
    where a workload has one."""
    score: float
    """tau of our scores."""
    workloads: dict[str, Estimate]
    """tau of the times on one workload, with the interval over studies."""
    halves: Estimate | None
    """tau of the speed-ups on one half of the workloads with those on the other, with the interval over studies; None
    where there is one workload."""
    disagreements: tuple[tuple[str, str, bool], ...]
    """Pairs that are the other way round here: the better by the published scores, the other, and whether the second
    is separated from the first as faster here."""
    over: str = "both"
    """Of `SOURCES` the one whose interval counts: studies alone where the other order is on the same workloads."""


def read_published(file: Path) -> dict[str, float]:
    """Read published scores from a CSV with columns submission and score; lines that begin with # are comments.

    Raises `UsageError` where the file is none, has other columns, names a submission twice or has a score that is none.
    """
    import pandas as pd

    try:
        table = pd.read_csv(file, comment="#")
        if missing := [name for name in ("submission", "score") if name not in table]:
            raise ValueError(f"it has no column {missing[0]}")
        scores = {str(row.submission): float(row.score) for row in table.itertuples()}
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{file}: {reason}: give a CSV with the columns submission,score") from None
    if len(scores) < len(table) or not all(np.isfinite(score) for score in scores.values()):
        raise UsageError(f"{file}: a submission stands there twice or has no score: give one score for each")
    return scores


def compare_with(
    trials: "pd.DataFrame", published: Mapping[str, float], clock: str | None, resamples: int, seed: int = 0
) -> Agreement:
    """Compare one leaderboard's table of trials with `published` scores, with intervals of so many `resamples`.

    Raises `UsageError` where fewer than three submissions are on both.
    """
    from timetrial.harness.scoring.score import score_table

    board = score_table(trials, clock=clock)
    places = {standing.submission: standing for standing in board.standings}
    common = [name for name in sorted(published, key=lambda name: -published[name]) if name in places]
    if len(common) < FEWEST:
        raise UsageError(
            f"{board.suite}/{board.ruleset} and the published scores share {len(common)} submissions: an order "
            f"needs {FEWEST}; run more of {', '.join(sorted(published))}"
        )
    theirs = np.array([published[name] for name in common])
    workloads = tuple(board.standings[0].workloads)
    races = [_studies(trials, board, common, name) for name in workloads]
    ours = np.stack([_speeds(race, np.arange(len(race)), board.trials_of_study) for race in races])

    generator = np.random.default_rng(seed)
    again = [
        np.stack(
            [_speeds(race, generator.integers(len(race), size=len(race)), board.trials_of_study) for race in races]
        )
        for _ in range(resamples)
    ]
    chosen = generator.integers(len(races), size=(resamples, len(races)))
    drawn = {
        "studies": [tau(theirs, speeds.mean(axis=0)) for speeds in again],
        "workloads": [tau(theirs, ours[some].mean(axis=0)) for some in chosen],
        "both": [tau(theirs, speeds[some].mean(axis=0)) for speeds, some in zip(again, chosen, strict=True)],
    }
    means = ours.mean(axis=0)
    several = min(map(len, races)) > 1

    def over_studies(value: float, drawn: list[float]) -> Estimate:
        return _estimate(value, drawn) if several else Estimate(value)  # one study has no spread

    speedup = {source: _estimate(tau(theirs, means), taus) for source, taus in drawn.items()}
    return Agreement(
        board=board,
        published={name: published[name] for name in common},
        absent=tuple(sorted(published.keys() - set(common))),
        chance=float(kendalltau(theirs, means, alternative="greater").pvalue),
        speedup=speedup | {"studies": over_studies(tau(theirs, means), drawn["studies"])},
        score=tau(theirs, np.array([places[name].score.value for name in common])),
        workloads={
            name: over_studies(tau(theirs, ours[w]), [tau(theirs, speeds[w]) for speeds in again])
            for w, name in enumerate(workloads)
        },
        halves=over_studies(split_half(ours), list(map(split_half, again))) if len(workloads) > 1 else None,
        disagreements=tuple(
            (common[i], common[j], common[i] in places[common[j]].faster_than)
            for i, j in combinations(range(len(common)), 2)
            if theirs[i] > theirs[j] and means[i] < means[j]
        ),
    )


def tau(one: Array, other: Array) -> float:
    """Compute Kendall's tau-b of two orders; nan where all of one are equal."""
    return float(kendalltau(one, other).statistic)


def split_half(speeds: Array) -> float:
    """Compute tau between two halves of the workloads, the mean over all ways to halve them; `speeds` is (W, S).

    nan where all are equal on a half.
    """
    workloads = range(len(speeds))
    taus = []
    for half in combinations(workloads, len(speeds) // 2):
        others = [workload for workload in workloads if workload not in half]
        if 0 in half or len(others) > len(half):  # else the same two halves came before
            taus.append(tau(speeds[list(half)].mean(axis=0), speeds[others].mean(axis=0)))
    return float(np.mean(taus))


def _studies(trials: "pd.DataFrame", board: "Leaderboard", names: list[str], workload: str) -> list[list[Array]]:
    """Give for each study on a workload the log times of each of `names`, a miss counting as the budget."""
    column = crossing_column(board.clock)
    rows = prepare_trials(trials[trials["workload"] == workload])
    logs = np.log(rows[column].clip(np.finfo(float).tiny, board.budgets[workload]))
    return [
        [logs[own.index[own["submission"] == name]].to_numpy() for name in names] for _, own in rows.groupby("study")
    ]


def _speeds(studies: list[list[Array]], chosen: Array, k: int) -> Array:
    """Compute the negative expected log time of the best of `k` trials of the `chosen` studies, (S,): nan for a
    submission that ran in none of them."""
    pooled = [np.sort(np.concatenate(own)) for own in zip(*(studies[study] for study in chosen), strict=True)]
    return -np.array([weights(len(times), k) @ times if len(times) else np.nan for times in pooled])


def _estimate(value: float, drawn: list[float]) -> Estimate:
    if np.isnan(drawn).all():
        return Estimate(value)
    low, high = np.nanquantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, float(low), float(high))
