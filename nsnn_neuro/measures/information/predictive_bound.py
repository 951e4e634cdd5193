"""Lower bound on word information: cross-validated log-probability of the stimulus given the word.

For any law q(s | r), I(S; R) >= H(S) + E log2 q(S | R). Candidates, fitted without the trial that they predict, are

    p(r | s) = [n(r, s) + a b(r | s)] / (n_s + a),   q(s | r) proportional to p(s) p(r | s)^c,

b the law of words pooled over stimuli, or the product of the letters' laws given s, frequencies or normal; c <= 1 takes
less than the full evidence, as dependent letters need. The highest is the bound. Counts of the other stimuli are scaled
down as that of the trial left out, since otherwise the numbers of trials would give the stimulus away.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

_WEIGHTS = (1.0, 3.0, 10.0, 30.0, 100.0, math.inf)  # a
_POWERS = (0.25, 0.5, 0.75, 1.0)  # c
_PRIOR = 4.0  # trials that the mean variance counts for
_HALF = 0.5  # counts added to each letter, after Krichevsky & Trofimov 1981


class Bound(NamedTuple):
    """A lower bound in bits and its standard error over trials."""

    value: float
    se: float


def predictive_bound(s: np.ndarray, words: np.ndarray, n_s: int) -> Bound:
    """Leave-one-out lower bound of I(S; R) in bits, 0 or more, of words int (n, k) and codes s int (n,) of n_s stimuli
    that occur.

    Source: Barber & Agakov 2003, Advances in Neural Information Processing Systems 16, 201-208
    """
    distinct, codes = np.unique(words, axis=0, return_inverse=True)
    codes = codes.reshape(-1)
    table = np.bincount(s * len(distinct) + codes, minlength=n_s * len(distinct)).reshape(n_s, -1)
    trials, n = table.sum(1), len(s)
    stimulus, word = np.nonzero(table)
    times, cell = table[stimulus, word], np.arange(stimulus.size)
    own = np.zeros((cell.size, n_s))
    own[cell, stimulus] = 1.0
    scale = np.where(own > 0, 1.0, (trials - 1.0) / trials)
    counts, left = (table[:, word].T - own) * scale, trials - 1.0
    pooled = np.log((table.sum(0)[word] - 0.5) / (n - 0.5))[:, None]
    apart, normal = np.zeros(own.shape), np.zeros(own.shape)
    for letters in distinct.T:
        present, letter = np.unique(letters, return_inverse=True)
        by_letter = np.zeros((present.size, n_s))
        np.add.at(by_letter, letter, table.T)
        seen = (by_letter[letter[word]] - own) * scale
        apart += np.log((seen + _HALF) / (left + _HALF * present.size))
        normal += _normal(letters[word].astype(float), by_letter, present.astype(float), own)
    bases = (pooled, apart, normal) if present.size > 2 or len(distinct.T) > 1 else (pooled, apart)
    prior = np.log(trials / n)
    log_counts = np.log(counts, out=np.full(counts.shape, -np.inf), where=counts > 0)
    best = Bound(0.0, 0.0)
    for base in bases:
        for weight in _WEIGHTS:
            if math.isinf(weight):
                evidence = np.broadcast_to(base, own.shape)
            else:
                evidence = np.logaddexp(log_counts, base + math.log(weight)) - np.log(left + weight)
            for power in _POWERS:
                log_q = power * evidence + prior
                log_q = log_q - np.logaddexp.reduce(log_q, axis=1, keepdims=True)
                gain = (log_q[cell, stimulus] - prior[stimulus]) / math.log(2)
                result = _mean(gain, times)
                if result.value > best.value + 1e-9:
                    best = result
    return best


def _mean(gain: np.ndarray, times: np.ndarray) -> Bound:
    """Mean gain and its standard error, with two trials added that lose as much as any gained.

    Nearly all trials may gain the most that can be known: without a rare one that loses much the spread is too small.
    """
    values, weights = np.append(gain, -gain.max()), np.append(times, 2.0)
    n = weights.sum()
    mean = float(weights @ values / n)
    return Bound(mean, float(np.sqrt(weights @ (values - mean) ** 2 / n / (n - 1))))


def _normal(x: np.ndarray, counts: np.ndarray, present: np.ndarray, own: np.ndarray) -> np.ndarray:
    """ln of normal densities (m, n_s) of letters x (m,), from counts (letters, n_s) less `own` (m, n_s).

    Variances are drawn towards their mean over stimuli as by four more trials.
    """
    left = np.maximum(counts.sum(0) - own, 1.0)
    first, second = present @ counts - own * x[:, None], present**2 @ counts - own * x[:, None] ** 2
    mean = first / left
    squares = np.maximum(second - left * mean**2, 0.0)
    shared = max(float(squares.mean(0).sum() / left.mean(0).sum()), 1.0 / 12.0)
    variance = (squares + _PRIOR * shared) / (left + _PRIOR) * (1.0 + 1.0 / left)
    return -0.5 * ((x[:, None] - mean) ** 2 / variance + np.log(variance))
