"""The leaderboard as one self-contained HTML page: no network, no build step, at most 1 MB for thirty submissions."""

from collections.abc import Sequence
from pathlib import Path

from timetrial.harness.report.boards import Board
from timetrial.harness.report.curves import WorkloadCurves
from timetrial.harness.report.page_data import Texts, board_data
from timetrial.harness.scoring.present import percent, separated_in_words, with_interval, yes

ASSETS = Path(__file__).with_name("assets")
SCRIPTS = ("elements.js", "charts.js", "table.js", "why.js", "details.js", "trust.js", "main.js")


def leaderboard_page(boards: Sequence[Board], curves: Sequence[Sequence[WorkloadCurves]], folder: Path) -> str:
    """Make the page; `folder` is where it will lie, which its links to the files of trials are relative to.

    The numbers stand in the page as JSON, from which its script draws; a plain table is there for readers without one.
    """
    import jinja2

    texts = Texts()
    data = {"boards": [board_data(board, its, folder, texts) for board, its in zip(boards, curves, strict=True)]}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "sort_keys": False, "allow_nan": False}
    template = environment.get_template("leaderboard.html.jinja")
    return template.render(
        title=" and ".join(f"{board.suite} ({board.ruleset})" for board in boards),
        data={**data, "texts": texts.all},
        style=(ASSETS / "leaderboard.css").read_text(),
        scripts=[(ASSETS / name).read_text() for name in SCRIPTS],
        plain=[_plain(board) for board in boards],
    )


def _plain(board: Board) -> dict:
    """What the page says without a script: who wins, by the clock that was chosen."""
    rows = [
        (
            standing.rank,
            standing.submission,
            with_interval(standing.speedup, "{:.2f}x"),
            with_interval(standing.score, "{:.2f}"),
            percent(standing.reach),
            yes(standing.may_be_best),
            separated_in_words(standing),
        )
        for standing in board.scores.standings
    ]
    return {"frame": board.plot_frame, "warnings": board.warnings, "reference": board.scores.reference, "rows": rows}
