"""The probability of a spike with escape noise: the membrane is free of noise, so it is known given the spikes."""

from __future__ import annotations

import numpy as np

from ...core.numba_jit import njit
from ...models.escape import EscapeNoise, Family
from .given_spikes import Membrane, Stretches


def spike_chances(membrane: Membrane, parts: Stretches, noise: EscapeNoise, dt: float) -> np.ndarray:
    """The probability of a spike in each step, (n_steps,), 0 while refractory, as `simulate` draws it."""
    given = parts.first, parts.n_steps, parts.length, parts.start, membrane.drive
    synapses = membrane.load, membrane.kick
    before, after, length = paths(*given, membrane.tau / dt, membrane.leaky, *synapses)
    low, high = before - membrane.threshold, after - membrane.threshold
    law = noise.law
    if isinstance(law, Family):
        scale = law.si(law.parameter_fields()[0].name)
        return np.where(length > 0, law._cdf(high, np.asarray(scale)), 0.0)
    leak = float(membrane.leaky)
    rates = [
        law._hazard(x, membrane.rise + (membrane.drive - leak * v) / membrane.tau if law.uses_rise else x)
        for x, v in ((low, before), (high, after))
    ]
    return np.asarray(-np.expm1(-np.clip(0.5 * length * dt * (rates[0] + rates[1]), 0.0, 700.0)))


@njit(cache=True)
def paths(
    first: np.ndarray,
    n_steps: np.ndarray,
    length: np.ndarray,
    start: np.ndarray,
    drive: np.ndarray,
    steps_per_tau: float,
    leaky: bool,
    load: np.ndarray,
    kick: np.ndarray,
) -> np.ndarray:
    """(3, n_steps) the voltage at both ends of each free step, and its length in steps; 0 in steps that are not free.

    load, kick : (n_steps,) or (0,), as of `Membrane`
    """
    result = np.zeros((3, len(drive)))
    before, after, lasts = result
    whole = -np.expm1(-1.0 / steps_per_tau)
    for s in range(first.shape[0]):
        v = start[s]
        for t in range(first[s], first[s] + n_steps[s]):
            h = length[s] if t == first[s] else 1.0
            before[t], lasts[t] = v, h
            leak = leaky + (load[t] if load.size else 0.0)
            if load.size and leak > 0:
                v += (drive[t] / leak - v) * -np.expm1(-h * leak / steps_per_tau)
            elif leaky:
                v += (drive[t] - v) * (whole if h == 1.0 else -np.expm1(-h / steps_per_tau))
            else:
                v += drive[t] * h / steps_per_tau
            if kick.size:
                v += kick[t]
            after[t] = v
    return result
