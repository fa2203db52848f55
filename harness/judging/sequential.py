"""A paired t-test that may be looked at after every pair: the Bayes factor, and the interval that it leaves.

For n paired log ratios with mean m and standard deviation s, and t = m sqrt(n) / s,

    BF_n = (1 + n)^(-1/2) [(1 + t^2 / (n - 1)) / (1 + t^2 / ((n - 1) (1 + n)))]^(n / 2)

is the Bayes factor for a mean of other than 0 (effect size m / s normal with variance 1, the member g = 1 of the family
of Rouder et al. 2009, "Bayesian t tests for accepting and rejecting the null hypothesis", equation 1 and appendix)
against a mean of 0, with the right Haar prior on the scale. With that prior it is a test martingale of normal ratios of
any scale (Wang & Ramdas, "Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance").
So by Ville's inequality it passes 1 / alpha, however often one looks and whenever one stops, with a probability of at
most alpha where the mean is 0. The means m' at which BF_n of the ratios less m' is below 1 / alpha are therefore an
interval that holds the true mean after every pair at once, with probability 1 - alpha.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ALPHA = 0.05
EVIDENCE = 1 / ALPHA
"""The Bayes factor at which a verdict is given: 20."""
VERDICTS = ("faster", "slower", "not faster by at least", "undecided")


@dataclass(frozen=True)
class Sequence95:
    """A mean of log ratios, and the interval that holds the true one after every pair at once (95 %)."""

    pairs: int
    mean: float
    spread: float
    """The standard deviation of the log ratios, nan for one."""
    low: float
    high: float
    bayes_factor: float
    """For a mean of other than 0."""


def bayes_factor(t: float, n: int) -> float:
    """Compute BF_n of `n` pairs with the t statistic `t`; 1, no evidence, for fewer than two."""
    if n < 2:
        return 1.0
    if math.isinf(t):
        return (1 + n) ** ((n - 1) / 2)
    x = t * t / (n - 1)
    return (1 + n) ** -0.5 * ((1 + x) / (1 + x / (1 + n))) ** (n / 2)


def half_width(n: int, alpha: float = ALPHA) -> float:
    """Compute the half width of the interval in standard deviations of the ratios; infinite below five pairs at 5 %."""
    if n < 2:
        return math.inf
    c = (math.sqrt(1 + n) / alpha) ** (2 / n)
    if c >= 1 + n:
        return math.inf
    return math.sqrt((c - 1) / (1 - c / (1 + n)) * (n - 1) / n)


def summarize(log_ratios: Sequence[float]) -> Sequence95:
    """Sum up the pairs so far; equal ratios, which no spread can be seen in, leave the interval infinite.

    They come where trials of both arms are the same, or all miss: that is no evidence of anything.
    """
    n = len(log_ratios)
    ratios = np.asarray(log_ratios, float)
    mean = float(ratios.mean())
    spread = float(ratios.std(ddof=1)) if n > 1 else math.nan
    if n < 2 or not spread > 1e-9:
        return Sequence95(n, mean, spread, -math.inf, math.inf, 1.0)
    half = half_width(n) * spread
    factor = bayes_factor(mean * math.sqrt(n) / spread, n)
    return Sequence95(n, mean, spread, mean - half, mean + half, factor)


def decide(found: Sequence95, at_least: float) -> str:
    """Give a verdict of `VERDICTS` on the log speed-ups so far, where `at_least` is the smallest speed-up that matters.

    `faster`: a speed-up of 1 is excluded, and the estimate is at least `at_least`. `slower`: a speed-up of 1 is
    excluded from the other side. `not faster by at least`: `at_least` is excluded. All else is `undecided`, which more
    pairs change.
    """
    if found.high < 0:
        return "slower"
    if found.high < math.log(at_least):
        return "not faster by at least"
    if found.low > 0 and found.mean >= math.log(at_least):
        return "faster"
    return "undecided"
