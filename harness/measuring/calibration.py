"""Calibration: where the targets and budgets of a suite come from.

Reference submissions are tuned on every workload with `POINTS` quasi-random points, with schedules that plan for
`HORIZON` of the step hint and end there. The best point of each is run again with `SEEDS` other seeds. The target is
what AdamW reaches with `ENOUGH` of these seeds and with a share `LIKELY` of its points, the easier of the two: races
are decided when a schedule is over, and a study of five draws reaches the target nine times in ten. Where the target
is given (grokking), the table says how many seeds reach it. The test target is as far from the target as the test
metric is from the validation's at the end. The budget is `BUDGET` times what the step hint costs AdamW: whoever has
steps up to `BUDGET / SHORTEST` times as costly still ends the shortest schedule of the search spaces. Targets are
counted in steps, which no noise of a machine can move.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.environment import choose_device
from timetrial.harness.planning.places import CLONE, RESULTS, RUNS
from timetrial.harness.planning.plan import data_kind, select_workloads
from timetrial.harness.planning.spec import NO_BUDGET, UNREACHABLE, TrialSpec, WorkloadSpec
from timetrial.harness.rules.probe import run_briefly
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.runs.local import run_locally, slots_and_threads
from timetrial.harness.runs.progress_bar import Progress
from timetrial.harness.runs.slot import SlotAssignment

REFERENCES = ("momentum", "adamw", "muon")
POINTS = 20
"""Points that are tried of AdamW, which sets the target; the others, which check it, have half as many."""
SEEDS, ENOUGH = 5, 4
LIKELY = 0.4
"""The least share of AdamW's points that reach the target: five draws then hold one with 1 - (1 - 0.4)^5 = 92 %."""
HORIZON = 0.7
"""The share of the step hint after which a tuned AdamW reaches the target."""
BUDGET = 1.3
"""The budget, in step hints of AdamW."""
SHORTEST = 0.4
"""The shortest horizon of the collection's search spaces."""
UNCALIBRATED = {"target": 1.0, "budget_seconds": 1.0, "step_hint": 1, "eval_every": 1}
"""What stands for numbers that an entry of a suite does not have yet."""
PROBE_STEPS, EVALUATIONS = 40, 25
"""Steps to time AdamW with, and the evaluations of a step hint."""
SLOWEST = 20.0
"""The same where it is said how long a tuned AdamW takes, as a multiple of that."""


@dataclass(frozen=True)
class Calibration:
    """A calibration of one suite on this machine."""

    config: dict[str, Any]
    device: str
    slots: int
    threads: int
    references: tuple[str, ...] = REFERENCES
    points: int = POINTS
    """Points that are tried of AdamW."""
    seeds: int = SEEDS
    budget_seconds: float = NO_BUDGET

    @property
    def run(self) -> RunFolder:
        return RunFolder(RUNS / f"calibration-{self.config['suite']['name']}")

    def trial(self, submission: str, workload: WorkloadSpec, study: int, trial: int) -> TrialSpec:
        """Describe a trial that neither a target nor a budget ends, but the end of its schedule."""
        folder = find_submission(submission)
        suite = self.config["suite"]
        endless = replace(
            workload, target=UNREACHABLE[_implementation(workload).higher_is_better], budget_seconds=self.budget_seconds
        )
        steps = round(HORIZON * workload.step_hint)
        point = folder.search_space.draw(0, self.points)[trial]
        return TrialSpec(
            suite=f"calibration-{suite['name']}",
            suite_version=suite["version"],
            ruleset="external",
            submission=submission,
            source_hash=folder.source_hash(),
            workload=endless,
            study=study,
            trial=trial,
            hyperparameters=point | {"horizon": HORIZON},
            budget_seconds=self.budget_seconds,
            step_hint=steps,
            data=data_kind(self.config["data"]),
            device=self.device,
            threads=self.threads,
            warmup_steps=suite["warmup_steps"],
            max_steps=steps,
        )

    def execute(self, plan: list[TrialSpec]) -> None:
        """Run what is missing of `plan`."""
        self.run.add(plan)
        waiting = tuple(spec.folder for spec in plan if not self.run.trial(spec).is_finished)
        with Progress(self.run.path, plan, done=len(plan) - len(waiting)) as progress:
            if waiting:
                assignment = SlotAssignment(str(self.run.path), waiting, self.config["data_root"], None)
                run_locally(assignment, self.slots, self.threads, self.device, progress)
        if progress.blocked:
            raise UsageError(next(iter(progress.blocked.values())))


def calibrate(calibration: Calibration, workload: WorkloadSpec) -> list[dict[str, Any]]:
    """Tune the references on `workload`, run the best point of each on other seeds; gives a row for each evaluation."""
    references = calibration.references
    most = calibration.points
    points = {name: most if name == "adamw" else max(1, most // 2) for name in references}
    search = [calibration.trial(name, workload, 0, i) for i in range(most) for name in references if i < points[name]]
    calibration.execute(search)
    rows = [row for spec in search for row in _rows(calibration.run, spec, "search")]
    higher = _implementation(workload).higher_is_better
    best = {name: _best_point([row for row in rows if row["submission"] == name], higher) for name in references}
    for name in references:
        if best[name] is None:
            raise UsageError(
                f"no point of {name} trains on {workload.name}: see timetrial status {calibration.run.path}"
            )
    confirm = [
        calibration.trial(name, workload, seed, best[name])
        for seed in range(1, calibration.seeds + 1)
        for name in references
    ]
    calibration.execute(confirm)
    return rows + [row for spec in confirm for row in _rows(calibration.run, spec, "confirm")]


def _best_point(rows: list[dict[str, Any]], higher_is_better: bool) -> int | None:
    """Choose the point whose trial got furthest: the earliest at the best value, which matters where it saturates."""
    sign = 1 if higher_is_better else -1
    best = max(rows, key=lambda row: (sign * row["validation"], -row["step"]), default=None)
    return None if best is None else best["trial"]


def _rows(run: RunFolder, spec: TrialSpec, phase: str) -> list[dict[str, Any]]:
    """List the evaluations of a trial; none where it diverged or failed at once."""
    metric = _implementation(spec.workload).metric
    evaluations = run.trial(spec).read_evaluations()
    seconds = [e.seconds if e.paced_seconds is None else e.paced_seconds for e in evaluations]  # as budgets are
    starts = [0.0, *seconds]
    steps = [0.0, *(evaluation.step for evaluation in evaluations)]
    return [
        {
            "workload": spec.workload.name,
            "submission": spec.submission,
            "phase": phase,
            "study": spec.study,
            "trial": spec.trial,
            "step": evaluation.step,
            "validation": evaluation.validation[metric],
            "train": evaluation.train[metric],
            "test": None if evaluation.test is None else evaluation.test[metric],
            "seconds_per_step": (seconds[i] - starts[i]) / (evaluation.step - steps[i]),
            **spec.hyperparameters,
        }
        for i, evaluation in enumerate(evaluations)
        if evaluation.validation[metric] == evaluation.validation[metric]
    ]


def summarize(rows: "Any", higher_is_better: bool) -> "Any":
    """Summarise the confirming trials of a workload, a row for each reference.

    `reached` is what `ENOUGH` of the seeds come to, `likely` what a share `LIKELY` of the points does, `median`,
    `worst` and `best` are over the seeds, `train` and `test` medians at the end, `seconds_per_step` the median over
    all stretches.
    """
    import pandas

    summary = []
    for submission, own in rows.groupby("submission"):
        confirm = own[own["phase"] == "confirm"]
        values = _best_values(confirm, "study", higher_is_better)
        points = _best_values(own[own["phase"] == "search"], "trial", higher_is_better)
        ends = confirm.sort_values("step").groupby("study").last()
        summary.append(
            {
                "submission": submission,
                "point": int(confirm["trial"].iloc[0]),
                "steps": confirm["step"].max(),
                "reached": values.iloc[min(ENOUGH, len(values)) - 1],
                "likely": points.iloc[math.ceil(LIKELY * len(points)) - 1],
                "median": values.median(),
                "worst": values.iloc[-1],
                "best": values.iloc[0],
                "train": ends["train"].median(),
                "test": ends["test"].median(),
                "seconds_per_step": own["seconds_per_step"].median(),
            }
        )
    return pandas.DataFrame(summary)


def _best_values(rows: "Any", by: str, higher_is_better: bool) -> "Any":
    """Give the best validation of each trial, the best trial first; trials differ in column `by`."""
    best = rows.groupby(by)["validation"].agg("max" if higher_is_better else "min")
    return best.sort_values(ascending=not higher_is_better)


def steps_to(rows: "Any", target: float, higher_is_better: bool) -> "Any":
    """Count, for each reference, the steps of the confirming trials to `target`: median, and how many reach it."""
    confirm = rows[rows["phase"] == "confirm"]
    reached = confirm[confirm["validation"] >= target if higher_is_better else confirm["validation"] <= target]
    first = reached.groupby(["submission", "study"])["step"].min()
    table = first.groupby("submission").agg(["median", "min", "max", "count"])
    run = [name for name in REFERENCES if name in set(rows["submission"])]
    return table.reindex(run).rename(columns={"count": f"reached_of_{confirm['study'].nunique()}"})


def _implementation(workload: WorkloadSpec) -> Any:
    from timetrial.harness.trial.arena import make_workload

    return make_workload(workload, None)


def calibrate_suite(
    config: dict[str, Any], *, points: int, seeds: int, adamw_only: bool, seconds: float | None
) -> Iterator[str]:
    """Calibrate the workloads of a suite one by one; gives what to read of each, with the lines for its suite.

    `seconds`, if given, is how long a tuned AdamW should take to the target; the step hint then follows from what a
    step costs here, and else is that of the suite. Findings are also files of `output_folder`.
    """
    import pandas

    device = choose_device(config["device"])
    references = ("adamw",) if adamw_only else REFERENCES
    slots, threads = slots_and_threads(config["executor"], device)
    entries = config["suite"]["workloads"]
    for name, entry in entries.items():
        if seconds is None and not {"step_hint", "eval_every"} <= entry.keys():
            raise UsageError(f"workload {name} has no step_hint or eval_every: say --seconds, of AdamW to its target")
        entries[name] = UNCALIBRATED | entry
    for workload in select_workloads(config):
        if seconds is not None:
            workload = _with_step_hint(config, workload, seconds, device, threads)
        budget = NO_BUDGET if seconds is None else SLOWEST * seconds
        calibration = Calibration(config, device, slots, threads, references, points, seeds, budget)
        rows = pandas.DataFrame(calibrate(calibration, workload))
        output = output_folder(calibration)
        output.mkdir(parents=True, exist_ok=True)
        rows.to_csv(output / f"{workload.name}.csv", index=False, float_format="%.6g")
        text = _findings(workload, rows, seeds)
        (output / f"{workload.name}.txt").write_text(text)
        yield text


def output_folder(calibration: Calibration) -> Path:
    """Say where findings go: to the committed results for a suite of the collection, else into the run."""
    suite = calibration.config["suite"]
    if CLONE and "file" not in suite:
        return RESULTS / "calibration" / suite["name"]
    return calibration.run.path / "findings"


def _with_step_hint(
    config: dict[str, Any], workload: WorkloadSpec, seconds: float, device: str, threads: int
) -> WorkloadSpec:
    """Measure what a step of AdamW costs, and plan for as many as fit; `EVALUATIONS` of them are evaluated."""
    calibration = Calibration(config, device, 1, threads, budget_seconds=SLOWEST * seconds)
    probed = replace(workload, step_hint=PROBE_STEPS, eval_every=PROBE_STEPS // 4)
    spec = replace(calibration.trial("adamw", probed, 0, 0), max_steps=PROBE_STEPS)
    root = None if config["data_root"] is None else Path(config["data_root"])
    ((_, result),) = run_briefly([spec], root)
    if isinstance(result, UsageError):
        raise result
    if result.step <= 0:
        raise UsageError(f"workload {workload.name}: adamw {result.status}: {result.reason}")
    cost = (result.seconds if result.paced_seconds is None else result.paced_seconds) / result.step
    steps = max(EVALUATIONS, int(float(f"{seconds / (HORIZON * cost):.2g}")))
    return replace(workload, step_hint=steps, eval_every=max(1, steps // EVALUATIONS))


def _findings(workload: WorkloadSpec, rows: Any, seeds: int) -> str:
    """Write what was found about a workload, and first the lines of its suite."""
    higher = _implementation(workload).higher_is_better
    summary = summarize(rows, higher).set_index("submission")
    adamw = summary.loc["adamw"]
    target, cost = (min if higher else max)(adamw["reached"], adamw["likely"]), adamw["seconds_per_step"]
    numbers = {
        "target": f"{target:.4g}",
        "test_target": f"{target + adamw['test'] - adamw['median']:.4g}",
        "budget_seconds": f"{BUDGET * workload.step_hint * cost:.3g}",
        "step_hint": workload.step_hint,
        "eval_every": workload.eval_every,
    }
    text = [
        f"  {workload.name}:",
        *(f"    {name}: {value}" for name, value in numbers.items()),
        f"{workload.name}: step hint {workload.step_hint}, schedules of {HORIZON:g} of it",
        f"target: {target:.4g}; adamw reaches {adamw['reached']:.4g} with {min(ENOUGH, seeds)} of {seeds} seeds, and "
        f"{adamw['likely']:.4g} with {LIKELY:.0%} of its points",
        f"budget: {BUDGET * workload.step_hint * cost:.1f} s, {BUDGET:g} step hints at {1000 * cost:.2f} ms a step",
        summary.reset_index().to_string(index=False, float_format="%.4g"),
    ]
    for name, value in (("that target", target), ("the target of the suite", workload.target)):
        text += [f"steps to {name}, {value:.4g}:", steps_to(rows, value, higher).to_string(float_format="%.4g")]
    return "\n".join(text) + "\n"
