"""Networks: populations of neurons, projections between them, and a seed that all random wiring comes from.

    input = Population(64, Relay(), name="input")
    out = Population(10, NSNNNeuron(), noise=EscapeNoise(Gaussian(0.4)), name="out")
    net = Network([input, out], [Projection(input, out, rule=AllToAll(), weight=Normal(0.0, 0.1))], seed=1)

Connection rules are in `connectivity.py`, distributions in `distributions.py`, synapses in `synapses.py`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import quantities as pq

from . import units
from .connectivity import AllToAll, Rule, summary
from .distributions import Distribution
from .errors import NsnnError
from .keyed_noise import check_seed
from .neurons import Neuron, NSNNNeuron, PoissonSource, Relay
from .noise import Noise
from .records import Record
from .stimuli import Stimulus
from .synapses import Jump, Synapse

__all__ = ["Connections", "Network", "Population", "Projection"]

_MOST = 2**31 - 1  # neurons of a population: indices are int32


@dataclasses.dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one kind: n copies of `neuron`, each with its own noise, all driven by `stimulus`.

    Parameters
    ----------
    n : whole number >= 1
    neuron : a neuron record; its array parameters, and those of noise and stimulus, have the shape (n,)
    noise : a noise record, or None
    stimulus : a stimulus record in the membrane's unit, or None
    name : letters, digits, "_" and "-", a letter or "_" first; unique in a network
    positions : plain numbers of shape (n,) or (n, d), for `DistanceDependent`; None: evenly on a ring of circumference 1

    Raises
    ------
    NsnnError : an argument of the wrong type or size; noise or stimulus for a source that has none

    >>> from nsnn_neuro.escape import EscapeNoise, Gaussian
    >>> Population(10, NSNNNeuron(), noise=EscapeNoise(Gaussian(0.4)), name="out").describe()["size"]
    10
    """

    n: int
    neuron: Neuron
    noise: Noise | None = dataclasses.field(default=None, kw_only=True)
    stimulus: Stimulus | None = dataclasses.field(default=None, kw_only=True)
    name: str = dataclasses.field(kw_only=True)
    positions: Any = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int | np.integer) or not 1 <= self.n <= _MOST:
            raise NsnnError(f"n = {self.n!r}: expected a whole number >= 1")
        object.__setattr__(self, "n", int(self.n))
        _named(self.name, "_-", "the population")
        _instance(self.neuron, Neuron, "neuron", "a neuron record such as LIF(...) or NSNNNeuron()")
        if self.noise is not None:
            _instance(self.noise, Noise, "noise", "a noise record such as WhiteNoise(3*mV), or None")
        if self.stimulus is not None:
            _instance(
                self.stimulus, Stimulus, "stimulus", "a stimulus record such as Constant(15*mV), or None"
            )
        who = type(self.neuron).__name__
        if isinstance(self.neuron, Relay | PoissonSource) and self.noise is not None:
            raise NsnnError(f"noise = {self.noise}: a {who} takes no noise, expected None")
        if isinstance(self.neuron, PoissonSource) and self.stimulus is not None:
            raise NsnnError(f"stimulus = {self.stimulus}: a {who} takes no stimulus, expected None")
        for record in (self.neuron, self.noise, self.stimulus):
            _sized(record, self.n, f"population {self.name!r}")
        if self.positions is not None:
            object.__setattr__(self, "positions", self._placed())

    def _placed(self) -> np.ndarray:
        places = np.array(units.si(self.positions, "1", "positions"), dtype=float)
        if (
            places.ndim not in (1, 2)
            or len(places) != self.n
            or not places.size
            or not np.isfinite(places).all()
        ):
            raise NsnnError(
                f"positions has shape {places.shape}: expected finite numbers of shape (n,) or (n, d), n = {self.n}"
            )
        return _frozen(places)

    def describe(self) -> dict[str, Any]:
        """The population as plain data, ready for JSON."""
        parts = {"neuron": self.neuron, "noise": self.noise, "stimulus": self.stimulus}
        return {
            "name": self.name,
            "size": self.n,
            **{name: None if part is None else part.describe() for name, part in parts.items()},
            "positions": None if self.positions is None else summary(self.positions),
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """Synapses of one kind from a population to another, or to itself.

    Parameters
    ----------
    pre, post : `Population`s; post can't be a source (`Relay`, `PoissonSource`)
    rule : a connection rule: `AllToAll()`, `OneToOne()`, `FixedProbability(p)`, `FixedInDegree(k)`, `FromList(pre, post)`,
        `DistanceDependent(p_max, scale)` or your own
    weight : a number, a distribution (`Normal`, `LogNormal`, `Between`), or an array, of shape (n_pre, n_post) for `AllToAll` (all
        pairs connected), else (n_synapses,) in the rule's order. In the membrane's unit for jumps and currents, a plain number
        for conductances (in units of the leak's)
    delay : time >= 0, an array of times of shape (n_synapses,), or a distribution without negative values
    synapse : "jump" (the membrane jumps by the weight), or a synapse record; an `NSNNNeuron` takes jumps alone
    release : number, the probability that a spike is transmitted, drawn for each synapse and spike
    plasticity : None
    name : unique in a network; default "pre->post", with "#2" and so on for further ones of the same populations

    Raises
    ------
    NsnnError : wrong type, unit, shape or sign; populations that the rule can't connect

    >>> from nsnn_neuro.connectivity import AllToAll
    >>> cells = Population(3, NSNNNeuron(), name="cells")
    >>> Projection(cells, cells, rule=AllToAll(), weight=0.2*pq.mV)
    Traceback (most recent call last):
    nsnn_neuro.errors.NsnnError: weight = 0.2 mV: expected a plain number such as 0.5
    """

    pre: Population
    post: Population
    rule: Rule = dataclasses.field(kw_only=True)
    weight: Any = dataclasses.field(kw_only=True)
    delay: Any = dataclasses.field(default_factory=lambda: 0.0 * pq.ms, kw_only=True)
    synapse: Synapse = dataclasses.field(default="jump", kw_only=True)  # type: ignore[assignment]
    release: float = dataclasses.field(default=1.0, kw_only=True)
    plasticity: None = dataclasses.field(default=None, kw_only=True)
    name: str | None = dataclasses.field(default=None, kw_only=True)
    _weight: float | np.ndarray | Distribution = dataclasses.field(init=False, repr=False)
    _delay: float | np.ndarray | Distribution = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("pre", "post"):
            _instance(getattr(self, name), Population, name, "a Population")
        _instance(self.rule, Rule, "rule", "a connection rule such as AllToAll() or FixedProbability(0.1)")
        if self.plasticity is not None:
            raise NsnnError(
                f"plasticity = {self.plasticity!r}: expected None, plasticity comes with learning"
            )
        if self.name is not None:
            _named(self.name, "_>#-", "the projection")
        self._check_synapse()
        release = units.si(self.release, "1", "release")
        if np.ndim(release) or not 0 <= release <= 1:
            raise NsnnError(f"release = {self.release}: expected one probability, from 0 to 1")
        object.__setattr__(self, "release", release)
        self.rule.check(self.pre, self.post)
        n = self.rule.n_synapses(self.pre, self.post)
        weight = _drawn_or_given(self.weight, self.weight_unit, "weight")
        _shaped(weight, None if n is None else self.shape(n), "weight", self.default_name)
        object.__setattr__(self, "_weight", weight)
        delay = _drawn_or_given(self.delay, "s", "delay")
        _shaped(delay, None if n is None else (n,), "delay", self.default_name)
        if (delay.lowest if isinstance(delay, Distribution) else np.min(delay, initial=0.0)) < 0:
            cure = ", e.g. with low=0*ms" if isinstance(delay, Distribution) else ""
            raise NsnnError(f"delay = {self.delay}: expected no negative times{cure}")
        object.__setattr__(self, "_delay", delay)

    def _check_synapse(self) -> None:
        if isinstance(self.synapse, str) and self.synapse == "jump":
            object.__setattr__(self, "synapse", Jump())
        _instance(
            self.synapse, Synapse, "synapse", '"jump" or a synapse record such as ExponentialSynapse(5*ms)'
        )
        target, synapse = self.post.neuron, self.synapse
        who = type(target).__name__
        if isinstance(target, Relay | PoissonSource):
            raise NsnnError(
                f"post = {self.post.name!r}: a {who} receives nothing, expected a population of neurons"
            )
        if isinstance(target, NSNNNeuron) and not isinstance(synapse, Jump):
            raise NsnnError(
                f"synapse = {synapse}: an NSNNNeuron takes jumps alone (added to u in the same step), "
                'expected synapse="jump"'
            )
        if synapse.reversal is not None and synapse.unit(synapse.reversal) != target.membrane_unit:
            raise NsnnError(
                f"{synapse.reversal} = {getattr(synapse, synapse.reversal)}: the membrane of this {who} has the unit of "
                f"{units.describe(target.membrane_unit)}"
            )
        _sized(synapse, self.post.n, f"postsynaptic population {self.post.name!r}")

    @property
    def weight_unit(self) -> str:
        """The unit of the weights: "V" or "1"."""
        return self.synapse.weight_unit(self.post.neuron.membrane_unit)

    @property
    def default_name(self) -> str:
        """The name it was given, or "pre->post"."""
        return f"{self.pre.name}->{self.post.name}" if self.name is None else self.name

    def shape(self, n_synapses: int) -> tuple[int, ...]:
        """The shape of an array of weights: (n_pre, n_post) where all pairs are connected, else (n_synapses,)."""
        dense = isinstance(self.rule, AllToAll) and self.rule.dense(self.pre, self.post)
        return (self.pre.n, self.post.n) if dense else (n_synapses,)


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
    >>> from nsnn_neuro.connectivity import FixedInDegree
    >>> from nsnn_neuro.neurons import LIF
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
        self.populations = _listed(populations, Population, "populations")
        self.projections = _listed(projections, Projection, "projections")
        self.seed = check_seed(seed)
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
        self.projection_names = _unique(self.projections)
        self._weights = [p._weight for p in self.projections]
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
        rng = [
            np.random.Generator(np.random.PCG64(s))
            for s in np.random.SeedSequence(self.seed).spawn(k + 1)[k].spawn(3)
        ]
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
        _shaped(self._weights[k], p.shape(pre.size), "weight", self.projection_names[k])
        _shaped(p._delay, (pre.size,), "delay", self.projection_names[k])
        weight, delay = (
            _frozen(value.sample(r, pre.size)) if isinstance(value, Distribution) else value
            for value, r in ((self._weights[k], rng[1]), (p._delay, rng[2]))
        )
        return Connections(
            _frozen(pre.astype(np.int32, copy=False)),
            _frozen(post.astype(np.int32, copy=False)),
            weight.reshape(-1) if isinstance(weight, np.ndarray) else weight,
            delay,
        )

    def get_weights(self) -> list[Any]:
        """The weights, an array for each projection: of shape (n_pre, n_post) where all pairs are connected, else (n_synapses,).

        Floats for dimensionless weights, Brian2 quantities for voltages; copies, to be changed and handed to `set_weights`.
        """
        out = []
        for k, projection in enumerate(self.projections):
            synapses = self.connections(projection)
            shape = projection.shape(synapses.pre.size)
            values = np.broadcast_to(synapses.weight, synapses.pre.size).reshape(shape).copy()
            unit = self.projections[k].weight_unit
            out.append(values if unit == "1" else units.brian(values, unit))
        return out

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Replace all weights: for each projection an array of the shape that `get_weights` gives, or one number for all.

        The network is changed in place: what is simulated or asked of it from now on has these weights.

        Raises
        ------
        NsnnError : another number of arrays than of projections, a wrong shape or unit; then nothing has been changed
        """
        if not isinstance(weights, list | tuple) or len(weights) != len(self.projections):
            got = f"{len(weights)} entries" if isinstance(weights, list | tuple) else type(weights).__name__
            raise NsnnError(
                f"weights has {got}: expected a list with one array for each of the {len(self.projections)} projections "
                f"({', '.join(self.projection_names)})"
            )
        new: list[float | np.ndarray] = []
        for k, (value, projection) in enumerate(zip(weights, self.projections, strict=True)):
            values = _given(value, projection.weight_unit, f"weights[{k}]")
            n = self.connections(projection).pre.size
            _shaped(values, projection.shape(n), f"weights[{k}]", self.projection_names[k])
            new.append(values)
        for k, values in enumerate(new):
            self._weights[k] = values
            flat = values.reshape(-1) if isinstance(values, np.ndarray) else values
            self._cache[k] = dataclasses.replace(self._cache[k], weight=flat)

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
                }
                for name, p, weight in zip(
                    self.projection_names, self.projections, self._weights, strict=True
                )
            ],
        }


def _instance(value: Any, kind: type, name: str, expected: str) -> None:
    if not isinstance(value, kind):
        raise NsnnError(f"{name} = {value!r}: expected {expected}")


def _named(name: Any, others: str, what: str) -> None:
    if not isinstance(name, str) or not re.fullmatch(rf"[A-Za-z_][A-Za-z0-9{re.escape(others)}]*", name):
        raise NsnnError(
            f'name = {name!r}: expected a text for {what} of letters, digits and {" ".join(others)}, a letter or "_" first'
        )


def _sized(record: Record | None, n: int, where: str) -> None:
    """Raise NsnnError unless every array parameter of the record, and of records in it, has n values."""
    if record is None:
        return
    for field in record._parameters():
        shape = np.shape(record.si(field.name))
        if shape not in ((), (n,)):
            raise NsnnError(
                f"{field.name} of {type(record).__name__} has {shape[0]} values: expected one, or n = {n} for the {where}"
            )
    for field in dataclasses.fields(record):
        if isinstance(inner := getattr(record, field.name), Record):
            _sized(inner, n, where)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _given(value: Any, unit: str, name: str) -> float | np.ndarray:
    """A number or an array in SI, the array an own, read-only copy."""
    values = units.si(value, unit, name)
    if not np.isfinite(values).all():
        raise NsnnError(f"{name} = {value}: expected finite values")
    return values if isinstance(values, float) else _frozen(np.array(values, order="C"))


def _drawn_or_given(value: Any, unit: str, name: str) -> float | np.ndarray | Distribution:
    if not isinstance(value, Distribution):
        return _given(value, unit, name)
    if value.unit_symbol != unit:
        raise NsnnError(f"{name} = {value}: expected parameters in the unit of {units.describe(unit)}")
    return value


def _shaped(value: Any, shape: tuple[int, ...] | None, name: str, projection: str) -> None:
    if shape is not None and isinstance(value, np.ndarray) and value.shape != shape:
        meaning = "(n_pre, n_post)" if len(shape) == 2 else "(n_synapses,)"
        raise NsnnError(
            f"{name} of {projection!r} has shape {value.shape}: expected a number or the shape {meaning} = {shape}"
        )


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
        _instance(value, kind, f"{name}[{k}]", f"a {kind.__name__}")
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
