"""Synapse models: the effect of a spike on the postsynaptic neuron, as text.

The membrane jumps, or a current (in the unit of the membrane) adds to the drive, or a conductance (in units of the leak) pulls
the membrane towards a reversal potential:

    tau_m dV/dt = ... + current            tau_m dV/dt = ... + conductance (reversal - V)

State variables obey linear equations, which are integrated exactly (`brian/equations/synapses.py`).
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from ..core.errors import NsnnError
from ..core.parameters import Model, parameter
from .neurons.expressions import KNOWN, names_in, value_of


class Synapse(Model):
    """Base of the synapses: linear state variables, the increments at a spike, and the effect on the membrane.

    `states` : state -> time derivative, linear in the states, with coefficients in the parameters
    `on_arrival` : state -> increment at a spike, in `weight` and the parameters; the key "v" is the membrane
    `current` : linear in the states, adds to the drive; or
    `conductance` and `reversal` : linear in the states, in units of the leak conductance, and the name of the parameter that is
        the reversal potential

    All states are in the unit of the weight. Parameters are scalars or of shape (n_post,). A new synapse is a dataclass with its
    parameters and these texts in Brian2's syntax:

    >>> from brian2 import ms
    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class TwoExponentials(Synapse):
    ...     tau_rise: Any = parameter("s", bound="positive")
    ...     tau_decay: Any = parameter("s", bound="positive")
    ...     states = {"x": "-x / tau_decay", "y": "-y / tau_rise"}
    ...     on_arrival = {"x": "weight", "y": "weight"}
    ...     current = "x - y"
    >>> synapse = TwoExponentials(1*ms, 5*ms)
    >>> synapse.weight_unit("V")
    'V'

    NsnnError : unknown names in a text, a derivative that is not linear, both current and conductance
    """

    states: ClassVar[dict[str, str]] = {}
    on_arrival: ClassVar[dict[str, str]] = {}
    current: ClassVar[str | None] = None
    conductance: ClassVar[str | None] = None
    reversal: ClassVar[str | None] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        who, parameters = type(self).__name__, {f.name for f in self.parameter_fields()}
        if taken := {"v", "weight"} & (parameters | set(self.states)) or parameters & set(self.states):
            raise NsnnError(f"{who} has a state or parameter {sorted(taken)}: expected another name")
        if unknown := set(self.on_arrival) - set(self.states) - {"v"}:
            raise NsnnError(
                f'{who}.on_arrival adds to {sorted(unknown)}: expected a state of {who}.states, or "v"'
            )
        if not self.on_arrival:
            raise NsnnError(
                f'{who}.on_arrival is empty: expected an increment at a spike, e.g. {{"x": "weight"}}'
            )
        if self.conductance is not None and (self.current is not None or "v" in self.on_arrival):
            raise NsnnError(
                f"{who} has a conductance and a current or jump, whose weights differ in unit: expected one of them"
            )
        if self.conductance is not None and self.reversal not in parameters:
            raise NsnnError(f"{who}.reversal = {self.reversal!r}: expected the name of a parameter")
        if self.states and self.current is None and self.conductance is None:
            raise NsnnError(f"{who} has states but no current or conductance: nothing reaches the membrane")
        for name, text in self.on_arrival.items():
            self._value(f"on_arrival[{name!r}]", text, {"weight": 1.0})
        for name, text in self.states.items():
            self._linear(f"states[{name!r}]", text)
        for name, output in (("current", self.current), ("conductance", self.conductance)):
            if output is not None:
                self._linear(name, output)

    def _value(self, where: str, text: str, variables: dict[str, float]) -> float:
        """The value of `text`, with the (first) values of the parameters; raises NsnnError at unknown names."""
        who = f"{type(self).__name__}.{where} = {text!r}"
        values = {f.name: np.ravel(self.si(f.name))[0] for f in self.parameter_fields()} | variables
        try:
            if unknown := names_in(text) - {*values, *KNOWN}:
                raise NsnnError(
                    f"{who} has {sorted(unknown)}: expected {', '.join(variables)}, parameters of the synapse, functions"
                )
            return float(value_of(text, values))
        except (SyntaxError, TypeError):
            raise NsnnError(f"{who}: expected an expression in Brian2's syntax") from None

    def _linear(self, where: str, text: str) -> None:
        """Raise unless `text` is linear in the states: f(a + b) = f(a) + f(b) for two generic points."""
        a = np.sqrt(2.0 + np.arange(len(self.states)))
        b = -np.cbrt(3.0 + np.arange(len(self.states)))
        both, one, other = (
            self._value(where, text, dict(zip(self.states, point, strict=True))) for point in (a + b, a, b)
        )
        if not abs(both - one - other) <= 1e-9 * max(abs(one), abs(other)):
            raise NsnnError(
                f"{type(self).__name__}.{where} = {text!r}: expected an expression linear in the states, "
                f"{', '.join(self.states)}"
            )

    def weight_unit(self, membrane_unit: str) -> str:
        """The unit of a weight, "V" or "1": that of the membrane; "1" for a conductance (in units of the leak)."""
        return membrane_unit if self.conductance is None else "1"


@dataclasses.dataclass(frozen=True, eq=False)
class DeltaSynapse(Synapse):
    """Delta synapse: V -> V + weight when a spike arrives; in an NSNN neuron, weight is added to u in that step.

    >>> DeltaSynapse().on_arrival
    {'v': 'weight'}
    """

    saved_as: ClassVar[str] = "Jump"

    on_arrival: ClassVar[dict[str, str]] = {"v": "weight"}


@dataclasses.dataclass(frozen=True, eq=False)
class ExponentialSynapse(Synapse):
    """Exponential current: tau_syn dx/dt = -x, x -> x + weight at a spike, and x adds to the drive.

    The current after a spike has the peak weight and the integral weight tau_syn, which is also the area of the response of a leaky
    membrane.

    Parameters
    ----------
    tau_syn : scalar or (n_post,), time > 0

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 3, doi 10.1017/CBO9781107447615

    >>> from brian2 import ms
    >>> ExponentialSynapse(5*ms).weight_unit("V")
    'V'
    """

    tau_syn: Any = parameter("s", bound="positive")

    states: ClassVar[dict[str, str]] = {"x": "-x / tau_syn"}
    on_arrival: ClassVar[dict[str, str]] = {"x": "weight"}
    current: ClassVar[str | None] = "x"


@dataclasses.dataclass(frozen=True, eq=False)
class AlphaSynapse(Synapse):
    """Alpha-function current: x(t) = weight (t / tau_syn) exp(1 - t / tau_syn) after a spike, and x adds to the drive.

    tau_syn dx/dt = y - x, tau_syn dy/dt = -y, y -> y + e weight at a spike. The peak, at tau_syn, is weight; the integral is
    e weight tau_syn.

    Parameters
    ----------
    tau_syn : scalar or (n_post,), time > 0

    Source: Rall 1967, doi 10.1152/jn.1967.30.5.1138

    >>> from brian2 import ms
    >>> AlphaSynapse(2*ms).states
    {'x': '(y - x) / tau_syn', 'y': '-y / tau_syn'}
    """

    tau_syn: Any = parameter("s", bound="positive")

    states: ClassVar[dict[str, str]] = {"x": "(y - x) / tau_syn", "y": "-y / tau_syn"}
    on_arrival: ClassVar[dict[str, str]] = {"y": "exp(1) * weight"}
    current: ClassVar[str | None] = "x"


@dataclasses.dataclass(frozen=True, eq=False)
class ConductanceSynapse(Synapse):
    """Exponential conductance: tau_syn dg/dt = -g, g -> g + weight at a spike, tau_m dV/dt = ... + g (e_rev - V).

    g and the weight are in units of the leak conductance: in terms of PyNN, g / (cm / tau_m).

    Parameters
    ----------
    tau_syn : scalar or (n_post,), time > 0
    e_rev : scalar or (n_post,), the membrane's unit; the reversal potential

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 3, doi 10.1017/CBO9781107447615

    >>> from brian2 import ms, mV
    >>> ConductanceSynapse(5*ms, 0*mV).weight_unit("V")
    '1'
    """

    tau_syn: Any = parameter("s", bound="positive")
    e_rev: Any = parameter("V", "1")

    states: ClassVar[dict[str, str]] = {"g": "-g / tau_syn"}
    on_arrival: ClassVar[dict[str, str]] = {"g": "weight"}
    conductance: ClassVar[str | None] = "g"
    reversal: ClassVar[str | None] = "e_rev"
