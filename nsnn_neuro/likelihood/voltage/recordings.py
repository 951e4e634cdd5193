"""The recorded membrane potential of each trial, from what a user has of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import neo
import numpy as np

from ...core.errors import NsnnError
from ...core.units import si, unit_of

_LARGEST = 0.5
"""V; a membrane potential is far below it, one in mV whose unit was given as V far above."""
_FLAT = 1e-4  # V


@dataclass(frozen=True, eq=False)
class Recording:
    """The membrane potential of one trial."""

    values: np.ndarray  # (n_samples,) V
    period: float  # s, from sample to sample
    t_start: float  # s, of the first sample
    spikes: neo.SpikeTrain | None  # those that came with it

    @property
    def t_stop(self) -> float:
        """End of the last sample, s."""
        return self.t_start + len(self.values) * self.period


def read_voltage(voltage: Any) -> list[Recording]:
    """The checked trials of `voltage`: a neo.AnalogSignal, a neo.Block, or a list of these."""
    parts = voltage if isinstance(voltage, list | tuple) else [voltage]
    result = [one for part in parts for one in _trials(part)]
    if not result:
        raise NsnnError(f"voltage = {type(voltage).__name__} without trials: expected one or more signals")
    for k, one in enumerate(result):
        _check_values(one, f"trial {k} of voltage" if len(result) > 1 else "voltage")
    periods = np.array([one.period for one in result])
    if np.ptp(periods) > 1e-6 * periods[0]:
        raise NsnnError(
            f"voltage has trials sampled every {1e3 * periods.min():.6g} ms and every {1e3 * periods.max():.6g} ms: expected one "
            "sampling interval; resample, or fit them one by one"
        )
    return result


def _trials(voltage: Any) -> list[Recording]:
    if isinstance(voltage, neo.AnalogSignal):
        return [_recording(voltage, None)]
    if isinstance(voltage, neo.Block):
        return [_of_segment(segment, k) for k, segment in enumerate(voltage.segments)]
    raise NsnnError(
        f"voltage = {type(voltage).__name__} object: expected a neo.AnalogSignal such as neo.AnalogSignal(v, units='mV', "
        "sampling_rate=10*pq.kHz), a neo.Block with one in each segment, or a list of them, one for each repeat"
    )


def _of_segment(segment: neo.Segment, k: int) -> Recording:
    volts = [one for one in segment.analogsignals if unit_of(one) == "V"]
    # `simulate` also stores its stimulus, in volts
    named = [one for one in volts if one.name == "v"] or [
        one for one in volts if not str(one.name or "").startswith("stimulus")
    ]
    if len(named) != 1:
        names = ", ".join(f"{one.name!r} in {one.dimensionality}" for one in segment.analogsignals) or "none"
        raise NsnnError(
            f"voltage: segment {k} of the Block has {len(named)} signals that could be the membrane potential (its signals: "
            f"{names}): expected one; pass the signal itself, such as block.segments[{k}].analogsignals[0]"
        )
    trains = segment.spiketrains
    if len(trains) > 1:
        raise NsnnError(
            f"voltage: segment {k} of the Block has {len(trains)} spike trains: expected one; pass the signal, and spikes as trains"
        )
    return _recording(named[0], trains[0] if len(trains) else None)


def _recording(signal: neo.AnalogSignal, spikes: neo.SpikeTrain | None) -> Recording:
    if unit_of(signal) != "V":
        raise NsnnError(
            f"voltage has the unit {signal.dimensionality}: expected a membrane potential in a unit of voltage, such as mV"
        )
    if signal.shape[1] != 1 or signal.shape[0] < 2:
        raise NsnnError(
            f"voltage has {signal.shape[1]} channels of {signal.shape[0]} samples: expected one channel; pass repeats as a list"
        )
    values = np.asarray(signal.rescale("V").magnitude, dtype=float)[:, 0]
    period = float(si(signal.sampling_period, "s", "sampling_period"))
    return Recording(values, period, float(si(signal.t_start, "s", "t_start")), spikes)


def _check_values(one: Recording, name: str) -> None:
    bad = np.flatnonzero(~np.isfinite(one.values))
    if bad.size:
        raise NsnnError(
            f"{name} has {bad.size} values that are NaN or infinite, the first at {one.t_start + bad[0] * one.period:.6g} s: "
            "expected finite values; cut the signal before with signal.time_slice, or fill short gaps by interpolation"
        )
    low, high = float(one.values.min()), float(one.values.max())
    if max(-low, high) > _LARGEST:
        raise NsnnError(
            f"{name} runs from {low:.4g} to {high:.4g} V: expected a membrane potential, from about -0.1 to 0.06 V; its unit "
            "seems to be mV: neo.AnalogSignal(values, units='mV', ...)"
        )
    if high - low < _FLAT:
        raise NsnnError(
            f"{name} is flat: it runs from {1e3 * low:.6g} to {1e3 * high:.6g} mV; expected a membrane potential that follows the "
            "current; check the channel and its unit"
        )
