"""Mutual information of discrete stimuli and responses: bias correction, error, shuffle null."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ...core.aliases import Values
from ...core.checks import check, suggest_keywords
from ...core.errors import NsnnError
from ...core.warn import TRUST
from ..entropies.entropy import NEED_ALPHABET, SE_METHODS, SYMMETRIC, choose, refuse_endless
from ..estimate import Estimate
from . import pipeline
from .predictive_bound import predictive_bound

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
