"""Instantaneous rate by Elephant, called so that rounding and units do not change spikes' bins, number of bins and cut-off."""

from __future__ import annotations

import warnings
from typing import Any

import neo
import numpy as np
import quantities as pq

from ...core.aliases import SpikeSource, Time
from ...core.checks import flag, one_of, scalar, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import describe, shown, si
from ..trains import Trains, as_trains, warn_silent

_KERNELS = {
    "gaussian": "GaussianKernel",
    "rectangular": "RectangularKernel",
    "triangular": "TriangularKernel",
    "epanechnikov": "EpanechnikovLikeKernel",
    "laplacian": "LaplacianKernel",
    "exponential": "ExponentialKernel",
    "alpha": "AlphaKernel",
}


@suggest_keywords
def instantaneous_rate(
    block: SpikeSource,
    *,
    sigma: Any = "auto",
    kernel: str = "gaussian",
    sampling_period: Any = 1 * pq.ms,
    cutoff: float = 5.0,
    center_kernel: bool = True,
    border_correction: bool = False,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> neo.AnalogSignal:
    """Instantaneous rate in Hz of each neuron, averaged over trials, as a neo.AnalogSignal (time, n_neurons).

    r(t) = 1/n_trials sum over spikes of k(t - t_spike), k a kernel of area 1 and standard deviation sigma. Computed by
    elephant.statistics.instantaneous_rate from the spikes of all trials. Sample k belongs to the bin that begins at its time.
    `array_annotations["sigma"]` holds each neuron's width in s.

    Parameters
    ----------
    block : neo.Block, one Segment per trial, all of the same window
    sigma : time, scalar or (n_neurons,), SD of the kernel; "auto" (default) is each neuron's optimal width of Shimazaki &
        Shinomoto, from elephant.statistics.optimal_kernel_bandwidth, for the Gaussian kernel only. It is at least 1/500 of the
        time from the first spike to the last: give sigma for long recordings
    kernel : "gaussian", "rectangular", "triangular", "epanechnikov", "laplacian", "exponential" or "alpha"
    sampling_period : time, scalar, of the result; at most sigma
    cutoff : half of the kernel's length in units of sigma, rounded up to whole bins
    center_kernel : True (default) puts the kernel's median on the spike; False leaves the causal kernels, exponential and
        alpha, after the spike
    border_correction : True divides by the kernel's area inside the trial and keeps the number of spikes; Gaussian only
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : trials of different windows, sigma below sampling_period, "auto" or border_correction with another kernel, or
        what `as_trains` refuses. A neuron without spikes has rate 0. With sigma="auto" a neuron with too few distinct spike
        times for a width has NaN, with one SilentNeuronWarning. Source: Shimazaki & Shinomoto 2010, doi
        10.1007/s10827-009-0180-4

    >>> from nsnn_neuro import to_block
    >>> rate = instantaneous_rate(to_block([[[0.5]], [[]]], t_stop=1*pq.s), sigma=20*pq.ms)
    >>> rate.shape, float(rate.max()).__round__(2), float(rate.sum() * rate.sampling_period.rescale("s")).__round__(6)
    ((1000, 1), 9.97, 0.5)
    """
    one_of(kernel, _KERNELS, "kernel")
    dt = scalar(sampling_period, "s", "sampling_period", above=0)
    reach = scalar(cutoff, "1", "cutoff", above=0)
    options = {
        "center_kernel": flag(center_kernel, "center_kernel"),
        "border_correction": flag(border_correction, "border_correction"),
    }
    automatic = isinstance(sigma, str)
    if automatic:
        one_of(sigma, ("auto",), "sigma")
    if kernel != "gaussian" and (automatic or border_correction):
        argument = "sigma = 'auto'" if automatic else "border_correction = True"
        cure = "give sigma as a time" if automatic else "expected False"
        raise NsnnError(f"{argument} needs the Gaussian kernel, kernel is {kernel!r}: {cure}")
    trains = as_trains(block, t_start, t_stop)
    start, _ = trains.window()
    widths = _automatic(trains) if automatic else _given(sigma, trains.n_neurons)
    silent = trains.counts.sum(axis=0) == 0
    too_narrow = widths[~silent & (widths < dt * (1 - 1e-9))]
    if too_narrow.size:
        raise NsnnError(
            f"sampling_period = {sampling_period}: longer than sigma, {too_narrow.min():.4g} s; take a shorter one"
        )
    index, n_bins = trains.bins(dt, "sampling_period")
    bins = int(n_bins.min())
    inside = index < bins
    middles, neuron = (index[inside] + 0.5) * dt, trains.neuron[inside]
    order = np.lexsort((middles, neuron))
    per_neuron = np.split(middles[order], np.cumsum(np.bincount(neuron, minlength=trains.n_neurons))[:-1])
    rate = np.zeros((bins, trains.n_neurons))
    rate[:, ~silent & np.isnan(widths)] = np.nan
    for width in np.unique(widths[~silent & ~np.isnan(widths)]):
        own = np.flatnonzero(~silent & (widths == width))
        spikes = [per_neuron[j] for j in own]
        smoothed = _elephant(spikes, _KERNELS[kernel], width, dt, bins, reach, **options)
        rate[:, own] = smoothed / trains.n_trials
    if automatic:
        warn_silent(rate[0], "instantaneous_rate", "have too few distinct spike times for an automatic width")
    return neo.AnalogSignal(
        rate,
        units=pq.Hz,
        t_start=start * pq.s,
        sampling_period=dt * pq.s,
        name="instantaneous rate",
        array_annotations={"neuron": np.arange(trains.n_neurons), "sigma": widths * pq.s},
        kernel=kernel,
        n_trials=trains.n_trials,
    )


def _given(sigma: Any, n: int) -> np.ndarray:
    """sigma in s, (n,), positive and finite."""
    widths = np.asarray(si(sigma, "s", "sigma"))
    if widths.ndim > 1 or not widths.size or not (np.isfinite(widths) & (widths > 0)).all():
        raise NsnnError(
            f"sigma = {shown(sigma)}: expected {describe('s')}, greater than 0, one or one per neuron"
        )
    if widths.ndim and widths.size != n:
        raise NsnnError(f"sigma = {shown(sigma)}: expected one time, or one for each of {n} neurons")
    return np.array(np.broadcast_to(widths, n))


def _automatic(trains: Trains) -> np.ndarray:
    """Optimal Gaussian width of each neuron's pooled spikes in s, (n_neurons,); NaN where Elephant finds none."""
    from elephant.statistics import optimal_kernel_bandwidth

    widths = np.full(trains.n_neurons, np.nan)
    for j in range(trains.n_neurons):
        times = np.sort(trains.times[trains.neuron == j])
        if np.unique(times).size < 3:
            continue
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                best = optimal_kernel_bandwidth(times - times[0], times=None, bootstrap=False)["optw"]
            except (ValueError, IndexError):  # too few points for a search
                continue
        if best is not None and np.isfinite(best) and best > 0:
            widths[j] = best
    return widths


def _elephant(
    times: list[np.ndarray], name: str, width: float, dt: float, bins: int, reach: float, **options: bool
) -> np.ndarray:
    """Elephant's rates (bins, n) of spikes at the middles of bins, from 0."""
    from elephant import kernels, statistics

    half = max(1, int(np.ceil(reach * width / dt * (1 - 1e-9))))
    stop = bins * dt * (1 + 1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Elephant's use of quantities
        kernel = getattr(kernels, name)(1.0 * pq.CompoundUnit(f"{float(width)!r}*s"))
        rate = statistics.instantaneous_rate(
            [neo.SpikeTrain(one, units="s", t_start=0.0, t_stop=stop) for one in times],
            sampling_period=dt * pq.s,
            kernel=kernel,
            cutoff=max(half * dt / width * (1 - 1e-12), kernel.min_cutoff),
            **options,
        )
    return np.asarray(rate.rescale(pq.Hz).magnitude)
