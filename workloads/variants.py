"""What hidden variants are drawn from: sizes near a workload's own, so that a variant costs about as much."""

import random
from typing import Any

from timetrial.workloads.initialisation import ACTIVATIONS


def near(draw: random.Random, size: int, multiple: int = 1) -> int:
    """Draw 0.5 to 1.25 times a size, rounded to a multiple of a number and no smaller than that."""
    return max(multiple, multiple * round(size * draw.choice((0.5, 0.75, 1.0, 1.25)) / multiple))


def deeper(draw: random.Random, layers: int, step: int = 1, fewest: int = 1) -> int:
    """Draw a step fewer layers, as many, or a step more."""
    return draw.choice([more for more in (layers - step, layers, layers + step) if more >= fewest])


def split(draw: random.Random, width: int, heads: int) -> dict[str, int]:
    """Draw the width of an attention layer and the heads that share it evenly, by multiples of 4."""
    heads = deeper(draw, heads)
    return {"heads": heads, "width": near(draw, width, 4 * heads)}


def common(draw: random.Random) -> dict[str, Any]:
    """Draw the fields that all workloads have: an activation and the scale of the initial weights."""
    return {"activation": draw.choice(sorted(ACTIVATIONS)), "init_scale": draw.choice((0.5, 0.7, 1.0, 1.4))}
