"""Layered NSNN network: states, probability of spikes, eligibility traces, and all spike patterns of a small network."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.checks import one_of
from ..core.errors import NsnnError
from ..models.escape import Family

MOST_SPIKES = 20  # largest number of spikes of a pattern that is enumerated


class Reset(NamedTuple):
    """The potential after the reset and its derivatives, as functions of u, o and theta."""

    kept: Callable[[Any, Any, Any], Any]
    by_u: Callable[[Any, Any, Any], Any]
    by_o: Callable[[Any, Any, Any], Any]


RESETS = {
    "hard": Reset(lambda u, o, theta: u * (1 - o), lambda u, o, theta: 1 - o, lambda u, o, theta: -u),
    "subtract": Reset(
        lambda u, o, theta: u - theta * o,
        lambda u, o, theta: np.ones_like(u),
        lambda u, o, theta: -theta * np.ones_like(u),
    ),
}


@dataclasses.dataclass
class Layer:
    """One layer; recurrent weights, if any, are the last rows of `w`."""

    w: np.ndarray
    n_pre: int
    family: Family
    beta: Any
    theta: Any
    reset: Reset

    def __post_init__(self) -> None:
        self.n = self.w.shape[1]
        self.recurrent = self.w[self.n_pre :]  # (n, n), or (0, n) if there are none
        self.is_recurrent = len(self.recurrent) > 0


@dataclasses.dataclass
class States:
    """States of a layer: u, o, p and f of shape (..., T, n), the input z of shape (..., T, rows of w)."""

    u: np.ndarray
    o: np.ndarray
    z: np.ndarray
    p: np.ndarray
    f: np.ndarray


def layers(W: Any, family: Any, recurrent: Any = None, *, beta: Any, theta: Any, reset: Any) -> list[Layer]:
    """The layers of the network, from checked arguments."""
    rule = RESETS[one_of(reset, RESETS, "reset")]
    if not isinstance(W, list | tuple) or not W:
        got = "an empty list" if isinstance(W, list | tuple) else type(W).__name__
        raise NsnnError(f"W is {got}: expected a list of arrays (n_pre, n_post), one for each layer")
    weights = [_matrix(w, f"W[{k}]") for k, w in enumerate(W)]
    loops = [None] * len(W) if recurrent is None else recurrent
    if not isinstance(loops, list | tuple) or len(loops) != len(W):
        raise NsnnError(
            f"recurrent = {recurrent!r}: expected None or a list of {len(W)}, an array or None for each layer"
        )
    options = {"family": family, "beta": beta, "theta": theta}
    families, betas, thetas = (_for_each_layer(value, len(W), name) for name, value in options.items())
    for k, (before, w) in enumerate(itertools.pairwise(weights), 1):
        if len(w) != before.shape[1]:
            raise NsnnError(
                f"W[{k}] has {len(w)} rows: expected {before.shape[1]}, one for each neuron of the layer before"
            )
    return [
        Layer(
            np.vstack([w, _loop(loops[k], w.shape[1], f"recurrent[{k}]")]),
            len(w),
            _family(families[k]),
            _value(betas[k], w.shape[1], "beta", 0.0, 1.0, "a value from 0 to 1"),
            _value(thetas[k], w.shape[1], "theta", -np.inf, np.inf, "a finite number"),
            rule,
        )
        for k, w in enumerate(weights)
    ]


def _loop(value: Any, n: int, name: str) -> np.ndarray:
    if value is None:
        return np.empty((0, n))
    loop = _matrix(value, name)
    if loop.shape != (n, n):
        raise NsnnError(f"{name} has shape {loop.shape}: expected {(n, n)}")
    return loop


def _family(value: Any) -> Family:
    if not isinstance(value, Family):
        raise NsnnError(f"family = {value!r}: expected a noise family such as Gaussian(0.4)")
    if value.x_unit != "1":
        raise NsnnError(
            f"family = {value!r}: these networks have no unit, expected plain numbers such as Gaussian(0.4)"
        )
    return value


def _value(value: Any, n: int, name: str, least: float, most: float, expected: str) -> np.ndarray:
    array = np.asarray(value)
    fits = array.dtype.kind in "iuf" and array.shape in ((), (n,))
    if not fits or not np.all((array >= least) & (array <= most) & np.isfinite(array)):
        raise NsnnError(f"{name} = {value!r}: expected {expected}, for all or for each of {n} neurons")
    return array.astype(float)


def _matrix(value: Any, name: str) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or array.ndim != 2 or not array.size or not np.all(np.isfinite(array)):
        raise NsnnError(
            f"{name} has shape {array.shape}, type {array.dtype}: expected finite numbers (n_pre, n_post)"
        )
    return array.astype(float)


def _for_each_layer(value: Any, n: int, name: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        return [value] * n
    if len(value) != n:
        raise NsnnError(f"{name} = {value!r}: expected one for all layers or a list of {n}")
    return list(value)


def as_input(x: Any, net: list[Layer]) -> np.ndarray:
    """`x` as floats, (..., T, n_in)."""
    array = np.asarray(x)
    fits = array.dtype.kind in "biuf" and array.ndim >= 2 and array.shape[-1] == net[0].n_pre
    if not fits or not array.shape[-2]:
        raise NsnnError(f"x has shape {array.shape}: expected (T, {net[0].n_pre}), T of at least 1")
    if not np.all(np.isfinite(array)):
        raise NsnnError("x has values that aren't finite: expected finite numbers")
    return array.astype(float)


def as_spikes(spikes: Any, net: list[Layer], n_steps: int, *, all_layers: bool) -> list[Any]:
    """The spikes of each layer as floats, (..., T, n)."""
    if not isinstance(spikes, list | tuple) or len(spikes) != len(net):
        raise NsnnError(
            f"spikes is {type(spikes).__name__}: expected a list of {len(net)} arrays, one for each layer"
        )
    checked: list[Any] = []
    for k, (o, layer) in enumerate(zip(spikes, net, strict=True)):
        if o is None and not all_layers:
            checked.append(None)
            continue
        array = np.asarray(o)
        if array.dtype.kind not in "biuf" or array.ndim < 2 or array.shape[-2:] != (n_steps, layer.n):
            raise NsnnError(
                f"spikes[{k}] has shape {array.shape}: expected {(n_steps, layer.n)}, as x and W have it"
            )
        if not np.all((array == 0) | (array == 1)):
            raise NsnnError(f"spikes[{k}] has values besides 0 and 1: expected spikes")
        checked.append(array.astype(float))
    return checked


def run(net: list[Layer], x: np.ndarray, spikes: list[Any], random: Any = None) -> list[States]:
    """The states of each layer for given spikes; missing spikes (None) are drawn."""
    shapes = [x.shape[:-2]] + [o.shape[:-2] for o in spikes if o is not None]
    try:
        batch = np.broadcast_shapes(*shapes)
    except ValueError:
        raise NsnnError(
            f"x and spikes have samples of shapes {shapes}: expected shapes that broadcast"
        ) from None
    n_steps = x.shape[-2]
    states = [States(*(np.zeros((*batch, n_steps, k)) for k in (m.n, m.n, len(m.w), m.n, m.n))) for m in net]
    for t in range(n_steps):
        below = np.broadcast_to(x[..., t, :], (*batch, x.shape[-1]))
        for layer, s, forced in zip(net, states, spikes, strict=True):
            u, o = (s.u[..., t - 1, :], s.o[..., t - 1, :]) if t else np.zeros((2, *batch, layer.n))
            s.z[..., t, :] = np.concatenate([below, o], axis=-1) if layer.is_recurrent else below
            s.u[..., t, :] = layer.beta * layer.reset.kept(u, o, layer.theta) + s.z[..., t, :] @ layer.w
            s.p[..., t, :] = layer.family.cdf(s.u[..., t, :] - layer.theta)
            s.f[..., t, :] = layer.family.pdf(s.u[..., t, :] - layer.theta)
            drawn = forced is None
            s.o[..., t, :] = random.random((*batch, layer.n)) < s.p[..., t, :] if drawn else forced[..., t, :]
            below = s.o[..., t, :]
    return states


def follow(
    W: Any, x: Any, spikes: Any, family: Any, recurrent: Any, **neuron: Any
) -> tuple[list[Layer], list[States]]:
    """The layers and, along the given spikes, their states, from arguments that are checked."""
    net = layers(W, family, recurrent, **neuron)
    x = as_input(x, net)
    return net, run(net, x, as_spikes(spikes, net, x.shape[-2], all_layers=True))


def is_exact(path: Any, name: str) -> bool:
    """Whether a path is "exact", not "detached"."""
    return bool(one_of(path, ["exact", "detached"], name) == "exact")


def carried(layer: Layer, s: States, t: int, exact: bool) -> np.ndarray:
    """du(t)/du(t-1) within a neuron, (..., n): through the membrane and, if exact, through the reset as if do/du were f."""
    u, o, f = (a[..., t - 1, :] for a in (s.u, s.o, s.f))
    by_u, by_o = (part(u, o, layer.theta) for part in (layer.reset.by_u, layer.reset.by_o))
    return layer.beta * (by_u + by_o * f if exact else by_u)


def eligibility(layer: Layer, s: States, exact: bool) -> np.ndarray:
    """Traces of the rows of w, (..., T, rows, n)."""
    e = np.zeros((*s.z.shape, layer.n))
    for t in range(s.z.shape[-2]):
        e[..., t, :, :] = s.z[..., t, :, None]
        if t:
            e[..., t, :, :] += carried(layer, s, t, exact)[..., None, :] * e[..., t - 1, :, :]
    return e


def split(values: list[np.ndarray], net: list[Layer], recurrent: Any) -> list[Any]:
    """Arrays (..., rows of w, n) as those of W and, with recurrent weights, those of recurrent after them."""
    arrays: list[Any] = [v[..., : m.n_pre, :] for v, m in zip(values, net, strict=True)]
    if recurrent is not None:
        arrays += [v[..., m.n_pre :, :] if m.is_recurrent else None for v, m in zip(values, net, strict=True)]
    return arrays


def forward(
    W: Sequence[Any],
    x: Any,
    family: Any,
    *,
    beta: Any,
    theta: Any,
    reset: str,
    spikes: Sequence[Any] | None = None,
    seed: int | None = None,
    recurrent: Sequence[Any] | None = None,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Potentials and spikes: u(t) = beta kept(t-1) + z(t) W, o(t) = 1 with probability F(u(t) - theta).

    Arguments of all functions: see `nsnn_neuro.reference`. Returns u and o, lists of (T, n) arrays.

    spikes : None, or a list of (T, n) arrays of given spikes; None in the list for a layer whose spikes are drawn
    seed : of the draws; None: another each time

    Raises
    ------
    NsnnError : shapes that don't fit, values out of range; so in all functions

    >>> from nsnn_neuro import Gaussian
    >>> u, o = forward([[[0.6]]], [[1], [1], [1]], Gaussian(1e-9), beta=0.5, theta=0.8, reset="hard")
    >>> u[0][:, 0].round(6).tolist(), o[0][:, 0].tolist()
    ([0.6, 0.9, 0.6], [0.0, 1.0, 0.0])
    """
    net = layers(W, family, recurrent, beta=beta, theta=theta, reset=reset)
    x = as_input(x, net)
    given = as_spikes([None] * len(net) if spikes is None else spikes, net, x.shape[-2], all_layers=False)
    states = run(net, x, given, np.random.default_rng(seed))
    return [s.u for s in states], [s.o for s in states]


def probability(
    W: Sequence[Any],
    x: Any,
    spikes: Sequence[Any],
    family: Any,
    *,
    beta: Any,
    theta: Any,
    reset: str,
    recurrent: Sequence[Any] | None = None,
) -> np.ndarray:
    """P(O|x), the product over layers, steps and neurons of p^o (1 - p)^(1 - o), p = F(u - theta); one for each sample.

    >>> from nsnn_neuro import Uniform
    >>> float(probability([[[0.5]]], [[1.0]], [[[1]]], Uniform(1.0), beta=0.5, theta=1.0, reset="hard"))
    0.25
    """
    return likelihood(follow(W, x, spikes, family, recurrent, beta=beta, theta=theta, reset=reset)[1])


def likelihood(states: list[States], only: list[np.ndarray] | None = None) -> np.ndarray:
    """P(O|x) of each sample; with masks (T, n), `only` the factors of those spikes."""
    product: Any = 1.0
    for k, s in enumerate(states):
        factor = np.where(s.o == 1, s.p, 1 - s.p)
        product = product * np.prod(factor if only is None else np.where(only[k], factor, 1.0), axis=(-2, -1))
    return product


def traces(
    W: Sequence[Any],
    x: Any,
    spikes: Sequence[Any],
    family: Any,
    *,
    beta: Any,
    theta: Any,
    reset: str,
    reset_path: str = "exact",
    recurrent: Sequence[Any] | None = None,
) -> list[Any]:
    """Eligibility traces e_ij(t) = du_j(t)/dw_ij, local to the synapse, forward in time.

    Hard reset: e(t) = beta [1 - o(t-1) - u(t-1) f(t-1)] e(t-1) + z(t); subtractive: e(t) = beta [1 - theta f(t-1)] e(t-1) + z(t).
    With reset_path="detached" the term in f is dropped: that is the derivative with spikes held fixed.

    Returns a list of arrays (T, n_pre, n_post) in the order of W; with recurrent weights followed by an array (T, n, n) or None for
    each of `recurrent`.

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831; Bellec et al. 2020, doi 10.1038/s41467-020-17236-y (detached)

    >>> from nsnn_neuro import Uniform
    >>> layer = {"beta": 0.5, "theta": 1.0, "reset": "hard"}
    >>> traces([[[0.5]]], [[1.0], [1.0]], [[[0], [0]]], Uniform(1.0), **layer)[0][:, 0, 0].tolist()
    [1.0, 1.375]
    """
    net, states = follow(W, x, spikes, family, recurrent, beta=beta, theta=theta, reset=reset)
    exact = is_exact(reset_path, "reset_path")
    return split([eligibility(m, s, exact) for m, s in zip(net, states, strict=True)], net, recurrent)


def patterns(W: Sequence[Any], n_steps: int) -> list[np.ndarray]:
    """All 2^N spike patterns of a network in n_steps: a list of arrays (2^N, T, n) of 0 and 1. N = steps times neurons <= 20.

    >>> [o.shape for o in patterns([[[1.0, 1.0]], [[1.0], [1.0]]], 2)]
    [(64, 2, 2), (64, 2, 1)]
    """
    sizes = [np.shape(w)[-1] for w in W]
    check_few(sizes, n_steps)
    return numbered(np.arange(2 ** (n_steps * sum(sizes))), sizes, n_steps)


def check_few(sizes: list[int], n_steps: int) -> None:
    """Raise NsnnError for networks with too many patterns."""
    n = n_steps * sum(sizes)
    if n > MOST_SPIKES:
        raise NsnnError(
            f"{sum(sizes)} neurons in {n_steps} steps have 2^{n} spike patterns: expected at most 2^{MOST_SPIKES}, "
            "fewer neurons or steps"
        )


def numbered(number: np.ndarray, sizes: list[int], n_steps: int) -> list[np.ndarray]:
    """The patterns with these numbers; bits are in the order of steps, layers, neurons, the lowest bit first."""
    bits = (number[:, None] >> np.arange(n_steps * sum(sizes)) & 1).astype(float)
    bits = bits.reshape(len(number), n_steps, sum(sizes))
    return np.split(bits, np.cumsum(sizes)[:-1], axis=-1)
