"""Modulated Poisson model: how much of the variance of counts across trials is a gain that multiplies the rate.

Poisson counts whose rate is multiplied by a gamma gain of mean 1 and variance a are negative binomial: with mean f the variance is
f + a f^2. Sums over counts j < n take the place of log-gamma functions:
log p(n) = sum_j log(1 + a j) + n log f - (n + 1/a) log(1 + a f) - log n!. They stay accurate down to a = 0, a Poisson
distribution. For any a the maximum likelihood estimate of f is the mean count of the stimulus, so that only a is left to find.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtrc, chdtri

from ...core.aliases import Values
from ...core.checks import one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.numba_jit import njit
from ...core.units import floats
from ..estimate import Report
from ..response_checks import as_labels, refuse_swapped
from ..trains import holds_blocks, nan_ratio, warn_silent
from ..trial_counts import means_of, read_counts
from .trial_drift import warn_drift

MOST = 10**5
"""Spikes in a trial, at most: the fit takes time in proportion, some seconds for one mean in the worst case."""


@dataclass(frozen=True, eq=False)
class ModulatedPoisson(Report):
    """Fit of the modulated Poisson model; made by `modulated_poisson`. For counts (n_trials,) all but `rate` are numbers."""

    labels: np.ndarray
    """(n_stimuli,) the stimuli, sorted, or in the order of the categories of a pandas Categorical"""
    rate: np.ndarray
    """(n_stimuli,) or (n_stimuli, n_neurons) f, mean count"""
    rate_se: np.ndarray
    """of the rate, sqrt((f + s2 f^2) / n_s)"""
    gain_variance: Any
    """s2, variance of the gain, whose mean is 1; (n_neurons,)"""
    se: Any
    """of the gain variance, from the Fisher information; (n_neurons,)"""
    lower: Any
    """lower limit of the gain variance, 95 %, from the likelihood; (n_neurons,)"""
    upper: Any
    """upper limit; (n_neurons,)"""
    share: Any
    """share of the variance within stimuli that is due to the gain, sum of n_s s2 f^2 / sum of n_s (f + s2 f^2); (n_neurons,)"""
    log_likelihood_ratio: Any
    """log likelihood (adjusted, unless bias=None) less that of a Poisson distribution, natural logarithm; (n_neurons,)"""
    p: Any
    """of the Poisson distribution; (n_neurons,)"""
    n: np.ndarray
    """(n_stimuli,) trials"""


@suggest_keywords
def modulated_poisson(stimulus: Values, counts: Values, *, bias: str | None = "cox-reid") -> ModulatedPoisson:
    """Fit the modulated Poisson model to each neuron: Poisson counts whose rate is multiplied by a gain, drawn in each trial.

    N ~ Poisson(f_s g), with f_s the mean count of stimulus s and g gamma distributed with mean 1 and variance s2, the same for
    all stimuli: a negative binomial distribution with mean f_s and variance f_s + s2 f_s^2. Fitted by maximum likelihood: f_s
    is the mean count, and s2 is 0 where no gain makes the counts more likely, usually where their variance is below the mean.

    Bias. Maximum likelihood gives an s2 which is too low by about (s2 + 1/f) / n_s, for any number of stimuli. Cox and Reid's
    adjusted likelihood, with half the sum of log(1 + s2 f_s) added, removes it for mean counts above about 4; at low counts s2 is
    then too high. Sizes: "Errors with few trials" in the documentation.

    Errors. se is from the Fisher information, of n_s - 1 trials of each stimulus with the adjustment. It is proportional to s2
    where s2 is large, hence too small where s2 came out too low: below 20 trials prefer `lower` and `upper`, where twice the log
    likelihood is 3.84 below its maximum.

    p is from the likelihood ratio against s2 = 0, the end of its range: twice the ratio is 0 in half of the cases and chi-square
    distributed with one degree of freedom in the others, so p is half the tail of that distribution, and 1 where s2 is 0.

    Parameters
    ----------
    stimulus : (n_trials,) labels, as of `law_of_total_covariance`; at least two trials of each
    counts : (n_trials,) or (n_trials, n_neurons) numbers of spikes, or a neo.Block, whose whole trials are counted
    bias : "cox-reid" (default), the adjusted likelihood; None: maximum likelihood, as in other software

    Raises
    ------
    NsnnError : a wrong number of labels, a stimulus with one trial, NaN, counts that aren't whole numbers of at least 0. Warns
        once, SilentNeuronWarning, for neurons without spikes (NaN), and TrialDriftWarning if counts drift over trials, as a drift
        adds to s2; trials have to be in the order of time for it. Source: Goris, Movshon & Simoncelli 2014, doi
        10.1038/nn.3711; the adjustment: Cox & Reid 1987, doi 10.1111/j.2517-6161.1987.tb01422.x, for negative binomial counts
        Robinson & Smyth 2008, doi 10.1093/biostatistics/kxm030; the test: Self & Liang 1987, doi 10.1080/01621459.1987.10478472

    >>> rng = np.random.default_rng(1)
    >>> gain = rng.gamma(4, 1 / 4, 200)  # variance 0.25
    >>> fit = modulated_poisson(np.zeros(200, int), rng.poisson(10 * gain))
    >>> print(f"{fit.gain_variance:.2f} ± {fit.se:.2f}, share {fit.share:.2f}, p = {fit.p:.0e}")
    0.26 ± 0.04, share 0.72, p = 1e-60
    """
    one_of(bias, ("cox-reid", None), "bias")
    refuse_swapped(stimulus, counts, "modulated_poisson(stimulus, counts)")
    adjusted = bias is not None
    one = False
    if not holds_blocks(counts):
        expected = "a neo.Block, or counts of spikes, (n_trials,) or (n_trials, n_neurons)"
        counts = floats(counts, "counts", expected)
        one = counts.ndim == 1
    x = read_counts(counts[:, None] if one else counts)
    wrong = (x < 0) | (x != np.floor(x)) | (x > MOST)
    if wrong.any():
        raise NsnnError(f"counts holds {x[wrong][0]:g}: expected whole numbers of spikes, from 0 to {MOST}")
    labels, label = as_labels(stimulus, "stimulus", len(x), least=1)
    f, n = means_of(x, label)
    if n.min() < 2:
        few = labels[int(np.argmin(n))]
        raise NsnnError(f"stimulus {few} has one trial: expected at least two of each; leave it out")
    warn_drift(x, label, "modulated_poisson", by_stimulus=True)
    s2, ratio = fit_gain_variance(x, label, adjusted=adjusted)
    lower, upper = profile_limits(x, label, s2, chdtri(1, 0.05), adjusted=adjusted)
    silent = np.isnan(s2)
    free = n - adjusted  # the adjustment takes off about the information of one trial
    information = [np.nan if no else free @ fisher_information(f[:, j], s2[j]) for j, no in enumerate(silent)]
    of_gain = n @ (s2 * f**2)
    results = {
        "gain_variance": s2,
        "se": 1 / np.sqrt(np.array(information)),
        "lower": lower,
        "upper": upper,
        "share": nan_ratio(of_gain, of_gain + n @ f),
        "log_likelihood_ratio": ratio / 2,
        "p": np.where(silent, np.nan, np.where(s2 > 0, 0.5 * chdtrc(1, ratio), 1.0)),
    }
    warn_silent(s2, "modulated_poisson", "have no spikes")
    rate_se = np.sqrt((f + np.where(silent, 0.0, s2) * f**2) / n[:, None])
    if one:
        numbers = {name: float(value[0]) for name, value in results.items()}
        return ModulatedPoisson(labels, f[:, 0], rate_se[:, 0], n=n, **numbers)
    return ModulatedPoisson(labels, f, rate_se, n=n, **results)


_LEAST, _MOST, _HALVINGS = -25.0, 14.0, 49  # log a; it is searched in steps of 1, which are then halved


def fit_gain_variance(
    x: np.ndarray, label: np.ndarray, *, adjusted: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum likelihood gain variance (n_neurons,) of counts x (n, n_neurons), and twice the log likelihood above Poisson.

    The likelihood can have two maxima, and one at a > 0 even if its slope at 0 is negative: where mean
    counts differ much, those of large mean can be less variable than Poisson counts, those of small
    mean more. So all maxima are found, on a grid of log a, and compared. NaN for neurons without
    spikes. `adjusted` adds Cox and Reid's term for the fitted means, see `_log_likelihood`.
    """
    a, ratio = np.full((2, x.shape[1]), np.nan)
    for i, above, mean, number in _cells(x, label):
        a[i], ratio[i] = _fit(above, mean, number, adjusted)
    return a, ratio


def profile_limits(
    x: np.ndarray, label: np.ndarray, a: np.ndarray, drop: float, *, adjusted: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Gain variances below and above the fit `a` at which twice the log likelihood is lower by `drop`, each (n_neurons,).

    The outermost ones, if there are several. 0 where the likelihood at 0 is within `drop`; infinity where no gain variance is
    large enough.
    """
    lower, upper = np.full((2, x.shape[1]), np.nan)
    for i, above, mean, number in _cells(x, label):
        lower[i], upper[i] = _limits(a[i], drop, above, mean, number, adjusted)
    return lower, upper


def _cells(x: np.ndarray, label: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """For each neuron with spikes: its index, trials with a count above 0, 1, ..., mean counts and trials of the stimuli."""
    mean, trials = means_of(x, label)
    number = trials.astype(float)
    for i in np.flatnonzero(mean.any(axis=0)):
        times = np.bincount(x[:, i].astype(np.int64))
        above = (len(x) - np.cumsum(times)[:-1]).astype(float)
        yield int(i), above, np.ascontiguousarray(mean[:, i]), number


@njit(cache=True)  # pragma: no cover - compiled
def _score(a: float, above: np.ndarray, mean: np.ndarray, number: np.ndarray, adjusted: bool) -> float:
    """Derivative of `_log_likelihood` with respect to a."""
    total = 0.0
    for j in range(above.size):
        total += above[j] * j / (1 + a * j)
    for k in range(mean.size):
        total += number[k] * mean[k] ** 2 * _log_part(a * mean[k])
        if adjusted:
            total += 0.5 * mean[k] / (1 + a * mean[k])
    return total


@njit(cache=True)  # pragma: no cover - compiled
def _log_likelihood(
    a: float, above: np.ndarray, mean: np.ndarray, number: np.ndarray, adjusted: bool
) -> float:
    """Log likelihood less that of a = 0. Adjusted (Cox & Reid 1987): less half the log determinant of the information about the
    means, n / (f + a f^2) for each stimulus, which is + log(1 + a f) / 2 but for a constant."""
    total = 0.0
    for j in range(above.size):
        total += above[j] * np.log1p(a * j)
    for k in range(mean.size):
        x = a * mean[k]
        if x > 0:
            total -= number[k] * mean[k] * ((1 + x) * np.log1p(x) / x - 1)
            if adjusted:
                total += 0.5 * np.log1p(x)
    return total


@njit(cache=True)  # pragma: no cover - compiled
def _fit(above: np.ndarray, mean: np.ndarray, number: np.ndarray, adjusted: bool) -> tuple[float, float]:
    # a single spike has an adjusted score of 0 at a = 0, but for rounding
    least = 1e-12 * (number * mean).sum()
    rises = _score(0.0, above, mean, number, adjusted) > least
    best, highest = 0.0, -np.inf if rises else least
    for end in np.arange(_LEAST + 1, _MOST + 1):
        rose, rises = rises, _score(np.exp(end), above, mean, number, adjusted) > least
        if rises or not rose:
            continue
        low, high = end - 1, end  # a maximum is between them
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            if _score(np.exp(middle), above, mean, number, adjusted) > 0:
                low = middle
            else:
                high = middle
        a = np.exp(0.5 * (low + high))
        value = _log_likelihood(a, above, mean, number, adjusted)
        if value > highest:
            best, highest = a, value
    return best, max(2 * highest, 0.0) if best > 0 else 0.0


@njit(cache=True)  # pragma: no cover - compiled
def _limits(
    a: float, drop: float, above: np.ndarray, mean: np.ndarray, number: np.ndarray, adjusted: bool
) -> tuple[float, float]:
    least = _log_likelihood(a, above, mean, number, adjusted) - drop / 2
    ends = np.zeros(2)
    for side in range(2):
        inside, outside = np.log(a) if a > 0 else _LEAST, _MOST if side else _LEAST
        far = np.exp(outside) if side else 0.0
        if _log_likelihood(far, above, mean, number, adjusted) >= least:
            ends[side] = np.inf if side else 0.0
            continue
        # from the far end to the first step inside, which may belong to another maximum
        step = -1.0 if side else 1.0
        while step * (inside - outside) > 1:
            near = outside + step
            if _log_likelihood(np.exp(near), above, mean, number, adjusted) >= least:
                inside = near
                break
            outside = near
        for _ in range(_HALVINGS):
            middle = 0.5 * (inside + outside)
            if _log_likelihood(np.exp(middle), above, mean, number, adjusted) >= least:
                inside = middle
            else:
                outside = middle
        ends[side] = np.exp(inside)
    return ends[0], ends[1]


def fisher_information(f: np.ndarray, a: float) -> np.ndarray:
    """Fisher information about a, per trial, at means f (k,); it is 1 / (f + a f^2) about f, and 0 about both together.

    The mean of the squared score over the distribution, which has no differences of nearly equal terms; f^2 / 2 at a = 0.
    """
    return np.array([_fisher(float(one), float(a)) for one in f])


@njit(cache=True)  # pragma: no cover - compiled
def _fisher(f: float, a: float) -> float:
    """The sum over counts one by one: 40 (1 + a f) of them, which may be 10^8, do not fit into memory."""
    if f == 0:
        return 0.0
    if a == 0:
        return 0.5 * f * f
    last = f + 12 * np.sqrt(f + a * f * f) + 40 * (1 + a * f)
    step, slope = np.log(f) - np.log1p(a * f), f / (1 + a * f)
    at_mean = f * f * _log_part(a * f)
    # log p(n), and the sum of j / (1 + a j) over j < n
    log_p, pairs, total, n = -np.log1p(a * f) / a, 0.0, 0.0, 0.0
    while n <= last:
        # d/da of -(n + 1/a) log(1 + a f), by n - f and what is left at n = f
        score = pairs + at_mean - (n - f) * slope
        term = np.exp(log_p) * score * score
        total += term
        if n > last / 2 and term <= 1e-22 * total:
            break
        log_p += np.log1p(a * n) - np.log(n + 1) + step
        pairs += n / (1 + a * n)
        n += 1
    return total


@njit(cache=True)  # pragma: no cover - compiled
def _log_part(x: float) -> float:
    """(log(1 + x) - x) / x^2, -1/2 at 0."""
    if x > 0.02:
        return (np.log1p(x) - x) / x**2
    total, power = 0.0, 1.0
    for k in range(10):
        total -= power / (k + 2)
        power *= -x
    return total
