"""Which parameters a voltage fit determines by default, and within which bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import quantities as pq

from ...models.neurons.expressions import STATEMENT, names_in, statements
from ...models.stimuli import Filtered
from ..continuous.conditional import Parts
from .samples import Samples

_SHOWN = {"s": (1e-3, "ms"), "V": (1e-3, "mV"), "ohm": (1e6, "megaohm")}
_RATIO = 50.0  # of the bounds of the gain to a first guess


def membrane_bounds(parts: Parts, samples: Samples) -> dict[str, tuple[Any, Any]]:
    """Name -> bounds of what the voltage between spikes determines."""
    neuron, stimulus = parts[0], parts[2][0] if isinstance(parts[2], tuple) else parts[2]
    v = np.concatenate(samples.values)
    low, middle, high = (float(x) for x in np.percentile(v, [0.1, 50, 99]))
    fields = {field.name for field in neuron.parameter_fields()}
    bounds = {"tau_m": _quantities(0.3e-3, 0.3, "s")}
    if "v_rest" in fields:
        bounds["v_rest"] = _quantities(middle - 0.06, middle + 0.04, "V")
    bounds["v_reset"] = _quantities(low - 0.03, high + 0.03, "V")
    if isinstance(stimulus, Filtered) and samples.current is not None:
        guess = float(np.std(np.clip(v, low, high)) / np.std(np.concatenate(samples.current)))
        unit = "ohm" if stimulus.unit("gain") == "ohm" else "V"
        bounds["stimulus.gain"] = _quantities(guess / _RATIO, guess * _RATIO, unit)
    for name in _jumps(neuron, moving=False):
        bounds[name] = _quantities(-0.03, 0.05, "V")
    return bounds


def threshold_bounds(parts: Parts) -> dict[str, tuple[Any, Any]]:
    """Name -> bounds of what the spikes determine, given the membrane."""
    neuron, noise, _ = parts
    reset = float(neuron.si("v_reset"))
    bounds = {neuron.threshold: _quantities(reset + 1e-4, reset + 0.1, "V")}
    for name in _jumps(neuron, moving=True):
        bounds[name] = _quantities(-0.05, 0.1, "V")
    # the rate of a hazard does what the threshold does
    scale = next((f.name for f in noise.law.parameter_fields() if "V" in f.metadata["units"]), None)
    if scale is not None:
        kind = "hazard" if noise.family is None else "family"
        bounds[f"noise.{kind}.{scale}"] = _quantities(5e-5, 0.03, "V")
    return bounds


def _jumps(neuron: Any, *, moving: bool) -> list[str]:
    """The parameters by which spikes change currents, or the threshold."""
    fields = {field.name for field in neuron.parameter_fields() if "V" in field.metadata["units"]}
    lifts = names_in(neuron.moving)
    result: list[str] = []
    for line in statements(neuron.after_spike):
        match = STATEMENT.fullmatch(line)
        if match and (match[1] in lifts) == moving:
            result += sorted(names_in(match[3]) & fields)
    return result


def _quantities(low: float, high: float, unit: str) -> tuple[Any, Any]:
    size, shown = _SHOWN[unit]
    return pq.Quantity(low / size, shown), pq.Quantity(high / size, shown)
