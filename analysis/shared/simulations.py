"""Simulations as the studies need them: times in s, voltages in mV, in NumPy, without a progress bar."""

from __future__ import annotations

from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import mV, second

import nsnn_neuro as nsnn


def lif_parameters(config: Any) -> dict[str, Any]:
    """Parameters of a LIF neuron, for simulation and theory, from a Config with `tau_m`, `v_thresh` and `tau_refrac`.

    The reset is its `v_reset`, or rest, 0 mV.
    """
    return {
        "tau_m": config.tau_m * second,
        "v_thresh": config.v_thresh * mV,
        "v_reset": getattr(config, "v_reset", 0.0) * mV,
        "tau_refrac": config.tau_refrac * second,
    }


def recorded(values: np.ndarray, dt: float, units: Any = "mV") -> nsnn.Recorded:
    """A stimulus of samples dt (s) apart, with a column for each neuron or one for all."""
    return nsnn.Recorded(neo.AnalogSignal(values, units=units, sampling_period=dt * pq.s))


def simulated(*model: Any, seconds: float, dt: float, **options: Any) -> neo.Block:
    """The spikes of a network, or of a neuron with its noise and stimulus, as of `nsnn.simulate`."""
    how: dict[str, Any] = {"engine": "numpy", "progress": False} | options
    return nsnn.simulate(*model, duration=seconds * second, dt=dt * second, **how)
