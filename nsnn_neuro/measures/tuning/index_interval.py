"""Bootstrap intervals of an index of mean responses, such as a selectivity or a preferred direction.

Trials of each stimulus are drawn with replacement, n - 1 of n (Rao & Wu), and the index is computed again. An index of selectivity
is at least 0 and raised by noise, in the resamples once more than in the data. So the lower end of its interval is moved down by
twice the difference of the resamples' mean and the estimate, and is 0 where noise alone reaches the estimate: where the index of
resampled means, less the mean of their stimulus and plus the mean over stimuli, does so with more than the tail's probability.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_CHUNK = 4_000_000  # mean responses of resamples held at a time


def index_interval(
    index: Callable[[np.ndarray], np.ndarray],
    label: np.ndarray,
    responses: np.ndarray,
    *,
    level: float,
    n_resample: int,
    seed: int,
    period: float | None = None,
    selectivity: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end, (n_neurons,) each, for a function `index` of mean responses (..., n_stimuli), at least two trials each.

    period : of an index that is an angle; the ends are then those of its difference from the estimate
    selectivity : whether the index is one, from 0 upwards

    >>> label, responses = np.array([0, 0, 0, 1, 1, 1]), np.array([[4.0], [5.0], [6.0], [1.0], [1.0], [1.0]])
    >>> lower, upper = index_interval(
    ...     lambda m: m[..., 0] - m[..., 1], label, responses, level=0.9, n_resample=50, seed=0
    ... )
    >>> lower, upper
    (array([3.]), array([5.]))
    """
    number = np.bincount(label)
    trials = [responses[label == k] for k in range(number.size)]
    mean = np.stack([x.mean(axis=0) for x in trials], axis=-1)
    own = index(mean)
    rng = np.random.default_rng(seed)
    weights = [rng.multinomial(n - 1, np.full(n, 1 / n), size=n_resample) / (n - 1) for n in number]
    again, reached = np.empty((n_resample, own.size)), np.zeros(own.size)
    step = max(1, _CHUNK // (n_resample * number.size))
    for first in range(0, own.size, step):
        cells = slice(first, first + step)
        means = np.stack([w @ x[:, cells] for w, x in zip(weights, trials, strict=True)], axis=-1)
        again[:, cells] = index(means)
        if selectivity:
            noise = means - mean[cells] + mean[cells].mean(axis=-1, keepdims=True)
            reached[cells] = (index(np.maximum(noise, 0.0)) >= own[cells]).mean(axis=0)
    if period is not None:
        again -= period * np.round((again - own) / period)
    tail = (1 - level) / 2
    lower, upper = np.quantile(again, [tail, 1 - tail], axis=0)
    if selectivity:
        lower = np.maximum(lower - 2 * np.maximum(again.mean(axis=0) - own, 0.0), 0.0)
        lower = np.where(reached > tail, 0.0, lower)
    return lower, upper
