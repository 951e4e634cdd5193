"""Maximise the log-likelihood by safeguarded Newton steps; failures raise an error with the reason.

The observed curvature is used, as the expected information vanishes in the far tail of a Gaussian; Fisher scoring only for the
uniform density and families whose f' is unknown. A curvature that is not positive definite has its eigenvalues replaced by their
absolute values. Steps are limited to `_LEAP` and halved until the gain is sufficient.

Source: Nocedal & Wright 2006, Numerical Optimization, ch. 3, doi 10.1007/978-0-387-40065-5
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import brentq

from ..core.errors import NsnnError
from ..models.escape import Family, Gaussian, Logistic
from .data import Data
from .model import LARGEST, NeuronModel
from .prior import Prior
from .responses import Poisson, Value, gram, width

_Evaluate = Callable[[np.ndarray], Value]
_Reached = tuple[np.ndarray, Value, int]  # parameters, value there, Newton steps
_STARTS = (0.2, 0.5, 0.8, 0.95)  # of beta
_STRIDE = 0.15  # of beta in one step
_MOST = 200  # steps
_DONE = 1e-14  # nats of expected gain
_DONE_BETA = 1e-10  # likewise, by beta: 1e-5 of its standard error off
_FAR = 1e-3  # noise scales by which the last step may move a: beyond, a diverges (its standard error is above 10,000)
_FLAT = 1e-6  # nats; below this gain rounding may end the search
_FLOOR = 1e-8  # of the largest eigenvalue
_MANY, _SHARE, _STRETCH = 2**18, 16, 2**11  # steps of which a sixteenth gives the start, in stretches
_ENOUGH = 20  # spikes per parameter in these
_MOST_OF_SOME = 15  # steps there
_LEAP = 100.0, 10.0  # largest change of a in a step: noise scales, or multiples of its largest value


def inverse(information: np.ndarray) -> np.ndarray | None:
    """The inverse of a positive definite matrix, scaled by its diagonal; None when it is singular."""
    if not np.all(np.diag(information) > 0) or not np.all(np.isfinite(information)):
        return None
    diagonal = np.sqrt(np.diag(information))
    scaled = information / np.outer(diagonal, diagonal)
    if np.linalg.eigvalsh(scaled)[0] < 1e-13:
        return None
    return np.asarray(cho_solve(cho_factor(scaled), np.eye(len(scaled))) / np.outer(diagonal, diagonal))


def maximise(
    model: NeuronModel, data: Data, prior: Prior, near: np.ndarray | None = None
) -> tuple[np.ndarray, Value, np.ndarray, int]:
    """Maximise: parameters, value there, matrix of the penalty (n_parameters, n_parameters) and number of Newton steps.

    A start `near` is used if it is better than a constant at the recorded rate. With beta fitted, the others are maximised at each
    beta, and secant steps within a bracket find the root of the likelihood's slope in beta, which is that of the profile."""
    penalty = prior.matrix(model, data)
    middle = quantile(model.family, float(data.o[data.free].mean()))

    def at(beta: float, p: np.ndarray | None, most: int = _MOST) -> _Reached:
        linear = model.traces(beta, data)
        if prior.ridge == 0:
            _check_columns(model, linear[0], data.free)
        evaluate = partial(model.evaluate, data=data, linear=linear, curved=True)
        span = np.maximum(linear[0].max(axis=0), -linear[0].min(axis=0))
        start = np.zeros(len(model.names))
        # the bias for which a, on average, gives the recorded rate
        start[0] = (middle - (model.threshold or 0.0) * linear[1].mean()) / linear[0][:, 0].mean()
        if fitted:
            start[-1] = beta
        if p is not None:
            there = np.concatenate([p[:-1], [beta]]) if fitted else p
            start = max(start, there, key=lambda one: _height(evaluate(one), one, penalty))
        elif not fitted:
            start = _start_of_many(model, start, penalty, data, linear, span)
        return climb(model, start, penalty, evaluate, span, fitted, most)

    fitted = model.beta == "fit"
    if not fitted:
        p, value, count = at(float(model.beta), near)
        return p, value, penalty, count
    candidates, refused = [], []
    for beta in _STARTS:
        try:
            p, value, _ = at(beta, None, 8)
        except NsnnError as error:
            refused.append(error)
        else:
            candidates.append((_height(value, p, penalty), beta, p))
    if not candidates:
        raise refused[0]
    _, beta, p = max(candidates, key=lambda one: one[0])
    p, value, count = _root(at, beta, p, penalty)
    return p, value, penalty, count


def _root(
    at: Callable[[float, np.ndarray], _Reached], beta: float, p: np.ndarray, penalty: np.ndarray
) -> _Reached:
    """The maximum of the profile likelihood over beta, ascending from the given one."""
    low, high, total = -LARGEST, LARGEST, 0
    before: tuple[float, float] | None = None
    for _ in range(60):
        p, value, count = at(beta, p)
        total += count
        covariance = covariance_at(value, penalty)
        if covariance is None:
            raise NsnnError(
                "beta can't be distinguished from the other parameters in these data: give it a value"
            )
        slope, variance = float(value.gradient[-1]), float(covariance[-1, -1])
        if slope**2 * variance < _DONE_BETA:
            return p, value, total
        low, high = (beta, high) if slope > 0 else (low, beta)
        step = slope * variance
        if before is not None and (slope - before[1]) * (beta - before[0]) < 0:
            step = -slope * (beta - before[0]) / (slope - before[1])
        before = beta, slope
        most = min(_STRIDE, 0.5 * (1 - abs(beta)))
        new = beta + float(np.clip(step, -most, most))
        beta = new if low < new < high else 0.5 * (low + high)
        p = p + (beta - p[-1]) * covariance[:, -1] / variance  # along the ridge of the likelihood
        if high - low < 1e-12 or LARGEST - abs(beta) < 1e-6:
            break
    if LARGEST - abs(beta) > 1e-3:
        raise NsnnError(
            f"beta: no maximum was reached near {beta:.4g}, where the likelihood isn't smooth in beta (data that are nearly "
            "separable, or too few spikes); give beta a value, or pass ridge=1.0"
        )
    raise NsnnError(
        f"beta: the likelihood grows towards {beta:.4g}, the border of what a membrane can be; give beta a value below 1, or use "
        'reset="none" without a membrane and a longer basis'
    )


def climb(
    model: NeuronModel,
    p: np.ndarray,
    penalty: np.ndarray,
    evaluate: _Evaluate,
    span: np.ndarray,
    held: bool,
    most: int,
) -> _Reached:
    """Newton's method with halved steps; with fewer steps than _MOST it may stop before the maximum. `held` fixes beta, the last.

    `span` has the largest absolute values of the traces, without that of beta."""
    free = slice(None, -1) if held else slice(None)
    scale = width(model.family)
    now = evaluate(p)
    if not np.isfinite(now.log_likelihood):
        raise NsnnError(
            f"family = {model.family!r}: the spikes are impossible at the start; take a family without bounds such as Gaussian"
        )
    gain, count, sound = np.inf, 0, True
    for count in range(1, most + 1):
        gradient = (now.gradient - penalty @ p)[free]
        step = np.zeros(len(p))
        step[free], sound = _direction(now, gradient, penalty, free)
        gain = float(gradient @ step[free])
        if gain < _DONE:
            far = _moved(now, step, span, _FAR * scale) > _FAR * scale
            if not sound:
                step[free] = _flattest(now, penalty, free)
            if not sound or far:
                raise _diverges(model, now, step)
            return p, now, count
        most_moved = max(_LEAP[0] * scale, _LEAP[1] * float(np.max(np.abs(now.potential))))
        shorter = min(1.0, most_moved / _moved(now, step, span, most_moved))
        p, now, better = _search(p, now, shorter * step, shorter * gain, penalty, evaluate)
        if not better:
            break
    if most < _MOST or (gain < _FLAT and sound):
        return p, now, count
    if gain < _FLAT:
        step[free] = _flattest(now, penalty, free)
        raise _diverges(model, now, step)
    raise NsnnError(
        f"no maximum was reached in {count} of Newton's steps (log-likelihood {now.log_likelihood:.6g}, "
        f"still to be won about {gain:.2g} nats): expected a smooth family such as Gaussian (the density of Uniform jumps, so that "
        "its likelihood has corners), a smaller basis, or pass ridge=1.0"
    )


def _start_of_many(
    model: NeuronModel,
    start: np.ndarray,
    penalty: np.ndarray,
    data: Data,
    linear: tuple[np.ndarray, np.ndarray],
    span: np.ndarray,
) -> np.ndarray:
    """Of very many steps the maximum over a sixteenth of them, where the maximum is the only one; else, or without one, `start`."""
    n = len(data.o)
    if n < _MANY or not isinstance(model.family, Gaussian | Logistic | Poisson):
        return start
    rows = np.flatnonzero(np.arange(n) // _STRETCH % _SHARE == 0)
    some = replace(data.without_columns(), o=data.o[rows], begins=data.begins[rows], free=data.free[rows])
    if some.o[some.free].sum() < _ENOUGH * len(start):
        return start
    traces = np.asfortranarray(linear[0][rows]), linear[1][rows]
    evaluate = partial(model.evaluate, data=some, linear=traces, curved=True)
    try:
        p, _, count = climb(model, start, len(rows) / n * penalty, evaluate, span, False, _MOST_OF_SOME)
    except NsnnError:
        return start
    return p if count < _MOST_OF_SOME else start


def _moved(now: Value, step: np.ndarray, span: np.ndarray, limit: float) -> float:
    """The largest change of a by a step; below `limit` a bound of it, which needs no pass over the steps."""
    bound = float(span @ np.abs(step[: len(span)]))
    return bound if bound < limit else float(np.max(np.abs(now.traces @ step)))


def _direction(now: Value, gradient: np.ndarray, penalty: np.ndarray, free: slice) -> tuple[np.ndarray, bool]:
    """Newton's step and True; where the curvature isn't positive definite, an ascending step of its size and False."""
    matrix = now.information if now.curvature is None else now.curvature
    matrix = (matrix + penalty)[free, free]
    covariance = inverse(matrix)
    if covariance is not None:
        return covariance @ gradient, True
    scaled, size = _scaled(matrix)
    values, vectors = np.linalg.eigh(scaled)
    values = np.maximum(np.abs(values), _FLOOR * max(np.abs(values).max(), 1e-300))
    return vectors @ (vectors.T @ (gradient / size) / values) / size, False


def _flattest(now: Value, penalty: np.ndarray, free: slice) -> np.ndarray:
    """The direction of least curvature."""
    scaled, size = _scaled((now.information + penalty)[free, free])
    return np.asarray(np.linalg.eigh(scaled)[1][:, 0] / size)


def _scaled(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A matrix divided by the outer product of the roots of its diagonal, and these roots, kept above 0."""
    diagonal = np.abs(np.diag(matrix))
    size = np.sqrt(np.maximum(diagonal, max(1e-30 * diagonal.max(), 1e-300)))
    return matrix / np.outer(size, size), size


def covariance_at(value: Value, penalty: np.ndarray) -> np.ndarray | None:
    """The inverse of expected information plus penalty, or, where that is singular, of observed curvature plus penalty."""
    covariance = inverse(value.information + penalty)
    if covariance is None and value.curvature is not None:
        covariance = inverse(value.curvature + penalty)
    return covariance


def _height(value: Value, p: np.ndarray, penalty: np.ndarray) -> float:
    """The penalised log-likelihood; -inf where it isn't a number."""
    height = value.log_likelihood - 0.5 * float(p @ penalty @ p)
    return height if np.isfinite(height) else -np.inf


def _search(
    p: np.ndarray, now: Value, step: np.ndarray, gain: float, penalty: np.ndarray, evaluate: _Evaluate
) -> tuple[np.ndarray, Value, bool]:
    """The longest of the halved steps with a sufficient gain (Armijo's condition); False where there is none."""
    here = _height(now, p, penalty)
    slack = 1e-13 * abs(here) + 1e-14  # the sum's rounding
    length = 1.0
    for _ in range(50):
        there = p + length * step
        new = evaluate(there)
        if _height(new, there, penalty) >= here + 1e-4 * length * gain - slack:
            return there, new, True
        length /= 2
    return p, now, False


def quantile(family: Family | Poisson, rate: float) -> float:
    """F^-1(rate), or the log of a Poisson rate."""
    if isinstance(family, Poisson):
        return float(np.log(rate))
    size = width(family)
    low, high = -size, size
    while family.cdf(low) > rate:
        low *= 2
    while family.cdf(high) < rate:
        high *= 2
    return float(brentq(lambda x: float(family.cdf(x)) - rate, low, high, xtol=1e-9 * size))


def _check_columns(model: NeuronModel, columns: np.ndarray, free: np.ndarray) -> None:
    """Refuse regressors that are linearly dependent in the steps that are `free`."""
    names = np.array(model.names[: columns.shape[1]])
    products = gram(columns, free / np.count_nonzero(free))
    size = np.sqrt(np.diag(products))
    if np.any(size == 0):
        raise NsnnError(
            f"{', '.join(names[size == 0])}: nothing reaches it in these data, 0 in every step; drop it, or pass ridge=1.0"
        )
    values, vectors = np.linalg.eigh(products / np.outer(size, size))
    if values[0] < 1e-12:
        share = np.abs(vectors[:, 0])
        alike = names[share > 0.1 * share.max()]
        raise NsnnError(
            f"{', '.join(alike)}: these can't be distinguished, one is a sum of the others in these data; take a smaller basis or "
            f"a richer signal, {'give theta a value' if 'theta' in alike else 'or pass ridge=1.0'}"
        )


def _diverges(model: NeuronModel, now: Value, step: np.ndarray) -> NsnnError:
    moved = np.maximum(now.traces.max(axis=0), -now.traces.min(axis=0)) * np.abs(step)
    names = ", ".join(np.array(model.names)[moved > 0.1 * moved.max()])
    return NsnnError(
        f"the likelihood has no maximum: it grows without end with {names}, because these separate steps with spikes "
        "perfectly from those without (a refractory time in the history, too few spikes); pass refractory=, a smaller or "
        "smoother basis, or ridge=1.0"
    )
