"""The trainee process: it runs the submission's code, and hands over weights at the evaluation points."""

import contextlib
import io
import linecache
import os
import random
import socket
import sys
import time
import traceback
import types
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.reduction import DupFd
from typing import Any

import numpy
import torch
from torch import Tensor

from harness.submission import Submission, Task, build_submission
from harness.trial.batches import BatchStream
from harness.trial.channel import Channel, ChannelClosed
from harness.trial.isolation import isolate
from harness.trial.shared_tensors import SharedTensors
from harness.workload import Data, Workload


@dataclass(frozen=True)
class Assignment:
    """All that a trainee is told. No target, no validation data, no path, no clock."""

    workload: Workload
    training_data: SharedTensors
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
    threads: int
    folder: str
    checkpoint: bytes | None


class Run:
    """A training run from a seed: the model, its batches and the submission that trains it."""

    def __init__(self, assignment: Assignment, module: types.ModuleType, data: Data, offset: int = 0) -> None:
        """Build everything from the assignment's seeds, each moved by `offset`."""
        workload, device = assignment.workload, torch.device(assignment.device)
        seed = assignment.trial_seed + offset
        torch.manual_seed(seed)
        random.seed(seed)
        numpy.random.seed(seed % 2**32)
        weights_generator = torch.Generator().manual_seed(assignment.weights_seed + offset)
        self.model = workload.build_model(weights_generator).to(device).train()
        self.batches = BatchStream(workload, data, device, assignment.batches_seed + offset)
        self.task = Task(
            step_hint=assignment.step_hint,
            batch_size=workload.batch_size,
            training_examples=workload.examples(data),
            budget_seconds=assignment.budget_seconds,
            device=device,
            generator=torch.Generator(device).manual_seed(seed),
            roles=types.MappingProxyType(workload.parameter_roles(self.model)),
            loss=workload.loss,
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
    os.close(descriptor)
    channel = Channel(end)
    try:
        isolate(assignment.folder)
        torch.set_num_threads(assignment.threads)
        _train(channel, assignment)
    except ChannelClosed:
        pass
    except (torch.OutOfMemoryError, MemoryError) as error:
        _report(channel, "out_of_memory", error)
    except BaseException as error:  # SystemExit and KeyboardInterrupt are the submission's own doing as well
        _report(channel, "crashed", error)


def _report(channel: Channel, status: str, error: BaseException) -> None:
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    text = "".join(traceback.format_exception(error))[-20_000:]
    with contextlib.suppress(ChannelClosed):
        channel.send("failed", status=status, reason=reason, traceback=text)


def _train(channel: Channel, assignment: Assignment) -> None:
    device = torch.device(assignment.device)
    data = {name: tensor.to(device) for name, tensor in assignment.training_data.tensors.items()}
    module = _load_module(assignment.source)

    started = time.perf_counter()
    _warm_up(assignment, module, data)
    run = Run(assignment, module, data)
    if assignment.checkpoint is not None:
        run.load_state_bytes(assignment.checkpoint)
    _synchronize(device)
    channel.send("ready", warmup_seconds=time.perf_counter() - started)

    examples_between = assignment.eval_every * assignment.workload.batch_size
    while (command := channel.receive()["kind"]) != "stop":
        if command == "checkpoint":
            channel.send_bytes(run.state_bytes())
            continue
        run.train_to((run.batches.examples_drawn // examples_between + 1) * examples_between)
        _synchronize(device)
        channel.send("evaluation_point", examples=run.batches.examples_drawn)
        run.hand_over(assignment.weights)
        channel.send("weights")
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    channel.send("summary", optimizer_state_bytes=_bytes_in(run.submission.state_dict()), peak_device_memory_bytes=peak)


def _load_module(source: str) -> types.ModuleType:
    """Run the text of a `submission.py` as a module of its own, whose lines tracebacks can show."""
    module = sys.modules["submission"] = types.ModuleType("submission")
    linecache.cache["submission.py"] = (len(source), None, source.splitlines(keepends=True), "submission.py")
    exec(compile(source, "submission.py", "exec"), module.__dict__)
    return module


def _warm_up(assignment: Assignment, module: types.ModuleType, data: Data) -> None:
    """Take a few steps on a throw-away run with random data, so that compilation and kernel selection are on no clock."""
    workload = assignment.workload
    few = _random_like(data, examples=8 * workload.batch_size + 4096, seed=assignment.trial_seed)
    run = Run(assignment, module, few, offset=1)
    run.train_to(assignment.warmup_steps * workload.batch_size)
    run.hand_over(assignment.weights)
    _synchronize(run.task.device)


def _random_like(data: Data, examples: int, seed: int) -> Data:
    """Draw random tensors with the shapes, dtypes and ranges of `data`, with at most `examples` rows."""
    random_data = {}
    for name, tensor in data.items():
        generator = torch.Generator(tensor.device).manual_seed(seed)
        shape = (min(len(tensor), examples), *tensor.shape[1:])
        if tensor.is_floating_point():
            drawn = torch.randn(shape, dtype=tensor.dtype, device=tensor.device, generator=generator)
        else:
            low, high = int(tensor.min()), int(tensor.max()) + 1
            drawn = torch.randint(low, high, shape, dtype=tensor.dtype, device=tensor.device, generator=generator)
        random_data[name] = drawn
    return random_data


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
