"""Gradients along given spikes: backpropagation through time, and noise-driven learning as a three-factor rule."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.checks import one_of
from ..core.errors import NsnnError
from .model import Layer, States, carried, eligibility, follow, is_exact, split

# steps of the central differences; Richardson extrapolation removes h^2, h^4 and h^6
_STEPS = 0.5 ** np.arange(3, 7)


def value_of(loss: Callable[..., Any], o: list[np.ndarray]) -> float:
    """The loss of one sample, checked."""
    if not callable(loss):
        raise NsnnError(
            f"loss = {loss!r}: expected a function of the spikes, a list of arrays (T, n), that returns a number"
        )
    value = np.asarray(loss(o))
    if value.size != 1 or value.dtype.kind not in "biuf":
        raise NsnnError(
            f"loss gives shape {value.shape}, type {value.dtype}: expected a number, e.g. a sum over steps and neurons"
        )
    return float(value.reshape(()))


def loss_values(loss: Callable[..., Any], o: list[np.ndarray]) -> np.ndarray:
    """The loss of each sample."""
    values = np.empty(o[0].shape[:-2])
    for index in np.ndindex(values.shape):
        values[index] = value_of(loss, [a[index] for a in o])
    return values


def loss_gradients(loss: Callable[..., Any], o: list[np.ndarray]) -> list[np.ndarray]:
    """dL/do of each sample, arrays of the shape of o."""
    gradients = [np.empty_like(a) for a in o]
    for index in np.ndindex(o[0].shape[:-2]):
        one = [a[index].copy() for a in o]
        gradient = loss.gradient(one) if hasattr(loss, "gradient") else _differences(loss, one)
        if len(gradient) != len(o) or any(np.shape(g) != a.shape for g, a in zip(gradient, one, strict=True)):
            raise NsnnError(
                f"loss.gradient gives shapes {[np.shape(g) for g in gradient]}: expected {[a.shape for a in one]}"
            )
        for total, g in zip(gradients, gradient, strict=True):
            total[index] = g
    return gradients


def _differences(loss: Callable[..., Any], o: list[np.ndarray]) -> list[np.ndarray]:
    gradients = [np.empty_like(a) for a in o]
    for a, g in zip(o, gradients, strict=True):
        for index in np.ndindex(a.shape):
            spike, slopes = a[index], []
            for h in _STEPS:
                a[index] = spike + h
                after = value_of(loss, o)
                a[index] = spike - h
                slopes.append((after - value_of(loss, o)) / (2 * h))
            a[index] = spike
            for order in (4, 16, 64):
                slopes = [
                    (order * fine - coarse) / (order - 1) for coarse, fine in itertools.pairwise(slopes)
                ]
            g[index] = slopes[0]
    return gradients


def bptt(
    W: Sequence[Any],
    x: Any,
    spikes: Sequence[Any],
    loss: Callable[..., Any],
    family: Any,
    *,
    beta: Any,
    theta: Any,
    reset: str,
    reset_path: str = "exact",
    recurrent: Sequence[Any] | None = None,
    recurrent_path: str = "exact",
) -> list[Any]:
    """dL/dW by backpropagation through time along the given spikes, as if do/du were f(u - theta) (a surrogate gradient).

    reset_path : "detached": spikes in the reset count as constants
    recurrent_path : "detached": spikes in the recurrent input count as constants

    Returns a list of arrays shaped as W; with recurrent weights followed by those of `recurrent`, None where that has None.

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831; Neftci et al. 2019, doi 10.1109/MSP.2019.2931595

    >>> from nsnn_neuro import Uniform
    >>> layer = {"beta": 0.5, "theta": 1.0, "reset": "hard"}
    >>> x, spikes = [[1.0], [1.0]], [[[0], [0]]]
    >>> bptt([[[0.5]]], x, spikes, lambda o: o[0][1, 0], Uniform(1.0), **layer)[0].tolist()
    [[0.6875]]
    """
    net, states = follow(W, x, spikes, family, recurrent, beta=beta, theta=theta, reset=reset)
    through_reset = is_exact(reset_path, "reset_path")
    through_loops = is_exact(recurrent_path, "recurrent_path")
    by_o = loss_gradients(loss, [s.o for s in states])
    by_u = [np.zeros_like(s.u) for s in states]
    n_steps = states[0].u.shape[-2]
    for t in reversed(range(n_steps)):
        for k in reversed(range(len(net))):
            layer, s = net[k], states[k]
            u, o = s.u[..., t, :], s.o[..., t, :]
            g_o, g_u = by_o[k][..., t, :], np.zeros_like(u)
            if k + 1 < len(net):
                g_o = g_o + by_u[k + 1][..., t, :] @ net[k + 1].w[: layer.n].T
            if t + 1 < n_steps:
                later = by_u[k][..., t + 1, :]
                g_u = later * layer.beta * layer.reset.by_u(u, o, layer.theta)
                if through_reset:
                    g_o = g_o + later * layer.beta * layer.reset.by_o(u, o, layer.theta)
                if through_loops and layer.is_recurrent:
                    g_o = g_o + later @ layer.recurrent.T
            by_u[k][..., t, :] = g_u + g_o * s.f[..., t, :]
    return split([np.swapaxes(s.z, -1, -2) @ g for s, g in zip(states, by_u, strict=True)], net, recurrent)


def signals(
    W: Sequence[Any],
    x: Any,
    spikes: Sequence[Any],
    loss: Callable[..., Any],
    family: Any,
    *,
    beta: Any,
    theta: Any,
    reset: str,
    reset_path: str = "exact",
    recurrent: Sequence[Any] | None = None,
    signal: str = "transport",
    future: bool = True,
    feedback: Sequence[Any] | None = None,
) -> list[np.ndarray]:
    """Learning signals delta of each layer, (T, n): dL/do through all layers above. Arguments as for `ndl`.

    The output layer: delta = dL/do. A hidden layer l: delta_l(t) = dL/do_l(t) + g(t) B', where

    - signal="transport": B = W of the layer above, g = its dL/du: delta(t) f(t), or with future=True including later steps,
      g(t) = delta(t) f(t) + (du(t+1)/du(t)) g(t+1), with which the rule equals backpropagation;
    - signal="random": the same with B = feedback[l], (n of the layer, n of the next layer);
    - signal="broadcast": g = dL/do of the output layer at t, B = feedback[l], (n of the layer, n of the output layer).

    Source: Lillicrap et al. 2016, doi 10.1038/ncomms13276 (random); Nokland 2016, arXiv:1609.01596 (broadcast)

    >>> from nsnn_neuro import Uniform
    >>> chain, layer = [[[1.0]], [[0.5]]], {"beta": 0.5, "theta": 1.0, "reset": "hard"}
    >>> [d.tolist() for d in signals(chain, [[1.0]], [[[1]], [[0]]], lambda o: o[1].sum(), Uniform(1.0), **layer)]
    [[[0.25]], [[1.0]]]
    """
    net, states = follow(W, x, spikes, family, recurrent, beta=beta, theta=theta, reset=reset)
    return _signals(net, states, loss, is_exact(reset_path, "reset_path"), signal, future, feedback)


def _signals(
    net: list[Layer],
    states: list[States],
    loss: Callable[..., Any],
    exact: bool,
    signal: str,
    future: bool,
    feedback: Any,
) -> list[np.ndarray]:
    one_of(signal, ["transport", "random", "broadcast"], "signal")
    back = _feedback(net, signal, feedback)
    gradients = loss_gradients(loss, [s.o for s in states])
    output = gradients[-1].copy()
    for k in reversed(range(len(net) - 1)):
        above, s = net[k + 1], states[k + 1]
        g = output if signal == "broadcast" else gradients[k + 1] * s.f
        if future and signal != "broadcast":
            for t in reversed(range(g.shape[-2] - 1)):
                g[..., t, :] += carried(above, s, t + 1, exact) * g[..., t + 1, :]
        gradients[k] = gradients[k] + g @ back[k].T
    return gradients


def _feedback(net: list[Layer], signal: str, feedback: Any) -> list[np.ndarray]:
    if signal == "transport":
        if feedback is not None:
            raise NsnnError('feedback is given: expected None with signal = "transport", which uses W itself')
        return [above.w[: above.n_pre] for above in net[1:]]
    shapes = [(m.n, (net[-1] if signal == "broadcast" else above).n) for m, above in itertools.pairwise(net)]
    got = [np.shape(b) for b in feedback] if isinstance(feedback, list | tuple) else feedback
    if got != shapes:
        raise NsnnError(
            f"feedback has shapes {got}: expected a list of arrays {shapes} with signal = {signal!r}"
        )
    return [np.asarray(b, dtype=float) for b in feedback]


def ndl(
    W: Sequence[Any],
    x: Any,
    spikes: Sequence[Any],
    loss: Callable[..., Any],
    family: Any,
    *,
    beta: Any,
    theta: Any,
    reset: str,
    reset_path: str = "exact",
    recurrent: Sequence[Any] | None = None,
    signal: str = "transport",
    future: bool = True,
    feedback: Sequence[Any] | None = None,
) -> list[Any]:
    """Gradient of noise-driven learning along given spikes: sum_t delta_j(t) f(u_j(t) - theta) e_ij(t), three factors.

    With signal="transport" and future=True it equals `bptt` with recurrent_path="detached". With future=False, which is causal,
    this holds for the output layer, and for all layers if there is one step.

    Parameters
    ----------
    reset_path : "exact" or "detached", for the trace (and for future effects in the signal)
    signal : "transport", "random" or "broadcast", the signal of hidden layers, see `signals`; for a rule that only uses the value
        of the loss see `score_function`
    future : include effects of a spike on later steps of the layer above in the signal; not used with "broadcast"
    feedback : for "random" and "broadcast" a list of arrays, one per hidden layer, see `signals`

    Returns gradients as `bptt` does.

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831

    >>> from nsnn_neuro import Uniform
    >>> layer = {"beta": 0.5, "theta": 1.0, "reset": "hard"}
    >>> x, spikes = [[1.0], [1.0]], [[[0], [0]]]
    >>> ndl([[[0.5]]], x, spikes, lambda o: o[0][1, 0], Uniform(1.0), **layer)[0].tolist()
    [[0.6875]]
    """
    net, states = follow(W, x, spikes, family, recurrent, beta=beta, theta=theta, reset=reset)
    exact = is_exact(reset_path, "reset_path")
    deltas = _signals(net, states, loss, exact, signal, future, feedback)
    gradients = [three_factors(delta, m, s, exact) for delta, m, s in zip(deltas, net, states, strict=True)]
    return split(gradients, net, recurrent)


def three_factors(delta: np.ndarray, layer: Layer, s: States, exact: bool) -> np.ndarray:
    """sum_t delta_j(t) f(u_j(t) - theta) e_ij(t) of a layer, (..., rows of w, n)."""
    return np.einsum("...tj,...tj,...tij->...ij", delta, s.f, eligibility(layer, s, exact))


def membranes(
    W: Sequence[Any],
    x: Any,
    spikes: Sequence[Any],
    loss: Callable[..., Any],
    family: Any,
    *,
    beta: Any,
    theta: Any,
    reset: str,
    reset_path: str = "exact",
    recurrent: Sequence[Any] | None = None,
    signal: str = "transport",
    future: bool = True,
    feedback: Sequence[Any] | None = None,
) -> dict[str, list[np.ndarray]]:
    """dL/dlogit beta, dL/dtheta and dL/dlog s of each neuron along given spikes, s the noise scale, by noise-driven learning.

    Forward in time, as for weights: dL/dp = sum_t delta(t) f(t) [e(t) + a(t)], where a f is the derivative of F(u - theta) with
    respect to p at a constant u, and the trace e(t) = du(t)/dp is

        e(t) = (du(t)/du(t-1)) e(t-1) + b(t) + beta (dkept/do) f(t-1) a(t-1)

    with the last term for reset_path="exact" only, kept the potential after the reset, and

    - p = log s: a = -(u - theta), b = 0
    - p = theta: a = -1, b(t) = -beta o(t-1) for a subtractive reset, else 0
    - p = logit beta: a = 0, b(t) = beta (1 - beta) kept(t-1)

    Arguments as for `ndl`. Returns a dict of "beta", "theta" and "noise", lists of arrays (n,), one per layer.

    >>> from nsnn_neuro import Uniform
    >>> layer = {"beta": 0.5, "theta": 1.0, "reset": "hard"}
    >>> slopes = membranes([[[0.5]]], [[1.0], [1.0]], [[[0], [0]]], lambda o: o[0].sum(), Uniform(1.0), **layer)
    >>> {name: [g.tolist() for g in layers] for name, layers in slopes.items()}
    {'beta': [[0.0625]], 'theta': [[-0.9375]], 'noise': [[0.34375]]}
    """
    net, states = follow(W, x, spikes, family, recurrent, beta=beta, theta=theta, reset=reset)
    exact = is_exact(reset_path, "reset_path")
    deltas = _signals(net, states, loss, exact, signal, future, feedback)
    gradients: dict[str, list[np.ndarray]] = {"beta": [], "theta": [], "noise": []}
    for delta, s, m in zip(deltas, states, net, strict=True):
        kept, by_o = (part(s.u, s.o, m.theta) for part in (m.reset.kept, m.reset.by_o))
        by_theta = m.reset.kept(0 * s.u, s.o, 1.0)  # linear in u and theta: -o, or 0 for a hard reset
        parts = {
            "beta": (np.zeros_like(s.u), m.beta * (1 - m.beta) * kept),
            "theta": (-np.ones_like(s.u), m.beta * by_theta),
            "noise": (m.theta - s.u, np.zeros_like(s.u)),
        }
        for name, (direct, later) in parts.items():
            e = np.zeros_like(s.u)
            through = later + m.beta * by_o * s.f * direct if exact else later
            for t in range(1, s.u.shape[-2]):
                e[..., t, :] = carried(m, s, t, exact) * e[..., t - 1, :] + through[..., t - 1, :]
            gradients[name].append(np.sum(delta * s.f * (e + direct), axis=-2))
    return gradients
