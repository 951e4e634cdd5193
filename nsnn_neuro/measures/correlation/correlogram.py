"""Cross-correlograms of pairs of neurons, with the pairs of spikes expected by chance and a confidence band.

Counts equal those of Elephant's `cross_correlation_histogram`, summed over trials. Their variance is the number of expected pairs
times a dispersion (`dispersion`), the band that of a Poisson count, stretched about its mean. An autocorrelogram has the band of a
Poisson train, with "jitter" of surrogates; at lag 0 it counts each pair of spikes twice, so that the variance is twice the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import neo
import numpy as np
from scipy.stats import poisson

from ...core.aliases import SpikeSource, Time
from ...core.checks import check, one_of, scalar, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown
from ...core.warn import warn
from ...io.lookup import chosen_units
from ...io.segments import unit_table
from ..estimate import Report
from ..limits import between_0_and_1
from ..response_checks import warn_repeated
from ..spiketrain.surrogates import jitter
from ..table import unit_names
from ..trains import Trains, as_trains, nan_ratio
from .correlogram_counts import Binned, binned, dispersion


@dataclass(frozen=True, eq=False)
class CrossCorrelogram(Report):
    """Correlogram of one pair of neurons; made by `cross_correlogram`. Arrays are (n_lags,)."""

    lags: np.ndarray
    """s, middles of the bins: time of the second neuron's spike less that of the first's"""
    counts: np.ndarray
    """pairs of spikes"""
    expected: np.ndarray
    """pairs expected by chance"""
    lower: np.ndarray
    """lower end of the band that holds the counts of trains independent in the predictor's sense with probability `confidence`"""
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
    names: Sequence[str] = ("neuron 0", "neuron 1")
    """what figures call both"""

    @property
    def rate(self) -> np.ndarray:
        """Rate in Hz of the second neuron at each lag from a spike of the first, counts / (n_reference bin_width).

        The rate of independent neurons is the second neuron's own at all lags. NaN where no spike of the first is left.
        """
        return nan_ratio(self.counts, self.n_reference * self.bin_width)

    @property
    def ratio(self) -> np.ndarray:
        """counts / expected, 1 without correlation; NaN where nothing is expected."""
        return nan_ratio(self.counts, self.expected)


@dataclass(frozen=True, eq=False)
class CrossCorrelograms(Report):
    """Correlograms of all pairs of neurons; made by `cross_correlograms`."""

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


def _by_chance(
    data: Binned, predictor: str, first: np.ndarray, second: np.ndarray, window: float | None, name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n_pairs, n_lags) counts, those expected by chance, and their variance; "jitter" leaves autocorrelograms out."""
    counts = data.pairs(first, second)
    auto = first == second
    if predictor == "shift":
        expected = data.by_other_trials(first, second, counts)
    elif window is None:
        expected = data.by_rates(first, second)
    else:
        expected = np.zeros(counts.shape)
        for b in np.unique(second[~auto]):
            pairs = (second == b) & ~auto
            expected[pairs] = data.by_windows(first[pairs], data.in_windows(b, window))
    factor = np.ones(first.size)
    if not auto.all():
        spread = dispersion(data, predictor, first[~auto], second[~auto], window)
        if spread is None:
            more = "four trials" if predictor == "shift" else "four pieces of trials, each twice max_lag long"
            warn(f"{name}: bands and z are those of Poisson trains, as others need at least {more}")
        else:
            factor[~auto] = spread
    if predictor == "shift":
        factor *= data.n_bins.size / (data.n_bins.size - 1)
    twice = np.where(auto[:, None] & (data.lags == 0), 2.0, 1.0)
    return counts, expected, expected * factor[:, None] * twice


def _pair(block: Any, pair: Any, n: int) -> tuple[int, int]:
    numbers = pair.tolist() if isinstance(pair, np.ndarray) else pair
    numbers = numbers if isinstance(numbers, list | tuple) else []
    if isinstance(block, neo.Block) and any(isinstance(j, str) for j in numbers):
        known = block.annotations.get("populations"), unit_table(block), n
        numbers = [j for one in pair for j in chosen_units(*known, one, "pair").tolist()]
    whole = [j for j in numbers if isinstance(j, int | np.integer) and not isinstance(j, bool)]
    if len(whole) == len(numbers) == 2 and all(0 <= j < n for j in whole):
        return int(whole[0]), int(whole[1])
    raise NsnnError(
        f"pair = {shown(pair)}: expected two numbers of neurons from 0 to {n - 1}, such as (0, 1), or ids or names of units"
    )


@suggest_keywords
def cross_correlogram(
    block: SpikeSource,
    pair: Any,
    *,
    bin_width: Time,
    max_lag: Time,
    predictor: str = "poisson",
    confidence: float = 0.95,
    jitter_window: Time | None = None,
    n_shuffle: int = 200,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> CrossCorrelogram:
    """Cross-correlogram of two neurons, or autocorrelogram of one, with the pairs expected by chance and their band.

    counts[k] = number of pairs of a spike of pair[0] in bin i and one of pair[1] in bin i + k, over all trials. The band holds
    the count of independent trains at each lag with probability `confidence`: several lags outside are expected among many. It
    follows the spread between trials, or pieces of trials, and so holds for bursts and regular trains. With "jitter" a
    modulation at frequency f is underestimated by (pi f window)^2 / 3 of it: for 1 Hz and 100 ms by 3 %.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    pair : (a, b), numbers, ids or names of two neurons; (a, a) is the autocorrelogram, without pairs of a spike with itself
    bin_width : time, scalar; bins tile from the start of each trial, and a remainder at its end, shorter than a bin, is not used
    max_lag : time, scalar, shorter than the trials; rounded to whole bins
    predictor : what chance is: trains that are independent given "poisson" (default) each trial's number of spikes, at constant
        rate; "shift" the stimulus, which must be the same in all trials; or "jitter" the number in each `jitter_window`
    confidence : of the band at each lag, between 0 and 1
    jitter_window : time, scalar, width of the windows within which "jitter" places spikes anew
    n_shuffle, seed : surrogates of an autocorrelogram with "jitter", at least 2 / (1 - confidence) - 1, and their seed
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : no such neuron, a lag as long as a trial, predictor="shift" with one trial, "jitter" without its window, or what
        `as_trains` refuses. Warns once where bands are those of Poisson trains, as there are fewer than four trials ("shift") or
        four pieces of trials of twice max_lag. Sources: Perkel, Gerstein & Moore 1967, doi 10.1016/S0006-3495(67)86597-4;
        Amarasingham et al. 2012, doi 10.1152/jn.00633.2011

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.105, 0.305], [0.115, 0.315]]], t_stop=0.5*pq.s)
    >>> c = cross_correlogram(block, (0, 1), bin_width=10*pq.ms, max_lag=20*pq.ms)
    >>> c.lags.round(3).tolist(), c.counts.tolist(), c.upper.round(1).tolist()  # neuron 1 follows neuron 0 by 10 ms
    ([-0.02, -0.01, 0.0, 0.01, 0.02], [0, 0, 0, 2, 0], [1.0, 1.0, 1.0, 1.0, 1.0])
    """
    between_0_and_1(confidence, "confidence")
    check(n_shuffle=n_shuffle, seed=seed)
    options = predictor, jitter_window, n_shuffle
    trains, data, window = _read(block, bin_width, max_lag, *options, t_start, t_stop)
    a, b = _pair(block, pair, trains.n_neurons)
    first, second = np.array([[min(a, b)], [max(a, b)]])  # as `cross_correlograms`, turned around below
    tail = (1 - confidence) / 2
    if window is not None and a == b:
        counts = data.pairs(first, second)
        null = _jittered(trains, a, data, window, n_shuffle, seed)
        expected = null.mean(axis=0, keepdims=True)
        lower, upper = np.quantile(null, [tail, 1 - tail], axis=0, method="weibull")
    else:
        counts, expected, variance = _by_chance(data, predictor, first, second, window, "cross_correlogram")
        mean, spread = expected[0], np.sqrt(nan_ratio(variance, expected)[0])
        lower, upper = (
            np.where(mean > 0, mean + spread * (poisson.ppf(q, mean) - mean), mean) for q in (tail, 1 - tail)
        )
        lower = np.maximum(lower, 0.0)
    names = unit_names(block, trains.n_neurons)
    total, turn = data.per_trial.sum(axis=0), -1 if a > b else 1
    return CrossCorrelogram(
        data.lags, counts[0, ::turn], expected[0, ::turn], lower[::turn], upper[::turn], data.width,
        (int(total[a]), int(total[b])), data.references(a), predictor, confidence, (names[a], names[b]),
    )  # fmt: skip


@suggest_keywords
def cross_correlograms(
    block: SpikeSource,
    *,
    bin_width: Time,
    max_lag: Time,
    predictor: str = "poisson",
    jitter_window: Time | None = None,
    n_shuffle: int = 200,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> CrossCorrelograms:
    """Cross-correlograms of all pairs of neurons, (n_neurons, n_neurons, n_lags), with the pairs expected by chance.

    Each row is that of `cross_correlogram`, and so are arguments, errors and warnings. Source: Perkel, Gerstein & Moore 1967, doi
    10.1016/S0006-3495(67)86597-4

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.105, 0.305], [0.115, 0.315]]], t_stop=0.5*pq.s)
    >>> c = cross_correlograms(block, bin_width=10*pq.ms, max_lag=20*pq.ms)
    >>> c.counts.shape, c.z[0, 1].round(1).tolist()
    ((2, 2, 5), [-0.3, -0.3, -0.3, 6.7, -0.3])
    """
    check(n_shuffle=n_shuffle, seed=seed)
    options = predictor, jitter_window, n_shuffle
    trains, data, window = _read(block, bin_width, max_lag, *options, t_start, t_stop)
    first, second = np.triu_indices(trains.n_neurons)
    counts, expected, variance = _by_chance(data, predictor, first, second, window, "cross_correlograms")
    if window is not None:
        for k in np.flatnonzero(first == second):
            null = _jittered(trains, int(first[k]), data, window, n_shuffle, seed)
            expected[k], variance[k] = null.mean(axis=0), null.var(axis=0)

    def matrix(values: np.ndarray) -> np.ndarray:
        out = np.empty((trains.n_neurons, trains.n_neurons, values.shape[1]), values.dtype)
        out[second, first] = values[:, ::-1]
        out[first, second] = values
        return out

    return CrossCorrelograms(
        data.lags, matrix(counts), matrix(expected), matrix(np.sqrt(variance)), data.width, data.per_trial.sum(axis=0), predictor
    )  # fmt: skip


def _read(
    block: Any, bin_width: Any, max_lag: Any, predictor: str, jitter_window: Any, n_shuffle: int, *cut: Any
) -> tuple[Trains, Binned, float | None]:
    """Trains, their bins and the width of the jitter windows (s), None with other predictors; all arguments are checked."""
    one_of(predictor, ("poisson", "shift", "jitter"), "predictor")
    width, longest = scalar(bin_width, "s", "bin_width", above=0), scalar(max_lag, "s", "max_lag", above=0)
    window = None if jitter_window is None else scalar(jitter_window, "s", "jitter_window", above=0)
    if (predictor == "jitter") != (window is not None):
        expected = "the width of its windows, a time" if predictor == "jitter" else "None with this predictor"
        raise NsnnError(f"jitter_window = {jitter_window} and predictor = {predictor!r}: expected {expected}")
    if predictor == "jitter" and n_shuffle < 1:
        raise NsnnError(f"n_shuffle = {n_shuffle}: expected at least 1 with predictor = 'jitter'")
    trains = as_trains(block, *cut)
    warn_repeated(block, trains, "cross_correlogram")
    if predictor == "shift":
        if trains.n_trials < 2:
            raise NsnnError("predictor = 'shift': needs at least two trials, use 'poisson' or 'jitter'")
        trains.window()  # the same for all trials
    return trains, binned(trains, width, longest), window


def _jittered(trains: Trains, neuron: int, data: Binned, window: float, n: int, seed: int) -> np.ndarray:
    """(n, n_lags) counts of a neuron's autocorrelogram, its spikes placed anew within windows."""
    rng = np.random.default_rng(seed)
    own, pair = trains.of_neuron(neuron), np.array([0])
    null = np.empty((n, data.lags.size), dtype=np.int64)
    for row in null:
        times = jitter(own, rng, window=window)
        drawn = replace(own, times=times[np.lexsort((times, own.trial))])
        row[:] = binned(drawn, data.width, data.lags[-1]).pairs(pair, pair)[0]
    return null
