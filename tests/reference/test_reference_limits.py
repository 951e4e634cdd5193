"""What the reference's rules are at their borders: no noise, surrogate gradients, e-prop, SuperSpike, Pfister's rule."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import nsnn_neuro as nsnn
from nsnn_neuro import reference

RESETS = pytest.mark.parametrize("reset", ["hard", "subtract"])


def network(sizes, n_steps, seed):
    """Weights that make neurons fire, and sparse graded input."""
    rng = np.random.default_rng(seed)
    W = [rng.normal(0.4, 1.3, size) / np.sqrt(size[0]) for size in itertools.pairwise(sizes)]
    return W, rng.random((n_steps, sizes[0])) * (rng.random((n_steps, sizes[0])) < 0.6)


class Distance:
    """Half the squared distance of a layer's spikes from an aim."""

    def __init__(self, layer, shape, seed):
        self.layer, self.aim = layer, np.random.default_rng(seed).random(shape)

    def __call__(self, o):
        return 0.5 * ((o[self.layer] - self.aim) ** 2).sum()

    def gradient(self, o):
        return [a - self.aim if k == self.layer else 0 * a for k, a in enumerate(o)]


def deterministic(W, x, beta, theta, reset):
    """A layered network of neurons that fire when u > theta."""
    u, o = ([np.zeros((len(x), w.shape[1])) for w in W] for _ in range(2))
    for t in range(len(x)):
        below = x[t]
        for k, w in enumerate(W):
            before, fired = (u[k][t - 1], o[k][t - 1]) if t else np.zeros((2, w.shape[1]))
            u[k][t] = beta * (before * (1 - fired) if reset == "hard" else before - theta * fired) + below @ w
            o[k][t] = u[k][t] > theta
            below = o[k][t]
    return u, o


@RESETS
def test_without_noise_it_is_the_deterministic_neuron(reset):
    """Bit for bit, 6,000 potentials, of which none is within 1e-6 of the threshold. With noise of .3 they differ."""
    W, x = network([20, 20, 10], 200, 1)
    u, o = deterministic(W, x, 0.8, 1.0, reset)
    assert min(np.abs(v - 1.0).min() for v in u) > 1e-6
    assert all(0.05 < s.mean() < 0.8 for s in o)
    neuron = {"beta": 0.8, "theta": 1.0, "reset": reset, "seed": 2}
    kinds = (nsnn.Gaussian, nsnn.Logistic, nsnn.Uniform, nsnn.Triangular, nsnn.Cauchy)
    for family in (*(kind(1e-12) for kind in kinds), nsnn.FastSigmoid(1e12)):
        potentials, spikes = reference.forward(W, x, family, **neuron)
        for a, b in zip([*potentials, *spikes], [*u, *o], strict=True):
            assert np.array_equal(a, b)
    assert not np.array_equal(reference.forward(W, x, nsnn.Gaussian(0.3), **neuron)[1][1], o[1])


# Family -> the surrogate gradient as its literature writes it, of x = u - theta.
SURROGATES = [
    (nsnn.Gaussian(0.4), lambda x, a=2.5 / 2**0.5: a / np.sqrt(np.pi) * np.exp(-((a * x) ** 2))),
    (nsnn.Logistic(0.25), lambda x, a=4.0: a * (1 / (1 + np.exp(-a * x))) * (1 - 1 / (1 + np.exp(-a * x)))),
    (nsnn.Uniform(0.7), lambda x, width=1.4: (np.abs(x) < width / 2) / width),
    (nsnn.Triangular(0.8), lambda x, a=0.8: np.maximum(0, 1 - np.abs(x) / a) / a),
    (nsnn.Cauchy(0.3), lambda x, a=2 / (np.pi * 0.3): a / 2 / (1 + (np.pi / 2 * a * x) ** 2)),
    (
        nsnn.FastSigmoid(5.0),
        lambda x, b=5.0: b / 2 * (1 / (1 + b * np.abs(x)) ** 2),
    ),  # SuperSpike's, times b/2
]


@RESETS
@pytest.mark.parametrize(("family", "surrogate"), SURROGATES, ids=lambda v: getattr(type(v), "__name__", ""))
def test_given_the_states_it_is_the_surrogate_gradient(family, surrogate, reset):
    """Two layers of deterministic neurons, backpropagation written for one weight at a time with the surrogate's formula."""
    beta, theta, n_steps = 0.8, 1.0, 12
    W, x = network([4, 5, 3], n_steps, 3)
    u, o = deterministic(W, x, beta, theta, reset)
    loss = Distance(1, (n_steps, 3), 4)
    found = reference.ndl(W, x, o, loss, family, beta=beta, theta=theta, reset=reset)
    psi = [surrogate(v - theta) for v in u]
    assert all(np.abs(g).max() > 1e-3 for g in found)
    for layer, w in enumerate(W):
        for i, j in np.ndindex(w.shape):
            du, total = [np.zeros(5), np.zeros(3)], 0.0  # d/dw_ij of the potentials, forward in time
            for t in range(n_steps):
                passed = np.zeros(4)
                for k in (0, 1):
                    old, s, slope = (v[k][t - 1] if t else np.zeros(len(du[k])) for v in (u, o, psi))
                    if reset == "hard":
                        du[k] = beta * (du[k] * (1 - s) - old * slope * du[k])
                    else:
                        du[k] = beta * (du[k] - theta * slope * du[k])
                    du[k] = du[k] + passed @ W[k]
                    if k == layer:
                        du[k][j] += (x[t] if k == 0 else o[0][t])[i]
                    passed = psi[k][t] * du[k]
                total += (o[1][t] - loss.aim[t]) @ passed
            assert abs(found[layer][i, j] - total) < 1e-12 * max(1, abs(total))


def test_e_prop():
    """A recurrent layer: pseudo-derivative gamma_pd x triangular density with a = v_th, low-pass filtered spikes for trace."""
    gamma_pd, v_th, alpha, n_steps = 0.3, 0.7, 0.9, 30
    rng = np.random.default_rng(5)
    W, loop = rng.normal(0.1, 0.3, (6, 8)), rng.normal(0, 0.2, (8, 8))
    x = (rng.random((n_steps, 6)) < 0.4).astype(float)
    neuron = {"beta": alpha, "theta": v_th, "reset": "subtract", "recurrent": [loop]}
    family, loss = nsnn.Triangular(v_th), Distance(0, (n_steps, 8), 9)
    u, o = reference.forward([W], x, family, seed=6, **neuron)
    found = reference.ndl([W], x, o, loss, family, reset_path="detached", **neuron)
    psi = gamma_pd / v_th * np.maximum(0, 1 - np.abs((u[0] - v_th) / v_th))
    assert 0.1 < (psi > 0).mean() < 0.99
    assert 0.05 < o[0].mean() < 0.9
    eps_in, eps_rec, from_input, from_loop = np.zeros(6), np.zeros(8), np.zeros((6, 8)), np.zeros((8, 8))
    for t in range(n_steps):
        eps_in = alpha * eps_in + x[t]
        eps_rec = alpha * eps_rec + (o[0][t - 1] if t else 0)
        learning = o[0][t] - loss.aim[t]
        from_input += np.outer(eps_in, learning * psi[t])
        from_loop += np.outer(eps_rec, learning * psi[t])
    assert np.abs(from_loop).max() > 0.1
    np.testing.assert_allclose(gamma_pd * found[0], from_input, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(gamma_pd * found[1], from_loop, rtol=1e-12, atol=1e-13)
