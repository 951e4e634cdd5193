"""Results of measures: `Estimate` for information, and the unit and per-trial sums that `tabulate` reads.

A measure is a plain function. The decorator `measure` gives it three attributes: `unit`; `parts`, its per-trial sums, from
which each leave-one-trial-out value costs one subtraction; and `scale`, that of its confidence limits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ..core.errors import NsnnError

F = TypeVar("F", bound=Callable[..., Any])
_ROUNDING = 32 * np.finfo(float).eps  # relative; a sum over trials less one of them, divided by a duration


@dataclass(frozen=True)
class Estimate:
    """An estimated quantity with its error, correction and null; `float(estimate)` is its value.

    A format such as f"{estimate:.2f}" is applied to the value and its error.

    Parameters
    ----------
    value : the estimate, in `unit`, after the correction; NaN if the estimate is impossible, and `warning` names the cure
    se : its standard error (NaN: not computed)
    correction : name of the bias correction that was applied, "none" for none
    null_mean : mean of the same estimator on shuffled data (None: no shuffle was made)
    p : fraction (1 + shuffles that reach value) / (1 + shuffles) (None: no shuffle was made)
    n : number of samples (trials, words or segments, see the estimator)
    warning : a limitation of this estimate, for example too few trials for the alphabet; None without
    unit : "bit" unless the estimator says otherwise
    se_method : how `se` was computed, for example "jackknife over trials"; None without an error
    reason : why the correction was chosen, if the estimator chose it; None otherwise
    lower, upper : ends of the bracket where estimators disagree beyond their errors; value is then its middle and se a
        quarter of its width. None without a bracket
    z : (value - null_mean) / SD of the null's values, for estimators that compute it; None otherwise

    >>> e = Estimate(0.71, 0.02, "panzeri-treves", 0.001, 0.0099, n=400, se_method="jackknife over trials")
    >>> float(e)
    0.71
    >>> f"{e:.2f}"
    '0.71 ± 0.02'
    >>> print(e)
    0.71 ± 0.02 bit (correction panzeri-treves; se jackknife over trials; null 0.001, p = 0.0099; n = 400)
    """

    value: float
    se: float = math.nan
    correction: str = "none"
    null_mean: float | None = None
    p: float | None = None
    n: int = 0
    warning: str | None = None
    unit: str = "bit"
    se_method: str | None = None
    reason: str | None = None
    lower: float | None = None
    upper: float | None = None
    z: float | None = None

    def __float__(self) -> float:
        return float(self.value)

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        try:
            return format(self.value, spec) + ("" if math.isnan(self.se) else f" ± {format(self.se, spec)}")
        except ValueError:
            raise NsnnError(
                f"format {spec!r} of an Estimate: expected one for numbers, such as '.2f', applied to value and se; pad its text "
                "with f'{str(estimate):>40s}'"
            ) from None

    def __str__(self) -> str:
        se = "" if math.isnan(self.se) else f" ± {self.se:.2g}"
        null = "" if self.null_mean is None else f"; null {self.null_mean:.4g}"
        z = "" if self.z is None else f", z = {self.z:.3g}"
        p = "" if self.p is None else f", p = {self.p:.2g}"
        method = "" if math.isnan(self.se) or self.se_method is None else f"; se {self.se_method}"
        reason = "" if self.reason is None else f", chosen because {self.reason}"
        warning = "" if self.warning is None else f"; warning: {self.warning}"
        if self.lower is not None and self.upper is not None:
            se += f", between {self.lower:.4g} and {self.upper:.4g}"
        how = f"correction {self.correction}{reason}{method}{null}{z}{p}; n = {self.n}{warning}"
        unit = "" if self.unit == "1" else f" {self.unit}"
        return f"{self.value:.4g}{se}{unit} ({how})"


def jackknife_se(left_out: np.ndarray, weights: np.ndarray | None = None) -> Any:
    """sqrt((n - 1) / n sum_i (v_(i) - mean)^2) of leave-one-out values (m, ...), each counted `weights` (m,) times; NaN for n < 2,
    and 0 where the values differ by rounding alone.

    >>> round(jackknife_se(np.array([1.0, 3.0]), np.array([2, 2])), 3)
    1.732
    """
    n = len(left_out) if weights is None else weights.sum()
    if n < 2:
        se: Any = np.full(left_out.shape[1:], np.nan)
    elif weights is None:
        se = np.sqrt((n - 1) / n * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    else:
        mean = np.tensordot(weights, left_out, 1) / n
        se = np.sqrt((n - 1.0) / n * np.tensordot(weights, (left_out - mean) ** 2, 1))
    if len(left_out):  # values that differ by rounding alone, as of equal trials
        same = np.ptp(left_out, axis=0) <= _ROUNDING * np.abs(left_out).max(axis=0)
        se = np.where(same & (np.asarray(n) >= 2), 0.0, se)
    return se if np.ndim(se) else float(se)


def measure(unit: str, parts: Callable[..., Any] | None = None, *, scale: str = "linear") -> Callable[[F], F]:
    """Decorator that declares a measure's unit and, for functions of sums over trials, the sums.

    Parameters
    ----------
    unit : text for the table, for example "Hz"; "1" for a plain number
    parts : function of (Trains, **the measure's own options) that returns `sums, value`: sums is an array
        (n_trials, k, n_neurons) and value maps sums added over trials, (..., k, n_neurons), to (...,
        n_neurons). With it the jackknife over trials needs no second pass over the spikes.
    scale : of the confidence limits of `tabulate`: "linear" (default); "positive" or "fraction", cut off at 0 or at 0 and 1;
        "log" for values that spread by factors, such as ratios of variances

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> from nsnn_neuro.measures import as_trains
    >>> @measure("s")
    ... def first_spike(block, *, t_start=None, t_stop=None):
    ...     trains = as_trains(block, t_start, t_stop)
    ...     first = np.full(trains.n_neurons, np.inf)
    ...     np.minimum.at(first, trains.neuron, trains.times)
    ...     return np.where(np.isinf(first), np.nan, first)
    >>> first_spike(to_block([[[0.1, 0.2, 0.7]]], t_stop=1*pq.s)), first_spike.unit
    (array([0.1]), 's')
    """

    def mark(function: F) -> F:
        function.unit = unit  # type: ignore[attr-defined]
        function.parts = parts  # type: ignore[attr-defined]
        function.scale = scale  # type: ignore[attr-defined]
        return function

    return mark
