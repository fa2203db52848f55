"""Procedural images with the shapes and class counts of the real ones, for runs without any file.

Each class is a few smooth random patterns. An image is one of them, shifted by a few pixels, blended with a shifted
pattern that says nothing about the class, and covered with noise: a linear classifier gets part of the way, and the
rest takes training. All arithmetic is on integers and all draws come from numpy's frozen `RandomState` stream (NEP 19):
the images are the same, bit for bit, on every machine.
"""

import numpy as np

from timetrial.workloads.sources.cache import Arrays

CLASSES = 10
PATTERNS = 4
"""Patterns per class."""
DISTRACTORS = 5
"""Groups of patterns that say nothing about the class."""
TILE = 8
"""Pixels after which the texture of a pattern repeats itself."""
SHIFT = 2
"""Largest shift in pixels, along each side."""
SIGNAL = (90, 150)
"""Range of the class pattern's share of an image, out of 256."""
NOISE = 48
"""Largest noise of a pixel, out of 255; its distribution is triangular."""
TRAINING_AND_VALIDATION, TEST = 12_000, 2_000
"""Numbers of images."""
HELD_OUT = 2_000
"""How many of the first are for validation."""


def synthetic_images(train: bool, size: int, channels: int) -> Arrays:
    """Draw `images` uint8 [examples, size, size, channels] and `labels` int64 [examples]."""
    draw = np.random.RandomState(71)
    class_patterns = _shifts(_patterns(draw, CLASSES, size + 2 * SHIFT, channels))
    distractors = _shifts(_patterns(draw, DISTRACTORS, size + 2 * SHIFT, channels))
    draw = np.random.RandomState(72 if train else 73)
    examples = TRAINING_AND_VALIDATION if train else TEST
    labels = draw.randint(CLASSES, size=examples)
    places = (2 * SHIFT + 1) ** 2
    shown = class_patterns[
        labels * PATTERNS + draw.randint(PATTERNS, size=examples), draw.randint(places, size=examples)
    ]
    hidden = distractors[draw.randint(DISTRACTORS * PATTERNS, size=examples), draw.randint(places, size=examples)]
    share = draw.randint(*SIGNAL, size=(examples, 1, 1, 1)).astype(np.uint16)
    pixels = ((share * shown + (256 - share) * hidden) >> 8).astype(np.int16)
    for _ in range(2):
        pixels += draw.randint(-NOISE // 2, NOISE // 2, size=pixels.shape, dtype=np.int8)
    return {"images": pixels.clip(0, 255).astype(np.uint8), "labels": labels.astype(np.int64)}


def _patterns(draw: np.random.RandomState, groups: int, size: int, channels: int) -> np.ndarray:
    """Draw patterns, uint16 [groups * PATTERNS, size, size, channels] from 0 to 255.

    Each is the mean of a smooth shape of its own and of a texture that is common to its group.
    """
    count = groups * PATTERNS
    cells = -(-size // 4) + 2
    pattern = draw.randint(256, size=(count, cells, cells, channels)).repeat(4, axis=1).repeat(4, axis=2)
    for axis in (1, 2):
        for _ in range(2):
            length = pattern.shape[axis] - 3
            pattern = sum(pattern.take(range(start, start + length), axis) for start in range(4)) // 4
    pattern = pattern[:, :size, :size]
    low, high = pattern.min(axis=(1, 2), keepdims=True), pattern.max(axis=(1, 2), keepdims=True)
    shapes = (pattern - low) * 255 // (high - low)
    tile = draw.randint(256, size=(groups, TILE // 2, TILE // 2, channels)).repeat(2, axis=1).repeat(2, axis=2)
    texture = np.tile(tile, (1, -(-size // TILE), -(-size // TILE), 1))[:, :size, :size]
    return ((shapes + texture.repeat(PATTERNS, axis=0)) // 2).astype(np.uint16)


def _shifts(patterns: np.ndarray) -> np.ndarray:
    """Cut out each pattern at every shift, [count, size, size, channels] to [count, shifts, smaller size, ...]."""
    size = patterns.shape[1] - 2 * SHIFT
    starts = range(2 * SHIFT + 1)
    return np.stack([patterns[:, y : y + size, x : x + size] for y in starts for x in starts], axis=1)
