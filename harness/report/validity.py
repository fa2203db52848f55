"""How a leaderboard agrees with a published one, in words and as a picture."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from timetrial.harness.report.boards import Board
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


def as_markdown(agreements: Sequence[Agreement]) -> str:
    """Write everything that is known of how one leaderboard, by each clock, agrees with published scores."""
    board, published = agreements[0].board, agreements[0].published
    lines = [f"# {board.suite}, {board.ruleset}: does it order submissions as published scores do?", ""]
    lines += [conclusion(agreement) for agreement in agreements]
    if agreements[0].absent:
        lines += [f"Published, and not on this leaderboard: {', '.join(agreements[0].absent)}."]
    clocks = [clock_in_words(agreement.board.clock) for agreement in agreements]
    lines += [
        "",
        f"| Kendall's tau with the published order | {' | '.join(clocks)} |",
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
    lines += [f"| {name} | {' | '.join(with_interval(one, SIGNED) for one in found)} |" for name, found in rows.items()]
    lines += ["", "| submission | published score | our score | speed-up |", "| --- | --- | --- | --- |"]
    for name, score in published.items():
        own = board.of(name)
        speedup = "" if own.speedup is None else with_interval(own.speedup, "{:.2f}x")
        lines.append(f"| {name} | {score:.2f} | {with_interval(own.score, '{:.2f}')} | {speedup} |")
    for agreement, clock in zip(agreements, clocks, strict=True):
        lines += ["", f"Pairs in another order, {clock}: {_pairs(agreement)}."]
    return "\n".join(lines) + "\n"


def conclusion(agreement: Agreement) -> str:
    """Say whether the leaderboard predicts the published order, and whether its workloads predict each other."""
    found = agreement.speedup["both"]
    clock, count = clock_in_words(agreement.board.clock), len(agreement.published)
    head = f"By {clock}, tau is {with_interval(found, SIGNED)} on {count} submissions: {_verdict(agreement)}"
    if agreement.halves is None:
        return head + "."
    return head + f". One half of its workloads agrees with the other at tau {with_interval(agreement.halves, SIGNED)}."


def _verdict(agreement: Agreement) -> str:
    found, studies = agreement.speedup["both"], agreement.speedup["studies"]
    if found.low > 0 and agreement.chance < CHANCE:
        return "it predicts the published order better than chance"
    if found.low > 0:
        return f"too few to tell, since a random order does as well with a probability of {agreement.chance:.2f}"
    if found.high < 0:
        return "it orders them the other way round"
    unknown = "the interval holds zero, so it is not known to predict the published order"
    sign_is_known = not studies.low <= 0 <= studies.high
    return unknown + (", though on these workloads more studies would not change its sign" if sign_is_known else "")


def _pairs(agreement: Agreement) -> str:
    named = [
        f"{better} before {other}{' (here separated)' if sure else ''}"
        for better, other, sure in agreement.disagreements
    ]
    return f"{len(named)}, published {'; '.join(named)}" if named else "none"


def plot(agreement: Agreement, frame: str) -> "Figure":
    """Draw our speed-ups with their intervals against the published scores."""
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
    axes.set(xlabel="published score", ylabel=f"times sooner than {agreement.board.reference}, here")
    title = f"tau {with_interval(agreement.speedup['both'], SIGNED)}"
    axes.set_title(f"{title}\n{frame}", fontsize=6)
    return figure
