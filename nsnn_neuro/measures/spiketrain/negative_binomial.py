"""Negative binomial counts: Poisson counts whose rate is multiplied by a gamma gain of mean 1 and variance a.

With mean f the variance is f + a f^2. Sums over counts j < n take the place of log-gamma functions:
log p(n) = sum_j log(1 + a j) + n log f - (n + 1/a) log(1 + a f) - log n!. They stay accurate down to a = 0, a Poisson
distribution. For any a the maximum likelihood estimate of f is the mean count of the stimulus, so that only a is left to find.
"""

from __future__ import annotations

import numpy as np

from ...core.numba_jit import njit

_LEAST, _MOST, _HALVINGS = -25.0, 14.0, 55  # log a


def fit_gain_variance(x: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood gain variance (n_neurons,) of counts x (n, n_neurons), and twice the log likelihood above Poisson.

    The score in a is positive at a = 0 if the variance within stimuli (divisor n) is above the mean, and then has a root; if not,
    a is 0. NaN for neurons without spikes.

    >>> a, ratio = fit_gain_variance(np.array([[4, 4], [4, 0], [5, 9], [4, 4.0]]), np.zeros(4, dtype=int))
    >>> a.round(3), ratio.round(3)
    (array([0.   , 0.609]), array([0.   , 2.845]))
    """
    number = np.bincount(label)
    mean = np.zeros((number.size, x.shape[1]))
    np.add.at(mean, label, x)
    mean /= number[:, None]
    a, ratio = np.full((2, x.shape[1]), np.nan)
    for i in np.flatnonzero(mean.any(axis=0)):
        times = np.bincount(x[:, i].astype(np.int64))
        above = (len(x) - np.cumsum(times)[:-1]).astype(float)  # trials with a count above 0, 1, ...
        a[i], ratio[i] = _fit(above, np.ascontiguousarray(mean[:, i]), number.astype(float))
    return a, ratio


@njit(cache=True)  # pragma: no cover - compiled
def _score(a: float, above: np.ndarray, mean: np.ndarray, number: np.ndarray) -> float:
    """Derivative of the log likelihood with respect to a."""
    total = 0.0
    for j in range(above.size):
        total += above[j] * j / (1 + a * j)
    for k in range(mean.size):
        total += number[k] * mean[k] ** 2 * _log_part(a * mean[k])
    return total


@njit(cache=True)  # pragma: no cover - compiled
def _fit(above: np.ndarray, mean: np.ndarray, number: np.ndarray) -> tuple[float, float]:
    if _score(0.0, above, mean, number) <= 0:
        return 0.0, 0.0
    low, high = _LEAST, _MOST
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if _score(np.exp(middle), above, mean, number) > 0:
            low = middle
        else:
            high = middle
    a, change = np.exp(0.5 * (low + high)), 0.0
    for j in range(above.size):
        change += above[j] * np.log1p(a * j)
    for k in range(mean.size):
        x = a * mean[k]
        if x > 0:
            change -= number[k] * mean[k] * ((1 + x) * np.log1p(x) / x - 1)
    return a, max(2 * change, 0.0)


def fisher_information(f: np.ndarray, a: float) -> np.ndarray:
    """Fisher information about a, per trial, at means f (k,); it is 1 / (f + a f^2) about f, and 0 about both together.

    The mean of the squared score over the distribution, which has no differences of nearly equal terms; f^2 / 2 at a = 0.

    >>> fisher_information(np.array([10.0]), 0.25).round(6)
    array([3.95491])
    """
    return np.array([_fisher(float(one), float(a)) for one in f])


@njit(cache=True)  # pragma: no cover - compiled
def _fisher(f: float, a: float) -> float:
    """The sum over counts one by one: 40 (1 + a f) of them, which may be 10^8, do not fit into memory."""
    if f == 0:
        return 0.0
    if a == 0:
        return 0.5 * f * f
    last = f + 12 * np.sqrt(f + a * f * f) + 40 * (1 + a * f)
    step, slope = np.log(f) - np.log1p(a * f), f / (1 + a * f)
    at_mean = f * f * _log_part(a * f)
    # log p(n), and the sum of j / (1 + a j) over j < n
    log_p, pairs, total, n = -np.log1p(a * f) / a, 0.0, 0.0, 0.0
    while n <= last:
        # d/da of -(n + 1/a) log(1 + a f), by n - f and what is left at n = f
        score = pairs + at_mean - (n - f) * slope
        term = np.exp(log_p) * score * score
        total += term
        if n > last / 2 and term <= 1e-22 * total:
            break
        log_p += np.log1p(a * n) - np.log(n + 1) + step
        pairs += n / (1 + a * n)
        n += 1
    return total


@njit(cache=True)  # pragma: no cover - compiled
def _log_part(x: float) -> float:
    """(log(1 + x) - x) / x^2, -1/2 at 0."""
    if x > 0.02:
        return (np.log1p(x) - x) / x**2
    total, power = 0.0, 1.0
    for k in range(10):
        total -= power / (k + 2)
        power *= -x
    return total
