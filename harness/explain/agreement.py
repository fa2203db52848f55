"""What a comparison of two optimizers has shown: where they part, by how much, and how that reads."""

import math
from dataclasses import dataclass
from typing import Any

Values = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """How far the weights of one parameter are apart after a step that began at the same weights."""

    step: int
    parameter: str
    role: str
    weights: float
    """The largest difference of two weights."""
    share: float
    """The same as a share of the largest change of a weight in this step; inf where the first changes none."""
    parts: bool
    """Whether that is more than rounding."""

    def __str__(self) -> str:
        share = "where the first does not move it" if self.share == math.inf else f"by {self.share:.1%} of the step"
        if 0 < self.share < 0.001:
            share = f"by {self.share:.0e} of the step"
        return f"step {self.step}, in {self.parameter} ({self.role}): {share}, {self.weights:.0e} in a weight"


@dataclass(frozen=True)
class Agreement:
    """What one precision shows."""

    dtype: str
    first: tuple[Difference, ...]
    """For each parameter that parts, where it first does, the earliest and largest first."""
    largest: Difference
    """The largest share of all steps and parameters."""

    def __str__(self) -> str:
        if self.first:
            lines = [f"they part at {self.first[0]}"]
            at_once = sum(difference.step == self.first[0].step for difference in self.first)
            lines.append(f"parameters that part: {at_once} at this step, {len(self.first)} in all")
            return "\n".join([*lines, f"furthest at {self.largest}"])
        if self.largest.weights == 0:
            return "they agree to the last bit"
        return f"they agree but for rounding, at most at {self.largest}"


@dataclass(frozen=True)
class Conformance:
    """What came out of a comparison."""

    one: str
    other: str
    values: tuple[Values, Values]
    """The hyperparameters of both; where the groups of a class differ, a tuple with the value of each."""
    compared: int
    parameters: int
    """How many of how many parameters of the model were compared: those that both train."""
    agreements: tuple[Agreement, ...]
    """In float64 and in float32."""

    @property
    def holds(self) -> bool:
        return not any(agreement.first for agreement in self.agreements)

    def __str__(self) -> str:
        lines = [
            *((name, _in_words(values)) for name, values in zip((self.one, self.other), self.values, strict=True)),
            ("compared", f"{self.compared} of {self.parameters} parameters"),
            *((agreement.dtype, str(agreement)) for agreement in self.agreements),
        ]
        width = max(len(name) for name, _ in lines)
        indent = "\n" + " " * (width + 2)
        return "\n".join(f"{name:{width}}  {text.replace(chr(10), indent)}" for name, text in lines)


def _in_words(values: Values) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_value, value))})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
