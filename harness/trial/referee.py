"""The referee of a trial: it holds the stopwatch, the validation and test data and the record book."""

import time
from collections.abc import Callable
from typing import Any

from timetrial.harness.planning.seeds import derive_seed
from timetrial.harness.planning.source import Source
from timetrial.harness.planning.spec import TrialSpec
from timetrial.harness.records.files import Evaluation, Result, Stretch, TrialFolder
from timetrial.harness.trial.allowances import Start, checkpoint_excess, least_seconds
from timetrial.harness.trial.arena import Arena
from timetrial.harness.trial.clock import Clock
from timetrial.harness.trial.counters import Counters
from timetrial.harness.trial.ending import Ending, decide, is_count, make_result
from timetrial.harness.trial.failures import TraineeKilled, TrialFailure
from timetrial.harness.trial.isolation import memory_limit
from timetrial.harness.trial.meter import Meter
from timetrial.harness.trial.shared_tensors import SharedTensors
from timetrial.harness.trial.trainee import Assignment
from timetrial.harness.trial.trainee_process import TraineeProcess
from timetrial.harness.trial.watch import Watch

CHECKPOINT_SECONDS = 10.0
"""Training seconds after which the next evaluation is followed by a checkpoint."""
START_SECONDS = 120.0
"""Seconds, with the budget on top, that a trainee may take to build and warm up."""
HUNG_FACTOR = 2.0
"""A trainee that reaches no evaluation point within this multiple of the budget, and `GRACE_SECONDS`, is hung."""
GRACE_SECONDS = 5.0


class Interrupted(Exception):
    """The trial was asked to stop, has written a checkpoint, and can be resumed."""


def run_trial(
    spec: TrialSpec,
    source: Source,
    arena: Arena,
    folder: TrialFolder,
    stop: Callable[[], bool] = lambda: False,
    keep_weights: bool = False,
) -> Result:
    """Run the trial `spec` of the submission with `source`, or resume it, and write its record.

    With `keep_weights`, the weights of the last evaluation are kept where that ended the trial: at the target or at
    the end of the budget. Raises `Interrupted` where `stop` has become true at an evaluation point.
    """
    began = time.perf_counter()
    checkpoint = folder.read_checkpoint()
    pace_seconds = None if arena.pacer is None else spec.workload.pace_seconds
    counters = Counters(Clock(pace_seconds)) if checkpoint is None else Counters.from_json(checkpoint[0])
    folder.keep_evaluations_until(counters.clock.step)
    weights = SharedTensors(arena.model.state_dict())
    assignment = _assign(spec, source, arena, weights)
    ending: Ending | None = None
    test, summary = None, {}
    try:
        with TraineeProcess(assignment, weights, folder.log_file) as trainee:
            start = _warm_up(spec, trainee, counters)
            meter = None if arena.pacer is None else Meter(trainee.root, trainee.pid, trainee.overseers)
            state = b"" if checkpoint is None else checkpoint[1]
            seconds = trainee.begin(arena.training_data, state, _limit(spec), **_tell(counters.clock))
            watch = Watch(trainee.root, spec.threads if spec.device == "cpu" else None, trainee.overseers)
            while ending is None:
                trained, step = _train_to_evaluation_point(spec, arena, trainee, counters, seconds)
                finite = arena.load_weights(weights.tensors)  # a copy: from here on the shared ones are never read
                with watch.idle():
                    counters.clock.add(start.excess(trained / (step - counters.clock.step)))
                    seconds += trained
                    counters.clock.advance(seconds, step, _measure(spec, arena, meter, seconds))
                    evaluation, ending = _evaluate(spec, arena, counters, finite)
                    folder.append(evaluation)
                if ending is None and (stop() or _checkpoint_is_due(counters)):
                    _checkpoint(trainee, folder, counters, watch)
                    if meter is not None:
                        meter.lap()
                    if stop():
                        raise Interrupted
                seconds = 0.0
            test, summary = evaluation.test, _ask_for_summary(trainee)
    except TrialFailure as failure:
        if isinstance(failure, TraineeKilled) and stop():
            raise Interrupted from None  # a preemption kills what has not stopped in time
        ending = failure
    finally:
        weights.close()
    if keep_weights and not isinstance(ending, TrialFailure):
        folder.write_weights(arena.model.state_dict())  # the referee's own copy, which was evaluated
    result = make_result(spec, arena, counters, time.perf_counter() - began, ending, test, summary)
    folder.write_result(result)
    return result


def _limit(spec: TrialSpec) -> float:
    return START_SECONDS + spec.budget_seconds


def _warm_up(spec: TrialSpec, trainee: TraineeProcess, counters: Counters) -> Start:
    """Have the trainee warm up; gives what it has spent, which is known to be too much once a step is timed."""
    try:
        warmup_seconds = trainee.warm_up(_limit(spec))
    finally:
        counters.isolation = tuple(trainee.isolation)
    counters.warmup_seconds = counters.warmup_seconds or warmup_seconds
    return Start(spec, trainee.processor_seconds)


def _ask_for_summary(trainee: TraineeProcess) -> dict[str, Any]:
    """Ask what only the trainee knows: the size of its state. A trainee that fails now has still ended its trial."""
    try:
        trainee.command("stop")
        return trainee.expect("summary", GRACE_SECONDS)[0]
    except TrialFailure:
        return {}


def _assign(spec: TrialSpec, source: Source, arena: Arena, weights: SharedTensors) -> Assignment:
    return Assignment(
        workload=arena.workload,
        training_columns=arena.training_columns,
        training_examples=arena.training_examples,
        weights=weights.places,
        source=source,
        hyperparameters=spec.hyperparameters,
        step_hint=spec.step_hint,
        budget_seconds=spec.budget_seconds,
        eval_every=spec.workload.eval_every,
        warmup_steps=spec.warmup_steps,
        weights_seed=derive_seed("weights", *spec.study_key),
        batches_seed=derive_seed("batches", *spec.study_key),
        trial_seed=derive_seed("trial", *spec.study_key, spec.trial),
        device=spec.device,
        execution=spec.execution,
        threads=spec.threads,
        memory_bytes=memory_limit(),
        folder="",
    )


def _train_to_evaluation_point(
    spec: TrialSpec, arena: Arena, trainee: TraineeProcess, counters: Counters, building: float
) -> tuple[float, float]:
    """Let the trainee train until its weights have arrived; gives the seconds, and the batches drawn in all.

    `building` are the seconds that it took to build the submission right before, which are not on the clock yet.
    """
    limit = HUNG_FACTOR * spec.budget_seconds + GRACE_SECONDS
    started = trainee.command("train", **_tell(counters.clock, building))
    trainee.expect("evaluation_point", limit)
    handed_over, arrived = trainee.expect("weights", limit)
    batch_size, between = arena.workload.batch_size, spec.workload.eval_every * arena.workload.batch_size
    due = (round(counters.clock.step * batch_size) // between + 1) * between
    examples = handed_over.get("examples")
    if not is_count(examples) or examples < due:
        raise TrialFailure("disqualified", f"the trainee claims {str(examples)[:20]} examples where {due} were due")
    counters.peak_memory_bytes = max(counters.peak_memory_bytes, trainee.peak_memory_bytes)
    seconds, step = arrived - started, examples / batch_size
    counters.clock.add(max(0.0, least_seconds(spec, step - counters.clock.step, arena.draw_seconds) - seconds))
    return seconds, step


def _tell(clock: Clock, more: float = 0.0) -> dict[str, float]:
    """Say what a trainee may know of the clock, `more` seconds after it was read."""
    return {"elapsed": clock.paced_seconds + more * clock.pace, "pace": clock.pace}


def _measure(spec: TrialSpec, arena: Arena, meter: Meter | None, seconds: float) -> Stretch | None:
    """Measure what the paced seconds of a stretch are made of, while the trainee stands still; None without a pacer."""
    if meter is None:
        return None
    processor_seconds, waiting_seconds = meter.lap()
    return Stretch(seconds, processor_seconds, waiting_seconds, *arena.pacer.burst(spec.workload.eval_every))


def _evaluate(spec: TrialSpec, arena: Arena, counters: Counters, finite: bool) -> tuple[Evaluation, Ending | None]:
    """Evaluate the weights that were loaded; gives the record, and how the trial ends here if it does."""
    began, clock = time.perf_counter(), counters.clock
    train, validation = arena.evaluate("train"), arena.evaluate("validation")
    ending = decide(spec, arena.workload, clock, finite, validation)
    test = arena.evaluate("test") if ending is not None else None
    counters.evaluation_seconds += time.perf_counter() - began
    evaluation = Evaluation(
        step=clock.step,
        seconds=clock.seconds,
        train=train,
        validation=validation,
        test=test,
        peak_memory_bytes=counters.peak_memory_bytes,
        paced_seconds=clock.paced_seconds,
        stretch=clock.stretches[-1] if clock.stretches else None,
    )
    return evaluation, ending


def _checkpoint_is_due(counters: Counters) -> bool:
    return counters.clock.seconds - counters.checkpoint_seconds >= CHECKPOINT_SECONDS


def _checkpoint(trainee: TraineeProcess, folder: TrialFolder, counters: Counters, watch: Watch) -> None:
    """Store where trainee and referee stand, off the clock as long as it takes no longer than it must.

    A large state takes long to write, and its trainee must be idle meanwhile.
    """
    began = time.perf_counter()
    state = trainee.state_bytes(START_SECONDS)
    took = time.perf_counter() - began
    counters.checkpoint_seconds = counters.clock.seconds
    with watch.idle():
        folder.write_checkpoint(counters.to_json(), state)
        if excess := checkpoint_excess(took, writing=time.perf_counter() - began - took):
            counters.clock.add(excess)
            folder.write_checkpoint(counters.to_json(), state)
