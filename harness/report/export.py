"""The records of runs in the forms of other tools: tables, TensorBoard's event files, and runs of wandb.

In TensorBoard and wandb each trial is a run, its steps are the batches drawn, and its time is that of its clock: what a
trial had trained, in paced seconds where the records have them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.places import make_output
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.evaluations import read_evaluations
from timetrial.harness.records.files import CorruptRecord, Evaluation, Result
from timetrial.harness.records.run import Run
from timetrial.harness.records.table import read_trials

WANDB_PROJECT = "timetrial"


@dataclass(frozen=True)
class Trial:
    """A trial that has ended, with what a tool for experiments shows of one."""

    spec: TrialSpec
    result: Result
    evaluations: list[Evaluation]

    @property
    def name(self) -> str:
        return f"{self.spec.suite}/{self.spec.folder}"

    @property
    def settings(self) -> dict[str, Any]:
        """What it was run with."""
        spec = self.spec
        about = {"suite": spec.suite, "ruleset": spec.ruleset, "submission": spec.submission, "study": spec.study}
        about |= {"workload": spec.workload.name, "trial": spec.trial, "step_hint": spec.step_hint}
        about |= {"target": spec.workload.target, "budget_seconds": spec.budget_seconds}
        return about | {f"hyperparameters/{name}": value for name, value in spec.hyperparameters.items()}

    @property
    def outcome(self) -> dict[str, Any]:
        """How it ended; a time to target is there where it was reached."""
        result, reached = self.result, self.result.status == "target_reached"
        found = {"status": result.status, "reached": int(reached), "seconds": result.seconds, "step": result.step}
        times = (result.paced_time_to_target, result.time_to_target, result.steps_to_target)
        names = ("paced_time_to_target", "time_to_target", "steps_to_target")
        return found | {name: time for name, time in zip(names, times, strict=True) if time is not None}

    def scalars(self) -> Iterator[tuple[Evaluation, dict[str, float]]]:
        """Give each evaluation with its metrics as `validation/loss`, its clocks and its memory."""
        for one in self.evaluations:
            splits = {"train": one.train, "validation": one.validation, "test": one.test or {}}
            values = {f"{split}/{name}": value for split, metrics in splits.items() for name, value in metrics.items()}
            values |= {"clock/seconds": one.seconds, "memory/peak_bytes": one.peak_memory_bytes}
            if one.paced_seconds is not None:
                values["clock/paced_seconds"] = one.paced_seconds
            yield one, values


def ended_trials(runs: Sequence[Run]) -> Iterator[Trial]:
    """Read the trials of runs that have ended, one after the other; damaged ones are left out."""
    for run in runs:
        for folder in run.trials():
            try:
                ending = folder.read_ending()
                if ending is not None:
                    yield Trial(folder.read_spec(), *ending)
            except CorruptRecord:
                continue


def export(runs: Sequence[Run], to: str, folder: Path) -> list[Path]:
    """Write the records of runs into `folder` in a form of `FORMS`, and list what can be opened there.

    Raises `UsageError` for another form, one whose library is not installed, and a folder that is not empty where event
    files of before would be shown beside the new ones.
    """
    if to not in FORMS:
        raise UsageError(f"--to {to}: choose one of {', '.join(FORMS)}")
    return FORMS[to](runs, make_output(folder))


def _tables(runs: Sequence[Run], folder: Path, write: Callable[[Any, Path], None], suffix: str) -> list[Path]:
    """Write `trials`, with each hyperparameter in a column, and `evaluations`."""
    files = [folder / f"trials.{suffix}", folder / f"evaluations.{suffix}"]
    write(flat_trials(runs).drop(columns=["libraries"]), files[0])
    write(read_evaluations(runs), files[1])
    return files


def flat_trials(runs: Sequence[Run]) -> Any:
    """Read the table of trials with plain cells: each hyperparameter a column, and without the evaluations."""
    import pandas

    table = read_trials(runs)
    points = pandas.DataFrame(list(table["hyperparameters"]), index=table.index).add_prefix("hyperparameter_")
    table["flags"] = table["flags"].map(" ".join)
    return table.drop(columns=["hyperparameters", "evaluations", "positions"]).join(points)


def _csv(runs: Sequence[Run], folder: Path) -> list[Path]:
    return _tables(runs, folder, lambda table, path: table.to_csv(path, index=False), "csv")


def _parquet(runs: Sequence[Run], folder: Path) -> list[Path]:
    def write(table: Any, path: Path) -> None:
        for name, column in table.filter(like="hyperparameter_").items():
            there = column.dropna()
            if there.map(type).nunique() > 1:  # as "auto" beside 0.9; a column of parquet has one type
                table[name] = there.astype(str)
        table.to_parquet(path, index=False)

    return _tables(runs, folder, write, "parquet")


def _tensorboard(runs: Sequence[Run], folder: Path) -> list[Path]:
    _check_new(folder)
    try:
        from torch.utils.tensorboard import SummaryWriter  # also imports torch, which takes a second
    except ImportError:
        raise _missing("tensorboard") from None
    for trial in ended_trials(runs):
        began = datetime.fromisoformat(trial.result.finished_at).timestamp() - _clock(trial.evaluations[-1:])
        with SummaryWriter(str(folder / trial.name)) as writer:
            outcome = {name: value for name, value in trial.outcome.items() if name != "status"}
            writer.add_hparams(trial.settings, {f"outcome/{name}": value for name, value in outcome.items()}, None, ".")
            for evaluation, values in trial.scalars():
                for tag, value in values.items():
                    writer.add_scalar(tag, value, round(evaluation.step), began + _clock([evaluation]))
    return [folder]


def _clock(evaluations: Sequence[Evaluation]) -> float:
    """Read the clock of the last of some evaluations, 0 where there is none."""
    for one in evaluations[-1:]:
        return one.seconds if one.paced_seconds is None else one.paced_seconds
    return 0.0


def _wandb(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Write runs of wandb without a network; `wandb sync` uploads them."""
    _check_new(folder)
    try:
        import wandb
    except ImportError:
        raise _missing("wandb") from None
    quiet = wandb.Settings(
        silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True, x_disable_meta=True
    )
    for trial in ended_trials(runs):
        run = wandb.init(
            project=WANDB_PROJECT,
            mode="offline",
            dir=str(folder),
            name=trial.name,
            group=f"{trial.spec.submission} {trial.spec.workload.name}",
            config=trial.settings,
            settings=quiet,
            reinit="finish_previous",
        )
        for evaluation, values in trial.scalars():
            run.log(values, step=round(evaluation.step))
        run.summary.update({f"outcome/{name}": value for name, value in trial.outcome.items()})
        run.finish()
    return sorted((folder / "wandb").glob("offline-run-*"))


def _check_new(folder: Path) -> None:
    if any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty, and old records would be shown beside the new: name a new --output")


def _missing(library: str) -> UsageError:
    return UsageError(f"--to {library}: {library} is not installed: pip install 'timetrial[{library}]'")


FORMS: dict[str, Callable[[Sequence[Run], Path], list[Path]]] = {
    "csv": _csv,
    "parquet": _parquet,
    "tensorboard": _tensorboard,
    "wandb": _wandb,
}
