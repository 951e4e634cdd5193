"""Phase of a signal, such as a field potential, at the times of spikes.

The phase is that of the analytic signal (Hilbert transform) of the whole signal of a trial, after a
Butterworth band-pass of third order, forwards and backwards so that it shifts no phase. It is 0 at
the peaks of the signal, and -pi and pi at its troughs. It is unreliable within `edge_of` the ends
of a signal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.signal import butter, hilbert, sosfiltfilt

from ...core.errors import NsnnError
from ...core.units import shown, si
from ..spiketrain.spike_triggered import covering_signals
from ..trains import Trains

_ORDER = 3
Field = tuple[np.ndarray, float, float]
"""analytic signal (m,), sampling rate (Hz) and start (s)"""


def analytic_fields(signal: Any, trains: Trains, band: Any, name: str = "signal") -> list[Field]:
    """Analytic signal (m,), sampling rate (Hz) and start (s) for each trial, covered by it."""
    read = covering_signals(signal, trains, name)
    sections = None if band is None else _sections(band, read[0][1])
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


def _sections(band: Any, rate: float) -> np.ndarray:
    edges = np.atleast_1d(si(band, "Hz", "band"))
    if edges.shape != (2,) or not 0 < edges[0] < edges[1] < rate / 2:
        raise NsnnError(
            f"band = {shown(band)}: expected two frequencies, low and high, between 0 and half the sampling rate, {rate / 2:g} Hz"
        )
    return np.asarray(butter(_ORDER, edges, btype="bandpass", fs=rate, output="sos"))


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
