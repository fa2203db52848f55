"""Every evaluation of every trial of some runs as one table: the curves behind the scores."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import CorruptRecord, Evaluation
from timetrial.harness.records.run import Run

if TYPE_CHECKING:
    import pandas


def read_evaluations(runs: Iterable[Run]) -> "pandas.DataFrame":
    """Read the evaluations of the trials of runs, one row each, in the order of the trials.

    Columns: suite, ruleset, submission, workload, study, trial; step (batches drawn), paced_seconds and seconds (of
    training, measured); train_METRIC, validation_METRIC and test_METRIC (nan where a workload has no such metric, and
    test metrics but at the end of a trial); peak_memory_bytes. Trials that still run are in it as far as they came;
    what a damaged file holds is not.
    """
    import pandas  # 0.4 s to import, which `--help` need not pay

    rows = []
    for run in runs:
        for folder in run.trials():
            try:
                spec, evaluations = folder.read_spec(), folder.read_evaluations()
            except CorruptRecord:
                continue
            rows += [_row(spec, evaluation) for evaluation in evaluations]
    table = pandas.DataFrame(rows, columns=None if rows else [*_KEY, *_CLOCKS, "peak_memory_bytes"])
    metrics = [name for name in table if name not in (*_KEY, *_CLOCKS, "peak_memory_bytes")]
    return table[[*_KEY, *_CLOCKS, *sorted(metrics, key=_place), "peak_memory_bytes"]]


_KEY = ("suite", "ruleset", "submission", "workload", "study", "trial")
_CLOCKS = ("step", "paced_seconds", "seconds")
_SPLITS = ("train", "validation", "test")


def _place(metric: str) -> tuple[int, str]:
    split, _, name = metric.partition("_")
    return _SPLITS.index(split), name


def _row(spec: TrialSpec, evaluation: Evaluation) -> dict[str, Any]:
    names = (spec.suite, spec.ruleset, spec.submission, spec.workload.name, spec.study, spec.trial)
    row = dict(zip(_KEY, names, strict=True)) | {name: getattr(evaluation, name) for name in _CLOCKS}
    for split in _SPLITS:
        row |= {f"{split}_{name}": value for name, value in (getattr(evaluation, split) or {}).items()}
    return row | {"peak_memory_bytes": evaluation.peak_memory_bytes}
