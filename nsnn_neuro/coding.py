"""Encoders: how a number from 0 to 1 becomes the input of a network, step by step.

An encoder is a record with one line of text, `o`, in Brian2's syntax: of the value `x`, the step `k` of a sample (from 0),
`n_steps`, `uniform` (a draw for each unit, sample and step) and its parameters. One's own is a subclass of `Encoder`.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from .records import Record, parameter

__all__ = ["Bernoulli", "Direct", "Encoder", "Latency"]


class Encoder(Record):
    """Base of the encoders: `o` is the text of what the input sends in a step. A value that is sent at the first step alone:

    >>> class Flash(Encoder):
    ...     o = "x * int(k == 0)"
    >>> Flash().o
    'x * int(k == 0)'
    """

    o: ClassVar[str]


@dataclasses.dataclass(frozen=True, eq=False)
class Bernoulli(Encoder):
    """Rate code: in each step a spike with probability gain x.

    gain : number from 0 to 1

    >>> Bernoulli().o
    'int(uniform < gain * x)'
    """

    gain: Any = parameter("1", bound="fraction", default=1.0)
    o = "int(uniform < gain * x)"


@dataclasses.dataclass(frozen=True, eq=False)
class Direct(Encoder):
    """Direct current: the value itself, times gain, in every step.

    gain : number

    >>> Direct(2.0).gain
    2.0
    """

    gain: Any = parameter("1", default=1.0)
    o = "gain * x"


@dataclasses.dataclass(frozen=True, eq=False)
class Latency(Encoder):
    """Latency code: one spike, the sooner the larger x: at step floor((1 - x) (n_steps - 1) + 1/2). A value of 0 sends none.

    >>> Latency().describe()
    {'type': 'Latency'}
    """

    o = "int(x > 0) * int(k == floor((1 - x) * (n_steps - 1) + 0.5))"
