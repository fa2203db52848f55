"""The trainee process: it runs the submission's code, and hands over weights at the evaluation points."""

import contextlib
import io
import linecache
import os
import random
import socket
import sys
import traceback
import types
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.reduction import DupFd
from typing import Any

import numpy
import torch
from torch import Tensor

from timetrial.harness.submission import Submission, Task, build_submission
from timetrial.harness.trial.batches import BatchStream
from timetrial.harness.trial.channel import Channel, ChannelClosed
from timetrial.harness.trial.execution import prepare_loss
from timetrial.harness.trial.failures import REASON_LIMIT, TRACEBACK_LIMIT
from timetrial.harness.trial.isolation import isolate
from timetrial.harness.trial.shared_tensors import SharedTensors
from timetrial.harness.trial.training_data import Column, random_data
from timetrial.harness.workload import Batch, Data, Workload


@dataclass(frozen=True)
class Assignment:
    """All that a trainee is told. No target, no validation data, no path, no clock."""

    workload: Workload
    training_columns: dict[str, Column]
    """The layout of the training data, which come when everything is built."""
    training_examples: int
    weights: SharedTensors
    """Where the weights to evaluate are handed over: the model's state by name."""
    source: str
    """The text of `submission.py`."""
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
    checkpoint: bytes | None


class Run:
    """A training run from a seed: the model, its batches and the submission that trains it."""

    def __init__(self, assignment: Assignment, module: types.ModuleType, examples: int, offset: int = 0) -> None:
        """Build everything from the assignment's seeds, each moved by `offset`, for data of so many `examples`."""
        workload, device = assignment.workload, torch.device(assignment.device)
        seed = assignment.trial_seed + offset
        torch.manual_seed(seed)
        random.seed(seed)
        numpy.random.seed(seed % 2**32)
        weights_generator = torch.Generator().manual_seed(assignment.weights_seed + offset)
        self.model = workload.build_model(weights_generator).to(device).train()
        self.batches = BatchStream(workload, examples, device, assignment.batches_seed + offset)
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
        )
        self.submission: Submission = build_submission(module, self.model, assignment.hyperparameters, self.task)

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
        state = torch.load(io.BytesIO(checkpoint), map_location=self.task.device, weights_only=False)
        self.model.load_state_dict(state["model"])
        self.submission.load_state_dict(state["submission"])
        self.batches.load_state_dict({k: v.cpu() if torch.is_tensor(v) else v for k, v in state["batches"].items()})
        self.task.generator.set_state(state["generator"].cpu())
        torch.set_rng_state(state["torch"].cpu())
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"].cpu())
        numpy.random.set_state(state["numpy"])
        random.setstate(state["python"])


def main(end: socket.socket, output: DupFd, assignment: Assignment) -> None:
    """Run a trial's training: what a forkserver starts, once for each trial.

    `end` is this side of the channel, `output` the descriptor that takes the place of standard output and error.
    """
    descriptor = output.detach()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    channel = Channel(end)
    try:
        enforced = isolate(assignment.folder, [end.fileno(), assignment.weights.file], assignment.memory_bytes)
        channel.send("isolated", enforced=enforced)
        torch.set_num_threads(assignment.threads)
        _train(channel, assignment)
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


def _train(channel: Channel, assignment: Assignment) -> None:
    run = _build(assignment)
    channel.send("built")
    _open_training_data(run, assignment, channel.receive_file())
    channel.send("ready")

    examples_between = assignment.eval_every * assignment.workload.batch_size
    while (command := channel.receive()["kind"]) != "stop":
        if command == "checkpoint":
            channel.send_bytes(run.state_bytes())
            continue
        run.train_to((run.batches.examples_drawn // examples_between + 1) * examples_between)
        _synchronize(run.task.device)
        channel.send("evaluation_point", examples=run.batches.examples_drawn)
        run.hand_over(assignment.weights)
        channel.send("weights")
    device = run.task.device
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    channel.send("summary", optimizer_state_bytes=_bytes_in(run.submission.state_dict()), peak_device_memory_bytes=peak)


def _build(assignment: Assignment) -> Run:
    """Build the run, after a warm-up, with no training data in reach of anything that a submission does meanwhile."""
    module = _load_module(assignment.source)
    _warm_up(assignment, module)
    run = Run(assignment, module, assignment.training_examples)
    if assignment.checkpoint is not None:
        run.load_state_bytes(assignment.checkpoint)
    _synchronize(run.task.device)
    return run


def _open_training_data(run: Run, assignment: Assignment, file: int) -> None:
    places = {name: column.place for name, column in assignment.training_columns.items()}
    device = run.task.device
    run.batches.open({name: tensor.to(device) for name, tensor in SharedTensors.attach(places, file).tensors.items()})
    _synchronize(device)


def _load_module(source: str) -> types.ModuleType:
    """Run the text of a `submission.py` as a module of its own, whose lines tracebacks can show."""
    module = sys.modules["submission"] = types.ModuleType("submission")
    linecache.cache["submission.py"] = (len(source), None, source.splitlines(keepends=True), "submission.py")
    exec(compile(source, "submission.py", "exec"), module.__dict__)
    return module


def _warm_up(assignment: Assignment, module: types.ModuleType) -> None:
    """Take some steps on a throw-away run with random data: compilation and kernel selection are on no clock."""
    workload = assignment.workload
    few = _random_data(assignment)
    run = Run(assignment, module, workload.examples(few), offset=1)
    run.batches.open(few)
    run.train_to(assignment.warmup_steps * workload.batch_size)
    run.hand_over(assignment.weights)
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
