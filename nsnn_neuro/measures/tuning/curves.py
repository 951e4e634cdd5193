"""Curves of tuning and their least squares: best parameters, profile limits and standard errors, as `tuning_fit` explains them."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq, least_squares

if TYPE_CHECKING:
    from .tuning_curve import TuningCurve

NAMES = {
    "von_mises": ("baseline", "amplitude", "preferred", "concentration"),
    "two_von_mises": ("baseline", "amplitude", "second_amplitude", "preferred", "concentration"),
    "gaussian": ("baseline", "amplitude", "preferred", "width"),
    "cosine": ("baseline", "amplitude", "preferred"),
}
_CONCENTRATION = (0.05, 500.0)  # from nearly a cosine to a peak of 2.6 degrees
_GRID = 24
_MOST_ERROR = 3.0  # relative standard error up to which a parameter is taken to be determined
SECOND_PEAK = 4.0  # z of a second peak that is warned of


def curve(model: str, p: np.ndarray, x: np.ndarray, period: float | None) -> np.ndarray:
    """Responses of the model with parameters p at x."""
    k = _n_linear(model)
    return np.asarray(p[0] + p[1:k] @ shapes_of(model, p[k:], x, period))


def _n_linear(model: str) -> int:
    """Number of parameters, the first ones, that the curve is linear in."""
    return NAMES[model].index("preferred")


def shapes_of(model: str, p: np.ndarray, x: np.ndarray, period: float | None) -> np.ndarray:
    """(n_amplitudes, ...) curves of amplitude 1 without baseline; p: preferred and, if the model has one, width."""
    if model == "gaussian":
        return np.exp(-((x - p[0]) ** 2) / (2 * p[1] ** 2))[None]
    assert period is not None
    cosine = np.cos(2 * np.pi * (x - p[0]) / period)
    if model == "cosine":
        return np.asarray(cosine[None])
    signs = (1, -1) if model == "two_von_mises" else (1,)
    return np.stack([np.exp(p[1] * (sign * cosine - 1)) for sign in signs])


def grid_of(data: TuningCurve, period: float | None) -> np.ndarray:
    """(m, 2) preferred stimuli and logarithms of widths or concentrations at which fits are begun."""
    x, (low, high) = data.values, _limits(data, period)
    places = x[0] + np.arange(_GRID) / _GRID * period if period else np.linspace(x[0], x[-1], _GRID)
    widths = np.linspace(low[1], high[1], 10)[1:-1]
    return np.stack(np.meshgrid(places, widths, indexing="ij"), axis=-1).reshape(-1, 2)


def _limits(data: TuningCurve, period: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest value of the preferred stimulus and of log concentration or log width."""
    x = data.values
    if period is not None:
        return np.array([-np.inf, np.log(_CONCENTRATION[0])]), np.array([np.inf, np.log(_CONCENTRATION[1])])
    span, narrow = np.ptp(x), np.log(np.diff(x).min() / 4)
    return np.array([x[0] - span, narrow]), np.array([x[-1] + span, np.log(4 * span)])


def best_parameters(data: TuningCurve, j: int, model: str, period: float | None) -> np.ndarray:
    """Parameters of least squares for neuron j."""
    x, y, weight = data.values, data.mean[j], data.n / data.n.sum()
    floor, k = _bounds(data, j, model, period)[0, 0], _n_linear(model)
    if model == "cosine":
        assert period is not None
        t = 2 * np.pi * x / period
        root, columns = np.sqrt(data.n), np.stack([np.ones_like(t), np.cos(t), np.sin(t)], axis=1)
        a, b, c = np.linalg.lstsq(columns * root[:, None], y * root, rcond=None)[0]
        if a < floor:
            a, (b, c) = 0.0, np.linalg.lstsq(columns[:, 1:] * root[:, None], y * root, rcond=None)[0]
        return np.array([a, np.hypot(b, c), np.arctan2(c, b) / (2 * np.pi) * period % period])
    grid = grid_of(data, period)
    shapes = shapes_of(model, np.array([grid[:, :1], np.exp(grid[:, 1:])]), x, period)
    loss, linear = _linear(shapes, y, weight, floor)
    starts = [np.array([*linear[i], *grid[i]]) for i in np.argsort(loss)[:2]]
    refined = [_refined(data, j, model, period, start) for start in starts]
    place, log_width = min(refined, key=lambda one: one[1])[0][k:]
    place = place % period if period else place
    shapes = shapes_of(model, np.array([place, np.exp(log_width)]), x, period)
    p = np.array([*_linear(shapes[:, None], y, weight, floor)[1][0], place, np.exp(log_width)])
    if model == "two_von_mises" and p[2] > p[1]:
        assert period is not None
        p[[1, 2]], p[3] = p[[2, 1]], (place + period / 2) % period
    return p


def _refined(
    data: TuningCurve, j: int, model: str, period: float | None, start: np.ndarray, held: int = -1
) -> tuple[np.ndarray, float]:
    """Parameters of least squares near `start`, with the logarithm of a width, and their squares; parameter `held` stays."""
    y, root, k = data.mean[j], np.sqrt(data.n), _n_linear(model)
    scale = np.array([*[np.ptp(y)] * k, (period or np.ptp(data.values)) / 10, 0.3])[: start.size]
    low, high = _bounds(data, j, model, period)
    free, q = np.arange(start.size) != held, start.copy()

    def residual(values: np.ndarray) -> np.ndarray:
        q[free] = values
        return root * (curve(model, np.array([*q[: k + 1], *np.exp(q[k + 1 :])]), data.values, period) - y)

    inside = np.clip(start, low + 1e-6 * scale, high - 1e-6 * scale)[free]
    options = {"x_scale": scale[free], "xtol": 1e-10, "ftol": 1e-12}
    solution = least_squares(residual, inside, bounds=(low[free], high[free]), **options)
    q[free] = solution.x
    return q, 2 * float(solution.cost)


def limit(
    data: TuningCurve, j: int, model: str, period: float | None, p: np.ndarray, held: int, side: int, t: float
) -> float:
    """The value of a parameter on a side of the fit p whose best fit leaves t^2 v more squares; see `TuningFit.interval`."""
    k, n = _n_linear(model), len(data.responses)
    slopes = _jacobian(data, model, p, period)[data.label]
    slopes[:, k + 1 :] *= p[k + 1 :]  # of a logarithm
    z, others = slopes[:, held], np.delete(slopes, held, axis=1)
    size = z @ z
    z = z - others @ np.linalg.lstsq(others, z, rcond=None)[0]
    if n <= p.size or z @ z <= 1e-14 * size:
        return np.nan
    residual = data.responses[:, j] - curve(model, p, data.values, period)[data.label]
    most = t * np.sqrt(z**2 @ residual**2 / (z @ z) * n / (n - p.size))
    q = np.array([*p[: k + 1], *np.log(p[k + 1 :])])
    best, step = float(q[held]), most / np.sqrt(z @ z)
    ends = _bounds(data, j, model, period)[:, held]
    if held < k:
        far = 10 * np.ptp(data.mean[j])
        ends = np.clip(best + np.array([-far, far]), *ends)
    elif held == k and period:
        ends = best + np.array([-0.5, 0.5]) * period / (2 if model == "two_von_mises" else 1)
    least = (data.n * (data.mean[j] - curve(model, p, data.values, period)) ** 2).sum()
    solved = {best: q}

    def excess(value: float) -> float:  # nearly linear in the value
        start = solved[min(solved, key=lambda other: abs(other - value))].copy()
        start[held] = value
        solved[value], squares = _refined(data, j, model, period, start, held)
        return float(np.sqrt(max(0.0, squares - least)) - most)

    inner, reach, outer = best, step, float(np.clip(best + side * step, *ends))
    while excess(outer) <= 0 < step:
        if outer == ends[(side + 1) // 2]:
            return outer if side < 0 and outer == 0 and held < k else np.nan
        inner, reach = outer, 2 * reach
        outer = float(np.clip(best + side * reach, *ends))
    value = brentq(excess, inner, outer, xtol=1e-4 * step) if step else best
    return float(np.exp(value) if held > k else value)


def _bounds(data: TuningCurve, j: int, model: str, period: float | None) -> np.ndarray:
    """(2, n_parameters) least and greatest value of each parameter of neuron j, with the logarithm of a width."""
    k, (low, high) = _n_linear(model), _limits(data, period)
    floor = 0.0 if (data.responses[:, j] >= 0).all() else -np.inf
    return np.array([[floor, *[0.0] * (k - 1), *low], [*[np.inf] * k, *high]])[:, : len(NAMES[model])]


def _linear(
    shapes: np.ndarray, y: np.ndarray, weight: np.ndarray, floor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mean squares (m,) with the best baseline >= floor and amplitudes >= 0, and these (m, k); shapes (k - 1, m, n_stimuli).

    The best of all sets of parameters that are not at their limits.
    """
    columns = np.concatenate([np.ones((1, *shapes.shape[1:])), shapes])
    k, m = columns.shape[:2]
    loss, best = np.full(m, np.inf), np.zeros((m, k))
    for free in product([False, True], repeat=k):
        if not free[0] and floor < 0:
            continue
        own = np.flatnonzero(free)
        some = columns[own] * np.sqrt(weight)
        values = np.zeros((m, k))
        if own.size:
            inverse = np.linalg.pinv(np.moveaxis(some, 0, -1), rcond=1e-9)
            values[:, own] = inverse @ (y * np.sqrt(weight))
        off = y - np.einsum("mk,kms->ms", values, columns)
        fits = (values[:, 0] >= floor) & (values[:, 1:] >= 0).all(axis=1)
        squares = np.where(fits, off**2 @ weight, np.inf)
        better = squares < loss
        loss, best = np.where(better, squares, loss), np.where(better[:, None], values, best)
    return loss, best


def _jacobian(data: TuningCurve, model: str, p: np.ndarray, period: float | None) -> np.ndarray:
    """(n_stimuli, n_parameters) slopes of the curve."""
    k = _n_linear(model)
    scale = np.array([*[np.ptp(data.mean)] * k, (period or np.ptp(data.values)) / 10, 1.0][: p.size])
    step = 1e-6 * np.maximum(np.abs(p), 1e-3 * scale)
    at = partial(curve, model, x=data.values, period=period)
    return np.stack([(at(p + d) - at(p - d)) / (2 * d.max()) for d in np.diag(step)], axis=1)


def errors_of(
    data: TuningCurve, j: int, model: str, p: np.ndarray, residual: np.ndarray, period: float | None
) -> tuple[np.ndarray, str]:
    """White's standard errors of the parameters of neuron j, NaN where they are not determined or at limits, and why."""
    names, k = NAMES[model], _n_linear(model)
    jacobian = _jacobian(data, model, p, period)[data.label]
    limited = np.zeros(p.size, dtype=bool)
    most = np.array([*[_MOST_ERROR * np.ptp(data.mean[j])] * k, (period or np.ptp(data.values)) / 4])
    if p.size > k + 1:
        low, high = _limits(data, period)
        place = np.array([p[k], np.log(p[k + 1])])
        margin = np.where(np.isfinite(high), 1e-3 * (high - low), 0.0)
        limited[k:] = (place <= low + margin) | (place >= high - margin)
        most = np.append(most, _MOST_ERROR * p[k + 1])
    zero = np.append(p[:k] == 0, np.zeros(p.size - k, dtype=bool))
    # those at 0 are held there only if all errors are too large without that
    for held in (limited, limited | zero):
        se, why = _white(jacobian[:, ~held], residual)
        if why:
            return np.full(p.size, np.nan), why
        errors = np.full(p.size, np.nan)
        errors[~held] = se
        vague = errors > most
        if limited[k:].any() or vague[k + 1 :].any():  # all widths beyond some limit fit alike
            vague[k:] |= ~limited[k:]
        if not vague.any():
            break
    reasons = [f"{name} at its limit" for name, at in zip(names, held, strict=True) if at]
    reasons += [f"{name} not determined" for name, no in zip(names, vague, strict=True) if no]
    return np.where(vague, np.nan, errors), "; ".join(reasons)


def _white(jacobian: np.ndarray, residual: np.ndarray) -> tuple[np.ndarray, str]:
    """White's standard errors for a Jacobian (n_trials, p), and why there are none, "" if there are."""
    n, k = jacobian.shape
    size = np.sqrt((jacobian**2).sum(axis=0))
    if n <= k:
        return size, "no more trials than parameters"
    if not (size > 0).all():
        return size, "a flat curve"
    q, r = np.linalg.qr(jacobian / size)
    if np.abs(np.diag(r)).min() < 1e-7:
        return size, "parameters of the same effect"
    inverse = np.linalg.inv(r)
    middle = (q * residual[:, None] ** 2).T @ q
    return np.sqrt(np.diag(inverse @ middle @ inverse.T) * n / (n - k)) / size, ""


def second_peak(data: TuningCurve, p: np.ndarray, residual: np.ndarray, period: float | None) -> float:
    """z of a second peak of the same width, half a period from the first, in the residuals of a single one."""
    k = _n_linear("von_mises")
    shape = shapes_of("two_von_mises", p[k:], data.values, period)[1][data.label]
    jacobian = _jacobian(data, "von_mises", p, period)[data.label]
    shape = shape - jacobian @ np.linalg.lstsq(jacobian, shape, rcond=None)[0]
    with np.errstate(invalid="ignore"):
        return float(shape @ residual / np.sqrt(shape**2 @ residual**2))
