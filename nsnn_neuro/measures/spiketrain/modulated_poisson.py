"""Modulated Poisson model: how much of the variance of counts across trials is a gain that multiplies the rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2

from ...core.aliases import Values
from ...core.checks import one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import floats
from ..estimate import Report
from ..response_checks import as_labels, refuse_swapped
from ..trains import holds_blocks, nan_ratio, warn_silent
from ..trial_counts import means_of, read_counts
from .negative_binomial import fisher_information, fit_gain_variance, profile_limits
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
    lower, upper = profile_limits(x, label, s2, chi2.isf(0.05, 1), adjusted=adjusted)
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
        "p": np.where(silent, np.nan, np.where(s2 > 0, 0.5 * chi2.sf(ratio, 1), 1.0)),
    }
    warn_silent(s2, "modulated_poisson", "have no spikes")
    rate_se = np.sqrt((f + np.where(silent, 0.0, s2) * f**2) / n[:, None])
    if one:
        numbers = {name: float(value[0]) for name, value in results.items()}
        return ModulatedPoisson(labels, f[:, 0], rate_se[:, 0], n=n, **numbers)
    return ModulatedPoisson(labels, f, rate_se, n=n, **results)
