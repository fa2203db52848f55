"""Which part of a method helps? Paired studies of the whole method and of what is left without each of its switches.

Up to `MOST_ONE_BY_ONE` switches are taken away one at a time. With more of them a half-fraction is run: of all
combinations of on and off those with an even number off. Each part's effect is then that of all trials without it
against all with it, and is mixed up with no other part's, nor with a pair's (resolution k for k switches; Box, Hunter &
Hunter 2005, chapter 6).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from timetrial.harness import UsageError
from timetrial.harness.judging.pairs import Arm, check_clock, name_of, own_values, plan_arms, read_times
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.places import RUNS
from timetrial.harness.planning.plan import select_workloads
from timetrial.harness.planning.search_space import Hyperparameters
from timetrial.harness.records.crossing import Array
from timetrial.harness.runs.execute import Place, run_to_end
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.scoring.jackknife import CONFIDENCE, Estimate

MOST_ONE_BY_ONE = 5

Switches = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Part:
    """What one switch contributes."""

    name: str
    whole: Any
    """Its value in the whole method."""
    without: Any
    """Its value without the part."""
    contribution: Estimate
    """How many times as long it takes without the part: above 1 it helps."""
    misses: int
    """Trials without the part that missed their target, of all workloads; a miss counts as the budget."""


@dataclass(frozen=True)
class Ablation:
    submission: str
    suite: str
    clock: str
    studies: int
    arms: int
    parts: list[Part]
    core_seconds: float
    run: str


def design(switches: Switches) -> list[Hyperparameters]:
    """List the combinations to run, the whole method last; raises `UsageError` where there are no switches, or a
    half-fraction is needed and one has more than two values."""
    if not switches:
        raise UsageError("no switches: name parts in submission.yaml, such as switches: {nesterov: [true, false]}")
    whole = {name: values[0] for name, values in switches.items()}
    if len(switches) <= MOST_ONE_BY_ONE:
        return [whole | {name: value} for name, values in switches.items() for value in values[1:]] + [whole]
    if many := [name for name, values in switches.items() if len(values) > 2]:
        raise UsageError(f"switches.{many[0]}: with more than {MOST_ONE_BY_ONE} switches give two values each")
    halves = [chosen for chosen in itertools.product((1, 0), repeat=len(switches)) if sum(chosen) % 2 == 0]
    return [
        {name: values[off] for (name, values), off in zip(switches.items(), chosen, strict=True)} for chosen in halves
    ]


def ablate(config: Mapping[str, Any], name: str, studies: int, place: Place, clock: str | None) -> Ablation:
    """Run a design in `studies` paired studies, and estimate what each part contributes."""
    if studies < 2:
        raise UsageError(f"--studies {studies}: give at least 2, since one says nothing about how sure it is")
    folder = find_submission(name)
    name, switches = folder.name, folder.switches
    if not switches:
        raise UsageError(f"submission {name!r} has no switches: give its submission.yaml switches: {{NAME: [ON, OFF]}}")
    combinations = design(switches)
    workloads = select_workloads(config)
    arms = [Arm(str(given), name, own_values(name, workloads, given)) for given in combinations]
    plan = plan_arms(config, arms, range(studies), place)
    check_clock(clock, plan)
    run = RunFolder(RUNS / name_of("ablate", plan_arms(config, arms, [0], place)))
    run_to_end(run, plan, place)
    times = read_times(run, plan, arms, clock)
    logs = np.log(np.minimum(times.times, times.budgets[:, :, None])).mean(axis=1)
    missed = times.times > times.budgets[:, :, None]
    parts = [
        Part(part, values[0], value, contribution(logs, combinations, part, values[0], value), _misses(missed, rows))
        for part, values in switches.items()
        for value in values[1:]
        for rows in [[i for i, one in enumerate(combinations) if one[part] == value]]
    ]
    return Ablation(name, config["suite"]["name"], times.clock, studies, len(arms), parts, times.seconds, str(run.path))


def contribution(logs: Array, combinations: Sequence[Hyperparameters], part: str, whole: Any, without: Any) -> Estimate:
    """Estimate, from log times (studies, combinations), how many times as long it takes with `without` for `whole`.

    One by one, the combination without the part is compared with the whole method; in a half-fraction all without the
    part with all that have it. The interval is a t interval over studies.
    """
    off = [i for i, one in enumerate(combinations) if one[part] == without]
    on = [i for i, one in enumerate(combinations) if one[part] == whole]
    if len(off) == 1:
        on = [len(combinations) - 1]
    effects = logs[:, off].mean(axis=1) - logs[:, on].mean(axis=1)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(effects) - 1) * effects.std(ddof=1) / np.sqrt(len(effects))
    value = effects.mean()
    return Estimate(*(float(np.exp(end)) for end in (value, value - half, value + half)))


def _misses(missed: Any, rows: list[int]) -> int:
    return int(missed[:, :, rows].sum())
