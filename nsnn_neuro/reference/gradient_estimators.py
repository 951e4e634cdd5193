"""Unbiased estimators of dE[L]/dW, and the exact E[L] and gradient by a sum over all spike patterns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.checks import one_of
from .model import (
    Layer,
    States,
    as_input,
    check_few,
    eligibility,
    follow,
    layers,
    likelihood,
    numbered,
    run,
    split,
)
from .rules import loss_values, three_factors, value_of

_AT_ONCE = 2**12  # patterns per batch


def _score(layer: Layer, s: States) -> np.ndarray:
    """dlog P / dw of the spikes of a layer, (..., rows of w, n)."""
    q = np.where(s.o == 1, s.p, 1 - s.p)
    slope = np.where(s.o == 1, s.f, -s.f)
    by_u = np.divide(slope, q, out=np.zeros_like(q), where=q > 0)
    return np.einsum("...tj,...tij->...ij", by_u, eligibility(layer, s, exact=False))


def score_function(
    W: Sequence[Any],
    x: Any,
    spikes: Sequence[Any],
    loss: Callable[..., Any],
    family: Any,
    *,
    beta: Any,
    theta: Any,
    reset: str,
    baseline: float = 0.0,
    recurrent: Sequence[Any] | None = None,
) -> list[Any]:
    """Score-function estimate of dE[L]/dW from drawn spikes: (L - baseline) sum_t (o - p) / (p (1 - p)) f e, spikes in e fixed.

    Unbiased for any loss, of which only the value is used; -L is the reward of a reward-modulated rule. Returns gradients as `bptt`
    does.

    baseline : a number that does not depend on the spikes; it changes only the variance

    Source: Williams 1992, doi 10.1007/BF00992696; Pfister et al. 2006, doi 10.1162/neco.2006.18.6.1318

    >>> from nsnn_neuro import Uniform
    >>> layer = {"beta": 0.5, "theta": 1.0, "reset": "hard"}
    >>> score_function([[[0.5]]], [[1.0]], [[[1]]], lambda o: o[0].sum(), Uniform(1.0), **layer)[0].tolist()
    [[2.0]]
    """
    net, states = follow(W, x, spikes, family, recurrent, beta=beta, theta=theta, reset=reset)
    value = (loss_values(loss, [s.o for s in states]) - baseline)[..., None, None]
    return split([value * _score(m, s) for m, s in zip(net, states, strict=True)], net, recurrent)


def local_expectation(
    W: Sequence[Any],
    x: Any,
    spikes: Sequence[Any],
    loss: Callable[..., Any],
    family: Any,
    *,
    beta: Any,
    theta: Any,
    reset: str,
    later: str = "exact",
    recurrent: Sequence[Any] | None = None,
) -> list[Any]:
    """Local-expectation estimate of dE[L]/dW from drawn spikes: sum_t (L|o=1 - L|o=0) f e, spikes in e held fixed.

    L|o is the loss with one spike set to o. `later` determines how spikes drawn later are treated, in later steps and in layers
    above in the same step:

    - "exact": L|o is the mean over all spikes drawn after o; unbiased
    - "weighted": they are kept; with their probability A_o after o the difference is
      (A_1 L|o=1 - A_0 L|o=0) / (p A_1 + (1 - p) A_0); unbiased
    - "fixed": they are kept; exact for spikes without effect on later spikes (A_1 = A_0), biased otherwise

    Returns gradients as `bptt` does.

    Raises
    ------
    NsnnError : more than 2^20 patterns with later="exact"

    Source: Titsias & Lazaro-Gredilla 2015, arXiv:1503.01494

    >>> from nsnn_neuro import Uniform
    >>> layer = {"beta": 0.5, "theta": 1.0, "reset": "hard"}
    >>> local_expectation([[[0.5]]], [[1.0]], [[[1]]], lambda o: o[0].sum(), Uniform(1.0), **layer)[0].tolist()
    [[0.5]]
    """
    difference = _LATER[one_of(later, list(_LATER), "later")]
    net, states = follow(W, x, spikes, family, recurrent, beta=beta, theta=theta, reset=reset)
    x = states[0].z[..., : net[0].n_pre]
    gradients = []
    for k, layer in zip(range(len(net)), net, strict=True):  # `enumerate` is a function of this file
        s = states[k]
        gain = np.empty_like(s.o)
        for *sample, t, j in np.ndindex(s.o.shape):
            one = tuple(sample)
            gain[(*one, t, j)] = difference(net, x[one], [r.o[one] for r in states], loss, (k, t, j))
        gradients.append(three_factors(gain, layer, s, exact=False))
    return split(gradients, net, recurrent)


Net = list[Layer]
Spike = tuple[int, int, int]  # layer, step, neuron


def _set(o: list[np.ndarray], spike: Spike, value: float) -> list[np.ndarray]:
    pattern = [a.copy() for a in o]
    k, t, j = spike
    pattern[k][..., t, j] = value
    return pattern


def _fixed(net: Net, x: np.ndarray, o: list[np.ndarray], loss: Callable[..., Any], spike: Spike) -> float:
    return value_of(loss, _set(o, spike, 1.0)) - value_of(loss, _set(o, spike, 0.0))


def _weighted(net: Net, x: np.ndarray, o: list[np.ndarray], loss: Callable[..., Any], spike: Spike) -> float:
    both = [_set(o, spike, value) for value in (0.0, 1.0)]
    states = [run(net, x, pattern) for pattern in both]
    k, t, j = spike
    p = states[0][k].p[t, j]
    joint = [float(likelihood(s)) for s in states]
    if not 0 < p < 1 or not sum(joint):
        return 0.0  # f is 0 as well, or the pattern is impossible
    a0, a1 = joint[0] / (1 - p), joint[1] / p
    return (a1 * value_of(loss, both[1]) - a0 * value_of(loss, both[0])) / (p * a1 + (1 - p) * a0)


def _exact(net: Net, x: np.ndarray, o: list[np.ndarray], loss: Callable[..., Any], spike: Spike) -> float:
    k, t, _ = spike
    sizes, n_steps = [m.n for m in net], x.shape[-2]
    check_few(sizes, n_steps)
    first = t * sum(sizes) + sum(sizes[: k + 1])  # the first spike drawn later, in the order of `numbered`
    free = numbered(np.arange(2 ** (n_steps * sum(sizes) - first)) << first, sizes, n_steps)
    is_later = [np.zeros((n_steps, n), dtype=bool) for n in sizes]
    for m in range(len(net)):
        is_later[m][t + (m <= k) :] = True
    mean = []
    for value in (0.0, 1.0):
        kept = _set(o, spike, value)
        all_later = [np.where(mask, b, a) for mask, b, a in zip(is_later, free, kept, strict=True)]
        weight = likelihood(run(net, x, all_later), is_later)
        mean.append(weight @ loss_values(loss, all_later))
    return float(mean[1] - mean[0])


_LATER = {"exact": _exact, "weighted": _weighted, "fixed": _fixed}


def enumerate(
    W: Sequence[Any],
    x: Any,
    loss: Callable[..., Any],
    family: Any,
    *,
    beta: Any,
    theta: Any,
    reset: str,
    recurrent: Sequence[Any] | None = None,
) -> tuple[float, list[Any], float]:
    """Exact E[L], dE[L]/dW and sum of P(O|x) over all spike patterns O: dE[L]/dW = sum_O P(O|x) L(O) dlog P(O|x)/dW.

    x without samples: (T, n_in). Returns a float, gradients as `bptt` does, and a float that is 1 to rounding.

    Raises
    ------
    NsnnError : more than 2^20 patterns

    >>> from nsnn_neuro import Uniform
    >>> layer = {"beta": 0.5, "theta": 1.0, "reset": "hard"}
    >>> mean, (gradient,), total = enumerate([[[0.5]]], [[1.0]], lambda o: o[0].sum(), Uniform(1.0), **layer)
    >>> mean, gradient.tolist(), total
    (0.25, [[0.5]], 1.0)
    """
    net = layers(W, family, recurrent, beta=beta, theta=theta, reset=reset)
    x = as_input(x, net)
    sizes, n_steps = [m.n for m in net], x.shape[-2]
    check_few(sizes, n_steps)
    mean, total, gradients = 0.0, 0.0, [np.zeros_like(m.w) for m in net]
    n = 2 ** (n_steps * sum(sizes))
    for start in range(0, n, _AT_ONCE):
        states = run(net, x, numbered(np.arange(start, min(start + _AT_ONCE, n)), sizes, n_steps))
        weight = likelihood(states)
        value = loss_values(loss, [s.o for s in states])
        mean, total = mean + weight @ value, total + weight.sum()
        for g, layer, s in zip(gradients, net, states, strict=True):
            g += np.einsum("k,kij->ij", weight * value, _score(layer, s))
    return float(mean), split(gradients, net, recurrent), float(total)
