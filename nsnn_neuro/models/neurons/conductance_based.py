"""Conductance-based neurons."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import quantities as pq

from ...core.errors import NsnnError
from ...core.parameters import parameter
from .base import IntegrateAndFire


class ConductanceBased(IntegrateAndFire):
    """Base of conductance-based neurons: tau_m dV/dt = v_rest - V + drive + sum of g_k (E_k - V); spikes come from the channels.

    `channels` are name -> (conductance in units of the leak, reversal potential), both texts; `gates` are gating variables, name
    -> (opening rate, closing rate), texts in v. v starts at v_rest. A spike is counted when V rises through v_thresh; nothing is
    reset, and there is no refractory time. Where noise lets one spike cross v_thresh several times, declare the parameter
    `v_rearm`, below v_thresh: the next spike is counted only after V has been at or below it. Neurons without a reset that are not
    made of channels, such as FitzHugh and Nagumo's, use `linear`, `nonlinear` and `slow`, as in `IntegrateAndFire`. The step is
    second order in dt. Use a tenth of the time constant of the fastest gate as dt; `simulate` warns above a third. Example, Morris
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
    _needed: ClassVar[dict[str, tuple[str, str]]] = {
        "tau_m": ("s", "the time constant of the membrane"),
        "v_rest": ("V", "the start of v"),
    }
    _optional: ClassVar[tuple[str, ...]] = ("v_rearm",)
    _refused: ClassVar[dict[str, str]] = {
        "tau_refrac": "remove it. If noise makes one spike count several times, declare v_rearm, the level that v has to reach "
        "before the next spike is counted"
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        rearm = self.rearm
        self._same_unit(rearm, self.threshold)
        if np.any(np.asarray(self.si(rearm)) > np.asarray(self.si(self.threshold))):
            raise NsnnError(
                f"{rearm} = {getattr(self, rearm)}: expected a value not above {self.threshold} = "
                f"{getattr(self, self.threshold)}"
            )

    @property
    def rearm(self) -> str:
        """The name of the level that v has to reach, from above, before the next spike is counted: "v_rearm" or the threshold."""
        return "v_rearm" if hasattr(self, "v_rearm") else self.threshold


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class WangBuzsaki(ConductanceBased):
    """Fast-spiking interneuron of Wang and Buzsaki: sodium, potassium and leak currents.

    tau_m dV/dt = v_rest - V + g_na m^3 h (e_rev_na - V) + g_k n^4 (e_rev_k - V) + drive, m in equilibrium, h and n with phi times
    their published rates. Conductances are in units of g_L = 0.1 mS/cm2, tau_m = C_m / g_L, and a current of 1 uA/cm2 is a drive of
    10 mV. Use dt=0.02*ms: firing rates are then within 0.1 % of those of an ODE solver, at the default of 0.1 ms within 0.9 %.

    Parameters
    ----------
    tau_m : scalar or (n_neurons,), time > 0; v_rest : reversal potential of the leak, voltage
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
