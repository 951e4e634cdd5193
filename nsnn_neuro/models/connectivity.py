"""Connection rules: which neurons of two populations are connected.

`connect(pre, post, rng)` of a rule takes two populations (it reads their size `n` and `positions`) and a random generator. It
returns the connections as two int32 arrays, sorted by presynaptic, then postsynaptic neuron. Autapses are possible where pre and
post are the same population. To define a rule, subclass `ConnectionRule` with `connect`. Rules for images: `convolution.py`.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np

from ..core.checks import flag, whole
from ..core.errors import NsnnError
from ..core.parameters import Scalars, checked, choice, parameter
from . import pair_sampling
from .pair_sampling import Pairs, joined, random_pairs, sorted_draws, sorted_subset, summary


class ConnectionRule(Scalars):
    """Base of the connection rules. A rule whose synapses share weights sets `shared = True` and overrides `weight_shape` and
    `per_synapse`.

    >>> from nsnn_neuro.models.network import Population
    >>> from nsnn_neuro.models.neurons import NSNNNeuron
    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class Neighbours(ConnectionRule):
    ...     def connect(self, pre, post, rng):
    ...         i = np.arange(pre.n, dtype=np.int32)
    ...         return i, (i + 1) % post.n
    >>> ring = Population(3, NSNNNeuron(), name="ring")
    >>> Neighbours().connect(ring, ring, np.random.default_rng(1))[1].tolist()
    [1, 2, 0]
    """

    # True where synapses share weights, so that a learning rule cannot change them one by one
    shared: ClassVar[bool] = False

    def check(self, pre: Any, post: Any) -> None:
        """Raise NsnnError if the rule cannot connect these populations."""

    def n_synapses(self, pre: Any, post: Any) -> int | None:
        """The number of synapses, or None when it is random."""
        return None

    def mean_synapses(self, pre: Any, post: Any) -> float | None:
        """The expected number of synapses, or None when it is not known before they are drawn."""
        return self.n_synapses(pre, post)

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices, int32, shape (n_synapses,) each."""
        raise NotImplementedError

    def weight_shape(self, pre: Any, post: Any, n_synapses: int) -> tuple[int, ...]:
        """The shape of the weights of a projection; (n_synapses,) by default."""
        return (n_synapses,)

    def per_synapse(self, weight: float | np.ndarray) -> float | np.ndarray:
        """One weight per synapse, in the order of `connect`, from weights of `weight_shape`; a number is returned as it is."""
        return weight.reshape(-1) if isinstance(weight, np.ndarray) else weight


def _autapses(default: bool) -> Any:
    return checked(flag, default=default, kw_only=True)


def _allowed(pairs: Pairs, autapses: bool) -> Pairs:
    """All pairs, or those of different neurons."""
    i, j = pairs
    kept = i != j
    return pairs if autapses else (i[kept], j[kept])


@dataclasses.dataclass(frozen=True, eq=False)
class AllToAll(ConnectionRule):
    """Connect every neuron to every neuron.

    autapses : bool, connect a neuron to itself where pre and post are the same population

    >>> AllToAll(autapses=False).describe()
    {'type': 'AllToAll', 'autapses': False}
    """

    autapses: bool = _autapses(True)

    def dense(self, pre: Any, post: Any) -> bool:
        """True when every pair is connected, so that weights have the shape (n_pre, n_post)."""
        return self.autapses or pre is not post

    def n_synapses(self, pre: Any, post: Any) -> int:
        """n_pre n_post, or n (n - 1) without autapses."""
        return pre.n * post.n - (0 if self.dense(pre, post) else pre.n)

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices; see `ConnectionRule.connect`."""
        i = np.repeat(np.arange(pre.n, dtype=np.int32), post.n)
        j = np.tile(np.arange(post.n, dtype=np.int32), pre.n)
        return _allowed((i, j), self.dense(pre, post))

    def weight_shape(self, pre: Any, post: Any, n_synapses: int) -> tuple[int, ...]:
        """(n_pre, n_post) where all pairs are connected, else (n_synapses,)."""
        return (pre.n, post.n) if self.dense(pre, post) else (n_synapses,)


@dataclasses.dataclass(frozen=True, eq=False)
class OneToOne(ConnectionRule):
    """Connect neuron k to neuron k, in populations of equal size.

    >>> OneToOne().describe()
    {'type': 'OneToOne'}
    """

    def check(self, pre: Any, post: Any) -> None:
        """Raise NsnnError unless the populations have equal sizes."""
        if pre.n != post.n:
            raise NsnnError(
                f"rule = OneToOne(): populations of {pre.n} and {post.n} neurons: expected equal sizes"
            )

    def n_synapses(self, pre: Any, post: Any) -> int:
        """The size of the populations."""
        return pre.n

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices; see `ConnectionRule.connect`."""
        i = np.arange(pre.n, dtype=np.int32)
        return i, i.copy()


@dataclasses.dataclass(frozen=True, eq=False)
class FixedProbability(ConnectionRule):
    """Connect every pair independently with probability p. Time and memory grow with the number of synapses, not of pairs.

    Parameters
    ----------
    p : number, 0 to 1
    autapses : bool, allow a neuron to connect to itself

    >>> FixedProbability(1.2)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: p = 1.2: expected a value from 0 to 1, finite (a plain number such as 0.5)
    """

    p: Any = parameter("1", bound="fraction")
    autapses: bool = _autapses(False)

    def mean_synapses(self, pre: Any, post: Any) -> float:
        """p times the number of possible pairs."""
        return float(self.si("p") * pre.n * (post.n - (0 if self.autapses or pre is not post else 1)))

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices; see `ConnectionRule.connect`."""
        pairs = joined([*random_pairs(pre.n, post.n, self.si("p"), rng)])
        return _allowed(pairs, self.autapses or pre is not post)


@dataclasses.dataclass(frozen=True, eq=False)
class FixedInDegree(ConnectionRule):
    """Exactly k synapses onto every postsynaptic neuron, from uniformly drawn partners, all different unless `multapses`.

    Parameters
    ----------
    k : whole number >= 0
    autapses : bool, allow a neuron to connect to itself
    multapses : bool, allow several synapses between two neurons (draws with replacement)

    >>> FixedInDegree(100.5)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: k = 100.5: expected a whole number, at least 0
    """

    k: int = checked(partial(whole, least=0))
    autapses: bool = _autapses(False)
    multapses: bool = checked(flag, default=False, kw_only=True)

    def _partners(self, pre: Any, post: Any) -> int:
        return pre.n if self.autapses or pre is not post else pre.n - 1

    def check(self, pre: Any, post: Any) -> None:
        """Raise NsnnError if there are fewer than k possible partners."""
        n = self._partners(pre, post)
        if self.k > n and not (self.multapses and n):
            raise NsnnError(
                f"k = {self.k}: expected at most {n}, the number of possible partners (or multapses=True)"
            )

    def n_synapses(self, pre: Any, post: Any) -> int:
        """k n_post."""
        return self.k * post.n

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices; see `ConnectionRule.connect`."""
        from .pair_sampling_numba import random_subsets, sorted_by_source

        n = self._partners(pre, post)
        partners = np.empty((post.n, self.k), dtype=np.int32)
        rows = max(1, pair_sampling.CHUNK // max(1, self.k))
        for start in range(0, post.n, rows):
            block = partners[start : start + rows]
            if self.multapses:
                block[:] = rng.integers(0, n, block.shape, dtype=np.int32)
            else:
                random_subsets(rng.random(block.shape), n, block)
        if n < pre.n:
            partners += partners >= np.arange(post.n, dtype=np.int32)[:, None]
        return sorted_by_source(partners, pre.n)


@dataclasses.dataclass(frozen=True, eq=False)
class FixedTotalNumber(ConnectionRule):
    """Exactly n synapses, between uniformly drawn pairs of neurons, all different unless `multapses`.

    Numbers of synapses per neuron are random, nearly binomial.

    Parameters
    ----------
    n : whole number >= 0
    autapses : bool, allow a neuron to connect to itself
    multapses : bool, allow several synapses between two neurons (draws with replacement)

    >>> from nsnn_neuro.models.network import Population
    >>> from nsnn_neuro.models.neurons import NSNNNeuron
    >>> cells = Population(3, NSNNNeuron(), name="cells")
    >>> pre, post = FixedTotalNumber(6).connect(cells, cells, np.random.default_rng(1))
    >>> pre.tolist(), post.tolist()
    ([0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1])
    """

    n: int = checked(partial(whole, least=0))
    autapses: bool = _autapses(False)
    multapses: bool = checked(flag, default=False, kw_only=True)

    def _partners(self, pre: Any, post: Any) -> int:
        return post.n if self.autapses or pre is not post else post.n - 1

    def check(self, pre: Any, post: Any) -> None:
        """Raise NsnnError if there are fewer than n possible pairs."""
        pairs = pre.n * self._partners(pre, post)
        if self.n > pairs and not (self.multapses and pairs):
            raise NsnnError(
                f"n = {self.n}: expected at most {pairs}, the number of possible pairs (or multapses=True)"
            )

    def n_synapses(self, pre: Any, post: Any) -> int:
        """n."""
        return self.n

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices; see `ConnectionRule.connect`."""
        partners = self._partners(pre, post)
        draw = sorted_draws if self.multapses else sorted_subset
        i, j = np.divmod(draw(pre.n * partners, self.n, rng), max(1, partners))
        if partners < post.n:
            j += j >= i
        return i.astype(np.int32), j.astype(np.int32)


@dataclasses.dataclass(frozen=True, eq=False)
class FromList(ConnectionRule):
    """A list of connections pre[s] -> post[s]; weights and delays have the same order. A pair may occur more than once.

    pre, post : arrays of whole numbers >= 0, shape (n_synapses,)

    >>> FromList([0, 1], [2, 2]).n_synapses(None, None)
    2
    """

    pre: Any
    post: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("pre", "post"):
            value = getattr(self, name)
            try:
                array = np.asarray(value)
            except ValueError:
                array = np.asarray(None)
            if array.size == 0 and array.ndim == 1:
                array = array.astype(np.int32)
            if array.ndim != 1 or array.dtype.kind not in "iu" or np.any((array < 0) | (array >= 2**31)):
                raise NsnnError(f"{name} = {value!r}: expected an array of indices >= 0, shape (n_synapses,)")
            array = array.astype(np.int32)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if self.pre.size != self.post.size:
            raise NsnnError(
                f"pre has {self.pre.size} and post {self.post.size} values: expected one for each synapse"
            )

    def check(self, pre: Any, post: Any) -> None:
        """Raise NsnnError if an index exceeds its population."""
        for name, indices, population in (("pre", self.pre, pre), ("post", self.post, post)):
            if indices.size and indices.max() >= population.n:
                cure = ""
                if indices.max() == population.n and indices.min() > 0:
                    cure = "; are indices counted from 1? Subtract 1"
                elif self.pre.max() < post.n and self.post.max() < pre.n:
                    cure = "; are pre and post exchanged? Of a matrix W, row i is neuron i of pre: FromList(*W.nonzero())"
                raise NsnnError(
                    f"{name} has the index {indices.max()}: expected 0 to {population.n - 1}, the neurons of "
                    f"{population.name!r}{cure}"
                )

    def n_synapses(self, pre: Any, post: Any) -> int:
        """The length of the list."""
        return self.pre.size

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices in the list's order."""
        return self.pre.copy(), self.post.copy()

    def describe(self) -> dict[str, Any]:
        """The rule as plain data, the lists by length and checksum."""
        return {"type": "FromList", "pre": summary(self.pre), "post": summary(self.post)}


@dataclasses.dataclass(frozen=True, eq=False)
class DistanceDependent(ConnectionRule):
    """Connect pairs at distance d independently, with p = p_max exp(-d^2 / (2 scale^2)) or p_max exp(-d / scale).

    d is the Euclidean distance of the positions. Populations without positions lie on a ring of circumference 1, and d is the
    distance along it.

    Parameters
    ----------
    p_max : number, 0 to 1; the probability at distance 0
    scale : number > 0, in the unit of the positions
    profile : "gaussian" or "exponential"
    autapses : bool, allow a neuron to connect to itself

    >>> DistanceDependent(0.5, 0.1, profile="box")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: profile = 'box': expected one of 'gaussian', 'exponential'
    """

    p_max: Any = parameter("1", bound="fraction")
    scale: Any = parameter("1", bound="positive")
    profile: Literal["gaussian", "exponential"] = choice(
        "gaussian", "exponential", default="gaussian", kw_only=True
    )
    autapses: bool = _autapses(False)

    def check(self, pre: Any, post: Any) -> None:
        """Raise NsnnError unless the positions of both populations have the same dimension."""
        spaces = [
            "ring" if p.positions is None else p.positions.reshape(p.n, -1).shape[1] for p in (pre, post)
        ]
        if spaces[0] != spaces[1]:
            dimensions = " and ".join(s if s == "ring" else f"{s} dimension(s)" for s in spaces)
            raise NsnnError(
                f"rule = DistanceDependent(...): the positions of {pre.name!r} and {post.name!r} are on {dimensions}: expected "
                "positions of the same dimension for both, or for neither (a ring)"
            )

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices; see `ConnectionRule.connect`."""
        ring = pre.positions is None
        at_pre, at_post = (
            np.arange(p.n)[:, None] / p.n if ring else p.positions.reshape(p.n, -1) for p in (pre, post)
        )
        pairs = []
        for i, j in random_pairs(pre.n, post.n, self.si("p_max"), rng):
            d = np.abs(at_pre[i] - at_post[j])
            d = np.minimum(d, 1 - d)[:, 0] if ring else np.sqrt((d * d).sum(axis=1))
            x = d / self.si("scale")
            kept = rng.random(x.size) < np.exp(-0.5 * x * x if self.profile == "gaussian" else -x)
            pairs.append((i[kept], j[kept]))
        return _allowed(joined(pairs), self.autapses or pre is not post)
