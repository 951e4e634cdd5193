"""Published surrogate gradients, and the deterministic network that they are used for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import nsnn_neuro as nsnn


class Surrogate(NamedTuple):
    """A noise family as a function of its width, and the published surrogate gradient of x = u - theta with its parameter."""

    family: Callable[[float], nsnn.Family]
    formula: Callable[[np.ndarray, float], np.ndarray]
    parameter: Callable[[float], float]
    name: str
    colour: str


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# Sources: erf, Gygax & Zenke 2025, doi 10.1162/neco_a_01752; sigmoid, Neftci et al. 2019, doi 10.1109/MSP.2019.2931595; rectangle,
# Wu et al. 2018, doi 10.3389/fnins.2018.00331; triangle, Esser et al. 2016, doi 10.1073/pnas.1604850113; arctan, Fang et al. 2021,
# arXiv:2007.05785; SuperSpike (here times b/2), Zenke & Ganguli 2018, doi 10.1162/neco_a_01086
SURROGATES = {
    "Gaussian": Surrogate(
        lambda w: nsnn.Gaussian(w / np.sqrt(2 * np.pi)),
        lambda x, alpha: alpha / np.sqrt(np.pi) * np.exp(-((alpha * x) ** 2)),
        lambda w: np.sqrt(np.pi) / w,
        "erf, alpha = 1 / (sqrt2 sigma)",
        "#0072B2",
    ),
    "Logistic": Surrogate(
        lambda w: nsnn.Logistic(w / 4),
        lambda x, alpha: alpha * _sigmoid(alpha * x) * _sigmoid(-alpha * x),
        lambda w: 4 / w,
        "sigmoid derivative, alpha = 1 / s",
        "#56B4E9",
    ),
    "Uniform": Surrogate(
        lambda w: nsnn.Uniform(w / 2),
        lambda x, width: (np.abs(x) < width / 2) / width,
        lambda w: w,
        "rectangle, width 2 a",
        "#555555",
    ),
    "Triangular": Surrogate(
        lambda w: nsnn.Triangular(w),
        lambda x, a: np.maximum(0, 1 - np.abs(x / a)) / a,
        lambda w: w,
        "triangle, a",
        "#009E73",
    ),
    "Cauchy": Surrogate(
        lambda w: nsnn.Cauchy(w / np.pi),
        lambda x, alpha: alpha / 2 / (1 + (np.pi / 2 * alpha * x) ** 2),
        lambda w: 2 / w,
        "arctan, alpha = 2 / (pi g)",
        "#D55E00",
    ),
    "FastSigmoid": Surrogate(
        lambda w: nsnn.FastSigmoid(2 / w),
        lambda x, b: b / 2 / (1 + b * np.abs(x)) ** 2,
        lambda w: 2 / w,
        "SuperSpike, b",
        "#CC79A7",
    ),
}


def deterministic(
    W: list[np.ndarray], x: np.ndarray, *, beta: float, theta: float, reset: str
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Potentials and spikes (trials, steps, n) of layers of deterministic LIF neurons, which fire when u > theta."""
    u, o = ([np.zeros((*x.shape[:2], w.shape[1])) for w in W] for _ in range(2))
    for t in range(x.shape[1]):
        below = x[:, t]
        for k, w in enumerate(W):
            before, fired = (u[k][:, t - 1], o[k][:, t - 1]) if t else np.zeros((2, len(x), w.shape[1]))
            kept = before * (1 - fired) if reset == "hard" else before - theta * fired
            u[k][:, t] = beta * kept + below @ w
            o[k][:, t] = u[k][:, t] > theta
            below = o[k][:, t]
    return u, o


def backpropagation(
    W: list[np.ndarray],
    x: np.ndarray,
    u: list[np.ndarray],
    o: list[np.ndarray],
    psi: list[np.ndarray],
    by_output: np.ndarray,
    *,
    beta: float,
    theta: float,
    reset: str,
) -> list[np.ndarray]:
    """dL/dW of one trial by backpropagation through time, psi (steps, n) in place of do/du; `by_output`: dL/do of the output."""
    by_u = [np.zeros_like(a) for a in u]
    last, end = len(W) - 1, len(x) - 1
    for t in range(end, -1, -1):
        for k in range(last, -1, -1):
            by_o = by_output[t] if k == last else by_u[k + 1][t] @ W[k + 1].T
            later = beta * by_u[k][t + 1] if t < end else np.zeros(u[k].shape[1])
            jump, stays = (u[k][t], 1 - o[k][t]) if reset == "hard" else (theta, 1.0)
            by_u[k][t] = psi[k][t] * (by_o - later * jump) + later * stays
    return [z.T @ g for z, g in zip([x, *o[:-1]], by_u, strict=True)]
