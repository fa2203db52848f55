"""What the best of k trials is worth, from n that were run: every trial counts, with the weight of being the best of k.

Trials of all studies are pooled. Sorted by time, the i-th of n is the best of k drawn without replacement with the
probability c_i = C(n - i, k - 1) / C(n, k); a mean with these weights is the mean over all choices of k trials, an
unbiased estimate of what k random draws are worth (the U-statistic of Hoeffding 1948; for tuning budgets Dodge et al.
2019, in the form without replacement of Tang et al. 2020). The draws of one study are neighbours in a Halton sequence,
which spreads them, so its best is a little better than that of k random ones; the same holds for all submissions.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@cache
def weights(n: int, k: int) -> Array:
    """Compute c_1 ... c_n for the best of `k` (of `n` where there are fewer); they sum to 1."""
    k = min(k, n)
    factors = np.array([(n - i - k + 1) / (n - i) for i in range(1, n)])
    return k / n * np.cumprod(np.concatenate([[1.0], factors]))[:n] if n else np.zeros(0)


def weights_without_each_study(study: NDArray[np.int64], studies: int, k: int) -> Array:
    """Compute the weights of trials in order of their times, and again with each study left out.

    `study` (n,) holds the study of each trial, from 0 to `studies` - 1. Gives (1 + studies, n): the first row is of all
    trials, row 1 + j of those that are not in study j, which have weight 0 there. A row without any trial is nan.
    """
    n = len(study)
    is_in = study[:, None] == np.arange(studies)
    place = np.arange(n)[:, None] - is_in.cumsum(axis=0)
    left = n - is_in.sum(axis=0)
    table = np.zeros((studies, n + 1))
    for number in np.unique(left):
        table[left == number, :number] = weights(int(number), k)
    found = np.empty((1 + studies, n))
    found[0] = weights(n, k)
    found[1:] = np.where(is_in, 0.0, table[np.arange(studies), place]).T
    found[1:][left == 0] = np.nan
    return found


def curve(log_times: Array, most: int) -> Array:
    """Compute the expected log time of the best of 1, 2, ... `most` trials, from `log_times` in increasing order."""
    return np.array([weights(len(log_times), k) @ log_times for k in range(1, min(most, len(log_times)) + 1)])
