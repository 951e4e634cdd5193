"""Who connects to whom: records that draw from a generator handed to them.

A rule's `connect(pre, post, rng)` takes two populations (see `network.Population`; it reads their size `n` and `positions`) and
returns the connections as two int32 arrays, sorted by presynaptic, then postsynaptic neuron. The same population as pre and post
makes autapses possible. A rule of one's own is a subclass of `Rule` with `connect`. Rules for images are in `images.py`.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any, ClassVar, Literal

import numpy as np

from ..core.checks import whole
from ..core.compiled import njit
from ..core.errors import NsnnError
from ..core.parameters import Record, parameter
from .distributions import numbers

__all__ = [
    "AllToAll",
    "DistanceDependent",
    "FixedInDegree",
    "FixedProbability",
    "FromList",
    "OneToOne",
    "Rule",
]

_CHUNK = 1 << 20  # pairs or draws that are handled at once
Pairs = tuple[np.ndarray, np.ndarray]


def _flags(record: Record, *names: str) -> None:
    for name in names:
        if not isinstance(getattr(record, name), bool | np.bool_):
            raise NsnnError(f"{name} = {getattr(record, name)!r}: expected True or False")
        object.__setattr__(record, name, bool(getattr(record, name)))


class Rule(Record):
    """Base of the connection rules. One whose synapses share weights says so, `shared = True`, and what they are: `weight_shape`,
    `per_synapse`.

    >>> from nsnn_neuro.models.network import Population
    >>> from nsnn_neuro.models.neurons import NSNNNeuron
    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class Neighbours(Rule):
    ...     def connect(self, pre, post, rng):
    ...         i = np.arange(pre.n, dtype=np.int32)
    ...         return i, (i + 1) % post.n
    >>> ring = Population(3, NSNNNeuron(), name="ring")
    >>> Neighbours().connect(ring, ring, np.random.default_rng(1))[1].tolist()
    [1, 2, 0]
    """

    # whether synapses share weights, so that no learning rule can change each one's own
    shared: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers(self)

    def check(self, pre: Any, post: Any) -> None:
        """Raise NsnnError when the rule can't connect these populations."""

    def n_synapses(self, pre: Any, post: Any) -> int | None:
        """The number of synapses, or None when it is random."""
        return None

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices, int32, shape (n_synapses,) each."""
        raise NotImplementedError

    def weight_shape(self, pre: Any, post: Any, n_synapses: int) -> tuple[int, ...]:
        """The shape of the weights as they are given and taken: (n_synapses,) where a rule has no other."""
        return (n_synapses,)

    def per_synapse(self, weight: float | np.ndarray) -> float | np.ndarray:
        """One weight for each synapse, in the order of `connect`, from weights of `weight_shape`; a number stays one."""
        return weight.reshape(-1) if isinstance(weight, np.ndarray) else weight


@dataclasses.dataclass(frozen=True, eq=False)
class AllToAll(Rule):
    """Every neuron to every neuron.

    autapses : bool, whether a neuron connects to itself when pre and post are one population

    >>> AllToAll(autapses=False).describe()
    {'type': 'AllToAll', 'autapses': False}
    """

    autapses: bool = dataclasses.field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _flags(self, "autapses")

    def dense(self, pre: Any, post: Any) -> bool:
        """True when every pair is connected, so that weights have the shape (n_pre, n_post)."""
        return self.autapses or pre is not post

    def n_synapses(self, pre: Any, post: Any) -> int:
        """n_pre n_post, or n (n - 1) without autapses."""
        return pre.n * post.n - (0 if self.dense(pre, post) else pre.n)

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices; see `Rule.connect`."""
        i = np.repeat(np.arange(pre.n, dtype=np.int32), post.n)
        j = np.tile(np.arange(post.n, dtype=np.int32), pre.n)
        return (i, j) if self.dense(pre, post) else _without_autapses(i, j)

    def weight_shape(self, pre: Any, post: Any, n_synapses: int) -> tuple[int, ...]:
        """(n_pre, n_post) where all pairs are connected, else (n_synapses,)."""
        return (pre.n, post.n) if self.dense(pre, post) else (n_synapses,)


@dataclasses.dataclass(frozen=True, eq=False)
class OneToOne(Rule):
    """Neuron k to neuron k, of populations of one size.

    >>> OneToOne().describe()
    {'type': 'OneToOne'}
    """

    def check(self, pre: Any, post: Any) -> None:
        """Raise NsnnError unless the populations have one size."""
        if pre.n != post.n:
            raise NsnnError(
                f"rule = OneToOne(): populations of {pre.n} and {post.n} neurons: expected one size"
            )

    def n_synapses(self, pre: Any, post: Any) -> int:
        """N."""
        return pre.n

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices; see `Rule.connect`."""
        i = np.arange(pre.n, dtype=np.int32)
        return i, i.copy()


@dataclasses.dataclass(frozen=True, eq=False)
class FixedProbability(Rule):
    """Every pair independently with probability p. Time and memory go with the number of synapses, not of pairs.

    Parameters
    ----------
    p : number, 0 to 1
    autapses : bool, whether a neuron may connect to itself

    >>> FixedProbability(1.2)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: p = 1.2: expected a value from 0 to 1, finite (a plain number such as 0.5)
    """

    p: Any = parameter("1", bound="fraction")
    autapses: bool = dataclasses.field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _flags(self, "autapses")

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices; see `Rule.connect`."""
        i, j = _joined([*_candidates(pre.n, post.n, self.si("p"), rng)])
        return (i, j) if self.autapses or pre is not post else _without_autapses(i, j)


@dataclasses.dataclass(frozen=True, eq=False)
class FixedInDegree(Rule):
    """Exactly k synapses onto every postsynaptic neuron, from partners drawn uniformly: different ones, or with multapses any.

    Parameters
    ----------
    k : whole number >= 0
    autapses : bool, whether a neuron may connect to itself
    multapses : bool, whether two neurons may be connected more than once (drawing with replacement)

    Raises
    ------
    NsnnError : k not whole, or more than there are partners

    >>> FixedInDegree(100.5)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: k = 100.5: expected a whole number, at least 0
    """

    k: int
    autapses: bool = dataclasses.field(default=False, kw_only=True)
    multapses: bool = dataclasses.field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _flags(self, "autapses", "multapses")
        object.__setattr__(self, "k", whole(self.k, 0, "k"))

    def _partners(self, pre: Any, post: Any) -> int:
        return pre.n if self.autapses or pre is not post else pre.n - 1

    def check(self, pre: Any, post: Any) -> None:
        """Raise NsnnError when there are fewer than k partners."""
        n = self._partners(pre, post)
        if self.k > n and not (self.multapses and n):
            raise NsnnError(
                f"k = {self.k}: expected at most {n}, the partners that a neuron can have (or multapses=True)"
            )

    def n_synapses(self, pre: Any, post: Any) -> int:
        """K n_post."""
        return self.k * post.n

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices; see `Rule.connect`."""
        n = self._partners(pre, post)
        partners = np.empty((post.n, self.k), dtype=np.int32)
        rows = max(1, _CHUNK // max(1, self.k))
        for start in range(0, post.n, rows):
            block = partners[start : start + rows]
            if self.multapses:
                block[:] = rng.integers(0, n, block.shape, dtype=np.int32)
            else:
                _subsets(rng.random(block.shape), n, block)
        if n < pre.n:
            partners += partners >= np.arange(post.n, dtype=np.int32)[:, None]
        return _by_source(partners, pre.n)


@dataclasses.dataclass(frozen=True, eq=False)
class FromList(Rule):
    """The connections pre[s] -> post[s], in this order (weights and delays go by it); a pair may occur more than once.

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
        """Raise NsnnError when an index is beyond its population."""
        for name, indices, population in (("pre", self.pre, pre), ("post", self.post, post)):
            if indices.size and indices.max() >= population.n:
                raise NsnnError(
                    f"{name} has the index {indices.max()}: expected 0 to {population.n - 1}, the neurons of "
                    f"{population.name!r}"
                )

    def n_synapses(self, pre: Any, post: Any) -> int:
        """The length of the list."""
        return self.pre.size

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices in the list's order."""
        return self.pre.copy(), self.post.copy()

    def describe(self) -> dict[str, Any]:
        """The record as plain data, the lists by length and checksum."""
        return {"type": "FromList", "pre": summary(self.pre), "post": summary(self.post)}


@dataclasses.dataclass(frozen=True, eq=False)
class DistanceDependent(Rule):
    """Every pair independently with p = p_max exp(-d^2 / (2 scale^2)) ("gaussian") or p_max exp(-d / scale) ("exponential").

    d is the distance of the neurons' positions: Euclidean, or along the ring where both populations have no positions of
    their own (then a ring of circumference 1).

    Parameters
    ----------
    p_max : number, 0 to 1; the probability at distance 0
    scale : number > 0, in the positions' unit
    profile : "gaussian" or "exponential"
    autapses : bool, whether a neuron may connect to itself

    Raises
    ------
    NsnnError : unknown profile; positions of two kinds

    >>> DistanceDependent(0.5, 0.1, profile="box")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: profile = 'box': expected "gaussian" or "exponential"
    """

    p_max: Any = parameter("1", bound="fraction")
    scale: Any = parameter("1", bound="positive")
    profile: Literal["gaussian", "exponential"] = dataclasses.field(default="gaussian", kw_only=True)
    autapses: bool = dataclasses.field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _flags(self, "autapses")
        if not isinstance(self.profile, str) or self.profile not in ("gaussian", "exponential"):
            raise NsnnError(f'profile = {self.profile!r}: expected "gaussian" or "exponential"')

    def check(self, pre: Any, post: Any) -> None:
        """Raise NsnnError unless the two populations lie in one space."""
        spaces = [
            "ring" if p.positions is None else p.positions.reshape(p.n, -1).shape[1] for p in (pre, post)
        ]
        if spaces[0] != spaces[1]:
            told = " and ".join(s if s == "ring" else f"{s} dimension(s)" for s in spaces)
            raise NsnnError(
                f"rule = DistanceDependent(...): the positions of {pre.name!r} and {post.name!r} are on {told}: expected "
                "positions of one dimension for both, or for neither (a ring)"
            )

    def connect(self, pre: Any, post: Any, rng: np.random.Generator) -> Pairs:
        """Pre- and postsynaptic indices; see `Rule.connect`."""
        ring = pre.positions is None
        here, there = (
            np.arange(p.n)[:, None] / p.n if ring else p.positions.reshape(p.n, -1) for p in (pre, post)
        )
        found = []
        for i, j in _candidates(pre.n, post.n, self.si("p_max"), rng):
            d = np.abs(here[i] - there[j])
            d = np.minimum(d, 1 - d)[:, 0] if ring else np.sqrt((d * d).sum(axis=1))
            x = d / self.si("scale")
            kept = rng.random(x.size) < np.exp(-0.5 * x * x if self.profile == "gaussian" else -x)
            found.append((i[kept], j[kept]))
        i, j = _joined(found)
        return (i, j) if self.autapses or pre is not post else _without_autapses(i, j)


def summary(array: np.ndarray) -> dict[str, Any]:
    """Shape and checksum of an array (of its little-endian bytes in C order), in place of its values."""
    kind = np.dtype("<i4" if array.dtype.kind in "iu" else "<f8")
    digest = hashlib.sha256(np.ascontiguousarray(array, dtype=kind).data).hexdigest()
    return {"shape": list(array.shape), "sha256": digest}


def _without_autapses(i: np.ndarray, j: np.ndarray) -> Pairs:
    kept = i != j
    return i[kept], j[kept]


def _joined(parts: list[Pairs]) -> Pairs:
    i, j = zip(*parts, strict=True)
    return np.concatenate(i), np.concatenate(j)


def _candidates(n_pre: int, n_post: int, p: float, rng: np.random.Generator) -> Any:
    """Pairs (i, j) kept each with probability p, in order, in chunks of rows."""
    rows = max(1, _CHUNK // n_post)
    for start in range(0, n_pre, rows):
        hits = _successes(min(rows, n_pre - start) * n_post, p, rng)
        i = hits // n_post
        yield (i + start).astype(np.int32), (hits - i * n_post).astype(np.int32)


def _successes(total: int, p: float, rng: np.random.Generator) -> np.ndarray:
    """Which of `total` Bernoulli(p) trials succeed, in order: from success to success by geometric steps."""
    if p == 0:
        return np.empty(0, dtype=np.int64)
    if p == 1:
        return np.arange(total, dtype=np.int64)
    parts, last = [], -1
    while last < total:
        n = int((total - last) * p + 4 * np.sqrt(total * p)) + 4
        steps = np.minimum(
            rng.geometric(p, n), total + 1
        )  # the largest are clipped, so that the sum can't overflow
        parts.append(last + np.cumsum(steps))
        last = int(parts[-1][-1])
    hits = np.concatenate(parts)
    return hits[: np.searchsorted(hits, total)]


@njit(cache=True)
def _subsets(u: np.ndarray, n: int, out: np.ndarray) -> None:
    """Row by row a uniformly drawn subset of 0 ... n - 1 (Floyd's method), from uniform numbers `u` of the shape of `out`."""
    k = u.shape[1]
    taken_in = np.full(n, -1, np.int64)
    for row in range(u.shape[0]):
        for s in range(k):
            last = n - k + s
            r = int(u[row, s] * (last + 1))
            if taken_in[r] == row:
                r = last
            taken_in[r] = row
            out[row, s] = r


@njit(cache=True)
def _by_source(partners: np.ndarray, n_pre: int) -> tuple[np.ndarray, np.ndarray]:
    """(i, j) sorted by i then j from the sources `partners[j]` of every j: a counting sort."""
    n_post, k = partners.shape
    place = np.zeros(n_pre + 1, np.int64)
    for j in range(n_post):
        for s in range(k):
            place[partners[j, s] + 1] += 1
    place = np.cumsum(place)
    pre, post = np.empty(n_post * k, np.int32), np.empty(n_post * k, np.int32)
    for j in range(n_post):
        for s in range(k):
            i = partners[j, s]
            pre[place[i]], post[place[i]] = i, j
            place[i] += 1
    return pre, post
