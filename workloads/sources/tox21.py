"""Tox21 (Huang et al. 2016) as MoleculeNet has it (Wu et al. 2018): 7,831 molecules, 12 assays with missing labels."""

import csv
import gzip
from pathlib import Path

import numpy as np

from timetrial.harness import UsageError
from timetrial.harness.workload import DataSource
from timetrial.workloads.sources.cache import Arrays, cached, hash_files
from timetrial.workloads.sources.download import DataSet

TOX21 = DataSet(
    name="Tox21",
    folder="tox21",
    url="https://raw.githubusercontent.com/deepchem/deepchem/55d2274beebf3ce7e5e5eeec79891088b18c88f1/datasets",
    sha256={"tox21.csv.gz": "48b34e4e59a2bae6f95734cd206c1869ab355f50a5e50bb7371a21f861d5e297"},
)
ASSAYS = 12
MISSING = 2
"""The label of a molecule that an assay did not measure."""
ATOMS, BONDS = 50, 56
"""The most heavy atoms and bonds of a molecule here: the 2.3 % that have more are left out."""
ELEMENTS = ("C", "N", "O", "S", "F", "Cl", "Br", "I", "P", "Si", "B", "Na")
"""All others are one more."""
ATOM_VALUES = (len(ELEMENTS) + 1, 7, 5, 6, 2, 2)
"""How many values each feature of an atom has: element, neighbours, charge + 2, hydrogens, aromatic, in a ring."""
BOND_VALUES = (4, 2, 2)
"""Of a bond: single, double, triple or aromatic; conjugated; in a ring."""


def tox21(source: DataSource) -> Arrays:
    """Load all molecules as graphs, in the order of the file.

    `atoms` uint8 [molecules, ATOMS, 6] and `bonds` uint8 [molecules, BONDS, 3] are features, `ends` uint8
    [molecules, BONDS, 2] the two atoms of each bond, `atom_counts` and `bond_counts` uint8 [molecules] how many of them
    there are, and `labels` uint8 [molecules, 12] are 0, 1 or MISSING. Raises `UsageError` as `DataSet.find`, and where
    graphs have to be made and rdkit is not installed.
    """
    (path,) = TOX21.find(source, "tox21.csv.gz")
    return cached("tox21-1", hash_files(path), lambda: _decode(path))


def _decode(path: Path) -> Arrays:
    try:
        from rdkit import Chem, RDLogger  # an optional library, needed once
    except ImportError:
        raise UsageError(
            "Tox21 is turned into graphs with rdkit, which is not installed: pip install 'timetrial[molecules]', "
            "or data=synthetic"
        ) from None
    RDLogger.DisableLog("rdApp.*")
    with gzip.open(path, "rt") as file:
        rows = list(csv.reader(file))[1:]
    molecules = [(Chem.MolFromSmiles(row[-1]), row[:ASSAYS]) for row in rows]
    kept = [(molecule, labels) for molecule, labels in molecules if molecule is not None and _fits(molecule)]
    arrays = empty_graphs(len(kept))
    for index, (molecule, labels) in enumerate(kept):
        atoms = [_atom_features(atom) for atom in molecule.GetAtoms()]
        bonds = [_bond_features(bond) for bond in molecule.GetBonds()]
        ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]
        fill(arrays, index, atoms, bonds, ends)
        arrays["labels"][index] = [MISSING if label == "" else int(float(label)) for label in labels]
    return arrays


def _fits(molecule) -> bool:
    return 0 < molecule.GetNumAtoms() <= ATOMS and molecule.GetNumBonds() <= BONDS


def _atom_features(atom) -> list[int]:
    symbol = atom.GetSymbol()
    element = ELEMENTS.index(symbol) if symbol in ELEMENTS else len(ELEMENTS)
    counts = (atom.GetDegree(), atom.GetFormalCharge() + 2, atom.GetTotalNumHs())
    numbers = (min(max(count, 0), most - 1) for count, most in zip(counts, ATOM_VALUES[1:], strict=False))
    return [element, *numbers, atom.GetIsAromatic(), atom.IsInRing()]


def _bond_features(bond) -> list[int]:
    kinds = {1.0: 0, 2.0: 1, 3.0: 2, 1.5: 3}  # others, such as dative bonds, count as single
    return [kinds.get(bond.GetBondTypeAsDouble(), 0), bond.GetIsConjugated(), bond.IsInRing()]


def empty_graphs(molecules: int) -> Arrays:
    """Make the arrays that `tox21` describes, of zeros."""
    shapes = {
        "atoms": (ATOMS, len(ATOM_VALUES)),
        "bonds": (BONDS, len(BOND_VALUES)),
        "ends": (BONDS, 2),
        "atom_counts": (),
        "bond_counts": (),
        "labels": (ASSAYS,),
    }
    return {name: np.zeros((molecules, *shape), dtype=np.uint8) for name, shape in shapes.items()}


def fill(arrays: Arrays, index: int, atoms: list, bonds: list, ends: list) -> None:
    """Write one molecule into `arrays`."""
    arrays["atoms"][index, : len(atoms)] = atoms
    if bonds:
        arrays["bonds"][index, : len(bonds)], arrays["ends"][index, : len(ends)] = bonds, ends
    arrays["atom_counts"][index], arrays["bond_counts"][index] = len(atoms), len(bonds)
