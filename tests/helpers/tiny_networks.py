"""Tiny layered networks for tests of learning rules: families, weights, spikes and a loss."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import nsnn_neuro as nsnn

FAMILIES = [
    nsnn.Gaussian(0.4),
    nsnn.Logistic(0.25),
    nsnn.Uniform(2.5),
    nsnn.Triangular(3.0),
    nsnn.Cauchy(0.3),
    nsnn.FastSigmoid(4.0),
]
EVERY = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
RESETS = pytest.mark.parametrize("reset", ["hard", "subtract"])


class Count:
    """The squared distance of the weighted spikes from 1, and a product of the first and last: a loss that isn't affine."""

    def __init__(self, shapes, seed=0):
        self.c = [np.random.default_rng(seed).normal(0, 0.6, s) for s in shapes]

    def __call__(self, o):
        total = sum((c * a).sum() for c, a in zip(self.c, o, strict=True))
        return (total - 1) ** 2 + o[0][0, 0] * o[-1][-1, -1]

    def gradient(self, o):
        total = sum((c * a).sum() for c, a in zip(self.c, o, strict=True))
        found = [2 * (total - 1) * c for c in self.c]
        found[0][0, 0] += o[-1][-1, -1]
        found[-1][-1, -1] += o[0][0, 0]
        return found


def problem(sizes, n_steps, seed, *, recurrent=(), spread=0.7):
    """Weights, recurrent weights, graded input, spikes and a loss."""
    rng = np.random.default_rng(seed)
    W = [rng.normal(0.35, spread, size) for size in itertools.pairwise(sizes)]
    R = [rng.normal(0, 0.5, (n, n)) if k in recurrent else None for k, n in enumerate(sizes[1:])]
    x = rng.random((n_steps, sizes[0]))
    spikes = [(rng.random((n_steps, n)) < 0.4).astype(float) for n in sizes[1:]]
    return W, R, x, spikes, Count([o.shape for o in spikes], seed)


def largest(a, b):
    """The largest difference between two lists of arrays, relative to the largest entry."""
    pairs = [(p, q) for p, q in zip(a, b, strict=True) if p is not None or q is not None]
    scale = max(np.abs(q).max() for _, q in pairs)
    assert scale > 1e-3
    assert all(p.shape == q.shape for p, q in pairs)
    return max(np.abs(p - q).max() for p, q in pairs) / scale
