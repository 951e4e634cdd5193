"""Phase and power of a field potential at the times of spikes, as codes; `spectral/analytic_signal.py` says which phase."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.aliases import Signal, SpikeSource, Time
from ...core.checks import check, suggest_keywords
from ..spectral.analytic_signal import Field, analytic_fields, phases_of_spikes
from ..trains import Trains
from .words import in_window


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
    field has its peaks at phase 0, see `phase_locking`. The sum over bins is the spike count.
    `mutual_information(stimulus, phases[:, j])` is the information of neuron j; `codes_table`
    compares it with that of the count. Signals should go beyond the window by
    max(1 / low, 2 / (high - low)) on both sides, where the phase is unreliable.

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
    NsnnError : a constant signal, one that does not cover the window, of several channels, or too short for the
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
    shape = trains.n_trials, trains.n_neurons, n_bins
    cells = trains.train * n_bins + phase_bins(phase, n_bins)
    return np.bincount(cells, minlength=math.prod(shape)).reshape(shape)


def phase_bins(phase: np.ndarray, n_bins: int) -> np.ndarray:
    """The bin of phases in rad, from 0 at -pi to n_bins - 1."""
    return np.minimum((phase + np.pi) / (2 * np.pi) * n_bins, n_bins - 1).astype(np.int64)


def field_levels(fields: list[Field], trains: Trains, n_bins: int) -> np.ndarray:
    """Levels of the field's power, (n_trials,) ints, `n_bins` of equal numbers of trials."""
    power = np.empty(len(fields))
    for trial, (values, rate, start) in enumerate(fields):
        window = np.array([trains.t_start[trial], trains.t_stop[trial]])
        first, end = np.rint((window - start) * rate).astype(int)
        first = min(max(first, 0), len(values) - 1)
        power[trial] = np.mean(np.abs(values[first : max(end, first + 1)]) ** 2)
    inner = np.quantile(power, np.arange(1, n_bins) / n_bins)
    return np.searchsorted(inner, power, side="left")
