"""Curves fitted to the responses of neurons: von Mises, with one peak or two, Gaussian and cosine, by least squares over trials.

For given preferred stimulus and width baseline and amplitudes follow by linear regression. The least squares are found on a grid of
both and refined by SciPy. Without their limits a curve broader than the stimuli would be a huge peak on a baseline far below 0.

Standard errors are those of White's covariance, H^-1 M H^-1 n/(n - p) with H = J^T J and M = J^T diag(e^2) J of Jacobian J and
residuals e of trials: right for responses whose variance changes with the stimulus, as that of counts does. A parameter at its
limit has none, and the others' hold it there. Nor has one that the data do not determine, so that the expansion to first order
says nothing: its error would exceed three times its value, or the range of the mean responses, or a quarter of the period.
`TuningFit.interval` follows the skewness of errors, as those of a baseline at the limit 0.

The test against a constant permutes the stimuli over trials. Its statistic is the largest reduction of the squared residuals by a
curve on the grid, before refinement. F and likelihood ratio tests do not hold their level: without tuning, preferred stimulus and
width are not defined, and the best of all bumps explains more of the noise than their number of parameters tells.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.sparse import csc_array
from scipy.stats import t as student

from ...core.aliases import Values
from ...core.checks import number, one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.parallel import narrow_products
from ...core.warn import warn
from ..limits import between_0_and_1
from ..response_checks import permutation_p
from ..trains import nan_ratio, warn_silent
from . import curves
from .read_trials import in_unit

if TYPE_CHECKING:
    from .tuning_curve import TuningCurve


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
    """ "von_mises", "two_von_mises", "gaussian" or "cosine" """
    parameters: dict[str, np.ndarray]
    """name -> (n_neurons,); preferred and width in the unit of the stimulus, baseline and amplitudes in that of the response"""
    se: dict[str, np.ndarray]
    """name -> (n_neurons,) standard error; NaN where a parameter is not determined or at its limit, see `reason`"""
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
    reason: np.ndarray
    """(n_neurons,) texts: why standard errors are NaN, "" where none is"""
    _data: TuningCurve = field(repr=False)

    @suggest_keywords
    def interval(self, name: str, *, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Profile limits of a parameter, (lower, upper), each (n_neurons,): skewed where its errors are, as those of a baseline.

        Between the limits the best fit with the parameter held leaves at most t^2 v more squared residuals than the fit. t is
        Student's quantile, v = n/(n - p) sum of z^2 e^2 / sum of z^2 the variance of the residuals e that counts for the parameter,
        z its slope less the regression on the slopes of the p - 1 others: without skewness the limits are +- t se. Baselines and
        amplitudes end at 0; limits of angles may lie below 0 or beyond 360 degrees. Coverage: "Errors with few trials" in the
        documentation.

        Parameters
        ----------
        name : of a parameter
        level : between 0 and 1

        Raises
        ------
        NsnnError : another name. Limits are NaN where no value on that side fits worse by so much, or without more trials
            than parameters; one warning counts these neurons. Source: Venzon & Moolgavkar 1988, doi 10.2307/2347496

        >>> from nsnn_neuro.measures import tuning_curve
        >>> x = np.repeat(np.arange(0, 360, 30), 5)
        >>> rates = np.random.default_rng(1).poisson(2 + 9*np.exp(2*np.cos(np.deg2rad(x - 80)) - 2))
        >>> [limit.round(1) for limit in tuning_curve(x, rates).fit("von_mises").interval("preferred")]
        [array([73.1]), array([93.4])]
        """
        between_0_and_1(level, "level")
        held = list(self.parameters).index(one_of(name, tuple(self.parameters), "name"))
        values = np.array(list(self.parameters.values())).T
        known = np.flatnonzero(~np.isnan(self.r2)).tolist()
        t = student.isf((1 - level) / 2, max(1, self.n - len(self.parameters)))
        limits = np.full((2, self.r2.size), np.nan)
        with narrow_products():
            for (i, side), j in product(enumerate((-1, 1)), known):
                limits[i, j] = curves.limit(self._data, j, self.model, self.period, values[j], held, side, t)
        if n := int(np.isnan(limits[:, known]).any(axis=0).sum()):
            warn(
                f"interval: responses of {n} of {self.r2.size} neurons do not limit {name} on both sides; NaN there"
            )
        return limits[0], limits[1]

    def __str__(self) -> str:
        """The parameters of each neuron with standard errors.

        >>> from nsnn_neuro.measures import tuning_curve
        >>> print(tuning_curve([0, 90, 180, 270]*2, [5.1, 4, 1, 2, 4.9, 4, 1, 2]).fit("cosine"))
        cosine fitted to 8 trials
                   baseline    amplitude    preferred R2      p
        neuron 0  3 ± 0.022  2.24 ± 0.04  26.6 ± 0.51  1  0.004
        """
        unit = "" if self.unit == "1" else f" ({self.unit})"
        columns = {
            name + unit * (name in ("preferred", "width")): [
                f"{value:.3g} ± {se:.2g}" for value, se in zip(values, self.se[name], strict=True)
            ]
            for name, values in self.parameters.items()
        }
        columns |= {"R2": [f"{r2:.3g}" for r2 in self.r2], "p": [f"{p:.2g}" for p in self.p]}
        columns |= {"": self.reason.tolist()} if self.reason.any() else {}
        table = pd.DataFrame(columns, index=[f"neuron {j}" for j in range(self.p.size)])
        return f"{self.model} fitted to {self.n} trials\n{table.to_string()}"

    def predict(self, stimulus: Values) -> np.ndarray:
        """The curves at other stimuli, (n_neurons, m), or (n_neurons,) for a single one."""
        x = in_unit(stimulus, self.unit, "stimulus")
        if x.ndim > 1 or not np.isfinite(x).all():
            raise NsnnError(f"stimulus = {stimulus}: expected finite numbers, (m,)")
        values = np.array(list(self.parameters.values()))
        return np.stack([curves.curve(self.model, p, x, self.period) for p in values.T])


def fit_curve(
    data: TuningCurve, model: str, period: Any, *, n_shuffle: int = 1000, seed: int = 0
) -> TuningFit:
    """The curve of `model` fitted to each neuron; see `TuningCurve.fit`."""
    names = curves.NAMES[one_of(model, tuple(curves.NAMES), "model")]
    if not number(period, "period") > 0:
        raise NsnnError(
            f"period = {period}: expected degrees, such as 360 for directions, 180 for orientations"
        )
    if data.values.size < len(names):
        few = f"stimulus has {data.values.size} distinct values"
        raise NsnnError(f"{few}: {model} has {len(names)} parameters and needs as many")
    own = None
    if model != "gaussian":
        data.angles()  # refuses what is no angle
        own = period * (1.0 if data.unit in ("1", "deg") else np.pi / 180)
        turns = np.round(data.values / own % 1.0, 9) % 1.0
        if np.unique(turns).size < len(names):
            few = f"fewer than {len(names)} stimuli differ with it"
            raise NsnnError(f"period = {period}: {few}, {model} needs as many")
    n_neurons = len(data.mean)
    best, se = np.full((2, len(names), n_neurons), np.nan)
    r2, likelihood = np.full((2, n_neurons), np.nan)
    reason = np.full(n_neurons, "", dtype=object)
    n, second = len(data.responses), 0
    for j in range(n_neurons):
        if np.ptp(data.mean[j]) <= 1e-12 * np.abs(data.mean[j]).max():
            continue
        p = curves.best_parameters(data, j, model, own)
        best[:, j] = p
        residual = data.responses[:, j] - curves.curve(model, p, data.values, own)[data.label]
        se[:, j], reason[j] = curves.errors_of(data, j, model, p, residual, own)
        if model == "von_mises":
            second += curves.second_peak(data, p, residual, own) > curves.SECOND_PEAK
        off = data.mean[j] - curves.curve(model, p, data.values, own)
        centred = data.mean[j] - np.average(data.mean[j], weights=data.n)
        r2[j] = 1 - (data.n * off**2).sum() / (data.n * centred**2).sum()
        variance = (residual**2).mean()
        with np.errstate(divide="ignore"):
            likelihood[j] = -0.5 * n * (np.log(2 * np.pi * variance) + 1)
    warn_silent(r2, "fit", "have the same mean response to all stimuli")
    doubtful = [text for text in reason if text]
    if doubtful:
        each = Counter(part for text in doubtful for part in text.split("; "))
        listed = ", ".join(f"{part} ({number})" for part, number in each.most_common())
        warn(
            f"fit: {len(doubtful)} of {n_neurons} neurons do not determine a parameter of {model}, whose standard error is NaN: "
            f"{listed}; see `reason` of the fit"
        )
    if second:
        warn(
            f"fit: {second} of {n_neurons} neurons have a second peak, at half a period from the first, that {model} leaves out: "
            "fit('two_von_mises') has both"
        )
    p = np.where(np.isnan(r2), np.nan, against_constant(data, model, own, n_shuffle, seed))
    parameters, errors = (dict(zip(names, values, strict=True)) for values in (best, se))
    about = n, data.unit, own, reason.astype(str), data
    return TuningFit(model, parameters, errors, r2, likelihood, p, *about)


def against_constant(
    data: TuningCurve, model: str, period: float | None, n_shuffle: int, seed: int
) -> np.ndarray:
    """P-values (n_neurons,) of the largest reduction of squares by a curve, among those of permuted stimuli."""
    if n_shuffle == 0:
        return np.full(len(data.mean), np.nan)
    root = np.sqrt(data.n)
    if model == "cosine":
        assert period is not None
        t = 2 * np.pi * data.values / period
        shapes = np.stack([np.cos(t), np.sin(t)])[:, None]
    else:
        grid = curves.grid_of(data, period)
        shapes = curves.shapes_of(model, np.array([grid[:, :1], np.exp(grid[:, 1:])]), data.values, period)
    shapes = (shapes - np.average(shapes, axis=-1, weights=data.n)[..., None]) * root
    for k in range(len(shapes)):  # orthonormal at each point of the grid
        before = np.linalg.norm(shapes[k], axis=-1, keepdims=True)
        for other in shapes[:k]:
            shapes[k] -= (shapes[k] * other).sum(axis=-1, keepdims=True) * other
        size = np.linalg.norm(shapes[k], axis=-1, keepdims=True)
        shapes[k] = np.where(size > 1e-9 * before.max(), nan_ratio(shapes[k], size), 0.0)

    def reduction(label: np.ndarray) -> np.ndarray:
        # times the root of the number of trials
        weights = csc_array((1 / root[label], label, np.arange(label.size + 1)), (root.size, label.size))
        explained = (weights @ data.responses).T @ shapes.transpose(0, 2, 1)
        if len(shapes) > 1:
            return np.asarray((explained**2).sum(axis=0).max(axis=1))
        return np.asarray(np.maximum(explained[0].max(axis=1), 0.0))

    rng = np.random.default_rng(seed)
    own = reduction(data.label)
    null = np.array([reduction(rng.permutation(data.label)) for _ in range(n_shuffle)])
    return np.array([permutation_p(column, value) for column, value in zip(null.T, own, strict=True)], float)
