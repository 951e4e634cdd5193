"""How long a step dt may be beside the time constants of a neuron: the rule behind the warnings of `simulate` and `calibrate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.parameters import Model
from .neurons import IntegrateAndFire

_MEMBRANE = (1 / 5, "a fifth")  # of tau_m: the bridge assumes short steps
_OTHER = (1 / 3, "a third")
_SLACK = 1e-6  # rounding of a quotient of times


@dataclass(frozen=True)
class LongStep:
    """A step that is too long for a time constant.

    >>> str(LongStep(1e-3, "tau_m", 2e-3, 1 / 5, "a fifth"))
    'dt = 1 ms is more than a fifth of tau_m = 2 ms'
    """

    dt: float
    """s"""
    name: str
    tau: float
    """s"""
    share: float
    fraction: str
    """share in words"""

    @property
    def longest(self) -> str:
        """The longest step that would do, in ms."""
        return in_ms(self.share * self.tau)

    def __str__(self) -> str:
        return f"dt = {in_ms(self.dt)} is more than {self.fraction} of {self.name} = {1e3 * self.tau:.3g} ms"


def long_steps(
    dt: float,
    neuron: Model,
    others: Iterable[Model | None] = (),
    further: Iterable[tuple[str, float]] = (),
) -> list[LongStep]:
    """What dt (s) is too long for: above a fifth of tau_m, and above a third of the shortest of all other time constants.

    others : models whose time constants count too, such as noise and synapses
    further : names and values (s) of time constants that are not parameters

    >>> from brian2 import ms, mV
    >>> from nsnn_neuro import LIF
    >>> cell = LIF(tau_m=2*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> [one.longest for one in long_steps(1e-3, cell)]
    ['0.4 ms']
    """
    result = []
    if isinstance(neuron, IntegrateAndFire):
        result.append(LongStep(dt, "tau_m", float(np.min(neuron.si("tau_m"))), *_MEMBRANE))
    rest = [pair for model in (neuron, *others) for pair in _times(model) if pair[0] != "tau_m"]
    rest += further
    if rest:
        name, tau = min(rest, key=lambda pair: pair[1])
        result.append(LongStep(dt, name, tau, *_OTHER))
    return [one for one in result if dt > one.share * one.tau * (1 + _SLACK)]


def in_ms(seconds: Any) -> str:
    """A time as text.

    >>> in_ms(0.00025)
    '0.25 ms'
    """
    return f"{1e3 * float(seconds):.4g} ms"


def _times(model: Model | None) -> Iterator[tuple[str, float]]:
    """The time constants among the parameters of a model: its positive times."""
    if model is None:
        return
    for field in model.parameter_fields():
        if field.metadata["units"] == ("s",) and field.metadata["bound"] == "positive":
            yield field.name, float(np.min(model.si(field.name)))
