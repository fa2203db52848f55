"""From a table of trials to standings by our own rules: every trial counts, and every number has its interval.

README.md has the formulas. Arrays hold for each workload (1 + K, S): all K studies, then each left out in turn, for S
submissions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from timetrial.harness.scoring.best_of_k import Array, curve, weights_without_each_study
from timetrial.harness.scoring.budgets import anchor_of, budget_of
from timetrial.harness.scoring.certificate import certify
from timetrial.harness.scoring.jackknife import Estimates, estimate
from timetrial.harness.scoring.leaderboard import Standing, WorkloadResult, ranks_of
from timetrial.harness.scoring.on_the_way import times_on_the_way
from timetrial.harness.scoring.profile import BAND_TAUS, credit, profile_of
from timetrial.harness.scoring.simultaneous import compare_all
from timetrial.harness.scoring.trials import crossing_column

MOST_DRAWS = 25
"""Where best-of-k curves end."""
SLACK = 1 + 1e-9
"""Times that differ by less are equal: rounding must not move a step of a profile."""


@dataclass(frozen=True, eq=False)
class Cell:
    """The trials of one submission on one workload, the fastest first."""

    times: Array
    """(n,), inf for a miss."""
    log_times: Array
    """(n,), of the smaller of time and budget."""
    hits: NDArray[np.bool_]
    """(n,), whether the time is within the budget."""
    weights: Array
    """(1 + K, n), of being the best of a study."""
    gain: Array
    """(1 + K,), by how much the log time falls when a study has twice the draws; nan where that cannot be told."""
    points: tuple[dict[str, float], ...]
    """Where in the search space the trials within the budget are."""


@dataclass(frozen=True, eq=False)
class Race:
    """One workload, and everybody's trials on it."""

    name: str
    budget: float
    cells: list[Cell]
    log_times: Array
    """(1 + K, S), expected log time of the best of a study."""
    on_the_way: Array | None
    """(1 + K, S), the same for the levels below the target, the mean over them."""
    errors: Array
    """(S,), standard errors of log times that all studies share: those of the correction for another day's machine."""

    @property
    def fastest(self) -> Array:
        """(1 + K,): F, the smallest expected time."""
        return np.exp(np.fmin.reduce(self.log_times, axis=1))


def best_first(trials: pd.DataFrame, clock: str, reference: str) -> tuple[Standing, ...]:
    """Make the standings of a prepared table by `clock`."""
    if trials.empty:
        return ()
    submissions = tuple(sorted(trials["submission"].unique()))
    study_size = trials_of_study(trials)
    anchor = anchor_of(trials, reference)
    races = [
        _race(str(name), rows, submissions, clock, anchor, study_size)
        for name, rows in trials.groupby("workload", observed=True, sort=True)
    ]
    order, means = _order([race.log_times for race in races])
    own = submissions.index(reference) if reference in submissions else None
    scores = estimate([_scores(race) for race in races]).within(0, 1)
    bands = estimate([_profiles_at_taus(race) for race in races]).within(0, 1)
    errors = [race.errors for race in races]
    speedups = None if own is None else _speedups([race.log_times for race in races], own, errors)
    ways = [race.on_the_way for race in races]
    on_the_way = None if own is None or any(way is None for way in ways) else _speedups(ways, own, errors)
    compared = compare_all([race.log_times for race in races], errors)
    faster = np.zeros((len(submissions),) * 2, bool) if compared is None else compared.faster
    results = _workload_results(races, own, len(submissions))
    standings = []
    for s in order:
        profile = _profile(races, s)
        if not np.isnan(bands.low[s]).any():
            profile = replace(profile, low=bands.low[s], high=bands.high[s])
        standings.append(
            Standing(
                submission=submissions[s],
                rank=0,
                score=scores[s],
                profile=profile,
                workloads=results[s],
                speedup=None if speedups is None else speedups[s],
                on_the_way=None if on_the_way is None else on_the_way[s],
                may_be_best=None if compared is None else bool(compared.may_be_best[s]),
                faster_than=tuple(submissions[o] for o in order if faster[s, o]),
                slower_than=tuple(submissions[o] for o in order if faster[o, s]),
                certificate=_certificate(races, s, results[s], study_size),
            )
        )
    return ranks_of(standings, [means[s] for s in order])


def trials_of_study(trials: pd.DataFrame) -> int:
    """Count the trials of a study: k, the most that any has."""
    return int(trials.groupby(["submission", "workload", "study"], observed=True).size().max())


def _order(log_times: Sequence[Array]) -> tuple[list[int], Array]:
    means = np.mean([workload[0] for workload in log_times], axis=0)
    return sorted(range(len(means)), key=lambda s: (round(means[s], 12), s)), means


def _race(
    name: str, trials: pd.DataFrame, submissions: tuple[str, ...], clock: str, anchor: str, study_size: int
) -> Race:
    budget = budget_of(trials, clock, anchor)
    ids, study = np.unique(trials["study"].to_numpy(), return_inverse=True)
    submission = pd.Categorical(trials["submission"].astype(str), submissions).codes
    times = trials[crossing_column(clock)].to_numpy(float)
    points = trials["positions"].to_numpy() if "positions" in trials else None
    ways = times_on_the_way(trials, clock, anchor)
    rows = np.split(
        np.argsort(submission, kind="stable"), np.cumsum(np.bincount(submission, minlength=len(submissions)))
    )
    cells, on_the_way = [], []
    for own in rows[: len(submissions)]:
        place = own[np.lexsort([trials["trial"].to_numpy()[own], study[own], times[own]])]
        if len(place) == 0:  # nothing of it ran here: a miss in each study
            misses = np.full(len(ids), np.inf)
            cells.append(_cell(misses, np.arange(len(ids)), len(ids), study_size, budget, None, place))
            on_the_way.append(cells[-1].weights @ cells[-1].log_times)
            continue
        cells.append(_cell(times[place], study[place], len(ids), study_size, budget, points, place))
        if ways is not None:
            on_the_way.append(
                np.mean([_log_times(way[own], study[own], len(ids), study_size, budget) for way in ways.T], axis=0)
            )
    log_times = np.stack([cell.weights @ cell.log_times for cell in cells], axis=1)
    errors = trials.groupby("submission", observed=True)["slowness_error"].first().reindex(submissions, fill_value=0.0)
    return Race(
        name,
        budget,
        cells,
        log_times,
        np.stack(on_the_way, axis=1) if ways is not None else None,
        errors.to_numpy() * (clock != "steps"),
    )


def _cell(
    times: Array, study: NDArray, studies: int, study_size: int, budget: float, points: NDArray | None, place: NDArray
) -> Cell:
    hits = times <= budget * SLACK
    log_times = _capped(times, budget)
    weights = weights_without_each_study(study, studies, study_size)
    gain = np.full(1 + studies, np.nan)
    fewest = len(study) - np.bincount(study, minlength=studies).max() if len(study) else 0
    if study_size > 1 and fewest >= 2 * study_size:
        gain = (weights - weights_without_each_study(study, studies, 2 * study_size)) @ log_times
    found = () if points is None else tuple(points[place[hits]])
    return Cell(times, log_times, hits, weights, gain, found)


def _log_times(times: Array, study: NDArray, studies: int, study_size: int, budget: float) -> Array:
    order = np.argsort(times, kind="stable")
    return weights_without_each_study(study[order], studies, study_size) @ _capped(times[order], budget)


def _capped(times: Array, budget: float) -> Array:
    return np.log(np.clip(times, np.finfo(float).tiny, budget))


def _scores(race: Race) -> Array:
    """Compute what each submission earns on a workload, (1 + K, S)."""
    fastest = race.fastest[:, None]
    return np.stack([np.einsum("kn,kn->k", c.weights * c.hits, credit(c.times / fastest)) for c in race.cells], axis=1)


def _profiles_at_taus(race: Race) -> Array:
    """Compute the probability that a study is within tau times the fastest and the budget, (1 + K, S, taus)."""
    limits = race.fastest[:, None] * BAND_TAUS * SLACK
    found = []
    for cell in race.cells:
        summed = np.concatenate([np.zeros((len(limits), 1)), np.cumsum(cell.weights * cell.hits, axis=1)], axis=1)
        found.append(np.take_along_axis(summed, np.searchsorted(cell.times, limits, side="right"), axis=1))
    return np.stack(found, axis=1)


def _profile(races: Sequence[Race], s: int):
    ratios = [np.where(race.cells[s].hits, race.cells[s].times / race.fastest[0], np.inf) for race in races]
    weights = [race.cells[s].weights[0] / len(races) for race in races]
    return profile_of(np.round(np.concatenate(ratios), 9), np.concatenate(weights))


def _speedups(log_times: Sequence[Array], own: int, errors: Sequence[Array]) -> Estimates:
    """Compute how many times sooner each is than submission `own`, whose error is in all but its own."""
    of_pairs = [np.where(np.arange(len(error)) == own, 0.0, np.hypot(error, error[own])) for error in errors]
    return estimate([workload[:, [own]] - workload for workload in log_times], of_pairs).exp()


def _workload_results(races: Sequence[Race], own: int | None, submissions: int) -> list[dict[str, WorkloadResult]]:
    found: list[dict[str, WorkloadResult]] = [{} for _ in range(submissions)]
    for race in races:
        value = estimate([race.log_times]).exp()
        speedup = None if own is None else _speedups([race.log_times], own, [race.errors])
        for s, cell in enumerate(race.cells):
            found[s][race.name] = WorkloadResult(
                value=value[s],
                ratio=float(value.value[s] / race.fastest[0]),
                reach=round(float(cell.weights[0] @ cell.hits), 12),  # weights of all trials sum to 1 but for rounding
                trials=len(cell.times),
                trials_reached=int(cell.hits.sum()),
                speedup=None if speedup is None else speedup[s],
                curve=tuple(np.exp(curve(cell.log_times, MOST_DRAWS))),
            )
    return found


def _certificate(races: Sequence[Race], s: int, results: dict[str, WorkloadResult], study_size: int):
    reach = {name: result.reach for name, result in results.items()}
    gains = {race.name: estimate([race.cells[s].gain]).exp()[()] for race in races}
    positions = {race.name: race.cells[s].points for race in races}
    return certify(reach, gains, positions, study_size)
