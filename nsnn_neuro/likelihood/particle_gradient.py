"""Uphill on the two-layer likelihood itself: three factors along hidden spikes drawn in proportion to what they explain."""

from __future__ import annotations

import time

import numpy as np

from ..models.log_odds import Tails, tails
from .network import NetworkModel, systematic

__all__ = ["refined", "slope"]

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

    d log P(O|x) = E[d log P(O, h|x) given O]: sums over steps of (o - F) / (F (1 - F)) f e, of hidden and output spikes alike,
    carried along with each particle. P times gradient is an unbiased estimate of the gradient of P.

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
        # drawn anew where few particles count: seldom, for the traces are many numbers
        poor = np.flatnonzero(1 / (weight**2).sum(axis=1) < particles / 2)
        if poor.size and t < n_steps - 1:
            chosen = systematic(weight[poor], rng)
            for a in (u, h, v, e1, e2, score1, score2):
                a[poor] = a[poor[:, None], chosen]
            weight[poor] = 1 / particles
    return total, [np.einsum("nk,nkij->nij", weight, score) for score in (score1, score2)]


def _signal(found: Tails, o: np.ndarray) -> np.ndarray:
    """(o - F) / (F (1 - F)) f."""
    return np.where(o == 1, found.up, -found.down)


def refined(
    model: NetworkModel,
    weights: tuple[np.ndarray, np.ndarray],
    x: np.ndarray,
    o: np.ndarray,
    *,
    epochs: int,
    batch: int,
    eta: float,
    particles: int,
    rng: np.random.Generator,
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
    """The weights after so many epochs of Adam; of each, mean log-likelihood of a window as it was learned from, and seconds."""
    w = [one.copy() for one in weights]
    mean, square = ([np.zeros_like(one) for one in w] for _ in range(2))
    count, history, seconds = 0, [], []
    for epoch in range(epochs):
        began = time.perf_counter()
        rate, found = eta * 0.5 * (1 + np.cos(np.pi * epoch / epochs)), []
        for rows in np.array_split(rng.permutation(len(x)), -(-len(x) // batch)):
            logs, gradients = slope(model, (w[0], w[1]), x[rows], o[rows], particles, rng)
            found.append(logs)
            count += 1
            for one, m, s, g in zip(w, mean, square, gradients, strict=True):
                m += (1 - _DECAY) * (g.mean(axis=0) - m)
                s += (1 - _DECAY_SQUARE) * (g.mean(axis=0) ** 2 - s)
                one += rate * (m / (1 - _DECAY**count)) / (np.sqrt(s / (1 - _DECAY_SQUARE**count)) + _TINY)
        history.append(np.concatenate(found).mean())
        seconds.append(time.perf_counter() - began)
    return (w[0], w[1]), np.array(history), np.array(seconds)
