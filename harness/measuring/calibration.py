"""Calibration: where the targets and budgets of a suite come from.

Reference submissions are tuned on every workload with `POINTS` quasi-random points each. The best point of each is
run again with `SEEDS` other seeds for the whole budget. The target is what the best of them reaches at half of the
budget in the median of these seeds, or what a second one reaches with every seed by its end if that is less; where the
target is given (grokking), the budget is calibrated instead. Everything is counted in steps, which no noise of a
machine can move.
"""

import argparse
import statistics
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.catalogue import find_submission
from timetrial.harness.planning.configuration import compose
from timetrial.harness.planning.environment import choose_device
from timetrial.harness.planning.places import RESULTS, RUNS
from timetrial.harness.planning.plan import draw_points, select_workloads
from timetrial.harness.planning.spec import TrialSpec, WorkloadSpec
from timetrial.harness.runs.folder import RunFolder
from timetrial.harness.runs.local import run_locally, slots_and_threads
from timetrial.harness.runs.progress_bar import Progress
from timetrial.harness.runs.slot import SlotAssignment

REFERENCES = ("momentum", "adamw", "muon")
POINTS = 20
SEEDS = 5
COST_STUDY = 99
"""The study of the short trials that measure the seconds per step of each reference."""
UNREACHABLE = {True: 1e9, False: 1e-9}
"""A target that no trial reaches, for metrics where higher is better and where it is not."""
NO_BUDGET = 1e6
"""Seconds that no trial takes: calibration counts steps."""


@dataclass(frozen=True)
class Calibration:
    """A calibration of one suite on this machine."""

    config: dict[str, Any]
    device: str
    slots: int
    threads: int

    @property
    def run(self) -> RunFolder:
        return RunFolder(RUNS / f"calibration-{self.config['suite']['name']}")

    def trial(self, submission: str, workload: WorkloadSpec, study: int, trial: int, steps: int) -> TrialSpec:
        """Describe a trial of `steps` steps that neither a target nor a budget ends."""
        folder = find_submission(submission)
        suite = self.config["suite"]
        endless = replace(
            workload,
            target=UNREACHABLE[_higher_is_better(workload)],
            budget_seconds=NO_BUDGET,
            pace_seconds=workload.pace_seconds or 1.0,
        )
        return TrialSpec(
            suite=f"calibration-{suite['name']}",
            suite_version=suite["version"],
            ruleset="external",
            submission=submission,
            source_hash=folder.source_hash(),
            workload=endless,
            study=study,
            trial=trial,
            hyperparameters=draw_points(folder, "external", 0, POINTS)[trial],
            budget_seconds=NO_BUDGET,
            step_hint=workload.step_hint,
            data=self.config["data"],
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


def calibrate(calibration: Calibration, workload: WorkloadSpec, budget_steps: int) -> list[dict[str, Any]]:
    """Tune the references on `workload`, run the best point of each on other seeds; gives a row for each evaluation."""
    cost = [calibration.trial(s, workload, COST_STUDY, i, workload.eval_every) for i in range(3) for s in REFERENCES]
    calibration.execute(cost)
    rows = [row for spec in cost for row in _rows(calibration.run, spec, "cost")]
    budgets = _budgets(rows, budget_steps)
    search = [calibration.trial(s, workload, 0, i, budgets[s] // 2) for i in range(POINTS) for s in REFERENCES]
    calibration.execute(search)
    rows += [row for spec in search for row in _rows(calibration.run, spec, "search")]
    higher = _higher_is_better(workload)
    confirm = []
    for submission in REFERENCES:
        own = [row for row in rows if row["submission"] == submission and row["phase"] == "search"]
        best, steps = _best_point(own, higher), budgets[submission]
        confirm += [calibration.trial(submission, workload, seed, best, steps) for seed in range(1, SEEDS + 1)]
    confirm.sort(key=lambda spec: spec.study)
    calibration.execute(confirm)
    return rows + [row for spec in confirm for row in _rows(calibration.run, spec, "confirm")]


def _budgets(rows: list[dict[str, Any]], budget_steps: int) -> dict[str, int]:
    """Count the steps that each reference takes while AdamW takes `budget_steps`, from median seconds per step."""
    seconds = {
        submission: statistics.median(row["seconds_per_step"] for row in rows if row["submission"] == submission)
        for submission in REFERENCES
    }
    return {submission: round(budget_steps * seconds["adamw"] / seconds[submission]) for submission in REFERENCES}


def _best_point(rows: list[dict[str, Any]], higher_is_better: bool) -> int:
    """Choose the point whose trial got furthest: the earliest at the best value, which matters where it saturates."""
    sign = 1 if higher_is_better else -1
    return max(rows, key=lambda row: (sign * row["validation"], -row["step"]))["trial"]


def _rows(run: RunFolder, spec: TrialSpec, phase: str) -> list[dict[str, Any]]:
    """List the evaluations of a trial; none where it diverged or failed at once."""
    metric = _metric(spec.workload)
    evaluations = run.trial(spec).read_evaluations()
    starts = [0.0, *(evaluation.seconds for evaluation in evaluations)]
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
            "seconds_per_step": (evaluation.seconds - starts[i]) / (evaluation.step - steps[i]),
            "pacer_seconds": None if evaluation.stretch is None else evaluation.stretch.pacer_processor_seconds,
            **spec.hyperparameters,
        }
        for i, evaluation in enumerate(evaluations)
        if evaluation.validation[metric] == evaluation.validation[metric]
    ]


def summarize(rows: "Any", higher_is_better: bool) -> "Any":
    """Summarise the confirming trials of a workload, a row for each reference.

    `at_half` and `at_end` are medians over the seeds at half of the budget and at its end, `seconds_per_step` the
    median over all stretches.
    """
    import pandas

    summary = []
    for submission, own in rows.groupby("submission"):
        confirm = own[own["phase"] == "confirm"]
        half = confirm[confirm["step"] <= confirm["step"].max() / 2]
        best = half.groupby("study")["validation"].agg("max" if higher_is_better else "min")
        final = confirm.groupby("study")["validation"].agg("max" if higher_is_better else "min")
        summary.append(
            {
                "submission": submission,
                "best_point": int(confirm["trial"].iloc[0]),
                "budget_steps": confirm["step"].max(),
                "at_half": best.median(),
                "at_half_low": best.min(),
                "at_half_high": best.max(),
                "at_end": final.median(),
                "at_end_worst": final.min() if higher_is_better else final.max(),
                "test_at_end": confirm["test"].median(),
                "seconds_per_step": own["seconds_per_step"].median(),
            }
        )
    return pandas.DataFrame(summary)


def pace_seconds(rows: "Any") -> float:
    """Give the processor seconds of a step of the pacer: the median over all bursts."""
    return float(rows["pacer_seconds"].median())


def suggest_target(summary: "Any", higher_is_better: bool) -> float:
    """Give what the best reaches at half of the budget, or what two reach with every seed if that is less."""
    at_half = summary["at_half"].sort_values(ascending=not higher_is_better).iloc[0]
    by_two = summary["at_end_worst"].sort_values(ascending=not higher_is_better).iloc[1]
    return min(at_half, by_two) if higher_is_better else max(at_half, by_two)


def steps_to(rows: "Any", target: float, higher_is_better: bool) -> "Any":
    """Count, for each reference, the steps of the confirming trials to `target`: median, and how many reach it."""
    confirm = rows[rows["phase"] == "confirm"]
    reached = confirm[confirm["validation"] >= target if higher_is_better else confirm["validation"] <= target]
    first = reached.groupby(["submission", "study"])["step"].min()
    table = first.groupby("submission").agg(["median", "min", "max", "count"])
    return table.reindex(list(REFERENCES)).rename(columns={"count": f"reached_of_{SEEDS}"})


def _implementation(workload: WorkloadSpec) -> Any:
    from timetrial.harness.trial.arena import make_workload

    return make_workload(workload, None)


def _higher_is_better(workload: WorkloadSpec) -> bool:
    return _implementation(workload).higher_is_better


def _metric(workload: WorkloadSpec) -> str:
    return _implementation(workload).metric


def main() -> int:
    import pandas

    parser = argparse.ArgumentParser(
        prog="scripts/calibrate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: scripts/calibrate suite=mini data_root=DIR",
    )
    parser.add_argument("overrides", nargs="+", metavar="key=value", help="as of timetrial run; needs suite=NAME")
    options = parser.parse_args()
    try:
        config = compose([*options.overrides, "submission=adamw"])
        device = choose_device(config["device"])
        calibration = Calibration(config, device, *slots_and_threads(config["executor"], device))
        output = RESULTS / "calibration" / config["suite"]["name"]
        output.mkdir(parents=True, exist_ok=True)
        for workload in select_workloads(config):
            budget_steps = int(workload.step_hint / STEP_HINT_SHARE)
            rows = pandas.DataFrame(calibrate(calibration, workload, budget_steps))
            rows.to_csv(output / f"{workload.name}.csv", index=False, float_format="%.6g")
            _print_findings(workload, rows, budget_steps, output)
    except UsageError as error:
        print(f"scripts/calibrate: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("scripts/calibrate: stopped; the same command goes on", file=sys.stderr)
        return 130
    return 0


STEP_HINT_SHARE = 0.7
"""The step hint as a share of the steps that AdamW takes in the budget."""


def _print_findings(workload: WorkloadSpec, rows: Any, budget_steps: int, output: Path) -> None:
    higher = _higher_is_better(workload)
    summary = summarize(rows, higher)
    target = suggest_target(summary, higher)
    text = [f"{workload.name}: budget {budget_steps} steps of AdamW, suggested target {target:.4g}"]
    if rows["pacer_seconds"].notna().any():
        text.append(f"pace_seconds, if this is the reference machine and it was quiet: {pace_seconds(rows):.4g}")
    text.append(summary.to_string(index=False, float_format="%.4g"))
    for name, value in (("the suggested target", target), ("the target of the suite", workload.target)):
        text += [f"steps to {name}, {value:.4g}:", steps_to(rows, value, higher).to_string(float_format="%.4g")]
    (output / f"{workload.name}.txt").write_text("\n".join(text) + "\n")
    print("\n".join(text), flush=True)


if __name__ == "__main__":
    sys.exit(main())
