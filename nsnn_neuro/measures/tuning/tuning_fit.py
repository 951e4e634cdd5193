"""Curves fitted to the responses of neurons: von Mises, Gaussian and cosine, by least squares over trials.

The curve is baseline + amplitude * shape(x; preferred, width): for given preferred and width the two others follow by linear
regression. The least squares are found on a grid of both and refined by SciPy. Standard errors are those of White's covariance,
H^-1 M H^-1 n/(n - p) with H = J^T J and M = J^T diag(e^2) J of Jacobian J and residuals e of trials: right for responses whose
variance changes with the stimulus, as that of counts does.

The test against a constant permutes the stimuli over trials. Its statistic is the largest reduction of the squared residuals by a
curve on the grid, before refinement. F and likelihood ratio tests do not hold their level: without tuning, preferred stimulus and
width are not defined, and the best of all bumps explains more of the noise than their number of parameters tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import least_squares

from ...core.checks import number, one_of
from ...core.errors import NsnnError
from ...core.warn import warn
from ..response_checks import permutation_p
from ..trains import nan_ratio, warn_silent
from .responses import in_unit

if TYPE_CHECKING:
    from .tuning_curve import TuningCurve

_NAMES = {
    "von_mises": ("baseline", "amplitude", "preferred", "concentration"),
    "gaussian": ("baseline", "amplitude", "preferred", "width"),
    "cosine": ("baseline", "amplitude", "preferred"),
}
_CONCENTRATION = (0.05, 500.0)  # from nearly a cosine to a peak of 2.6 degrees
_GRID = 24
_MOST_ERROR = 3.0  # relative standard error up to which a width is taken to be determined


@dataclass(frozen=True, eq=False)
class TuningFit:
    """Curves fitted to the responses of neurons, one each; made by `TuningCurve.fit`.

    >>> from nsnn_neuro.measures import tuning_curve
    >>> x = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], 2)
    >>> rates = 2 + 8*np.exp(-(x - 3.2)**2 / 2) + np.tile([-0.1, 0.1], 5)
    >>> fit = tuning_curve(x, rates).fit("gaussian")
    >>> fit.parameters["preferred"].round(2), fit.parameters["width"].round(2), fit.r2.round(3)
    (array([3.2]), array([1.]), array([1.]))
    """

    model: str
    """ "von_mises", "gaussian" or "cosine" """
    parameters: dict[str, np.ndarray]
    """name -> (n_neurons,); preferred and width in the unit of the stimulus, baseline and amplitude in that of the response"""
    se: dict[str, np.ndarray]
    """name -> (n_neurons,) standard error; NaN where a parameter is not determined"""
    r2: np.ndarray
    """(n_neurons,) fraction of the variance of the stimuli's mean responses, weighted by trials, that the curve explains"""
    log_likelihood: np.ndarray
    """(n_neurons,) of all trials, normal with the residual variance"""
    p: np.ndarray
    """(n_neurons,) of a constant response, by permutations; NaN without them. A fit with a large p means nothing"""
    n: int
    """trials"""
    unit: str
    """of the stimulus"""
    period: float | None
    """in the unit of the stimulus; None for "gaussian" """

    def predict(self, stimulus: Any) -> np.ndarray:
        """The curves at other stimuli, (n_neurons, m), or (n_neurons,) for a single one.

        >>> from nsnn_neuro.measures import tuning_curve
        >>> fit = tuning_curve([0, 90, 180, 270], [5.0, 3.0, 1.0, 3.0]).fit("cosine")
        >>> fit.predict([0, 60]).round(6), fit.predict(180).round(6)
        (array([[5., 4.]]), array([1.]))
        """
        x = in_unit(stimulus, self.unit, "stimulus")
        if x.ndim > 1 or not np.isfinite(x).all():
            raise NsnnError(f"stimulus = {stimulus}: expected finite numbers, (m,)")
        values = np.array(list(self.parameters.values()))
        return np.stack([curve(self.model, p, x, self.period) for p in values.T])


def curve(model: str, p: np.ndarray, x: np.ndarray, period: float | None) -> np.ndarray:
    """Responses of the model with parameters p at x.

    >>> curve("gaussian", np.array([1.0, 2.0, 0.0, 1.0]), np.array([0.0]), None)
    array([3.])
    """
    return np.asarray(p[0] + p[1] * _shape(model, p[2:], x, period))


def _shape(model: str, p: np.ndarray, x: np.ndarray, period: float | None) -> np.ndarray:
    if model == "gaussian":
        return np.asarray(np.exp(-((x - p[0]) ** 2) / (2 * p[1] ** 2)))
    assert period is not None
    cosine = np.cos(2 * np.pi * (x - p[0]) / period)
    return cosine if model == "cosine" else np.exp(p[1] * (cosine - 1))


def fit_curve(
    data: TuningCurve, model: str, period: Any, *, n_shuffle: int = 1000, seed: int = 0
) -> TuningFit:
    """The curve of `model` fitted to each neuron; see `TuningCurve.fit`.

    >>> from nsnn_neuro.measures import tuning_curve
    >>> fit_curve(tuning_curve([0, 90, 180, 270], [5.0, 3.0, 1.0, 3.0]), "cosine", 360).parameters["amplitude"].round(6)
    array([2.])
    """
    names = _NAMES[one_of(model, tuple(_NAMES), "model")]
    if not number(period, "period") > 0:
        raise NsnnError(
            f"period = {period}: expected degrees, such as 360 for directions or 180 for orientations"
        )
    if data.values.size < len(names):
        raise NsnnError(
            f"stimulus has {data.values.size} distinct values: {model} has {len(names)} parameters and needs as many"
        )
    own = None
    if model != "gaussian":
        data.angles()  # refuses what is no angle
        own = period * (1.0 if data.unit in ("1", "deg") else np.pi / 180)
        turns = np.round(data.values / own % 1.0, 9) % 1.0
        if np.unique(turns).size < len(names):
            raise NsnnError(
                f"period = {period}: fewer than {len(names)} stimuli differ with it, {model} needs as many"
            )
    n_neurons = len(data.mean)
    best, se = np.full((2, len(names), n_neurons), np.nan)
    r2, likelihood = np.full((2, n_neurons), np.nan)
    n = len(data.responses)
    for j in range(n_neurons):
        if np.ptp(data.mean[j]) <= 1e-12 * np.abs(data.mean[j]).max():
            continue
        p = _cosine(data, j, own) if model == "cosine" else _nonlinear(data, j, model, own)
        best[:, j] = p
        residual = data.responses[:, j] - curve(model, p, data.values, own)[data.label]
        se[:, j] = _errors(data, model, p, residual, own)
        off = data.mean[j] - curve(model, p, data.values, own)
        centred = data.mean[j] - np.average(data.mean[j], weights=data.n)
        r2[j] = 1 - (data.n * off**2).sum() / (data.n * centred**2).sum()
        variance = (residual**2).mean()
        with np.errstate(divide="ignore"):
            likelihood[j] = -0.5 * n * (np.log(2 * np.pi * variance) + 1)
    warn_silent(r2, "fit", "have the same mean response to all stimuli")
    doubtful = int((np.isnan(se).any(axis=0) & ~np.isnan(r2)).sum())
    if doubtful:
        warn(
            f"fit: {doubtful} of {n_neurons} neurons do not determine a parameter of {model}, or have as many trials as it has "
            "parameters; its standard error is NaN"
        )
    p = np.where(np.isnan(r2), np.nan, against_constant(data, model, own, n_shuffle, seed))
    parameters, errors = (dict(zip(names, values, strict=True)) for values in (best, se))
    return TuningFit(model, parameters, errors, r2, likelihood, p, n, data.unit, own)


def _cosine(data: TuningCurve, j: int, period: float | None) -> np.ndarray:
    assert period is not None
    t = 2 * np.pi * data.values / period
    design = np.stack([np.ones_like(t), np.cos(t), np.sin(t)], axis=1)
    root = np.sqrt(data.n)
    a, b, c = np.linalg.lstsq(design * root[:, None], data.mean[j] * root, rcond=None)[0]
    return np.array([a, np.hypot(b, c), np.arctan2(c, b) / (2 * np.pi) * period % period])


def against_constant(
    data: TuningCurve, model: str, period: float | None, n_shuffle: int, seed: int
) -> np.ndarray:
    """P-values (n_neurons,) of the largest reduction of squares by a curve, among those of permuted stimuli.

    >>> from nsnn_neuro.measures import tuning_curve
    >>> curve = tuning_curve([0, 0, 90, 90, 180, 180, 270, 270], [9.0, 8.0, 4.0, 5.0, 1.0, 0.0, 4.0, 5.0])
    >>> against_constant(curve, "cosine", 360.0, 99, 0)
    array([0.01])
    """
    if n_shuffle == 0:
        return np.full(len(data.mean), np.nan)
    root = np.sqrt(data.n)
    if model == "cosine":
        assert period is not None
        t = 2 * np.pi * data.values / period
        shapes = np.stack([np.cos(t), np.sin(t)])
    else:
        grid = _grid(data, model, period)
        shapes = _shape(model, np.array([grid[:, :1], np.exp(grid[:, 1:])]), data.values, period)
    shapes = (shapes - np.average(shapes, axis=1, weights=data.n)[:, None]) * root
    if model == "cosine":
        shapes = np.linalg.qr(shapes.T)[0].T
    else:
        size = np.linalg.norm(shapes, axis=1, keepdims=True)
        shapes = np.where(size > 1e-9 * size.max(), nan_ratio(shapes, size), 0.0)

    def reduction(label: np.ndarray) -> np.ndarray:
        mean = data.responses.T @ (
            np.eye(data.n.size)[label] / root
        )  # times the root of the number of trials
        explained = mean @ shapes.T
        if model == "cosine":
            return np.asarray((explained**2).sum(axis=1))
        return np.asarray(np.maximum(explained.max(axis=1), 0.0))

    rng = np.random.default_rng(seed)
    own = reduction(data.label)
    null = np.array([reduction(rng.permutation(data.label)) for _ in range(n_shuffle)])
    return np.array([permutation_p(column, value) for column, value in zip(null.T, own, strict=True)], float)


def _grid(data: TuningCurve, model: str, period: float | None) -> np.ndarray:
    """(m, 2) preferred stimuli and logarithms of widths or concentrations at which fits are begun."""
    x, (low, high) = data.values, _limits(data, model, period)
    places = x[0] + np.arange(_GRID) / _GRID * period if period else np.linspace(x[0], x[-1], _GRID)
    widths = np.linspace(low[1], high[1], 10)[1:-1]
    return np.stack(np.meshgrid(places, widths, indexing="ij"), axis=-1).reshape(-1, 2)


def _limits(data: TuningCurve, model: str, period: float | None) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest value of the preferred stimulus and of log concentration or log width."""
    x = data.values
    if period is not None:
        return np.array([-np.inf, np.log(_CONCENTRATION[0])]), np.array([np.inf, np.log(_CONCENTRATION[1])])
    span = np.ptp(x)
    return (
        np.array([x[0] - span, np.log(np.diff(x).min() / 4)]),
        np.array([x[-1] + span, np.log(4 * span)]),
    )


def _nonlinear(data: TuningCurve, j: int, model: str, period: float | None) -> np.ndarray:
    x, y, root = data.values, data.mean[j], np.sqrt(data.n)
    low, high = _limits(data, model, period)
    grid = _grid(data, model, period)
    loss, linear = _profiled(model, grid, x, y, data.n / data.n.sum(), period)
    solutions = []
    for k in np.argsort(loss)[:2]:
        start = np.array([*linear[k], *grid[k]])

        def residual(q: np.ndarray) -> np.ndarray:
            return root * (curve(model, np.array([*q[:3], np.exp(q[3])]), x, period) - y)

        bounds = ([-np.inf, 0.0, *low], [np.inf, np.inf, *high])
        start[1] = max(start[1], 1e-6 * np.ptp(y))
        solutions.append(
            least_squares(
                residual, start, bounds=bounds, x_scale=_scale(y, x, period), xtol=1e-10, ftol=1e-12
            )
        )
    q = min(solutions, key=lambda solution: solution.cost).x
    return np.array([q[0], q[1], q[2] % period if period else q[2], np.exp(q[3])])


def _scale(y: np.ndarray, x: np.ndarray, period: float | None) -> np.ndarray:
    return np.array([np.ptp(y), np.ptp(y), (period or np.ptp(x)) / 10, 0.3])


def _profiled(
    model: str, grid: np.ndarray, x: np.ndarray, y: np.ndarray, weight: np.ndarray, period: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean squares (m,) with the best baseline and amplitude >= 0, and these (m, 2); grid (m, 2): preferred, log of width."""
    shape = _shape(model, np.array([grid[:, :1], np.exp(grid[:, 1:])]), x, period)
    centred, off = shape - (shape @ weight)[:, None], y - weight @ y
    amplitude = np.maximum(nan_ratio((centred * off) @ weight, centred**2 @ weight), 0.0)
    amplitude = np.nan_to_num(amplitude)
    loss = (off - amplitude[:, None] * centred) ** 2 @ weight
    return loss, np.stack([(y - amplitude[:, None] * shape) @ weight, amplitude], axis=1)


def _errors(
    data: TuningCurve, model: str, p: np.ndarray, residual: np.ndarray, period: float | None
) -> np.ndarray:
    """White's standard errors of the parameters, NaN where they are not determined or at their limits."""
    n, k = residual.size, p.size
    if n <= k:
        return np.full(k, np.nan)
    step = 1e-6 * np.maximum(
        np.abs(p), 1e-3 * np.array([*_scale(data.mean, data.values, period)[:3], 1.0][:k])
    )
    columns = [
        (curve(model, p + d, data.values, period) - curve(model, p - d, data.values, period)) / (2 * d.max())
        for d in np.diag(step)
    ]
    jacobian = np.stack(columns, axis=1)[data.label]
    scale = np.sqrt((jacobian**2).sum(axis=0))
    if not (scale > 0).all():
        return np.full(k, np.nan)
    q, r = np.linalg.qr(jacobian / scale)
    if np.abs(np.diag(r)).min() < 1e-7:
        return np.full(k, np.nan)
    inverse = np.linalg.inv(r)
    middle = (q * residual[:, None] ** 2).T @ q
    se = np.sqrt(np.diag(inverse @ middle @ inverse.T) * n / (n - k)) / scale
    if model != "cosine":
        low, high = _limits(data, model, period)
        margin = 1e-3 * (high[1] - low[1])
        if not low[1] + margin < np.log(p[3]) < high[1] - margin:
            return np.full(k, np.nan)
        if (
            se[3] > _MOST_ERROR * p[3]
        ):  # all widths beyond some limit fit alike, such as those of a single high point
            se[2:] = np.nan
    return np.asarray(se)
