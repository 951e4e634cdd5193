"""The loop of `trial_drift` that Numba compiles; a module apart, since most Fano factors need no Numba."""

from __future__ import annotations

import numpy as np

from ...core.numba_jit import njit


@njit(cache=True)  # pragma: no cover - compiled
def products(
    z: np.ndarray, order: np.ndarray, starts: np.ndarray, uniform: np.ndarray, out: np.ndarray
) -> None:
    """Into `out` (permutations, neurons): sums of products of successive trials, the trials of each label permuted.

    z : (trials, neurons, windows); order : trials sorted by label; starts : where each label begins in it; uniform :
    (permutations, trials) random numbers
    """
    mixed, place = order.copy(), np.empty_like(order)
    for k in range(uniform.shape[0]):
        for group in range(starts.size - 1):
            first = starts[group]
            for i in range(starts[group + 1] - 1, first, -1):
                j = first + int(uniform[k, i] * (i - first + 1))
                mixed[i], mixed[j] = mixed[j], mixed[i]
        for i in range(order.size):
            place[order[i]] = mixed[i]
        for n in range(z.shape[1]):
            total = 0.0
            for t in range(order.size - 1):
                for w in range(z.shape[2]):
                    total += z[place[t], n, w] * z[place[t + 1], n, w]
            out[k, n] = total
