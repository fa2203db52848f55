"""The evaluations of a trial as arrays, which is all that a score needs of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from timetrial.harness.records.crossing import CLOCKS, Array


class Point(Protocol):
    """What a curve is made of: an `Evaluation`, or what is decoded in its place where there are millions."""

    @property
    def step(self) -> float: ...
    @property
    def seconds(self) -> float: ...
    @property
    def paced_seconds(self) -> float | None: ...
    @property
    def validation(self) -> dict[str, float]: ...


@dataclass(frozen=True, eq=False)
class Curve:
    """All E evaluations of a trial, in order."""

    metrics: tuple[str, ...]
    """The M validation metrics."""
    values: Array
    """(E, M), nan where a metric is not recorded."""
    clocks: Array
    """(E, clocks), in the order of `CLOCKS`; nan where the record is older than a clock."""

    def __len__(self) -> int:
        return len(self.values)


def curve_of(points: Sequence[Point]) -> Curve:
    """Make a curve of evaluations."""
    names = tuple(dict.fromkeys(name for point in points for name in point.validation))
    rows = [(p.paced_seconds, p.seconds, p.step, *map(p.validation.get, names)) for p in points]
    array = np.array(rows, float).reshape(-1, len(CLOCKS) + len(names))  # None becomes nan
    return Curve(names, array[:, len(CLOCKS) :], array[:, : len(CLOCKS)])
