"""How a leaderboard agrees with a published or another one, in words and as a picture."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from timetrial.harness import UsageError
from timetrial.harness.report.boards import Board
from timetrial.harness.scoring import Leaderboard
from timetrial.harness.scoring.jackknife import Estimate
from timetrial.harness.scoring.present import clock_in_words, with_interval
from timetrial.harness.scoring.validity import RESAMPLES, Agreement, compare_with

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHANCE = 0.05
SIGNED = "{:+z.2f}"


def agreement_of(board: Board, published: Mapping[str, float], clock: str, resamples: int = RESAMPLES) -> Agreement:
    """Compare a leaderboard by a clock with published scores; only submissions that have a score of their own count."""
    scored = board.trials["submission"].isin([standing.submission for standing in board.scores.standings])
    return compare_with(board.trials[scored], published, clock, resamples)


def agreement_between(board: Board, other: Board, clock: str, resamples: int = RESAMPLES) -> Agreement:
    """Compare two leaderboards by a clock: the speed-ups on `other` stand in the place of published scores.

    Raises `UsageError` where one has no speed-ups by that clock, or they are over different references.
    """
    if board.scores.reference != other.scores.reference:
        raise UsageError(
            f"speed-ups here are over {board.scores.reference}, and there over {other.scores.reference}: they cannot "
            "be compared"
        )
    _speedups_by(clock, board)
    found = agreement_of(board, _speedups_by(clock, other), clock, resamples)
    return replace(found, over="studies") if board.specs.keys() == other.specs.keys() else found


def _speedups_by(clock: str, board: Board) -> dict[str, float]:
    if not (found := speedups(board.by_clock[clock]) if clock in board.by_clock else {}):
        raise UsageError(
            f"{board.suite}/{board.ruleset} ({' + '.join(board.machines)}) has no speed-ups by {clock}: it needs "
            f"{board.scores.reference}, and that clock in its records"
        )
    return found


def speedups(scores: Leaderboard) -> dict[str, float]:
    """Give the speed-ups of a leaderboard; none where its reference is not on it."""
    return {standing.submission: standing.speedup.value for standing in scores.standings if standing.speedup}


def differences(ours: Mapping[str, float], theirs: Mapping[str, float], reference: str) -> str:
    """Say by what factor speed-ups differ, of those that are in both; that of the reference is 1 in both."""
    factors = {
        name: max(ours[name] / theirs[name], theirs[name] / ours[name])
        for name in ours.keys() & theirs.keys() - {reference}
    }
    most, middle = max(sorted(factors), key=factors.get), statistics.median(factors.values())
    return f"speed-ups differ by a factor of {middle:.2f} in the median, and at most of {factors[most]:.2f} ({most})"


def as_markdown(agreements: Sequence[Agreement], other: str | None = None) -> str:
    """Write everything that is known of how one leaderboard, by each clock, agrees with published scores.

    other: the name of another leaderboard, if its speed-ups stand in the place of published scores.
    """
    board = agreements[0].board
    head = f"# {board.suite}, {board.ruleset}: does it order submissions as {other or 'published scores'}"
    lines = [f"{head} {'does' if other else 'do'}?", ""]
    lines += [conclusion(agreement, other) for agreement in agreements]
    if agreements[0].absent:
        there = f"On {other}" if other else "Published"
        lines += [f"{there}, and not on this leaderboard: {', '.join(agreements[0].absent)}."]
    clocks = [clock_in_words(agreement.board.clock) for agreement in agreements]
    lines += [
        "",
        f"| Kendall's tau with the {'other' if other else 'published'} order | {' | '.join(clocks)} |",
        "| --- " * (1 + len(clocks)) + "|",
    ]
    rows = {
        f"speed-up, interval over {source}": [a.speedup[source] for a in agreements] for source in agreements[0].speedup
    }
    if agreements[0].halves:
        rows["one half of the workloads with the other"] = [agreement.halves for agreement in agreements]
    rows["score"] = [Estimate(agreement.score) for agreement in agreements]
    rows |= {
        f"{name} alone": [agreement.workloads[name] for agreement in agreements] for name in agreements[0].workloads
    }
    lines += [f"| {name} | {' | '.join(_in_words(one) for one in found)} |" for name, found in rows.items()]
    for agreement in agreements if other else agreements[:1]:
        lines += ["", *(_speedups_there(agreement) if other else _scores(agreement))]
    for agreement, clock in zip(agreements, clocks, strict=True):
        lines += ["", f"Pairs in another order, {clock}: {_pairs(agreement, other)}."]
    return "\n".join(lines) + "\n"


def conclusion(agreement: Agreement, other: str | None = None) -> str:
    """Say whether the leaderboard predicts the published order, and whether its workloads predict each other.

    Of another leaderboard (its name is `other`) it says how far speed-ups are apart in place of the last.
    """
    found = agreement.speedup[agreement.over]
    clock, count = clock_in_words(agreement.board.clock), len(agreement.published)
    head = f"By {clock}, tau is {_in_words(found)} on {count} submissions"
    if other:
        board = agreement.board
        return f"{head}: {differences(speedups(board), agreement.published, board.reference)}."
    if found.low is not None:
        head += f": {_verdict(agreement)}"
    if agreement.halves is None:
        return head + "."
    return head + f". One half of its workloads agrees with the other at tau {_in_words(agreement.halves)}."


def _scores(agreement: Agreement) -> list[str]:
    lines = ["| submission | published score | our score | speed-up |", "| --- | --- | --- | --- |"]
    for name, score in agreement.published.items():
        own = agreement.board.of(name)
        speedup = "" if own.speedup is None else with_interval(own.speedup, "{:.2f}x")
        lines.append(f"| {name} | {score:.2f} | {with_interval(own.score, '{:.2f}')} | {speedup} |")
    return lines


def _speedups_there(agreement: Agreement) -> list[str]:
    clock = clock_in_words(agreement.board.clock)
    lines = [f"| submission | speed-up here, {clock} | there | here over there |", "| --- | --- | --- | --- |"]
    for name, there in agreement.published.items():
        own = agreement.board.of(name).speedup
        lines.append(f"| {name} | {with_interval(own, '{:.2f}x')} | {there:.2f}x | {own.value / there:.2f} |")
    return lines


def _verdict(agreement: Agreement) -> str:
    found, studies = agreement.speedup["both"], agreement.speedup["studies"]
    if found.low > 0 and agreement.chance < CHANCE:
        return "it predicts the published order better than chance"
    if found.low > 0:
        return f"too few to tell, since a random order does as well with a probability of {agreement.chance:.2f}"
    if found.high < 0:
        return "it orders them the other way round"
    unknown = "the interval holds zero, so it is not known to predict the published order"
    sign_is_known = studies.low is not None and not studies.low <= 0 <= studies.high
    return unknown + (", though on these workloads more studies would not change its sign" if sign_is_known else "")


def _in_words(tau: Estimate) -> str:
    return "not defined, since all are equal" if math.isnan(tau.value) else with_interval(tau, SIGNED)


def _pairs(agreement: Agreement, other: str | None) -> str:
    named = [
        f"{better} before {other}{' (here separated)' if sure else ''}"
        for better, other, sure in agreement.disagreements
    ]
    return f"{len(named)}, {'there' if other else 'published'} {'; '.join(named)}" if named else "none"


def plot(agreement: Agreement, frame: str, other: str | None = None) -> "Figure":
    """Draw our speed-ups with their intervals against the published scores, or the speed-ups on `other`."""
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    for name, score in agreement.published.items():
        speedup = agreement.board.of(name).speedup
        if speedup.low is not None:
            axes.plot([score, score], [speedup.low, speedup.high], "-", color="0.7", linewidth=1)
        axes.plot(score, speedup.value, "o", color="black", markersize=3)
        axes.annotate(name, (score, speedup.value), xytext=(3, 2), textcoords="offset points", fontsize=5)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}x")
    axes.yaxis.set_minor_formatter("{x:g}x")
    sooner = f"times sooner than {agreement.board.reference}"
    axes.set(xlabel=f"{sooner}, on {other}" if other else "published score", ylabel=f"{sooner}, here")
    title = f"tau {_in_words(agreement.speedup[agreement.over])}"
    axes.set_title(f"{title}\n{frame}", fontsize=6)
    return figure
