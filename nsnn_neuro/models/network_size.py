"""The size of a network: numbers of neurons and synapses, and the memory of a simulation, before anything is drawn.

The bytes of a synapse were measured in a simulation with one projection of 4.5 million of them. A C++ program reads copies from
files into arrays that grow by doubling, so that its memory is less certain.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

from ..core.checks import one_of
from ..core.memory import free_memory
from ..core.warn import warn

_NEURON = 400  # bytes, of its variables
# bytes of a synapse, kept by the network: its two neurons; a weight or delay of its own
_INDICES, _VALUE = 8, 8
# bytes of a synapse while a simulation runs: indices, delay and queue of spikes; each further variable; a delay of its own
_RUN = {"numpy": (28, 8, 0), "cython": (28, 8, 0), "cpp": (151, 32, 32)}
# bytes of a synapse, and of a value of its own, while its projection is made
_PASSING, _PASSING_VALUE = 24, 12
_LEAST = 2**30  # bytes; smaller networks are not compared with the memory that is free


@dataclasses.dataclass(frozen=True)
class NetworkSize:
    """Size of a network, and the memory that a simulation takes in addition to Python and its packages.

    >>> print(NetworkSize(neurons=1000, synapses=1e5, memory=9e6, engine="numpy"))
    1,000 neurons, 100,000 synapses, about 0.009 GB of memory (numpy)
    """

    neurons: int
    synapses: float
    """their number, or its expected value where it is random"""
    memory: float
    """bytes at the peak of a simulation; each spike takes about 120 more"""
    engine: str

    def __str__(self) -> str:
        shown = f"about {self.memory / 1e9:.2g} GB of memory ({self.engine})"
        return f"{self.neurons:,} neurons, {round(self.synapses):,} synapses, {shown}"


class ProjectionSize(NamedTuple):
    """The synapses of a projection: their number, whether each has a weight and a delay of its own, and how many more variables."""

    synapses: float
    weights: bool
    delays: bool
    others: int


def network_size(neurons: int, parts: Iterable[ProjectionSize], *, trials: int, engine: str) -> NetworkSize:
    """The size of a network of projections `parts`, in their order."""
    one_of(engine, tuple(_RUN), "engine")
    base, variable, delay = _RUN[engine]
    synapses, kept, held, peak = 0.0, 0.0, 0.0, 0.0
    for p in parts:
        values = p.weights + p.delays  # that the network keeps of each synapse
        synapses += p.synapses
        kept += p.synapses * (_INDICES + _VALUE * values)
        held += p.synapses * trials * (base + variable * (p.weights + p.others) + delay * p.delays)
        peak = max(peak, held + p.synapses * trials * (_PASSING + _PASSING_VALUE * values))
    if engine == "cpp":  # its program runs after they have been made
        peak = held
    return NetworkSize(neurons, synapses, _NEURON * neurons * trials + kept + peak, engine)


def warn_of_memory(size: NetworkSize, kept: int) -> None:
    """Warn if a simulation needs more memory than is free; `kept` bytes of it are in use already."""
    if size.memory < _LEAST:
        return
    with contextlib.suppress(AttributeError):  # systems that do not say what is free
        free = free_memory()
        if size.memory - kept > free:
            other = 'engine="cython", which takes less than half, ' if size.engine == "cpp" else ""
            warn(
                f"a network of {size}, but {free / 1e9:.2g} GB are free: take {other}fewer neurons, synapses or trials, or a "
                "machine with more memory"
            )
