"""Procedural molecules with the shapes of the real ones: random trees with some rings, whose labels count motifs."""

import numpy as np

from timetrial.workloads.sources.cache import Arrays
from timetrial.workloads.sources.tox21 import ASSAYS, ATOM_VALUES, BOND_VALUES, ELEMENTS, MISSING, empty_graphs, fill

MOLECULES = 4000
UNMEASURED = 0.2
"""The share of labels that are missing."""


def synthetic_molecules() -> Arrays:
    """Draw molecules as `tox21` describes them; draws come from numpy's frozen `RandomState` stream (NEP 19).

    An assay responds to molecules with at least some number of bonds between two certain elements; there is some noise.
    """
    draw = np.random.RandomState(101)
    pairs = draw.randint(4, size=(ASSAYS, 2))
    arrays = empty_graphs(MOLECULES)
    for index in range(MOLECULES):
        size = draw.randint(6, 30)
        elements = draw.choice(len(ELEMENTS), size=size, p=_shares())
        ends = [(draw.randint(max(0, atom - 4), atom), atom) for atom in range(1, size)]
        ends += [(first, first + 5) for first in draw.randint(size, size=draw.randint(3)) if first + 5 < size]
        degree = np.bincount(np.array(ends).flatten(), minlength=size).clip(0, ATOM_VALUES[1] - 1)
        ring = draw.randint(2, size=size)
        atoms = [[e, d, 2, max(0, 4 - d), r, r] for e, d, r in zip(elements, degree, ring, strict=True)]
        kinds = draw.randint(BOND_VALUES[0], size=len(ends))
        bonds = [[kind, kind == 3, ring[a] & ring[b]] for kind, (a, b) in zip(kinds, ends, strict=True)]
        fill(arrays, index, atoms, bonds, ends)
        found = [{elements[a], elements[b]} for a, b in ends]
        counts = [sum(pair == set(wanted) for pair in found) for wanted in pairs.tolist()]
        active = [count >= (6 if wanted[0] == 0 else 2) for count, wanted in zip(counts, pairs, strict=True)]
        flipped = draw.random_sample(ASSAYS) < 0.03
        missing = draw.random_sample(ASSAYS) < UNMEASURED
        arrays["labels"][index] = np.where(missing, MISSING, np.array(active) ^ flipped)
    return arrays


def _shares() -> np.ndarray:
    """How frequent the elements are: carbon first, then nitrogen and oxygen, as in the real molecules."""
    shares = np.array([64, 12, 12, 6, *(1 for _ in ELEMENTS[4:])], dtype=np.float64)
    return shares / shares.sum()
