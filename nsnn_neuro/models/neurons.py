"""Neurons: drift, threshold and reset as text on a record. The noise is another record (`noise.py`).

The text is in Brian2's syntax, in the names of the record's parameters, `drive` (the stimulus, in the membrane's unit) and the
state variable. `assemble.py` is the only place that turns it into Brian2 objects.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, ClassVar, Literal

import numpy as np
import quantities as pq

from ..core import units
from ..core.errors import NsnnError
from ..core.parameters import Record, parameter

__all__ = [
    "EIF",
    "GIF",
    "LIF",
    "PIF",
    "QIF",
    "AdEx",
    "ConductanceBased",
    "IntegrateAndFire",
    "NSNNNeuron",
    "Neuron",
    "PoissonSource",
    "Relay",
    "WangBuzsaki",
]


class Neuron(Record):
    """Base of the neuron records."""

    state: ClassVar[str]

    @property
    def membrane_unit(self) -> str:
        """The unit of the membrane: "V" or "1"."""
        raise NotImplementedError


class IntegrateAndFire(Neuron):
    """Base of neurons with a continuous membrane: tau_m dV/dt = linear + nonlinear, a threshold, a reset, refractoriness.

    `linear` and `nonlinear` are voltages in Brian2's syntax. With `leaky`, `linear` contains -v once and is integrated exactly;
    without, it does not contain v. `nonlinear` takes a stochastic Heun step. `slow` are further variables (voltages) that relax,
    name -> (time constant, target), and `after_spike` changes them; `moving` is what they add to the threshold. They start a
    trial at 0, or at `slow_start`, name -> text in the parameters. Membrane and slow variables are second order in dt. A neuron
    of your own is a dataclass with its parameters (tau_m, v_reset and tau_refrac among them) and these texts:

    >>> from brian2 import ms
    >>> import nsnn_neuro as nsnn
    >>> @dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
    ... class CubicIF(nsnn.IntegrateAndFire):
    ...     tau_m: Any = parameter("s", bound="positive")
    ...     v_reset: Any = parameter("V", "1")
    ...     v_thresh: Any = parameter("V", "1")
    ...     tau_refrac: Any = parameter("s", bound="non-negative")
    ...     linear = "drive"
    ...     nonlinear = "v**3"
    ...     leaky = False
    >>> cell = CubicIF(tau_m=10*ms, v_reset=0.0, v_thresh=5.0, tau_refrac=1*ms)
    >>> block = nsnn.simulate(cell, nsnn.WhiteNoise(0.1), nsnn.Constant(0.5), duration=100*ms, seed=1, engine="numpy")
    >>> len(block.segments[0].spiketrains[0])
    5

    Raises
    ------
    NsnnError : a wrong unit, mixed units, v_reset not below the threshold; texts that do not fit together: `linear` does not
        contain v as `leaky` says, `slow_start` names a variable that `slow` has not
    """

    state: ClassVar[str] = "v"
    linear: ClassVar[str] = "v_rest + drive - v"
    nonlinear: ClassVar[str | None] = None
    leaky: ClassVar[bool] = True
    threshold: ClassVar[str] = "v_thresh"
    reset: ClassVar[str] = "v_reset"
    slow: ClassVar[dict[str, tuple[str, str]]] = {}
    slow_start: ClassVar[dict[str, str]] = {}
    after_spike: ClassVar[str] = ""
    moving: ClassVar[str] = ""
    channels: ClassVar[dict[str, tuple[str, str]]] = {}
    gates: ClassVar[dict[str, tuple[str, str]]] = {}
    ordered: ClassVar[tuple[tuple[str, str], ...]] = (("v_reset", "v_thresh"),)

    def __post_init__(self) -> None:
        self._check_texts()
        fields = [f for f in self._parameters() if f.metadata["units"] == ("V", "1")]
        for field in fields:
            if field.default is None and getattr(self, field.name) is None:  # a start at 0
                zero = units.pq_quantity(0.0, self.unit(self.threshold))
                object.__setattr__(self, field.name, zero)
        super().__post_init__()
        for name in (f.name for f in fields):
            if self.unit(name) != self.unit(self.threshold):
                one, other = getattr(self, name), getattr(self, self.threshold)
                raise NsnnError(f"{name} = {one}, {self.threshold} = {other}: expected one unit for both")
        for low, high in self.ordered:
            if np.any(np.asarray(self.si(low)) >= np.asarray(self.si(high))):
                raise NsnnError(
                    f"{low} = {getattr(self, low)}: expected a value below {high} = {getattr(self, high)}"
                )

    def _check_texts(self) -> None:
        who = type(self).__name__
        if (slope := _slope(self.linear)) is None:
            raise NsnnError(f"{who}.linear = {self.linear!r}: expected an expression in Brian2's syntax")
        if slope != ("-1" if self.leaky else "0"):
            expected = (
                "-v once, as the leak; give the rest to `nonlinear`, or set leaky = False and leave v out"
                if self.leaky
                else "no v; give what depends on v to `nonlinear`, or set leaky = True for a leak -v"
            )
            raise NsnnError(f"{who}.linear = {self.linear!r} with leaky = {self.leaky}: expected {expected}")
        if unknown := self.slow_start.keys() - self.slow.keys():
            raise NsnnError(
                f"{who}.slow_start has {sorted(unknown)}: expected variables of {who}.slow, {list(self.slow)}"
            )

    @property
    def membrane_unit(self) -> str:
        """The unit of the membrane: "V" or "1"."""
        return self.unit(self.threshold)


@functools.cache
def _slope(text: str) -> str | None:
    """The derivative to v of a text in Brian2's syntax, as text; None where it is no such text."""
    from brian2.parsing.sympytools import str_to_sympy
    from sympy import Symbol

    try:
        return str(str_to_sympy(text).diff(Symbol("v", real=True)).simplify())
    except (SyntaxError, TypeError, AttributeError):
        return None


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class LIF(IntegrateAndFire):
    """Leaky integrate-and-fire neuron: tau_m dV/dt = v_rest - V + drive; at v_thresh a spike, V to v_reset for tau_refrac.

    A trial starts at v_rest (at v_reset when v_rest is not below threshold). Integrated with the exact step of the linear
    equation, the drive held constant over each step.

    Parameters
    ----------
    tau_m : scalar or (n_neurons,), time > 0
    v_rest, v_reset, v_thresh : scalar or (n_neurons,), all voltages or all dimensionless; v_reset below v_thresh
    tau_refrac : scalar or (n_neurons,), time >= 0; need not be a multiple of dt

    Raises
    ------
    NsnnError : wrong unit, mixed units, v_reset not below v_thresh

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
    """Perfect integrate-and-fire neuron: tau_m dV/dt = drive; at v_thresh a spike, V to v_reset for tau_refrac.

    Its free membrane has no stationary law. `sigma` of white noise sets the same noise as in a leaky neuron of that tau_m,
    tau_m dV = drive dt + sigma sqrt(2 tau_m) dW, and likewise for OU input. A trial starts at v_reset.

    Parameters
    ----------
    tau_m : scalar or (n_neurons,), time > 0: the scale of the drive
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
class EIF(IntegrateAndFire):
    """Exponential integrate-and-fire neuron: tau_m dV/dt = v_rest - V + delta_T exp((V - v_thresh) / delta_T) + drive.

    A spike is at v_spike; then V is v_reset for tau_refrac. v_thresh is where the spike begins to start itself.

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

    Near v_rest it is a leaky neuron of time tau_m; above v_thresh the spike starts itself and is counted at v_spike.

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

    w is in the membrane's unit, as the drive is: in PyNN's terms, with the leak g_L = cm / tau_m, a is a / g_L and b is b / g_L.
    w also moves while V is refractory. Second order in dt; where the upstroke is steeper than a step, see `docs/noise.md`.

    Parameters
    ----------
    as for `EIF`, and
    tau_w : scalar or (n_neurons,), time > 0
    a : scalar or (n_neurons,), dimensionless
    b : scalar or (n_neurons,), the membrane's unit
    w_start : scalar or (n_neurons,), the membrane's unit: w at the start of a trial; default 0

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
    w is in the membrane's unit, as the drive is. Its usual noise is `EscapeNoise(hazard=Exponential(rate, width))`; with it these
    are the published models, whose sums of several exponentials are subclasses with more `slow` variables.

    Parameters
    ----------
    as for `LIF`, and
    tau_w, tau_thresh : scalar or (n_neurons,), time > 0
    b, b_thresh : scalar or (n_neurons,), the membrane's unit
    w_start, lift_start : scalar or (n_neurons,), the membrane's unit: w and lift at the start of a trial; default 0

    Source: Mensi et al. 2012, doi 10.1152/jn.00408.2011; Pozzorini et al. 2015, doi 10.1371/journal.pcbi.1004275

    >>> from brian2 import mV, ms
    >>> cell = GIF(tau_m=20*ms, v_rest=-70*mV, v_reset=-60*mV, v_thresh=-48*mV, tau_refrac=4*ms, tau_w=80*ms, b=2*mV,
    ...            tau_thresh=50*ms, b_thresh=5*mV)
    >>> cell.moving
    'lift'
    """

    tau_w: Any = parameter("s", bound="positive")
    b: Any = parameter("V", "1")
    tau_thresh: Any = parameter("s", bound="positive")
    b_thresh: Any = parameter("V", "1")
    w_start: Any = parameter("V", "1", default=None)
    lift_start: Any = parameter("V", "1", default=None)

    linear: ClassVar[str] = "v_rest + drive - v - w"
    slow: ClassVar[dict[str, tuple[str, str]]] = {"w": ("tau_w", "0 * w"), "lift": ("tau_thresh", "0 * lift")}
    slow_start: ClassVar[dict[str, str]] = {"w": "w_start", "lift": "lift_start"}
    after_spike: ClassVar[str] = "w += b\nlift += b_thresh"
    moving: ClassVar[str] = "lift"


class ConductanceBased(IntegrateAndFire):
    """Base of conductance-based neurons: tau_m dV/dt = v_rest - V + drive + sum of g_k (E_k - V), the spike is the neuron's own.

    `channels` are name -> (conductance in units of the leak, reversal), both texts; `gates` are gating variables, name ->
    (opening, closing rate), texts in v. A spike is counted when V rises through v_thresh; nothing is reset. Gates are exact for
    a voltage held over a step and stand between the voltages in time, channels are taken at the step's middle: second order in
    dt. Take dt of a tenth of the fastest gate's time constant; `simulate` warns above a third of it. A neuron of your own, Morris
    and Lecar's muscle fibre in units of its leak:

    >>> from brian2 import ms, mV
    >>> import nsnn_neuro as nsnn
    >>> @dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
    ... class MorrisLecar(nsnn.ConductanceBased):
    ...     tau_m: Any = parameter("s", bound="positive", default=10*ms)
    ...     v_rest: Any = parameter("V", default=-60*mV)
    ...     v_thresh: Any = parameter("V", default=0*mV)
    ...     channels = {"ca": ("1.1 * (1 + tanh((v + 1.2*mV) / (18*mV)))", "120*mV"), "k": ("4 * w", "-84*mV")}
    ...     gates = {"w": (
    ...         "0.02 * cosh((v - 2*mV) / (60*mV)) * (1 + tanh((v - 2*mV) / (30*mV))) / ms",
    ...         "0.02 * cosh((v - 2*mV) / (60*mV)) * (1 - tanh((v - 2*mV) / (30*mV))) / ms")}
    >>> block = nsnn.simulate(MorrisLecar(), stimulus=nsnn.Constant(50*mV), duration=500*ms, engine="numpy")
    >>> len(block.segments[0].spiketrains[0])
    6
    """

    reset: ClassVar[str] = "v"
    ordered: ClassVar[tuple[tuple[str, str], ...]] = ()


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class WangBuzsaki(ConductanceBased):
    """Wang and Buzsaki's fast-spiking interneuron: sodium, potassium and leak currents, in units of the leak conductance .1 mS/cm2.

    tau_m dV/dt = v_rest - V + g_na m^3 h (e_rev_na - V) + g_k n^4 (e_rev_k - V) + drive, m in equilibrium, h and n with phi times
    their published rates. In the published units tau_m is C_m / g_L, and a current of 1 uA/cm2 a drive of 10 mV.

    Take dt=0.02*ms: rates are then within 0.1 % of an ODE solver's, for 0.3 to 5 uA/cm2. At 0.05 ms they are up to 0.4 % off, at
    the default of 0.1 ms up to 0.9 % (`simulate` warns).

    Parameters
    ----------
    tau_m : scalar or (n_neurons,), time > 0; v_rest : the leak's reversal potential, voltage
    g_na, g_k : scalar or (n_neurons,), dimensionless >= 0; e_rev_na, e_rev_k, v_thresh : voltages; phi : dimensionless > 0

    Source: Wang & Buzsaki 1996, doi 10.1523/JNEUROSCI.16-20-06402.1996

    >>> from brian2 import ms, mV
    >>> from nsnn_neuro import Constant, simulate
    >>> block = simulate(WangBuzsaki(), stimulus=Constant(10*mV), duration=100*ms, dt=0.02*ms, engine="numpy")
    >>> len(block.segments[0].spiketrains[0])
    6
    """

    tau_m: Any = parameter("s", bound="positive", default=10 * pq.ms)
    v_rest: Any = parameter("V", default=-65 * pq.mV)
    g_na: Any = parameter("1", bound="non-negative", default=350.0)
    e_rev_na: Any = parameter("V", default=55 * pq.mV)
    g_k: Any = parameter("1", bound="non-negative", default=90.0)
    e_rev_k: Any = parameter("V", default=-90 * pq.mV)
    phi: Any = parameter("1", bound="positive", default=5.0)
    v_thresh: Any = parameter("V", default=0 * pq.mV)

    channels: ClassVar[dict[str, tuple[str, str]]] = {
        "na": (
            "(g_na * (1 / (1 + 4 * exp(-(v + 60*mV) / (18*mV)) * exprel(-(v + 35*mV) / (10*mV))))**3 * h)",
            "e_rev_na",
        ),
        "k": ("(g_k * n**4)", "e_rev_k"),
    }
    gates: ClassVar[dict[str, tuple[str, str]]] = {
        "h": (
            "phi * 0.07 * exp(-(v + 58*mV) / (20*mV)) / ms",
            "phi / (1 + exp(-(v + 28*mV) / (10*mV))) / ms",
        ),
        "n": (
            "phi * 0.1 / exprel(-(v + 34*mV) / (10*mV)) / ms",
            "phi * 0.125 * exp(-(v + 44*mV) / (80*mV)) / ms",
        ),
    }


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class NSNNNeuron(Neuron):
    """The discrete noisy neuron: u_t = beta u_(t-1) (1 - o_(t-1)) + drive_t, P(o_t = 1) = F(u_t - theta).

    One update for each step dt; `beta` is given, not derived from dt. u = 0 and o = 0 before step 0. A spike and its reset are
    the same draw. With reset="subtract": u_t = beta (u_(t-1) - theta o_(t-1)) + drive_t. Everything is dimensionless. Its noise
    is an `EscapeNoise`; without noise it fires when u_t > theta.

    Parameters
    ----------
    beta : scalar or (n_neurons,), decay for each step, 0 to 1
    theta : scalar or (n_neurons,), threshold
    reset : "hard" or "subtract"

    Raises
    ------
    NsnnError : beta out of range, unknown reset

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831

    >>> NSNNNeuron(reset="soft")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: reset = 'soft': expected "hard" or "subtract"
    """

    beta: Any = parameter("1", bound="fraction", default=0.5)
    theta: Any = parameter("1", default=1.0)
    reset: Literal["hard", "subtract"] = "hard"

    state: ClassVar[str] = "u"
    threshold: ClassVar[str] = "theta"
    updates: ClassVar[dict[str, str]] = {
        "hard": "u = beta * u * (1 - o) + drive",
        "subtract": "u = beta * (u - theta * o) + drive",
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.reset, str) or self.reset not in self.updates:
            raise NsnnError(f'reset = {self.reset!r}: expected "hard" or "subtract"')

    @property
    def membrane_unit(self) -> str:
        """The unit of the membrane: always dimensionless."""
        return "1"


@dataclasses.dataclass(frozen=True, eq=False)
class Relay(Neuron):
    """An input unit: u_t = drive_t, o_t = u_t; it passes its stimulus on unchanged, a graded value in each step.

    For the input layer of a network. A non-zero value counts as a spike, and a projection transmits weight times value. It is
    dimensionless, has no noise, and can't receive a projection.

    >>> Relay().membrane_unit
    '1'
    """

    state: ClassVar[str] = "u"

    @property
    def membrane_unit(self) -> str:
        """The unit of the value: always dimensionless."""
        return "1"


@dataclasses.dataclass(frozen=True, eq=False)
class PoissonSource(Neuron):
    """Independent Poisson spike trains: in each step one spike with probability 1 - exp(-rate dt), at most one.

    So the expected rate is (1 - exp(-rate dt)) / dt, below `rate` by a fraction of about rate dt / 2. It has no noise and no
    stimulus of its own, and can't receive a projection.

    Parameters
    ----------
    rate : scalar or (n_neurons,), frequency >= 0

    Raises
    ------
    NsnnError : negative rate, wrong unit

    >>> from brian2 import Hz
    >>> PoissonSource(20*Hz).si("rate")
    20.0
    >>> PoissonSource(20)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: rate = 20 has no unit: expected a frequency such as 10*Hz
    """

    rate: Any = parameter("Hz", bound="non-negative")

    state: ClassVar[str] = "u"

    @property
    def membrane_unit(self) -> str:
        """The unit of the state: always dimensionless."""
        return "1"
