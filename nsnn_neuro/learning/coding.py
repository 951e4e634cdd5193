"""Encoders turn numbers from 0 to 1 into the input of a network, step by step; decoders turn its output spikes into scores.

An encoder is one line of text, `o`, in Brian2's syntax. It uses the value `x`, the step `k` of a sample (from 0), `n_steps`, `unit`
(number of the input neuron), `uniform` (a draw for each unit, sample and step) and the encoder's parameters. A decoder gives every
output neuron a score; the guess is the neuron with the highest, the first of several. Subclass `Encoder` or `Decoder` for others.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from ..core.errors import NsnnError
from ..core.parameters import Model, Scalars, parameter

__all__ = [
    "Bernoulli",
    "Count",
    "Decoder",
    "Direct",
    "Encoder",
    "FirstSpike",
    "Latency",
    "LeakyReadout",
    "PopulationCode",
]


class Encoder(Model):
    """Base of the encoders: `o` is the text of the input's output in a step. A value that is sent in the first step only:

    >>> class Flash(Encoder):
    ...     o = "x * int(k == 0)"
    >>> Flash().o
    'x * int(k == 0)'

    `units` is the number of input neurons that share a value: value j goes to the neurons units * j to units * (j + 1) - 1, whose
    place among them is unit % units.
    """

    o: ClassVar[str]
    units: Any = 1


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


@dataclasses.dataclass(frozen=True, eq=False)
class PopulationCode(Encoder):
    """Population code: `units` neurons for each value, with preferred values equally spaced from 0 to 1.

    In each step a neuron that prefers c fires with probability gain exp(-(x - c)^2 / (2 w^2)), w = width / (units - 1).

    The network's input layer has `units` neurons for each value of X, those of the first value first.

    units : whole number, 2 or more
    width : number > 0, of the tuning curves, in spacings of the preferred values
    gain : number from 0 to 1

    >>> net_sizes = [3 * PopulationCode(8).units, 20, 2]  # for X of shape (n, 3)
    >>> net_sizes
    [24, 20, 2]
    """

    units: Any = parameter("1", bound="positive")
    width: Any = parameter("1", bound="positive", default=1.0)
    gain: Any = parameter("1", bound="fraction", default=1.0)
    o = "int(uniform < gain * exp(-0.5 * ((x * (units - 1) - unit % units) / width)**2))"
    saved_as = "Population"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.units, int | np.integer) or self.units < 2:
            raise NsnnError(f"units = {self.units!r}: expected a whole number, 2 or more")


class Decoder(Scalars):
    """Base of the decoders: `scores` takes output spikes o (..., n_steps, n), 0 or 1, to scores (..., n).

    For example, the number of spikes in the last two steps:

    >>> class Late(Decoder):
    ...     def scores(self, o):
    ...         return np.asarray(o)[..., -2:, :].sum(-2)
    >>> Late().scores([[1, 0], [1, 0], [0, 1], [0, 1]]).tolist()
    [0, 2]
    """

    def scores(self, o: Any) -> np.ndarray:
        """The score of each output neuron, (..., n)."""
        raise NotImplementedError


def _fired(o: Any) -> np.ndarray:
    """Output spikes as booleans (..., n_steps, n)."""
    o = np.asarray(o)
    if o.ndim < 2 or o.dtype.kind not in "iufb" or not o.shape[-2] or not np.all((o == 0) | (o == 1)):
        raise NsnnError(
            f"o has shape {o.shape}, {o.dtype}: expected spikes, 0 or 1, of shape (..., n_steps, n)"
        )
    return np.asarray(o, dtype=bool)


@dataclasses.dataclass(frozen=True, eq=False)
class Count(Decoder):
    """The number of spikes.

    >>> Count().scores([[1, 0], [0, 1], [0, 1]]).tolist()
    [1.0, 2.0]
    """

    def scores(self, o: Any) -> np.ndarray:
        """The scores (..., n) of spikes o, 0 or 1 of shape (..., n_steps, n)."""
        return np.asarray(_fired(o).sum(-2), dtype=float)


@dataclasses.dataclass(frozen=True, eq=False)
class FirstSpike(Decoder):
    """Earliness of the first spike: n_steps minus its step (from 0); 0 for a neuron that never fires.

    Neurons whose first spikes fall in the same step tie, as all do when the output is silent; the guess is the first of them.

    >>> FirstSpike().scores([[0, 0, 0], [0, 1, 0], [1, 1, 0]]).tolist()
    [1.0, 2.0, 0.0]
    """

    def scores(self, o: Any) -> np.ndarray:
        """The scores (..., n) of spikes o, 0 or 1 of shape (..., n_steps, n)."""
        fired = _fired(o)
        return np.where(fired.any(-2), fired.shape[-2] - fired.argmax(-2), 0.0)


@dataclasses.dataclass(frozen=True, eq=False)
class LeakyReadout(Decoder):
    """Final value of a leaky sum of the spikes, x(t) = beta x(t-1) + o(t), in which late spikes weigh more.

    beta : number from 0 (the last step only) to 1 (the number of spikes)

    >>> LeakyReadout(0.5).scores([[1, 0], [1, 0], [0, 1]]).tolist()
    [0.75, 1.0]
    """

    beta: Any = parameter("1", bound="fraction")

    def scores(self, o: Any) -> np.ndarray:
        """The scores (..., n) of spikes o, 0 or 1 of shape (..., n_steps, n)."""
        fired = _fired(o)
        weights = self.si("beta") ** np.arange(fired.shape[-2])[::-1]
        # not a BLAS product, which could round two neurons with the same spikes differently
        return np.asarray((weights[:, None] * fired).sum(-2))
