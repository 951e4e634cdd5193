"""Codes of one neuron in one table: counts, latencies, words, phases, spikes with field; phases and power of a field as codes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from ...core.aliases import Signal, SpikeSource, Time, Values
from ...core.checks import check, one_of, positive, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown
from ..response_checks import as_labels, refuse_swapped
from ..spectral.phase_locking import Field, analytic_fields, phases_of_spikes
from ..trains import Trains
from .rate_vs_temporal import Code, letters_of, of_one_neuron, rows_of_codes, table_of_codes
from .words import from_start, in_window, latency_bins, refuse_remainder


@suggest_keywords
def codes_table(
    stimulus: Values,
    block: SpikeSource,
    *,
    bin_width: Time,
    signal: Signal | None = None,
    band: Any = None,
    n_bins: int = 4,
    neuron: int | None = None,
    saturation: str = "count",
    bias: str = "panzeri-treves",
    n_shuffle: int = 100,
    seed: int = 0,
    align: Any = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> pd.DataFrame:
    """Information about the stimulus in each code of one neuron, as a table with a row per code.

    | code | response of a trial |
    |---|---|
    | "count" | number of spikes in the window |
    | "latency" | bin of the first spike, or silence |
    | "words" | spikes in each bin |
    | "phase" | spikes at each phase of the field, whatever their times (`phase_counts`) |
    | "first phase" | phase of the first spike, or silence; needs no clock of the stimulus |
    | "field" | power of the field in the window, in `n_bins` levels of equal numbers of trials |
    | "count + field" | both: spike-field information |

    The last four need a `signal`. Other columns: resolution (s; NaN for phases and fields),
    responses (different ones that occur), and those of `rate_vs_temporal`. over_count asks whether
    phases, or the field, add to counts; of codes that contain the count, "words" of counts, "phase"
    and "count + field", over_count_null_mean is taken off.

    Parameters
    ----------
    stimulus, block, neuron, saturation, bias, n_shuffle, seed, align, t_start, t_stop : as for
        `rate_vs_temporal`
    bin_width : time, scalar, of latencies and words; it has to divide the window
    signal, band : the field and its band, see `phase_counts`; None (default) for none
    n_bins : bins of phase, and levels of the field's power

    Raises
    ------
    NsnnError : a bin_width that doesn't divide the window, a band without a signal, or what
        `rate_vs_temporal` and `phase_counts` refuse. Sources: Montemurro et al. 2008, doi
        10.1016/j.cub.2008.02.023; Belitski et al. 2008, doi 10.1523/JNEUROSCI.0009-08.2008

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> stimulus = [0, 1] * 40
    >>> block = to_block([[[0.012 + 0.02 * s]] for s in stimulus], t_stop=50*pq.ms)
    >>> table = codes_table(stimulus, block, bin_width=10*pq.ms, bias="none", n_shuffle=0)
    >>> table[["code", "resolution", "responses", "raw", "over_count"]].round(3).values.tolist()
    [['count', 0.05, 1, 0.0, 0.0], ['latency', 0.01, 2, 1.0, 1.0], ['words', 0.01, 2, 1.0, 1.0]]
    """
    check(n_bins=n_bins, neuron=neuron, saturation=saturation, bias=bias, n_shuffle=n_shuffle, seed=seed)
    one_of(saturation, ("binary", "count"), "saturation")
    if signal is None and band is not None:
        raise NsnnError(f"band = {shown(band)} without a signal: pass the field as signal=")
    refuse_swapped(stimulus, block, "codes_table(stimulus, block)")
    trains = of_one_neuron(in_window(block, align, t_start, t_stop), neuron)
    labels, shifted = as_labels(stimulus, "stimulus", trains.n_trials)[1], from_start(trains)
    width, length = positive(bin_width, "s", "bin_width"), float(trains.durations[0])
    refuse_remainder(width, length, f"bin_width = {bin_width}", shifted.resolution)
    counts = trains.counts[:, 0]
    codes: list[Code] = [
        ("count", length, counts, False),
        ("latency", width, latency_bins(shifted, width)[:, 0], False),
        ("words", width, *letters_of(shifted, width, saturation, "bin_width")),
    ]
    if signal is not None:
        fields = analytic_fields(signal, trains, band)
        bins = _phase_bins(phases_of_spikes(fields, trains), n_bins)
        n = trains.n_trials
        phases = np.bincount(trains.train * n_bins + bins, minlength=n * n_bins).reshape(n, n_bins)
        first = np.full(n, n_bins)
        first[counts > 0] = bins[trains.offsets[:-1][counts > 0]]  # times are sorted within a train
        level = _field_levels(fields, trains, n_bins)
        codes += [
            ("phase", np.nan, phases, True),
            ("first phase", np.nan, first, False),
            ("field", np.nan, level, False),
            ("count + field", np.nan, np.stack([counts, level], axis=1), True),
        ]
    return table_of_codes(rows_of_codes(labels, codes, bias, n_shuffle, seed))


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
    cells = trains.train * n_bins + _phase_bins(phase, n_bins)
    return np.bincount(cells, minlength=math.prod(shape)).reshape(shape)


def _phase_bins(phase: np.ndarray, n_bins: int) -> np.ndarray:
    """The bin of phases in rad, from 0 at -pi to n_bins - 1."""
    return np.minimum((phase + np.pi) / (2 * np.pi) * n_bins, n_bins - 1).astype(np.int64)


def _field_levels(fields: list[Field], trains: Trains, n_bins: int) -> np.ndarray:
    """Levels of the field's power, (n_trials,) ints, `n_bins` of equal numbers of trials."""
    power = np.empty(len(fields))
    for trial, (values, rate, start) in enumerate(fields):
        window = np.array([trains.t_start[trial], trains.t_stop[trial]])
        first, end = np.rint((window - start) * rate).astype(int)
        first = min(max(first, 0), len(values) - 1)
        power[trial] = np.mean(np.abs(values[first : max(end, first + 1)]) ** 2)
    inner = np.quantile(power, np.arange(1, n_bins) / n_bins)
    return np.searchsorted(inner, power, side="left")
