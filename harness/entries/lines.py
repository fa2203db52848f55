"""Reading the lines of `trials.jsonl` quickly, where there are a hundred thousand of them.

`msgspec` decodes what is asked for, checks it against its types, and passes over the rest. It does not know the NaN of a
trial that diverged: such a line, and any that is not as it should be, is read the slow way, which says what is wrong.
"""

import json
from collections.abc import Mapping
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


class _Head(msgspec.Struct):
    spec: dict[str, Any]
    result: dict[str, Any]


class _Points(msgspec.Struct):
    evaluations: list[Point]


_HEAD, _POINTS = msgspec.json.Decoder(_Head), msgspec.json.Decoder(_Points)


def read_head(line: bytes) -> Mapping[str, Any]:
    """Read "spec" and "result" of a line; raises `ValueError` where it is no JSON."""
    try:
        head = _HEAD.decode(line)
        return {"spec": head.spec, "result": head.result}
    except msgspec.MsgspecError:
        return json.loads(line)


def read_points(line: bytes) -> list[Point] | None:
    """Read "evaluations" of a line; None where they must be read the slow way."""
    try:
        return _POINTS.decode(line).evaluations
    except msgspec.MsgspecError:
        return None
