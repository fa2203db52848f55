"""Training curves as figures: the validation metric against the chosen clock, and against steps."""

from typing import TYPE_CHECKING

from timetrial.harness.report.boards import Board
from timetrial.harness.report.colours import line_styles
from timetrial.harness.report.curves import WorkloadCurves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELS = {"paced": "paced seconds", "measured": "measured seconds", "steps": "steps (batches drawn)"}
MOST_BANDS = 6
"""With more submissions than this the ranges hide the medians, and only the medians are drawn."""


def plot_training_curves(board: Board, curves: WorkloadCurves) -> "Figure":
    """Draw everybody's median over studies with the range, the target as a line across, the budget as one upright."""
    from timetrial.harness.report.figure import Plot

    figure = Plot(layout="constrained")
    width, height = figure.get_size_inches()
    figure.set_size_inches(width, height * 1.6)
    styles = line_styles(board.submissions)
    clocks = [clock for clock in dict.fromkeys([board.scores.clock, *board.by_clock]) if clock in LABELS][:2]
    if "steps" in board.by_clock and "steps" not in clocks:
        clocks[1] = "steps"
    for axes, clock in zip(figure.subplots(len(clocks), 1, sharey=True, squeeze=False).flat, clocks, strict=True):
        _draw(axes, curves, clock, styles)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(f"{curves.workload}: median and range over studies\n{board.plot_frame}", wrap=True)
    return figure


def _draw(axes: "Axes", curves: WorkloadCurves, clock: str, styles: dict[str, tuple[str, tuple[float, ...]]]) -> None:
    drawn = curves.curves[clock]
    for submission, curve in drawn.items():
        colour, dashes = styles[submission]
        axes.plot(curve.x, curve.median, color=colour, dashes=dashes or (None, None), label=submission)
        axes.plot(curve.x[-1:], curve.median[-1:], "o", color=colour)
        if len(drawn) <= MOST_BANDS:
            axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
    axes.axhline(curves.target, color="black", linewidth=0.8, linestyle=(0, (1, 1)))
    axes.annotate(
        f"target {curves.target:g}",
        (0, curves.target),
        (2, 2),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        fontsize="small",
    )
    if (budget := curves.budgets.get(clock)) and clock != "steps":
        axes.axvline(budget, color="black", linewidth=0.8, linestyle=(0, (4, 2)))
        axes.annotate(
            f"budget {budget:g} s",
            (budget, 0.03 if curves.metric.higher_is_better else 0.97),
            (-2, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right",
            rotation=90,
            va="bottom" if curves.metric.higher_is_better else "top",
            fontsize="small",
        )
    axes.set(xlabel=LABELS[clock], ylabel=f"validation {curves.metric.name}", xlim=(0, None))
