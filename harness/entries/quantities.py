"""What a sentence about the committed results may say in numbers: each quantity a function of a board's records.

A sentence names a quantity by the name of its function and its arguments: `score mini/external soap`. What lies behind
each is in its docstring. All give text, rounded as a reader wants it.
"""

import inspect
import math
from collections.abc import Callable, Mapping

import pandas as pd

from timetrial.harness import UsageError
from timetrial.harness.entries.committed import committed_results
from timetrial.harness.planning import places
from timetrial.harness.report.boards import Board, read_boards
from timetrial.harness.report.markdown import leaderboard_markdown
from timetrial.harness.report.validity import agreement_between, agreement_of, conclusion, differences, speedups
from timetrial.harness.scoring import Leaderboard
from timetrial.harness.scoring.leaderboard import Standing
from timetrial.harness.scoring.present import percent, separated_in_words, significant, with_interval
from timetrial.harness.scoring.prices import read_prices, score_at
from timetrial.harness.scoring.trials import crossing_column
from timetrial.harness.scoring.validity import ALGOPERF, read_published


def compute(asked: str, boards: Mapping[str, Board]) -> str:
    """Compute the quantity `asked`, a name, a board (SUITE/RULESET) and what else the function takes.

    Raises `UsageError` where there is no such quantity, board, submission, workload or hyperparameter.
    """
    name, *arguments = asked.split()
    if name not in QUANTITIES:
        raise UsageError(f"no quantity {name!r}: there are {', '.join(QUANTITIES)}")
    function = QUANTITIES[name]
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        raise UsageError(f"{asked!r}: {error}; it takes {inspect.signature(function)}") from None
    board, *others = arguments
    if board not in boards:
        raise UsageError(f"{asked!r}: no leaderboard {board!r}: there are {', '.join(boards)}")
    try:
        return function(boards[board], *others)
    except (LookupError, ValueError) as error:
        raise UsageError(f"{asked!r}: the records have no {error}") from None


def submissions(board: Board) -> str:
    """The number of submissions on the board."""
    return str(len(board.submissions))


def trials(board: Board) -> str:
    """The number of trials on the board."""
    return f"{len(board.trials):,}"


def workloads(board: Board) -> str:
    """The number of workloads on the board."""
    return str(board.trials["workload"].nunique())


def machine(board: Board) -> str:
    """The machine, or the machines, that the trials ran on."""
    return " + ".join(board.machines)


def hours(board: Board) -> str:
    """The hours that its trials took on the wall, one after the other."""
    return f"{sum(board.folders[path].read_result().wall_seconds for path in board.trials['path']) / 3600:.1f}"


def dates(board: Board) -> str:
    """The day, or the first and the last, on which trials ended."""
    first, last = board.trials["finished_at"].min()[:10], board.trials["finished_at"].max()[:10]
    return first if first == last else f"{first} to {last}"


def unsteady(board: Board) -> str:
    """The number of trials whose clock was unsteady."""
    return str(sum("unsteady_clock" in flags for flags in board.trials["flags"]))


def score(board: Board, submission: str, clock: str = "") -> str:
    """The score with its interval, by the board's clock or another."""
    return with_interval(_standing(board, submission, clock).score, "{:.2f}")


def speedup(board: Board, submission: str, clock: str = "") -> str:
    """The speed-up over the reference with its interval, by the board's clock or another."""
    return with_interval(_standing(board, submission, clock).speedup, "{:.2f}x")


def may_be_best(board: Board, clock: str = "") -> str:
    """The submissions among which the best is with 95 %, the best first."""
    return _names([standing.submission for standing in _scores(board, clock).standings if standing.may_be_best])


def separated(board: Board, submission: str, clock: str = "") -> str:
    """Whom a submission is faster or slower than at simultaneous 95 %."""
    return separated_in_words(_standing(board, submission, clock))


def reach(board: Board, submission: str, workload: str = "") -> str:
    """The probability that a study reaches its target, on one workload or in the mean over all."""
    standing = _standing(board, submission)
    return percent(standing.workloads[workload].reach if workload else standing.reach)


def certificate(board: Board, submission: str) -> str:
    """What its tuning certificate says against a submission; "nothing" where it holds."""
    found = _is_there(_standing(board, submission).certificate, "certificate")
    return "; ".join(found.reasons()) or "nothing"


def certified(board: Board) -> str:
    """The number of submissions whose tuning certificate holds."""
    return str(sum(bool(standing.certificate and standing.certificate.holds) for standing in board.scores.standings))


def memory(board: Board, submission: str) -> str:
    """The bytes of optimizer state per parameter, the most over workloads."""
    return f"{_is_there(board.state_bytes(submission), 'optimizer state'):.1f}"


def reached(board: Board, submission: str, workload: str = "") -> str:
    """The trials that reached their target, on one workload or on all."""
    rows = _rows(board, submission, workload)
    return f"{_is_hit(board, rows).sum()} of {len(rows)}"


def studies(board: Board, submission: str, workload: str) -> str:
    """The studies in which a trial reached the target of a workload."""
    rows = _rows(board, submission, workload)
    reached = _is_hit(board, rows).groupby(rows["study"]).any()
    return f"{reached.sum()} of {len(reached)}"


def time(board: Board, submission: str, workload: str, clock: str = "") -> str:
    """The expected time, or steps, to target of a study, a miss counting as the budget."""
    value = _standing(board, submission, clock).workloads[workload].value.value
    unit = _scores(board, clock).unit
    return f"{value:,.0f} {unit}" if unit == "steps" else f"{significant(value)} {unit}"


def fastest(board: Board, workload: str, clock: str = "") -> str:
    """The submission with the least expected time, or steps, to target."""
    standings = _scores(board, clock).standings
    return _names([min(standings, key=lambda standing: standing.workloads[workload].value.value).submission])


def step(board: Board, submission: str, workload: str, which: str) -> str:
    """The milliseconds per batch drawn of a trial, paced where it had a pacer: the `least`, `median` or `most` over
    trials."""
    seconds = _seconds_per_step(_rows(board, submission, workload))
    return f"{1000 * {'least': seconds.min, 'median': seconds.median, 'most': seconds.max}[which]():.1f} ms"


def step_ratio(board: Board, submission: str, other: str, workload: str) -> str:
    """How many times as long as another's a step takes, each in the trial where it took least."""
    least = [_seconds_per_step(_rows(board, name, workload)).min() for name in (submission, other)]
    return f"{least[0] / least[1]:.1f}"


def drawn(board: Board, submission: str, workload: str, hyperparameters: str, end: str, which: str = "all") -> str:
    """The `least` or `most` value of a hyperparameter, or of a product such as `learning_rate*weight_decay`.

    Over all trials on a workload, or those that `reached` the target or `missed` it.
    """
    rows = _rows(board, submission, workload)
    if which != "all":
        rows = rows[_is_hit(board, rows) == {"reached": True, "missed": False}[which]]
    points = [board.folders[path].read_spec().hyperparameters for path in rows["path"]]
    values = [math.prod(point[name] for name in hyperparameters.split("*")) for point in points]
    return f"{ {'least': min, 'most': max}[end](values):.2g}"


def validity(board: Board, clock: str = "") -> str:
    """What `timetrial validity` concludes by a clock: whether the board's order is that of AlgoPerf's leaderboard."""
    return conclusion(agreement_of(board, read_published(ALGOPERF), clock or board.scores.clock)).rstrip(".")


def agreement(board: Board, other: str, clock: str = "") -> str:
    """What `timetrial validity --published` concludes of another leaderboard, a folder of `results/`, by a clock."""
    return conclusion(agreement_between(board, _board_in(other), clock or board.scores.clock), other).rstrip(".")


def forecast(board: Board, prices: str, other: str) -> str:
    """How far what `timetrial price` made of the board for a machine is from what was measured there.

    `prices` is a file in `results/prices/`, without its ending, and `other` the board of that machine in `results/`.
    """
    foreseen = score_at(board.trials, read_prices(places.RESULTS / "prices" / f"{prices}.json"))
    return differences(speedups(foreseen), speedups(_board_in(other).scores), board.scores.reference)


def rerun(board: Board, submission: str) -> str:
    """What came out when an entry was last run again: how many trials were the same, and how long their steps took."""
    if not (found := board.verifications.get(submission)):
        raise LookupError(f"verification of {submission}")
    return found[-1].outcome_in_words()


def table(board: Board, lines: str) -> str:
    """The heading and the first lines of the leaderboard, as a table."""
    rows = [line for line in leaderboard_markdown(board).splitlines() if line.startswith("|")]
    return "\n\n" + "\n".join(rows[: 2 + int(lines)]) + "\n\n"


QUANTITIES: dict[str, Callable[..., str]] = {
    function.__name__: function
    for function in (
        *(submissions, trials, workloads, machine, hours, dates, unsteady),
        *(score, speedup, may_be_best, separated, reach, certificate, certified, memory),
        *(reached, studies, time, fastest, step, step_ratio, drawn, validity, agreement, forecast, rerun, table),
    )
}


def _board_in(folder: str) -> Board:
    """Read the one leaderboard in a folder of `results/`."""
    (board,) = read_boards([_is_there(committed_results(places.RESULTS / folder), folder)])
    return board


def _rows(board: Board, submission: str, workload: str = "") -> pd.DataFrame:
    rows = board.trials[board.trials["submission"] == submission]
    rows = rows[rows["workload"] == workload] if workload else rows
    if rows.empty:
        raise LookupError(f"trials of {submission} {workload}".strip())
    return rows


def _is_hit(board: Board, rows: pd.DataFrame) -> pd.Series:
    """Say which trials crossed their target within the budget, by the board's clock: those that its scores count."""
    return rows[crossing_column(board.scores.clock)] < math.inf


def _seconds_per_step(rows: pd.DataFrame) -> pd.Series:
    seconds = rows["last_paced"].fillna(rows["last_seconds"])
    return (seconds / rows["last_step"])[rows["last_step"] > 0]


def _scores(board: Board, clock: str = "") -> Leaderboard:
    return board.by_clock[clock] if clock else board.scores


def _standing(board: Board, submission: str, clock: str = "") -> Standing:
    return _scores(board, clock).of(submission)


def _is_there(value, what: str):
    if value is None:
        raise LookupError(what)
    return value


def _names(names: list[str]) -> str:
    *first, last = [f"`{name}`" for name in names]
    return f"{', '.join(first)} and {last}" if first else last
