"""Spike-triggered covariance: directions of the stimulus along which its variance changes before spikes.

Eigenvectors of positive eigenvalues excite, whatever their sign (energy models); those of negative eigenvalues suppress, or
narrow the stimuli that lead to a spike. The average alone misses filters whose output is rectified or squared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ...core.aliases import Signal, SpikeSource, Time
from ...core.checks import check, flag, suggest_keywords
from ...core.errors import NsnnError
from ...core.warn import warn
from ..estimate import Report
from ..limits import between_0_and_1
from ..trains import SilentNeuronWarning, as_repeats
from .spike_triggered import spike_windows

_ROWS = 2_000_000  # numbers in the windows that are held at a time


@dataclass(frozen=True, eq=False)
class SpikeTriggeredCovariance(Report):
    """Eigenvalues and filters of the spike-triggered covariance; made by `spike_triggered_covariance`."""

    lags: np.ndarray
    """(n_lags,) s; 0 is the sample that holds the spike, negative lags come before it"""
    average: np.ndarray
    """(n_lags, n_channels) spike-triggered average in the signal's unit"""
    eigenvalues: np.ndarray
    """(n,) descending, n = n_lags n_channels; in the signal's unit squared, or relative to its variance if whitened"""
    filters: np.ndarray
    """(n, n_lags, n_channels) of length 1, in the order of the eigenvalues; the largest value of each is positive"""
    significant: np.ndarray
    """(n_significant,) places of the significant eigenvalues, in the order of the tests: the most extreme first"""
    p: np.ndarray
    """(n_tested,) p-value of each nested test; all but the last belong to `significant`, and the last too if no filter is left"""
    chance: tuple[float, float]
    """least and greatest eigenvalue of shifted spikes, a fraction alpha/2 of shifts beyond each; NaN without shifts"""
    n: int
    """spikes used: those whose whole window lies inside the signal"""


@suggest_keywords
def spike_triggered_covariance(
    signal: Signal,
    trains: SpikeSource,
    *,
    before: Time,
    after: Time,
    whiten: bool = False,
    project_average: bool = False,
    n_shuffle: int = 200,
    alpha: float = 0.05,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> SpikeTriggeredCovariance:
    """Covariance of a signal in the windows of spikes minus that of all windows, its eigenvalues and filters, with a nested test.

    All windows are those of samples from t_start to t_stop of the trials. They reach beyond these times by the lags.

    Test: spikes are shifted against the signal by a random number of samples, in each trial and around its end. This keeps both
    and cuts their relation. The statistic is the greatest or least eigenvalue, in standard deviations of those of shifts; p is
    the fraction of shifts, with the original, that reach it. If p <= alpha, the filter is significant and projected out of the
    original and of all shifts; the rest is tested again, until p > alpha. Without a relation the first p is uniform.

    A neuron with a linear filter changes the variance along its average too. project_average removes this direction before.
    For signals that are correlated over lags or channels the filters are smeared by the correlation. whiten divides by it
    (eigenvalues of C_all^-1/2 C C_all^-1/2, filters C_all^-1/2 v), which raises the noise of filters.

    Parameters
    ----------
    signal : neo.AnalogSignal with any number of channels, the same in all trials, or a list of one per trial
    trains : repeats of one neuron: list of spike trains, or neo.Block of one neuron, one Segment per trial
    before, after : times, scalar; lags run from -before to after, the last one left out
    whiten, project_average : False (default) or True, as above
    n_shuffle : number of shifts; 0: no test. p cannot be below 1/(1 + n_shuffle)
    alpha : level of the test, between 0 and 1
    seed : of the shifts
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : NaN, several neurons, numbers of signals and trials that differ, a window of one number or longer than the signal, a
        signal whose windows are linearly dependent (whiten). With fewer than two spikes all is NaN, with one SilentNeuronWarning;
        warns of no more spikes than numbers in a window. Sources: de Ruyter van Steveninck & Bialek 1988,
        doi 10.1098/rspb.1988.0055; Rust et al. 2005, doi 10.1016/j.neuron.2005.05.021; Schwartz et al. 2006, doi 10.1167/6.4.13

    >>> import neo
    >>> import quantities as pq
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(20_000, 2))  # two channels; the rate grows with the square of the second, 2 ms before
    >>> rate = 0.02 * np.roll(x[:, 1], 2)**2
    >>> spikes = np.flatnonzero(rng.random(20_000) < rate) * 1e-3
    >>> signal = neo.AnalogSignal(x, units="mV", sampling_rate=1*pq.kHz)
    >>> stc = spike_triggered_covariance(signal, [spikes], before=3*pq.ms, after=0*pq.ms, n_shuffle=39)
    >>> stc.significant, np.argwhere(np.abs(stc.filters[0]) > 0.9)  # lag -2 ms, channel 1
    (array([0]), array([[1, 1]]))
    """
    check(n_shuffle=n_shuffle, seed=seed)
    whiten, project_average = flag(whiten, "whiten"), flag(project_average, "project_average")
    between_0_and_1(alpha, "alpha")
    data = spike_windows(signal, as_repeats(trains, t_start, t_stop), before, after)
    shape = (data.lags.size, data.n_channels)
    size = int(np.prod(shape))
    if size < 2:
        raise NsnnError(f"before = {before}, after = {after}: a window of one number has no covariance")
    # of each trial (n_windows, n) views of the samples in which a spike can be, and the window of each spike
    trials = [k for k, (low, end) in enumerate(data.usable) if low < end]
    windows = [sliding_window_view(data.signals[k], shape[0], axis=0).swapaxes(1, 2) for k in trials]
    views = [each[slice(*(data.usable[k] + data.lags[0]))] for each, k in zip(windows, trials, strict=True)]
    places = [data.samples[k] - data.usable[k][0] for k in trials]
    n = sum(place.size for place in places)
    lags = data.lags / data.rate
    if n < 2:
        few = f"{n} spikes have their window inside the signal, expected at least two"
        warn(f"spike_triggered_covariance: {few}; the value is NaN", SilentNeuronWarning)
        nan, p = np.full((size, *shape), np.nan), np.empty(0)
        return SpikeTriggeredCovariance(
            lags, nan[0], nan[:, 0, 0], nan, p.astype(np.int64), p, (np.nan, np.nan), n
        )
    if n <= size:
        warn(
            f"spike_triggered_covariance: {n} spikes for windows of {size} numbers: their covariance is of deficient rank; take a "
            "shorter window or fewer channels"
        )
    everything = {(id(data.signals[k]), *data.usable[k]): view for k, view in zip(trials, views, strict=True)}
    centre, prior = _moments(list(everything.values()), None)
    mean, covariance = _moments(views, places)
    basis = np.eye(size)
    if whiten:  # by the symmetric inverse square root
        values, vectors = np.linalg.eigh(prior)
        if values[0] <= 1e-10 * values[-1]:
            raise NsnnError(
                "whiten = True: windows of the signal are linearly dependent, as those of a smooth signal are; give it at a lower "
                "sampling rate or take whiten=False"
            )
        basis = vectors / np.sqrt(values) @ vectors.T
    if project_average:
        average = (basis.T @ (mean - centre))[:, None]
        basis = basis @ np.linalg.qr(average, mode="complete")[0][:, 1:]  # all that is orthogonal to it
    rng = np.random.default_rng(seed)
    own = basis.T @ (covariance - prior) @ basis
    shifted = np.empty((n_shuffle, *own.shape))
    for k in range(n_shuffle):
        moved = [
            (place + rng.integers(len(view))) % len(view) for place, view in zip(places, views, strict=True)
        ]
        shifted[k] = basis.T @ (_moments(views, moved)[1] - prior) @ basis
    values, vectors = np.linalg.eigh(own)
    values, vectors = values[::-1], vectors[:, ::-1]
    significant, p, chance = _nested(values, vectors, shifted, alpha)
    filters = (basis @ vectors).T
    filters /= np.linalg.norm(filters, axis=1, keepdims=True)
    largest = np.take_along_axis(filters, np.abs(filters).argmax(axis=1)[:, None], axis=1)
    filters = (filters * np.sign(largest)).reshape(-1, *shape)
    return SpikeTriggeredCovariance(lags, mean.reshape(shape), values, filters, significant, p, chance, n)


def _moments(views: list[np.ndarray], places: list[np.ndarray] | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean (n,) and unbiased covariance (n, n) of the windows at `places`, or of all."""
    size = views[0].shape[1] * views[0].shape[2]
    reference = views[0][0].reshape(-1)
    total, products, n = np.zeros(size), np.zeros((size, size)), 0
    step = max(1, _ROWS // size)
    for k, view in enumerate(views):
        own = np.arange(len(view)) if places is None else places[k]
        for first in range(0, own.size, step):
            # sums about a window: a large offset would swallow the covariance
            x = view[own[first : first + step]].reshape(-1, size) - reference
            total += x.sum(axis=0)
            products += x.T @ x
            n += len(x)
    mean = total / n
    return mean + reference, (products - n * np.outer(mean, mean)) / (n - 1)


def _nested(
    values: np.ndarray, vectors: np.ndarray, shifted: np.ndarray, alpha: float
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Places of the significant eigenvalues, p of each test, and the range of eigenvalues of shifts."""
    significant: list[int] = []
    p: list[float] = []
    chance = (np.nan, np.nan)
    left = list(range(values.size))
    while len(shifted) and left:
        inside = vectors[:, left]
        null = np.linalg.eigvalsh(inside.T @ shifted @ inside)
        if not significant:
            chance = (
                float(np.quantile(null[:, 0], alpha / 2)),
                float(np.quantile(null[:, -1], 1 - alpha / 2)),
            )
        # eigenvectors of the matrix stay those of its restriction to the rest
        extremes = np.concatenate([[[-values[left[-1]], values[left[0]]]], null[:, [0, -1]] * [-1, 1]])
        spread = extremes.std(axis=0)
        z = np.divide(extremes - extremes.mean(axis=0), spread, out=np.zeros_like(extremes), where=spread > 0)
        reach = z.max(axis=1)
        p.append(float((reach >= reach[0] - 1e-12).mean()))
        if p[-1] > alpha:
            break
        significant.append(left.pop(0 if z[0, 1] >= z[0, 0] else -1))
    return np.array(significant, dtype=np.int64), np.array(p), chance
