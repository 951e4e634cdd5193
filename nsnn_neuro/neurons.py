"""Neurons: drift, threshold and reset as text on a record. The noise is another record (`noise.py`).

The text is in Brian2's syntax, in the names of the record's parameters, `drive` (the stimulus, in the membrane's unit) and the
state variable. `assemble.py` is the only place that turns it into Brian2 objects.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Literal

import numpy as np

from .errors import NsnnError
from .records import Record, parameter

__all__ = ["LIF", "NSNNNeuron", "Neuron"]


class Neuron(Record):
    """Base of the neuron records."""

    state: ClassVar[str]

    @property
    def membrane_unit(self) -> str:
        """The unit of the membrane: "V" or "1"."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class LIF(Neuron):
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

    state: ClassVar[str] = "v"
    # dv/dt = (target - v) / tau: a linear drift, for which assemble uses the exact step
    target: ClassVar[str] = "v_rest + drive"
    tau: ClassVar[str] = "tau_m"
    threshold: ClassVar[str] = "v_thresh"
    reset: ClassVar[str] = "v_reset"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("v_rest", "v_reset"):
            if self.unit(name) != self.unit("v_thresh"):
                raise NsnnError(
                    f"{name} = {getattr(self, name)}, v_thresh = {self.v_thresh}: expected one unit for both"
                )
        if np.any(np.asarray(self.si("v_reset")) >= np.asarray(self.si("v_thresh"))):
            raise NsnnError(f"v_reset = {self.v_reset}: expected a value below v_thresh = {self.v_thresh}")

    @property
    def membrane_unit(self) -> str:
        """The unit of the membrane: "V" or "1"."""
        return self.unit("v_thresh")


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
    nsnn_neuro.errors.NsnnError: reset = 'soft': expected "hard" or "subtract"
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
