"""Drift of spike counts over the trials of a recording: its size, its test, and a warning for measures that it distorts.

Electrodes move and animals tire, so counts change slowly over trials. Slow changes raise the variance across trials, and give
neurons that share them a correlation. Differences of successive trials hardly contain them: half the mean squared
difference is the variance without drift, and the correlation of successive trials is that part of the variance that persists.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ...core.aliases import SpikeSource, Time, Values
from ...core.checks import check, suggest_keywords
from ...core.errors import NsnnError
from ...core.warn import TRUST, warn
from ..estimate import Report
from ..trains import nan_ratio, warn_silent
from ..trial_counts import means_of, read_labels, read_windows, z_scores

DRIFT_LEVEL = 0.001
"""Probability that one call warns of drift where trials are exchangeable, over all neurons."""
_AT_ONCE = 100_000  # permuted trials
_FEW = 1_000_000  # permuted counts, up to which a call takes less time than to import Numba
_BATCHES = (100, 900, 4000)  # permutations of a neuron before a warning
_CANDIDATES = 10  # neurons of the largest correlations, which alone are tested by permutations


class TrialDriftWarning(UserWarning):
    """Spike counts drift over trials, so that Fano factors and noise correlations are too large. One warning per call.

    At most about one call in 1000 warns where trials are exchangeable: the correlation of successive trials of some neuron has
    p < 0.001 / (number of neurons), by 5000 permutations and a Pearson III distribution of their moments. Trials have to be in the
    order of the recording. Source: Winkler et al. 2016, doi 10.1016/j.neuroimage.2016.05.068

    >>> import warnings
    >>> from nsnn_neuro.measures import noise_correlation
    >>> counts = np.random.default_rng(1).poisson(np.linspace(2, 20, 100)[:, None], (100, 2))
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     correlation = noise_correlation(counts)
    >>> caught[-1].category.__name__
    'TrialDriftWarning'
    """


@dataclass(frozen=True, eq=False)
class TrialDrift(Report):
    """Drift of counts over trials; made by `trial_drift`."""

    correlation: np.ndarray
    """(n_neurons,) correlation of counts of successive trials, about 0 without drift"""
    p: np.ndarray
    """(n_neurons,) (1 + permutations of trials that reach the correlation) / (1 + n_shuffle); one-sided"""
    fano: np.ndarray
    """(n_neurons,) variance of counts across trials / mean, which drift raises"""
    successive_fano: np.ndarray
    """(n_neurons,) half the mean squared difference of successive trials of a stimulus / mean, which drift hardly changes"""
    n: int
    """trials"""


@suggest_keywords
def trial_drift(
    block: SpikeSource,
    *,
    stimulus: Values | None = None,
    window: Any = None,
    n_shuffle: int = 1000,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> TrialDrift:
    """Test whether spike counts drift over trials, and compute the Fano factor without drift.

    With z_t the count of trial t, less the mean of its stimulus and divided by its SD, the correlation of successive trials is
    sum_t z_t z_(t+1) / sum_t z_t^2. Its mean without drift is about -1 / n_trials, its SD 1 / sqrt(n_trials). p is one-sided: a
    permutation exchanges the trials of each stimulus. Trials have to be in the order of the recording.

    The successive Fano factor is sum_s n_s V_s / sum_s n_s m_s, where V_s = mean of (N_(k+1) - N_k)^2 / 2 over successive
    trials of stimulus s (von Neumann's), m_s its mean count and n_s its trials. Without drift V_s is unbiased, but varies more.

    Parameters
    ----------
    block : neo.Block with one Segment per trial; or an array of counts (n_trials, n_neurons)
    stimulus : (n_trials,) labels, as of `law_of_total_covariance`; None (default): one stimulus
    window : time, scalar; counts in windows that tile each trial, each compared with the same window of other trials, and
        summed over windows. None (default): counts of whole trials
    n_shuffle, seed : number of permutations for p, and their seed
    t_start, t_stop : times, scalar, for a Block; None is the trials' own end

    Raises
    ------
    NsnnError : fewer than three trials, no stimulus with two, trials of different duration, NaN, a wrong number of labels. Warns
        once, SilentNeuronWarning, for neurons whose count doesn't vary (correlation, p NaN; without spikes all is NaN). Sources:
        von Neumann 1941, doi 10.1214/aoms/1177731677; Wald & Wolfowitz 1943, doi 10.1214/aoms/1177731358

    >>> drift = trial_drift([[1], [3], [2], [4]], n_shuffle=0)
    >>> drift.correlation, drift.successive_fano.round(12)
    (array([-0.35]), array([0.6]))
    """
    check(n_shuffle=n_shuffle, seed=seed)
    x = read_windows(block, window, t_start, t_stop, "block")
    label = read_labels(stimulus, len(x))
    if len(x) < 3:
        raise NsnnError(f"block has {len(x)} trials: trial_drift needs at least three trials")
    mean, number = means_of(x, label)
    if number.max() < 2:
        raise NsnnError("stimulus: each label has one trial; trial_drift needs two of one stimulus")
    z, _ = z_scores(x, label)
    total = (z**2).sum(axis=(0, 1))
    correlation = nan_ratio((z[1:] * z[:-1]).sum(axis=(0, 1)), total)
    p = np.full(x.shape[2], np.nan)
    varies = total > 0
    if n_shuffle and varies.any():
        null = _permuted(z[..., varies], label, n_shuffle, np.random.default_rng(seed)) / total[varies]
        p[varies] = (1 + (null >= correlation[varies] - 1e-12).sum(axis=0)) / (1 + n_shuffle)
    repeated = number > 1
    variance, successive = np.zeros_like(mean), np.zeros_like(mean)
    for s in np.flatnonzero(repeated):
        own = x[label == s]
        variance[s] = own.var(axis=0, ddof=1)
        successive[s] = (np.diff(own, axis=0) ** 2).mean(axis=0) / 2
    weighted = np.tensordot(number * repeated, mean, 1).sum(axis=0)
    fano, without = (
        nan_ratio(np.tensordot(number * repeated, v, 1).sum(axis=0), weighted) for v in (variance, successive)
    )
    warn_silent(correlation, "trial_drift", "have a count that does not vary")
    return TrialDrift(correlation, p, fano, without, len(x))


def warn_drift(counts: np.ndarray, label: np.ndarray, name: str, *, by_stimulus: bool) -> None:
    """One TrialDriftWarning if counts (n_trials, n_neurons) drift; `name` is the measure's, and whether it was given stimuli.

    Only neurons whose correlation would be rare for normal counts are tested, and by permutations, as counts may be sparse:
    one permutation that reaches the correlation ends a test, so that tests of exchangeable trials end early. Nothing is tested
    where the warning is ignored, as in calls for each trial or surrogate.
    """
    n, n_neurons = counts.shape
    first = next((one for one in warnings.filters if issubclass(TrialDriftWarning, one[2])), None)
    if n < 3 or (first and (first[0], first[1], first[3]) == ("ignore", None, None)):
        return
    from scipy.special import ndtri  # here, so that importing a firing rate does not import SciPy

    sort_out = "; give stimulus= if trials are sorted by stimulus"
    z, _ = z_scores(counts[:, None, :], label)
    correlation = nan_ratio((z[1:] * z[:-1]).sum(axis=(0, 1)), (z**2).sum(axis=(0, 1)))
    rare = (-ndtri(DRIFT_LEVEL / n_neurons) - 1) / np.sqrt(n)
    largest = np.argsort(-np.nan_to_num(correlation))[:_CANDIDATES]
    for j in largest[np.nan_to_num(correlation)[largest] > rare]:
        if _tail(z[..., [j]], label) <= DRIFT_LEVEL / n_neurons:
            where = "" if n_neurons == 1 else f" of neuron {j}, the largest of {n_neurons},"
            warn(
                f"{name}: counts drift over trials: the correlation of successive trials{where} is {correlation[j]:.2f}, "
                "more than in all of 5000 permutations. Drift adds to variances and correlations across trials: measure it by "
                f"trial_drift; take shorter stretches of trials{'' if by_stimulus else sort_out}{TRUST}drift",
                TrialDriftWarning,
            )
            return


def _tail(z: np.ndarray, label: np.ndarray) -> float:
    """p of one neuron's sum of products of successive trials; 1 as soon as a permutation reaches it."""
    from scipy.special import gammainc, gammaincc  # of Pearson III: scipy.stats takes a second to import

    value, rng, null = (z[1:] * z[:-1]).sum(), np.random.default_rng(0), np.empty(0)
    for batch in _BATCHES:
        null = np.append(null, _permuted(z, label, batch, rng))
        if null.max() >= value - 1e-9 * (z**2).sum():
            return 1.0
    score, at = (null - null.mean()) / null.std(), (value - null.mean()) / null.std()
    skew = (score**3).mean()
    skew = np.copysign(max(abs(skew), 1e-5), skew)
    tail = (gammaincc if skew > 0 else gammainc)(4 / skew**2, max(0.0, 4 / skew**2 + 2 * at / skew))
    return float(min(tail, 1 / (1 + null.size)))


def _permuted(z: np.ndarray, label: np.ndarray, n_shuffle: int, rng: np.random.Generator) -> np.ndarray:
    """Sums of products of successive trials (n_shuffle, n_neurons), the trials of each label permuted."""
    if z.size * n_shuffle <= _FEW:
        products = _few_products
    else:
        from .trial_drift_numba import products
    order = np.argsort(label, kind="stable")
    starts = np.append(0, np.cumsum(np.bincount(label)))
    values = np.ascontiguousarray(z.transpose(0, 2, 1))  # trial, neuron, window
    out = np.empty((n_shuffle, z.shape[2]))
    at_once = max(1, _AT_ONCE // len(z))
    for first in range(0, n_shuffle, at_once):
        uniform = rng.random((min(at_once, n_shuffle - first), len(z)))
        products(values, order, starts, uniform, out[first : first + at_once])
    return out


def _few_products(
    z: np.ndarray, order: np.ndarray, starts: np.ndarray, uniform: np.ndarray, out: np.ndarray
) -> None:
    """As `trial_drift_numba.products`, all permutations at once; sums have the order of its loop."""
    k, n = uniform.shape
    place, own = np.repeat(np.arange(n), k).reshape(n, k), np.arange(k)
    for first, end in pairwise(starts.tolist()):
        for i in range(end - 1, first, -1):
            j = first + (uniform[:, i] * (i - first + 1)).astype(np.int64)
            place[i], place[j, own] = place[j, own], place[i].copy()
    mixed, chosen = order, np.empty_like(place)
    for row, step in enumerate(np.ascontiguousarray(place.T)):  # each goes on from the one before
        mixed = mixed[step]
        chosen[order, row] = mixed
    x = z[chosen]
    out[:] = (x[1:] * x[:-1]).transpose(0, 3, 1, 2).reshape(-1, k, z.shape[1]).sum(axis=0)
