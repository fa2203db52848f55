"""The sequential test: the formula is the Bayes factor it claims to be, and few of its verdicts are wrong."""

import math
import re

import numpy as np
import pytest
from scipy import integrate, stats

from timetrial.harness.entries.find import find_run
from timetrial.harness.judging.sequential import EVIDENCE, bayes_factor, decide, half_width, summarize
from timetrial.harness.judging.verdict import FEWEST
from timetrial.harness.measuring.judge_power import is_wrong, peeking, simulate, simulate_verdict, spreads
from timetrial.harness.planning.places import RESULTS, ROOT
from timetrial.harness.records.table import read_trials
from timetrial.harness.scoring.trials import prepare_trials


@pytest.mark.parametrize(("t", "n"), [(0.0, 2), (2.5, 5), (-4.0, 9), (1.0, 40)])
def test_the_formula_is_the_bayes_factor_of_a_normal_effect_size(t, n):
    def weighted(effect):
        return stats.nct.pdf(t, n - 1, effect * math.sqrt(n)) * stats.norm.pdf(effect)

    expected = integrate.quad(weighted, -8, 8)[0] / stats.t.pdf(t, n - 1)
    assert bayes_factor(t, n) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("n", [5, 8, 30])
def test_at_an_end_of_the_interval_the_evidence_is_just_enough(n):
    assert bayes_factor(half_width(n) * math.sqrt(n), n) == pytest.approx(EVIDENCE)


def test_nothing_is_decided_before_five_pairs_however_far_apart_they_are():
    assert FEWEST == 5
    for n in range(1, FEWEST):
        assert decide(summarize([5 + 0.001 * i for i in range(n)]), 1.05) == "undecided"
        assert bayes_factor(math.inf, n) < EVIDENCE
    assert decide(summarize([5 + 0.001 * i for i in range(FEWEST)]), 1.05) == "faster"


def test_who_is_slower_is_called_so():
    assert decide(summarize([-0.5, -0.45, -0.55, -0.48, -0.52]), 1.05) == "slower"


def test_pairs_that_are_all_equal_are_no_evidence():
    assert decide(summarize([0.0] * 20), 1.05) == "undecided"
    assert math.isinf(summarize([0.3] * 20).high)


def test_a_speed_up_that_is_there_but_too_small_is_not_called_faster():
    generator = np.random.default_rng(0)
    found = summarize(np.log(1.02) + 0.005 * generator.standard_normal(20))
    assert found.low > 0
    assert decide(found, 1.05) == "not faster by at least"
    assert decide(found, 1.0) == "faster"


@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("advantage", [1.0, 1.1])
def test_of_200_simulated_verdicts_at_most_one_in_twenty_is_wrong(advantage, heavy):
    assert simulate(0.1, advantage, 200, seed=1, heavy=heavy)["wrong"] <= 0.05


def test_an_ordinary_test_that_peeks_is_wrong_more_often():
    generator = np.random.default_rng(2)
    rows = 0.1 * generator.standard_normal((200, 20))
    ours = np.mean([is_wrong(simulate_verdict(row, 1.05)[0], 1.0, 1.05) for row in rows])
    assert np.mean([peeking(row) for row in rows]) > 2 * max(float(ours), 0.05)


def test_a_large_advantage_takes_few_pairs():
    assert simulate(0.1, 1.5, 200, seed=3)["pairs"] <= 6
    assert simulate(0.1, 1.5, 200, seed=3)["faster"] == 1


def test_the_table_in_the_document_is_of_the_spreads_that_the_records_have():
    trials = prepare_trials(read_trials([find_run(str(RESULTS / "mini" / "self_tuning"))]))
    document = (ROOT / "docs" / "judge.md").read_text()
    for spread in spreads(trials):
        (said,) = set(re.findall(rf"^\| {re.escape(spread.name)}: ([\d.]+) \|", document, re.MULTILINE))
        assert float(said) == pytest.approx(spread.value, rel=0.1), f"run scripts/simulate_judge: {spread.name}"
