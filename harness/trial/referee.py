"""The referee of a trial: it holds the stopwatch, the validation and test data and the record book."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from harness.environment import describe_machine
from harness.records import Evaluation, Result, TrialFolder
from harness.seeds import derive_seed
from harness.spec import TrialSpec
from harness.trial.arena import Arena
from harness.trial.clock import Clock
from harness.trial.shared_tensors import SharedTensors
from harness.trial.trainee import Assignment
from harness.trial.trainee_process import TraineeKilled, TraineeProcess, TrialFailure

CHECKPOINT_SECONDS = 10.0
"""Training seconds after which the next evaluation is followed by a checkpoint."""
START_SECONDS = 120.0
"""Seconds, with the budget on top, that a trainee may take to build and warm up."""
HUNG_FACTOR = 2.0
"""A trainee that reaches no evaluation point within this multiple of the budget, and `GRACE_SECONDS`, is hung."""
GRACE_SECONDS = 5.0
KILLS = 3
"""How often a trial is resumed after its trainee was killed, without an evaluation in between."""


class Interrupted(Exception):
    """The trial was asked to stop, has written a checkpoint, and can be resumed."""


@dataclass
class Progress:
    """The referee's own counters; with the clock, all that a checkpoint holds besides the trainee's bytes."""

    clock: Clock = field(default_factory=Clock)
    checkpoint_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    warmup_seconds: float | None = None
    peak_memory_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "clock": self.clock.to_json()}

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> "Progress":
        return cls(**{**given, "clock": Clock(**given["clock"])})


def run_trial(
    spec: TrialSpec, source: str, arena: Arena, folder: TrialFolder, stop: Callable[[], bool] = lambda: False
) -> Result:
    """Run the trial `spec` of the submission whose code is `source`, or resume it, and write its record.

    Raises `Interrupted` where `stop` has become true at an evaluation point.
    """
    kills = 0
    while True:
        steps_before = len(folder.read_evaluations())
        try:
            return _attempt(spec, source, arena, folder, stop)
        except TraineeKilled as error:
            kills = kills + 1 if len(folder.read_evaluations()) <= steps_before else 0
            if kills >= KILLS:
                return _end(spec, arena, folder, Progress(), 0.0, TrialFailure("crashed", f"{error} {KILLS} times"))


def _attempt(spec: TrialSpec, source: str, arena: Arena, folder: TrialFolder, stop: Callable[[], bool]) -> Result:
    began = time.perf_counter()
    checkpoint = folder.read_checkpoint()
    progress = Progress() if checkpoint is None else Progress.from_json(checkpoint[0])
    assignment = _assign(spec, source, arena, None if checkpoint is None else checkpoint[1])
    evaluation, summary = None, {}
    try:
        with TraineeProcess(assignment, folder.log_file) as trainee:
            ready, _ = trainee.expect("ready", START_SECONDS + spec.budget_seconds)
            progress.warmup_seconds = progress.warmup_seconds or ready["warmup_seconds"]
            ending = None
            while ending is None:
                _train_to_evaluation_point(spec, arena, trainee, progress)
                evaluation, ending = _evaluate(spec, arena, assignment, progress)
                folder.append(evaluation)
                if ending is None and (stop() or _checkpoint_is_due(progress)):
                    _checkpoint(trainee, folder, progress)
                    if stop():
                        raise Interrupted
            summary = _ask_for_summary(trainee)
    except TrialFailure as failure:
        ending = failure
    finally:
        assignment.weights.close()
    return _end(spec, arena, folder, progress, time.perf_counter() - began, ending, evaluation, summary)


def _ask_for_summary(trainee: TraineeProcess) -> dict[str, Any]:
    """Ask what only the trainee knows: the size of its state. A trainee that fails now has still ended its trial."""
    try:
        trainee.command("stop")
        return trainee.expect("summary", GRACE_SECONDS)[0]
    except (TrialFailure, TraineeKilled):
        return {}


def _assign(spec: TrialSpec, source: str, arena: Arena, checkpoint: bytes | None) -> Assignment:
    study = (spec.suite, spec.suite_version, spec.workload.name, spec.study)
    return Assignment(
        workload=arena.workload,
        training_data=arena.training_data,
        weights=SharedTensors(arena.model.state_dict()),
        source=source,
        hyperparameters=spec.hyperparameters,
        step_hint=spec.workload.step_hint,
        budget_seconds=spec.budget_seconds,
        eval_every=spec.workload.eval_every,
        warmup_steps=spec.warmup_steps,
        weights_seed=derive_seed("weights", *study),
        batches_seed=derive_seed("batches", *study),
        trial_seed=derive_seed("trial", *study, spec.trial),
        device=spec.device,
        threads=spec.threads,
        folder="",
        checkpoint=checkpoint,
    )


def _train_to_evaluation_point(spec: TrialSpec, arena: Arena, trainee: TraineeProcess, progress: Progress) -> None:
    """Let the trainee train, and stop the clock when its weights have arrived."""
    limit = HUNG_FACTOR * spec.budget_seconds + GRACE_SECONDS
    started = trainee.command("train")
    point, reached = trainee.expect("evaluation_point", limit)
    _, arrived = trainee.expect("weights", limit)
    step = point["examples"] / arena.workload.batch_size
    if not step > progress.clock.step:
        raise TrialFailure("disqualified", f"the trainee claims step {step:g} after step {progress.clock.step:g}")
    progress.clock.advance(started, reached, arrived, step)
    progress.peak_memory_bytes = max(progress.peak_memory_bytes, trainee.peak_memory_bytes)


def _evaluate(
    spec: TrialSpec, arena: Arena, assignment: Assignment, progress: Progress
) -> tuple[Evaluation, "str | TrialFailure | None"]:
    """Evaluate the weights that were handed over; gives the record, and how the trial ends here if it does."""
    began, clock = time.perf_counter(), progress.clock
    finite = arena.load_weights(assignment.weights.tensors)
    train, validation = arena.evaluate("train"), arena.evaluate("validation")
    if not finite or validation["loss"] != validation["loss"]:
        ending = TrialFailure("diverged", f"weights or loss are not finite at step {clock.step:g}")
    elif arena.workload.reaches(validation, spec.workload.target) and clock.seconds <= spec.budget_seconds:
        ending = "target_reached"
    elif clock.seconds >= spec.budget_seconds or (spec.max_steps is not None and clock.step >= spec.max_steps):
        ending = "budget_exhausted"
    else:
        ending = None
    test = arena.evaluate("test") if ending is not None else None
    progress.evaluation_seconds += time.perf_counter() - began
    times = {"step": clock.step, "seconds": clock.seconds, "steady_seconds": clock.steady_seconds}
    memory = progress.peak_memory_bytes
    return Evaluation(**times, train=train, validation=validation, test=test, peak_memory_bytes=memory), ending


def _checkpoint_is_due(progress: Progress) -> bool:
    return progress.clock.seconds - progress.checkpoint_seconds >= CHECKPOINT_SECONDS


def _checkpoint(trainee: TraineeProcess, folder: TrialFolder, progress: Progress) -> None:
    """Store where trainee and referee stand, off the clock."""
    progress.checkpoint_seconds = progress.clock.seconds
    folder.write_checkpoint(progress.to_json(), trainee.state_bytes(START_SECONDS))


def _end(
    spec: TrialSpec,
    arena: Arena,
    folder: TrialFolder,
    progress: Progress,
    wall_seconds: float,
    ending: "str | TrialFailure",
    evaluation: Evaluation | None = None,
    summary: dict[str, Any] | None = None,
) -> Result:
    """Write the result of a trial that has ended with a status, or by a failure that has one."""
    failure = ending if isinstance(ending, TrialFailure) else None
    reached = ending == "target_reached"
    clock, summary = progress.clock, summary or {}
    result = Result(
        status=failure.status if failure else ending,
        reason=failure.reason if failure else None,
        traceback=failure.traceback if failure else None,
        time_to_target=clock.seconds if reached else None,
        steady_time_to_target=clock.steady_seconds if reached else None,
        steps_to_target=clock.step if reached else None,
        seconds=clock.seconds,
        step=clock.step,
        warmup_seconds=progress.warmup_seconds,
        evaluation_seconds=progress.evaluation_seconds,
        wall_seconds=wall_seconds,
        optimizer_state_bytes=summary.get("optimizer_state_bytes"),
        parameters=arena.parameters,
        peak_memory_bytes=progress.peak_memory_bytes,
        flags=("unsteady_clock",) if clock.is_unsteady else (),
        data_hash=arena.data_hash,
        environment={**describe_machine(), "device": spec.device, "threads": spec.threads},
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    folder.write_result(result)
    return result
