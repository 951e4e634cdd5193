"""Neurons and sources that are updated once per step: the NSNN neuron, `Relay`, `PoissonSource`."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Literal

from ...core.parameters import choice, parameter
from .base import Neuron


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class NSNNNeuron(Neuron):
    """NSNN neuron, a noisy neuron in discrete time: u_t = beta u_(t-1) (1 - o_(t-1)) + drive_t, P(o_t = 1) = F(u_t - theta).

    One update per step dt; `beta` is a parameter, not derived from dt. u = 0 and o = 0 before step 0. The same random draw decides
    a spike and its reset. With reset="subtract": u_t = beta (u_(t-1) - theta o_(t-1)) + drive_t. All variables are dimensionless.
    The noise is an `EscapeNoise`; without noise the neuron fires when u_t > theta.

    Parameters
    ----------
    beta : scalar or (n_neurons,), decay per step, 0 to 1
    theta : scalar or (n_neurons,), threshold
    reset : "hard" or "subtract"

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831

    >>> NSNNNeuron(reset="soft")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: reset = 'soft': expected one of 'hard', 'subtract'
    """

    beta: Any = parameter("1", bound="fraction", default=0.5)
    theta: Any = parameter("1", default=1.0)
    reset: Literal["hard", "subtract"] = choice("hard", "subtract", default="hard")

    threshold: ClassVar[str] = "theta"
    updates: ClassVar[dict[str, str]] = {
        "hard": "u = beta * u * (1 - o) + drive",
        "subtract": "u = beta * (u - theta * o) + drive",
    }


@dataclasses.dataclass(frozen=True, eq=False)
class Relay(Neuron):
    """Input unit that passes its stimulus on: u_t = drive_t, o_t = u_t, a graded value in each step.

    For the input layer of a network. A non-zero value counts as a spike; a projection transmits weight times value. It is
    dimensionless, has no noise and cannot receive a projection.

    >>> Relay().membrane_unit
    '1'
    """


@dataclasses.dataclass(frozen=True, eq=False)
class PoissonSource(Neuron):
    """Source of independent Poisson spike trains: a spike in each step with probability 1 - exp(-rate dt).

    The expected rate (1 - exp(-rate dt)) / dt is lower than `rate` by a fraction of about rate dt / 2. It takes neither noise nor
    a stimulus and cannot receive a projection.

    Parameters
    ----------
    rate : scalar or (n_neurons,), frequency >= 0

    >>> from brian2 import Hz
    >>> PoissonSource(20*Hz).si("rate")
    20.0
    >>> PoissonSource(20)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: rate = 20 has no unit: expected a frequency such as 10*Hz
    """

    rate: Any = parameter("Hz", bound="non-negative")
