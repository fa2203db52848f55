"""The results of runs as tables, plots and comparisons."""

import html
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from timetrial.harness import UsageError
from timetrial.harness.records.run import Run

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from timetrial.harness.report.boards import Board
    from timetrial.harness.report.comparison import Comparison
    from timetrial.harness.scoring.prices import Prices

WIDTH = 160
"""Letters in a line of a table that is printed."""


def read(
    *paths: str | Path,
    clock: str | None = None,
    allow_incomplete: bool = False,
    allow_mixed_hardware: bool = False,
    prices: "Sequence[Prices]" = (),
) -> "Results":
    """Read runs by their names or folders, or committed results such as `results/mini`.

    `clock`: paced, measured or steps, by default paced where the records have it; `allow_incomplete`: count trials
    without a result as misses; `allow_mixed_hardware`: compare times from different machines; `prices`: what steps cost
    on other machines, which become clocks of the boards they are of. Raises `UsageError` where there is no such run.
    """
    from timetrial.harness.entries.find import find_run

    if not paths:
        raise UsageError("nothing to read: name a run, or a folder of results")
    return Results([find_run(str(path)) for path in paths], clock, allow_incomplete, allow_mixed_hardware, prices)


class Results:
    """What runs have shown; read from their files when it is asked for, and shown by a notebook as leaderboards."""

    def __init__(
        self,
        runs: Sequence[Run],
        clock: str | None = None,
        allow_incomplete: bool = False,
        allow_mixed_hardware: bool = False,
        prices: "Sequence[Prices]" = (),
    ) -> None:
        self.runs, self._prices = list(runs), prices
        self._options = {
            "clock": clock,
            "allow_incomplete": allow_incomplete,
            "allow_mixed_hardware": allow_mixed_hardware,
        }

    @property
    def path(self) -> Path:
        """The folder of the run, of the first one where there are several."""
        return self.runs[0].path

    @cached_property
    def boards(self) -> "list[Board]":
        """The scores with the records behind them, one for each suite and ruleset.

        Raises `UsageError` where the trials cannot share a leaderboard.
        """
        from timetrial.harness.report.boards import read_boards

        return read_boards(self.runs, **self._options, prices=self._prices)

    @property
    def leaderboard(self) -> "pandas.DataFrame":
        """One row per submission, best first, with the numbers and columns of `timetrial score --format csv`.

        Times are in seconds of the clock, or in steps; nan is unknown, or a target never reached.
        """
        from timetrial.harness.scoring.present import as_frame

        return as_frame(board.scores for board in self.boards)

    @cached_property
    def trials(self) -> "pandas.DataFrame":
        """One row per trial: its key, status and reason, times to target, hyperparameters (each a column), machine."""
        from timetrial.harness.report.export import flat_trials

        return flat_trials(self.runs)

    @cached_property
    def curves(self) -> "pandas.DataFrame":
        """Every evaluation of every trial, one row each.

        Columns: suite, ruleset, submission, workload, study, trial, step, paced_seconds, seconds, then train_METRIC,
        validation_METRIC and test_METRIC, and peak_memory_bytes.
        """
        from timetrial.harness.records.evaluations import read_evaluations

        return read_evaluations(self.runs)

    def plots(self, *, suite: str | None = None, ruleset: str | None = None) -> list[str]:
        """Name the plots that `plot` draws."""
        return list(self._figures(suite, ruleset))

    def plot(
        self, name: str, *, suite: str | None = None, ruleset: str | None = None, style: str = "paper"
    ) -> "Figure":
        """Draw a plot of the report, such as "performance_profile" or "training_curves_small_gpt".

        `style`: "paper" (3.3 inches wide) or "talk"; `suite`, `ruleset`: of which leaderboard, where there are several.
        Raises `UsageError` for a plot that there is not.
        """
        from timetrial.harness.report.style import plotting

        figures = self._figures(suite, ruleset)
        if name not in figures:
            raise UsageError(f"there is no plot {name!r}: choose of {', '.join(figures)}")
        with plotting(style):
            return figures[name]()

    def compare(self, one: str, other: str, *, suite: str | None = None, ruleset: str | None = None) -> "Comparison":
        """Compare two submissions workload by workload: how many times sooner `one` is than `other`, with intervals.

        Raises `UsageError` for a submission that is not there.
        """
        board = self._board(suite, ruleset)
        for found in self.comparisons(one, other):
            if (found.board.suite, found.board.ruleset) == (board.suite, board.ruleset):
                return found
        raise UsageError(f"{one} and {other} are not both on {board.suite}/{board.ruleset}")

    def comparisons(self, one: str, other: str) -> "list[Comparison]":
        """Compare two submissions on each leaderboard."""
        from timetrial.harness.planning.outside import name_of
        from timetrial.harness.records.table import read_trials
        from timetrial.harness.report.comparison import compare

        return compare(read_trials(self.runs), name_of(one), name_of(other), **self._options)

    def report(self, folder: str | Path | None = None, *, style: str = "paper") -> list[Path]:
        """Write leaderboards, page and plots into `folder`, by default `report` in the run, and list the files."""
        from timetrial.harness.report.write import write_report

        return write_report(self.boards, Path(folder) if folder else self.runs[0].report, style=style)

    def export(self, to: str, folder: str | Path | None = None) -> list[Path]:
        """Write the records for another tool: "csv", "parquet", "tensorboard" or "wandb"; gives what was written.

        By default into `report/FORM` in the run. Raises `UsageError` where that tool's library is not installed.
        """
        from timetrial.harness.report.export import export

        return export(self.runs, to, Path(folder) if folder else self.runs[0].report / to)

    def _figures(self, suite: str | None, ruleset: str | None) -> "dict[str, Callable[[], Figure]]":
        from timetrial.harness.report.curves import training_curves
        from timetrial.harness.report.write import figures_of

        board = self._board(suite, ruleset)
        return figures_of(board, training_curves(board))

    def _board(self, suite: str | None, ruleset: str | None) -> "Board":
        fitting = [b for b in self.boards if suite in (None, b.suite) and ruleset in (None, b.ruleset)]
        if len(fitting) == 1:
            return fitting[0]
        there = ", ".join(f"suite={b.suite!r} ruleset={b.ruleset!r}" for b in self.boards)
        raise UsageError(f"{len(fitting)} leaderboards fit suite={suite!r} ruleset={ruleset!r}: there are {there}")

    def __repr__(self) -> str:
        from timetrial.harness.scoring.present import as_table, as_text

        return "\n".join(as_text(as_table(board.scores), WIDTH) for board in self.boards)

    def _repr_html_(self) -> str:
        import pandas

        from timetrial.harness.report.markdown import standings_table

        parts = []
        for board in self.boards:
            heading, rows = standings_table(board)
            parts.append(f"<p><b>TimeTrial</b> {html.escape(board.plot_frame)}</p>")
            parts += [f"<p><b>{html.escape(warning)}</b></p>" for warning in board.warnings]
            with pandas.option_context("display.max_colwidth", None):
                parts.append(pandas.DataFrame(rows, columns=heading).to_html(index=False, border=0))
            for name, trials in board.scores.incomplete.items():
                line = f"{name}: {len(trials)} trials without a result, such as {trials[0]}"
                parts.append(f"<p>{html.escape(line)}</p>")
        return "\n".join(parts)
