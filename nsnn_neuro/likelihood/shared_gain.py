"""`fit_shared_gain`: a gain of each trial that multiplies the rates of all neurons, its variance, and its value in each trial.

Given the gain g of a trial, counts are Poisson with means f_j g. With g from a gamma distribution of mean 1 and variance s2 the
counts of a trial are negative multinomial. Their sum N is negative binomial with mean F = sum f_j and dispersion s2, and how N is
divided among the neurons says nothing about s2. So s2 is the gain variance of the summed counts, and g given the counts is gamma
distributed with shape N + 1/s2 and rate F + 1/s2.

Filters of neurons are fitted with the gain by EM: with the mean gains as factors of the rates they have a Poisson likelihood, and
with the rates s2 has that of N. The gains are scaled to a mean of 1, which the biases take up (parameter-expanded EM). Errors are
those of the likelihood with the gain integrated out, at the fitted s2 (Louis).

Source: Liu, Rubin & Wu 1998, doi 10.1093/biomet/85.4.755; Louis 1982, doi 10.1111/j.2517-6161.1982.tb01203.x
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import block_diag
from scipy.optimize import brentq
from scipy.stats import chi2

from ..core.aliases import Time, Values
from ..core.checks import positive, suggest_keywords
from ..core.errors import NsnnError
from ..core.units import floats
from ..core.warn import warn
from ..measures import modulated_poisson
from ..measures.estimate import Report
from ..measures.response_checks import refuse_swapped
from ..measures.trial_counts import means_of, read_labels, read_windows
from .dispersion import best_dispersion
from .fisher_scoring import inverse
from .fit import NeuronFit, fit_data, fit_fields, fitted_data
from .prior import Prior
from .responses import Counts, NegativeBinomial, Poisson

_MOST_TURNS, _DONE = 500, 1e-5  # nats that a turn of EM gains


@dataclass(frozen=True, eq=False)
class SharedGain(Report):
    """Result of `fit_shared_gain`.

    >>> fit = fit_shared_gain(None, [[1, 4], [4, 9], [2, 3], [5, 12], [1, 2]])
    >>> round(fit.gain_variance, 3), fit.gain.round(2).tolist()
    (0.375, [0.68, 1.39, 0.68, 1.75, 0.5])
    """

    gain_variance: float
    """s2, variance of the gain, whose mean is 1"""
    se: float
    """of s2, from the information"""
    lower: float
    """lower limit of s2, 95 %, from the likelihood; 0 where it reaches 0"""
    upper: float
    p: float
    """of no shared gain, s2 = 0: half the tail of chi-square with one degree of freedom"""
    gain: np.ndarray
    """(n_trials,) or (n_trials, n_windows) mean of the gain given the counts"""
    gain_sd: np.ndarray
    """its standard deviation given the counts; the error of s2 and of the rates is not included"""
    coupling: np.ndarray
    """(n_neurons,) covariance of each neuron's count with the sum of the others, over that of the fitted gain: 1 of a neuron that
    follows it, 0 of one without; NaN where s2 is 0"""
    coupling_se: np.ndarray
    """of `coupling`, from the spread over trials, at the fitted s2"""
    fits: tuple[NeuronFit, ...] = ()
    """of the neurons, fitted with the gain, where `expected` are fits; errors and tests account for the gain, scores are those
    without it (a gain of 1)"""

    def __str__(self) -> str:
        """The fields a line each, of the fits their number."""
        return Report.__str__(replace(self, fits=len(self.fits)))  # type: ignore[arg-type]


@suggest_keywords
def fit_shared_gain(
    stimulus: Values | None,
    counts: Values | None,
    *,
    window: Time | None = None,
    expected: Values | Sequence[NeuronFit] | None = None,
    bias: str | None = "cox-reid",
) -> SharedGain:
    """Fit a gain that all neurons share: n_ij ~ Poisson(r_ij g_i), g_i gamma distributed with mean 1 and variance s2.

    The gain is integrated out, so that s2 has a likelihood, limits and a test; each trial's gain is
    its mean given the counts. `measures.modulated_poisson` fits a gain of each neuron alone, which
    also contains what neurons don't share.

    Parameters
    ----------
    stimulus : (n_trials,) labels, whose means r are fitted to at least two trials of each; None: one
        stimulus. None with `expected`
    counts : (n_trials, n_neurons) numbers of spikes, or a neo.Block, whose trials are counted
    window : time, of a Block: windows that tile each trial, each with a gain and means of its own,
        for gains that change within a trial; gains of different windows are taken as independent
    expected : rates r, in spikes, of the shape of the counts (n_trials, n_windows, n_neurons with a
        window), such as the predictions of a fit; then nothing else is fitted. Or fits of
        `fit_neuron` with family=Poisson() to the same trials, one for each neuron: their filters
        are fitted again, with the gain, from which history and coupling otherwise take their share
        (`fits` of the result; counts = None, they are those of the fits)
    bias : as of `measures.modulated_poisson`; without effect with `expected`

    Raises
    ------
    NsnnError : fewer than two neurons, a stimulus with one trial, counts that aren't whole numbers,
        expected rates of another shape or not above 0; fits of other families or of different trials

    Source: Goris, Movshon & Simoncelli 2014, doi 10.1038/nn.3711; gains that neurons share: Lin et
    al. 2015, doi 10.1016/j.neuron.2015.06.035; Rabinowitz et al. 2015, doi 10.7554/eLife.08998

    >>> rng = np.random.default_rng(0)
    >>> stimulus, gain = np.repeat([0, 1], 100), rng.gamma(5, 1 / 5, 200)  # variance 0.2
    >>> rates = np.array([[2, 3, 1], [1, 6, 4]])[stimulus]
    >>> fit = fit_shared_gain(stimulus, rng.poisson(rates * gain[:, None]))
    >>> f"{fit.gain_variance:.2f}, {fit.lower:.2f} to {fit.upper:.2f}", bool(np.corrcoef(fit.gain, gain)[0, 1] > 0.7)
    ('0.23, 0.17 to 0.32', True)
    """
    if stimulus is not None:
        refuse_swapped(stimulus, counts, "fit_shared_gain(stimulus, counts)")
    fits: tuple[NeuronFit, ...] = ()
    if isinstance(expected, list | tuple) and any(isinstance(one, NeuronFit) for one in expected):
        if counts is not None:
            raise NsnnError(
                f"counts = {type(counts).__name__} object, expected = {len(expected)} fits: expected counts = None"
            )
        fits, each, expected = _with_filters(expected, window)
    else:
        each = read_windows(counts, window)
    n_trials, n_windows, n_neurons = each.shape
    if n_neurons < 2:
        raise NsnnError(f"counts has {n_neurons} neuron: expected two or more; modulated_poisson fits one")
    x = each.reshape(-1, n_neurons)
    if np.any((x < 0) | (x != np.floor(x))) or not x.any():
        raise NsnnError(
            f"counts has values from {x.min():g} to {x.max():g}: expected whole numbers of spikes, not all 0"
        )
    shape = (n_trials, n_windows) if window is not None else (n_trials,)
    if expected is None:
        label = (read_labels(stimulus, n_trials)[:, None] * n_windows + np.arange(n_windows)).ravel()
        total = modulated_poisson(label, x.sum(axis=1), bias=bias)
        s2, se, lower, upper, p = total.gain_variance, total.se, total.lower, total.upper, total.p
        means, n = means_of(x, label)
        rates, free = means[label], (n / (n - 1.0))[label]
    else:
        if stimulus is not None:
            raise NsnnError("stimulus and expected are given: expected one of them, the other None")
        rates = floats(expected, "expected", "rates in spikes, of the shape of the counts")
        free = np.ones(len(x))
        if rates.size != x.size or not np.all(np.isfinite(rates) & (rates > 0)):
            raise NsnnError(
                f"expected has shape {rates.shape}: expected {each.shape}, rates in spikes above 0"
            )
        rates = rates.reshape(x.shape)
        s2, se, lower, upper, p = _of_known_rates(x.sum(axis=1), rates.sum(axis=1))
    number, rate = x.sum(axis=1), rates.sum(axis=1)
    gain, sd = (s2 * number + 1) / (s2 * rate + 1), np.sqrt(s2 * (s2 * number + 1)) / (s2 * rate + 1)
    off, rest = x - rates, rate[:, None] - rates
    products = free[:, None] * off * (off.sum(axis=1)[:, None] - off)
    of_gain = s2 * np.mean(rates * rest, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        coupling, coupling_se = (
            np.where(of_gain > 0, one / of_gain, np.nan)
            for one in (products.mean(axis=0), products.std(axis=0, ddof=1) / np.sqrt(len(x)))
        )
    of_trials = gain.reshape(shape), sd.reshape(shape)
    return SharedGain(s2, se, lower, upper, p, *of_trials, coupling, coupling_se, fits)


def _with_filters(fits: Sequence[Any], window: Any) -> tuple[tuple[NeuronFit, ...], np.ndarray, np.ndarray]:
    """The fits with the gain; counts and rates at a gain of 1, (n_trials, n_windows, n_neurons) each."""
    data: list[Any] = [fitted_data(one) if isinstance(one, NeuronFit) else None for one in fits]
    for k, (fit, one) in enumerate(zip(fits, data, strict=True)):
        if one is None or type(fit.model.family) is not Poisson:
            raise NsnnError(f"expected[{k}]: expected a fit of fit_neuron with family=Poisson()")
        if fit.model.step != fits[0].model.step or not np.array_equal(one.begins, data[0].begins):
            raise NsnnError(
                f"expected[{k}] has other trials or another dt than expected[0]: expected the same"
            )
    trials, n = np.flatnonzero(data[0].begins), len(data[0].o)
    lengths = np.diff(trials, append=n)
    each = (
        lengths * fits[0].model.step / positive(window, "s", "window") if window is not None else np.ones(1)
    )
    m = max(1, round(each[0]))
    if np.any(np.abs(each - m) > 1e-6) or np.any(lengths % m):
        raise NsnnError(
            f"window = {window}: expected windows of whole steps that tile all trials, equally many in each"
        )
    starts = (trials[:, None] + np.arange(m) * (lengths // m)[:, None]).ravel()

    def in_windows(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, starts)

    x = np.stack([in_windows(one.o) for one in data], axis=1)
    number, now, before = x.sum(axis=1), list(fits), -np.inf
    for _ in range(_MOST_TURNS):
        at = [fit.model.evaluate(fit.values, one) for fit, one in zip(now, data, strict=True)]
        means = [
            np.where(one.free, np.exp(value.potential), 0.0) for value, one in zip(at, data, strict=True)
        ]
        rates = np.stack([in_windows(mean) for mean in means], axis=1)
        rate = rates.sum(axis=1)
        s2 = best_dispersion(np.log(rate), number)
        logs = Counts(NegativeBinomial(s2), np.log(rate), number).log_likelihood - number * np.log(rate)
        total = logs.sum() + sum(value.potential @ one.o for value, one in zip(at, data, strict=True))
        if total - before < _DONE:
            break
        gain, before = (s2 * number + 1) / (s2 * rate + 1), total
        w = np.repeat(gain / gain.mean(), np.diff(starts, append=n))
        for k, (fit, one) in enumerate(zip(now, data, strict=True)):
            prior = Prior(fit.ridge, fit.smoothness)
            now[k] = fit_data(fit.model, replace(one, o=one.o / w, weight=w), prior, fit.values)
    else:
        warn(
            f"expected: filters and gain still changed after {_MOST_TURNS} turns, so that fits and gain are not the most likely "
            "ones and their errors are rough: take smaller bases, or fits with a ridge"
        )
    # of each window and parameter, the change of the summed rate
    slopes = np.hstack(
        [in_windows(mean[:, None] * value.traces) for mean, value in zip(means, at, strict=True)]
    )
    missing = slopes.T @ ((s2 * (s2 * number + 1) / (s2 * rate + 1) ** 2)[:, None] * slopes)
    covariance = inverse(block_diag(*(np.linalg.inv(fit.covariance) for fit in now)) - missing)
    if covariance is None:
        raise NsnnError("expected: filters and gain can't be distinguished in these data: take smaller bases")
    ends = np.cumsum([len(fit.values) for fit in now])
    for k, (fit, value, one, end) in enumerate(zip(fits, at, data, ends.tolist(), strict=True)):
        own, p = covariance[end - len(fit.values) : end, end - len(fit.values) : end], now[k].values
        prior = Prior(fit.ridge, fit.smoothness)
        known = fit_fields(fit.model, p, own, value.log_events, one, prior)
        now[k] = replace(fit, log_likelihood=value.log_likelihood, **known)
    shape = len(trials), -1, len(fits)
    return tuple(now), x.reshape(shape), rates.reshape(shape)


def _of_known_rates(number: np.ndarray, rate: np.ndarray) -> tuple[float, float, float, float, float]:
    """Gain variance, its error, both limits and p, of summed counts with known means."""
    a = np.log(rate)

    def at(s2: float) -> Any:
        return Counts(NegativeBinomial(s2), a, number)

    def height(s2: float) -> float:
        return float(at(s2).log_likelihood.sum())

    s2, drop = best_dispersion(a, number), 0.5 * chi2.isf(0.05, 1)
    top = height(s2)
    high = 2 * s2 + 1e-3
    while height(high) > top - drop:
        high *= 2
    upper = float(brentq(lambda one: height(one) - top + drop, s2, high, rtol=1e-10))
    above = height(0.0) < top - drop
    lower = float(brentq(lambda one: height(one) - top + drop, 0.0, s2, rtol=1e-10)) if above else 0.0
    ratio = 2 * (top - height(0.0))
    information = -float(at(s2).by_dispersion[1].sum()) if s2 > 0 else 0.5 * float(np.sum(rate**2))
    return s2, information**-0.5, lower, upper, 0.5 * float(chi2.sf(ratio, 1)) if s2 > 0 else 1.0
