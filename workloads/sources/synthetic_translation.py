"""A procedural language pair: sentences of made-up words, translated word by word with their order partly reversed."""

import numpy as np

from timetrial.workloads.sources.cache import Arrays
from timetrial.workloads.sources.multi30k import padded

PAIRS = {"train": 8000, "validation": 500, "test": 500}
SPECIAL = 4
"""Tokens that are no words."""


def synthetic_translation(split: str, vocabulary: int, length: int) -> Arrays:
    """Draw pairs as `multi30k` describes them; draws come from numpy's frozen `RandomState` stream (NEP 19).

    Words follow Zipf's law. A sentence is translated by a dictionary, and its words stand in reverse order in groups of
    three, so that a model has to learn both the dictionary and where to look.
    """
    draw = np.random.RandomState(111)
    words = (vocabulary - SPECIAL) // 2
    dictionary = SPECIAL + words + draw.permutation(words)
    zipf = 1.0 / np.arange(1, words + 1)
    draw = np.random.RandomState({"train": 112, "validation": 113, "test": 114}[split])
    german, english = [], []
    for _ in range(PAIRS[split]):
        sentence = draw.choice(words, size=draw.randint(4, length - 4), p=zipf / zipf.sum())
        german.append((SPECIAL + sentence).tolist())
        groups = [sentence[start : start + 3][::-1] for start in range(0, len(sentence), 3)]
        english.append(dictionary[np.concatenate(groups)].tolist())
    pieces = [b"", b"", b"", b"?", *(f" w{token}".encode() for token in range(SPECIAL, vocabulary))]
    return padded([german, english], pieces, length)
