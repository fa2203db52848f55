"""The trainee process: it runs the submission's code, and hands over weights at the evaluation points."""

import contextlib
import io
import pickle
import random
import socket
import traceback
import types
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy
import torch
from torch import Tensor

from timetrial.harness.planning.source import Source
from timetrial.harness.submission import Submission, Task, build_submission
from timetrial.harness.trial.batches import BatchStream
from timetrial.harness.trial.channel import Channel, ChannelClosed
from timetrial.harness.trial.elapsed import ElapsedSeconds
from timetrial.harness.trial.execution import prepare_loss
from timetrial.harness.trial.failures import REASON_LIMIT, TRACEBACK_LIMIT
from timetrial.harness.trial.isolation import Wall, isolate
from timetrial.harness.trial.shared_tensors import Place, SharedTensors
from timetrial.harness.trial.submission_modules import load_submission
from timetrial.harness.trial.training_data import Column, forget_the_data_of, random_data
from timetrial.harness.workload import Batch, Data, Workload


@dataclass(frozen=True)
class Assignment:
    """All that a trainee is told. No target, no validation data, no path; the clock only as the referee tells it."""

    workload: Workload
    training_columns: dict[str, Column]
    """The layout of the training data, which come when everything is built."""
    training_examples: int
    weights: dict[str, Place]
    """Where, in the file that comes with this, the weights to evaluate are handed over: the model's state by name."""
    source: Source
    hyperparameters: dict[str, Any]
    step_hint: int
    budget_seconds: float
    eval_every: int
    warmup_steps: int
    weights_seed: int
    batches_seed: int
    trial_seed: int
    device: str
    execution: str
    threads: int
    memory_bytes: int
    folder: str
    """Where it may write, if it has no file system of its own."""


class Run:
    """A training run from a seed: the model, its batches and, once it is built, the submission that trains it."""

    submission: Submission

    def __init__(self, assignment: Assignment, examples: int, offset: int = 0) -> None:
        """Build what is the harness's own, from seeds moved by `offset`, for data of so many `examples`."""
        workload, device = assignment.workload, torch.device(assignment.device)
        seed = assignment.trial_seed + offset
        torch.manual_seed(seed)
        random.seed(seed)
        numpy.random.seed(seed % 2**32)
        weights_generator = torch.Generator().manual_seed(assignment.weights_seed + offset)
        self.model = workload.build_model(weights_generator).to(device).train()
        self.batches = BatchStream(workload, examples, device, assignment.batches_seed + offset)
        self.elapsed = ElapsedSeconds()
        self.task = Task(
            step_hint=assignment.step_hint,
            batch_size=workload.batch_size,
            training_examples=assignment.training_examples,
            budget_seconds=assignment.budget_seconds,
            device=device,
            generator=torch.Generator(device).manual_seed(seed),
            roles=types.MappingProxyType(workload.parameter_roles(self.model)),
            loss=prepare_loss(assignment.execution, workload, self.model, lambda: _random_batch(assignment)),
            next_batch=self.batches.next,
            elapsed_seconds=self.elapsed,
        )

    def build(self, module: types.ModuleType, hyperparameters: Mapping[str, Any]) -> None:
        """Build the submission."""
        self.submission = build_submission(module, self.model, hyperparameters, self.task)

    def train_to(self, examples: int) -> None:
        """Train until at least `examples` have been drawn since the start."""
        step, next_batch, batches = self.submission.training_step, self.batches.next, self.batches
        while batches.examples_drawn < examples:
            step(next_batch())

    def hand_over(self, weights: SharedTensors) -> None:
        """Write the weights to evaluate, complete, where the referee reads them."""
        with self.submission.prepare_for_evaluation():
            weights.write(self.model.state_dict())

    def state_bytes(self) -> bytes:
        """Serialise everything that training needs to go on: only a trainee ever reads it again."""
        state = {
            "model": self.model.state_dict(),
            "submission": self.submission.state_dict(),
            "batches": self.batches.state_dict(),
            "generator": self.task.generator.get_state(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state() if self.task.device.type == "cuda" else None,
            "numpy": numpy.random.get_state(),
            "python": random.getstate(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        return buffer.getvalue()

    def load_state_bytes(self, checkpoint: bytes) -> None:
        """Go on from what `state_bytes` gave."""
        state = torch.load(io.BytesIO(checkpoint), weights_only=False)  # each tensor to where it was
        self.model.load_state_dict(state["model"])
        self.submission.load_state_dict(state["submission"])
        self.batches.load_state_dict(state["batches"])
        self.task.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch"])
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"])
        numpy.random.set_state(state["numpy"])
        random.setstate(state["python"])


def read_assignment(given: bytes) -> Assignment:
    """Read what the referee has pickled, before a submission is in reach."""
    return pickle.loads(given)


def main(end: int, weights: int, assignment: Assignment, wall: Wall) -> None:
    """Run a trial's training: what a keeper starts, once for each attempt.

    `end` is this side of the channel, `weights` the file for the weights that are handed over.
    """
    channel = Channel(socket.socket(fileno=end))
    try:
        enforced = isolate(wall, [end, weights], assignment.memory_bytes, gpu=assignment.device == "cuda")
        channel.send("isolated", enforced=enforced)
        channel.receive()  # the referee looks which process this is, before code of the submission can start others
        torch.set_num_threads(assignment.threads)
        source = replace(assignment.source, imports=wall.imports)
        weights_to_hand_over = SharedTensors.attach(assignment.weights, weights, read_only=False)
        _train(channel, replace(assignment, source=source), weights_to_hand_over)
    except ChannelClosed:
        pass
    except BaseException as error:  # SystemExit and KeyboardInterrupt are the submission's own doing as well
        _report(channel, "out_of_memory" if _is_out_of_memory(error) else "crashed", error)


def _is_out_of_memory(error: BaseException) -> bool:
    on_the_processor = isinstance(error, RuntimeError) and "DefaultCPUAllocator: can't allocate memory" in str(error)
    return on_the_processor or isinstance(error, torch.OutOfMemoryError | MemoryError)


def _report(channel: Channel, status: str, error: BaseException) -> None:
    reason = f"{type(error).__name__}: {error}"[:REASON_LIMIT]
    text = "".join(traceback.format_exception(error))[-TRACEBACK_LIMIT:]
    with contextlib.suppress(ChannelClosed):
        channel.send("failed", status=status, reason=reason, traceback=text)


def _train(channel: Channel, assignment: Assignment, weights: SharedTensors) -> None:
    forget_the_data_of(assignment.workload)
    module = load_submission(assignment.source)
    _warm_up(assignment, module, weights)
    run = Run(assignment, assignment.training_examples)
    _synchronize(run.task.device)
    channel.send("warm")
    _begin(channel, assignment, run, module)

    examples_between = assignment.eval_every * assignment.workload.batch_size
    while (command := channel.receive())["kind"] != "stop":
        if command["kind"] == "checkpoint":
            state = run.state_bytes()  # before anything is sent, since it may fail
            channel.send("state")
            channel.send_bytes(state)
            continue
        run.elapsed.start(command["elapsed"], command["pace"])
        run.train_to((run.batches.examples_drawn // examples_between + 1) * examples_between)
        _synchronize(run.task.device)
        channel.send("evaluation_point")
        run.hand_over(weights)
        run.elapsed.stop()
        channel.send("weights", examples=run.batches.examples_drawn)  # also those that the hand-over has drawn
    channel.send("summary", optimizer_state_bytes=_state_bytes(run.submission))


def _begin(channel: Channel, assignment: Assignment, run: Run, module: types.ModuleType) -> None:
    """Build the submission and take over the training data and, in a trial that goes on, its state: on the clock."""
    command = channel.receive()
    run.elapsed.start(command["elapsed"], command["pace"])
    data, state = channel.receive_file(), channel.receive_file()
    run.build(module, assignment.hyperparameters)
    with open(state, "rb") as file:
        if checkpoint := file.read():
            run.load_state_bytes(checkpoint)
    _open_training_data(run, assignment, data)
    channel.send("built")


def _open_training_data(run: Run, assignment: Assignment, file: int) -> None:
    places = {name: column.place for name, column in assignment.training_columns.items()}
    device = run.task.device
    run.batches.open({name: tensor.to(device) for name, tensor in SharedTensors.attach(places, file).tensors.items()})
    _synchronize(device)


def _warm_up(assignment: Assignment, module: types.ModuleType, weights: SharedTensors) -> None:
    """Take some steps on a throw-away run with random data: compilation and kernel selection are on no clock."""
    workload = assignment.workload
    few = _random_data(assignment)
    run = Run(assignment, workload.examples(few), offset=1)
    run.build(module, assignment.hyperparameters)
    run.batches.open(few)
    run.train_to(assignment.warmup_steps * workload.batch_size)
    run.hand_over(weights)
    _synchronize(torch.device(assignment.device))


def _random_data(assignment: Assignment) -> Data:
    """Draw data that are like the training data in their shapes, dtypes and ranges alone."""
    rows = 8 * assignment.workload.batch_size + 4096
    return random_data(assignment.training_columns, rows, assignment.trial_seed, torch.device(assignment.device))


def _random_batch(assignment: Assignment) -> Batch:
    """Draw a batch of the usual size from random data."""
    workload, device = assignment.workload, torch.device(assignment.device)
    indices = torch.arange(workload.batch_size, device=device)
    return workload.batch(_random_data(assignment), indices, torch.Generator(device).manual_seed(0))


def _state_bytes(submission: Submission) -> int | None:
    """Count the bytes of its state; None where it has no `state_dict` of its own, so that nothing is known."""
    if getattr(type(submission), "state_dict", None) is Submission.state_dict:
        return None
    return _bytes_in(submission.state_dict())


def _bytes_in(state: Any) -> int:
    """Count the bytes of the tensors in nested dicts and lists."""
    if isinstance(state, Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, Mapping):
        return sum(_bytes_in(value) for value in state.values())
    if isinstance(state, list | tuple):
        return sum(_bytes_in(value) for value in state)
    return 0


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
