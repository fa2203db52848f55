"""The plots of a leaderboard: speed-ups, scores, performance profiles, times to target as a heat map, tuning curves.

Each function makes a figure in the style that is open (`report/style.py`), titled with the frame that the numbers come
from (suite, ruleset, machine, number of studies). Lines, markers and hatches tell submissions and misses apart without
colour.
"""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from timetrial.harness.report.colours import line_styles
from timetrial.harness.scoring.jackknife import Estimate
from timetrial.harness.scoring.leaderboard import Leaderboard, Standing, WorkloadResult
from timetrial.harness.scoring.present import clock_in_words, percent, significant
from timetrial.harness.scoring.profile import BAND_TAUS
from timetrial.harness.scoring.rules import MAX_TAU

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator

MARKERS = "osD^vP*X<"
MOST_LINES = 8
"""With more submissions nobody can follow a line: the best and the reference are told apart, the others grey."""
MOST_BANDS = 3
"""With more submissions than this their bands hide each other, and only those of the best are drawn."""
LONGEST_OF_TWO = 16
"""Letters of the longest name that leaves room for two columns of names with scores."""
DARK = 2.6
"""The ratio from which cells of the heat map are too dark for black text."""


def plot_profiles(board: Leaderboard, frame: str) -> "Figure":
    """Draw everybody's performance profile for tau from 1 to 4 as steps, with bands behind the best."""
    legend_columns = 2 if max(len(standing.submission) for standing in board.standings) <= LONGEST_OF_TWO else 1
    figure = _figure(lines=20 + 1.3 * math.ceil(_legend_entries(board) / legend_columns))
    axes = figure.subplots()
    for place, (standing, style) in enumerate(_lines(board, lambda s: f"{s.submission} ({s.score.value:.2f})")):
        profile = standing.profile
        axes.plot(
            *([*profile.taus, MAX_TAU], [*profile.rhos, profile.rhos[-1]]),
            **{"drawstyle": "steps-post", "markevery": 0.2, "clip_on": False, **style},
        )
        if place < MOST_BANDS and profile.low is not None:
            fill = {"step": "post", "color": style["color"], "alpha": 0.13, "linewidth": 0}
            axes.fill_between(BAND_TAUS, profile.low, profile.high, **fill)
    axes.set(xlim=(1, MAX_TAU), ylim=(0, 1), xticks=[1, 1.5, 2, 2.5, 3, 3.5, 4])
    axes.set_xlabel(f"τ: {clock_in_words(board.clock)} relative to the fastest")
    axes.set_ylabel("expected share of workloads")
    figure.legend(loc="outside lower center", ncols=legend_columns, title="submission (score)", title_fontsize="small")
    whose = f" of the best {MOST_BANDS}" if len(board.standings) > MOST_BANDS else ""
    _title(figure, f"Performance profiles, with 95 % bands{whose}", frame)
    return figure


def _lines(
    board: Leaderboard, name: Callable[[Standing], str] = lambda standing: standing.submission
) -> Iterator[tuple[Standing, dict[str, Any]]]:
    """Give everybody with the style of their line: the best `MOST_LINES` and the reference told apart, others grey."""
    styles = line_styles([standing.submission for standing in board.standings])
    others = len(board.standings) - _legend_entries(board) + 1
    for place, standing in enumerate(board.standings):
        if place < MOST_LINES or standing.submission == board.reference:
            colour, dashes = styles[standing.submission]
            told_apart = {"color": colour, "dashes": dashes or (None, None), "marker": MARKERS[place % len(MARKERS)]}
            yield standing, {**told_apart, "label": name(standing), "zorder": 3 - place / 100}
        else:
            yield (
                standing,
                {"color": "#bbbbbb", "linewidth": 0.7, "label": f"{others} others" if others else "_", "zorder": 1},
            )
            others = 0


def _legend_entries(board: Leaderboard) -> int:
    """Count the lines that a legend names, with one for all others together."""
    named = sum(place < MOST_LINES or s.submission == board.reference for place, s in enumerate(board.standings))
    return named + (named < len(board.standings))


def plot_scores(board: Leaderboard, frame: str) -> "Figure":
    """Draw each score as a dot with its interval, best on top."""
    figure, axes = _dots(board, lambda standing: standing.score, "{:.2f}")
    axes.set(xlim=(0, 1), xlabel="score")
    _title(figure, "Scores, with 95 % intervals", frame)
    return figure


def plot_speedups(board: Leaderboard, frame: str) -> "Figure":
    """Draw each speed-up over the reference as a dot with its interval, best on top; filled: it may be the best."""
    figure, axes = _dots(board, lambda standing: standing.speedup, "{:.2f}x")
    axes.axvline(1, color="black", linewidth=0.8, linestyle=(0, (1, 1)))
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(factor_ticks(*axes.get_xlim()))
    axes.xaxis.set_major_formatter("{x:g}x")
    axes.minorticks_off()
    reference = board.of(board.reference).certificate
    warning = "" if reference is None or reference.holds else "\n(a reference without a tuning certificate)"
    axes.set_xlabel(f"times sooner than {board.reference}{warning}")
    _title(figure, "Speed-ups, with 95 % intervals; filled: may be the best", frame)
    return figure


def factor_ticks(low: float, high: float) -> "FixedLocator":
    """Tick a log axis from `low` to `high` at enough round factors."""
    from matplotlib.ticker import FixedLocator

    grids = ((0.1, 1, 10), (0.25, 0.5, 1, 2, 4), (0.5, 0.7, 1, 1.4, 2), (0.8, 1, 1.25))
    inside = [[tick for tick in grid if low <= tick <= high] for grid in grids]
    return FixedLocator(next((ticks for ticks in inside if len(ticks) >= 3), inside[-1]))


def _dots(board: Leaderboard, number: Callable[[Standing], Estimate], form: str) -> "tuple[Figure, Axes]":
    labels = [f"{standing.rank}  {standing.submission}" for standing in board.standings]
    figure = _figure(lines=7 + 1.5 * len(labels))
    axes = figure.subplots()
    styles = line_styles([standing.submission for standing in board.standings])
    for place, standing in enumerate(board.standings):
        shown, colour = number(standing), styles[standing.submission][0]
        if shown.low is not None:
            axes.plot([shown.low, shown.high], [place, place], "|-", color=colour, markersize=6)
        fill = axes.get_facecolor() if standing.may_be_best is False else colour
        axes.plot(shown.value, place, "o", color=colour, markerfacecolor=fill, clip_on=False, zorder=3)
        axes.annotate(form.format(shown.value), (1.04, place), xycoords=("axes fraction", "data"), va="center")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    return figure, axes


def plot_tuning(board: Leaderboard, frame: str) -> "Figure":
    """Draw for each workload the expected time of the best of k draws, k = 1 to 25; the line across is k of a study."""
    workloads = list(board.standings[0].workloads)
    columns = min(2, len(workloads))
    rows = math.ceil(len(workloads) / columns)
    figure = _figure(lines=14 * rows + 4 + 1.3 * math.ceil(_legend_entries(board) / 2))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True).flat
    for axes, workload in zip(grid, workloads, strict=False):
        for place, (standing, style) in enumerate(_lines(board)):
            curve = standing.workloads[workload].curve
            axes.plot(range(1, len(curve) + 1), curve, markevery=(place % 4, 6), **style)
        axes.axvline(board.trials_of_study, color="black", linewidth=0.8, linestyle=(0, (4, 2)))
        axes.set_title(workload)
        most = max(len(standing.workloads[workload].curve) for standing in board.standings)
        axes.set(ylim=(0, None), xlim=(1, max(most, 2)), xticks=[1, *range(5, most + 1, 5)])
    for axes in list(grid)[len(workloads) :]:
        axes.set_visible(False)
    for axes in figure.axes[max(0, len(workloads) - columns) : len(workloads)]:
        axes.set_xlabel("draws k")
    for axes in figure.axes[::columns]:
        axes.set_ylabel(f"best of k ({board.unit})")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    _title(figure, f"What more tuning is worth; dashed: a study has {board.trials_of_study} draws", frame)
    return figure


def plot_times(board: Leaderboard, frame: str) -> "Figure":
    """Draw the expected time or steps to target, submission x workload, coloured by the ratio to the fastest."""
    names = [standing.submission for standing in board.standings]
    workloads = list(board.standings[0].workloads)
    longest = max(len(word) for name in workloads for word in name.split("_"))
    figure = _figure(lines=10.2 + 2.9 * len(names), columns=8 + max(5.2, 0.65 * longest) * len(workloads))
    axes = figure.subplots()
    ratios = [[min(s.workloads[name].ratio, MAX_TAU) for name in workloads] for s in board.standings]
    image = axes.imshow(ratios, cmap="cividis_r", vmin=1, vmax=MAX_TAU, aspect="auto")
    for row, standing in enumerate(board.standings):
        for column, workload in enumerate(workloads):
            _write_cell(axes, column, row, standing.workloads[workload], board.unit)
    axes.set_xticks(range(len(workloads)), [name.replace("_", "\n") for name in workloads])
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(image, location="bottom", aspect=40, ticks=[1, 2, 3, MAX_TAU])
    bar.set_ticklabels(["1\nfastest", "2", "3", "4\nor more"])
    bar.set_label("relative to the fastest")
    _title(figure, f"Expected {clock_in_words(board.clock)} to target of {board.study}; hatched: never reached", frame)
    return figure


def _write_cell(axes: "Axes", column: int, row: int, result: WorkloadResult, unit: str) -> None:
    from matplotlib.patches import Rectangle

    if result.trials_reached == 0 or math.isinf(result.value.value):
        corner = (column - 0.5, row - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, facecolor="white", edgecolor="#999999", hatch="////", linewidth=0))
        text, colour = "missed", "black"
    else:
        ratio = f"{result.ratio:.2f}x" if math.isfinite(result.ratio) else "not counted"
        few = f"\n{percent(result.reach)} reach" if result.reach < 1 else ""
        text = f"{significant(result.value.value)} {unit}\n{ratio}{few}"
        colour = "white" if result.ratio > DARK else "black"
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8} if colour == "black" and "missed" in text else None
    axes.text(column, row, text, ha="center", va="center", color=colour, fontsize="small", bbox=box, linespacing=1.1)


def _figure(lines: float, columns: float = 0) -> "Figure":
    """Make an empty figure of the style's width, or wider for many `columns` of letters, with room for `lines`."""
    import matplotlib

    from timetrial.harness.report.figure import Plot

    figure = Plot()
    letter = matplotlib.rcParams["font.size"] / 72  # inches
    figure.set_size_inches(max(figure.get_figwidth(), columns * letter), lines * 1.2 * letter)
    return figure


def _title(figure: "Figure", finding: str, frame: str) -> None:
    figure.suptitle(f"{finding}\n{frame}", wrap=True)
