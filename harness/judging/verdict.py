"""Is one submission faster than another? Paired studies until the evidence decides."""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from timetrial.harness import UsageError
from timetrial.harness.judging.pairs import Arm, Times, check_clock, name_of, own_values, plan_arms, read_times
from timetrial.harness.judging.sequential import Sequence95, decide, half_width, summarize
from timetrial.harness.judging.targets import set_target, without_target
from timetrial.harness.judging.tuning import TUNING_STUDY, plan_tuning, tune
from timetrial.harness.planning.places import RUNS
from timetrial.harness.planning.plan import select_workloads
from timetrial.harness.planning.search_space import Hyperparameters
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import write_atomically
from timetrial.harness.runs.execute import Place, run_to_end
from timetrial.harness.runs.folder import RunFolder

FEWEST = next(n for n in range(2, 100) if np.isfinite(half_width(n)))
"""Pairs before which nothing is decided, so that the first round has so many: 5."""
PILOT_STUDY = TUNING_STUDY - 1
"""The study of the reference that sets the target of a variant."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Question:
    """What is asked."""

    mine: str
    reference: str
    at_least: float = 1.05
    """The smallest speed-up that matters."""
    studies: int = 20
    """The most paired studies."""
    first_study: int = 0
    tune: int = 0
    """Points of each search space that are tried before; 0: the submissions' own values."""
    clock: str | None = None
    mine_values: Hyperparameters = field(default_factory=dict)
    reference_values: Hyperparameters = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What was found; times are on `clock`."""

    verdict: str
    """One of `VERDICTS`."""
    mine: str
    reference: str
    suite: str
    workloads: tuple[str, ...]
    clock: str
    at_least: float
    found: Sequence95
    by_workload: dict[str, float]
    """The mean log speed-up on each workload."""
    misses: dict[str, tuple[int, int]]
    """On each workload, how often the target was missed: by mine, by the reference."""
    values: dict[str, dict[str, Hyperparameters]]
    """The hyperparameters on each workload, of `mine` and of `reference`."""
    core_seconds: float
    """Training seconds of all trials that the verdict took, tuning and pilots included."""
    wall_seconds: float
    """Of this command: trials that were there already cost nothing."""
    run: str

    def to_json(self) -> dict[str, Any]:
        """Give JSON values; an end of the interval that is open is null."""
        low, high = (None if np.isinf(x) else float(np.exp(x)) for x in (self.found.low, self.found.high))
        return {
            "verdict": self.verdict,
            "speedup": {"value": float(np.exp(self.found.mean)), "low": low, "high": high},
            "bayes_factor": self.found.bayes_factor,
            "studies": self.found.pairs,
            "spread": None if np.isnan(self.found.spread) else self.found.spread,
            "speedup_by_workload": {name: float(np.exp(mean)) for name, mean in self.by_workload.items()},
            **{name: value for name, value in asdict(self).items() if name not in ("verdict", "found", "by_workload")},
        }


def judge(config: Mapping[str, Any], question: Question, place: Place, say: Say) -> Verdict:
    """Run paired studies until the question is decided or its studies are spent.

    Raises `UsageError` for a question that makes no trials, and `TrialLost` where one says nothing about speed.
    """
    began = time.monotonic()
    workloads = select_workloads(config)
    if question.tune:
        tuning = plan_tuning(config, list(dict.fromkeys((question.mine, question.reference))), question.tune, place)
        check_clock(question.clock, tuning)
        run = _run_of(question, tuning)
        say(f"tuning: {question.tune} points of each on {len(workloads)} workloads, in a study that decides nothing")
        best = tune(run, tuning, place, question.clock)
        values = [best[question.mine], best[question.reference]]
    else:
        tuning = []
        values = [
            own_values(question.mine, workloads, question.mine_values),
            own_values(question.reference, workloads, question.reference_values),
        ]
    arms = _arms(question, values)
    if not question.tune:
        first = plan_arms(config, arms, [0], place)
        check_clock(question.clock, first)
        run = _run_of(question, first)
    plan: list[TrialSpec] = []

    def add(studies: list[int]) -> Times:
        plan.extend(plan_arms(config, arms, studies, place))
        run_to_end(run, plan, place)
        return read_times(run, plan, arms, question.clock)

    times, found, verdict = _until_decided(question, place, len(workloads), add, say)
    spent = times.seconds + _training_seconds(run, tuning)
    return _verdict(config, question, run, arms, times, found, verdict, spent, time.monotonic() - began)


def confirm(config: Mapping[str, Any], question: Question, first: Verdict, place: Place, say: Say) -> Verdict:
    """Repeat a verdict with the same hyperparameters on hidden variants: each study is on a variant of its own.

    The variants are drawn by chance when this is first asked, and are kept in the run. A study of the reference sets
    the target of each.
    """
    began = time.monotonic()
    workloads = select_workloads(config)
    arms = _arms(question, [first.values["mine"], first.values["reference"]])
    run = RunFolder(RUNS / f"{Path(first.run).name}-variants")
    plan: list[TrialSpec] = []
    pilots: list[TrialSpec] = []

    def add(studies: list[int]) -> Times:
        variants = {study: {**config, "variant_seed": _variant_seed(run, study)} for study in studies}
        its = {
            study: [
                without_target(replace(spec, study=PILOT_STUDY, trial=study))
                for spec in plan_arms(variant, arms[1:], [study], place)
            ]
            for study, variant in variants.items()
        }
        pilots.extend(spec for specs in its.values() for spec in specs)
        run_to_end(run, pilots, place)
        for study, variant in variants.items():
            targets = [set_target(w, run.trial(s)) for w, s in zip(workloads, its[study], strict=True)]
            plan.extend(plan_arms(variant, arms, [study], place, targets))
        run_to_end(run, plan, place)
        return read_times(run, plan, arms, question.clock)

    times, found, verdict = _until_decided(question, place, len(workloads), add, say)
    spent = times.seconds + _training_seconds(run, pilots)
    return _verdict(config, question, run, arms, times, found, verdict, spent, time.monotonic() - began)


def _arms(question: Question, values: list[dict[str, Hyperparameters]]) -> list[Arm]:
    """Make the two arms; one that is compared with itself has studies of its own, since the same would be the same."""
    apart = question.mine == question.reference and values[0] == values[1]
    return [Arm("mine", question.mine, values[0], apart), Arm("reference", question.reference, values[1])]


def _run_of(question: Question, first: list[TrialSpec]) -> RunFolder:
    """Name the run by its first trials, and with tuning by the clock, which decides what is chosen."""
    return RunFolder(RUNS / name_of("judge", first, question.tune, question.clock if question.tune else None))


def _until_decided(
    question: Question, place: Place, workloads: int, add: Callable[[list[int]], Times], say: Say
) -> tuple[Times, Sequence95, str]:
    """Add paired studies until a verdict is given, the studies are spent, or none of them can tell anything."""
    more = max(1, place.at_once // (2 * workloads))
    done = 0
    while True:
        ahead = min(FEWEST if done == 0 else more, question.studies - done)
        times = add([question.first_study + done + i for i in range(ahead)])
        done += ahead
        found = summarize(times.log_ratios(0, 1).mean(axis=1))
        verdict = decide(found, question.at_least)
        say(f"{done} studies: {in_brackets(found)}")
        hopeless = bool((times.misses(0) & times.misses(1)).all())
        if verdict != "undecided" or done >= question.studies or hopeless:
            return times, found, verdict


def in_brackets(found: Sequence95) -> str:
    """Write a speed-up with its interval: "1.14x (0.97x to 1.34x)"."""
    if np.isinf(found.low):
        return f"{np.exp(found.mean):.2f}x (no interval yet)"
    return f"{np.exp(found.mean):.2f}x ({np.exp(found.low):.2f}x to {np.exp(found.high):.2f}x)"


def _verdict(
    config: Mapping[str, Any],
    question: Question,
    run: RunFolder,
    arms: list[Arm],
    times: Times,
    found: Sequence95,
    verdict: str,
    core_seconds: float,
    wall_seconds: float,
) -> Verdict:
    means = times.log_ratios(0, 1).mean(axis=0)
    misses = [times.misses(arm).sum(axis=0) for arm in (0, 1)]
    return Verdict(
        verdict,
        question.mine,
        question.reference,
        config["suite"]["name"],
        times.workloads,
        times.clock,
        question.at_least,
        found,
        {name: float(mean) for name, mean in zip(times.workloads, means, strict=True)},
        {name: (int(a), int(b)) for name, a, b in zip(times.workloads, *misses, strict=True)},
        {arm.label: dict(arm.values) for arm in arms},
        core_seconds,
        wall_seconds,
        str(run.path),
    )


def _training_seconds(run: RunFolder, plan: list[TrialSpec]) -> float:
    return sum(run.trial(spec).read_result().seconds for spec in plan)


def _variant_seed(run: RunFolder, study: int) -> int:
    """Give the seed of a study's variant: by chance, so that no author has seen it, and then always the same."""
    file = run.path / "variants.json"
    seeds = json.loads(file.read_text()) if file.exists() else {}
    if str(study) not in seeds:
        seeds[str(study)] = secrets.randbelow(1 << 31)
        run.path.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(seeds) + "\n")
    return seeds[str(study)]


def check(question: Question) -> None:
    """Raise `UsageError` for a question that cannot be answered."""
    if not 1 <= question.at_least < 100:
        raise UsageError(f"--at-least {question.at_least:g}: give a speed-up from 1 on, such as 1.05 for 5 %")
    if question.studies < FEWEST:
        raise UsageError(f"--studies {question.studies}: nothing can be decided before {FEWEST}; give at least so many")
    if question.first_study < 0 or question.first_study + question.studies >= PILOT_STUDY:
        raise UsageError(
            f"--first-study {question.first_study}: give a number from 0 to {PILOT_STUDY - question.studies}"
        )
    if question.tune < 0:
        raise UsageError(f"--tune {question.tune}: give a number of points")
    if question.tune and (question.mine_values or question.reference_values):
        raise UsageError("--tune chooses the hyperparameters, and --set gives them: use one of the two")
