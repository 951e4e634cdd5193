"""Spikes and oscillations: locking to the phase of a drive or a field, modulation at a drive's frequency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import neo
import numpy as np
import pandas as pd
from scipy.signal import butter, hilbert, sosfiltfilt

from ...core.aliases import Quantity, Signal, SpikeSource, Time
from ...core.checks import LARGEST, check, suggest_keywords, whole
from ...core.errors import NsnnError
from ...core.units import shown, si
from ...core.warn import warn
from ..estimate import jackknife_se
from ..response_checks import permutation_p, warn_repeated
from ..spiketrain.spike_triggered import covering_signals
from ..trains import Trains, as_trains, nan_ratio, positive, warn_silent

_N_COMPARED = 1000  # times at which phases of a field are compared half a trial apart
_REGULAR = 0.7  # length of the mean vector of their differences, of a field as regular as a clock


@suggest_keywords
def phase_locking(
    phase: Quantity | Signal,
    block: SpikeSource,
    *,
    band: Any = None,
    n_surrogates: int = 0,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> pd.DataFrame:
    """Locking of each neuron's spikes to the phase of a drive or a field, a row for each neuron.

    With phases phi of n spikes and R = |sum of e^(i phi)|: vector_strength = R / n, direction the
    angle of the sum. ppc, the pairwise phase consistency, is the mean of cos(phi_i - phi_j) over
    pairs of spikes, of different trials if there are several: unbiased for the squared vector
    strength of many spikes, and of one trial (R^2 - n) / (n (n - 1)).

    p without surrogates is Rayleigh's, exp(sqrt(1 + 4 n + 4 (n^2 - R^2)) - (1 + 2 n)). It takes
    spikes as independent: rhythmic or bursting trains have small p without any locking. Surrogates
    keep each train's own rhythm: for a frequency all phases of a train of a trial turn by one random
    angle; for a field its spikes move around the trial, by an edge (below) or a quarter of the trial
    at least. p is then (1 + surrogates with as large a vector strength) / (1 + n_surrogates). A
    frequency needs at least two trials, and a field as regular as a drive is warned of.

    The phase of a frequency f is 2 pi f t, t on the clock of the trial: a sine at phase 0 has its
    peak at pi / 2. That of a signal is 0 at its peaks: Butterworth band-pass of third order,
    forwards and backwards (no phase shift), and Hilbert transform. Edges at both ends of a signal,
    max(1 / low, 2 / (high - low)) long, are left out; a warning counts the spikes lost there.

    Parameters
    ----------
    phase : frequency, scalar, such as 8*Hz; or the field, a neo.AnalogSignal of one channel on the
        clock of the trials, or a list with one for each trial
    block : neo.Block, one Segment per trial
    band : (low, high) frequencies of a signal, such as [4, 8]*Hz
    n_surrogates, seed : of the test; 0 (default) is Rayleigh's
    t_start, t_stop : times, scalar; None is the trials' own end

    Returns
    -------
    pandas.DataFrame with the columns neuron, n (spikes), vector_strength, direction (rad, from -pi
        to pi), ppc, p. NaN without spikes, with one SilentNeuronWarning

    Raises
    ------
    NsnnError : a band without a signal or the reverse, a band that does not fit the sampling rate, a
        signal that is constant, does not cover the trials or is too short for the band; surrogates
        of a frequency and one trial; or what `as_trains` refuses. Sources: Vinck
        et al. 2010, doi 10.1016/j.neuroimage.2010.01.073; Zar, Biostatistical Analysis, 2010

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> times = np.array([0.1, 0.4, 0.9, 2.0, 5.8]) / (2 * np.pi)
    >>> table = phase_locking(1*pq.Hz, to_block([[times]], t_stop=1*pq.s))
    >>> table[["n", "vector_strength", "direction", "ppc", "p"]].round(4).values.tolist()
    [[5.0, 0.6926, 0.5189, 0.3496, 0.086]]
    """
    check(seed=seed)
    n_null = whole(n_surrogates, 0, "n_surrogates", LARGEST)
    trains, phases = with_phases(phase, block, band, t_start, t_stop)
    counts = trains.counts
    resultant = _sums(trains, phases(trains))
    n, total = counts.sum(axis=0), np.abs(resultant.sum(axis=0))
    strength = warn_silent(nan_ratio(total, n), "phase_locking", "have no spikes")
    # within trials, or of spikes with themselves
    own = [(one**2).sum(axis=0) if trains.n_trials > 1 else n for one in (np.abs(resultant), counts)]
    p = np.exp(-4 * total**2 / (np.sqrt(1 + 4 * n + 4 * (n**2 - total**2)) + 1 + 2 * n))
    if n_null:
        if band is None and trains.n_trials < 2:
            raise NsnnError(
                f"n_surrogates = {n_null} with a frequency and one trial: expected several trials, since a shift turns all phases "
                "of a train alike; cut the recording into trials of whole cycles, or take n_surrogates=0"
            )
        if band is not None and trains.n_trials == 1:
            half = trains.durations[0] / 2
            times = trains.t_start[0] + half * np.arange(_N_COMPARED) / _N_COMPARED
            early, late = (
                phases(Trains.from_arrays(t, 0 * t.astype(int), 0 * t.astype(int), 1, np.array([t[[0, -1]]])))
                for t in (times, times + half)
            )
            if np.abs(np.exp(1j * (late - early)).mean()) > _REGULAR:
                warn(
                    "phase_locking: the field is so regular that shifts keep the locking of a train, and p is too large: cut the "
                    "recording into several trials, or take n_surrogates=0"
                )
        rng, null = np.random.default_rng(seed), np.empty((n_null, n.size))
        for row in null:
            if band is None:
                turned = resultant * np.exp(2j * np.pi * rng.random(resultant.shape))
            else:
                length = np.repeat(trains.durations, n.size)
                least = np.minimum(edge_of(band), length / 4)
                by = (least + (length - 2 * least) * rng.random(length.size))[trains.train]
                start = trains.t_start[trains.trial]
                moved = replace(trains, times=start + np.mod(trains.times - start + by, length[trains.train]))
                turned = _sums(moved, phases(moved))
            row[:] = nan_ratio(np.abs(turned.sum(axis=0)), n)
        p = np.array([permutation_p(*one) for one in zip(null.T, strength, strict=True)])
    return pd.DataFrame(
        {
            "neuron": np.arange(n.size),
            "n": n,
            "vector_strength": strength,
            "direction": np.where(n > 0, np.angle(resultant.sum(axis=0)), np.nan),
            "ppc": nan_ratio(total**2 - own[0], n**2 - own[1]),
            "p": np.where(n > 0, p, np.nan),
        }
    )


def with_phases(
    phase: Any, block: Any, band: Any, t_start: Any, t_stop: Any
) -> tuple[Trains, Callable[[Trains], np.ndarray]]:
    """Spikes that have a phase, see `phase_locking`, and the function from such trains to phases (rad)."""
    trains = as_trains(block, t_start, t_stop)
    warn_repeated(block, trains, "phase_locking")
    if not isinstance(phase, neo.AnalogSignal | list | tuple):
        frequency = positive(phase, "Hz", "phase")
        if band is not None:
            raise NsnnError(
                f"band = {shown(band)} with a frequency: leave it out, or pass a neo.AnalogSignal as phase"
            )
        return trains, lambda spikes: 2 * np.pi * frequency * spikes.times
    if band is None:
        raise NsnnError("band = None: expected that of the signal whose phase is meant, such as [4, 8]*Hz")
    _ = trains.durations  # which says how to give them
    fields, edge = analytic_fields(phase, trains, band, "phase"), edge_of(band)
    start = np.maximum(trains.t_start, [first + edge for _, _, first in fields])
    stop = np.minimum(trains.t_stop, [first + len(values) / rate - edge for values, rate, first in fields])
    for k in np.flatnonzero(start >= stop):
        raise NsnnError(
            f"band = {shown(band)}: without {edge:g} s at both ends of the signal nothing is left of trial {k}; take a longer "
            "signal, or a wider band at higher frequencies"
        )
    inner = trains.crop(start, stop)
    if lost := trains.times.size - inner.times.size:
        warn(
            f"phase: {lost} of {trains.times.size} spikes are left out, as the phase is unreliable within {edge:g} s of the ends "
            "of the signal; cut longer trials with their signals, and pass t_start and t_stop"
        )
    return inner, lambda spikes: phases_of_spikes(fields, spikes)


def _sums(trains: Trains, phase: np.ndarray) -> np.ndarray:
    """(n_trials, n_neurons) sums of e^(i phase) over spikes."""
    return trains.per_train(trains.train, np.cos(phase)) + 1j * trains.per_train(trains.train, np.sin(phase))


@suggest_keywords
def modulation_ratio(
    frequency: Quantity, block: SpikeSource, *, t_start: Time | None = None, t_stop: Time | None = None
) -> pd.DataFrame:
    """F1/F0: amplitude of the rate at a drive's frequency over the mean rate, a row for each neuron.

    With n spikes at times t in the whole cycles of all trials, which last T together, f0 = n / T
    and f1 = 2 |sum of e^(-2 pi i f t)| / T. A rate without modulation has the ratio 0, a half-wave
    rectified sine pi / 2, and spikes at one phase of the cycle 2: above 1 a visual cell is called
    simple. se of the ratio: jackknife over cycles, of all trials together. With few spikes the
    ratio is too large, by chance about sqrt(pi / n) without modulation; `phase_locking` has a test.

    Parameters
    ----------
    frequency : of the drive, scalar
    block : neo.Block, one Segment per trial; the drive has the same phase at time 0 of all trials
    t_start, t_stop : times, scalar; None is the trials' own end. Cycles count from t_start; an
        incomplete last one is left out

    Returns
    -------
    pandas.DataFrame with the columns neuron, f0 (Hz), f1 (Hz), ratio, se. ratio and se are NaN
        without spikes, with one SilentNeuronWarning

    Raises
    ------
    NsnnError : a trial shorter than a cycle, or what `as_trains` refuses. Source: Skottun et al.
        1991, doi 10.1016/0042-6989(91)90033-2

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> table = modulation_ratio(2*pq.Hz, to_block([[[0.1, 0.6, 1.1]], [[0.1, 0.6]]], t_stop=1.2*pq.s))
    >>> table.round(3).values.tolist()  # of 2 + 2 cycles
    [[0.0, 2.0, 4.0, 2.0, 0.0]]
    """
    f = positive(frequency, "Hz", "frequency")
    trains = as_trains(block, t_start, t_stop)
    warn_repeated(block, trains, "modulation_ratio")
    cycle, n_cycles = trains.bins(1 / f, "a cycle of frequency")
    inside = cycle < n_cycles[trains.trial]
    first = np.concatenate([[0], np.cumsum(n_cycles)])
    shape = first[-1], trains.n_neurons
    cell = ((first[trains.trial] + cycle) * trains.n_neurons + trains.neuron)[inside]
    phase = 2 * np.pi * f * trains.times[inside]
    n, cosine, sine = (
        np.bincount(cell, weights, minlength=shape[0] * shape[1]).reshape(shape)
        for weights in (None, np.cos(phase), np.sin(phase))
    )
    n, parts = n.astype(float), cosine + 1j * sine
    f0, f1 = f * n.mean(axis=0), 2 * f * np.abs(parts.mean(axis=0))
    ratio = warn_silent(nan_ratio(f1, f0), "modulation_ratio", "have no spikes in whole cycles")
    se = jackknife_se(nan_ratio(2 * np.abs(parts.sum(axis=0) - parts), n.sum(axis=0) - n))
    return pd.DataFrame(
        {"neuron": np.arange(shape[1]), "f0": f0, "f1": f1, "ratio": ratio, "se": np.atleast_1d(se)}
    )


_ORDER = 3
Field = tuple[np.ndarray, float, float]
"""analytic signal (m,), sampling rate (Hz) and start (s)"""


def analytic_fields(signal: Any, trains: Trains, band: Any, name: str = "signal") -> list[Field]:
    """Analytic signal (m,), sampling rate (Hz) and start (s) for each trial, covered by it."""
    read = covering_signals(signal, trains, name)
    sections = None
    if band is not None:
        edges, rate = np.atleast_1d(si(band, "Hz", "band")), read[0][1]
        if edges.shape != (2,) or not 0 < edges[0] < edges[1] < rate / 2:
            raise NsnnError(
                f"band = {shown(band)}: expected two frequencies, low and high, between 0 and half the sampling rate, "
                f"{rate / 2:g} Hz"
            )
        sections = np.asarray(butter(_ORDER, edges, btype="bandpass", fs=rate, output="sos"))
    made: dict[int, np.ndarray] = {}
    out = []
    for trial, (values, rate, start) in enumerate(read):
        if values.shape[1] != 1:
            raise NsnnError(
                f"{name} has {values.shape[1]} channels: expected one; select with {name}[:, [0]]"
            )
        if id(values) not in made:  # one signal may be that of all trials
            made[id(values)] = _analytic(values[:, 0], sections, f"{name} of trial {trial}")
        out.append((made[id(values)], rate, start))
    return out


def edge_of(band: Any) -> float:
    """Time (s) at the ends of a signal without a reliable phase: max(1 / low, 2 / (high - low)).

    The filter's slowest transient decays as exp(-pi (high - low) t / 2), and so to 4 % in that
    time.
    """
    low, high = si(band, "Hz", "band")
    return float(max(1 / low, 2 / (high - low)))


def _analytic(values: np.ndarray, sections: np.ndarray | None, name: str) -> np.ndarray:
    if np.ptp(values) == 0:
        raise NsnnError(f"{name} is constant ({values[0]:g}): it has no phase; choose another channel")
    values = values - values.mean()
    if sections is not None:
        needed = 3 * (2 * len(sections) + 1)
        if len(values) <= needed:
            raise NsnnError(f"{name} has {len(values)} samples: to filter expected more than {needed}")
        values = sosfiltfilt(sections, values)
    return np.asarray(hilbert(values))


def phases_of_spikes(fields: list[Field], trains: Trains) -> np.ndarray:
    """Phase (rad, from -pi to pi) of the field at each spike, (n_spikes,), interpolated."""
    phase = np.empty(trains.times.size)
    borders = trains.offsets[:: trains.n_neurons]
    for trial, (values, rate, start) in enumerate(fields):
        own = slice(borders[trial], borders[trial + 1])
        at = (trains.times[own] - start) * rate
        sample = np.arange(len(values))
        phase[own] = np.arctan2(np.interp(at, sample, values.imag), np.interp(at, sample, values.real))
    return phase
