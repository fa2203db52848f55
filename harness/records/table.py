"""The results table: one row for each planned trial, read from the files on disk."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timetrial.harness import UsageError
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import CorruptRecord, Evaluation, Result, TrialFolder
from timetrial.harness.records.run import Run

if TYPE_CHECKING:
    import pandas

NOT_REACHED = float("inf")


def read_trials(runs: Iterable[Run]) -> "pandas.DataFrame":
    """Read the trials of runs, one row each.

    Columns: suite, suite_version, protocol (hash of what must be equal on one leaderboard, for each workload), ruleset,
    submission, workload, study, trial, status, reason ("": none), time_to_target and steady_time_to_target (training
    seconds), steps_to_target (batches drawn), all three infinite where the target was not reached;
    eval_index_at_target (-1: never), n_evals, last_seconds, last_step, budget_seconds, target, provisional,
    optimizer_state_bytes, parameters, flags, machine, libraries, data_hash, finished_at, path.

    Raises `UsageError` where there is no trial, or one trial stands in two runs.
    """
    import pandas  # 0.4 s to import, which `--help` need not pay

    runs = list(runs)
    rows = [_row(folder) for run in runs for folder in run.trials()]
    if not rows:
        raise UsageError(f"no trials in {', '.join(str(run.path) for run in runs)}: timetrial run makes some")
    table = pandas.DataFrame(rows)
    key = ["suite", "ruleset", "submission", "workload", "study", "trial"]
    twice = table[table.duplicated(key, keep=False)].sort_values(key)
    if len(twice):
        first, second = twice["path"].iloc[:2]
        raise UsageError(f"one trial stands in two runs: {first} and {second}: score them apart")
    return table


def check_hardware(trials: "pandas.DataFrame", allow_mixed: bool) -> None:
    """Raise `UsageError` where one leaderboard holds times from different machines, unless that is allowed."""
    ended = trials[trials["machine"].notna()]
    for (suite, ruleset), rows in ended.groupby(["suite", "ruleset"]):
        different = rows.drop_duplicates("machine")
        if len(different) > 1 and not allow_mixed:
            one, other = different.iloc[0], different.iloc[1]
            raise UsageError(
                f"{one['path']} ran on {one['machine']!r} and {other['path']} on {other['machine']!r}: their times "
                f"cannot be compared on the {suite}/{ruleset} leaderboard; score them apart, or give "
                "--allow-mixed-hardware"
            )


def _row(folder: TrialFolder) -> dict[str, Any]:
    try:
        spec = folder.read_spec()
    except CorruptRecord as error:  # without it nothing is known of the trial, not even its target
        raise UsageError(f"corrupt record: {error}: the timetrial run that made it runs this trial again") from None
    row = {
        "suite": spec.suite,
        "suite_version": spec.suite_version,
        "protocol": spec.protocol,
        "ruleset": spec.ruleset,
        "submission": spec.submission,
        "workload": spec.workload.name,
        "study": spec.study,
        "trial": spec.trial,
        "status": "missing",
        "reason": "",
        "time_to_target": NOT_REACHED,
        "steady_time_to_target": NOT_REACHED,
        "steps_to_target": NOT_REACHED,
        "eval_index_at_target": -1,
        "n_evals": 0,
        "last_seconds": 0.0,
        "last_step": 0.0,
        "budget_seconds": spec.budget_seconds,
        "target": spec.workload.target,
        "provisional": spec.workload.provisional,
        "optimizer_state_bytes": None,
        "parameters": None,
        "flags": (),
        "machine": None,
        "libraries": None,
        "data_hash": None,
        "finished_at": None,
        "path": str(folder.path),
    }
    try:
        ending = folder.read_ending()
        return row | (_open(folder) if ending is None else _ended(spec, *ending))
    except CorruptRecord as error:
        return row | {"reason": f"corrupt record: {error}"}


def _open(folder: TrialFolder) -> dict[str, Any]:
    evaluations = folder.read_evaluations()
    if not evaluations and not folder.checkpoint_file.exists():
        return {}
    return {"status": "interrupted", "n_evals": len(evaluations)}


def _ended(spec: TrialSpec, result: Result, evaluations: list[Evaluation]) -> dict[str, Any]:
    reached = result.status == "target_reached"
    torch_major = (result.environment["libraries"]["torch"] or "").split(".")[0]
    return {
        "protocol": f"{spec.protocol}-{result.data_hash}-torch{torch_major}",
        "status": result.status,
        "reason": result.reason or "",
        "time_to_target": result.time_to_target if reached else NOT_REACHED,
        "steady_time_to_target": result.steady_time_to_target if reached else NOT_REACHED,
        "steps_to_target": result.steps_to_target if reached else NOT_REACHED,
        "eval_index_at_target": len(evaluations) - 1 if reached else -1,
        "n_evals": len(evaluations),
        "last_seconds": result.seconds,
        "last_step": result.step,
        "optimizer_state_bytes": result.optimizer_state_bytes,
        "parameters": result.parameters,
        "flags": result.flags,
        "machine": _machine(result.environment),
        "libraries": json.dumps(result.environment["libraries"], sort_keys=True),
        "data_hash": result.data_hash,
        "finished_at": result.finished_at,
    }


def _machine(environment: dict[str, Any]) -> str:
    """Name a machine for people, and so that equal machines have equal names."""
    if environment["device"] == "cuda":
        return environment["gpus"][0].split(",")[0] if environment["gpus"] else "GPU"
    return f"{environment['processor']}, {environment['threads']} threads"


def read_evaluations(path: str | Path) -> "pandas.DataFrame":
    """Read the evaluations of a trial, one row each: step, seconds, and `train_`, `validation_`, `test_` metrics."""
    import pandas

    rows = []
    for evaluation in TrialFolder(Path(path)).read_evaluations():
        row = {"step": evaluation.step, "seconds": evaluation.seconds, "steady_seconds": evaluation.steady_seconds}
        for split in ("train", "validation", "test"):
            metrics = getattr(evaluation, split) or {}
            row |= {f"{split}_{name}": value for name, value in metrics.items()}
        rows.append(row)
    return pandas.DataFrame(rows)
