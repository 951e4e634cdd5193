"""Objectives of two-layer fits and their gradients: the bound of K draws of hidden spikes, and the likelihood.

    L_K = log (1/K) sum_k P(O|h_k),      E L_1 <= E L_2 <= ... -> log P(O|x)

The slope of L_K is the mean of the draws' slopes, weighted by P(O|h_k): exact in the weights of the output; in those of hidden
neurons that of noise-driven learning, also through the reset, or without noise a surrogate gradient with the same density.

Source: Burda, Grosse & Salakhutdinov 2016, arXiv 1509.00519; Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..models.log_odds import Tails, observed, tails
from .network import KEPT, NetworkModel, systematic


def drawn(
    model: NetworkModel, first: np.ndarray, x: np.ndarray, draws: int, rng: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Potentials and spikes (n_steps, draws, n, groups, n_hidden) of hidden layers under x (n, n_steps, groups, n_in)."""
    drive = (x @ first).transpose(1, 0, 2, 3)
    theta, kept = model.hidden.si("theta"), KEPT[model.hidden.reset]
    u = h = np.zeros((draws, *drive.shape[1:]))
    us, hs = (np.empty((len(drive), *u.shape)) for _ in range(2))
    for t, now in enumerate(drive):
        u = model.hidden.si("beta") * kept(u, h, theta) + now
        h = model.hidden_spikes(u, rng)
        us[t], hs[t] = u, h
    return us, hs


def given_hidden(
    model: NetworkModel, second: np.ndarray, h: np.ndarray, o: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """log P(O|h) (draws, n, n_repeats, n_outputs), or 1 for outputs that share h, and its slopes in the potentials.

    h (n_steps, draws, n, groups, n_hidden); o (n_steps, n, n_repeats, n_outputs), as the slopes are with draws."""
    effect = model.readout(h if model.own_inputs else h[..., 0, :], second) + second[0]
    theta, kept = model.output.si("theta"), KEPT[model.output.reset]
    v = np.empty((len(o), h.shape[1], *o.shape[1:]))
    at, before = np.zeros(v.shape[1:]), np.zeros(o.shape[1:])
    for t, now in enumerate(effect):
        at = model.output.si("beta") * kept(at, before, theta) + now[:, :, None]
        before, v[t] = o[t], at
    logs, slopes = observed(model.family, v - theta, o[:, None])
    logs = logs.sum(axis=0)
    # outputs that share their hidden neurons: their probabilities are multiplied before a mean over draws
    return logs if model.own_inputs else logs.sum(axis=-1, keepdims=True), slopes


def bound(logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log of the mean probability over draws, the first axis, and the share of each draw in it."""
    highest = logs.max(axis=0)
    highest = np.where(np.isfinite(highest), highest, 0.0)
    weight = np.exp(logs - highest)
    total = weight.sum(axis=0)
    with np.errstate(divide="ignore"):
        value = np.log(total / len(logs)) + highest
    return value, weight / np.where(total > 0, total, 1.0)


def bound_slope(
    model: NetworkModel, weights: Any, x: np.ndarray, o: np.ndarray, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[np.ndarray]]:
    """L_K of each window (n, n_repeats), and the slopes of their mean in both arrays of weights; repeats share the draws.

    x (n, n_steps, groups, n_in); o (n_steps, n, n_repeats, n_outputs)"""
    first, second = weights
    u, h = drawn(model, first, x, draws, rng)
    logs, slopes = given_hidden(model, second, h, o)
    value, share = bound(logs)
    # slopes in the outputs' drives: back through their leak and reset, whose spikes are data
    slopes *= share / (o.shape[1] * o.shape[2])
    beta, hard = model.output.si("beta"), model.output.reset == "hard"
    for t in range(len(o) - 2, -1, -1):
        slopes[t] += beta * ((1 - o[t]) if hard else 1.0) * slopes[t + 1]
    back = slopes.sum(axis=3)  # (n_steps, draws, n, n_outputs)
    if model.own_inputs:
        second_slope = np.einsum("tkngh,tkng->hg", h, back)
        below = back[..., None] * second[1:].T
    else:
        second_slope = h.reshape(-1, model.n_hidden).T @ back.reshape(-1, model.n_outputs)
        below = (back @ second[1:].T)[..., None, :]
    # slopes in the hidden neurons' drives: their spikes act on the outputs and on their own reset
    theta, beta, hard = model.hidden.si("theta"), model.hidden.si("beta"), model.hidden.reset == "hard"
    density = model.family.pdf(u - theta)
    total = np.empty((len(u), *u.shape[2:]))
    later = np.zeros(u.shape[1:])
    for t in range(len(u) - 1, -1, -1):
        kept = (1 - h[t]) if hard else 1.0
        reset = u[t] if hard else theta
        later = density[t] * (below[t] - beta * reset * later) + beta * kept * later
        total[t] = later.sum(axis=0)
    columns = x.transpose(1, 0, 2, 3).reshape(-1, x.shape[-1])
    slope = [columns.T @ total.reshape(-1, model.n_hidden)]
    slope.append(np.concatenate([back.sum(axis=(0, 1, 2))[None], second_slope]))
    return value.sum(axis=-1), slope


def likelihood_slope(
    model: NetworkModel,
    weights: tuple[np.ndarray, np.ndarray],
    x: np.ndarray,
    o: np.ndarray,
    particles: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Estimates of log P(O|x) (n,) and its gradients (n, rows, columns), by a particle filter, of windows of x and o.

    Each particle carries its sums of (o - F) / (F (1 - F)) f e (Poyiadjis, Doucet & Singh 2011, doi 10.1093/biomet/asq062)."""
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
