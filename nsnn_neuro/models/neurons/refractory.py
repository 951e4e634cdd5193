"""Where a membrane starts in a trial, and when it is released after a spike."""

from __future__ import annotations

from typing import Any

import numpy as np

from .base import IntegrateAndFire
from .conductance_based import ConductanceBased


def release(tau_refrac: Any, dt: float, bridge: bool) -> tuple[np.ndarray, np.ndarray]:
    """End of the refractory time of a neuron that fired in step k: a step of length h dt (0 < h <= 1.5) in step k + j.

    The spike is at k + 1/2 steps with the bridge, at k + 1 without. Returns (j, h), j >= 1.
    """
    free_at = (0.5 if bridge else 1.0) + np.asarray(tau_refrac) / dt
    n_whole = np.floor(free_at + 1e-9)  # 2 ms / 0.1 ms is 20, not 19.999999999999996
    j = np.maximum(1, n_whole)
    return j.astype(np.int32), j + 1 - np.where(np.abs(free_at - n_whole) < 1e-9, n_whole, free_at)


def initial_voltage(neuron: IntegrateAndFire) -> np.ndarray:
    """Initial voltage: v_rest, or v_reset if there is no v_rest below threshold."""
    if isinstance(neuron, ConductanceBased):
        return np.asarray(neuron.si("v_rest"))
    reset = np.asarray(neuron.si("v_reset"))
    if not hasattr(neuron, "v_rest"):
        return reset
    return np.where(neuron.si("v_rest") < neuron.si(neuron.threshold), neuron.si("v_rest"), reset)
