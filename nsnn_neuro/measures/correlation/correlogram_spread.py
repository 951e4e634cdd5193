"""Variance of the pairs of spikes that independent trains have, from pairs of different trials, or of pieces of trials.

Spikes of one neuron in piece i and of another in piece j != i are independent whatever the two do in common at one
time. What depends on i or on j alone is taken off, as it cancels in the difference of a correlogram and its shift
predictor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.numba_jit import njit
from .correlogram_counts import Binned

_PIECES = 8
_TRIALS = 16  # of "shift": rates that change from trial to trial add a variance that lags share
_FEWEST_PIECES = 4
_STEPS = 1.5e4  # of the loops over spikes and lags, for each pair of neurons
_LAGS_IN_PIECE = 10  # pieces of so many times the largest lag are long enough
_POISSON_PAIRS = 5.0  # pairs of spikes that count as evidence for Poisson's variance


@njit(cache=True)  # pragma: no cover - compiled
def _residual_squares(
    index: np.ndarray,
    offsets: np.ndarray,
    n: int,
    n_bins: int,
    first: np.ndarray,
    second: np.ndarray,
    n_lags: int,
    by_rates: bool,
    smoothed: np.ndarray,
) -> np.ndarray:
    """(n_pairs, 2): sum over lags of the residual variance of counts, and of counts, per pair of pieces i and j != i.

    Counts less those expected by their rates or by `smoothed` (n_pieces, n_bins), less the best fit of a sum r_i + c_j,
    which is r_i = ((u - 1) R_i + C_i) / (u (u - 2)) of the sums R_i, C_j of rows and columns about their mean.
    """
    u = (offsets.size - 1) // n
    width = 2 * n_lags + 1
    out = np.zeros((first.size, 2))
    count = np.empty(width)
    for p in range(first.size):
        rows, columns = np.zeros((u, width)), np.zeros((u, width))
        squares, total = 0.0, 0.0
        for i in range(u):
            begin, stop = offsets[i * n + first[p]], offsets[i * n + first[p] + 1]
            for j in range(u):
                if i == j:
                    continue
                low, end = offsets[j * n + second[p]], offsets[j * n + second[p] + 1]
                rate = (stop - begin) * (end - low) / n_bins**2 if by_rates else 0.0
                for k in range(width):
                    count[k] = -rate * (n_bins - abs(k - n_lags))
                for s in range(begin, stop):
                    x = index[s]
                    while low < end and index[low] < x - n_lags:
                        low += 1
                    t = low
                    while t < end and index[t] <= x + n_lags:
                        count[index[t] - x + n_lags] += 1
                        total += 1
                        t += 1
                    if smoothed.size:
                        for k in range(max(-n_lags, -x), min(n_lags, n_bins - 1 - x) + 1):
                            count[k + n_lags] -= smoothed[j, x + k]
                for k in range(width):
                    squares += count[k] ** 2
                    rows[i, k] += count[k]
                    columns[j, k] += count[k]
        for k in range(width):
            mean = rows[:, k].sum() / u
            squares -= mean**2 * u / (u - 1)
            for i in range(u):
                r, c = rows[i, k] - mean, columns[i, k] - mean
                squares -= ((u - 1) * (r**2 + c**2) + 2 * r * c) / (u * (u - 2))
        out[p, 0] = squares / (u**2 - 3 * u + 1)
        out[p, 1] = total / (u**2 - u)
    return out


def _length(data: Binned, predictor: str, window: float) -> int:
    """Bins of a piece: the whole trial for "shift"; else shorter if trials are few, or loops would take long."""
    shortest = int(data.n_bins.min())
    if predictor == "shift":
        return shortest
    longest = shortest // -(-_PIECES // data.n_bins.size)
    rate = data.index.size / (data.n * data.n_bins.sum())
    lags = 2 * data.n_lags + 1
    steps = _PIECES**2 * rate * (1 + lags * (1 if predictor == "jitter" else rate))
    enough = max(_LAGS_IN_PIECE * (data.n_lags + 1), int(min(_STEPS / steps, shortest)) if steps else 0)
    length = min(shortest, max(2 * (data.n_lags + 1), min(longest, max(enough, window / data.width))))
    windows = length * data.width // window if window else 0  # whole windows, where several fit
    return round(windows * window / data.width) if windows else int(length)


def dispersion(
    data: Binned, predictor: str, first: np.ndarray, second: np.ndarray, window: float | None
) -> np.ndarray | None:
    """(n_pairs,) variance of the pairs of spikes of independent trains over their mean number, 1 for Poisson trains.

    None if there are fewer than four trials (for "shift") or pieces of trials of twice the largest lag.
    """
    length = _length(data, predictor, window or 0.0)
    each = data.n_bins // length
    if each.sum() < _FEWEST_PIECES:
        return None
    most = _TRIALS if predictor == "shift" else _PIECES
    chosen = np.unique(np.linspace(0, each.sum() - 1, most).round().astype(np.int64))
    trial = np.repeat(np.arange(each.size), each)[chosen]
    start = (chosen - (np.cumsum(each) - each)[trial]) * length
    number = np.full((each.size, int(each.max())), -1)
    number[trial, start // length] = np.arange(chosen.size)
    place = data.index // length
    own = data.train // data.n
    piece = np.where(place < each[own], number[own, np.minimum(place, each.max() - 1)], -1)
    inside = piece >= 0
    train = piece[inside] * data.n + data.train[inside] % data.n
    index = (data.index % length)[inside]
    order = np.lexsort((index, train))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(train, minlength=chosen.size * data.n))])

    def spread(a: np.ndarray, b: np.ndarray, smoothed: Any) -> np.ndarray:
        by_rates = predictor == "poisson"
        return _residual_squares(index[order], offsets, data.n, length, a, b, data.n_lags, by_rates, smoothed)

    if window is None:
        sums = spread(first, second, np.empty((0, 0)))
    else:
        sums = np.empty((first.size, 2))
        bins = start[:, None] + np.arange(length)
        for b in np.unique(second):
            pairs = second == b
            smoothed = data.in_windows(b, window)[trial[:, None], bins]
            sums[pairs] = spread(first[pairs], second[pairs], smoothed)
    sums *= chosen.size**2 - chosen.size
    return (sums[:, 0] + _POISSON_PAIRS) / (sums[:, 1] + _POISSON_PAIRS)
