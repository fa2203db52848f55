"""Reading the lines of `trials.jsonl` quickly, where there are a hundred thousand of them.

`msgspec` decodes a line and checks it against its types. It does not know the NaN of a trial that diverged: such a
line, and any that is not as it should be, is read the slow way, which says what is wrong.
"""

import json
from typing import Annotated, Any

import msgspec

Number = Annotated[float, msgspec.Meta(ge=0)]


class Point(msgspec.Struct, gc=False):
    """What a score needs of an `Evaluation`. The rest of it is read by `timetrial submit --check`."""

    step: Number
    seconds: Number
    validation: dict[str, float]
    paced_seconds: Number | None = None


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
