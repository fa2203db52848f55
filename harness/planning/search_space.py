"""Search spaces: what the external ruleset draws the hyperparameters of its trials from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from timetrial.harness import UsageError
from timetrial.harness.planning.seeds import derive_seed

POINTS = 5
"""The length of a search space given as a list, which is the number of trials in a study of the external ruleset."""

HORIZON = "horizon"
"""The reserved hyperparameter: it multiplies the step hint that the submission sees, and lies in (0, 1]."""

LARGEST = 1e300
"""The largest magnitude of a bound, so that no difference of two overflows."""

Hyperparameters = dict[str, float | int | str | bool]


@dataclass(frozen=True)
class Range:
    """Real numbers from `min` to `max`, uniform on a linear or a logarithmic scale."""

    min: float
    max: float
    scaling: str
    per: str | None = None
    """The hyperparameter that what is drawn is divided by: the range is one of their product."""

    def at(self, u: float) -> float:
        """Map `u` in [0, 1) to the range."""
        if self.scaling == "log":
            return math.exp(math.log(self.min) + u * (math.log(self.max) - math.log(self.min)))
        return self.min + u * (self.max - self.min)


@dataclass(frozen=True)
class Choices:
    """One of several values, each as likely."""

    values: tuple[Any, ...]

    def at(self, u: float) -> Any:
        """Map `u` in [0, 1) to one of the values."""
        return self.values[int(u * len(self.values))]


@dataclass(frozen=True)
class SearchSpace:
    """Either axes and fixed values, from which points are drawn, or a list of exactly five points."""

    axes: Mapping[str, Range | Choices]
    fixed: Hyperparameters
    points: tuple[Hyperparameters, ...] = ()

    def draw(self, study: int, trials: int) -> list[Hyperparameters]:
        """Draw the hyperparameters of the trials of a study.

        All studies together have one scrambled Halton sequence (Owen 2017, as in `scipy.stats.qmc`), the same on every
        workload, and study k its points k trials to (k + 1) trials - 1. More studies continue the sequence.
        """
        if self.points:
            return [dict(point) for point in self.points[:trials]]
        if not self.axes:
            return [dict(self.fixed) for _ in range(trials)]
        from scipy.stats import qmc  # slow to import, and only a plan needs it

        sequence = qmc.Halton(len(self.axes), scramble=True, rng=derive_seed("search_space"))
        sequence.fast_forward(study * trials)
        return [self._point(row) for row in sequence.random(trials)]

    def with_values(self, given: Hyperparameters) -> "SearchSpace":
        """Fix the hyperparameters in `given` that the space does not have."""
        fixed = {name: value for name, value in given.items() if name not in self.axes} | self.fixed
        return replace(self, fixed=fixed, points=tuple(given | point for point in self.points))

    def _point(self, row: Sequence[float]) -> Hyperparameters:
        """Map a point of the unit cube to hyperparameters."""
        drawn = {name: axis.at(float(u)) for (name, axis), u in zip(self.axes.items(), row, strict=True)} | self.fixed
        for name, axis in self.axes.items():
            if isinstance(axis, Range) and axis.per is not None:
                drawn[name] /= drawn[axis.per]
        return drawn


def parse_search_space(given: Any, where: str) -> SearchSpace:
    """Read a search space as it stands in a `submission.yaml`.

    Raises `UsageError` naming `where` and the axis that is wrong.
    """
    if isinstance(given, Sequence) and not isinstance(given, str):
        return _parse_points(given, where)
    if not isinstance(given, Mapping):
        raise UsageError(f"{where}: search_space is {given!r}: give axes (name: {{min, max, scaling}}) or five points")
    axes: dict[str, Range | Choices] = {}
    fixed: Hyperparameters = {}
    for name, axis in given.items():
        _check_name(name, f"{where}: search_space")
        if isinstance(axis, Mapping):
            axes[name] = _parse_axis(axis, f"{where}: search_space.{name}")
        else:
            fixed[name] = _plain_value(axis, f"{where}: search_space.{name}")
    space = SearchSpace(axes, fixed)
    for name, axis in axes.items():
        if isinstance(axis, Range) and axis.per is not None:
            _check_divisor(space, name, axis, f"{where}: search_space.{name}")
    _check_horizon(_values(space, HORIZON), f"{where}: search_space.{HORIZON}")
    return space


def _parse_points(given: Sequence[Any], where: str) -> SearchSpace:
    if len(given) != POINTS:
        raise UsageError(f"{where}: search_space lists {len(given)} points: list exactly {POINTS}, or give axes")
    if not all(isinstance(point, Mapping) and point for point in given):
        raise UsageError(
            f"{where}: search_space lists points that are no mappings: write {{learning_rate: 0.001, ...}}"
        )
    if any(set(point) != set(given[0]) for point in given):
        raise UsageError(f"{where}: search_space lists points with different names: give each the same hyperparameters")
    for name in given[0]:
        _check_name(name, f"{where}: search_space")
    points = [{str(k): _plain_value(v, f"{where}: search_space.{k}") for k, v in point.items()} for point in given]
    _check_horizon([point[HORIZON] for point in points if HORIZON in point], f"{where}: search_space.{HORIZON}")
    return SearchSpace({}, {}, tuple(points))


def _parse_axis(axis: Mapping[str, Any], where: str) -> Range | Choices:
    if set(axis) == {"choices"}:
        values = axis["choices"]
        if not isinstance(values, Sequence) or isinstance(values, str) or not values:
            raise UsageError(f"{where}: choices is {values!r}: give a list of at least one value")
        return Choices(tuple(_plain_value(value, where) for value in values))
    if set(axis) - {"per"} != {"min", "max", "scaling"}:
        raise UsageError(f"{where} has the keys {sorted(map(str, axis))}: give min, max, scaling (and per), or choices")
    low, high, scaling = axis["min"], axis["max"], axis["scaling"]
    if scaling not in ("linear", "log"):
        raise UsageError(f"{where}: scaling is {scaling!r}: choose linear or log")
    for bound in (low, high):
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not abs(bound) <= LARGEST:
            raise UsageError(f"{where}: {bound!r} is no number that can be drawn: give numbers for min and max")
    if low > high:
        raise UsageError(f"{where}: min {low:g} is above max {high:g}: exchange them")
    if scaling == "log" and low <= 0:
        raise UsageError(f"{where}: min {low:g} under a log scale: give a min above zero, or scaling: linear")
    return Range(float(low), float(high), scaling, axis.get("per"))


def _values(space: SearchSpace, name: Any) -> list[Any]:
    """List the values of a hyperparameter that decide whether all that are drawn are allowed; none: it is not there."""
    axis = space.axes.get(name)
    if axis is None:
        return [space.fixed[name]] if name in space.fixed else []
    return list(axis.values) if isinstance(axis, Choices) else [axis.min, axis.max]


def _check_divisor(space: SearchSpace, name: str, axis: Range, where: str) -> None:
    """Refuse a range of a product whose other factor is not there, is drawn so itself, or may be no divisor."""
    if name == HORIZON:
        raise UsageError(f"{where}: it is a share of the step hint: give it without per")
    other = space.axes.get(axis.per) if isinstance(axis.per, str) else None
    values = _values(space, axis.per) if isinstance(axis.per, str) else []
    if not values or axis.per == name or (isinstance(other, Range) and other.per is not None):
        raise UsageError(f"{where}: per is {axis.per!r}: name another hyperparameter that is given without per")
    for value in values:
        largest = max(abs(axis.min), abs(axis.max))
        if isinstance(value, bool | str) or not 0 < value <= LARGEST or largest > LARGEST * value:
            raise UsageError(f"{where}: per is {axis.per}, which may be {value!r}: divide by numbers above zero")


def _check_horizon(values: Sequence[Any], where: str) -> None:
    for value in values:
        if isinstance(value, bool | str) or not 0 < value <= 1:
            raise UsageError(f"{where} may be {value!r}: it multiplies the step hint; give numbers above 0, at most 1")


def parse_hyperparameters(given: Any, where: str) -> Hyperparameters:
    """Read the hyperparameters of a `submission.yaml`; raises `UsageError` where they are no mapping of values."""
    if not isinstance(given, Mapping):
        raise UsageError(f"{where}: hyperparameters is {given!r}: give a mapping such as {{learning_rate: 0.001}}")
    for name in given:
        _check_name(name, f"{where}: hyperparameters")
    values = {str(name): _plain_value(value, f"{where}: hyperparameters.{name}") for name, value in given.items()}
    _check_horizon([values[HORIZON]] if HORIZON in values else [], f"{where}: hyperparameters.{HORIZON}")
    return values


def parse_switches(given: Any, where: str) -> dict[str, tuple[float | int | str | bool, ...]]:
    """Read the `switches` of a `submission.yaml`: lists of values, that of the whole method first.

    Raises `UsageError` where they are no mapping of lists of at least two different values.
    """
    if not isinstance(given, Mapping):
        raise UsageError(f"{where}: switches is {given!r}: give a mapping such as {{nesterov: [true, false]}}")
    found = {}
    for name, values in given.items():
        _check_name(name, f"{where}: switches")
        if not isinstance(values, list) or len(values) < 2 or any(values.count(value) > 1 for value in values):
            raise UsageError(f"{where}: switches.{name} is {values!r}: list at least two values, the usual one first")
        found[name] = tuple(_plain_value(value, f"{where}: switches.{name}") for value in values)
    return found


def _check_name(name: Any, where: str) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise UsageError(f"{where} names a hyperparameter {name!r}: use a name such as learning_rate")


def _plain_value(value: Any, where: str) -> float | int | str | bool:
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{where} is {value}: give a finite number")
    if not isinstance(value, bool | int | float | str):
        raise UsageError(f"{where} is {value!r}: give a number, a word, true or false")
    return value
