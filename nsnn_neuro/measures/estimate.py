"""Results of measures: `Estimate` for information, and the unit and per-trial sums that `tabulate` reads."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from ..core.checks import suggest_keywords
from ..core.errors import NsnnError

F = TypeVar("F", bound=Callable[..., Any])
CHANCE = 0.05
"""p above which an estimate is not above chance"""
NOT_ABOVE = "not above chance"
_SAME = 1e-12  # bits, the rounding of a value that equals its null
_ROUNDING = 32 * np.finfo(float).eps  # relative; a sum over trials less one of them, divided by a duration


@dataclass(frozen=True)
class Estimate:
    """An estimated quantity with its error, correction and null; `float(estimate)` is its value.

    What is printed of information (a unit of bits) is its gain over the null, with the raw value in brackets. A format such as
    f"{estimate:.2f}" is applied to the gain and its error, or to value and se of an estimate that has no null.

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
        quarter of its width. Of thresholds and their ratios: 95 % limits. None without either
    z : (value - null_mean) / SD of the null's values, for estimators that compute it; None otherwise
    null_se : standard error of null_mean over shuffles; NaN where shuffles are possible and none were made, None for a quantity
        without a null

    >>> e = Estimate(0.71, 0.02, "panzeri-treves", 0.25, 0.0099, n=400, se_method="jackknife over trials")
    >>> float(e), round(e.gain, 6), e.verdict
    (0.71, 0.46, 'above chance')
    >>> f"{e:.2f}"
    '0.46 ± 0.02'
    >>> print(e)
    0.46 ± 0.02 bit over the null (raw 0.71, null 0.25, p = 0.0099; correction panzeri-treves; se jackknife over trials; n = 400)
    >>> print(Estimate(1.578, 0.116, "panzeri-treves", 1.572, 0.53, n=40))
    0.006 ± 0.12 bit over the null, not above chance (raw 1.578, null 1.572, p = 0.53; correction panzeri-treves; n = 40)
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
    null_se: float | None = field(default=None, compare=False)  # NaN differs from itself from Python 3.13 on

    def __float__(self) -> float:
        return float(self.value)

    @property
    def gain(self) -> float:
        """value - null_mean, the estimate above chance; NaN without a null. A bracket allows for bias: its gain is value."""
        if self.null_mean is None or self.lower is not None:
            return math.nan if self.null_mean is None else self.value
        gain = self.value - self.null_mean
        return 0.0 if abs(gain) < _SAME else gain

    @property
    def gain_se(self) -> float:
        """Standard error of `gain`: those of the value and of the mean of the shuffles."""
        null_se = self.null_se if self.lower is None else None
        return math.nan if self.null_mean is None else math.hypot(self.se, null_se or 0.0)

    @property
    def verdict(self) -> str | None:
        """ "above chance" for p <= 0.05 ("below chance" for a negative gain), else "not above chance"; None without a null."""
        if self.p is None or math.isnan(self.value):
            return None
        return NOT_ABOVE if self.p > CHANCE else f"{'below' if self.gain < 0 else 'above'} chance"

    @property
    def headline(self) -> tuple[float, float]:
        """What is printed first: gain and its error of information with a null, else value and se."""
        return (self.gain, self.gain_se) if self._over_null else (self.value, self.se)

    @property
    def _over_null(self) -> bool:
        return self.unit.startswith("bit") and self.null_mean is not None and self.lower is None

    def row(self) -> dict[str, Any]:
        """Columns of a table: information (the gain over the null, NaN without one), its se, p, verdict, raw (`value`), null_mean,
        n, correction, warning; without a null se is that of raw."""
        null, p = (math.nan if one is None else one for one in (self.null_mean, self.p))
        return {
            "information": self.gain, "se": self.headline[1], "p": p, "verdict": self.verdict, "raw": self.value, "null_mean": null,
            "n": self.n, "correction": self.correction, "warning": self.warning,
        }  # fmt: skip

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        value, se = self.headline
        try:
            return format(value, spec) + ("" if math.isnan(se) else f" ± {format(se, spec)}")
        except ValueError:
            raise NsnnError(
                f"format {spec!r} of an Estimate: expected one for numbers, such as '.2f', applied to value and error; pad its "
                "text with f'{str(estimate):>40s}'"
            ) from None

    def __repr__(self) -> str:
        return f"Estimate({self})"

    def __str__(self) -> str:
        value, se = self.headline
        text = f"{value:.4g}" + ("" if math.isnan(se) else f" ± {se:.2g}")
        if self.lower is not None and self.upper is not None:
            text += f", between {self.lower:.4g} and {self.upper:.4g}"
        text += "" if self.unit == "1" else f" {self.unit}"
        null = [] if self.null_mean is None else [f"null {self.null_mean:.4g}"]
        null += [] if self.z is None else [f"z = {self.z:.3g}"]
        null += [] if self.p is None else [f"p = {self.p:.2g}"]
        how = [
            f"correction {self.correction}"
            + ("" if self.reason is None else f", chosen because {self.reason}")
        ]
        if not math.isnan(self.se) and self.se_method is not None:
            how.append(f"se {self.se_method}")
        if self._over_null:
            text += " over the null"
            how.insert(0, ", ".join([f"raw {self.value:.4g}", *null] if self.null_mean else null[1:]))
        elif null:
            how.append(", ".join(null))
        elif self.null_se is not None:  # information without shuffles
            text = f"raw {text}"
            how.append("no null")
        if self.unit.startswith("bit") and self.verdict == NOT_ABOVE:
            text += f", {NOT_ABOVE}"
        how.append(f"n = {self.n}" + ("" if self.warning is None else f"; warning: {self.warning}"))
        return f"{text} ({'; '.join(how)})"


class Report:
    """Prints the fields of a result a line each, of arrays of more than eight values the range and the shape."""

    def __str__(self) -> str:
        lines = [type(self).__name__]
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray) and value.size > 8 and value.dtype.kind in "biufc":
                low, high = (end.reduce(np.asarray(value), axis=None) for end in (np.fmin, np.fmax))
                value = f"{low:.4g} to {high:.4g}, array of shape {value.shape}"
            lines.append(f"    {name}: {value}")
        return "\n".join(lines)


def listed(title: str, row: Callable[[int], str], n: int, most: int = 7) -> str:
    """A title and the first rows of n below it, and how many more there are."""
    more = [f"and {n - most} more"] if n > most else []
    return "\n".join([title, *(row(j) for j in range(min(n, most))), *more])


def counted(n: int, name: str) -> str:
    """A number and what it counts."""
    return f"{n} {name}{'s' * (n != 1)}"


def jackknife_se(left_out: np.ndarray, weights: np.ndarray | None = None) -> Any:
    """sqrt((n - 1) / n sum_i (v_(i) - mean)^2) of leave-one-out values (m, ...), each counted `weights` (m,) times; NaN for n < 2,
    and 0 where the values differ by rounding alone.
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
        marked: Any = function
        marked.unit, marked.parts, marked.scale = unit, parts, scale
        return function

    return mark


def public_measure(
    unit: str, parts: Callable[..., Any] | None = None, *, scale: str = "linear"
) -> Callable[[F], F]:
    """`measure` for functions of this package, which also answer misspelt arguments."""
    return lambda function: measure(unit, parts, scale=scale)(suggest_keywords(function))
