"""Measure what a step of each submission of a board costs on this machine, in turn with the reference.

Real trials through the referee: A b c A d e A ..., where A is the reference. A price is the submission's seconds of a
step over the mean of the reference's before and after it, times the reference's median: a machine whose speed changes
changes both. Seconds are those that a trial is charged with (`records/pace.py`), without the time in which other
programs had the core; on a GPU, measured ones.
"""

import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.environment import describe_machine
from timetrial.harness.planning.source import Source, read_copy, read_source
from timetrial.harness.planning.spec import NO_BUDGET, UNREACHABLE, TrialSpec
from timetrial.harness.records.files import TrialFolder
from timetrial.harness.records.pace import charged_seconds
from timetrial.harness.records.run import Run
from timetrial.harness.runs.execute import Place
from timetrial.harness.scoring import REFERENCE
from timetrial.harness.scoring.prices import Prices
from timetrial.harness.workload import workload_class

STRETCH = 20
"""Steps between two readings of the clock: a whole number of the periods in which methods refresh what is costly."""
STRETCHES = 3
"""The first of them begins the optimizer's state, and is not counted."""
FEW_EXAMPLES = 64
"""To validate and test on, which no price depends on."""
BETWEEN = 2
"""Submissions between two turns of the reference."""


@dataclass(frozen=True)
class Priced:
    """A submission to price: its source, and for each workload a trial that won with its hyperparameters."""

    name: str
    source: Source
    changed: bool
    trials: Mapping[str, TrialSpec]


def winners(trials: pd.DataFrame, specs: Mapping[str, TrialSpec], skipped: dict[str, str], run: Run) -> list[Priced]:
    """Find for each submission of one board its fastest trial by steps on each workload, and its source.

    That is what `run` has kept, or else, of committed results, what is in this clone. `skipped` takes up those that it
    does not have, with the reason.
    """
    found = []
    for name, rows in trials.sort_values(["crossing_steps", "study", "trial"]).groupby("submission", observed=True):
        try:
            if run.source(str(name)).is_dir():
                source, now = read_copy(str(name), run.source(str(name)), run.imports(str(name))), None
            else:
                folder = find_submission(str(name))
                source, now = read_source(folder.name, folder.source_files(), folder.imports), folder.source_hash()
        except UsageError as error:
            skipped[str(name)] = str(error)
            continue
        best = {str(row.workload): specs[row.path] for row in rows.drop_duplicates("workload").itertuples()}
        changed = now is not None and now != next(iter(best.values())).source_hash
        found.append(Priced(str(name), source, changed, best))
    return found


def measure_prices(
    priced: Sequence[Priced], place: Place, name: str, say: Callable[[str], None], skipped: dict[str, str]
) -> Prices:
    """Price submissions of one board; raises `UsageError` where the reference is not among them, or cannot be run."""
    from timetrial.harness.trial.arena import Arena  # imports torch, which takes a second
    from timetrial.harness.trial.forkserver import prepare_forkserver

    reference = next((one for one in priced if one.name == REFERENCE), None)
    if reference is None:
        raise UsageError(f"no {REFERENCE} on this board, or not in this clone: prices are measured beside it")
    others = [one for one in priced if one is not reference]
    first = next(iter(reference.trials.values()))
    seconds: dict[str, dict[str, float]] = {}
    spread: dict[str, dict[str, float]] = {}
    root = None if place.data_root is None else Path(place.data_root)
    for workload in reference.trials:
        specs = {one.name: _short(one.trials[workload], place) for one in priced if workload in one.trials}
        prepare_forkserver([specs[REFERENCE]])
        arena = Arena(specs[REFERENCE], root)
        try:
            turns: list[tuple[str, list[float]]] = []
            _turn(reference, specs, arena)  # starts the forkserver and fills caches
            for number, one in enumerate(others):
                if number % BETWEEN == 0:
                    turns.append((REFERENCE, _turn(reference, specs, arena)))
                if one.name in skipped or one.name not in specs:
                    continue
                try:
                    turns.append((one.name, _turn(one, specs, arena)))
                except UsageError as error:
                    skipped[one.name] = str(error)
            turns.append((REFERENCE, _turn(reference, specs, arena)))
        finally:
            arena.close()
        for its, price, apart in _in_turn(turns):
            seconds.setdefault(its, {})[workload] = price
            spread.setdefault(its, {})[workload] = apart
        say(f"{workload}: a step of {REFERENCE} takes {1000 * seconds[REFERENCE][workload]:.2f} ms")
    machine = describe_machine() | {"device": place.device, "threads": place.threads}
    return Prices(
        name=name,
        suite=first.suite,
        suite_version=first.suite_version,
        ruleset=first.ruleset,
        seconds={its: prices for its, prices in seconds.items() if its not in skipped},
        spread={its: apart for its, apart in spread.items() if its not in skipped},
        changed=[one.name for one in priced if one.changed and one.name not in skipped],
        missing=dict(skipped),
        machine={key: value for key, value in machine.items() if key != "host"},
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _short(spec: TrialSpec, place: Place) -> TrialSpec:
    """Change a trial into a few stretches on this machine, that neither target nor budget ends."""
    target = UNREACHABLE[workload_class(spec.workload.implementation, spec.workload.text).higher_is_better]
    sizes = spec.workload.sizes | {"validation_examples": FEW_EXAMPLES, "test_examples": FEW_EXAMPLES}
    workload = replace(
        spec.workload, sizes=sizes, target=target, test_target=None, eval_every=STRETCH, pace_seconds=1.0
    )
    return replace(
        spec,
        workload=workload,
        device=place.device,
        threads=place.threads,
        budget_seconds=NO_BUDGET,
        max_steps=STRETCH * STRETCHES,
        variant_seed=None,
    )


def _turn(one: Priced, specs: Mapping[str, TrialSpec], arena: Any) -> list[float]:
    """Run a short trial; gives its seconds of a step in each stretch but the first. Raises `UsageError` if it fails."""
    import torch

    from timetrial.harness.trial.referee import run_trial

    spec = specs[one.name]
    torch.set_num_threads(spec.threads)
    with tempfile.TemporaryDirectory(prefix="timetrial-price-") as path:
        folder = TrialFolder(Path(path))
        result = run_trial(spec, one.source, arena, folder)
        if result.status != "budget_exhausted":
            raise UsageError(f"{one.name} on {spec.workload.name}: {result.status}: {result.reason}")
        lines = folder.read_evaluations()
    found = []
    for before, line in pairwise(lines):
        spent = charged_seconds(line.stretch) if line.stretch else line.seconds - before.seconds
        found.append(spent / (line.step - before.step))
    return found


def _in_turn(turns: Sequence[tuple[str, list[float]]]) -> list[tuple[str, float, float]]:
    """Turn measurements in their order into (name, price, largest over smallest), the reference's first."""
    at = [i for i, (name, _) in enumerate(turns) if name == REFERENCE]
    level = {i: statistics.mean(turns[i][1]) for i in at}
    median = statistics.median(level.values())
    found = [(REFERENCE, median, max(level.values()) / min(level.values()))]
    for i, (name, seconds) in enumerate(turns):
        if name != REFERENCE:
            before, after = max(k for k in at if k < i), min(k for k in at if k > i)
            beside = statistics.mean((level[before], level[after]))
            found.append((name, statistics.mean(seconds) / beside * median, max(seconds) / min(seconds)))
    return found


def cost_ratio(prices: Prices, submission: str) -> float:
    """Give how many times as much a step costs as the reference's, a geometric mean over workloads."""
    own, reference = prices.seconds[submission], prices.seconds[REFERENCE]
    return float(np.exp(np.mean([np.log(own[name] / reference[name]) for name in reference if name in own])))
