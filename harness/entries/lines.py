"""Reading the lines of `trials.jsonl` quickly, where there are a hundred thousand of them.

`msgspec` decodes a line and checks it against its types. It does not know the NaN of a trial that diverged: such a
line, and any that is not as it should be, is read the slow way, which says what is wrong.
"""

import json
from typing import Annotated, Any

import msgspec

Number = Annotated[float, msgspec.Meta(ge=0)]


class Stretch(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The `Stretch` of an evaluation."""

    seconds: Number
    processor_seconds: Number
    waiting_seconds: Number
    pacer_seconds: Number
    pacer_processor_seconds: Number


class Point(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An `Evaluation`, with what `parse_evaluation` asks of one."""

    step: Number
    seconds: Number
    train: dict[str, float]
    validation: dict[str, float]
    test: dict[str, float] | None
    peak_memory_bytes: Number
    paced_seconds: Number | None = None
    stretch: Stretch | None = None
    steady_seconds: Number | None = None


class Line(msgspec.Struct, gc=False):
    """A trial: its spec and result as JSON values, and its evaluations; None where they must be read the slow way."""

    spec: dict[str, Any]
    result: dict[str, Any]
    evaluations: list[Point] | None


_DECODER = msgspec.json.Decoder(Line)


def read_line(line: bytes) -> Line:
    """Read a line; raises `ValueError`, `TypeError` or `KeyError` where it is none."""
    try:
        return _DECODER.decode(line)
    except msgspec.MsgspecError:
        content = json.loads(line)
        return Line(content["spec"], content["result"], None)
