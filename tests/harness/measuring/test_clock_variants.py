"""The comparison of clocks: each variant undoes what it is for, and A/A entries are told apart by their studies."""

import numpy as np
import pandas as pd
import pytest

from timetrial.harness.measuring.aa import ENTRIES, entry_of
from timetrial.harness.measuring.clock_variants import PRICES, VARIANTS, spreads


def stretches(condition: str, repeats: int = 6, length: int = 10) -> pd.DataFrame:
    """Repeats of 10 stretches of one second, on a machine that is twice as slow, or shared, in every second repeat."""
    rows = []
    for repeat in range(repeats):
        slow = 2.0 if condition == "slow" and repeat % 2 else 1.0
        waiting = 1.5 if condition == "shared" and repeat % 2 else 0.0
        for index in range(length):
            spent = slow * (1 + 0.001 * ((repeat * 7 + index) % 5))
            rows.append(
                {
                    "condition": condition,
                    "workload": "w",
                    "repeat": repeat,
                    "index": index,
                    "batches": 100.0,
                    "seconds": spent + waiting,
                    "processor_seconds": spent,
                    "waiting_seconds": waiting,
                    "pacer_seconds": 0.01 * slow * (2 if waiting and index % 2 else 1),
                    "pacer_processor_seconds": 0.01 * slow,
                    "concurrent_seconds": np.nan,
                    "concurrent_processor_seconds": np.nan,
                }
            )
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("condition", "steady", "moved"),
    [
        ("slow", ["measured / running median of 5", "charged / running median of 5"], ["processor time"]),
        ("shared", ["processor time", "charged / running median of 5"], ["measured / running median of 5"]),
    ],
)
def test_a_variant_undoes_what_it_is_for(condition, steady, moved) -> None:
    table = spreads(stretches(condition))
    assert table.loc["measured seconds", condition] > 0.3
    assert all(table.loc[clock, condition] < 0.01 for clock in steady)
    assert all(table.loc[clock, condition] > 0.1 for clock in moved)


def test_every_variant_is_in_the_table_but_those_whose_pacer_did_not_run() -> None:
    names = set(spreads(stretches("slow")).index)
    assert names == {name for name in [*VARIANTS, *PRICES] if "concurrent" not in name}


def test_two_entries_of_a_pair_take_turns_and_share_no_study() -> None:
    entries = [entry_of(study, studies=5) for study in range(20)]
    assert len(set(entries)) == 20
    assert [entry for _, entry, _ in entries[:4]] == [*ENTRIES, *ENTRIES]
    assert {pair for pair, _, _ in entries} == {0, 1} and {study for _, _, study in entries} == set(range(5))
