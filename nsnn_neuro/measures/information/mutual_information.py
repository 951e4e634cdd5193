"""Mutual information of discrete stimuli and responses: bias correction, error, shuffle null, and a lower bound of it.

The bound is the cross-validated log-probability of the stimulus given the word. For any law q(s | r), I(S; R) >= H(S) + E log2 q(S
| R). Candidates, fitted without the trial that they predict, are

    p(r | s) = [n(r, s) + a b(r | s)] / (n_s + a),   q(s | r) proportional to p(s) p(r | s)^c,

b the law of words pooled over stimuli, or the product of the letters' laws given s, frequencies or normal; c <= 1 takes
less than the full evidence, as dependent letters need. The highest is the bound. Counts of the other stimuli are scaled
down as that of the trial left out, since otherwise the numbers of trials would give the stimulus away.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ...core.aliases import Values
from ...core.checks import check, suggest_keywords
from ...core.errors import NsnnError
from ...core.warn import TRUST
from ..entropies.entropy import NEED_ALPHABET, SE_METHODS, SYMMETRIC, choose, refuse_endless
from ..estimate import Estimate
from . import pipeline

_ALWAYS = {"best-upper-bound": "what is left of its entropies' biases need not cancel in their difference"}
# trials per stimulus for each response: with fewer, estimators agree on a wrong value
_MIN_TRIALS_TO_AGREE = 2.0
# with fewer trials per stimulus, or more responses that came once, Panzeri and Treves' count of responses runs into its limit
_SAFE_TRIALS, _SAFE_RARE = 10, 0.35
_BOUND_ERRORS = 2.5  # the highest of several bounds is a little too high
_UNINFORMATIVE_SHARE = 0.95  # of the stimuli's entropy: a bracket as wide says nothing


@suggest_keywords
def mutual_information(
    s: Values,
    r: Values,
    *,
    bias: str = "panzeri-treves",
    n_shuffle: int = 100,
    n_symbols: int | None = None,
    seed: int = 0,
) -> Estimate:
    """Mutual information of stimuli s and responses r, in bits: how much a response tells about s.

    I(S; R) = H(R) - sum_s p(s) H(R | s), from 0 to the entropy of the stimuli. With few trials the
    entropies are too low and the information is too high; `bias` names the correction:

    - "panzeri-treves" (default) subtracts [sum_s (R_s - 1) - (R - 1)] / (2 N ln 2) from the plug-in
      value, with N trials, R responses that occur and R_s that can occur with s. It needs 4 trials
      per stimulus for each of the R responses; of others see "Estimators of information" in the
      documentation.
    - "miller-madow", "chao-shen", "grassberger", "nsb", "best-upper-bound" estimate each entropy,
      see `entropy`; "quadratic" extrapolates the plug-in information.
    - "shuffle", for words: H(R) - H_ind(R|S) + H_sh(R|S) - H(R|S), each as Panzeri & Treves.
    - "auto" gives an estimate where "panzeri-treves", "shuffle" (for words) and "nsb" lie within one
      standard error. Else it is a bracket with a warning, from `lower`, which predicting left-out
      stimuli proves, to `upper`, the highest estimate; value is the middle and se a quarter of the
      width, NaN if it is as wide as the entropy.
    - "plugin" ("none") is raw.

    `warning` is set for too few trials and, except with the default and "auto", for values within
    the range of chance. An estimate below zero, or above the entropy of the stimuli, by more than
    two standard errors is NaN; one above by less is that entropy.

    se: delete-one jackknife over trials, or the spread at zero information if that is larger. p is
    (1 + shuffles of s that reach the value) / (1 + n_shuffle), each corrected in the same way;
    null_mean their mean. Near I = 0 the estimate is skewed: use p. With "auto" both are of
    "panzeri-treves".

    Parameters
    ----------
    s, r : (n,) or (n, k) whole numbers, truth values or texts, one row per trial; each different
        row of (n, k), a word, is one response. Of s also floats that repeat, such as directions.
        For many different counts in few trials see `bin_counts`
    bias : see above
    n_shuffle, seed : number of shuffles, 0 for no null, and the seed of shuffles and partitions
    n_symbols : number of possible responses, for "nsb" and "best-upper-bound"; None: its range (for
        words the product of the letters' ranges), with a warning

    Raises
    ------
    NsnnError : s or r that are no symbols, unequal lengths, fewer than 2 trials, an unknown bias,
        "shuffle" without words, n_symbols below the responses that occur. Sources: Panzeri & Treves
        1996, doi 10.1080/0954898X.1996.11978656; Panzeri et al. 2007, doi 10.1152/jn.00559.2007

    >>> s = [0] * 50 + [1] * 50
    >>> r = [0] * 40 + [1] * 10 + [0] * 10 + [1] * 40
    >>> print(mutual_information(s, r))
    0.2705 ± 0.083 bit over the null (raw 0.2709, null 0.0003873, p = 0.0099; correction panzeri-treves; ...)
    """
    check(bias=bias, n_shuffle=n_shuffle, n_symbols=n_symbols, seed=seed)
    data = pipeline.read(labels=("s",), n_symbols=n_symbols, s=s, r=r)
    bias = choose(bias, [*SYMMETRIC, "quadratic", "shuffle", "auto"], "bias")
    if bias == "shuffle" and not _has_letters(data):
        raise NsnnError("bias = 'shuffle' with r of one letter: expected words (n, k) with k > 1")
    refuse_endless(bias, data.alphabet, "r")
    if bias == "auto":
        return _automatic(data, n_shuffle, seed)
    result, spread = pipeline.measured(data, pipeline.INFORMATION, bias, "s", n_shuffle, seed)
    inferred = data.inferred if bias in NEED_ALPHABET else None
    n_s, n_r = data.sizes
    notes = [inferred, pipeline.few_samples(bias, data.n, n_s, n_r, cure="fewer responses" + _cure(data))]
    return pipeline.judged(result, data.most, notes=notes, spread=spread, last=_ALWAYS.get(bias))


def _measured(data: pipeline.Columns, bias: str, n_shuffle: int, seed: int) -> Estimate:
    return pipeline.measured(data, pipeline.INFORMATION, bias, "s", n_shuffle, seed)[0]


def _has_letters(data: pipeline.Columns) -> bool:
    return data.letters.shape[1] > 1


def _cure(data: pipeline.Columns) -> str:
    """What to do about many different counts, and about words of which most occur once."""
    n, (n_s, n_r) = data.n, data.sizes
    once = np.count_nonzero(data.table.sum(0) == 1)
    if _has_letters(data) and once > n / 2:
        return (
            f": {once} of {n} words occur once, too long for these trials; decode instead (measures.decode)"
        )
    n_bins = max(2, int(n / n_s / pipeline.ENOUGH["panzeri-treves"]))
    if _has_letters(data) or n_r <= n_bins:
        return ""
    return f", for counts bin_counts(counts, n_bins={n_bins})"


def _automatic(data: pipeline.Columns, n_shuffle: int, seed: int) -> Estimate:
    """An estimate on which estimators of different biases agree, or a bracket."""
    n_s, n_r = data.sizes
    trials = f"{data.n / n_s:.4g} trials per stimulus for {n_r} responses"
    first, per_response = _measured(data, "panzeri-treves", n_shuffle, seed), data.n / (n_s * n_r)
    if per_response >= pipeline.PLENTY or n_s == 1:
        return pipeline.judged(first, data.most, reason=f"there are {trials}")
    usable = {"shuffle": _has_letters(data), "nsb": math.isfinite(data.alphabet)}
    others = [_measured(data, name, 0, seed) for name, use in usable.items() if use]
    result = sorted([first, *others], key=lambda one: one.value)
    listed = ", ".join(f"{one.correction} {one.value:.3g} ± {one.se:.2g}" for one in result)
    agree = result[-1].value - result[0].value <= max(one.se for one in result)
    if agree and others and per_response >= _MIN_TRIALS_TO_AGREE:
        middle = first if per_response >= pipeline.ENOUGH["panzeri-treves"] else result[len(result) // 2]
        # the others need no alphabet and agree: that it was inferred is no reason for a warning
        inferred = f"; {data.inferred}" if middle.correction == "nsb" and data.inferred else ""
        reason = f"there are {trials} and estimators agree ({listed}){inferred}"
        chosen = pipeline.judged(
            replace(middle, null_mean=first.null_mean, p=first.p), data.most, reason=reason
        )
        if chosen.warning is None:
            return chosen
    what = f"estimators disagree beyond their errors ({listed} bit) with {trials}"
    return _bracket(data, result, first, what, f"there are {trials} and estimators disagree", seed)


def _bracket(
    data: pipeline.Columns, found: list[Estimate], first: Estimate, what: str, reason: str, seed: int
) -> Estimate:
    """From what prediction proves to the highest estimate, each by its error."""
    most, plain, n_s = data.most, _measured(data, "plugin", 0, seed), data.sizes[0]
    bound = predictive_bound(data.codes["s"], data.letters, n_s)
    lower = max(0.0, bound.value - _BOUND_ERRORS * bound.se)
    rare = (data.table.sum(0) == 1).sum()
    safe = data.n >= _SAFE_TRIALS * n_s and rare <= _SAFE_RARE * data.n
    upper = max(one.value + 2.0 * one.se for one in (found if safe else [plain]))
    if upper <= lower:
        upper = plain.value + 2.0 * plain.se
    upper = min(max(upper, lower), most)
    cure = f"take more trials or fewer responses (shorter words, wider bins){_cure(data)}{TRUST}few trials"
    width, between, value = upper - lower, f"it lies between {lower:.3g} and {upper:.3g} bit", math.nan
    if width >= _UNINFORMATIVE_SHARE * most:
        note = f"{what}: nothing is known but that {between}; {cure}"
    else:
        note = f"{what}: {between}, and value is the middle; {cure}"
        value = 0.5 * (lower + upper)
    inferred = data.inferred if any(one.correction == "nsb" for one in found) else None
    both = replace(first, value=value, correction="bracket", se=0.25 * width, lower=lower, upper=upper)
    both = replace(both, se_method=SE_METHODS["bracket"])
    return pipeline.judged(both, notes=[note, inferred], reason=reason)


_WEIGHTS = (1.0, 3.0, 10.0, 30.0, 100.0, math.inf)  # a
_POWERS = (0.25, 0.5, 0.75, 1.0)  # c
_PRIOR = 4.0  # trials that the mean variance counts for
_HALF = 0.5  # counts added to each letter, after Krichevsky & Trofimov 1981


class Bound(NamedTuple):
    """A lower bound in bits and its standard error over trials."""

    value: float
    se: float


def predictive_bound(s: np.ndarray, words: np.ndarray, n_s: int) -> Bound:
    """Leave-one-out lower bound of I(S; R) in bits, 0 or more, of words int (n, k) and codes s int (n,) of n_s stimuli
    that occur.

    Source: Barber & Agakov 2003, Advances in Neural Information Processing Systems 16, 201-208
    """
    distinct, codes = np.unique(words, axis=0, return_inverse=True)
    codes = codes.reshape(-1)
    table = np.bincount(s * len(distinct) + codes, minlength=n_s * len(distinct)).reshape(n_s, -1)
    trials, n = table.sum(1), len(s)
    stimulus, word = np.nonzero(table)
    times, cell = table[stimulus, word], np.arange(stimulus.size)
    own = np.zeros((cell.size, n_s))
    own[cell, stimulus] = 1.0
    scale = np.where(own > 0, 1.0, (trials - 1.0) / trials)
    counts, left = (table[:, word].T - own) * scale, trials - 1.0
    pooled = np.log((table.sum(0)[word] - 0.5) / (n - 0.5))[:, None]
    apart, normal = np.zeros(own.shape), np.zeros(own.shape)
    for letters in distinct.T:
        present, letter = np.unique(letters, return_inverse=True)
        by_letter = np.zeros((present.size, n_s))
        np.add.at(by_letter, letter, table.T)
        seen = (by_letter[letter[word]] - own) * scale
        apart += np.log((seen + _HALF) / (left + _HALF * present.size))
        normal += _normal(letters[word].astype(float), by_letter, present.astype(float), own)
    bases = (pooled, apart, normal) if present.size > 2 or len(distinct.T) > 1 else (pooled, apart)
    prior = np.log(trials / n)
    log_counts = np.log(counts, out=np.full(counts.shape, -np.inf), where=counts > 0)
    best = Bound(0.0, 0.0)
    for base in bases:
        for weight in _WEIGHTS:
            if math.isinf(weight):
                evidence = np.broadcast_to(base, own.shape)
            else:
                evidence = np.logaddexp(log_counts, base + math.log(weight)) - np.log(left + weight)
            for power in _POWERS:
                log_q = power * evidence + prior
                log_q = log_q - np.logaddexp.reduce(log_q, axis=1, keepdims=True)
                gain = (log_q[cell, stimulus] - prior[stimulus]) / math.log(2)
                result = _mean(gain, times)
                if result.value > best.value + 1e-9:
                    best = result
    return best


def _mean(gain: np.ndarray, times: np.ndarray) -> Bound:
    """Mean gain and its standard error, with two trials added that lose as much as any gained.

    Nearly all trials may gain the most that can be known: without a rare one that loses much the spread is too small.
    """
    values, weights = np.append(gain, -gain.max()), np.append(times, 2.0)
    n = weights.sum()
    mean = float(weights @ values / n)
    return Bound(mean, float(np.sqrt(weights @ (values - mean) ** 2 / n / (n - 1))))


def _normal(x: np.ndarray, counts: np.ndarray, present: np.ndarray, own: np.ndarray) -> np.ndarray:
    """ln of normal densities (m, n_s) of letters x (m,), from counts (letters, n_s) less `own` (m, n_s).

    Variances are drawn towards their mean over stimuli as by four more trials.
    """
    left = np.maximum(counts.sum(0) - own, 1.0)
    first, second = present @ counts - own * x[:, None], present**2 @ counts - own * x[:, None] ** 2
    mean = first / left
    squares = np.maximum(second - left * mean**2, 0.0)
    shared = max(float(squares.mean(0).sum() / left.mean(0).sum()), 1.0 / 12.0)
    variance = (squares + _PRIOR * shared) / (left + _PRIOR) * (1.0 + 1.0 / left)
    return -0.5 * ((x[:, None] - mean) ** 2 / variance + np.log(variance))
