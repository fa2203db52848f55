"""The files of a report: leaderboards, the page, and the plots as PNG and SVG."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from timetrial.harness.planning.places import make_output
from timetrial.harness.records.files import write_atomically
from timetrial.harness.report.boards import Board
from timetrial.harness.report.curves import WorkloadCurves, training_curves
from timetrial.harness.report.markdown import leaderboard_markdown
from timetrial.harness.report.page import leaderboard_page
from timetrial.harness.scoring import present

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")
PICTURES = ("speedup", "performance_profile")


def write_report(
    boards: Sequence[Board],
    folder: Path,
    *,
    style: str = "paper",
    formats: Sequence[str] = FORMATS,
    links_from: Path | None = None,
) -> list[Path]:
    """Write a report into `folder` and list its files.

    One page for all leaderboards; with several of them, the tables and plots of each are in a folder SUITE_RULESET.
    Links of the page are relative to `links_from`, by default `folder`. Without `formats` there are no plots.
    """
    make_output(folder)
    curves = [training_curves(board) for board in boards]
    page = leaderboard_page(boards, curves, links_from or folder)
    files = [_write(folder / "leaderboard.html", page)]
    for board, its_curves in zip(boards, curves, strict=True):
        place = folder if len(boards) == 1 else folder / f"{board.suite}_{board.ruleset}"
        make_output(place)
        files.append(_write(place / "leaderboard.md", leaderboard_markdown(board)))
        files.append(_write(place / "leaderboard.csv", present.as_csv([board.scores])))
        files += write_plots(board, its_curves, place, style, formats)
    return files


def write_pictures(board: Board, folder: Path) -> list[Path]:
    """Write the pictures of a leaderboard that are committed: `PICTURES`, as SVG."""
    return write_plots(board, (), folder, "paper", ("svg",), PICTURES)


def write_plots(
    board: Board,
    curves: Sequence[WorkloadCurves],
    folder: Path,
    style: str,
    formats: Sequence[str],
    names: Sequence[str] = (),
) -> list[Path]:
    """Write the plots of a leaderboard, all or those with `names`; without any score there are only training curves."""
    if not formats:
        return []
    from timetrial.harness.report.style import plotting

    files = []
    with plotting(style):
        for name, draw in figures_of(board, curves).items():
            if names and name not in names:
                continue
            figure = draw()
            for form in formats:
                files.append(folder / f"{name}.{form}")
                figure.savefig(files[-1], metadata={"Date": None} if form == "svg" else None)
    return files


def figures_of(board: Board, curves: Sequence[WorkloadCurves]) -> "dict[str, Callable[[], Figure]]":
    """Name the plots of a leaderboard, with what draws each in the style that is open then."""
    from timetrial.harness.report import memory_plot, plots, training_plots

    figures: dict[str, Callable[[], Figure]] = {}
    scores, frame = board.scores, board.plot_frame
    if scores.standings:
        if scores.standings[0].speedup:
            figures["speedup"] = partial(plots.plot_speedups, scores, frame)
        figures["score"] = partial(plots.plot_scores, scores, frame)
        figures["performance_profile"] = partial(plots.plot_profiles, scores, frame)
        figures["time_to_target"] = partial(plots.plot_times, scores, frame)
        figures["time_against_memory"] = partial(memory_plot.plot_memory, board)
        if scores.trials_of_study > 1:
            figures["tuning_curves"] = partial(plots.plot_tuning, scores, frame)
    for its in curves:
        figures[f"training_curves_{its.workload}"] = partial(training_plots.plot_training_curves, board, its)
    return figures


def _write(path: Path, content: str) -> Path:
    write_atomically(path, content)
    return path
