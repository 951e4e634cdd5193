"""The probability of a spike with escape noise: the membrane is free of noise, so it is known given the spikes."""

from __future__ import annotations

import numpy as np

from ...core.numba_jit import njit
from ...models.escape import EscapeNoise, Family, Hazard
from .given_spikes import Membrane, Stretches

_LEAST = float(np.log1p(-(1 - 1e-16)))  # nats of a step without a spike


def spike_chances(membrane: Membrane, parts: Stretches, noise: EscapeNoise, dt: float) -> np.ndarray:
    """The probability of a spike in each step, (n_steps,), 0 while refractory, as `simulate` draws it."""
    before, after, length = _free_paths(membrane, parts, dt)
    if isinstance(noise.law, Family):
        scale = noise.law.si(noise.law.parameter_fields()[0].name)
        chances = noise.law._cdf(after - membrane.threshold, np.asarray(scale))
        return np.where(length > 0, chances, 0.0)
    return np.asarray(-np.expm1(-_integrals(membrane, noise.law, before, after, length, dt)))


def logs_of_steps(
    membrane: Membrane, parts: Stretches, noise: EscapeNoise, dt: float, fired: np.ndarray
) -> np.ndarray:
    """The log-likelihood of each step, (n_steps,), of which `fired`, (n_steps,) bool, have a spike."""
    if isinstance(noise.law, Family):
        chances = spike_chances(membrane, parts, noise, dt)
        logs = np.log1p(-np.minimum(chances, 1 - 1e-16))
        chances = chances[fired]
    else:  # without logarithms of exponentials, which take as long as all the rest
        before, after, length = _free_paths(membrane, parts, dt)
        logs = -_integrals(membrane, noise.law, before, after, length, dt)
        chances = -np.expm1(logs[fired])
        np.maximum(logs, _LEAST, out=logs)
    logs[fired] = np.log(np.maximum(chances, 1e-300))
    return logs


def _free_paths(membrane: Membrane, parts: Stretches, dt: float) -> np.ndarray:
    given = parts.first, parts.n_steps, parts.length, parts.start, membrane.drive
    return paths(*given, membrane.tau / dt, membrane.leaky, membrane.load, membrane.kick)


def _integrals(
    membrane: Membrane, law: Hazard, before: np.ndarray, after: np.ndarray, length: np.ndarray, dt: float
) -> np.ndarray:
    """The integral of the hazard over each step, (n_steps,)."""
    leak, threshold = float(membrane.leaky), membrane.threshold
    rates = [
        law._hazard(
            v - threshold,
            membrane.rise + (membrane.drive - leak * v) / membrane.tau if law.uses_rise else v - threshold,
        )
        for v in (before, after)
    ]
    return np.clip(0.5 * length * dt * (rates[0] + rates[1]), 0.0, 700.0)


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
