"""Correlations of the spike counts of simultaneously recorded neurons, and their dimensionality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.aliases import SpikeSource, Time, Values
from ...core.checks import check, one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.warn import TRUST, warn
from ..estimate import Estimate, Report, jackknife_se
from ..response_checks import refuse_swapped
from ..spiketrain.trial_drift import warn_drift
from ..trains import SilentNeuronWarning, nan_ratio
from ..trial_counts import deviations_of, means_of, read_counts, read_labels, read_windows, z_scores


@dataclass(frozen=True, eq=False)
class CovarianceParts(Report):
    """Covariance of counts and its two parts, total = noise + signal; made by `law_of_total_covariance`."""

    total: np.ndarray
    """(n, n) spikes^2"""
    noise: np.ndarray
    """(n, n) mean over trials of the covariance within the trial's stimulus"""
    signal: np.ndarray
    """(n, n) covariance of the stimuli's mean counts, weighted by their trials"""


@suggest_keywords
def law_of_total_covariance(
    stimulus: Values, counts: Values, *, t_start: Time | None = None, t_stop: Time | None = None
) -> CovarianceParts:
    """Covariance of counts, and its parts within and between stimuli, each (n_neurons, n_neurons).

    total = noise + signal, exactly, with noise = sum of n_s/n Cov(x | s) and signal = sum of n_s/n (m_s - m)(m_s -
    m)^T. All divisors are the numbers of trials (no correction): the signal part still holds the noise of the
    means, noise / n_s, all of it for a stimulus with one trial; `signal_correlation` removes it.

    Parameters
    ----------
    stimulus : (n_trials,) labels: whole numbers, texts or other values that can be compared, or floats that are whole or repeat
    counts : neo.Block, or array (n_trials, n_neurons)
    t_start, t_stop : times, scalar, for a Block; None is the trials' own end

    Raises
    ------
    NsnnError : one trial, fractional labels that occur once, NaN or None among labels, another number of labels, NaN counts,
        or what `as_trains` refuses. Source: Averbeck, Latham & Pouget 2006, doi 10.1038/nrn1888

    >>> parts = law_of_total_covariance(["a", "a", "b", "b"], [[1, 2], [3, 2], [5, 6], [7, 6]])
    >>> parts.noise, parts.signal
    (array([[1., 0.], [0., 0.]]), array([[4., 4.], [4., 4.]]))
    """
    refuse_swapped(stimulus, counts, "law_of_total_covariance(stimulus, counts)")
    x = read_counts(counts, t_start, t_stop)
    if len(x) < 2:
        raise NsnnError("counts has one trial: law_of_total_covariance needs at least two")
    label = read_labels(stimulus, len(x))
    mean, trials = means_of(x, label)
    inner, outer, whole = x - mean[label], mean - x.mean(axis=0), x - x.mean(axis=0)
    return CovarianceParts(
        whole.T @ whole / len(x), inner.T @ inner / len(x), (outer.T * trials) @ outer / len(x)
    )


@suggest_keywords
def noise_correlation(
    block: SpikeSource,
    *,
    stimulus: Values | None = None,
    window: Any = None,
    zscore: bool = True,
    per: str = "pooled",
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> np.ndarray:
    """Correlation of counts around the mean of their stimulus, (n_neurons, n_neurons).

    It is the mean of the correlations within stimuli, weighted by their trials, over the stimuli where both neurons vary. Its
    bias for n trials per stimulus is that of Pearson's correlation, about -rho (1 - rho^2) / (2 n).

    Parameters
    ----------
    block : neo.Block, one Segment per trial; or array of counts (n_trials, n_neurons)
    stimulus : (n_trials,) labels, as of `law_of_total_covariance`; None (default): one stimulus
    window : time, scalar; a Block's counts in windows that tile each trial, each window with its own mean over
        trials. None (default): counts of whole trials
    zscore : True (default), so that a stimulus of high rate counts no more than the others; else each by its variance
    per : "pooled" (default) over stimuli; "stimulus": one matrix each, (n_stimuli, n_neurons, n_neurons), in sorted order of
        the labels; NaN for stimuli with one trial
    t_start, t_stop : times, scalar, for a Block; None is the trials' own end

    Raises
    ------
    NsnnError : no stimulus with two trials, trials of different duration, or what `law_of_total_covariance` refuses.
        Warns once, SilentNeuronWarning, when a neuron's count doesn't vary (NaN); TrialDriftWarning if counts drift over trials,
        see `trial_drift`. Source: Bair, Zohary & Newsome 2001, doi 10.1523/JNEUROSCI.21-05-01676.2001

    >>> noise_correlation([[1, 2], [3, 4], [5, 8], [7, 6]], stimulus=[0, 0, 1, 1]).round(12)
    array([[1., 0.], [0., 1.]])
    """
    check(zscore=zscore)
    one_of(per, ("pooled", "stimulus"), "per")
    windows = read_windows(block, window, t_start, t_stop, "block")
    number = read_labels(stimulus, len(windows))
    if np.bincount(number).max() < 2:
        if stimulus is None:
            raise NsnnError(
                "block has one trial, and noise correlation compares counts across trials: cut a long recording into trials, "
                "such as nsnn.cut(block, np.arange(0, 10, 0.2)*second, before=0*second, after=200*ms)"
            )
        raise NsnnError("stimulus: each label has one trial; noise correlation needs two of one stimulus")
    warn_drift(windows.sum(axis=1), number, "noise_correlation", by_stimulus=stimulus is not None)
    n_windows = windows.shape[1]
    x = windows.reshape(-1, windows.shape[2])
    label = (number[:, None] * n_windows + np.arange(n_windows)).ravel()
    trials = np.bincount(number)
    alone = (trials == 2) if per == "stimulus" else np.array([trials.sum() - trials.size == 1])
    if n_windows == 1 and alone.any():
        some = f"{alone.sum()} of {trials.size} stimuli have " if per == "stimulus" else ""
        warn(
            f"noise_correlation: {some}two trials, whose correlations are 1 or -1 whatever the neurons do; take more trials"
            f"{TRUST}few trials"
        )
    if per == "pooled":
        return _warn_constant(_within_labels(x, label, zscore), "noise_correlation")
    own = [label // n_windows == s for s in range(int(number.max()) + 1)]
    each = [_within_labels(x[here], label[here] % n_windows, zscore) for here in own]
    return _warn_constant(np.array(each), "noise_correlation")


def _within_labels(x: np.ndarray, label: np.ndarray, zscore: bool) -> np.ndarray:
    """Correlation of x (n, n_neurons) around the means of labels; NaN for neurons that don't vary."""
    if not zscore:
        deviation, _ = deviations_of(x, label)
        both = deviation.T @ deviation
        scale = np.sqrt(np.diag(both))
        return nan_ratio(both, scale[:, None] * scale)
    z, sd = z_scores(x, label)
    varies = sd > 0
    shared = (varies.T * np.bincount(label)).astype(float) @ varies
    return nan_ratio(z.T @ z, shared)


@suggest_keywords
def signal_correlation(
    stimulus: Values,
    counts: Values,
    *,
    bias: str | None = "subtract",
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> np.ndarray:
    """Correlation of the mean counts of stimuli, (n_neurons, n_neurons).

    With S stimuli, m_s their mean counts and C_s the unbiased covariances within them, the covariance of means is
    1/(S - 1) sum of (m_s - m)(m_s - m)^T - 1/S sum of C_s / n_s; the second term, what noise adds to the means'
    covariance, makes it unbiased. Values outside [-1, 1] can then occur where the signal is weak.

    Parameters
    ----------
    stimulus, counts, t_start, t_stop : as for `law_of_total_covariance`
    bias : "subtract" (default: noise correlations would leak into the signal's, and noise dilute it) takes the
        second term off; None leaves it

    Raises
    ------
    NsnnError : one stimulus only, a stimulus with one trial (with "subtract"), or what `law_of_total_covariance` refuses.
        Warns once, SilentNeuronWarning, for neurons whose signal variance is not above 0 (NaN). Source: Gawne & Richmond
        1993, doi 10.1523/JNEUROSCI.13-07-02758.1993

    >>> counts = [[1, 9], [3, 7], [5, 6], [7, 4], [9, 1], [11, 3]]
    >>> signal_correlation([0, 0, 1, 1, 2, 2], counts).round(3)
    array([[ 1.   , -1.065],
           [-1.065,  1.   ]])
    """
    one_of(bias, (None, "subtract"), "bias")
    refuse_swapped(stimulus, counts, "signal_correlation(stimulus, counts)")
    x = read_counts(counts, t_start, t_stop)
    label = read_labels(stimulus, len(x))
    mean, trials = means_of(x, label)
    if len(mean) < 2:
        raise NsnnError("stimulus has one label: signal correlation needs at least two stimuli")
    outer = mean - mean.mean(axis=0)
    covariance = outer.T @ outer / (len(mean) - 1)
    if bias == "subtract":
        if trials.min() < 2:
            raise NsnnError("stimulus: a label has one trial, too few for its noise; give two, or bias=None")
        inner = (x - mean[label]) / np.sqrt(trials * (trials - 1))[label][:, None]
        covariance -= inner.T @ inner / len(mean)
    variance = np.diag(covariance)
    variance = np.where(variance > 1e-12 * (mean**2).mean(axis=0), variance, 0.0)
    scale = np.sqrt(variance)
    reason = "have mean counts that vary no more than their noise makes them vary"
    return _warn_constant(nan_ratio(covariance, scale[:, None] * scale), "signal_correlation", reason)


def _warn_constant(
    matrix: np.ndarray, name: str, reason: str = "don't vary (or no two vary together)"
) -> np.ndarray:
    """The matrix (..., n, n) unchanged, with one SilentNeuronWarning if it holds NaN."""
    constant = np.isnan(np.diagonal(matrix, axis1=-2, axis2=-1)).reshape(-1, matrix.shape[-1]).any(axis=0)
    if np.isnan(matrix).any():
        why = f"{constant.sum()} of {constant.size} neurons {reason}"
        where = " with some stimulus" if matrix.ndim > 2 else ""
        warn(f"{name}: {why}{where}; the value is NaN", SilentNeuronWarning)
    return matrix


@suggest_keywords
def dimensionality(
    counts: Values, *, bias: str | None = "subtract", t_start: Time | None = None, t_stop: Time | None = None
) -> Estimate:
    """Participation ratio (tr C)^2 / tr C^2 of the covariance C of counts: the number of equal directions.

    n_neurons for independent neurons of equal variance, 1 when all share one fluctuation. The sample covariance of
    n trials adds about (tr C)^2 / n to tr C^2, so that the plain ratio can't exceed n - 1 and is low long before.
    se: jackknife over trials (in at most 50 groups).

    Parameters
    ----------
    counts : neo.Block, or array (n_trials, n_neurons); take the stimulus's means off first to get the noise's
    bias : "subtract" (default, for the reason above) puts estimates of (tr C)^2 and of tr C^2 that are unbiased for any
        distribution into the ratio (U-statistics over four trials); None is the plain ratio
    t_start, t_stop : times, scalar, for a Block; None is the trials' own end

    Raises
    ------
    NsnnError : fewer than four trials (two without correction), NaN, or what `as_trains` refuses. Warns once,
        SilentNeuronWarning, for counts that don't vary, or where the estimate of tr C^2 isn't above 0 (NaN). Sources:
        Mazzucato, Fontanini & La Camera 2016, doi 10.3389/fnsys.2016.00011; the unbiased traces: Chen, Zhang & Zhong
        2010, doi 10.1198/jasa.2010.tm09560

    >>> counts = np.random.default_rng(0).poisson(5.0, size=(50, 20))
    >>> round(dimensionality(counts).value, 2), round(dimensionality(counts, bias=None).value, 2)
    (19.23, 13.75)
    """
    one_of(bias, (None, "subtract"), "bias")
    x = read_counts(counts, t_start, t_stop)
    n, least = len(x), 2 if bias is None else 4
    if n < least:
        raise NsnnError(f"counts of {n} trials: dimensionality needs at least {least} with bias = {bias!r}")
    value = _participation(x, bias)
    correction = "none" if bias is None else "u-statistics"
    if np.isnan(value):
        reason = "the counts don't vary, or too few trials tell tr C^2 from noise"
        warn(f"dimensionality: {reason}; the value is NaN", SilentNeuronWarning)
        return Estimate(value, correction=correction, n=n, unit="1", warning=reason)
    groups = min(n, 50)
    group = np.arange(n) * groups // n
    se = float("nan")
    if n - np.bincount(group).max() >= least:
        se = jackknife_se(np.array([_participation(x[group != g], bias) for g in range(groups)]))
    warning = None if n > x.shape[1] else f"{n} trials of {x.shape[1]} neurons: covariance of deficient rank"
    return Estimate(value, se, correction, n=n, unit="1", warning=warning, se_method="jackknife over trials")


def _participation(x: np.ndarray, bias: str | None) -> float:
    n = len(x)
    centred = x - x.mean(axis=0)
    product = centred @ centred.T if n < x.shape[1] else centred.T @ centred
    trace, square = np.trace(product) / (n - 1), (product**2).sum() / (n - 1) ** 2
    if trace <= 1e-20 * (x**2).sum():
        return float("nan")
    if bias is None:
        return float(trace**2 / square)
    fourth = n * ((centred**2).sum(axis=1) ** 2).sum() / (n - 1)
    top = 2 * square + (n**2 - 3 * n + 1) * trace**2 - fourth
    bottom = (n - 1) * (n - 2) * square + trace**2 - fourth
    return float(top / bottom) if bottom > 0 else float("nan")
