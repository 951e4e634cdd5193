"""Models with a Poisson output, in NumPy: linear-nonlinear, subunits, and a generalised linear model with spike history.

A bin has the rate exp(a), and a spike with probability 1 - exp(-exp(a)), as a Poisson process has one or more. Of each cell

    linear-nonlinear   a = b + w . x               a filter of its own
    subunits           a = b + sum_j v_j max(0, c_j + u_j . x),   subunits shared by all cells
    Poisson GLM        a = b + w . x + sum_k h_k (its own spikes through the k-th function of a basis)
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from nsnn_neuro.likelihood import RaisedCosines

from .config import BIN, GLM, SUBUNITS
from .responses import Responses

_HISTORY = RaisedCosines(4, 100 * BIN.units)
_DECAYS, _TINY = (0.9, 0.999), 1e-8
_SMALLEST, _LARGEST = -30.0, 5.0  # of a: the logarithms stay finite


class Settings(NamedTuple):
    """A point of the grid."""

    epochs: int
    ridge: float
    eta: float


def bernoulli(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log-probabilities of a spike and of silence at log rates a."""
    rate = np.exp(np.clip(a, _SMALLEST, _LARGEST))
    return np.log(-np.expm1(-rate)), -rate


def bernoulli_slopes(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the log-probabilities in a: rate / (exp(rate) - 1) and -rate."""
    rate = np.exp(np.clip(a, _SMALLEST, _LARGEST))
    return rate / np.expm1(rate), -rate


def cosine(epoch: int, epochs: int) -> float:
    """Factor of the learning rate in an epoch, from 0."""
    return float(0.5 * (1 + np.cos(np.pi * epoch / epochs)))


@dataclasses.dataclass(eq=False)
class RateModel:
    """One of the models; `weights` are of standardised features, biases first."""

    kind: str
    weights: list[np.ndarray]
    mean: np.ndarray
    sd: np.ndarray

    def drive(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """a without the history, (n, n_steps, n_cells), standardised x and the subunits' inputs."""
        z = (x - self.mean) / self.sd
        if self.kind == SUBUNITS:
            below = z @ self.weights[0]
            v = self.weights[1]
            return v[0] + np.einsum("ntch,hc->ntc", np.maximum(below, 0), v[1:]), z, below
        return np.einsum("ntcf,fc->ntc", z, self.weights[0]), z, z

    def history(self, o: np.ndarray) -> np.ndarray:
        """The cells' own spikes through the basis, (n_functions, n, n_repeats, n_steps, n_cells)."""
        basis = _basis()
        out = np.zeros((basis.shape[1], *o.shape))
        for lag in range(1, min(len(basis), o.shape[2] - 1) + 1):
            for one, height in zip(out, basis[lag - 1], strict=True):
                one[:, :, lag:] += height * o[:, :, :-lag]
        return out

    def _effect(self, history: np.ndarray) -> np.ndarray:
        """The effect of the history on a, (n, n_repeats, n_steps, n_cells)."""
        total = np.zeros(history.shape[1:])
        for one, w in zip(history, self.weights[1], strict=True):
            total += one * w
        return total

    def slopes(self, x: np.ndarray, o: np.ndarray, history: np.ndarray | None) -> list[np.ndarray]:
        """Gradient of the mean log-likelihood of a window."""
        a, z, below = self.drive(x)
        n = o.shape[0] * o.shape[1]
        if history is None:
            up, down = bernoulli_slopes(a)
            fired = o.sum(axis=1)
            s = (fired * up + (o.shape[1] - fired) * down) / n
        else:
            up, down = bernoulli_slopes(a[:, None] + self._effect(history))
            each = np.where(o, up, down) / n
            s = each.sum(axis=1)
            return [
                np.einsum("ntcf,ntc->fc", z, s),
                np.array([(one * each).sum(axis=(0, 1, 2)) for one in history]),
            ]
        if self.kind != SUBUNITS:
            return [np.einsum("ntcf,ntc->fc", z, s)]
        second = np.einsum("ntch,ntc->hc", np.maximum(below, 0), s)
        back = np.where(below > 0, s[..., None] * self.weights[1][1:].T, 0.0)
        first = z.reshape(-1, z.shape[-1]).T @ back.reshape(-1, back.shape[-1])
        return [first, np.concatenate([s.sum(axis=(0, 1))[None], second])]

    def log_likelihood(self, data: Responses) -> np.ndarray:
        """(n, n_repeats, n_cells) nats."""
        a = self.drive(data.x)[0][:, None]
        if self.kind == GLM:
            a = a + self._effect(self.history(data.o))
        spike, silence = bernoulli(a)
        return np.where(data.o, spike, silence).sum(axis=2)

    def sample(self, data: Responses, repeats: int, rng: np.random.Generator) -> np.ndarray:
        """Spikes (n, repeats, n_steps, n_cells)."""
        a = self.drive(data.x)[0][:, None]
        o = np.zeros((len(a), repeats, *a.shape[2:]))
        filters = _basis() @ self.weights[1] if self.kind == GLM else np.empty((0, 0))  # (n_lags, n_cells)
        for t in range(o.shape[2]):
            now = np.broadcast_to(a[:, :, t], o[:, :, t].shape)
            if self.kind == GLM:
                past = o[:, :, max(0, t - len(filters)) : t][:, :, ::-1]
                now = now + np.einsum("nrlc,lc->nrc", past, filters[: past.shape[2]])
            o[:, :, t] = rng.random(now.shape) < np.exp(bernoulli(now)[0])
        return o


def _basis() -> np.ndarray:
    """(n_lags, n_functions) over lags from one bin."""
    return np.asarray(_HISTORY.matrix(float(BIN.rescale("s")), 1))


def adam(
    weights: list[np.ndarray], slopes: list[np.ndarray], moments: list[np.ndarray], count: int, rate: float
) -> None:
    """One step of Adam up the slopes, in place; `moments` has two arrays for each of weights. Kingma & Ba 2015, arXiv 1412.6980."""
    for k, (w, g) in enumerate(zip(weights, slopes, strict=True)):
        for m, power, decay in zip(moments[2 * k : 2 * k + 2], (1, 2), _DECAYS, strict=True):
            m += (1 - decay) * (g**power - m)
        first, second = (m / (1 - d**count) for m, d in zip(moments[2 * k : 2 * k + 2], _DECAYS, strict=True))
        w += rate * first / (np.sqrt(second) + _TINY)


def fit(kind: str, data: Responses, settings: Settings, hidden: int, batch: int, seed: int) -> RateModel:
    """Fit by Adam on batches of windows, with a cosine schedule and a ridge on filters, as the networks."""
    rng = np.random.default_rng([seed, 7])
    n_features, n_cells = data.x.shape[-1], data.o.shape[-1]
    flat = data.x.reshape(-1, n_features)
    mean, sd = flat.mean(axis=0), flat.std(axis=0)
    mean[0], sd[0] = 0.0, 1.0
    sd[sd == 0] = 1.0
    rate = np.log(-np.log1p(-np.clip(data.o.mean(axis=(0, 1, 2)), 1e-4, 0.99)))
    if kind == SUBUNITS:
        weights = [
            rng.normal(0, n_features**-0.5, (n_features, hidden)),
            rng.normal(0, hidden**-0.5, (1 + hidden, n_cells)),
        ]
        weights[0][0] = 0.0
    else:
        weights = [np.zeros((n_features, n_cells))]
    weights[-1][0] = rate
    if kind == GLM:
        weights.append(np.zeros((_basis().shape[1], n_cells)))
    model = RateModel(kind, weights, mean, sd)
    history = model.history(data.o) if kind == GLM else None
    moments = [np.zeros_like(w) for w in weights for _ in range(2)]
    n, count = data.o.shape[0] * data.o.shape[1], 0
    for epoch in range(settings.epochs):
        order = rng.permutation(len(data.x))
        for rows in np.array_split(order, -(-len(order) // batch)):
            slopes = model.slopes(data.x[rows], data.o[rows], None if history is None else history[:, rows])
            for k, (slope, w) in enumerate(zip(slopes, weights, strict=True)):
                if k == 0 or kind != GLM:  # the GLM's history is free
                    slope[1:] -= settings.ridge / n * w[1:]
            count += 1
            adam(weights, slopes, moments, count, settings.eta * cosine(epoch, settings.epochs))
    return model
