"""Networks: populations of neurons, projections between them (`populations.py`), and the seed of the random wiring."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import units
from ..core.checks import check_seed, instance, one_of, whole
from ..core.errors import NsnnError
from .network_size import NetworkSize, ProjectionSize, network_size, warn_of_memory
from .pair_sampling import summary
from .populations import Population, Projection, given, read_only, shaped
from .weight_distributions import Distribution


@dataclasses.dataclass(frozen=True, eq=False)
class Connections:
    """The synapses of a projection: synapse s is from neuron pre[s] to neuron post[s]. All arrays are read-only.

    pre, post : int32, shape (n_synapses,)
    weight : SI float for all synapses, or SI floats of shape (n_synapses,)
    delay : likewise, in seconds

    >>> Connections(np.array([0]), np.array([1]), 0.5, 0.0).weight
    0.5
    """

    pre: np.ndarray
    post: np.ndarray
    weight: float | np.ndarray
    delay: float | np.ndarray


class Network:
    """A network of populations and projections; `seed` determines the connections and random weights and delays.

    The wiring is therefore the same in all simulations, whose own seed determines the noise. Each projection has separate streams
    of random numbers for connections, weights and delays, which depend on its position in the list.

    Order within a step: populations are updated in the order of the list. A projection with delay 0 from an earlier to a later
    population acts in the same step; any other projection with delay 0 (backward, or within a population) acts in the next step. So
    a spike passes through all layers of a layered network within one step.

    Parameters
    ----------
    populations : list of `Population`, names unique
    projections : list of `Projection` between them; names unique where given
    seed : whole number >= 0; None draws a seed

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
        _different(names, "populations")
        for k, projection in enumerate(self.projections):
            for end in ("pre", "post"):
                if not any(getattr(projection, end) is p for p in self.populations):
                    raise NsnnError(
                        f"projections[{k}], {projection.default_name!r}: its {end} population is not in populations "
                        f"({', '.join(names)}): expected the same object"
                    )
        self.projection_names: tuple[str, ...] = _unique(self.projections)
        self._weights = [p._weight for p in self.projections]
        # the weights in the shape of `get_weights`, once drawn
        self._values: dict[int, float | np.ndarray] = {}
        self._cache: dict[int, Connections] = {}

    def __repr__(self) -> str:
        sizes = ", ".join(f"{p.name}: {p.n}" for p in self.populations)
        return f"<Network {sizes}; {', '.join(self.projection_names) or 'no projections'}; seed {self.seed}>"

    def population(self, name: str) -> Population:
        """The population with this name."""
        populations = {p.name: p for p in self.populations}
        return populations[one_of(name, populations, "name")]

    def projection(self, name: str) -> Projection:
        """The projection with this name."""
        return self.projections[self._index(name)]

    def _index(self, which: Projection | str) -> int:
        for k, (projection, name) in enumerate(zip(self.projections, self.projection_names, strict=True)):
            if projection is which or (isinstance(which, str) and name == which):
                return k
        known = ", ".join(self.projection_names) or "none: the network has no projections"
        if isinstance(which, Projection):
            raise NsnnError(
                f"projection {which.default_name!r} is not in this network: expected one of {known}"
            )
        raise NsnnError(f"name = {which!r}: expected one of {known}")

    def size(self, *, trials: int = 1, engine: str = "cython") -> NetworkSize:
        """Numbers of neurons and synapses, and the memory of a simulation, without drawing the synapses.

        Only synapses of a rule whose `mean_synapses` is None are drawn and counted. The memory of "cython" and "numpy" is right
        within 30 %, that of "cpp" within a factor of 1.5.

        trials : whole number, trials that are simulated together
        engine : "cython", "numpy", or "cpp", which takes three to four times the memory of the others

        >>> from nsnn_neuro.models.presets import brunel
        >>> print(brunel(g=5, eta=2).size())
        12,500 neurons, 15,625,000 synapses, about 0.65 GB of memory (cython)
        """
        parts = []
        for k, p in enumerate(self.projections):
            number = p.rule.mean_synapses(p.pre, p.post)
            if number is None:
                number = float(self.connections(p).pre.size)
            weights, delays = (isinstance(x, np.ndarray | Distribution) for x in (self._weights[k], p._delay))
            others = int(p.release < 1) + 3 * (p.short_term is not None)
            parts.append(ProjectionSize(number, weights, delays, others))
        neurons = sum(p.n for p in self.populations)
        return network_size(neurons, parts, trials=whole(trials, 1, "trials"), engine=engine)

    def check_memory(self, *, trials: int = 1, engine: str = "cython") -> None:
        """Warn if a simulation needs more memory than is free; `simulate` does this at its beginning."""
        kept = 0
        for c in self._cache.values():
            kept += sum(a.nbytes for a in (c.pre, c.post, c.weight, c.delay) if isinstance(a, np.ndarray))
        warn_of_memory(self.size(trials=trials, engine=engine), kept)

    def connections(self, projection: Projection | str) -> Connections:
        """The synapses of a projection, given itself or its name. They are drawn at the first call and then stay the same."""
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
            inside = not indices.size or 0 <= indices.min() <= indices.max() < population.n
            if indices.shape != (pre.size,) or indices.dtype.kind not in "iu" or not inside:
                raise NsnnError(
                    f"{type(p.rule).__name__}.connect gave {name} of shape {indices.shape}, {indices.dtype}: expected "
                    f"indices from 0 to {population.n - 1}, shape (n_synapses,), as many of pre as of post"
                )
        shape = p.shape(pre.size)
        shaped(self._weights[k], shape, "weight", self.projection_names[k])
        shaped(p._delay, (pre.size,), "delay", self.projection_names[k])
        self._values[k] = _drawn(self._weights[k], shape, rng[1])
        delay = _drawn(p._delay, (pre.size,), rng[2])
        return Connections(
            read_only(pre.astype(np.int32, copy=False)),
            read_only(post.astype(np.int32, copy=False)),
            self._expanded(k),
            delay,
        )

    def _expanded(self, k: int) -> float | np.ndarray:
        """The weights of a projection, one per synapse or one for all."""
        weight = self.projections[k].rule.per_synapse(self._values[k])
        return read_only(weight) if isinstance(weight, np.ndarray) else weight

    def get_weights(self) -> list[Any]:
        """A copy of the weights of each projection, of shape (n_pre, n_post) where all pairs are connected, else (n_synapses,).

        Where synapses share weights: the kernel (c_out, c_in, kh, kw) of a convolution, one number of shape () for average pooling.
        Floats for dimensionless weights, Brian2 quantities for voltages. `set_weights` takes the same list.
        """
        out = []
        for k, projection in enumerate(self.projections):
            shape = projection.shape(self.connections(projection).pre.size)
            values = np.broadcast_to(self._values[k], shape).copy()
            unit = self.projections[k].weight_unit
            out.append(values if unit == "1" else units.brian(values, unit))
        return out

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace all weights in place: for each projection an array of the shape that `get_weights` returns, or one number.

        After an NsnnError (a wrong number of arrays, a wrong shape, unit or sign) nothing is changed.
        """
        check_weights(weights, self.projection_names)
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
        """The network as plain data, ready for JSON; arrays by shape and checksum."""
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
                    **({} if p.short_term is None else {"short_term": p.short_term.describe()}),
                    **({} if p.plasticity is None else {"plasticity": p.plasticity.describe()}),
                }
                for name, p, weight in zip(
                    self.projection_names, self.projections, self._weights, strict=True
                )
            ],
        }


def check_weights(weights: Any, names: Sequence[str]) -> None:
    """Raise NsnnError unless `weights` is a list with an entry for each of the projections of these names."""
    if not isinstance(weights, list | tuple) or len(weights) != len(names):
        got = f"{len(weights)} entries" if isinstance(weights, list | tuple) else type(weights).__name__
        raise NsnnError(f"weights has {got}: expected a list of {len(names)} arrays, {', '.join(names)}")


def _drawn(value: Any, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    if not isinstance(value, Distribution):
        return value
    return read_only(value.sample(rng, int(np.prod(shape))).reshape(shape))


def _described(value: float | np.ndarray | Distribution, unit: str) -> dict[str, Any]:
    if isinstance(value, Distribution):
        return value.describe()
    return {**(summary(value) if isinstance(value, np.ndarray) else {"value": value}), "unit": unit}


def _listed(values: Any, kind: type, name: str) -> tuple[Any, ...]:
    if not isinstance(values, list | tuple):
        raise NsnnError(f"{name} = {values!r}: expected a list of {kind.__name__} objects")
    for k, value in enumerate(values):
        instance(value, kind, f"{name}[{k}]", f"a {kind.__name__}")
        if any(value is other for other in values[:k]):
            raise NsnnError(f"{name}[{k}] is in the list twice: expected every {kind.__name__} once")
    return tuple(values)


def _different(names: list[str], argument: str) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise NsnnError(f"{argument} has the name {twice[0]!r} twice: expected unique names")


def _unique(projections: tuple[Projection, ...]) -> tuple[str, ...]:
    """The names of the projections: as given, else "pre->post", "pre->post#2", ..."""
    own_names = [p.name for p in projections if p.name is not None]
    _different(own_names, "projections")
    taken, names = set(own_names), []
    for projection in projections:
        name, count = projection.default_name, 1
        while projection.name is None and name in taken:
            count += 1
            name = f"{projection.default_name}#{count}"
        taken.add(name)
        names.append(name)
    return tuple(names)
