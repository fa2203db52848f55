"""The files of a trial: append-only evaluations, a result written last and atomically, a checkpoint."""

import contextlib
import io
import json
import math
import os
import pickle
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timetrial.harness.planning.spec import STATUSES, TrialSpec

if TYPE_CHECKING:
    from torch import Tensor

    from timetrial.harness.records.curve import Curve

Metrics = dict[str, float]

UNSTEADY = 0.10
"""A trial whose measured seconds differ by more than this share from its paced seconds, at the speed that the machine
had in the middle of the trial, is flagged `unsteady_clock`."""


class CorruptRecord(Exception):
    """A file of a trial that cannot be read: its path, the line, and what is wrong."""


@dataclass(frozen=True)
class Stretch:
    """What the referee has measured from one evaluation point to the next: all that paced seconds are made of."""

    seconds: float
    processor_seconds: float
    """Of all processes of the trainee, what they have spent while the clock stood included."""
    waiting_seconds: float
    """How long they were ready to compute and had no core to do it on."""
    pacer_seconds: float
    """Seconds of one step of the pacer, right after the stretch."""
    pacer_processor_seconds: float
    """Processor seconds of one step of the pacer."""


@dataclass(frozen=True)
class Evaluation:
    """One line of `evals.jsonl`."""

    step: float
    """Batches drawn: examples drawn over the batch size."""
    seconds: float
    """Training seconds, measured."""
    train: Metrics
    """On the first examples of the training split."""
    validation: Metrics
    test: Metrics | None
    """On the last evaluation of a trial; evaluating it every time would cost more than some trials."""
    peak_memory_bytes: int
    paced_seconds: float | None = None
    """Training seconds at the speed of the suite's reference machine: see `harness/trial/clock.py`."""
    stretch: Stretch | None = None
    """What they were computed from; None where there is no pacer, and paced seconds are the measured ones."""
    steady_seconds: float | None = None
    """Of records of the time before there was a pacer: batches times the median seconds per batch."""


@dataclass(frozen=True)
class Result:
    """`result.json`: how the trial ended."""

    status: str
    reason: str | None
    """What happened, in a line, where the status alone does not say."""
    traceback: str | None
    time_to_target: float | None
    steps_to_target: float | None
    seconds: float
    """The clock at the last evaluation."""
    step: float
    """The batches drawn until then."""
    warmup_seconds: float | None
    evaluation_seconds: float
    """Wall-clock spent evaluating, which is on no clock."""
    wall_seconds: float
    """From the start of the trainee to the end, of the last attempt where the trial was interrupted."""
    optimizer_state_bytes: int | None
    parameters: int
    peak_memory_bytes: int
    flags: tuple[str, ...]
    data_hash: str
    environment: dict[str, Any]
    finished_at: str
    paced_time_to_target: float | None = None
    paced_seconds: float | None = None
    """The paced clock at the last evaluation; like the line before, None where the record is older than the pacer."""
    steady_time_to_target: float | None = None
    """Of records of the time before there was a pacer."""


class TrialFolder:
    """The folder of one trial."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec_file = path / "spec.json"
        self.evaluations_file = path / "evals.jsonl"
        self.result_file = path / "result.json"
        self.checkpoint_file = path / "checkpoint.pt"
        self.log_file = path / "trainee.log"

    @property
    def weights_file(self) -> Path:
        """Where the weights of the last evaluation are, if they were kept."""
        return self.path / "weights.pt"

    def write_spec(self, spec: TrialSpec) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self.spec_file, _json_text(spec.to_json()))

    def read_spec(self) -> TrialSpec:
        with reported(self.spec_file):
            return TrialSpec.from_json(json.loads(self.spec_file.read_bytes()))

    @property
    def is_finished(self) -> bool:
        return self.result_file.exists()

    def append(self, evaluation: Evaluation) -> None:
        """Append a line, on disk when this returns. A line that a kill has cut short is dropped first."""
        with open(self.evaluations_file, "ab+") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(max(0, size - _LINE_LIMIT))
                tail = file.read()
                file.truncate(size - len(tail) + tail.rfind(b"\n") + 1)
            file.write(_line(evaluation))
            file.flush()
            os.fsync(file.fileno())

    def keep_evaluations_until(self, step: float) -> None:
        """Drop the lines after `step`, where a trial goes on: it may come to other steps the second time."""
        if not self.evaluations_file.exists():
            return
        every = self.read_evaluations()
        if len(kept := [evaluation for evaluation in every if evaluation.step <= step]) < len(every):
            write_atomically(self.evaluations_file, b"".join(map(_line, kept)))

    def read_evaluations(self) -> list[Evaluation]:
        """Read the evaluations of the trial.

        In records of before, a trial that was resumed has the steps after its checkpoint twice: a line supersedes all
        before it that are not at earlier steps. A last line without an end is what a kill has cut short, and not read.
        """
        if not self.evaluations_file.exists():
            return []
        evaluations: list[Evaluation] = []
        lines = self.evaluations_file.read_bytes().split(b"\n")[:-1]
        for number, line in enumerate(lines, start=1):
            with reported(self.evaluations_file, number):
                evaluation = parse_evaluation(json.loads(line))
            while evaluations and evaluations[-1].step >= evaluation.step:
                evaluations.pop()
            evaluations.append(evaluation)
        return evaluations

    def write_result(self, result: Result) -> None:
        """End the trial: only now it exists for the scores. The checkpoint is removed."""
        write_atomically(self.result_file, _json_text(asdict(result)))
        self.checkpoint_file.unlink(missing_ok=True)

    def read_result(self) -> Result:
        with reported(self.result_file):
            return parse_result(json.loads(self.result_file.read_bytes()))

    def read_ending(self) -> tuple[Result, list[Evaluation]] | None:
        """Read how the trial ended, None where it has not.

        Raises `CorruptRecord` for files that are damaged, or contradict each other.
        """
        if not self.is_finished:
            return None
        result, evaluations = self.read_result(), self.read_evaluations()
        self._check_end(result, evaluations[-1].seconds if evaluations else None)
        return result, evaluations

    def read_curve(self) -> "tuple[Result, Curve] | None":
        """Read what `read_ending` does, the evaluations as arrays; raises what it does."""
        from timetrial.harness.records.curve import curve_of  # imports numpy, which a trial's file need not wait for

        ending = self.read_ending()
        return ending and (ending[0], curve_of(ending[1]))

    def _check_end(self, result: Result, last: float | None) -> None:
        if result.status == "target_reached" and last != result.time_to_target:
            raise CorruptRecord(f"{self.evaluations_file}: its last line is not where {self.result_file} ends")

    def write_checkpoint(self, referee: dict[str, Any], trainee: bytes) -> None:
        """Store the referee's own clock and counters, and the trainee's state as bytes that are never opened."""
        head = json.dumps(referee).encode()
        content = struct.pack("!Q", len(head)) + head + trainee
        write_atomically(self.checkpoint_file, struct.pack("!I", zlib.crc32(content)) + content)

    def read_checkpoint(self) -> tuple[dict[str, Any], bytes] | None:
        """Read what `write_checkpoint` stored, if there is any."""
        if not self.checkpoint_file.exists():
            return None
        with reported(self.checkpoint_file):
            content = self.checkpoint_file.read_bytes()
            (checksum,), content = struct.unpack_from("!I", content), content[4:]
            if zlib.crc32(content) != checksum:
                raise ValueError("its checksum is not that of its content")
            (size,) = struct.unpack_from("!Q", content)
            return json.loads(content[8 : 8 + size]), content[8 + size :]

    def write_weights(self, weights: "Mapping[str, Tensor]") -> None:
        """Keep the weights of the last evaluation: the state of the model by name, on the processor."""
        import torch  # slow to import, and most readers of a trial need none

        buffer = io.BytesIO()
        torch.save({name: tensor.cpu() for name, tensor in weights.items()}, buffer)
        write_atomically(self.weights_file, buffer.getvalue())

    def read_weights(self) -> "dict[str, Tensor] | None":
        """Read what `write_weights` kept, if there is any; raises `CorruptRecord` where it is damaged."""
        import torch

        if not self.weights_file.exists():
            return None
        with reported(self.weights_file):
            try:
                return torch.load(self.weights_file, map_location="cpu", weights_only=True)
            except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
                raise ValueError(f"no weights: {error}") from None

    def remove_leftovers(self) -> None:
        """Remove files that a kill has left half written; only for the holder of the trial, who alone writes them."""
        for pattern in (".result.json.*", ".checkpoint.pt.*", ".weights.pt.*"):
            for file in self.path.glob(pattern):
                file.unlink(missing_ok=True)

    def remove_records(self) -> None:
        """Forget what was recorded, so that the trial runs from its beginning; the spec stays."""
        for file in (self.result_file, self.checkpoint_file, self.evaluations_file, self.log_file, self.weights_file):
            file.unlink(missing_ok=True)


_LINE_LIMIT = 1 << 16


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file that is there whole or not at all, whatever is killed, on a local disk or NFS."""
    temporary = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _line(evaluation: Evaluation) -> bytes:
    return json.dumps(asdict(evaluation), allow_nan=True).encode() + b"\n"


def _json_text(value: Any) -> str:
    return json.dumps(value, indent=1) + "\n"


def parse_result(given: dict[str, Any]) -> Result:
    """Make a result of its JSON; raises `ValueError`, `TypeError` or `KeyError` where it is none."""
    result = Result(**{**given, "flags": tuple(given["flags"])})
    if result.status not in STATUSES:
        raise ValueError(f"unknown status {result.status!r}")
    times = (result.time_to_target, result.steps_to_target)
    if (result.status == "target_reached") != all(isinstance(time, int | float) and time >= 0 for time in times):
        raise ValueError(f"status {result.status} with time_to_target {result.time_to_target}")
    return result


_OPTIONAL_SECONDS = ("paced_seconds", "steady_seconds")


def parse_evaluation(given: dict[str, Any]) -> Evaluation:
    """Make an evaluation of its JSON; raises `ValueError` or `TypeError` where it is none."""
    stretch = given.get("stretch")
    evaluation = Evaluation(**{**given, "stretch": None if stretch is None else Stretch(**stretch)})
    numbers = {name: getattr(evaluation, name) for name in ("step", "seconds", "peak_memory_bytes")}
    numbers |= {name: value for name in _OPTIONAL_SECONDS if (value := getattr(evaluation, name)) is not None}
    if stretch is not None:
        numbers |= {f"stretch.{name}": value for name, value in vars(evaluation.stretch).items()}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise ValueError(f"{name} is {value!r}")
    for metrics in (evaluation.train, evaluation.validation, evaluation.test or {}):
        if not isinstance(metrics, dict) or not all(isinstance(value, int | float) for value in metrics.values()):
            raise ValueError(f"metrics are {metrics!r}")
    return evaluation


@contextlib.contextmanager
def reported(path: Path, line: int | None = None) -> Iterator[None]:
    """Turn whatever a damaged file makes fail into a `CorruptRecord` that names it."""
    try:
        yield
    except (
        ArithmeticError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        struct.error,
        RecursionError,
        OSError,
    ) as error:
        where = path if line is None else f"{path}, line {line}"
        raise CorruptRecord(f"{where}: {' '.join(str(error).split()) or type(error).__name__}") from None
