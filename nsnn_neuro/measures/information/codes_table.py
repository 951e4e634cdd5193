"""Codes of one neuron in one table: counts, latencies, words, phases, spikes with field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...core.aliases import Signal, SpikeSource, Time, Values
from ...core.checks import check, one_of, positive, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown
from ..response_checks import as_labels, refuse_swapped
from ..spectral.analytic_signal import analytic_fields, phases_of_spikes
from .field_phase import field_levels, phase_bins
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
    stimulus : (n_trials,) whole numbers, texts, or floats that repeat, one per trial
    block : neo.Block, one Segment per trial
    bin_width : time, scalar, of latencies and words; it has to divide the window
    signal, band : the field and its band, see `phase_counts`; None (default) for none
    n_bins : bins of phase, and levels of the field's power
    neuron : number of the neuron; None (default) for a Block with one
    saturation : of the words, "count" (default) or "binary"
    bias, n_shuffle, seed : see `mutual_information`; "shuffle" applies to codes of several letters
    align, t_start, t_stop : the window, see `words`

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
        bins = phase_bins(phases_of_spikes(fields, trains), n_bins)
        n = trains.n_trials
        phases = np.bincount(trains.train * n_bins + bins, minlength=n * n_bins).reshape(n, n_bins)
        first = np.full(n, n_bins)
        first[counts > 0] = bins[trains.offsets[:-1][counts > 0]]  # times are sorted within a train
        level = field_levels(fields, trains, n_bins)
        codes += [
            ("phase", np.nan, phases, True),
            ("first phase", np.nan, first, False),
            ("field", np.nan, level, False),
            ("count + field", np.nan, np.stack([counts, level], axis=1), True),
        ]
    return table_of_codes(rows_of_codes(labels, codes, bias, n_shuffle, seed))
