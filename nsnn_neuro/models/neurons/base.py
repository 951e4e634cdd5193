"""Base classes of neurons."""

from __future__ import annotations

from typing import ClassVar

from ...core import units
from ...core.errors import NsnnError
from ...core.parameters import Model
from . import expressions, text_checks
from .names import check_parameters, check_variables


class Neuron(Model):
    """Base of all neurons. Most new models are subclasses of `IntegrateAndFire`.

    >>> from nsnn_neuro import LIF, NSNNNeuron, Neuron
    >>> issubclass(LIF, Neuron), isinstance(NSNNNeuron(), Neuron)
    (True, True)
    """

    state: ClassVar[str] = "u"

    @property
    def membrane_unit(self) -> str:
        """The unit of the membrane: "V" or "1"; "1" unless a subclass overrides it."""
        return "1"


class IntegrateAndFire(Neuron):
    """Base of neurons with a continuous membrane: tau_m dV/dt = linear + nonlinear, a threshold, a reset, a refractory time.

    `linear` and `nonlinear` are voltages in Brian2's syntax. With `leaky = True`, `linear` contains -v once and is integrated
    exactly; with `leaky = False` it does not contain v. `nonlinear` takes a stochastic Heun step. `slow` are further variables
    (in the unit of the membrane) that relax, name -> (time constant, target). `after_spike` changes them, or v, at a spike,
    `moving` is what they add to the threshold (not the threshold itself). They start at 0, or at `slow_start`, name -> text in
    the parameters. Membrane and slow variables are second order in dt. A new neuron is a dataclass with its parameters
    (including tau_m, v_reset and tau_refrac) and these texts:

    >>> from brian2 import ms
    >>> import dataclasses
    >>> from typing import Any
    >>> import nsnn_neuro as nsnn
    >>> from nsnn_neuro.core.parameters import parameter
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

    NsnnError : a parameter that every such neuron needs, or whose name is taken; names in a text that are not declared, random
        numbers, wrong syntax or units; texts that contradict each other. Texts without `drive` are warnings
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
    # parameters that the simulation reads, beside those in the texts: name -> (unit, meaning)
    _needed: ClassVar[dict[str, tuple[str, str]]] = {
        "tau_m": ("s", "the time constant of the membrane"),
        "v_reset": ("V", "the value of v after a spike"),
        "tau_refrac": ("s", "the time for which v stays there"),
    }
    _optional: ClassVar[tuple[str, ...]] = ("v_rest",)
    # parameters that would have no effect: name -> cure
    _refused: ClassVar[dict[str, str]] = {}

    def __post_init__(self) -> None:
        check_parameters(self, IntegrateAndFire)
        text_checks.check_structure(self, IntegrateAndFire)
        check_variables(self)
        fields = [f for f in self.parameter_fields() if f.metadata["units"] == ("V", "1")]
        for field in fields:
            if field.default is None and getattr(self, field.name) is None:  # starts at 0
                zero = units.pq_quantity(0.0, self.unit(self.threshold))
                object.__setattr__(self, field.name, zero)
        super().__post_init__()
        for field in fields:
            self._same_unit(field.name, self.threshold)
        text_checks.check_expressions(self)
        self._check_leak()
        for low, high in self.ordered:
            self._in_order(low, high)
        text_checks.check_moving(self)

    def _check_leak(self) -> None:
        who = type(self).__name__
        if (slope := expressions.slope(self.linear, "v")) is None:
            raise NsnnError(f"{who}.linear = {self.linear!r}: expected an expression in Brian2's syntax")
        if slope != ("-1" if self.leaky else "0"):
            expected = (
                "-v once, the leak; move the rest to `nonlinear`, or set leaky = False and omit v"
                if self.leaky
                else "no v; move what depends on v to `nonlinear`, or set leaky = True for a leak -v"
            )
            raise NsnnError(f"{who}.linear = {self.linear!r} with leaky = {self.leaky}: expected {expected}")

    @property
    def membrane_unit(self) -> str:
        """The unit of the membrane: "V" or "1"."""
        return self.unit(self.threshold)
