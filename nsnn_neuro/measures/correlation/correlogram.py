"""Cross-correlograms of pairs of neurons, with the pairs of spikes expected by chance and a confidence band.

Pairs of spikes are counted within trials, in bins that tile each trial from its start: a pair in bins i and i + k has lag k bins.
What remains of a trial behind its last whole bin is not used, nor are its spikes. The counts equal those of Elephant's
`cross_correlation_histogram`, summed over trials. They are counted here by one compiled pass over the spikes of all pairs of
neurons, which takes milliseconds where one call per pair takes minutes.

Chance is one of three predictors.

- "poisson": independent trains of constant rate, n_a n_b (m - |k|) / m^2, summed over trials of m bins with n_a and n_b spikes;
  for an autocorrelogram n_a (n_a - 1) in place of n_a n_b. Given the numbers of spikes, the pairs at a lag have this variance.
- "shift": independent trains that share the rates' modulation by the stimulus, the mean of the correlograms of neuron a's trial i
  with neuron b's trial j over all i != j (the shuffle or PST predictor). For R trials the difference of the counts and the
  predictor has the variance of a Poisson count times R / (R - 1).
- "jitter": independent trains that share any modulation slower than the jitter window. Neuron b's spikes are placed anew
  within windows of that width, and the band holds the surrogates' counts. A modulation at frequency f is underestimated by the
  fraction (pi f window)^2 / 3: for 1 Hz and 100 ms by 3 %.

At lag 0 an autocorrelogram counts each pair of spikes twice, so that the variance is twice the mean.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.stats import poisson

from ...core.checks import check, one_of, scalar, suggest_keywords
from ...core.errors import NsnnError
from ...core.numba_jit import njit
from ...core.units import shown
from ..spiketrain.surrogates import jitter
from ..trains import Trains, as_trains, nan_ratio

PREDICTORS = ("poisson", "shift", "jitter")
_LARGEST_TRANSFORM = 2**25
"""values of all neurons' binned spikes, 8 bytes each and as much for their transforms"""


@dataclass(frozen=True, eq=False)
class CrossCorrelogram:
    """Correlogram of one pair of neurons; made by `cross_correlogram`. Arrays are (n_lags,).

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.105, 0.305], [0.115, 0.315]]], t_stop=0.5*pq.s)
    >>> c = cross_correlogram(block, (0, 1), bin_width=10*pq.ms, max_lag=20*pq.ms)
    >>> c.rate.tolist()  # Hz, of neuron 1 around a spike of neuron 0
    [0.0, 0.0, 0.0, 100.0, 0.0]
    """

    lags: np.ndarray
    """s, middles of the bins: time of the second neuron's spike less that of the first's"""
    counts: np.ndarray
    """pairs of spikes"""
    expected: np.ndarray
    """pairs expected by chance"""
    lower: np.ndarray
    """lower end of the band that holds the counts of independent trains with probability `confidence` at each lag"""
    upper: np.ndarray
    """upper end of this band"""
    bin_width: float
    """s"""
    n_spikes: tuple[int, int]
    """spikes of both neurons in bins"""
    n_reference: np.ndarray
    """spikes of the first neuron whose trial holds a bin at this lag from theirs"""
    predictor: str
    confidence: float

    @property
    def rate(self) -> np.ndarray:
        """Rate in Hz of the second neuron at each lag from a spike of the first, counts / (n_reference bin_width).

        Spikes of the first neuron whose trial ends before this lag are left out, so that the rate of independent neurons is the
        second neuron's own at all lags. NaN where no spike is left.
        """
        return nan_ratio(self.counts, self.n_reference * self.bin_width)

    @property
    def ratio(self) -> np.ndarray:
        """counts / expected, 1 without correlation; NaN where nothing is expected."""
        return nan_ratio(self.counts, self.expected)


@dataclass(frozen=True, eq=False)
class CrossCorrelograms:
    """Correlograms of all pairs of neurons; made by `cross_correlograms`.

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.105, 0.305], [0.115, 0.315]]], t_stop=0.5*pq.s)
    >>> c = cross_correlograms(block, bin_width=10*pq.ms, max_lag=20*pq.ms)
    >>> c.counts[0, 1].tolist(), c.counts[1, 0].tolist()
    ([0, 0, 0, 2, 0], [0, 2, 0, 0, 0])
    """

    lags: np.ndarray
    """(n_lags,) s; positive where the second neuron of a pair fires after the first"""
    counts: np.ndarray
    """(n_neurons, n_neurons, n_lags) pairs of spikes; the diagonal has the autocorrelograms"""
    expected: np.ndarray
    """(n_neurons, n_neurons, n_lags) pairs expected by chance"""
    sd: np.ndarray
    """(n_neurons, n_neurons, n_lags) standard deviation of counts - expected for independent trains"""
    bin_width: float
    """s"""
    n_spikes: np.ndarray
    """(n_neurons,) spikes in bins"""
    predictor: str

    @property
    def ratio(self) -> np.ndarray:
        """counts / expected, (n_neurons, n_neurons, n_lags); NaN where nothing is expected."""
        return nan_ratio(self.counts, self.expected)

    @property
    def z(self) -> np.ndarray:
        """(counts - expected) / sd, (n_neurons, n_neurons, n_lags); NaN where nothing is expected."""
        return nan_ratio(self.counts - self.expected, self.sd)


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


@dataclass(frozen=True)
class _Binned:
    """Bins of all spikes, by train, and what both functions need of them."""

    index: np.ndarray
    """(n_spikes,) bin in the trial"""
    train: np.ndarray
    """(n_spikes,)"""
    n_bins: np.ndarray
    """(n_trials,)"""
    n: int
    n_lags: int
    lags: np.ndarray
    width: float

    @property
    def per_trial(self) -> np.ndarray:
        """(n_trials, n_neurons) spikes in bins."""
        size = self.n_bins.size * self.n
        return np.bincount(self.train, minlength=size).reshape(-1, self.n)

    def references(self, neuron: int) -> np.ndarray:
        """(n_lags,) spikes of a neuron whose trial holds a bin at this lag from theirs."""
        own = self.train % self.n == neuron
        before = self.index[own]
        after = self.n_bins[self.train[own] // self.n] - 1 - before
        counts = [
            np.bincount(np.minimum(bins, self.n_lags), minlength=self.n_lags + 1) for bins in (before, after)
        ]
        earlier, later = (np.cumsum(one[::-1])[::-1] for one in counts)
        return np.concatenate([earlier[:0:-1], later])

    def pairs(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(n_pairs, n_lags) counts, self-pairs left out."""
        offsets = np.concatenate([[0], np.cumsum(self.per_trial.ravel())])
        counts = _count_pairs(self.index, offsets, self.n, first, second, self.n_lags)
        counts[first == second, self.n_lags] -= self.per_trial.sum(axis=0)[first[first == second]]
        return counts

    def expected(
        self, predictor: str, first: np.ndarray, second: np.ndarray, counts: np.ndarray
    ) -> np.ndarray:
        """(n_pairs, n_lags) pairs expected by chance."""
        auto = (first == second)[:, None]
        number = self.per_trial.astype(float)
        if predictor != "shift":
            shape = np.maximum(self.n_bins[:, None] - np.abs(np.arange(-self.n_lags, self.n_lags + 1)), 0)
            shape = shape / self.n_bins[:, None] ** 2
            return (number[:, first] * (number[:, second] - (first == second))).T @ shape
        both = self._pooled_pairs(first, second)
        within = counts + np.where(auto & (self.lags == 0), number.sum(axis=0)[first][:, None], 0)
        return (both - within) / (self.n_bins.size - 1)

    def _pooled_pairs(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """(n_pairs, n_lags) counts over all trials laid on one another, with the pairs of a spike with itself.

        Where many trials fill the bins, products of Fourier transforms are faster than one step per pair of spikes; their
        rounding errors are far below 1/2.
        """
        neuron, m, n_lags = self.train % self.n, int(self.n_bins[0]), 2 * self.n_lags + 1
        total = np.bincount(neuron, minlength=self.n).astype(float)
        size = next_fast_len(m + self.n_lags, real=True)
        steps = float(total[first] @ total[second]) * n_lags / m
        if steps > 20.0 * first.size * size and self.n * size < _LARGEST_TRANSFORM:
            rates = np.bincount(neuron * m + self.index, minlength=self.n * m).reshape(self.n, m)
            transformed = rfft(rates.astype(float), size)
            lagged = np.arange(-self.n_lags, self.n_lags + 1) % size
            rows = [
                irfft(transformed[a].conj() * transformed[b], size)[lagged]
                for a, b in zip(first, second, strict=True)
            ]
            return np.rint(np.array(rows)).astype(np.int64)
        order = np.lexsort((self.index, neuron))
        offsets = np.concatenate([[0], np.cumsum(total.astype(np.int64))])
        return _count_pairs(self.index[order], offsets, self.n, first, second, self.n_lags)


def _binned(trains: Trains, width: float, max_lag: float) -> _Binned:
    index, n_bins = trains.bins(width, "bin_width")
    n_lags = max(1, round(max_lag / width))
    if n_bins.min() <= n_lags:
        raise NsnnError(
            f"max_lag = {max_lag:g} s: expected a time shorter than the shortest trial, {trains.durations.min():g} s"
        )
    inside = index < n_bins[trains.trial]
    lags = width * np.arange(-n_lags, n_lags + 1)
    return _Binned(index[inside], trains.train[inside], n_bins, trains.n_neurons, n_lags, lags, width)


def _check_predictor(trains: Trains, predictor: str) -> None:
    if predictor == "shift":
        if trains.n_trials < 2:
            raise NsnnError("predictor = 'shift': needs at least two trials, use 'poisson' or 'jitter'")
        trains.window()


def _dispersion(predictor: str, n_trials: int, auto: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """Variance of counts - expected over the expected count, (n_pairs, n_lags)."""
    factor = n_trials / (n_trials - 1) if predictor == "shift" else 1.0
    return factor * np.where(auto[:, None] & (lags == 0), 2.0, 1.0)


def _pair(pair: Any, n: int) -> tuple[int, int]:
    listed = isinstance(pair, list | tuple) or (isinstance(pair, np.ndarray) and pair.ndim == 1)
    whole_numbers = (
        listed
        and len(pair) == 2
        and all(isinstance(j, int | np.integer) and not isinstance(j, bool) and 0 <= j < n for j in pair)
    )
    if not whole_numbers:
        raise NsnnError(
            f"pair = {shown(pair)}: expected two numbers of neurons from 0 to {n - 1}, such as (0, 1)"
        )
    return int(pair[0]), int(pair[1])


@suggest_keywords
def cross_correlogram(
    block: Any,
    pair: Any,
    *,
    bin_width: Any,
    max_lag: Any,
    predictor: str = "poisson",
    confidence: float = 0.95,
    jitter_window: Any = None,
    n_shuffle: int = 200,
    seed: int = 0,
    t_start: Any = None,
    t_stop: Any = None,
) -> CrossCorrelogram:
    """Cross-correlogram of two neurons, or autocorrelogram of one, with the pairs expected by chance and their band.

    counts[k] = number of pairs of a spike of pair[0] in bin i and one of pair[1] in bin i + k, over all trials. The band holds
    the count of independent trains at each lag with probability `confidence`: several lags outside are expected among many.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    pair : (a, b), numbers of two neurons; (a, a) is the autocorrelogram, without the pairs of a spike with itself
    bin_width : time, scalar; bins tile from the start of each trial, and a remainder at its end, shorter than a bin, is not used
    max_lag : time, scalar, shorter than the trials; rounded to whole bins
    predictor : "poisson" (default; constant rates), "shift" (rates that follow the stimulus; needs trials of the same window) or
        "jitter" (any modulation slower than `jitter_window`), see the module
    confidence : of the band at each lag, between 0 and 1
    jitter_window : time, scalar, width of the windows within which "jitter" places spikes anew
    n_shuffle, seed : number of surrogates of "jitter" and their seed; the band reaches its confidence from
        2 / (1 - confidence) - 1 surrogates on
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : no such neuron, a lag as long as a trial, predictor="shift" with one trial, "jitter" without its window, or what
        `as_trains` refuses. Sources: Perkel, Gerstein & Moore 1967, doi 10.1016/S0006-3495(67)86597-4; Amarasingham et al. 2012,
        doi 10.1152/jn.00633.2011

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.105, 0.305], [0.115, 0.315]]], t_stop=0.5*pq.s)
    >>> c = cross_correlogram(block, (0, 1), bin_width=10*pq.ms, max_lag=20*pq.ms)
    >>> c.lags.round(3).tolist(), c.counts.tolist(), c.upper.tolist()  # neuron 1 follows neuron 0 by 10 ms
    ([-0.02, -0.01, 0.0, 0.01, 0.02], [0, 0, 0, 2, 0], [1.0, 1.0, 1.0, 1.0, 1.0])
    """
    one_of(predictor, PREDICTORS, "predictor")
    check(confidence=confidence, n_shuffle=n_shuffle, seed=seed)
    if not 0 < confidence < 1:
        raise NsnnError(f"confidence = {confidence}: expected a number between 0 and 1")
    width = scalar(bin_width, "s", "bin_width", above=0)
    longest = scalar(max_lag, "s", "max_lag", above=0)
    windows = None if jitter_window is None else scalar(jitter_window, "s", "jitter_window", above=0)
    if (predictor == "jitter") != (windows is not None):
        expected = "the width of its windows, a time" if predictor == "jitter" else "None with this predictor"
        raise NsnnError(
            f"jitter_window = {jitter_window} with predictor = {predictor!r}: expected {expected}"
        )
    if predictor == "jitter" and n_shuffle < 1:
        raise NsnnError(f"n_shuffle = {n_shuffle}: expected at least 1 with predictor = 'jitter'")
    trains = as_trains(block, t_start, t_stop)
    a, b = _pair(pair, trains.n_neurons)
    _check_predictor(trains, predictor)
    binned = _binned(trains, width, longest)
    first, second = np.array([a]), np.array([b])
    counts = binned.pairs(first, second)
    tail = (1 - confidence) / 2
    if windows is not None:
        null = _jittered(trains, a, b, width, longest, windows, n_shuffle, seed)
        mean = null.mean(axis=0)
        lower, upper = np.quantile(null, [tail, 1 - tail], axis=0, method="weibull")
    else:
        mean = binned.expected(predictor, first, second, counts)[0]
        spread = np.sqrt(_dispersion(predictor, trains.n_trials, first == second, binned.lags)[0])
        lower, upper = (mean + spread * (poisson.ppf(q, mean) - mean) for q in (tail, 1 - tail))
        lower = np.maximum(lower, 0.0)
    total = binned.per_trial.sum(axis=0)
    return CrossCorrelogram(
        binned.lags,
        counts[0],
        mean,
        lower,
        upper,
        width,
        (int(total[a]), int(total[b])),
        binned.references(a),
        predictor,
        confidence,
    )


@suggest_keywords
def cross_correlograms(
    block: Any,
    *,
    bin_width: Any,
    max_lag: Any,
    predictor: str = "poisson",
    t_start: Any = None,
    t_stop: Any = None,
) -> CrossCorrelograms:
    """Cross-correlograms of all pairs of neurons, (n_neurons, n_neurons, n_lags), with the pairs expected by chance.

    Each row is that of `cross_correlogram`. 1,275 correlograms of 50 neurons with 10,000 spikes each and 201 lags take a second.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    bin_width : time, scalar; bins tile from the start of each trial, and a remainder at its end, shorter than a bin, is not used
    max_lag : time, scalar, shorter than the trials; rounded to whole bins
    predictor : "poisson" (default; constant rates) or "shift" (rates that follow the stimulus; needs trials of the same window)
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : a lag as long as a trial, predictor="shift" with one trial, or what `as_trains` refuses. Source: Perkel, Gerstein &
        Moore 1967, doi 10.1016/S0006-3495(67)86597-4

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.105, 0.305], [0.115, 0.315]]], t_stop=0.5*pq.s)
    >>> c = cross_correlograms(block, bin_width=10*pq.ms, max_lag=20*pq.ms)
    >>> c.counts.shape, c.z[0, 1].round(1).tolist()
    ((2, 2, 5), [-0.3, -0.3, -0.3, 6.9, -0.3])
    """
    one_of(predictor, PREDICTORS[:2], "predictor")
    width = scalar(bin_width, "s", "bin_width", above=0)
    longest = scalar(max_lag, "s", "max_lag", above=0)
    trains = as_trains(block, t_start, t_stop)
    _check_predictor(trains, predictor)
    binned = _binned(trains, width, longest)
    first, second = np.triu_indices(trains.n_neurons)
    counts = binned.pairs(first, second)
    expected = binned.expected(predictor, first, second, counts)
    sd = np.sqrt(expected * _dispersion(predictor, trains.n_trials, first == second, binned.lags))

    def matrix(values: np.ndarray) -> np.ndarray:
        out = np.empty((trains.n_neurons, trains.n_neurons, values.shape[1]), values.dtype)
        out[second, first] = values[:, ::-1]
        out[first, second] = values
        return out

    return CrossCorrelograms(
        binned.lags,
        matrix(counts),
        matrix(expected),
        matrix(sd),
        width,
        binned.per_trial.sum(axis=0),
        predictor,
    )


def _jittered(
    trains: Trains, a: int, b: int, width: float, max_lag: float, window: float, n: int, seed: int
) -> np.ndarray:
    """(n, n_lags) counts with neuron b's spikes placed anew within windows."""
    rng = np.random.default_rng(seed)
    fixed, moved = trains.of_neuron(a), trains.of_neuron(b)
    chosen = [moved] if a == b else [fixed, moved]  # an autocorrelogram has pairs within one surrogate
    trial = np.concatenate([one.trial for one in chosen])
    neuron = np.repeat(np.arange(len(chosen)), [one.trial.size for one in chosen])
    first, second = np.array([0]), np.array([len(chosen) - 1])
    null = []
    for _ in range(n):
        drawn = jitter(moved, rng, window=window)
        times = drawn if a == b else np.concatenate([fixed.times, drawn])
        order = np.lexsort((times, neuron, trial))
        both = replace(
            trains, times=times[order], trial=trial[order], neuron=neuron[order], n_neurons=len(chosen)
        )
        null.append(_binned(both, width, max_lag).pairs(first, second)[0])
    return np.array(null)
