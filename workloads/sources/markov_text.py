"""Text from a Markov source whose entropy is known exactly: the loss that no model can go below is a number.

From each token the next one is drawn, with a probability of about 3/10, from Zipf's law over the whole vocabulary (so
that tokens are as unequally frequent as letters are), and else from Zipf's law over an order of the vocabulary that
belongs to that token alone (so that there is something to learn). Probabilities are multiples of 2^-16 and draws
come from numpy's frozen `RandomState` stream (NEP 19): the text is the same on every machine.
"""

from bisect import bisect_right

import numpy as np

VOCABULARY = 65
UNIT = 1 << 16
EXPONENT = 1.3
"""The exponent of Zipf's law."""
COMMON = 0.3
"""The share of draws that do not depend on the token before."""
CHARACTERS = 200_000


def markov_text() -> np.ndarray:
    """Draw the whole text as tokens, uint8 [characters]."""
    draw = np.random.RandomState(82)
    rows = [row.tolist() for row in transitions().cumsum(axis=1)]
    text, token = [], 0
    for level in draw.randint(UNIT, size=CHARACTERS).tolist():
        token = bisect_right(rows[token], level)
        text.append(token)
    return np.array(text, dtype=np.uint8)


def transitions() -> np.ndarray:
    """Compute the transition table, int64 [token, next token], in units of 2^-16; each row sums to 2^16."""
    draw = np.random.RandomState(81)
    zipf = 1.0 / np.arange(1, VOCABULARY + 1) ** EXPONENT
    zipf /= zipf.sum()
    own = np.stack([zipf[draw.permutation(VOCABULARY)] for _ in range(VOCABULARY)])
    table = np.rint((COMMON * zipf + (1 - COMMON) * own) * UNIT).astype(np.int64)
    table[np.arange(VOCABULARY), table.argmax(axis=1)] += UNIT - table.sum(axis=1)
    return table


def entropy_rate() -> float:
    """Compute the entropy of the next token given all before it, in nats: -sum_i pi_i sum_j p_ij log p_ij.

    (Shannon 1948, section 7; pi is the stationary distribution.)
    """
    probabilities = transitions() / UNIT
    stationary = np.full(VOCABULARY, 1 / VOCABULARY)
    for _ in range(1000):
        stationary = stationary @ probabilities
    return float(-(stationary[:, None] * probabilities * np.log(probabilities)).sum())
