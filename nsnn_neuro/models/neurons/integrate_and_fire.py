"""Integrate-and-fire neurons."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self

import numpy as np

from ...core import units
from ...core.checks import positive
from ...core.errors import NsnnError
from ...core.parameters import parameter
from .base import IntegrateAndFire

_LITERATURE = {
    "E_L": "v_rest",
    "V_reset": "v_reset",
    "V_T": "v_thresh",
    "Delta_T": "delta_T",
    "V_peak": "v_spike",
}


class _FromCurrents:
    """Base of neurons with a leak, which can be made of a capacitance, conductances and currents."""

    @classmethod
    def from_pA(cls, *, C: Any = None, g_L: Any = None, R: Any = None, **parameters: Any) -> Self:
        """The neuron C dV/dt = g_L (E_L - V) + ... - w + I of the literature, with its parameters in pF, nS, pA and mV.

        tau_m is C / g_L. Currents are counted in voltages: the drive is I / g_L, Constant(500*pA / (30*nS)), or of a recorded
        current in pA Filtered(current, gain=1 / (30*nS)); so are b and w_start, and conductances such as a are in units of g_L.

        Parameters
        ----------
        C : capacitance; or give tau_m
        g_L : conductance of the leak; or R, its resistance
        parameters : those of the neuron, with E_L, V_reset, V_T, Delta_T and V_peak as names of v_rest, v_reset, v_thresh, delta_T
            and v_spike; currents and conductances are divided by g_L; tau_refrac is 0 unless given

        >>> from brian2 import ms, mV, nS, pA, pF
        >>> cell = AdEx.from_pA(C=281*pF, g_L=30*nS, E_L=-70.6*mV, V_T=-50.4*mV, Delta_T=2*mV, V_peak=20*mV, V_reset=-70.6*mV,
        ...                     a=4*nS, tau_w=144*ms, b=80.5*pA)
        >>> round(1e3 * cell.si("tau_m"), 3), round(cell.si("a"), 4), round(1e3 * cell.si("b"), 4)
        (9.367, 0.1333, 2.6833)
        """
        if (g_L is None) == (R is None) or (C is None) == ("tau_m" not in parameters):
            raise NsnnError(
                f"C = {C}, g_L = {g_L}, R = {R}: expected one of g_L and R, such as 30*nS, and one of C and tau_m, such as 281*pF"
            )
        name, value, unit = ("g_L", g_L, "S") if R is None else ("R", R, "ohm")
        leak = positive(value, unit, name) ** (1 if R is None else -1)
        given: dict[str, Any] = {"tau_refrac": units.pq_quantity(0.0, "s")}
        if C is not None:
            given["tau_m"] = units.pq_quantity(positive(C, "F", "C") / leak, "s")
        for name, value in parameters.items():
            if (unit := units.unit_of(value)) == "A":
                value = units.pq_quantity(units.si(value, unit, name) / leak, "V")
            elif unit == "S":
                value = units.si(value, unit, name) / leak
            given[_LITERATURE.get(name, name)] = value
        return cls(**given)


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class LIF(_FromCurrents, IntegrateAndFire):
    """Leaky integrate-and-fire neuron: tau_m dV/dt = v_rest - V + drive; at v_thresh a spike, then V = v_reset for tau_refrac.

    A trial starts at v_rest (at v_reset if v_rest is not below threshold). The step is exact for a drive that is constant over it.

    Parameters
    ----------
    tau_m : scalar or (n_neurons,), time > 0
    v_rest, v_reset, v_thresh : scalar or (n_neurons,), all voltages or all dimensionless; v_reset below v_thresh
    tau_refrac : scalar or (n_neurons,), time >= 0; need not be a multiple of dt

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 1, doi 10.1017/CBO9781107447615

    >>> from brian2 import mV, ms
    >>> cell = LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> cell.si("tau_m")
    0.02
    """

    tau_m: Any = parameter("s", bound="positive")
    v_rest: Any = parameter("V", "1")
    v_reset: Any = parameter("V", "1")
    v_thresh: Any = parameter("V", "1")
    tau_refrac: Any = parameter("s", bound="non-negative")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PIF(IntegrateAndFire):
    """Perfect integrate-and-fire neuron: tau_m dV/dt = drive; at v_thresh a spike, then V = v_reset for tau_refrac.

    The free membrane has no stationary distribution. `sigma` of white noise has the same effect as in a leaky neuron with this
    tau_m, tau_m dV = drive dt + sigma sqrt(2 tau_m) dW, and likewise for OU noise. A trial starts at v_reset.

    Parameters
    ----------
    tau_m : scalar or (n_neurons,), time > 0: scale of the drive
    v_reset, v_thresh : scalar or (n_neurons,), both voltages or both dimensionless; v_reset below v_thresh
    tau_refrac : scalar or (n_neurons,), time >= 0

    Source: Gerstein & Mandelbrot 1964, doi 10.1016/S0006-3495(64)86768-0

    >>> from brian2 import ms
    >>> PIF(tau_m=10*ms, v_reset=0.0, v_thresh=1.0, tau_refrac=0*ms).membrane_unit
    '1'
    """

    tau_m: Any = parameter("s", bound="positive")
    v_reset: Any = parameter("V", "1")
    v_thresh: Any = parameter("V", "1")
    tau_refrac: Any = parameter("s", bound="non-negative")

    linear: ClassVar[str] = "drive"
    leaky: ClassVar[bool] = False


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class EIF(_FromCurrents, IntegrateAndFire):
    """Exponential integrate-and-fire neuron: tau_m dV/dt = v_rest - V + delta_T exp((V - v_thresh) / delta_T) + drive.

    A spike is the arrival at v_spike; then V = v_reset for tau_refrac. v_thresh is the voltage where the exponential upstroke
    begins.

    Parameters
    ----------
    tau_m : scalar or (n_neurons,), time > 0
    v_rest, v_reset, v_thresh, v_spike, delta_T : scalar or (n_neurons,), all voltages or all dimensionless; v_reset and
        v_thresh below v_spike, delta_T > 0 and at least (v_spike - v_thresh) / 300
    tau_refrac : scalar or (n_neurons,), time >= 0

    Source: Fourcaud-Trocme et al. 2003, doi 10.1523/JNEUROSCI.23-37-11628.2003

    >>> from brian2 import mV, ms
    >>> cell = EIF(tau_m=10*ms, v_rest=-65*mV, v_reset=-68*mV, v_thresh=-60*mV, delta_T=3.5*mV, v_spike=-30*mV, tau_refrac=2*ms)
    >>> cell.threshold
    'v_spike'
    """

    tau_m: Any = parameter("s", bound="positive")
    v_rest: Any = parameter("V", "1")
    v_reset: Any = parameter("V", "1")
    v_thresh: Any = parameter("V", "1")
    delta_T: Any = parameter("V", "1", bound="positive")
    v_spike: Any = parameter("V", "1")
    tau_refrac: Any = parameter("s", bound="non-negative")

    nonlinear: ClassVar[str | None] = "delta_T * exp((v - v_thresh) / delta_T)"
    threshold: ClassVar[str] = "v_spike"
    ordered: ClassVar[tuple[tuple[str, str], ...]] = (("v_reset", "v_spike"), ("v_thresh", "v_spike"))

    def __post_init__(self) -> None:
        super().__post_init__()
        rise = np.asarray(self.si("v_spike")) - self.si("v_thresh")
        if np.any(rise / 300 > self.si("delta_T")):
            raise NsnnError(
                f"delta_T = {self.delta_T}: expected at least (v_spike - v_thresh) / 300, or exp() overflows"
            )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class QIF(IntegrateAndFire):
    """Quadratic integrate-and-fire neuron: tau_m dV/dt = (V - v_rest)(V - v_thresh) / (v_thresh - v_rest) + drive.

    Near v_rest it relaxes with tau_m (`leaky` is of the text `linear`); above v_thresh V diverges up to the spike at v_spike.

    Parameters
    ----------
    tau_m : scalar or (n_neurons,), time > 0
    v_rest, v_reset, v_thresh, v_spike : scalar or (n_neurons,), all voltages or all dimensionless; v_rest below v_thresh below
        v_spike, v_reset below v_spike
    tau_refrac : scalar or (n_neurons,), time >= 0

    Source: Latham et al. 2000, doi 10.1152/jn.2000.83.2.808

    >>> from brian2 import ms
    >>> cell = QIF(tau_m=10*ms, v_rest=0.0, v_reset=-5.0, v_thresh=1.0, v_spike=10.0, tau_refrac=0*ms)
    >>> cell.leaky
    False
    """

    tau_m: Any = parameter("s", bound="positive")
    v_rest: Any = parameter("V", "1")
    v_reset: Any = parameter("V", "1")
    v_thresh: Any = parameter("V", "1")
    v_spike: Any = parameter("V", "1")
    tau_refrac: Any = parameter("s", bound="non-negative")

    linear: ClassVar[str] = "drive"
    nonlinear: ClassVar[str | None] = "(v - v_rest) * (v - v_thresh) / (v_thresh - v_rest)"
    leaky: ClassVar[bool] = False
    threshold: ClassVar[str] = "v_spike"
    ordered: ClassVar[tuple[tuple[str, str], ...]] = (
        ("v_reset", "v_spike"),
        ("v_rest", "v_thresh"),
        ("v_thresh", "v_spike"),
    )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class AdEx(EIF):
    """Adaptive exponential integrate-and-fire neuron: an `EIF` driven by -w, tau_w dw/dt = a (V - v_rest) - w, w += b at a spike.

    w is in the unit of the membrane: with the leak g_L = cm / tau_m, a here is a / g_L of PyNN, and b is b / g_L, as `from_pA`
    computes. w also changes while V is refractory. Second order in dt; the spike of an upstroke shorter than a step is up to half a
    step late.

    Parameters
    ----------
    as for `EIF`, and
    tau_w : scalar or (n_neurons,), time > 0
    a : scalar or (n_neurons,), dimensionless
    b : scalar or (n_neurons,), unit of the membrane
    w_start : scalar or (n_neurons,), unit of the membrane: w at the start of a trial, default 0

    Source: Brette & Gerstner 2005, doi 10.1152/jn.00686.2005

    >>> from brian2 import mV, ms
    >>> cell = AdEx(tau_m=9.4*ms, v_rest=-70.6*mV, v_reset=-70.6*mV, v_thresh=-50.4*mV, delta_T=2*mV, v_spike=-40*mV,
    ...             tau_refrac=0*ms, tau_w=144*ms, a=0.13, b=2.7*mV)
    >>> cell.after_spike
    'w += b'
    """

    tau_w: Any = parameter("s", bound="positive")
    a: Any = parameter("1")
    b: Any = parameter("V", "1")
    w_start: Any = parameter("V", "1", default=None)

    linear: ClassVar[str] = "v_rest + drive - v - w"
    slow: ClassVar[dict[str, tuple[str, str]]] = {"w": ("tau_w", "a * (v - v_rest)")}
    slow_start: ClassVar[dict[str, str]] = {"w": "w_start"}
    after_spike: ClassVar[str] = "w += b"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class GIF(LIF):
    """Generalised integrate-and-fire neuron: an `LIF` with a spike-triggered current -w and a moving threshold v_thresh + lift.

    tau_m dV/dt = v_rest - V - w + drive; tau_w dw/dt = -w and tau_thresh d lift/dt = -lift, w += b and lift += b_thresh at a spike.
    w is in the unit of the membrane. The published models have `EscapeNoise(hazard=ExponentialHazard(rate, width))`; their sums of
    several exponentials are subclasses with more `slow` variables.

    Parameters
    ----------
    as for `LIF`, and
    tau_w, tau_thresh : scalar or (n_neurons,), time > 0; of w or lift that stays 0 they may be left out (100 ms)
    b, b_thresh : scalar or (n_neurons,), unit of the membrane, default 0
    w_start, lift_start : scalar or (n_neurons,), unit of the membrane: w and lift at the start of a trial, default 0

    Source: Mensi et al. 2012, doi 10.1152/jn.00408.2011; Pozzorini et al. 2015, doi 10.1371/journal.pcbi.1004275

    >>> from brian2 import mV, ms
    >>> cell = GIF(tau_m=20*ms, v_rest=-70*mV, v_reset=-60*mV, v_thresh=-48*mV, tau_refrac=4*ms, tau_w=80*ms, b=2*mV,
    ...            tau_thresh=50*ms, b_thresh=5*mV)
    >>> cell.moving
    'lift'
    """

    tau_w: Any = parameter("s", bound="positive", default=None)
    b: Any = parameter("V", "1", default=None)
    tau_thresh: Any = parameter("s", bound="positive", default=None)
    b_thresh: Any = parameter("V", "1", default=None)
    w_start: Any = parameter("V", "1", default=None)
    lift_start: Any = parameter("V", "1", default=None)

    linear: ClassVar[str] = "v_rest + drive - v - w"
    slow: ClassVar[dict[str, tuple[str, str]]] = {"w": ("tau_w", "0 * w"), "lift": ("tau_thresh", "0 * lift")}
    slow_start: ClassVar[dict[str, str]] = {"w": "w_start", "lift": "lift_start"}
    after_spike: ClassVar[str] = "w += b\nlift += b_thresh"
    moving: ClassVar[str] = "lift"

    def __post_init__(self) -> None:
        for tau, *jumps in (("tau_w", "b", "w_start"), ("tau_thresh", "b_thresh", "lift_start")):
            if getattr(self, tau) is not None:
                continue
            for name in jumps:
                if (value := getattr(self, name)) is not None and np.any(np.asarray(value) != 0):
                    raise NsnnError(f"{name} = {value} without {tau}: expected its decay too, {tau}=100*ms")
            object.__setattr__(self, tau, units.pq_quantity(0.1, "s"))
        super().__post_init__()
