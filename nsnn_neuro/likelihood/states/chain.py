"""Hidden Markov chains: forward-backward, the most likely path and drawn paths, of trials one after the other.

likelihood (n, k) is that of each step in each state, up to a factor for each step. transition (1 or n, k, k) has the probability
of state j in step t given state i in step t - 1; the first axis has length 1 where it is constant. Probabilities are scaled in each
step, so that none underflows.

Source: Rabiner 1989, doi 10.1109/5.18626
"""

from __future__ import annotations

import numpy as np

from ...core.numba_jit import njit

_LEAST = 1e-300  # probability: a step that is impossible in all states has a finite logarithm


@njit(cache=True, nogil=True)  # pragma: no cover - compiled
def forward(
    likelihood: np.ndarray, transition: np.ndarray, initial: np.ndarray, begins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """P(state | spikes up to the step) (n, k), and P(spikes of the step | those before) over its factor (n,)."""
    n, k = likelihood.shape
    filtered, norm = np.empty((n, k)), np.empty(n)
    varies = len(transition) > 1
    for t in range(n):
        row = t if varies else 0
        total = 0.0
        for j in range(k):
            ahead = 0.0
            if begins[t]:
                ahead = initial[j]
            else:
                for i in range(k):
                    ahead += filtered[t - 1, i] * transition[row, i, j]
            filtered[t, j] = ahead * likelihood[t, j]
            total += filtered[t, j]
        norm[t] = max(total, _LEAST)
        for j in range(k):
            filtered[t, j] /= norm[t]
    return filtered, norm


@njit(cache=True, nogil=True)  # pragma: no cover - compiled
def backward(
    posterior: np.ndarray,
    likelihood: np.ndarray,
    norm: np.ndarray,
    transition: np.ndarray,
    begins: np.ndarray,
) -> np.ndarray:
    """Expected transitions (1 or n, k, k); `posterior`, from `forward`, becomes P(state | all spikes)."""
    n, k = likelihood.shape
    expected = np.zeros(transition.shape)
    varies = len(transition) > 1
    later, earlier = np.ones(k), np.empty(k)
    for t in range(n - 1, -1, -1):
        row = t if varies else 0
        for j in range(k):
            value = later[j]
            later[j] = value * likelihood[t, j] / norm[t]
            posterior[t, j] *= value
        if begins[t]:
            later[:] = 1.0
            continue
        for i in range(k):
            earlier[i] = 0.0
            for j in range(k):
                step = transition[row, i, j] * later[j]
                earlier[i] += step
                expected[row, i, j] += posterior[t - 1, i] * step
        later[:] = earlier
    return expected


@njit(cache=True, nogil=True)  # pragma: no cover - compiled
def most_likely(
    logs: np.ndarray, transition: np.ndarray, initial: np.ndarray, begins: np.ndarray
) -> np.ndarray:
    """The most likely path (n,), Viterbi's; logs, log-likelihoods (n, k); transition and initial as logarithms."""
    n, k = logs.shape
    best, origin = np.zeros((n, k)), np.zeros((n, k), dtype=np.int16)
    varies = len(transition) > 1
    for t in range(n):
        row = t if varies else 0
        for j in range(k):
            highest = initial[j]
            if not begins[t]:
                highest = -np.inf
                for i in range(k):
                    value = best[t - 1, i] + transition[row, i, j]
                    if value > highest:
                        highest, origin[t, j] = value, i
            best[t, j] = highest + logs[t, j]
    path = np.empty(n, dtype=np.int64)
    for t in range(n - 1, -1, -1):
        last = t == n - 1 or begins[t + 1]
        path[t] = np.argmax(best[t]) if last else origin[t + 1, path[t + 1]]
    return path


@njit(cache=True, nogil=True)  # pragma: no cover - compiled
def drawn(transition: np.ndarray, initial: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Paths (n, n_trials) of the chain from as many uniform numbers."""
    path = np.empty(uniform.shape, dtype=np.int64)
    for t in range(len(uniform)):
        for trial in range(uniform.shape[1]):
            chances = initial if t == 0 else transition[t if len(transition) > 1 else 0, path[t - 1, trial]]
            state, total = 0, chances[0]
            while uniform[t, trial] >= total and state < len(chances) - 1:
                state += 1
                total += chances[state]
            path[t, trial] = state
    return path
