"""Gradient ascent on the log-likelihood of a two-layer network, with hidden spikes drawn by a particle filter."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from ..learning.loop import Epoch, Scores, TrainingLoop, check_finite
from ..models.log_odds import Tails, tails
from .network import NetworkModel, systematic

_DECAY, _DECAY_SQUARE, _TINY = 0.9, 0.999, 1e-8  # Adam's


def slope(
    model: NetworkModel,
    weights: tuple[np.ndarray, np.ndarray],
    x: np.ndarray,
    o: np.ndarray,
    particles: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Estimates of log P(O|x) (n,) and its gradients (n, rows, columns) of windows x (n, n_steps, n_in), o (n, n_steps, n_outputs).

    d log P(O|x) = E[d log P(O, h|x) given O]: sums over steps of (o - F) / (F (1 - F)) f e for hidden and output spikes, which each
    particle carries along. P times the gradient is an unbiased estimate of the gradient of P.

    Source: Poyiadjis, Doucet & Singh 2011, doi 10.1093/biomet/asq062
    """
    n, n_steps, n_in = x.shape
    neurons = model.hidden, model.output
    drive = x @ weights[0]
    h = u = np.zeros((n, particles, model.n_hidden))
    v = np.zeros((n, particles, model.n_outputs))
    before = np.zeros((n, 1, model.n_outputs))
    e1 = score1 = np.zeros((n, particles, n_in, model.n_hidden))
    e2 = score2 = np.zeros((n, particles, 1 + model.n_hidden, model.n_outputs))
    total, weight = np.zeros(n), np.full((n, particles), 1 / particles)
    for t in range(n_steps):
        e1, e2 = (
            neuron.si("beta") * ((1 - spikes)[..., None, :] if neuron.reset == "hard" else 1.0) * e
            for neuron, spikes, e in zip(neurons, (h, before), (e1, e2), strict=True)
        )
        u, h, v = model.advance(weights, drive[:, t, None], u, h, v, before, rng)
        before = o[:, t, None]
        e1 = e1 + x[:, t, None, :, None]
        e2 = e2 + np.concatenate([np.ones((n, particles, 1)), h], axis=2)[..., None]
        hidden, output = (
            tails(model.family, a - neuron.si("theta")) for a, neuron in zip((u, v), neurons, strict=True)
        )
        score1 = score1 + _signal(hidden, h)[..., None, :] * e1
        score2 = score2 + _signal(output, before)[..., None, :] * e2
        logs = np.where(before == 1, output.log_spike, output.log_silence).sum(axis=-1)
        highest = logs.max(axis=1, keepdims=True)
        weight = weight * np.exp(logs - highest)
        mean = weight.sum(axis=1, keepdims=True)
        total += (highest + np.log(mean))[:, 0]
        weight /= mean
        # resample only where few particles count: copying the traces is slow
        poor = np.flatnonzero(1 / (weight**2).sum(axis=1) < particles / 2)
        if poor.size and t < n_steps - 1:
            chosen = systematic(weight[poor], rng)
            for a in (u, h, v, e1, e2, score1, score2):
                a[poor] = a[poor[:, None], chosen]
            weight[poor] = 1 / particles
    return total, [np.einsum("nk,nkij->nij", weight, score) for score in (score1, score2)]


def _signal(at: Tails, o: np.ndarray) -> np.ndarray:
    """(o - F) / (F (1 - F)) f."""
    return np.where(o == 1, at.up, -at.down)


class AdamSteps:
    """Steps of Adam up a gradient, on arrays of weights in place.

    Source: Kingma & Ba 2015, arXiv 1412.6980

    >>> w = np.zeros(2)
    >>> AdamSteps([w]).step([np.array([3.0, -0.1])], 0.5)
    >>> w.round(3).tolist()
    [0.5, -0.5]
    """

    def __init__(self, weights: list[np.ndarray]) -> None:
        self.weights, self.count = weights, 0
        self.mean, self.square = ([np.zeros_like(w) for w in weights] for _ in range(2))

    def step(self, gradients: list[np.ndarray], rate: float) -> None:
        """One step, of about `rate` in each weight."""
        self.count += 1
        for one, m, s, g in zip(self.weights, self.mean, self.square, gradients, strict=True):
            m += (1 - _DECAY) * (g - m)
            s += (1 - _DECAY_SQUARE) * (g**2 - s)
            size = np.sqrt(s / (1 - _DECAY_SQUARE**self.count)) + _TINY
            one += rate * (m / (1 - _DECAY**self.count)) / size


class TwoLayers:
    """What trainers of the weights of both layers share: what is learned, and no checkpoint."""

    weights: list[np.ndarray]

    def check(self) -> dict[str, float]:
        """Refuse weights that aren't finite."""
        check_finite({f"weights of layer {k}": w for k, w in enumerate(self.weights, 1)})
        return {}

    def learned(self) -> dict[str, np.ndarray]:
        """The weights of both layers."""
        return {f"weights_{k}": w for k, w in enumerate(self.weights)}

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Nothing: it writes no checkpoint."""
        return {}, {}

    def restore(self, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        """Nothing: it writes no checkpoint."""


@dataclasses.dataclass
class Ascent(TwoLayers):
    """Adam on the log-likelihood of windows x, o (see `slope`), as the `Trainer` of a loop."""

    model: NetworkModel
    weights: list[np.ndarray]
    x: np.ndarray
    o: np.ndarray
    batch: int
    eta: float
    particles: int
    seed: int

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng([self.seed, 1])
        self.weights = [w.copy() for w in self.weights]
        self.adam = AdamSteps(self.weights)

    def run(self, epochs: int) -> tuple[list[np.ndarray], pd.DataFrame]:
        """The weights after these epochs, and their history; the loss is minus a window's log-likelihood (nats)."""
        loop = TrainingLoop(epochs=epochs, seed=self.seed, schedule="cosine", keep="last")
        loop.split(self.o, 0.0)
        outcome = loop.run(self.learned(), lambda: contextlib.nullcontext(self), lambda done: done, False)
        return [outcome.arrays["weights_0"], outcome.arrays["weights_1"]], outcome.history

    def run_epoch(self, epoch: Epoch) -> tuple[Scores, None]:
        """Batches in an order of this trainer's own random numbers, which also draw the hidden spikes."""
        rate, loss = self.eta * epoch.eta, []
        for rows in np.array_split(self.rng.permutation(len(self.x)), -(-len(self.x) // self.batch)):
            w = (self.weights[0], self.weights[1])
            logs, gradients = slope(self.model, w, self.x[rows], self.o[rows], self.particles, self.rng)
            loss.append(-logs)
            self.adam.step([g.mean(axis=0) for g in gradients], rate)
        return Scores(np.concatenate(loss)), None
