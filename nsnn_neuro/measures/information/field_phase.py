"""Phase and power of a field potential at the times of spikes.

The phase is that of the analytic signal (Hilbert transform) of the whole signal of a trial, after a
Butterworth band-pass of third order, forwards and backwards so that it shifts no phase. It is 0 at
the peaks of the field, and -pi and pi at its troughs. Close to the ends of a signal it is
unreliable: signals should go beyond the window by a period of the slowest frequency on both sides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import butter, hilbert, sosfiltfilt

from ...core.aliases import Signal, SpikeSource, Time
from ...core.checks import check, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown, si
from ..spiketrain.spike_triggered import signals_of_trials
from ..trains import Trains
from .words import in_window

_ORDER = 3
_Field = tuple[np.ndarray, float, float]


@suggest_keywords
def phase_counts(
    signal: Signal,
    block: SpikeSource,
    *,
    n_bins: int = 4,
    band: Any = None,
    align: Any = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> np.ndarray:
    """Spikes at each phase of a field, (n_trials, n_neurons, n_bins) ints: words of phases.

    Bin k holds the spikes at phases from -pi + 2 pi k / n_bins to -pi + 2 pi (k + 1) / n_bins; the
    field has its peaks at phase 0. The sum over bins is the spike count.
    `mutual_information(stimulus, phases[:, j])` is the information of neuron j; `codes_table`
    compares it with that of the count. Signals should go beyond the window by a period of the
    slowest frequency on both sides (see the module).

    Parameters
    ----------
    signal : neo.AnalogSignal of one channel, the field on the clock of the trials, or a list with
        one for each trial, such as [segment.analogsignals[0] for segment in block.segments]
    block : neo.Block, one Segment per trial
    n_bins : bins of phase
    band : (low, high) frequencies, such as [4, 8]*Hz; None (default) if filtered already
    align, t_start, t_stop : the window, see `words`

    Raises
    ------
    NsnnError : a signal that does not cover the window, of several channels, or too short for the
        filter; a band that does not fit the sampling rate; or what `words` refuses. Source:
        Montemurro et al. 2008, doi 10.1016/j.cub.2008.02.023

    >>> import neo, quantities as pq
    >>> from nsnn_neuro import to_block
    >>> time = np.arange(1000) / 1000
    >>> signal = neo.AnalogSignal(np.cos(2 * np.pi * 10 * time), units="mV", sampling_rate=1*pq.kHz)
    >>> phase_counts(signal, to_block([[[0.11, 0.31, 0.235]]], t_stop=0.9*pq.s))[0, 0]
    array([0, 0, 2, 1])
    """
    check(n_bins=n_bins)
    trains = in_window(block, align, t_start, t_stop)
    phase = phases_of_spikes(analytic_fields(signal, trains, band), trains)
    n_trains = trains.n_trials * trains.n_neurons
    bins = phase_bins(phase, n_bins)
    counts = np.bincount(trains.train * n_bins + bins, minlength=n_trains * n_bins)
    return counts.reshape(trains.n_trials, trains.n_neurons, n_bins)


def phase_bins(phase: np.ndarray, n_bins: int) -> np.ndarray:
    """The bin of phases in rad, from 0 at -pi to n_bins - 1.

    >>> phase_bins(np.array([-3.1, -0.1, 0.1, 3.1]), 4)
    array([0, 1, 2, 3])
    """
    return np.minimum((phase + np.pi) / (2 * np.pi) * n_bins, n_bins - 1).astype(np.int64)


def analytic_fields(signal: Any, trains: Trains, band: Any) -> list[_Field]:
    """Analytic signal (m,), sampling rate (Hz) and start (s) for each trial, covered by it.

    >>> import neo, quantities as pq
    >>> from nsnn_neuro.measures import as_repeats
    >>> field = neo.AnalogSignal(np.cos(np.pi * np.arange(8) / 2), units="mV", sampling_rate=1*pq.kHz)
    >>> values, rate, start = analytic_fields(field, as_repeats([[0.001]], t_start=0*pq.s, t_stop=8*pq.ms), None)[0]
    >>> np.abs(values).round(6).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    read = signals_of_trials(signal, trains.n_trials)
    sections = None if band is None else _sections(band, read[0][1])
    made: dict[int, np.ndarray] = {}
    out = []
    for trial, (values, rate, start) in enumerate(read):
        if values.shape[1] != 1:
            raise NsnnError(
                f"signal has {values.shape[1]} channels: expected one; select with signal[:, [0]]"
            )
        first, last = float(trains.t_start[trial]), float(trains.t_stop[trial])
        if first < start - 1.5 / rate or last > start + (len(values) + 0.5) / rate:
            raise NsnnError(
                f"signal of trial {trial} lasts from {start:g} to {start + len(values) / rate:g} s: expected one that covers the "
                f"window, {first:g} to {last:g} s"
            )
        if id(values) not in made:  # one signal may be that of all trials
            made[id(values)] = _analytic(values[:, 0], sections, trial)
        out.append((made[id(values)], rate, start))
    return out


def _sections(band: Any, rate: float) -> np.ndarray:
    edges = np.atleast_1d(si(band, "Hz", "band"))
    if edges.shape != (2,) or not 0 < edges[0] < edges[1] < rate / 2:
        raise NsnnError(
            f"band = {shown(band)}: expected two frequencies, low and high, between 0 and half the sampling rate, {rate / 2:g} Hz"
        )
    return np.asarray(butter(_ORDER, edges, btype="bandpass", fs=rate, output="sos"))


def _analytic(values: np.ndarray, sections: np.ndarray | None, trial: int) -> np.ndarray:
    values = values - values.mean()
    if sections is not None:
        needed = 3 * (2 * len(sections) + 1)
        if len(values) <= needed:
            raise NsnnError(
                f"signal of trial {trial} has {len(values)} samples: too short to filter, expected more than {needed}"
            )
        values = sosfiltfilt(sections, values)
    return np.asarray(hilbert(values))


def phases_of_spikes(fields: list[_Field], trains: Trains) -> np.ndarray:
    """Phase (rad, from -pi to pi) of the field at each spike, (n_spikes,), interpolated.

    >>> from nsnn_neuro.measures import as_repeats
    >>> field = np.exp(2j * np.pi * np.arange(100) / 100), 1000.0, 0.0
    >>> phases_of_spikes([field], as_repeats([[0.025]])).round(3)
    array([1.571])
    """
    phase = np.empty(trains.times.size)
    borders = trains.offsets[:: trains.n_neurons]
    for trial, (values, rate, start) in enumerate(fields):
        own = slice(borders[trial], borders[trial + 1])
        at = (trains.times[own] - start) * rate
        sample = np.arange(len(values))
        phase[own] = np.arctan2(np.interp(at, sample, values.imag), np.interp(at, sample, values.real))
    return phase


def field_levels(fields: list[_Field], trains: Trains, n_bins: int) -> np.ndarray:
    """Levels of the field's power, (n_trials,) ints, `n_bins` of equal numbers of trials.

    >>> import quantities as pq
    >>> from nsnn_neuro.measures import as_repeats
    >>> trains = as_repeats([[0.001], [0.001]], t_start=0*pq.s, t_stop=4*pq.ms)
    >>> field_levels([(np.full(4, 1 + 0j), 1000.0, 0.0), (np.full(4, 2 + 0j), 1000.0, 0.0)], trains, 2)
    array([0, 1])
    """
    power = np.empty(len(fields))
    for trial, (values, rate, start) in enumerate(fields):
        first, end = np.rint((np.array([trains.t_start[trial], trains.t_stop[trial]]) - start) * rate).astype(
            int
        )
        first = min(max(first, 0), len(values) - 1)
        power[trial] = np.mean(np.abs(values[first : max(end, first + 1)]) ** 2)
    inner = np.quantile(power, np.arange(1, n_bins) / n_bins)
    return np.searchsorted(inner, power, side="left")
