"""What measures share: spikes as flat arrays (`io.spikes`), signals as arrays, neurons with too few spikes."""

from __future__ import annotations

from typing import Any

import neo
import numpy as np

from ..core.aliases import Signal
from ..core.checks import positive as positive
from ..core.checks import suggest_keywords
from ..core.errors import NsnnError
from ..core.units import described, floats, si
from ..core.warn import warn
from ..io.spikes import ResolutionWarning as ResolutionWarning
from ..io.spikes import Trains as Trains
from ..io.spikes import as_repeats as as_repeats
from ..io.spikes import as_trains as as_trains
from ..io.spikes import binned as binned
from ..io.spikes import holds_blocks as holds_blocks
from ..io.spikes import holds_trials as holds_trials
from ..io.spikes import read as read
from ..io.spikes import scalar_time as scalar_time
from ..io.spikes import time_window as time_window


def several_repeats(trains: Any, t_start: Any, t_stop: Any) -> Trains:
    """`as_repeats` of at least two trains."""
    repeats = as_repeats(trains, t_start, t_stop)
    if repeats.n_trials < 2:
        raise NsnnError("trains holds one train: expected at least two repeats of a neuron, to compare")
    return repeats


class SilentNeuronWarning(UserWarning):
    """Some neurons have too few spikes for the measure; their value is NaN. One warning per call.

    >>> import warnings
    >>> import quantities as pq
    >>> from nsnn_neuro import measures, to_block
    >>> block = to_block([[[0.1, 0.2, 0.4], []]], t_stop=1*pq.s)
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     cv = measures.cv(block)
    >>> cv.round(3).tolist(), caught[-1].category.__name__
    ([0.333, nan], 'SilentNeuronWarning')
    """


@suggest_keywords
def read_signal(signal: Signal, name: str = "signal") -> tuple[np.ndarray, float, float]:
    """Samples (m,) in their own unit, sampling rate (Hz) and start (s) of a one-channel neo.AnalogSignal without NaN.

    >>> import quantities as pq
    >>> read_signal(neo.AnalogSignal([1.0, 2.0], units="mV", sampling_rate=1*pq.kHz))
    (array([1., 2.]), 1000.0, 0.0)
    """
    values, rate, start = read_channels(signal, name)
    if values.shape[1] != 1:
        raise NsnnError(
            f"{name} has shape {values.shape}: expected one channel, (samples, 1); select with signal[:, [0]]"
        )
    return values[:, 0], rate, start


def read_channels(signal: Any, name: str = "signal") -> tuple[np.ndarray, float, float]:
    """Samples (m, n_channels) in their own unit, sampling rate (Hz) and start (s) of a neo.AnalogSignal without NaN."""
    if not isinstance(signal, neo.AnalogSignal):
        cure = ""
        if isinstance(signal, neo.IrregularlySampledSignal):
            cure = "; interpolate its samples at even times with numpy.interp(times, signal.times.magnitude, ...)"
        raise NsnnError(f"{name} = {described(signal)}: expected a neo.AnalogSignal{cure}")
    values = floats(signal.magnitude, name, "real samples")
    if values.ndim != 2 or values.size == 0:
        raise NsnnError(f"{name} has shape {values.shape}: expected (samples, channels), not empty")
    if not np.isfinite(values).all():
        bad = "NaN" if np.isnan(values).any() else "infinite samples"
        raise NsnnError(f"{name} holds {bad}: expected finite samples")
    return values, si(signal.sampling_rate, "Hz", name), si(signal.t_start, "s", name)


@suggest_keywords
def warn_silent(values: np.ndarray, name: str, reason: str, what: str = "neurons") -> np.ndarray:
    """`values` unchanged; if some are NaN, one SilentNeuronWarning that counts them, says what they are of, and gives the reason.

    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     values = warn_silent(np.array([0.9, np.nan]), "cv", "have fewer than two intervals")
    >>> print(caught[0].message)
    cv: 1 of 2 neurons have fewer than two intervals; their value is NaN
    """
    count = int(np.isnan(values).sum())
    if count:
        warn(f"{name}: {count} of {values.size} {what} {reason}; their value is NaN", SilentNeuronWarning)
    return values


def nan_ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """`top / bottom`, NaN where bottom is 0, without NumPy's warning."""
    if np.shape(top) != np.shape(bottom):
        top, bottom = np.broadcast_arrays(top, bottom)
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)
