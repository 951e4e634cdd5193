"""Psychometric function: the fraction of choices against the stimulus, with lapses, and its threshold beside a neuron's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit, ndtr, ndtri
from scipy.stats import chi2, norm

from ...core.aliases import Values
from ...core.checks import instance, number, one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.warn import warn
from ..estimate import Estimate, Report
from ..limits import between_0_and_1
from ..response_checks import array_of, as_labels
from .neurometric import Neurometric
from .read_trials import in_unit, read_stimulus

_SIGMOIDS = {
    "gaussian": (ndtr, ndtri),
    "logistic": (expit, logit),
    "weibull": (
        lambda z: -np.expm1(-np.exp(np.minimum(z, 10.0))),
        lambda p: np.log(-np.log1p(-p)),
    ),  # of the stimulus's logarithm
}
_MOST_LAPSES = 0.1  # the limit of fitted guess and lapse rates: more of them are no threshold's noise
_FEWEST = 10  # trials at the weakest stimuli whose fraction is compared with a guess between two
_REACH = 2.0  # thresholds are sought up to this many ranges of the stimuli beyond them
_WIDTHS = 0.01, 10.0  # of the range of the stimuli, in which a width is sought
_CRITERIA = {"weibull": 1 - math.exp(-1) / 2, "gaussian": float(ndtr(1.0))}  # of neurometric thresholds


@dataclass(frozen=True, eq=False)
class Psychometric(Report):
    """Fraction of choices against the stimulus, with the curve fitted to it; made by `psychometric`."""

    stimulus: np.ndarray
    """(n_stimuli,) sorted"""
    fraction: np.ndarray
    """(n_stimuli,) fraction of the choice 1"""
    n: np.ndarray
    """(n_stimuli,) trials"""
    model: str
    """ "gaussian", "logistic" or "weibull" """
    parameters: dict[str, float]
    """threshold, width (from 5 to 95 % of the sigmoid; of a Weibull that of the natural logarithm), guess, lapse"""
    threshold: Estimate
    """in the stimulus's unit, with the limits `lower` and `upper` of the profile likelihood, infinite where the data set no limit;
    `se` is a quarter of their distance at 95 %"""
    at: float | None
    """the fraction at the threshold; None: half of the sigmoid"""
    log_likelihood: float
    unit: str
    """of the stimulus"""

    def predict(self, stimulus: Values) -> np.ndarray:
        """The fitted curve at other stimuli, (m,) fractions."""
        threshold, *others = self.parameters.values()
        x = _scaled(self.model, in_unit(stimulus, self.unit, "stimulus"))
        return _curve(self.model, np.array([_scaled(self.model, threshold), *others]), x, self.at)

    def ratio(self, curve: Neurometric) -> Estimate:
        """The neurometric threshold divided by this one, with its error and limits; below 1 the neuron is the better observer.

        Both thresholds have to be at one fraction correct, 0.816 of a Weibull and 0.841 of a Gaussian neurometric curve: fit
        model="weibull" with guess=0.5 and `at` of this value, to the distance from the reference. The limits are 95 % limits on
        the logarithmic scale, with the errors of both thresholds taken as independent.

        >>> from nsnn_neuro.measures import neurometric
        >>> rng = np.random.default_rng(0)
        >>> x = np.repeat([0.0, 0.05, 0.1, 0.2, 0.4], 60)
        >>> correct = rng.random(300) < 0.5 + 0.5 * (1 - np.exp(-((x / 0.1) ** 1.5)))
        >>> mind = psychometric(x, correct, model="weibull", guess=0.5, at=0.816)
        >>> r = mind.ratio(neurometric(x, rng.poisson(5 + 40 * x), 0))
        >>> bool(r.lower < r.value < r.upper), r.unit
        (True, '1')
        """
        instance(curve, Neurometric, "curve", "a result of measures.neurometric")
        criterion = _CRITERIA[curve.model]
        if self.at is None or abs(self.at - criterion) > 0.01 or self.unit != curve.unit:
            raise NsnnError(
                f"curve = {curve.model} curve with its threshold at {criterion:.3f} in the unit {curve.unit!r}: this one's is at "
                f"{self.at} in {self.unit!r}; fit psychometric(..., model='weibull', guess=0.5, at={criterion:.3f}) to stimuli of "
                "that unit"
            )
        animal, neuron = self.threshold, curve.threshold
        value = neuron.value / animal.value if animal.value > 0 else math.nan
        log_se = math.hypot(neuron.se / neuron.value, animal.se / animal.value)
        lower, upper = (value * math.exp(sign * norm.isf(0.025) * log_se) for sign in (-1, 1))
        return Estimate(
            value, value * log_se, n=min(animal.n, neuron.n), unit="1", lower=lower, upper=upper, se_method="of both thresholds",
            warning=None if math.isfinite(log_se) else "a threshold or its error is not determined",
        )  # fmt: skip


@suggest_keywords
def psychometric(
    stimulus: Values,
    choice: Values,
    *,
    model: str = "gaussian",
    guess: float | None = 0.0,
    lapse: float | None = None,
    at: float | None = None,
    confidence: float = 0.95,
) -> Psychometric:
    """Psychometric function with guess and lapse rates, by maximum likelihood, and the limits of its threshold.

    P(choice = 1 | x) = guess + (1 - guess - lapse) F((x - m) / width), F the cumulative Gaussian or the logistic function, scaled
    so that the width is from F = 0.05 to 0.95; a Weibull is F = 1 - e^(-e^z) of log x and log m, for correct choices against a
    distance or a strength, which begin at x = 0 with the guess rate.
    The threshold is m, or with `at` the stimulus at which P reaches `at`. Its limits are those of the profile likelihood:
    thresholds whose best fit has a log likelihood at most chi2/2 below the maximum.

    Parameters
    ----------
    stimulus : (n_trials,) numbers or a quantity
    choice : (n_trials,) 0 or 1, or truth values: the choice, or whether it was correct; P grows with the stimulus
    model : "gaussian" (default), "logistic", or "weibull" for stimuli from 0
    guess : lower asymptote, 0 (default) for the choice of a side, 0.5 for correct choices of two; None: fitted, up to 0.1
    lapse : 1 - upper asymptote; None (default): fitted, up to 0.1
    at : fraction at the threshold; None (default): half of the sigmoid
    confidence : of the limits

    Raises
    ------
    NsnnError : texts, NaN, arguments of different lengths, other choices than 0 and 1, a single stimulus, rates outside [0, 1),
        `at` outside the asymptotes. An undetermined threshold has a warning, and fractions that begin at 0.5 without such a guess
        are warned of. Sources: Wichmann & Hill 2001, doi 10.3758/BF03194544; Schütt et al. 2016, doi 10.1016/j.visres.2016.02.002

    >>> rng = np.random.default_rng(1)
    >>> coherence = np.repeat([-0.4, -0.2, -0.1, 0.1, 0.2, 0.4], 50)
    >>> curve = psychometric(coherence, rng.random(300) < 0.03 + 0.94 / (1 + np.exp(-coherence / 0.05)), guess=None)
    >>> t = curve.threshold
    >>> bool(t.lower < 0 < t.upper), round(t.se, 2), curve.parameters["lapse"] < 0.1
    (True, 0.02, True)
    """
    one_of(model, tuple(_SIGMOIDS), "model")
    between_0_and_1(confidence, "confidence")
    rates = [None if one is None else number(one, name) for one, name in ((guess, "guess"), (lapse, "lapse"))]
    low, high = (_MOST_LAPSES if one is None else one for one in rates)
    if low < 0 or high < 0 or low + high >= 1:
        raise NsnnError(f"guess = {guess}, lapse = {lapse}: expected rates from 0, with a sum below 1")
    if at is not None and not low < number(at, "at") < 1 - high:
        raise NsnnError(f"at = {at}: expected a fraction between the asymptotes, {low:g} to {1 - high:g}")
    answers, right = as_labels(choice, "choice", array_of(choice, "choice").size, least=1)
    if not set(answers.tolist()) <= {0, 1}:
        raise NsnnError(
            f"choice holds {answers.tolist()}: expected 0 and 1, or truth values; were they swapped? psychometric(stimulus, choice)"
        )
    values, unit = read_stimulus(stimulus, right.size)
    if values.dtype.kind == "U":
        raise NsnnError("stimulus holds texts: expected numbers")
    x, level = np.unique(values, return_inverse=True)
    if x.size < 2:
        raise NsnnError(f"stimulus holds the single value {x[0]:g}: expected at least two")
    if model == "weibull" and (x[0] < 0 or x[x > 0].size < 2):
        raise NsnnError(f"stimulus from {x[0]:g} to {x[-1]:g}: a Weibull needs two above 0 and none below")
    n, k = np.bincount(level), np.bincount(level, answers[right].astype(float))
    first = int(np.searchsorted(np.cumsum(n), _FEWEST)) + 1
    share, chance = k[:first].sum() / n[:first].sum(), 0.5 / math.sqrt(n[:first].sum())
    from_zero = low < 0.25 and x[0] >= 0 and first < x.size
    if from_zero and abs(share - 0.5) < 2 * chance and k.sum() / n.sum() > 0.5:
        warn(
            f"psychometric: at the weakest stimuli, from {x[0]:g}, the fraction is {share:.2g}, and guess = {guess} lets the curve "
            "fall to 0: for correct choices of two, or a side folded to the distance, pass guess=0.5 (and model='weibull')"
        )
    fit = _Fit(model, _scaled(model, x), n, k, rates, at)
    best, loss = fit.best()
    drop = chi2.isf(1 - confidence, 1) / 2
    lower, upper = (fit.limit(best, loss + drop, side) for side in (-1, 1))
    known = math.isfinite(lower) and math.isfinite(upper)
    if model == "weibull":
        best[0], lower, upper = np.exp([best[0], lower, upper]).tolist()
    se = (upper - lower) / (2 * norm.isf((1 - confidence) / 2)) if known else math.nan
    estimate = Estimate(
        float(best[0]), float(se), n=int(n.sum()), unit=unit, lower=lower, upper=upper, se_method="profile likelihood",
        warning=None if known else "the choices do not limit the threshold: expected stimuli on both sides of it",
    )  # fmt: skip
    parameters = dict(zip(("threshold", "width", "guess", "lapse"), best.tolist(), strict=True))
    return Psychometric(x, k / n, n, model, parameters, estimate, at, -loss, unit)


def _scaled(model: str, values: Any) -> Any:
    """Stimuli on the scale of the sigmoid: logarithms for a Weibull."""
    with np.errstate(divide="ignore"):
        return np.log(values) if model == "weibull" else values


def _curve(model: str, parameters: np.ndarray, x: np.ndarray, at: float | None) -> np.ndarray:
    threshold, width, guess, lapse = parameters
    sigmoid, inverse = _SIGMOIDS[model]
    middle = inverse(0.5 if at is None else (at - guess) / (1 - guess - lapse))
    scale = inverse(0.95) - inverse(0.05)
    return np.asarray(guess + (1 - guess - lapse) * sigmoid(scale * (x - threshold) / width + middle))


@dataclass(frozen=True, eq=False)
class _Fit:
    """Fits of a curve to k of n choices at each stimulus x; rates are guess and lapse, None where they are fitted."""

    model: str
    x: np.ndarray
    n: np.ndarray
    k: np.ndarray
    rates: list[float | None]
    at: float | None

    @property
    def range(self) -> tuple[float, float]:
        """Least and greatest stimulus; of logarithms without that of 0."""
        x = self.x[np.isfinite(self.x)]
        return float(x[0]), float(x[-1])

    def loss(self, parameters: np.ndarray) -> float:
        p = np.clip(_curve(self.model, parameters, self.x, self.at), 1e-12, 1 - 1e-12)
        return float(-(self.k * np.log(p) + (self.n - self.k) * np.log(1 - p)).sum())

    def best(
        self, threshold: float | None = None, start: np.ndarray | None = None
    ) -> tuple[np.ndarray, float]:
        """Parameters of the greatest likelihood, of all or at a given threshold, and minus its logarithm."""
        low, high = self.range
        span = high - low
        fixed = [threshold, None, *self.rates]
        free = np.array([one is None for one in fixed])
        limits = [
            (low - _REACH * span, high + _REACH * span),
            tuple(np.log(_WIDTHS) + math.log(span)),
            *[(0.0, _MOST_LAPSES)] * 2,
        ]

        def parameters(p: np.ndarray) -> np.ndarray:
            full = np.array([math.nan if one is None else one for one in fixed])
            full[free] = p
            full[1] = math.exp(full[1])
            return full

        middles, widths = np.linspace(low, high, 5), np.array([0.1, 0.4, 1.5]) * span
        starts = [(t, w, 0.02, 0.02) for t in middles for w in widths] if start is None else [start]
        begin = [np.array([t, math.log(w), *more])[free] for t, w, *more in starts]
        begin = sorted(begin, key=lambda p: self.loss(parameters(p)))[:3]
        bounds = [one for one, fits in zip(limits, free, strict=True) if fits]
        results = [
            minimize(lambda p: self.loss(parameters(p)), p, method="L-BFGS-B", bounds=bounds) for p in begin
        ]
        best = min(results, key=lambda one: one.fun)
        return parameters(best.x), float(best.fun)

    def limit(self, best: np.ndarray, most: float, side: int) -> float:
        """The threshold on a side of the best one where the best fit has the loss `most`; infinite without one."""
        low, high = self.range
        end = (low, high)[side > 0] + side * _REACH * (high - low)

        def above(threshold: float) -> float:
            return self.best(threshold, best)[1] - most

        if side * (end - best[0]) <= 0 or above(end) <= 0:
            return side * math.inf
        return float(brentq(above, best[0], end, xtol=1e-3 * (high - low)))
