"""Time to target against memory: what an algorithm's state costs, beside what it gains."""

import math
from typing import TYPE_CHECKING

from timetrial.harness.report.boards import Board
from timetrial.harness.report.colours import line_styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vP*X"


def plot_memory(board: Board) -> "Figure":
    """Draw for each workload the expected time to target against the optimizer's bytes per parameter.

    Bars are 95 % intervals; a miss is hollow, at the budget.
    """
    from timetrial.harness.report.figure import Plot

    figure = Plot()
    workloads = list(board.specs)
    rows = math.ceil(len(workloads) / 2)
    columns = min(2, len(workloads))
    names = [standing.submission for standing in board.scores.standings]
    width, height = figure.get_size_inches()
    lines = math.ceil(len(names) / 3)
    figure.set_size_inches(width, height * (0.62 * rows + 0.35 + 0.06 * lines))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True).flat
    for axes, workload in zip(grid, workloads, strict=False):
        _draw(axes, board, workload)
    for axes in list(grid)[len(workloads) :]:
        axes.set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, columnspacing=1, handletextpad=0.3)
    for axes in figure.axes[max(0, len(workloads) - columns) : len(workloads)]:
        axes.set_xlabel("optimizer state (B/parameter)")
    for axes in figure.axes[::columns]:
        axes.set_ylabel(f"to target ({board.scores.unit})")
    figure.suptitle(f"Time against memory; hollow: missed\n{board.plot_frame}", wrap=True)
    return figure


def _draw(axes: "Axes", board: Board, workload: str) -> None:
    standings = board.scores.standings
    budget = board.scores.budgets[workload]
    styles = line_styles([standing.submission for standing in standings])
    for place, standing in enumerate(standings):
        memory = board.state_bytes(standing.submission)
        if memory is None:
            continue
        result, colour = standing.workloads[workload], styles[standing.submission][0]
        value, missed = result.value, result.trials_reached == 0
        if not missed and value.low is not None and value.high is not None:
            axes.plot([memory, memory], [value.low, min(value.high, budget)], "-", color=colour, alpha=0.5)
        axes.plot(
            memory,
            budget if missed else value.value,
            MARKERS[place % len(MARKERS)],
            color=colour,
            markerfacecolor="none" if missed else colour,
            label=standing.submission,
            linestyle="none",
        )
    axes.axhline(budget, color="black", linewidth=0.8, linestyle=(0, (4, 2)))
    axes.set_title(workload)
    axes.set_ylim(0, budget * 1.1)
    axes.margins(x=0.12)
