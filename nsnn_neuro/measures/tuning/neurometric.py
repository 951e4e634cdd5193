"""Neurometric function: how well a neuron's response discriminates a stimulus from a reference, against the stimulus."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_ndtr

from ...core.aliases import Values
from ...core.checks import check, one_of, suggest_keywords
from ...core.errors import NsnnError
from ..estimate import Estimate, Report
from ..limits import resample_weights
from ..response_checks import array_of, refuse_swapped
from ..trains import holds_blocks
from .discrimination import auc_and_se, one_neuron
from .read_trials import in_unit, read_stimulus

_RANGE = 10.0  # a threshold is sought up to this factor beyond the distances of the stimuli
_NAMES = {"weibull": ("threshold", "shape"), "gaussian": ("threshold", "slope")}
_NOT_DETERMINED = "the stimuli do not determine the threshold: expected areas from near 1/2 to near 1"


@dataclass(frozen=True, eq=False)
class Neurometric(Report):
    """Area under the ROC curve against the stimulus, with the curve fitted to it; made by `neurometric`."""

    stimulus: np.ndarray
    """(n_stimuli,) sorted; without a reference the magnitudes of the signed stimuli"""
    auc: np.ndarray
    """(n_stimuli,) P(count > that of the reference) + P(equal)/2"""
    se: np.ndarray
    """(n_stimuli,) standard error, as in `roc_auc`"""
    n: np.ndarray
    """(n_stimuli, 2) trials of the reference and of the stimulus"""
    model: str
    """ "weibull" or "gaussian" """
    parameters: dict[str, float]
    """of the fitted curve, threshold among them; NaN where they are not determined"""
    parameters_se: dict[str, float]
    """standard errors, by bootstrap over trials. Resamples whose threshold is not determined, up to a tenth of them, are left out,
    so that the error is then somewhat too small; if they are a tenth or more, it is NaN"""
    threshold: Estimate
    """the distance from the reference at which the curve reaches .816 (weibull) or .841 (gaussian), in the stimulus's unit; its n
    is the number of all trials used, each of a shared reference once"""
    log_likelihood: float
    """of the fit, in which an AUC counts as the fraction correct of the harmonic mean of its two numbers of trials"""
    reference: float
    """the stimulus of the reference; 0 for signed stimuli"""
    unit: str
    """of the stimulus"""

    def predict(self, stimulus: Values) -> np.ndarray:
        """The fitted curve at other stimuli, (m,) probabilities."""
        distance = in_unit(stimulus, self.unit, "stimulus") - self.reference
        if self.model == "weibull" and (distance < 0).any():
            raise NsnnError(f"stimulus = {stimulus}: expected none below the reference for a Weibull curve")
        return np.exp(_log_fractions(self.model, np.array([*self.parameters.values()]), distance)[0])


@suggest_keywords
def neurometric(
    stimulus: Values,
    counts: Values,
    reference: Any = None,
    *,
    model: str = "weibull",
    n_resample: int = 200,
    seed: int = 0,
) -> Neurometric:
    """Area under the ROC curve of each stimulus against a reference, and the threshold of a curve fitted to it.

    At a distance d of the stimulus from the reference the fraction correct of an ideal observer of the count is the area under
    the ROC curve (`roc_auc`). The curve is fitted by maximum likelihood, with each area taken as a fraction of correct trials:
    "weibull": p = 1 - exp(-(d/threshold)^shape)/2, d >= 0, for responses that grow with the stimulus;
    "gaussian": p = Phi(slope d), threshold = 1/|slope|: normal responses of one variance whose mean changes in proportion to d.

    Standard errors come from a bootstrap over the trials of each stimulus, n - 1 draws of n, the threshold's 95 % limits are its
    quantiles. A threshold beyond ten times the greatest distance, or below a tenth of the least, is not determined: it is NaN,
    with a warning in the estimate; so is its se if that happens in a tenth of resamples.

    Parameters
    ----------
    stimulus : (n_trials,) numbers or a quantity
    counts : (n_trials,) counts or rates; or a neo.Block of one neuron with a Segment for each trial, whose spikes are counted
    reference : the stimulus of the reference trials, or the counts of other trials (n,), whose stimulus is then 0; None (default):
        stimuli have a sign, and trials of +d are compared with those of -d, the null direction (trials of 0 are not used)
    model : "weibull" or "gaussian"
    n_resample, seed : of the bootstrap; 0: no standard errors

    Raises
    ------
    NsnnError : texts, NaN, arguments of different lengths, a stimulus with one trial, a reference without trials, +d without -d,
        stimuli below the reference with "weibull". Sources: Britten et al. 1992,
        doi 10.1523/JNEUROSCI.12-12-04745.1992; Quick 1974, doi 10.1007/BF00271628

    >>> rng = np.random.default_rng(0)
    >>> contrast = np.repeat([0.0, 0.05, 0.1, 0.2, 0.4], 40)
    >>> curve = neurometric(contrast, rng.poisson(5 + 40*contrast), 0)
    >>> curve.auc.round(2), round(curve.threshold.value, 3), round(curve.threshold.se, 3)
    (array([0.72, 0.83, 0.99, 1.  ]), 0.085, 0.014)
    """
    check(n_resample=n_resample, seed=seed)
    one_of(model, tuple(_NAMES), "model")
    refuse_swapped(stimulus, counts, "neurometric(stimulus, counts)")
    x = one_neuron(counts, "counts")
    levels, pairs, origin, unit = _pairs(stimulus, x, reference)
    distance = levels - origin
    if model == "weibull" and (distance < 0).any():
        raise NsnnError(
            f"stimulus {levels.min():g} is below the reference, {origin:g}: expected none, since a Weibull curve starts there; "
            "take model='gaussian'"
        )
    n = np.array([(a.size, b.size) for a, b in pairs])
    distinct = {id(counts): counts for pair in pairs for counts in pair}  # a shared reference is in all pairs
    n_used = sum(counts.size for counts in distinct.values())
    weight = 2 * n.prod(axis=1) / n.sum(axis=1)
    auc, se, _ = np.array([auc_and_se(a, b) for a, b in pairs]).T
    best = _fit(model, distance, auc, weight)
    likelihood = -_loss(model, best, distance, auc, weight)
    errors, limits, warning = np.full(best.size, math.nan), [None, None], None
    if not _determined(best[0], distance):
        best = errors  # NaN
        warning = _NOT_DETERMINED
        if model == "weibull" and auc.mean() < 0.5:
            warning = "areas are below 1/2: the response falls with the stimulus; take model='gaussian'"
    elif n_resample > 1:
        again = np.array(
            [_fit(model, distance, a, weight, best) for a in _resampled(pairs, n_resample, seed)]
        )
        known = _determined(again[:, 0], distance)
        if known.mean() > 0.9:
            errors = again[known].std(axis=0, ddof=1)
            limits = np.quantile(again[known, 0], (0.025, 0.975)).tolist()
        else:
            warning = f"no standard error: in a tenth of the resamples or more {_NOT_DETERMINED}"
    return Neurometric(
        levels, auc, se, n, model,
        dict(zip(_NAMES[model], best.tolist(), strict=True)),
        dict(zip(_NAMES[model], errors.tolist(), strict=True)),
        Estimate(
            float(best[0]), float(errors[0]), n=n_used, unit=unit, lower=limits[0], upper=limits[1], warning=warning,
            se_method="bootstrap over trials",
        ),
        likelihood, origin, unit,
    )  # fmt: skip


def _pairs(
    stimulus: Any, x: np.ndarray, reference: Any
) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]], float, str]:
    """Levels (n_stimuli,), responses to the reference and to each level, the reference's stimulus and the unit."""
    values, unit = read_stimulus(stimulus, x.size)
    if values.dtype.kind == "U":
        raise NsnnError("stimulus holds texts: expected numbers; roc_auc compares two stimuli of any kind")
    if reference is None:
        levels, origin = np.unique(np.abs(values[values != 0])), 0.0
        pairs = [(x[values == -level], x[values == level]) for level in levels]
        for level, pair in zip(levels, pairs, strict=True):
            if not all(part.size for part in pair):
                raise NsnnError(
                    f"stimulus {level:g} has trials of one sign alone: expected trials of {-level:g} and of {level:g}; or give "
                    "the reference, the stimulus that others are compared with"
                )
    else:
        by_stimulus = not holds_blocks(reference) and array_of(reference, "reference").ndim == 0
        origin = float(in_unit(reference, unit, "reference")) if by_stimulus else 0.0
        same = np.isclose(values, origin, rtol=1e-9, atol=0)  # a conversion of units rounds
        own = x[same] if by_stimulus else one_neuron(reference, "reference")
        if not own.size:
            raise NsnnError(
                f"reference = {reference}: no trial has this stimulus; stimuli are {np.unique(values)}"
            )
        levels = np.unique(values[~same])
        pairs = [(own, x[values == level]) for level in levels]
    if not levels.size:
        raise NsnnError("stimulus has a single value: expected others than the reference")
    for level, pair in zip(levels, pairs, strict=True):
        if min(part.size for part in pair) < 2:
            raise NsnnError(
                f"stimulus {level:g} or its reference has one trial: expected at least two of each"
            )
    return levels, pairs, origin, unit


def _resampled(pairs: list[tuple[np.ndarray, np.ndarray]], n_resample: int, seed: int) -> np.ndarray:
    """Areas (n_resample, n_stimuli) of resampled trials, n - 1 draws of n; a shared reference is drawn once in each resample."""
    rng = np.random.default_rng(seed)
    out, last = np.empty((n_resample, len(pairs))), None
    for k, (a, b) in enumerate(pairs):
        if a is not last:
            of_a, last = resample_weights(a.size, n_resample, rng), a
        greater = (b > a[:, None]) + 0.5 * (b == a[:, None])
        out[:, k] = ((of_a @ greater) * resample_weights(b.size, n_resample, rng)).sum(axis=1)
    return out


def _determined(threshold: Any, distance: np.ndarray) -> Any:
    d = np.abs(distance)
    return (threshold > 1.01 * d.min() / _RANGE) & (threshold < 0.99 * d.max() * _RANGE)


def _log_fractions(model: str, parameters: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of the fractions correct and wrong at each distance."""
    if model == "gaussian":
        z = parameters[1] * distance
        return log_ndtr(z), log_ndtr(-z)
    with np.errstate(divide="ignore"):
        wrong = -math.log(2) - np.exp(parameters[1] * (np.log(distance) - math.log(parameters[0])))
    return np.log1p(-np.exp(wrong)), wrong


def _loss(
    model: str, parameters: np.ndarray, distance: np.ndarray, auc: np.ndarray, weight: np.ndarray
) -> float:
    """Minus the log-likelihood of areas as fractions correct of `weight` trials."""
    right, wrong = _log_fractions(model, parameters, distance)
    return float(-(weight * (auc * right + (1 - auc) * np.maximum(wrong, -700.0))).sum())


def _fit(
    model: str, distance: np.ndarray, auc: np.ndarray, weight: np.ndarray, start: np.ndarray | None = None
) -> np.ndarray:
    """Parameters of the greatest likelihood, in the order of their names; of a Weibull curve from `start`, or from a grid."""
    low, high = np.abs(distance).min() / _RANGE, np.abs(distance).max() * _RANGE
    if model == "gaussian":
        top = 1 / low  # the loss is convex in the slope
        slope = minimize_scalar(
            lambda s: _loss(model, np.array([math.nan, s]), distance, auc, weight), bounds=(-top, top), method="bounded",
            options={"xatol": 1e-9 * top},
        ).x  # fmt: skip
        return np.array([1 / abs(slope) if slope else math.inf, slope])

    def loss(log_parameters: np.ndarray) -> float:
        return _loss(model, np.exp(log_parameters), distance, auc, weight)

    starts = [
        np.log([threshold, shape]) for threshold in np.geomspace(low, high, 9) for shape in (0.7, 1.5, 4.0)
    ]
    first = min(starts, key=loss) if start is None else np.log(start)
    limits = [(math.log(low), math.log(high)), (math.log(0.1), math.log(20.0))]
    with_gradient = minimize(
        lambda p: _weibull_loss(p, distance, auc, weight), first, method="L-BFGS-B", jac=True, bounds=limits
    )
    return np.exp(with_gradient.x)


def _weibull_loss(
    log_parameters: np.ndarray, distance: np.ndarray, auc: np.ndarray, weight: np.ndarray
) -> tuple[float, np.ndarray]:
    """`_loss` of a Weibull curve and its gradient in the logarithms of threshold and shape.

    With u = (d / threshold)^shape the fraction wrong is exp(-u) / 2.
    """
    shape = math.exp(log_parameters[1])
    log_u = shape * (np.log(distance) - log_parameters[0])
    u = np.exp(np.minimum(log_u, 50.0))
    wrong = 0.5 * np.exp(-u)
    by_u = -weight * (auc * wrong / (1 - wrong) - (1 - auc) * (u < 700.0 - math.log(2)))
    slope = np.array([-(by_u * shape * u).sum(), (by_u * u * log_u).sum()])
    return _loss("weibull", np.exp(log_parameters), distance, auc, weight), slope
