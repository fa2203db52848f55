"""What a sentence about the committed results may say in numbers: each quantity a function of a board's records.

A sentence names a quantity by the name of its function and its arguments: `score mini/external soap`. What lies behind
each is in its docstring. All give text, rounded as a reader wants it.
"""

import inspect
import math
from collections.abc import Callable, Mapping

import pandas as pd

from timetrial.harness import UsageError
from timetrial.harness.report.boards import Board
from timetrial.harness.report.markdown import leaderboard_markdown, memory_of, speedup_of
from timetrial.harness.scoring import score_table
from timetrial.harness.scoring.present import significant, with_interval
from timetrial.harness.scoring.standings import Standings


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


def score(board: Board, submission: str) -> str:
    """The score by seconds with its interval."""
    return with_interval(board.scores.by_time.of(submission).score, "{:.2f}")


def score_by_steps(board: Board, submission: str) -> str:
    """The score by steps with its interval."""
    return with_interval(_by_steps(board).of(submission).score, "{:.2f}")


def speedup(board: Board, submission: str) -> str:
    """The speed-up over the reference with its interval."""
    return speedup_of(board.scores.by_time.of(submission))


def leaders(board: Board) -> str:
    """The submissions on the first rank, the best first."""
    return _names([standing.submission for standing in board.scores.by_time.standings if standing.rank == 1])


def targets(board: Board, submission: str) -> str:
    """The workloads whose target the median study reached."""
    standing = board.scores.by_time.of(submission)
    return f"{standing.reached} of {len(standing.workloads)}"


def memory(board: Board, submission: str) -> str:
    """The bytes of optimizer state per parameter, the most over workloads."""
    return f"{_is_there(memory_of(board, submission), 'optimizer state'):.1f}"


def reached(board: Board, submission: str, workload: str = "") -> str:
    """The trials that reached their target, on one workload or on all."""
    rows = _rows(board, submission, workload)
    return f"{(rows['status'] == 'target_reached').sum()} of {len(rows)}"


def studies(board: Board, submission: str, workload: str) -> str:
    """The studies that reached the target of a workload."""
    result = board.scores.by_time.of(submission).workloads[workload]
    return f"{result.studies_reached} of {result.studies}"


def missed_by(board: Board, workload: str) -> str:
    """The number of submissions that miss the target of a workload in the median study."""
    standings = board.scores.by_time.standings
    return str(sum(not math.isfinite(standing.workloads[workload].value.value) for standing in standings))


def time(board: Board, submission: str, workload: str) -> str:
    """The time to target, the median over studies."""
    return _time(board.scores.by_time.of(submission).workloads[workload].value.value)


def fastest(board: Board, workload: str) -> str:
    """The submission with the least time to target."""
    return _names([_first(board.scores.by_time, workload)])


def fewest_steps(board: Board, workload: str) -> str:
    """The submissions with the fewest steps to target: all that share the least number."""
    values = {s.submission: s.workloads[workload].value.value for s in _by_steps(board).standings}
    return _names([name for name, value in values.items() if value == min(values.values())])


def step(board: Board, submission: str, workload: str, which: str) -> str:
    """The milliseconds per batch drawn of a trial: the `least`, the `median` or the `most` over trials."""
    seconds = _seconds_per_step(_rows(board, submission, workload))
    return f"{1000 * {'least': seconds.min, 'median': seconds.median, 'most': seconds.max}[which]():.1f} ms"


def step_ratio(board: Board, submission: str, other: str, workload: str) -> str:
    """How many times as long as another's a step takes, each at the fastest that it was measured."""
    least = [_seconds_per_step(_rows(board, name, workload)).min() for name in (submission, other)]
    return f"{least[0] / least[1]:.1f}"


def time_at_one_speed(board: Board, submission: str, workload: str) -> str:
    """Median steps to target times the least seconds per step of its trials: without what slowed the machine."""
    return _time(_at_one_speed(board).of(submission).workloads[workload].value.value)


def fastest_at_one_speed(board: Board, workload: str) -> str:
    """The submission with the least of these times."""
    return _names([_first(_at_one_speed(board), workload)])


def score_at_one_speed(board: Board, submission: str) -> str:
    """The score of these times."""
    return f"{_at_one_speed(board).of(submission).score.value:.2f}"


def leader_at_one_speed(board: Board) -> str:
    """The submission with the highest of these scores."""
    return _names([_at_one_speed(board).standings[0].submission])


def drawn(board: Board, submission: str, workload: str, hyperparameters: str, end: str, which: str = "all") -> str:
    """The `least` or `most` value of a hyperparameter, or of a product such as `learning_rate*weight_decay`.

    Over all trials on a workload, or those that `reached` the target or `missed` it.
    """
    rows = _rows(board, submission, workload)
    if which != "all":
        rows = rows[(rows["status"] == "target_reached") == {"reached": True, "missed": False}[which]]
    points = [board.folders[path].read_spec().hyperparameters for path in rows["path"]]
    values = [math.prod(point[name] for name in hyperparameters.split("*")) for point in points]
    return f"{ {'least': min, 'most': max}[end](values):.2g}"


def table(board: Board, lines: str) -> str:
    """The heading and the first lines of the leaderboard, as a table."""
    rows = [line for line in leaderboard_markdown(board).splitlines() if line.startswith("|")]
    return "\n\n" + "\n".join(rows[: 2 + int(lines)]) + "\n\n"


QUANTITIES: dict[str, Callable[..., str]] = {
    function.__name__: function
    for function in (
        *(
            submissions,
            trials,
            workloads,
            machine,
            hours,
            dates,
            unsteady,
            leaders,
            score,
            score_by_steps,
            speedup,
            targets,
            memory,
        ),
        *(reached, studies, missed_by, time, fastest, fewest_steps, step, step_ratio),
        *(time_at_one_speed, fastest_at_one_speed, score_at_one_speed, leader_at_one_speed, drawn, table),
    )
}


def _rows(board: Board, submission: str, workload: str = "") -> pd.DataFrame:
    rows = board.trials[board.trials["submission"] == submission]
    rows = rows[rows["workload"] == workload] if workload else rows
    if rows.empty:
        raise LookupError(f"trials of {submission} {workload}".strip())
    return rows


def _seconds_per_step(rows: pd.DataFrame) -> pd.Series:
    return (rows["last_seconds"] / rows["last_step"])[rows["last_step"] > 0]


def _at_one_speed(board: Board) -> Standings:
    rows = board.trials.copy()
    for _, group in rows.groupby(["submission", "workload"]):
        rows.loc[group.index, "time_to_target"] = group["steps_to_target"] * _seconds_per_step(group).min()
    return score_table(rows, resamples=0).by_time


def _by_steps(board: Board) -> Standings:
    return _is_there(board.scores.by_steps, "steps")


def _first(standings: Standings, workload: str) -> str:
    return min(standings.standings, key=lambda standing: standing.workloads[workload].value.value).submission


def _is_there(value, what: str):
    if value is None:
        raise LookupError(what)
    return value


def _time(seconds: float) -> str:
    return f"{significant(seconds)} s" if math.isfinite(seconds) else "missed"


def _names(names: list[str]) -> str:
    *first, last = [f"`{name}`" for name in names]
    return f"{', '.join(first)} and {last}" if first else last
