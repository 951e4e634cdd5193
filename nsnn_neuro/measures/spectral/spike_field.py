"""Coherence of spikes and a field that each trial has of its own, with errors over trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import neo
import numpy as np

from ...core.aliases import Signal, SpikeSource, Time
from ...core.checks import suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown, si
from ..estimate import Report, jackknife_se
from ..spiketrain.spike_triggered import signals_of_trials
from ..trains import Trains, as_trains, warn_silent
from .coherence import binned_trains, check_segments, coherence_of, segment_spectra


@dataclass(frozen=True, eq=False)
class SpikeFieldCoherence(Report):
    """Coherence of each neuron's spikes and a field; made by `spike_field_coherence`.

    >>> import neo, quantities as pq
    >>> field = neo.AnalogSignal(np.random.default_rng(0).normal(size=4096), units="mV", sampling_rate=1*pq.kHz)
    >>> spikes = neo.SpikeTrain(np.flatnonzero(field.magnitude > 1.5) / 1000, units="s", t_stop=4.096)
    >>> result = spike_field_coherence(field, [spikes])
    >>> result.coherence.shape, result.se.shape, result.band_mean.round(1)
    ((1, 257), (1, 257), array([0.3]))
    """

    f: np.ndarray
    """(n_f,) Hz"""
    coherence: np.ndarray
    """(n_neurons, n_f), in [0, 1]"""
    se: np.ndarray
    """(n_neurons, n_f), jackknife, see `spike_field_coherence`"""
    band_mean: np.ndarray
    """(n_neurons,) mean of the coherence over the frequencies of the band"""
    band_se: np.ndarray
    """(n_neurons,) its standard error, jackknife"""
    n_effective: float
    """independent segments of all trials: the coherence of independent spikes and field is 1 / this"""


@suggest_keywords
def spike_field_coherence(
    signal: Signal,
    block: SpikeSource,
    *,
    band: Any = None,
    nperseg: int = 512,
    noverlap: int | None = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> SpikeFieldCoherence:
    """Coherence |S_xy|^2 / (S_xx S_yy) of a field x and each neuron's spikes y, with errors.

    Welch's spectra, as in `coherence`, are summed over the segments of all trials, each trial with
    its own field and over the time that both share. se: jackknife over trials; over segments for
    one trial, or one signal that all trials share. Too few segments raise the coherence, see
    n_effective. `plotting.coherence((result.f, result.coherence[j]))` draws neuron j.

    Parameters
    ----------
    signal : neo.AnalogSignal of one channel, the field on the clock of the trials, or a list with
        one for each trial, such as [segment.analogsignals[0] for segment in block.segments]; its
        sampling rate is the spikes' bin
    block : neo.Block, one Segment per trial
    band : (low, high) frequencies, both included, of the mean; None (default) is all frequencies
    nperseg, noverlap : samples per segment and shared by neighbours; None (default) is half of them
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : a trial shorter than a segment, a single segment, a constant signal, several
        channels, numbers of signals and trials that differ, a band without a frequency; or what
        `as_trains` refuses. Warns once, SilentNeuronWarning, for neurons without spikes (NaN).
        Source: Jarvis & Mitra 2001, doi 10.1162/089976601300014312

    >>> import neo, quantities as pq
    >>> rng, time = np.random.default_rng(0), np.arange(4096) / 1000
    >>> spikes = np.flatnonzero(rng.random(4096) < 0.05 * (1 + np.cos(2 * np.pi * 40 * time))) / 1000
    >>> field = np.cos(2 * np.pi * 40 * time) + rng.normal(size=4096)
    >>> field = neo.AnalogSignal(field, units="mV", sampling_rate=1*pq.kHz)
    >>> result = spike_field_coherence(field, [neo.SpikeTrain(spikes, units="s", t_stop=4.096)], band=[38, 42]*pq.Hz)
    >>> float(result.f[result.coherence[0].argmax()].round()), bool(result.band_mean[0] > 0.5)
    (41.0, True)
    """
    noverlap = check_segments(nperseg, noverlap)
    trains = as_trains(block, t_start, t_stop)
    shared, n = isinstance(signal, neo.AnalogSignal), trains.n_neurons
    f = np.fft.rfftfreq(nperseg, 1 / signals_of_trials(signal, trains)[0][1])
    edges = np.atleast_1d(f[[0, -1]] if band is None else si(band, "Hz", "band"))
    inside = (f >= edges[0]) & (f <= edges[-1])
    if edges.shape != (2,) or not inside.any():
        raise NsnnError(
            f"band = {shown(band)}: expected (low, high) with a multiple of {f[1]:g} Hz between them, up to {f[-1]:g} Hz"
        )
    value, se, band_se = np.empty((n, f.size)), np.empty((n, f.size)), np.empty(n)
    for j in range(n):
        spectra = []
        for k, field in enumerate([signal] if shared else signal):
            if shared:
                own = trains.of_neuron(j)
            else:
                times = trains.times[slice(*trains.offsets[k * n + j :][:2])]
                zeros, ends = np.zeros_like(times, dtype=np.int64), (trains.t_start[[k]], trains.t_stop[[k]])
                own = Trains(times, zeros, zeros, 1, 1, *ends, trains.resolution)
            pair = binned_trains(field, own, None, None)
            spectra.append(
                segment_spectra(*pair, nperseg, noverlap, 2 if shared or trains.n_trials < 2 else 1)
            )
        groups = spectra[0].products
        if len(spectra) > 1:
            groups = np.stack([one.products.sum(axis=1) for one in spectra], axis=1)
        total = groups.sum(axis=1)
        left_out = coherence_of(total[:, None] - groups)
        value[j], se[j] = coherence_of(total), jackknife_se(left_out)
        band_se[j] = jackknife_se(left_out[:, inside].mean(axis=1))
    band_mean = warn_silent(value[:, inside].mean(axis=1), "spike_field_coherence", "have no spikes")
    return SpikeFieldCoherence(f, value, se, band_mean, band_se, sum(one.n_effective for one in spectra))
