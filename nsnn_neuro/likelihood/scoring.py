"""Fisher scoring: the maximum of a log-likelihood from its gradient and expected information, or a named error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import brentq

from ..errors import NsnnError
from .data import Data
from .model import LARGEST, NeuronModel, Value

__all__ = ["inverse", "maximise"]

_STARTS = (0.2, 0.5, 0.8, 0.95)  # of beta
_MOST = 200  # steps
_DONE = 1e-12  # nats still to be won
_FLAT = 1e-6  # nats; a step that wins less but moves a by more than _FAR noise scales goes to infinity
_FAR = 0.1


def inverse(information: np.ndarray) -> np.ndarray | None:
    """The inverse of a positive definite matrix, scaled by its diagonal; None when it is singular."""
    diagonal = np.sqrt(np.diag(information))
    if not np.all(diagonal > 0) or not np.all(np.isfinite(information)):
        return None
    scaled = information / np.outer(diagonal, diagonal)
    if np.linalg.eigvalsh(scaled)[0] < 1e-13:
        return None
    return np.asarray(cho_solve(cho_factor(scaled), np.eye(len(scaled))) / np.outer(diagonal, diagonal))


def maximise(model: NeuronModel, data: Data, ridge: float) -> tuple[np.ndarray, Value, np.ndarray, int]:
    """Parameters, value there, penalty's weights (n_parameters,) and number of steps."""
    penalty = _penalty(model, data, ridge)
    start = np.zeros(len(model.names))
    rate = data.o[data.free].mean()
    theta = model.threshold or 0.0
    start[0] = theta + _at(model, float(rate))
    if model.beta != "fit":
        linear = model.traces(float(model.beta), data)
        _check_columns(model, linear[0][data.free], ridge)
        return _climb(model, start, penalty, lambda p: model.evaluate(p, data, linear))
    best: tuple[float, np.ndarray] | None = None
    for beta in _STARTS:
        linear = model.traces(beta, data)
        _check_columns(model, linear[0][data.free], ridge)
        held = np.concatenate([start[:-1], [beta]])
        at_beta = partial(model.evaluate, data=data, linear=linear)
        p, value, _, _ = _climb(model, held, penalty, at_beta, held=True, most=8)
        reached = value.log_likelihood - 0.5 * penalty @ p**2
        if best is None or reached > best[0]:
            best = reached, p
    assert best is not None
    return _climb(model, best[1], penalty, lambda p: model.evaluate(p, data))


def _climb(
    model: NeuronModel,
    p: np.ndarray,
    penalty: np.ndarray,
    evaluate: Callable[[np.ndarray], Value],
    *,
    held: bool = False,
    most: int = _MOST,
) -> tuple[np.ndarray, Value, np.ndarray, int]:
    """Fisher scoring with halved steps; `held` keeps the last parameter, beta."""
    free = slice(None, -1) if held else slice(None)
    scale = 1.0 / float(np.max(model.family.pdf(0.0)))
    bounded = model.beta == "fit" and not held
    now = evaluate(p)
    if not np.isfinite(now.log_likelihood):
        raise NsnnError(
            f"family = {model.family!r}: the spikes are impossible at the start; take a family without bounds such as Gaussian"
        )
    for count in range(1, most + 1):
        gradient = (now.gradient - penalty * p)[free]
        covariance = inverse((now.information + np.diag(penalty))[free, free])
        if covariance is None:
            _diverges(model, now, np.ones(len(p)))
        step = np.zeros(len(p))
        step[free] = covariance @ gradient
        gain = float(gradient @ step[free])
        if gain < _FLAT and not held and np.max(np.abs(now.traces @ step)) > _FAR * scale:
            _diverges(model, now, step)
        if gain < _DONE:
            return p, now, penalty, count
        p, now, moved = _search(p, now, step, gain, penalty, evaluate, bounded)
        if not moved:
            if gain < _FLAT:
                return p, now, penalty, count
            break
    if held:
        return p, now, penalty, most
    raise NsnnError(
        f"no maximum was reached in {most} steps of Fisher scoring (log-likelihood {now.log_likelihood:.6g}, "
        f"still to be won about {gain:.2g} nats): expected a smooth family such as Gaussian, a smaller basis, or pass ridge=1.0"
    )


def _search(
    p: np.ndarray,
    now: Value,
    step: np.ndarray,
    gain: float,
    penalty: np.ndarray,
    evaluate: Callable[[np.ndarray], Value],
    bounded: bool,
) -> tuple[np.ndarray, Value, bool]:
    """The longest of the step's halves that wins what its slope promises; False where none does."""
    here = now.log_likelihood - 0.5 * penalty @ p**2
    length = 1.0
    if bounded:
        room = (LARGEST - p[-1] if step[-1] > 0 else LARGEST + p[-1]) / max(abs(step[-1]), 1e-300)
        length = min(1.0, 0.9 * room)
    slack = 1e-13 * abs(here) + 1e-14  # the sum's rounding
    for _ in range(50):
        there = p + length * step
        new = evaluate(there)
        reached = new.log_likelihood - 0.5 * penalty @ there**2
        if reached >= here + 1e-4 * length * gain - slack:
            return there, new, True
        length /= 2
    return p, now, False


def _penalty(model: NeuronModel, data: Data, ridge: float) -> np.ndarray:
    """ridge times the mean square of each column of stimulus and history; 0 for bias, theta and beta."""
    squares = np.concatenate([np.mean(data.drive**2, axis=0), np.mean(data.history**2, axis=0)])
    found = np.zeros(len(model.names))
    found[1 : 1 + len(squares)] = ridge * squares
    return found


def _at(model: NeuronModel, rate: float) -> float:
    """F^-1(rate)."""
    width = 1.0 / float(np.max(model.family.pdf(0.0)))
    low, high = -width, width
    while model.family.cdf(low) > rate:
        low *= 2
    while model.family.cdf(high) < rate:
        high *= 2
    return float(brentq(lambda x: float(model.family.cdf(x)) - rate, low, high, xtol=1e-9 * width))


def _check_columns(model: NeuronModel, columns: np.ndarray, ridge: float) -> None:
    """Refuse regressors of which one is a sum of others."""
    names = model.names[: columns.shape[1]]
    size = np.sqrt(np.mean(columns**2, axis=0))
    if ridge == 0 and np.any(size == 0):
        zero = ", ".join(n for n, s in zip(names, size, strict=True) if s == 0)
        raise NsnnError(
            f"{zero}: nothing reaches it in these data (0 in every step), so it can't be fitted; drop it or pass ridge=1.0"
        )
    if ridge == 0:
        scaled = columns / size
        values, vectors = np.linalg.eigh(scaled.T @ scaled / len(columns))
        if values[0] < 1e-12:
            share = np.abs(vectors[:, 0])
            alike = ", ".join(n for n, s in zip(names, share, strict=True) if s > 0.1 * share.max())
            raise NsnnError(
                f"{alike}: these can't be told apart, one is a sum of the others in these data; "
                "take a smaller basis or a richer signal, or pass ridge=1.0"
            )


def _diverges(model: NeuronModel, now: Value, step: np.ndarray) -> None:
    moved = np.max(np.abs(now.traces * step), axis=0)
    names = ", ".join(n for n, m in zip(model.names, moved, strict=True) if m > 0.1 * moved.max())
    raise NsnnError(
        f"the likelihood has no maximum: it grows without end with {names}, because these separate steps with spikes "
        "perfectly from those without (a refractory time in the history, too few spikes); pass refractory=, a smaller or "
        "smoother basis, or ridge=1.0"
    )
