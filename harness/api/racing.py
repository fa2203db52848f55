"""Racing from Python: what `timetrial run` does, with functions and classes among the submissions."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.results import Results
from timetrial.source import source_of

Submission = str | Callable[..., Any]
"""What `submission=` of `timetrial run` takes, or a function or class of this session."""


_WHERE = ("data_root", "executor")
"""Settings that change no result."""


def race(
    submissions: Submission | Sequence[Submission],
    suite: str = "quickstart",
    *,
    ruleset: str = "self_tuning",
    studies: int | None = None,
    trials: int | None = None,
    run: str | None = None,
    **overrides: Any,
) -> Results:
    """Run the trials of submissions that have not ended yet, show how it goes, and give the results of the run.

    `submissions`: names, and functions `build_optimizer(model, hyperparameters, task)` or classes with the methods of
    `timetrial.harness.submission.Submission`, which race under their own names. The attributes `HYPERPARAMETERS` (for
    `ruleset="self_tuning"`) and `SEARCH_SPACE` (for `ruleset="external"`) of a function say which values are tried, as
    those of a `submission.yaml`. `studies`, `trials`: how many, by default as many as the suite has. `run`: the name of
    the run, by default the suite's, with a hash of functions and settings where there are any: an edited function or
    another setting starts another run, and the same ones go on. `overrides`: any other key of `configs/config.yaml`,
    such as `workloads=["small_gpt"]` or `data_root="data"`.

    Raises `UsageError` for what `timetrial run` refuses, for a function that uses what cannot travel with it, and for
    data that are missing. A trial that fails raises nothing: it is in `Results.trials`, with its reason.
    """
    from timetrial.harness.planning.places import RUNS
    from timetrial.harness.runs.execute import run_here, submit_plan, wait_for_jobs
    from timetrial.harness.runs.start import start

    given = [submissions] if isinstance(submissions, str) or callable(submissions) else list(submissions)
    for one in given:
        if not isinstance(one, str) and not hasattr(one, "__name__"):
            raise UsageError(f"{one!r} is no submission: give a name, or a function or class")
    defined = {one.__name__: one for one in given if not isinstance(one, str)}
    texts = {name: source_of(one) for name, one in defined.items()}
    settings = {"ruleset.studies": studies, "ruleset.trials": trials, **overrides}
    settings = {key: value for key, value in settings.items() if value is not None}
    told_apart = [*texts.values(), *(f"{k}={v}" for k, v in sorted(settings.items()) if k not in _WHERE)]
    if told_apart:
        run = run or f"{suite}-{_hash(''.join(told_apart))}"
    places = {name: _write(name, text, RUNS / str(run) / "notebook") for name, text in texts.items()}
    keys = {
        "submission": [one if isinstance(one, str) else str(places[one.__name__]) for one in given],
        "suite": suite,
        "ruleset": ruleset,
        **({"run": run} if run else {}),
        **settings,
    }
    started = start([f"{key}={_written(value)}" for key, value in keys.items()])
    run_plan_place = started.run, started.plan, started.place
    if started.place.resources is not None:
        submit_plan(*run_plan_place)
        wait_for_jobs(*run_plan_place)
    else:
        progress = run_here(*run_plan_place)
        for reason in (*progress.blocked.values(), *progress.failed):
            raise UsageError(reason)
    return Results([started.run])


def _write(name: str, text: str, place: Path) -> Path:
    """Write a function as a file with its name, each text in a place of its own."""
    file = place / _hash(text) / f"{name}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _written(value: Any) -> str:
    """Write a value as Hydra reads it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{_written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, str | Path):
        escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(_written, value)) + "]"
    return repr(value)
