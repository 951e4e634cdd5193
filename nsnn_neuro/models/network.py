"""Networks: populations of neurons, projections between them, and a seed that all random wiring comes from.

    input = Population(64, Relay(), name="input")
    out = Population(10, NSNNNeuron(), noise=EscapeNoise(Gaussian(0.4)), name="out")
    net = Network([input, out], [Projection(input, out, rule=AllToAll(), weight=Normal(0.0, 0.1))], seed=1)

Populations and projections are in `populations.py`, connection rules in `connectivity.py`, the laws of weights and delays in
`distributions.py`, synapses in `synapses.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import units
from ..core.checks import check_seed
from ..core.errors import NsnnError
from .connectivity import summary
from .distributions import Distribution
from .populations import Population, Projection, given, instance, read_only, shaped

__all__ = ["Connections", "Network", "Population", "Projection"]


@dataclasses.dataclass(frozen=True, eq=False)
class Connections:
    """The synapses of a projection: synapse s is from neuron pre[s] to neuron post[s]. All arrays are read-only.

    pre, post : int32, shape (n_synapses,)
    weight : SI float for all, or SI floats of shape (n_synapses,)
    delay : the same, in seconds

    >>> Connections(np.array([0]), np.array([1]), 0.5, 0.0).weight
    0.5
    """

    pre: np.ndarray
    post: np.ndarray
    weight: float | np.ndarray
    delay: float | np.ndarray


class Network:
    """Populations and projections. Which synapses there are, and random weights and delays, come from `seed`.

    So the wiring stays the same over simulations, which have a seed of their own for the noise. Each projection has its own
    stream of random numbers, by its place in the list, with separate ones for connections, weights and delays.

    Order within a step: populations are updated in the order of the list. A projection with delay 0 from an earlier to a later
    population is seen in the same step; any other with delay 0 (backward, or recurrent within a population) is seen from the
    next step on. So a layered network passes through all its layers within a step.

    Parameters
    ----------
    populations : list of `Population`, names unique
    projections : list of `Projection` between them; given names unique
    seed : whole number >= 0; None draws one

    Raises
    ------
    NsnnError : names given twice, a projection of a population that isn't in the list; later, when connections are drawn, an
        array whose shape doesn't fit their random number

    >>> from brian2 import mV, ms
    >>> from nsnn_neuro.models.connectivity import FixedInDegree
    >>> from nsnn_neuro.models.neurons import LIF
    >>> cell = LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> E = Population(100, cell, name="E")
    >>> net = Network([E], [Projection(E, E, rule=FixedInDegree(10), weight=0.1*mV, delay=1.5*ms)], seed=1)
    >>> synapses = net.connections("E->E")
    >>> synapses.pre.size, synapses.delay
    (1000, 0.0015)
    """

    def __init__(
        self,
        populations: Sequence[Population],
        projections: Sequence[Projection] = (),
        *,
        seed: int | None = 0,
    ) -> None:
        self.populations: tuple[Population, ...] = _listed(populations, Population, "populations")
        self.projections: tuple[Projection, ...] = _listed(projections, Projection, "projections")
        self.seed: int = check_seed(seed)
        if not self.populations:
            raise NsnnError("populations is empty: expected at least one Population")
        names = [p.name for p in self.populations]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise NsnnError(f"populations has the name {twice[0]!r} twice: expected unique names")
        for k, projection in enumerate(self.projections):
            for end in ("pre", "post"):
                if not any(getattr(projection, end) is p for p in self.populations):
                    raise NsnnError(
                        f"projections[{k}], {projection.default_name!r}: its {end} population isn't in populations "
                        f"({', '.join(names)}): expected that very object"
                    )
        self.projection_names: tuple[str, ...] = _unique(self.projections)
        self._weights = [p._weight for p in self.projections]
        # the weights, as `get_weights` shapes them, once drawn
        self._values: dict[int, float | np.ndarray] = {}
        self._cache: dict[int, Connections] = {}

    def __repr__(self) -> str:
        sizes = ", ".join(f"{p.name}: {p.n}" for p in self.populations)
        return f"<Network {sizes}; {', '.join(self.projection_names) or 'no projections'}; seed {self.seed}>"

    def population(self, name: str) -> Population:
        """The population of this name."""
        for population in self.populations:
            if population.name == name:
                return population
        raise NsnnError(f"name = {name!r}: expected one of {', '.join(p.name for p in self.populations)}")

    def projection(self, name: str) -> Projection:
        """The projection of this name."""
        return self.projections[self._index(name)]

    def _index(self, which: Projection | str) -> int:
        for k, (projection, name) in enumerate(zip(self.projections, self.projection_names, strict=True)):
            if projection is which or (isinstance(which, str) and name == which):
                return k
        told = ", ".join(self.projection_names) or "none: the network has no projections"
        if isinstance(which, Projection):
            raise NsnnError(
                f"projection {which.default_name!r} isn't in this network: expected one of {told}"
            )
        raise NsnnError(f"name = {which!r}: expected one of {told}")

    def connections(self, projection: Projection | str) -> Connections:
        """The synapses of a projection (or of the projection of that name): drawn at the first call, then kept."""
        k = self._index(projection)
        if k not in self._cache:
            self._cache[k] = self._draw(k)
        return self._cache[k]

    def _draw(self, k: int) -> Connections:
        p = self.projections[k]
        seeds = [np.random.SeedSequence(self.seed, spawn_key=(k, part)) for part in range(3)]
        rng = [np.random.Generator(np.random.PCG64(s)) for s in seeds]
        pre, post = (np.asarray(a) for a in p.rule.connect(p.pre, p.post, rng[0]))
        for name, indices, population in (("pre", pre, p.pre), ("post", post, p.post)):
            if (
                indices.shape != (pre.size,)
                or indices.dtype.kind not in "iu"
                or (indices.size and not 0 <= indices.min() <= indices.max() < population.n)
            ):
                raise NsnnError(
                    f"{type(p.rule).__name__}.connect gave {name} of shape {indices.shape}, {indices.dtype}: expected "
                    f"indices from 0 to {population.n - 1}, shape (n_synapses,), as many of pre as of post"
                )
        shape = p.shape(pre.size)
        shaped(self._weights[k], shape, "weight", self.projection_names[k])
        shaped(p._delay, (pre.size,), "delay", self.projection_names[k])
        self._values[k], delay = (
            read_only(value.sample(r, int(np.prod(dims))).reshape(dims))
            if isinstance(value, Distribution)
            else value
            for value, dims, r in ((self._weights[k], shape, rng[1]), (p._delay, (pre.size,), rng[2]))
        )
        return Connections(
            read_only(pre.astype(np.int32, copy=False)),
            read_only(post.astype(np.int32, copy=False)),
            self._expanded(k),
            delay,
        )

    def _expanded(self, k: int) -> float | np.ndarray:
        """The weights of a projection, one for each synapse or one for all."""
        weight = self.projections[k].rule.per_synapse(self._values[k])
        return read_only(weight) if isinstance(weight, np.ndarray) else weight

    def get_weights(self) -> list[Any]:
        """The weights, an array for each projection: of shape (n_pre, n_post) where all pairs are connected, else (n_synapses,).

        Where synapses share weights, the shared ones: kernels (c_out, c_in, kh, kw), and one number, of shape (), for an average
        pooling. Floats for dimensionless weights, Brian2 quantities for voltages; copies, to be changed and handed to
        `set_weights`.
        """
        out = []
        for k, projection in enumerate(self.projections):
            shape = projection.shape(self.connections(projection).pre.size)
            values = np.broadcast_to(self._values[k], shape).copy()
            unit = self.projections[k].weight_unit
            out.append(values if unit == "1" else units.brian(values, unit))
        return out

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace all weights: for each projection an array of the shape that `get_weights` gives, or one number for all.

        The network is changed in place: what is simulated or asked of it from now on has these weights.

        Raises
        ------
        NsnnError : another number of arrays than of projections, a wrong shape, unit or sign; then nothing has been changed
        """
        if not isinstance(weights, list | tuple) or len(weights) != len(self.projections):
            got = f"{len(weights)} entries" if isinstance(weights, list | tuple) else type(weights).__name__
            raise NsnnError(
                f"weights has {got}: expected a list with one array for each of the {len(self.projections)} projections "
                f"({', '.join(self.projection_names)})"
            )
        new: list[float | np.ndarray] = []
        for k, (value, projection) in enumerate(zip(weights, self.projections, strict=True)):
            values = given(value, projection.weight_unit, f"weights[{k}]")
            n = self.connections(projection).pre.size
            shaped(values, projection.shape(n), f"weights[{k}]", self.projection_names[k])
            projection.check_sign(values, f"weights[{k}]")
            new.append(values)
        for k, values in enumerate(new):
            self._weights[k] = self._values[k] = values
            self._cache[k] = dataclasses.replace(self._cache[k], weight=self._expanded(k))

    def describe(self) -> dict[str, Any]:
        """The network as plain data, ready for JSON; arrays by their shape and checksum."""
        return {
            "type": "Network",
            "seed": self.seed,
            "populations": [p.describe() for p in self.populations],
            "projections": [
                {
                    "name": name,
                    "pre": p.pre.name,
                    "post": p.post.name,
                    "rule": p.rule.describe(),
                    "weight": _described(weight, p.weight_unit),
                    "delay": _described(p._delay, "s"),
                    "synapse": p.synapse.describe(),
                    "release": p.release,
                    **({} if p.plasticity is None else {"plasticity": p.plasticity.describe()}),
                }
                for name, p, weight in zip(
                    self.projection_names, self.projections, self._weights, strict=True
                )
            ],
        }


def _described(value: float | np.ndarray | Distribution, unit: str) -> dict[str, Any]:
    if isinstance(value, Distribution):
        return value.describe()
    return (
        {**summary(value), "unit": unit} if isinstance(value, np.ndarray) else {"value": value, "unit": unit}
    )


def _listed(values: Any, kind: type, name: str) -> tuple[Any, ...]:
    if not isinstance(values, list | tuple):
        raise NsnnError(f"{name} = {values!r}: expected a list of {kind.__name__} records")
    for k, value in enumerate(values):
        instance(value, kind, f"{name}[{k}]", f"a {kind.__name__}")
        if any(value is other for other in values[:k]):
            raise NsnnError(f"{name}[{k}] is in the list already: expected every {kind.__name__} once")
    return tuple(values)


def _unique(projections: tuple[Projection, ...]) -> tuple[str, ...]:
    """The projections' names: those given, and for the others "pre->post", "pre->post#2", ..."""
    given = [p.name for p in projections if p.name is not None]
    if twice := sorted({name for name in given if given.count(name) > 1}):
        raise NsnnError(f"projections has the name {twice[0]!r} twice: expected unique names")
    taken, names = set(given), []
    for projection in projections:
        name, count = projection.default_name, 1
        while projection.name is None and name in taken:
            count += 1
            name = f"{projection.default_name}#{count}"
        taken.add(name)
        names.append(name)
    return tuple(names)
