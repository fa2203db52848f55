"""Whether a leaderboard orders submissions as a published one does: Kendall's tau, and how sure it is.

tau-b (Kendall 1945) is 1 for the same order, 0 for orders that have nothing to do with each other, and -1 for the
reverse. Its interval comes from a bootstrap (Efron 1979): over studies, drawn again with replacement, the same numbers
for all submissions on a workload; over workloads; and over both, which asks what another benchmark made in the same way
would have said. The published scores are taken as they are. With few submissions a random order does as well by chance,
whose probability (exact where no two are equal) stands beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import kendalltau

from timetrial.harness import UsageError
from timetrial.harness.scoring.best_of_k import Array
from timetrial.harness.scoring.jackknife import CONFIDENCE, Estimate

if TYPE_CHECKING:
    import pandas as pd

    from timetrial.harness.scoring.leaderboard import Leaderboard

FEWEST = 3
"""Submissions that an order needs to be compared with another."""
SOURCES = ("studies", "workloads", "both")


@dataclass(frozen=True)
class Agreement:
    """How one leaderboard by one clock agrees with published scores."""

    board: "Leaderboard"
    published: dict[str, float]
    """The scores of those that are on both, the best first."""
    absent: tuple[str, ...]
    """Who is published and not on the board."""
    chance: float
    """The probability that a random order has so large a tau, by speed-ups."""
    speedup: dict[str, Estimate]
    """tau of our speed-ups with the published scores; for each of `SOURCES` the interval over it."""
    score: Estimate
    """tau of our scores, with the interval over studies."""
    workloads: dict[str, Estimate]
    """tau of the times on one workload, with the interval over studies."""
    disagreements: tuple[tuple[str, str, bool], ...]
    """Pairs that are the other way round here: the better by the published scores, the other, and whether the second
    is separated from the first as faster here."""


def read_published(file: Path) -> dict[str, float]:
    """Read published scores from a CSV with columns submission and score; lines that begin with # are comments.

    Raises `UsageError` where the file is none, has other columns, names a submission twice or has a score that is none.
    """
    import pandas as pd

    try:
        table = pd.read_csv(file, comment="#")
        scores = {str(row.submission): float(row.score) for row in table.itertuples()}
    except (OSError, ValueError, AttributeError) as error:
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
    ours, scores = _measured(board, common, workloads)

    generator = np.random.default_rng(seed)
    again = [
        _measured(score_table(_other_studies(trials, generator), clock=board.clock), common, workloads)
        for _ in range(resamples)
    ]
    columns = generator.integers(len(workloads), size=(resamples, len(workloads)))
    drawn = {
        "studies": [tau(theirs, times.mean(axis=1)) for times, _ in again],
        "workloads": [tau(theirs, ours[:, chosen].mean(axis=1)) for chosen in columns],
        "both": [tau(theirs, times[:, chosen].mean(axis=1)) for (times, _), chosen in zip(again, columns, strict=True)],
    }
    overall = tau(theirs, ours.mean(axis=1))
    return Agreement(
        board=board,
        chance=float(kendalltau(theirs, ours.mean(axis=1), alternative="greater").pvalue),
        published={name: published[name] for name in common},
        absent=tuple(sorted(published.keys() - set(common))),
        speedup={source: _estimate(overall, taus) for source, taus in drawn.items()},
        score=_estimate(tau(theirs, scores), [tau(theirs, scores) for _, scores in again]),
        workloads={
            name: _estimate(tau(theirs, ours[:, w]), [tau(theirs, times[:, w]) for times, _ in again])
            for w, name in enumerate(workloads)
        },
        disagreements=tuple(
            (common[i], common[j], common[i] in places[common[j]].faster_than)
            for i, j in combinations(range(len(common)), 2)
            if theirs[i] > theirs[j] and ours[i].mean() < ours[j].mean()
        ),
    )


def tau(one: Array, other: Array) -> float:
    """Compute Kendall's tau-b of two orders; nan where all of one are equal."""
    return float(kendalltau(one, other).statistic)


def _measured(board: "Leaderboard", names: list[str], workloads: tuple[str, ...]) -> tuple[Array, Array]:
    """Give how fast each of `names` is on each workload, (S, W), the negative log time, and their scores (S,)."""
    standings = [board.of(name) for name in names]
    times = np.array([[standing.workloads[name].value.value for name in workloads] for standing in standings])
    return -np.log(times), np.array([standing.score.value for standing in standings])


def _other_studies(trials: "pd.DataFrame", generator: np.random.Generator) -> "pd.DataFrame":
    """Draw on each workload as many studies as there are, with replacement, as if they were new."""
    import pandas as pd

    parts = []
    for _, rows in trials.groupby("workload", observed=True):
        studies = {study: own for study, own in rows.groupby("study")}
        drawn = generator.choice(sorted(studies), len(studies))
        parts += [studies[study].assign(study=place) for place, study in enumerate(drawn)]
    return pd.concat(parts, ignore_index=True)


def _estimate(value: float, drawn: list[float]) -> Estimate:
    low, high = np.nanquantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(value, float(low), float(high))
