"""Run folders as the referee leaves them, without any training: curves of a known shape under a seed."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.plan import make_plan
from timetrial.harness.planning.spec import TrialSpec, WorkloadSpec
from timetrial.harness.records.files import Evaluation, Result, Stretch, TrialFolder
from timetrial.harness.records.pace import paced_seconds
from timetrial.harness.runs.folder import RunFolder

MACHINE = {
    "host": "node1",
    "system": "Linux 6.1",
    "processor": "AMD EPYC 7763",
    "processor_family": "AuthenticAMD family 25 model 1, avx2",
    "cores": 2,
    "memory_bytes": 8 << 30,
    "gpus": [],
    "python": "3.11.7",
    "libraries": {"torch": "2.11.0", "numpy": "2.4.0"},
    "commit": "0123456789ab",
    "device": "cpu",
    "threads": 1,
}
PARAMETERS = 269_322


def workload(name: str, metric: str, target: float, budget: float, step_hint: int, eval_every: int) -> WorkloadSpec:
    implementation = f"tests.harness.report.workloads.{metric}"
    return WorkloadSpec(name, implementation, {"batch_size": 64}, target, budget, step_hint, eval_every)


WORKLOADS = (
    workload("fashion_mnist_mlp", "Accuracy", 0.885, 8, 2000, 100),
    workload("cifar_resnet", "Accuracy", 0.5, 24, 550, 50),
    workload("small_gpt", "Loss", 2.1, 12, 600, 40),
    workload("modular_division", "Accuracy", 0.99, 14, 800, 50),
)

PACED_WORKLOADS = tuple(dataclasses.replace(spec, pace_seconds=0.01) for spec in WORKLOADS)
"""The same with a pacer beside them."""


@dataclass(frozen=True)
class Algorithm:
    """How a made-up submission trains."""

    name: str
    speed: float = 1.0
    """How many times faster than usual it gets to a target."""
    misses: tuple[str, ...] = ()
    """Workloads on which it never does."""
    seconds_per_step: float = 1.0
    """How many times longer than usual a step takes."""
    state_bytes: float = 8.0
    """Bytes of optimizer state for each parameter."""
    own_speed: dict[str, float] = field(default_factory=dict)
    """Per workload, a factor on `speed`."""
    statuses: dict[tuple[str, int, int], str] = field(default_factory=dict)
    """Per (workload, study, trial), a status other than the one that comes of its speed."""
    slowness: float = 1.0
    """How many times slower the machine was when it ran, which a pacer notices."""
    description: str = "A made-up training algorithm."
    references: tuple[str, ...] = ("Doe 2024, A paper, https://example.org/paper",)
    author: str = "The tests"


FIELD = (
    Algorithm("muon", 1.5, state_bytes=4.5, own_speed={"small_gpt": 1.25}),
    Algorithm("adamw", 1.0),
    Algorithm("nadamw", 1.0),
    Algorithm("shampoo", 1.3, state_bytes=12.0, seconds_per_step=1.5),
    Algorithm("sgd", 0.5, misses=("small_gpt",), state_bytes=0.0),
    Algorithm("sign_sgd", 0.3, misses=("modular_division", "cifar_resnet"), state_bytes=4.0),
)
"""A leader, two that tie, one quick in steps and slow in seconds, and two that miss."""


def plan(
    algorithms: Iterable[Algorithm],
    workloads: Sequence[WorkloadSpec] = WORKLOADS,
    suite: str = "mini",
    ruleset: str = "external",
    studies: int = 5,
    trials: int = 5,
) -> list[TrialSpec]:
    """List the trials of a complete run."""
    generator = np.random.default_rng(7)
    points = {(k, j): float(10 ** generator.uniform(-4, -2)) for k in range(studies) for j in range(trials)}
    return [
        TrialSpec(
            suite=suite,
            suite_version=1,
            ruleset=ruleset,
            submission=algorithm.name,
            source_hash=source_hash(source(algorithm)),
            workload=spec,
            study=study,
            trial=trial,
            hyperparameters={"learning_rate": points[study, trial], "beta1": 0.9},
            budget_seconds=float(spec.budget_seconds),
            step_hint=spec.step_hint,
            data="real",
            device="cpu",
            threads=1,
            warmup_steps=2,
        )
        for algorithm in algorithms
        for spec in workloads
        for study in range(studies)
        for trial in range(trials)
    ]


def source(algorithm: Algorithm) -> dict[str, str]:
    """The files that a run keeps of a submission, with a module that all share."""
    metadata = {
        "author": algorithm.author,
        "description": algorithm.description,
        "references": list(algorithm.references),
        "licence": "Apache-2.0",
        "search_space": {"learning_rate": {"min": 1e-4, "max": 1e-2, "scaling": "log"}, "beta1": 0.9},
    }
    code = (
        f'"""{algorithm.name} < the code & nothing else."""\n\nfrom timetrial.submissions.schedules import constant\n'
    )
    return {
        "submission.py": code,
        "submission.yaml": json.dumps(metadata, indent=1) + "\n",
        "shared/schedules.py": '"""Schedules."""\n' + "# a line of the shared module\n" * 100,
    }


def source_hash(files: dict[str, str]) -> str:
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0".encode() + content.encode() + b"\0")
    return digest.hexdigest()[:16]


def write_run(
    path: Path, algorithms: Sequence[Algorithm] = FIELD, machine: dict = MACHINE, seed: int = 0, **planned
) -> RunFolder:
    """Write a run folder with specs, evaluations, results, environment and sources."""
    run = RunFolder(path)
    by_name = {algorithm.name: algorithm for algorithm in algorithms}
    for spec in plan(algorithms, **planned):
        write_trial(run.trial(spec), spec, by_name[spec.submission], machine, seed)
    (path / "environment.json").write_text(json.dumps(machine))
    for algorithm in algorithms:
        for name, content in source(algorithm).items():
            file = run.source(algorithm.name) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
    return run


def write_planned_run(
    path: Path,
    *names: str,
    suite: str = "quickstart",
    ruleset: str = "external",
    seconds_per_step: float = 1.0,
    machine: dict = MACHINE,
) -> RunFolder:
    """Write a complete run of submissions of this clone, as a suite plans it, with made-up records."""
    run = RunFolder(path)
    for place, name in enumerate(names):
        planned = make_plan(compose([f"submission={name}", f"suite={suite}", f"ruleset={ruleset}"]), "cpu", 1)
        for spec in planned:
            speed = 1.5 - 0.4 * place
            write_trial(run.trial(spec), spec, Algorithm(name, speed, seconds_per_step=seconds_per_step), machine)
        for file, original in find_submission(name).source_files().items():
            copy = run.source(name) / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(original.read_bytes())
    return run


def write_trial(
    folder: TrialFolder, spec: TrialSpec, algorithm: Algorithm, machine: dict = MACHINE, seed: int = 0
) -> None:
    """Write the records of a trial: a metric that nears its limit exponentially, until the target or the budget."""
    name = f"{spec.submission}/{spec.workload.name}/{spec.study}/{spec.trial}/{seed}"
    generator = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big"))
    folder.path.mkdir(parents=True)
    folder.spec_file.write_text(json.dumps(spec.to_json(), indent=1))  # `write_spec` syncs, which takes its time
    status = algorithm.statuses.get((spec.workload.name, spec.study, spec.trial))
    if status in ("missing", "interrupted"):
        return
    paced = spec.workload.pace_seconds is not None
    unsteady = generator.random() < 0.01 and not paced
    evaluations = _evaluations(spec, algorithm, generator, 1.2 if unsteady else 1.01)
    if paced:
        evaluations = _with_stretches(evaluations, spec.workload.pace_seconds, algorithm.slowness)
    reached = _reaches(spec.workload, evaluations[-1]) and status is None
    if status is None:
        status = "target_reached" if reached else "budget_exhausted"
    lines = [json.dumps(dataclasses.asdict(evaluation)) + "\n" for evaluation in evaluations]
    folder.evaluations_file.write_text("".join(lines))
    last = evaluations[-1]
    result = Result(
        status=status,
        reason=None if status in ("target_reached", "budget_exhausted") else f"made up: {status}",
        traceback=None,
        time_to_target=last.seconds if reached else None,
        paced_time_to_target=last.paced_seconds if reached else None,
        paced_seconds=last.paced_seconds,
        steady_time_to_target=last.steady_seconds if reached else None,
        steps_to_target=last.step if reached else None,
        seconds=last.seconds,
        step=last.step,
        warmup_seconds=0.5,
        evaluation_seconds=0.2,
        wall_seconds=last.seconds + 1,
        optimizer_state_bytes=int(algorithm.state_bytes * PARAMETERS),
        parameters=PARAMETERS,
        peak_memory_bytes=400_000_000,
        flags=("unsteady_clock",) if unsteady else (),
        data_hash="14d3599dc1f71199",
        environment=machine,
        finished_at="2026-03-01T12:00:00+00:00",
    )
    folder.result_file.write_text(json.dumps(dataclasses.asdict(result), indent=1))


def _evaluations(
    spec: TrialSpec, algorithm: Algorithm, generator: np.random.Generator, pace: float
) -> list[Evaluation]:
    workload, metric = spec.workload, _metric(spec.workload)
    start, limit = (2 * workload.target, workload.target - 0.1) if metric == "loss" else (0.1, workload.target + 0.04)
    if workload.name in algorithm.misses:
        limit = workload.target + (0.2 if metric == "loss" else -0.1)
    needed = -np.log((workload.target - limit) / (start - limit)) if workload.name not in algorithm.misses else 3.0
    luck = generator.lognormal(0, 0.08) * (1 + 0.6 * spec.trial * generator.random())
    speed = algorithm.speed * algorithm.own_speed.get(workload.name, 1.0)
    steps_needed = 0.5 * workload.step_hint / speed * luck
    seconds_per_step = 0.9 * workload.budget_seconds / workload.step_hint * algorithm.seconds_per_step
    evaluations: list[Evaluation] = []
    step = seconds = 0.0
    while True:
        step += workload.eval_every
        seconds += workload.eval_every * seconds_per_step * generator.lognormal(0, 0.02)
        value = limit + (start - limit) * np.exp(-needed * step / steps_needed)
        value += 0.004 * generator.standard_normal()
        metrics = {"loss": value} if metric == "loss" else {"accuracy": value, "loss": 2.3 * (1 - value)}
        evaluation = Evaluation(step, seconds, dict(metrics), metrics, None, 400_000_000, steady_seconds=seconds * pace)
        ends = _reaches(workload, evaluation) or seconds >= spec.budget_seconds
        evaluations.append(dataclasses.replace(evaluation, test=dict(metrics)) if ends else evaluation)
        if ends:
            if seconds >= spec.budget_seconds and _reaches(workload, evaluation):
                worse = {**metrics, metric: workload.target + (0.01 if metric == "loss" else -0.01)}
                evaluations[-1] = dataclasses.replace(evaluations[-1], validation=worse)
            return evaluations


def _with_stretches(evaluations: list[Evaluation], pace: float, slowness: float) -> list[Evaluation]:
    """Measure evaluations again on a machine that is slower, with a pacer beside them."""
    starts = [0.0, *(evaluation.seconds for evaluation in evaluations)]
    lengths = [slowness * seconds for seconds in np.diff(starts).tolist()]
    stretches = [Stretch(length, length, 0.0, pace * slowness, pace * slowness) for length in lengths]
    clocks = zip(np.cumsum(lengths).tolist(), np.cumsum(list(paced_seconds(stretches, pace))).tolist(), strict=True)
    return [
        dataclasses.replace(evaluation, seconds=seconds, paced_seconds=paced, stretch=stretch, steady_seconds=None)
        for evaluation, (seconds, paced), stretch in zip(evaluations, clocks, stretches, strict=True)
    ]


def _metric(workload: WorkloadSpec) -> str:
    """Targets above 1 are no accuracies."""
    return "loss" if workload.target > 1 else "accuracy"


def _reaches(workload: WorkloadSpec, evaluation: Evaluation) -> bool:
    if _metric(workload) == "loss":
        return evaluation.validation["loss"] <= workload.target
    return evaluation.validation["accuracy"] >= workload.target


if __name__ == "__main__":
    import sys

    many = [
        Algorithm(f"algorithm_{i:02}", 0.4 + 1.2 * ((i * 7) % 24) / 24, misses=("small_gpt",) if i % 6 == 0 else ())
        for i in range(24)
    ]
    write_run(Path(sys.argv[1]), [*FIELD, *many] if sys.argv[2:] == ["many"] else FIELD)
