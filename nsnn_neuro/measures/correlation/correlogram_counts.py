"""Pairs of spikes by lag, counted in one compiled pass over all pairs of neurons; those expected by chance, and their variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from ...core.errors import NsnnError
from ...core.numba_jit import njit
from ..trains import Trains

_PIECES = 8
_TRIALS = 16  # of "shift": rates that change from trial to trial add a variance that lags share
_FEWEST_PIECES = 4
_STEPS = 1.5e4  # of the loops over spikes and lags, for each pair of neurons
_LAGS_IN_PIECE = 10  # pieces of so many times the largest lag are long enough
_POISSON_PAIRS = 5.0  # pairs of spikes that count as evidence for Poisson's variance
_LARGEST_TRANSFORM = 2**25  # values of 8 bytes, of all neurons' binned spikes; transforms take as much


@njit(cache=True)  # pragma: no cover - compiled
def _count_pairs(
    index: np.ndarray, offsets: np.ndarray, n: int, first: np.ndarray, second: np.ndarray, n_lags: int
) -> np.ndarray:
    """(n_pairs, 2 n_lags + 1) pairs of spikes by lag in bins; index: bin of each spike, ascending within trains."""
    out = np.zeros((first.size, 2 * n_lags + 1), dtype=np.int64)
    n_trials = (offsets.size - 1) // n
    for p in range(first.size):
        for trial in range(n_trials):
            a, b = trial * n + first[p], trial * n + second[p]
            low, end = offsets[b], offsets[b + 1]
            for i in range(offsets[a], offsets[a + 1]):
                while low < end and index[low] < index[i] - n_lags:
                    low += 1
                j = low
                while j < end and index[j] <= index[i] + n_lags:
                    out[p, index[j] - index[i] + n_lags] += 1
                    j += 1
    return out


@njit(cache=True)  # pragma: no cover - compiled
def _sum_at_lags(
    index: np.ndarray,
    offsets: np.ndarray,
    n: int,
    n_bins: np.ndarray,
    first: np.ndarray,
    smoothed: np.ndarray,
    n_lags: int,
) -> np.ndarray:
    """(n_first, 2 n_lags + 1) sums of smoothed counts (n_trials, n_bins) at each lag from the spikes of the neurons `first`."""
    out = np.zeros((first.size, 2 * n_lags + 1))
    for p in range(first.size):
        for trial in range(n_bins.size):
            a = trial * n + first[p]
            for i in range(offsets[a], offsets[a + 1]):
                x = index[i]
                for k in range(max(-n_lags, -x), min(n_lags, n_bins[trial] - 1 - x) + 1):
                    out[p, k + n_lags] += smoothed[trial, x + k]
    return out


@dataclass(frozen=True)
class Binned:
    """Bins of all spikes, by train, and the pairs between them."""

    index: np.ndarray  # (n_spikes,) bin in the trial
    train: np.ndarray  # (n_spikes,)
    n_bins: np.ndarray  # (n_trials,)
    n: int  # neurons
    n_lags: int  # bins from lag 0 to the largest lag; arrays have a column for each of the 2 n_lags + 1 lags
    lags: np.ndarray  # s
    width: float  # s
    trains: Trains

    @property
    def per_trial(self) -> np.ndarray:
        """(n_trials, n_neurons) spikes in bins."""
        size = self.n_bins.size * self.n
        return np.bincount(self.train, minlength=size).reshape(-1, self.n)

    @property
    def offsets(self) -> np.ndarray:
        """(n_trials * n_neurons + 1,) where each train begins."""
        return np.concatenate([[0], np.cumsum(self.per_trial.ravel())])

    def references(self, neuron: int) -> np.ndarray:
        """(2 n_lags + 1,) spikes of a neuron whose trial holds a bin at this lag from theirs."""
        own = self.train % self.n == neuron
        before = self.index[own]
        after = self.n_bins[self.train[own] // self.n] - 1 - before
        lags = np.arange(self.n_lags + 1)
        earlier, later = (bins.size - np.searchsorted(np.sort(bins), lags) for bins in (before, after))
        return np.concatenate([earlier[:0:-1], later])

    def pairs(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(n_pairs, 2 n_lags + 1) counts, self-pairs left out."""
        counts = _count_pairs(self.index, self.offsets, self.n, first, second, self.n_lags)
        counts[first == second, self.n_lags] -= self.per_trial.sum(axis=0)[first[first == second]]
        return counts

    def by_rates(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(n_pairs, 2 n_lags + 1) pairs expected of independent trains of constant rate in each trial."""
        number = self.per_trial.astype(float)
        shape = np.maximum(self.n_bins[:, None] - np.abs(np.arange(-self.n_lags, self.n_lags + 1)), 0)
        shape = shape / self.n_bins[:, None] ** 2
        return (number[:, first] * (number[:, second] - (first == second))).T @ shape

    def by_other_trials(self, first: np.ndarray, second: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """(n_pairs, 2 n_lags + 1) mean over the pairs of different trials, times the number of trials."""
        auto = (first == second)[:, None]
        both = self._pooled_pairs(first, second)
        within = counts + np.where(auto & (self.lags == 0), self.per_trial.sum(axis=0)[first][:, None], 0)
        return (both - within) / (self.n_bins.size - 1)

    def by_windows(self, first: np.ndarray, smoothed: np.ndarray) -> np.ndarray:
        """(n_first, 2 n_lags + 1) pairs expected with a second neuron, whose `in_windows` are `smoothed`."""
        return _sum_at_lags(self.index, self.offsets, self.n, self.n_bins, first, smoothed, self.n_lags)

    def in_windows(self, neuron: int, window: float) -> np.ndarray:
        """(n_trials, n_bins) spikes of a neuron expected in each bin when they are placed anew in windows of `window` s."""
        out = np.zeros((self.n_bins.size, int(self.n_bins.max())))
        trains, own = self.trains, self.trains.of_neuron(neuron)
        for trial, (m, start, stop) in enumerate(
            zip(self.n_bins, trains.t_start, trains.t_stop, strict=True)
        ):
            times = own.times[own.offsets[trial] : own.offsets[trial + 1]] - start
            last = max(int(np.ceil((stop - start) / window - 1e-9)) - 1, 0)
            number = np.minimum(np.floor(times / window + 1e-9), last).astype(np.int64)
            before = np.concatenate([[0], np.cumsum(np.bincount(number, minlength=last + 1))])
            borders = np.append(np.arange(last + 1) * window, stop - start)
            out[trial, :m] = np.diff(np.interp(np.arange(m + 1) * self.width, borders, before))
        return out

    def _pooled_pairs(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(n_pairs, 2 n_lags + 1) counts over all trials laid on one another, with the pairs of a spike with itself."""
        neuron, m, columns = self.train % self.n, int(self.n_bins[0]), 2 * self.n_lags + 1
        total = np.bincount(neuron, minlength=self.n).astype(float)
        size = next_fast_len(m + self.n_lags, real=True)
        # where many trials fill the bins, Fourier transforms are faster; their rounding errors are far below 1/2
        steps = float(total[first] @ total[second]) * columns / m
        if steps > 20.0 * first.size * size and self.n * size < _LARGEST_TRANSFORM:
            rates = np.bincount(neuron * m + self.index, minlength=self.n * m).reshape(self.n, m)
            transformed = rfft(rates.astype(float), size)
            lagged = np.arange(-self.n_lags, self.n_lags + 1) % size
            pairs = zip(first, second, strict=True)
            rows = [irfft(transformed[a].conj() * transformed[b], size)[lagged] for a, b in pairs]
            return np.rint(rows).astype(np.int64)
        order = np.lexsort((self.index, neuron))
        offsets = np.concatenate([[0], np.cumsum(total.astype(np.int64))])
        return _count_pairs(self.index[order], offsets, self.n, first, second, self.n_lags)


def binned(trains: Trains, width: float, max_lag: float) -> Binned:
    """The spikes of `trains` in bins of `width` s; NsnnError for a lag (s) as long as a trial."""
    index, n_bins = trains.bins(width, "bin_width")
    columns = max(1, round(max_lag / width))
    if n_bins.min() <= columns:
        raise NsnnError(
            f"max_lag = {max_lag:g} s: expected a time shorter than the shortest trial, {trains.durations.min():g} s"
        )
    inside = index < n_bins[trains.trial]
    lags = width * np.arange(-columns, columns + 1)
    return Binned(index[inside], trains.train[inside], n_bins, trains.n_neurons, columns, lags, width, trains)


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

    Spikes of one neuron in piece i and of another in piece j != i are independent whatever the two do in common at one time. What
    depends on i or on j alone is taken off, as it cancels in the difference of a correlogram and its shift predictor.

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
