"""Drifts f of one-dimensional neurons, tau_m dV/dt = f(V) + sigma sqrt(2 tau_m) xi(t), for the Fokker-Planck solvers.

A drift is any function of an array of voltages (SI) that returns f (SI); array parameters broadcast against the last axes of the
voltages. The drifts defined here also know their unit, so that a mix of volts and plain numbers raises an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core import units
from ...core.aliases import Voltage
from ..arguments import expect, voltages


@dataclasses.dataclass(frozen=True)
class Drift:
    """Drift f of tau_m dV/dt = f(V), a function with a unit.

    f : function of an array of voltages; unit : "V" (SI floats inside) or "1"

    >>> cubic = Drift(lambda v: v - v**3, unit="1")
    >>> cubic(2.0)
    -6.0
    """

    f: Callable[[Any], Any]
    unit: str

    def __call__(self, v: Any) -> Any:
        """The drift f at v."""
        return self.f(v)


def lif_drift(mu: Voltage) -> Drift:
    """Drift of the leaky integrate-and-fire neuron: f = mu - V, mu = v_rest + drive; it spikes at v_spike = v_thresh.

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 1, doi 10.1017/CBO9781107447615

    >>> lif_drift(0.8)(0.5).round(6).item()
    0.3
    """
    (mean,) = voltages(mu=mu)
    return Drift(lambda v: mean - v, units.unit_of(mu))


def pif_drift(mu: Voltage) -> Drift:
    """Drift of the perfect integrator: f = mu.

    Source: Gerstein & Mandelbrot 1964, doi 10.1016/S0006-3495(64)86768-0

    >>> pif_drift(0.8)([0.0, 0.5]).tolist()
    [0.8, 0.8]
    """
    (mean,) = voltages(mu=mu)
    return Drift(lambda v: mean + np.zeros_like(v, dtype=float), units.unit_of(mu))


def eif_drift(mu: Voltage, *, delta_T: Any, v_thresh: Voltage) -> Drift:
    """Drift of the exponential integrate-and-fire neuron: f = mu - V + delta_T exp((V - v_thresh) / delta_T), mu = v_rest + drive.

    Without noise it fires if mu > v_thresh - delta_T. With v_spike = v_thresh + 10 delta_T the neglected rest of the upstroke takes
    about tau_m exp(-10).

    Parameters
    ----------
    mu : the resting potential plus the mean drive, which the free membrane reaches without the upstroke; delta_T : sharpness > 0;
        v_thresh : voltage at which the upstroke begins, the minimum of f. All broadcast

    Source: Fourcaud-Trocme et al. 2003, doi 10.1523/JNEUROSCI.23-37-11628.2003

    >>> drift = eif_drift(0.5, delta_T=0.2, v_thresh=1.0)
    >>> drift(1.0).round(6).item()
    -0.3
    """
    mean, sharpness, onset = voltages(mu=mu, delta_T=delta_T, v_thresh=v_thresh)
    expect(sharpness > 0, "a positive value", delta_T=delta_T)
    return Drift(lambda v: mean - v + sharpness * np.exp((v - onset) / sharpness), units.unit_of(mu))


def qif_drift(drive: Any, *, v_rest: Any, v_thresh: Voltage) -> Drift:
    """The quadratic integrate-and-fire neuron: f = (V - v_rest) (V - v_thresh) / (v_thresh - v_rest) + drive.

    It fires tonically without noise when drive > (v_thresh - v_rest) / 4. The canonical form f = V^2 + beta is
    v_rest = -.5, v_thresh = .5, drive = beta + .25. In the limit v_spike = -v_reset -> infinity each end leaves out a
    time of about (v_thresh - v_rest) tau_m / v_spike.

    Parameters
    ----------
    drive : as the stimulus of `QIF`; v_rest below v_thresh : the fixed points without drive. All broadcast

    Source: Latham et al. 2000, doi 10.1152/jn.2000.83.2.808

    >>> drift = qif_drift(1.25, v_rest=-0.5, v_thresh=0.5)   # V^2 + 1
    >>> drift(3.0).item()
    10.0
    """
    push, rest, onset = voltages(drive=drive, v_rest=v_rest, v_thresh=v_thresh)
    expect(rest < onset, "v_rest < v_thresh", v_rest=v_rest, v_thresh=v_thresh)
    return Drift(lambda v: (v - rest) * (v - onset) / (onset - rest) + push, units.unit_of(drive))
