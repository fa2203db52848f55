"""How advantages and best rates go along an axis: a power law that is fitted, tested, and refused where it is poor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from timetrial.harness.scoring.jackknife import CONFIDENCE, Estimate

FEWEST_VALUES = 4
"""Values on the axis without which no exponent is used to look beyond them."""
GOOD_FIT = 0.05
"""The probability of a worse fit below which the fit is called poor."""


@dataclass(frozen=True)
class Rung:
    """What one submission did at one value of the axis."""

    value: float
    submission: str
    rate: float
    """The best learning rate, at the top of a parabola through the best three in log rate where it is inside."""
    inside: bool
    """Whether rates on both sides of the best were worse."""
    advantage: Estimate
    """How many times sooner than the reference it reaches the target."""
    log_advantages: tuple[float, ...]
    """Of each study."""
    misses: int
    """Studies in which it did not reach the target to the end of its plan, which then counts as its time."""


@dataclass(frozen=True)
class Fit:
    """log advantage = intercept of the submission + exponent x log value, the exponent shared by all submissions."""

    exponent: Estimate | None
    """None where there is too little to fit it to."""
    intercepts: dict[str, float]
    p_value: float | None
    """The probability of a worse fit if the model were true: an F test of the residuals against seed noise."""
    beyond: dict[str, float] | None
    """The advantage at twice the largest value; None where that is refused."""
    refusal: str
    """Why nothing is said beyond the axis; empty where it is."""


def mean_ratio(log_ratios: Sequence[float]) -> Estimate:
    """Give the geometric mean with its 95 % t interval over studies; all equal, as the reference's own: no interval."""
    ratios = np.asarray(log_ratios)
    if len(ratios) < 2 or not ratios.any():
        return Estimate(float(np.exp(ratios.mean())))
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(ratios) - 1) * ratios.std(ddof=1) / np.sqrt(len(ratios))
    return Estimate(*(float(np.exp(end)) for end in (ratios.mean(), ratios.mean() - half, ratios.mean() + half)))


def drift(rungs: Sequence[Rung]) -> Estimate:
    """Fit the exponent of the best rate along the axis, with its 95 % interval where three values or more give one."""
    x, y = (np.log([getattr(rung, name) for rung in rungs]) for name in ("value", "rate"))
    if len(x) < 3:
        slope = float((y[-1] - y[0]) / (x[-1] - x[0])) if len(x) == 2 else 0.0
        return Estimate(slope)
    line = stats.linregress(x, y)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(x) - 2) * line.stderr
    return Estimate(float(line.slope), float(line.slope - half), float(line.slope + half))


def fit(rungs: Sequence[Rung]) -> Fit:
    """Fit log advantages with an intercept for each submission and a shared exponent, and test it against seed noise,
    which is taken to be the same everywhere.

    Every submission is there at every value. At each they share the trials of the reference, so the exponent, which is
    that of their mean, is as sure as that mean: its spread is taken over studies.
    """
    names = list(dict.fromkeys(rung.submission for rung in rungs))
    studies = [np.asarray(rung.log_advantages) for rung in rungs]
    values = sorted({rung.value for rung in rungs})
    freedom = len(rungs) - len(names) - 1
    y = np.array([ratios.mean() for ratios in studies])
    pooled = np.sqrt(np.mean([ratios.var(ddof=1) / len(ratios) for ratios in studies])) if len(studies[0]) > 1 else 0.0
    design = np.array([[*(rung.submission == name for name in names), np.log(rung.value)] for rung in rungs], float)
    if freedom < 1 or not pooled > 0:
        refusal = "too few values or studies to fit an exponent" if freedom < 1 else "no seed noise to fit against"
        return Fit(None, {}, None, None, refusal)
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    residuals = y - design @ coefficients
    noise_freedom = sum(len(ratios) - 1 for ratios in studies)
    p_value = float(stats.f.sf((residuals**2).sum() / freedom / pooled**2, freedom, noise_freedom))
    slope = float(coefficients[-1])
    means = [np.mean([s for rung, s in zip(rungs, studies, strict=True) if rung.value == v], axis=0) for v in values]
    error = np.sqrt(np.mean([mean.var(ddof=1) / len(mean) for mean in means]) / len(values) / np.log(values).var())
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, sum(len(mean) - 1 for mean in means)) * error)
    intercepts = dict(zip(names, map(float, coefficients[:-1]), strict=True))
    refusal = ""
    if len(values) < FEWEST_VALUES:
        refusal = f"{len(values)} values are too few to look beyond them: give at least {FEWEST_VALUES}"
    elif p_value < GOOD_FIT:
        refusal = f"the fit is poor (p = {p_value:.2g}): a power law with one exponent does not hold here"
    elif any(not rung.inside for rung in rungs):
        refusal = "a best rate lies at the edge of its range"
    elif any(rung.misses for rung in rungs):
        refusal = "targets were missed, so that some advantages are bounds"
    beyond = None
    if not refusal:
        beyond = {name: float(np.exp(c + slope * np.log(2 * values[-1]))) for name, c in intercepts.items()}
    return Fit(Estimate(slope, slope - half, slope + half), intercepts, p_value, beyond, refusal)
