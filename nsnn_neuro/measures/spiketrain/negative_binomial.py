"""Negative binomial counts: Poisson counts whose rate is multiplied by a gamma gain of mean 1 and variance a.

With mean f the variance is f + a f^2. Sums over counts j < n take the place of log-gamma functions:
log p(n) = sum_j log(1 + a j) + n log f - (n + 1/a) log(1 + a f) - log n!. They stay accurate down to a = 0, a Poisson
distribution. For any a the maximum likelihood estimate of f is the mean count of the stimulus, so that only a is left to find.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...core.numba_jit import njit
from ..trial_counts import means_of

_LEAST, _MOST, _HALVINGS = -25.0, 14.0, 49  # log a; it is searched in steps of 1, which are then halved


def fit_gain_variance(
    x: np.ndarray, label: np.ndarray, *, adjusted: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood gain variance (n_neurons,) of counts x (n, n_neurons), and twice the log likelihood above Poisson.

    The likelihood can have two maxima, and one at a > 0 even if its slope at 0 is negative: where mean
    counts differ much, those of large mean can be less variable than Poisson counts, those of small
    mean more. So all maxima are found, on a grid of log a, and compared. NaN for neurons without
    spikes. `adjusted` adds Cox and Reid's term for the fitted means, see `_log_likelihood`.
    """
    a, ratio = np.full((2, x.shape[1]), np.nan)
    for i, above, mean, number in _cells(x, label):
        a[i], ratio[i] = _fit(above, mean, number, adjusted)
    return a, ratio


def profile_limits(
    x: np.ndarray, label: np.ndarray, a: np.ndarray, drop: float, *, adjusted: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Gain variances below and above the fit `a` at which twice the log likelihood is lower by `drop`, each (n_neurons,).

    The outermost ones, if there are several. 0 where the likelihood at 0 is within `drop`; infinity where no gain variance is
    large enough.
    """
    lower, upper = np.full((2, x.shape[1]), np.nan)
    for i, above, mean, number in _cells(x, label):
        lower[i], upper[i] = _limits(a[i], drop, above, mean, number, adjusted)
    return lower, upper


def _cells(x: np.ndarray, label: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """For each neuron with spikes: its index, trials with a count above 0, 1, ..., mean counts and trials of the stimuli."""
    mean, trials = means_of(x, label)
    number = trials.astype(float)
    for i in np.flatnonzero(mean.any(axis=0)):
        times = np.bincount(x[:, i].astype(np.int64))
        above = (len(x) - np.cumsum(times)[:-1]).astype(float)
        yield int(i), above, np.ascontiguousarray(mean[:, i]), number


@njit(cache=True)  # pragma: no cover - compiled
def _score(a: float, above: np.ndarray, mean: np.ndarray, number: np.ndarray, adjusted: bool) -> float:
    """Derivative of `_log_likelihood` with respect to a."""
    total = 0.0
    for j in range(above.size):
        total += above[j] * j / (1 + a * j)
    for k in range(mean.size):
        total += number[k] * mean[k] ** 2 * _log_part(a * mean[k])
        if adjusted:
            total += 0.5 * mean[k] / (1 + a * mean[k])
    return total


@njit(cache=True)  # pragma: no cover - compiled
def _log_likelihood(
    a: float, above: np.ndarray, mean: np.ndarray, number: np.ndarray, adjusted: bool
) -> float:
    """Log likelihood less that of a = 0. Adjusted (Cox & Reid 1987): less half the log determinant of the information about the
    means, n / (f + a f^2) for each stimulus, which is + log(1 + a f) / 2 but for a constant."""
    total = 0.0
    for j in range(above.size):
        total += above[j] * np.log1p(a * j)
    for k in range(mean.size):
        x = a * mean[k]
        if x > 0:
            total -= number[k] * mean[k] * ((1 + x) * np.log1p(x) / x - 1)
            if adjusted:
                total += 0.5 * np.log1p(x)
    return total


@njit(cache=True)  # pragma: no cover - compiled
def _fit(above: np.ndarray, mean: np.ndarray, number: np.ndarray, adjusted: bool) -> tuple[float, float]:
    # a single spike has an adjusted score of 0 at a = 0, but for rounding
    least = 1e-12 * (number * mean).sum()
    rises = _score(0.0, above, mean, number, adjusted) > least
    best, highest = 0.0, -np.inf if rises else least
    for end in np.arange(_LEAST + 1, _MOST + 1):
        rose, rises = rises, _score(np.exp(end), above, mean, number, adjusted) > least
        if rises or not rose:
            continue
        low, high = end - 1, end  # a maximum is between them
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            if _score(np.exp(middle), above, mean, number, adjusted) > 0:
                low = middle
            else:
                high = middle
        a = np.exp(0.5 * (low + high))
        value = _log_likelihood(a, above, mean, number, adjusted)
        if value > highest:
            best, highest = a, value
    return best, max(2 * highest, 0.0) if best > 0 else 0.0


@njit(cache=True)  # pragma: no cover - compiled
def _limits(
    a: float, drop: float, above: np.ndarray, mean: np.ndarray, number: np.ndarray, adjusted: bool
) -> tuple[float, float]:
    least = _log_likelihood(a, above, mean, number, adjusted) - drop / 2
    ends = np.zeros(2)
    for side in range(2):
        inside, outside = np.log(a) if a > 0 else _LEAST, _MOST if side else _LEAST
        far = np.exp(outside) if side else 0.0
        if _log_likelihood(far, above, mean, number, adjusted) >= least:
            ends[side] = np.inf if side else 0.0
            continue
        # from the far end to the first step inside, which may belong to another maximum
        step = -1.0 if side else 1.0
        while step * (inside - outside) > 1:
            near = outside + step
            if _log_likelihood(np.exp(near), above, mean, number, adjusted) >= least:
                inside = near
                break
            outside = near
        for _ in range(_HALVINGS):
            middle = 0.5 * (inside + outside)
            if _log_likelihood(np.exp(middle), above, mean, number, adjusted) >= least:
                inside = middle
            else:
                outside = middle
        ends[side] = np.exp(inside)
    return ends[0], ends[1]


def fisher_information(f: np.ndarray, a: float) -> np.ndarray:
    """Fisher information about a, per trial, at means f (k,); it is 1 / (f + a f^2) about f, and 0 about both together.

    The mean of the squared score over the distribution, which has no differences of nearly equal terms; f^2 / 2 at a = 0.
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
