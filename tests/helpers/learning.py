"""What the tests of learning share."""

from __future__ import annotations

import numpy as np
from brian2 import ms

import nsnn_neuro as nsnn

DT = 1 * ms
FAMILIES = [
    nsnn.Gaussian(0.4), nsnn.Logistic(0.2), nsnn.Uniform(0.7), nsnn.Triangular(1.1), nsnn.Cauchy(0.3), nsnn.FastSigmoid(4.0),
]  # fmt: skip


def trains(n, steps, seed):
    """Spikes (step, neuron), about one in ten steps."""
    return (np.random.default_rng(seed).random((steps, n)) < 0.1).astype(float)
