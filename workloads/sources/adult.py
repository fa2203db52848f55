"""Adult, or census income (Becker & Kohavi 1996): 32,561 + 16,281 people, 8 categories and 6 numbers of each."""

import numpy as np

from timetrial.harness.workload import DataSource
from timetrial.workloads.sources.cache import Arrays
from timetrial.workloads.sources.download import DataSet

ADULT = DataSet(
    name="Adult",
    folder="adult",
    url="https://archive.ics.uci.edu/ml/machine-learning-databases/adult",
    sha256={
        "adult.data": "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
        "adult.test": "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
    },
)
NUMBERS = (0, 2, 4, 10, 11, 12)
"""Columns: age, final weight, years of education, capital gain, capital loss, hours a week."""
CATEGORIES = (1, 3, 5, 6, 7, 8, 9, 13)
"""Columns: work class, education, marital status, occupation, relationship, race, sex, country."""
VALUES = (9, 16, 7, 15, 6, 5, 2, 42)
"""How many values each category has, `?` for a missing one included."""
SYNTHETIC_TRAINING, SYNTHETIC_TEST = 20_000, 5_000


def adult(train: bool, source: DataSource) -> Arrays:
    """Load `categories` int64 [people, 8], `numbers` float32 [people, 6] and `labels` float32 [people], 1: above 50K.

    A category is the rank of its value among those of the training file; numbers are x -> log(1 + x), as in DLRM
    (Naumov et al. 2019), of zero mean and unit variance in the training file. Raises `UsageError` as `DataSet.find`.
    """
    rows = [_rows(path.read_text()) for path in ADULT.find(source, "adult.data", "adult.test")]
    values = [sorted({row[column] for row in rows[0]}) for column in CATEGORIES]
    numbers = [np.log1p([[float(row[column]) for column in NUMBERS] for row in part]) for part in rows]
    chosen = rows[0 if train else 1]
    scaled = (numbers[0 if train else 1] - numbers[0].mean(axis=0)) / numbers[0].std(axis=0)
    categories = [
        [found.index(row[column]) for column, found in zip(CATEGORIES, values, strict=True)] for row in chosen
    ]
    return {
        "categories": np.array(categories, dtype=np.int64),
        "numbers": scaled.astype(np.float32),
        "labels": np.array([row[-1].startswith(">") for row in chosen], dtype=np.float32),
    }


def _rows(text: str) -> list[list[str]]:
    """Split a file into its fields; the test file has a comment first."""
    return [line.split(", ") for line in text.splitlines() if line and not line.startswith("|")]


def synthetic_people(train: bool) -> Arrays:
    """Draw people of the same shapes, whose labels come from a logistic model with interactions of pairs.

    Draws come from numpy's frozen `RandomState` stream (NEP 19), and labels from comparisons of sums of integers: the
    data are the same, bit for bit, on every machine.
    """
    draw = np.random.RandomState(91)
    tables = [draw.randint(-40, 41, size=(values, 6)) for values in VALUES]
    slopes = draw.randint(-40, 41, size=(6, 6))
    draw = np.random.RandomState(92 if train else 93)
    people = SYNTHETIC_TRAINING if train else SYNTHETIC_TEST
    categories = np.stack([draw.randint(values, size=people) for values in VALUES], axis=1)
    numbers = draw.randint(-8, 9, size=(people, 6)) + draw.randint(-8, 9, size=(people, 6))
    factors = sum(table[categories[:, column]] for column, table in enumerate(tables))
    factors = factors + numbers @ slopes // 8
    score = factors[:, 0] * factors[:, 1] + factors[:, 2] * factors[:, 3] + 60 * (factors[:, 4] + factors[:, 5])
    noise = draw.randint(-8_000, 8_001, size=people)
    return {
        "categories": categories.astype(np.int64),
        "numbers": (numbers / 8).astype(np.float32),
        "labels": (score + noise > 10_000).astype(np.float32),
    }
