"""The plots of a leaderboard: performance profiles, scores with their intervals, and times to target as a heat map.

Each function makes a figure in the style that is open (`report/style.py`), titled with the frame that the numbers come
from (suite, ruleset, machine, number of studies). Lines, markers and hatches tell submissions and misses apart without
colour.
"""

import math
from typing import TYPE_CHECKING

from timetrial.harness.report.colours import line_styles
from timetrial.harness.scoring.present import significant
from timetrial.harness.scoring.profile import BAND_TAUS
from timetrial.harness.scoring.rules import MAX_TAU
from timetrial.harness.scoring.standings import Standings, WorkloadResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vP*X<"
MOST_BANDS = 3
"""With more submissions than this their bands hide each other, and only those of the best are drawn."""
MEASURES = {"s": "time", "steps": "steps"}
DARK = 2.6
"""The ratio from which cells of the heat map are too dark for black text."""


def plot_profiles(standings: Standings, frame: str) -> "Figure":
    """Draw everybody's performance profile for tau from 1 to 4 as steps, with bands behind the best `MOST_BANDS`."""
    names = [standing.submission for standing in standings.standings]
    figure = _figure(lines=20 + 1.3 * math.ceil(len(names) / 2))
    axes = figure.subplots()
    styles = line_styles(names)
    for place, standing in enumerate(standings.standings):
        profile, (colour, dashes) = standing.profile, styles[standing.submission]
        axes.plot(
            [*profile.taus, MAX_TAU],
            [*profile.rhos, profile.rhos[-1]],
            drawstyle="steps-post",
            color=colour,
            dashes=dashes or (None, None),
            marker=MARKERS[place % len(MARKERS)],
            markevery=slice(0, len(profile.taus)),
            label=f"{standing.submission} ({standing.score.value:.2f})",
            clip_on=False,
            zorder=3 - place / 100,
        )
        if place < MOST_BANDS and profile.low is not None:
            axes.fill_between(BAND_TAUS, profile.low, profile.high, step="post", color=colour, alpha=0.13, linewidth=0)
    axes.set(xlim=(1, MAX_TAU), ylim=(0, 1), xticks=[1, 1.5, 2, 2.5, 3, 3.5, 4])
    axes.set_xlabel(f"τ: {MEASURES[standings.unit]} to target, relative to the fastest")
    axes.set_ylabel("share of workloads")
    figure.legend(loc="outside lower center", ncols=2, title="submission (score)", title_fontsize="small")
    _title(figure, f"Performance profiles by {MEASURES[standings.unit]}, with 95 % bands", frame)
    return figure


def plot_scores(standings: Standings, frame: str) -> "Figure":
    """Draw each score as a dot with its interval, best on top, its rank beside its name."""
    ranks = [standing.rank for standing in standings.standings]
    labels = [f"{s.rank}{'=' * (ranks.count(s.rank) > 1)}  {s.submission}" for s in standings.standings]
    figure = _figure(lines=7 + 1.5 * len(labels))
    axes = figure.subplots()
    styles = line_styles([standing.submission for standing in standings.standings])
    for place, standing in enumerate(standings.standings):
        score, colour = standing.score, styles[standing.submission][0]
        if score.low is not None:
            axes.plot([score.low, score.high], [place, place], "|-", color=colour, markersize=6)
        axes.plot(score.value, place, MARKERS[place % len(MARKERS)], color=colour, clip_on=False, zorder=3)
        axes.annotate(f"{score.value:.2f}", (1.04, place), xycoords=("axes fraction", "data"), va="center")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(ylim=(len(labels) - 0.5, -0.5), xlim=(0, 1), xlabel=f"score by {MEASURES[standings.unit]}")
    axes.grid(axis="y", visible=False)
    _title(figure, "Scores and ranks (=: a tie), with 95 % intervals", frame)
    return figure


def plot_times(standings: Standings, frame: str) -> "Figure":
    """Draw the median time or steps to target, submission x workload, coloured by the ratio to the fastest."""
    names = [standing.submission for standing in standings.standings]
    workloads = list(standings.standings[0].workloads)
    longest = max(len(word) for name in workloads for word in name.split("_"))
    figure = _figure(lines=11 + 2.2 * len(names), columns=8 + max(5.2, 0.65 * longest) * len(workloads))
    axes = figure.subplots()
    ratios = [[min(s.workloads[name].ratio, MAX_TAU) for name in workloads] for s in standings.standings]
    image = axes.imshow(ratios, cmap="cividis_r", vmin=1, vmax=MAX_TAU, aspect="auto")
    for row, standing in enumerate(standings.standings):
        for column, workload in enumerate(workloads):
            _write_cell(axes, column, row, standing.workloads[workload], standings.unit)
    axes.set_xticks(range(len(workloads)), [name.replace("_", "\n") for name in workloads])
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, location="bottom", aspect=40, ticks=[1, 2, 3, MAX_TAU])
    bar.set_ticklabels(["1\nfastest", "2", "3", "4\nor more"])
    bar.set_label("relative to the fastest")
    _title(figure, f"Median {MEASURES[standings.unit]} to target; hatched: missed", frame)
    return figure


def _write_cell(axes: "Axes", column: int, row: int, result: WorkloadResult, unit: str) -> None:
    from matplotlib.patches import Rectangle

    if math.isinf(result.value.value):
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, facecolor="white", edgecolor="#999999", hatch="////", linewidth=0))
        text, colour = f"missed\n{result.studies_reached}/{result.studies}", "black"
    else:
        ratio = f"{result.ratio:.2f}x" if math.isfinite(result.ratio) else "not counted"
        text, colour = f"{significant(result.value.value)} {unit}\n{ratio}", "white" if result.ratio > DARK else "black"
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8} if colour == "black" and "missed" in text else None
    axes.text(column, row, text, ha="center", va="center", color=colour, fontsize="small", bbox=box, linespacing=1.1)


def _figure(lines: float, columns: float = 0) -> "Figure":
    """Make an empty figure of the style's width, or wider for many `columns` of letters, with room for `lines`."""
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure()
    letter = matplotlib.rcParams["font.size"] / 72  # inches
    figure.set_size_inches(max(figure.get_figwidth(), columns * letter), lines * 1.2 * letter)
    return figure


def _title(figure: "Figure", finding: str, frame: str) -> None:
    figure.suptitle(f"{finding}\n{frame}", wrap=True)
