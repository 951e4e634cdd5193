"""Mutual information of discrete stimuli and responses with its bias correction, error bar and shuffle null."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...core.checks import check, suggest_keywords
from ...core.errors import NsnnError
from ..entropy.contingency import contingency, plugin_entropy
from ..entropy.entropy import (
    NEED_ALPHABET,
    SE_METHODS,
    SYMMETRIC,
    alphabet_size,
    choose,
)
from ..entropy.extrapolation import quadratic_extrapolation
from ..entropy.information_tables import information_of_tables, informations_without_one, zero_spread
from ..entropy.symbols import as_symbols, letters, read_symbols
from ..estimate import Estimate, jackknife_se
from ..response_checks import shuffle_test
from .impossible_estimates import possible
from .predictive_bound import predictive_bound
from .shuffled_information import shuffled_correction

_CELLS_AT_ONCE = 4_000_000
_ALWAYS = {"best-upper-bound": "what is left of its entropies' biases need not cancel in their difference"}
# trials per stimulus for each response that occurs, if these are at most _MANY and their pairs _PAIRS; else _PLENTY
_ENOUGH = {
    "plugin": 0.0,
    "miller-madow": 64.0,
    "panzeri-treves": 4.0,
    "quadratic": 16.0,
    "chao-shen": 4.0,
    "grassberger": 16.0,
    "nsb": 8.0,
    "best-upper-bound": 1.0,
    "shuffle": 8.0,
}
_MANY, _PAIRS, _PLENTY = 64, 1000, 64.0  # responses; pairs of stimulus and response
# of no use where all symbols were seen several times: trials are enough where the plug-in's bias is small
_UNCORRECTED = ("plugin", "chao-shen")
# spreads at zero information; below, the bias of all but Panzeri and Treves can exceed the error bar
_CHANCE = 6.0
_AGREE = 2.0  # trials per stimulus for each response: with fewer, estimators agree on what is wrong
# with fewer trials per stimulus, or more responses that came once, Panzeri and Treves' count of responses runs into its limit
_SAFE_TRIALS, _SAFE_RARE = 10, 0.35
_BOUND_ERRORS = 2.5  # the highest of several bounds is a little too high
_NOTHING = 0.95  # of the stimuli's entropy: a bracket as wide says nothing


class _Samples(NamedTuple):
    """Stimuli and responses as read, and what the estimators need to know of them."""

    s: np.ndarray
    n_s: int
    r: np.ndarray
    n_r: int
    words: np.ndarray
    has_letters: bool
    size: float  # of the alphabet of responses
    inferred: str | None  # a warning where that was taken from the samples

    def limit(self, bias: str) -> float:
        """The alphabet that the estimator takes for granted."""
        return self.size if bias in NEED_ALPHABET else float(self.n_r)

    def table(self, s: np.ndarray | None = None) -> np.ndarray:
        """Counts (n_s, n_r), with other stimuli where they are given."""
        return contingency(self.s if s is None else s, self.r, self.n_s, self.n_r)

    @property
    def per_response(self) -> float:
        """Trials per stimulus for each response that occurs."""
        return len(self.s) / (self.n_s * self.n_r)

    @property
    def trials(self) -> str:
        return f"{len(self.s) / self.n_s:.4g} trials per stimulus for {self.n_r} responses"

    @property
    def most(self) -> float:
        """Entropy of the stimuli as they were presented."""
        return float(plugin_entropy(np.bincount(self.s, minlength=self.n_s)))


def _estimate(
    data: _Samples, bias: str, s: np.ndarray, rng: np.random.Generator, jackknife: bool = True
) -> tuple[float, float]:
    """Information with the stimuli s, and its delete-one jackknife (NaN without)."""
    if bias == "quadratic":
        if len(s) < 4:
            raise NsnnError(f"s has {len(s)} samples: 'quadratic' halves them twice, so expected at least 4")
        value, without = quadratic_extrapolation(
            s, data.r, data.n_s, data.n_r, rng=rng, joint=True, jackknife=jackknife
        )
        return value, jackknife_se(without)
    method = "panzeri-treves" if bias == "shuffle" else bias
    table, limit, se = data.table(s), data.limit(method), math.nan
    value = float(information_of_tables(table, SYMMETRIC[method], limit))
    if jackknife:
        seen = table > 0
        se = jackknife_se(informations_without_one(table, method, limit)[seen], table[seen])
    if bias == "shuffle":
        change, spread = shuffled_correction(data.words, s, data.n_s, rng=rng)
        value, se = value + change, math.hypot(se, spread)
    return value, se


def _null(data: _Samples, bias: str, n_shuffle: int, rng: np.random.Generator) -> np.ndarray:
    """Values (n_shuffle,) with permuted stimuli; estimators of tables take many tables at once."""
    if bias not in SYMMETRIC:
        stimuli = (rng.permutation(data.s) for _ in range(n_shuffle))
        return np.array([_estimate(data, bias, s, rng, jackknife=False)[0] for s in stimuli])
    at_once = max(1, _CELLS_AT_ONCE // (data.n_s * data.n_r))
    values = [np.empty(0)]
    for first in range(0, n_shuffle, at_once):
        tables = [data.table(rng.permutation(data.s)) for _ in range(min(at_once, n_shuffle - first))]
        values.append(information_of_tables(np.array(tables), SYMMETRIC[bias], data.limit(bias)))
    return np.concatenate(values)


@suggest_keywords
def mutual_information(
    s: Any,
    r: Any,
    *,
    bias: str = "panzeri-treves",
    n_shuffle: int = 100,
    n_symbols: int | None = None,
    seed: int = 0,
) -> Estimate:
    """Mutual information of stimuli s and responses r, in bits: how much a response tells about the stimulus.

    I(S; R) = H(R) - sum_s p(s) H(R | s), with the entropies H(R) of all responses and H(R | s) of the responses to
    stimulus s. It is 0 if responses do not depend on the stimulus, and at most the entropy of the stimuli. Entropies
    computed from few trials are too low, and the information is then too high. `bias` names the method that corrects this:

    - "panzeri-treves" (default) subtracts [sum_s (R_s - 1) - (R - 1)] / (2 N ln 2) from the uncorrected ("plug-in") value.
      N is the number of trials, R the number of responses that occur, and R_s the number of responses that can occur
      with s, see `relevant_responses`. It needs 4 trials per stimulus for each of the R responses (as all methods do, 64 if
      there are more than 64 responses, or 1000 pairs of stimulus and response).
    - "miller-madow", "chao-shen", "grassberger", "nsb", "best-upper-bound" estimate each entropy by that method, see
      `entropy`; "quadratic" extrapolates the plug-in information itself.
    - "shuffle", for words: H(R) - H_ind(R|S) + H_sh(R|S) - H(R|S), each entropy by Panzeri & Treves (`shuffled_correction`).
    - "auto" gives an estimate where estimators agree, else a bracket (below). "plugin" ("none") makes no correction.

    `warning` is set if there are too few trials for the method, or, except for the default and "auto", if the value is within
    the range of chance. Without a warning, two standard errors contained the true value in nine of ten repeats.
    docs/information.md lists the trials that each method needs, and the tests. If the estimate is below zero, or above the
    entropy of the stimuli, by more than two standard errors, value and se are NaN and the warning names the cure. If it is
    above by less, it is set to that entropy.

    "auto" computes "panzeri-treves", whose bias is mostly upwards, "shuffle" (for words), whose bias is mostly downwards, and
    "nsb". If they lie within one standard error of each other, with at least 2 trials per stimulus and response, it returns
    "panzeri-treves", or with fewer than 4 trials the middle one. If not, it returns a bracket with a warning: `lower` is
    the bound from predicting left-out stimuli (`predictive_bound`) less 2.5 standard errors, or 0; `upper` is the highest of the
    three plus two standard errors, or the plug-in's where most responses occur once or trials are fewer than 10 per
    stimulus, and at most the entropy of the stimuli; value is the middle, and se a quarter of the width. value is NaN if the
    bracket is as wide as that entropy. With 64 trials per stimulus and response it is "panzeri-treves" alone.

    se is the delete-one jackknife over trials, or the plug-in's spread at zero information (`zero_spread`) if that is larger.
    "grassberger" is jackknifed with psi in place of G; "shuffle" adds the spread over its shuffles, and takes ten times
    as long as the others. p is the fraction (1 + shuffles that reach the value) / (1 + n_shuffle), where a shuffle permutes s
    and is corrected in the same way; null_mean is the mean over shuffles. Near I = 0 the distribution of the estimate is
    skewed: use p there, not se. With "auto", p and null_mean are those of "panzeri-treves".

    Parameters
    ----------
    s, r : (n,) or (n, k) whole numbers, truth values or texts, one row per trial; a row of (n, k) is a word, and each different
        word is one response. Of s also floats that repeat, such as directions. At least 2 trials; for many different counts in
        few trials see `bin_counts`
    bias : see above
    n_shuffle, seed : number of shuffles, 0 for no null, and the seed of shuffles and partitions
    n_symbols : number of possible responses, for "nsb" and "best-upper-bound"; None is the range of r (for words the
        product of the letters' ranges), with a warning

    Raises
    ------
    NsnnError : s or r that are no symbols, unequal lengths, fewer than 2 trials, an unknown bias, "shuffle" without words,
        n_symbols below the number of responses that occur. Source: Panzeri & Treves 1996, doi
        10.1080/0954898X.1996.11978656; Panzeri et al. 2007, doi 10.1152/jn.00559.2007

    >>> s = [0] * 50 + [1] * 50
    >>> r = [0] * 40 + [1] * 10 + [0] * 10 + [1] * 40
    >>> print(mutual_information(s, r))
    0.2705 ± 0.083 bit over the null (raw 0.2709, null 0.0003873, p = 0.0099; correction panzeri-treves; ...)
    """
    check(bias=bias, n_shuffle=n_shuffle, n_symbols=n_symbols, seed=seed)
    data, bias = _read(s, r, n_symbols), choose(bias, [*SYMMETRIC, "quadratic", "shuffle", "auto"], "bias")
    if bias == "shuffle" and not data.has_letters:
        raise NsnnError("bias = 'shuffle' with r of one letter: expected words (n, k) with k > 1")
    if bias in NEED_ALPHABET and not math.isfinite(data.size):
        raise NsnnError("n_symbols = None: r has words of too many letters to count them; give n_symbols")
    if bias == "auto":
        return _automatic(data, n_shuffle, seed)
    result = _find(data, bias, n_shuffle, seed)
    value, impossible = possible(result, data.most)
    inferred = data.inferred if bias in NEED_ALPHABET else None
    notes = [
        impossible,
        inferred,
        _few(data, bias),
        by_chance(result, zero_spread(data.table())),
        _ALWAYS.get(bias),
    ]
    return with_notes(result, value, notes)


def _read(s: Any, r: Any, n_symbols: Any) -> _Samples:
    s_codes, n_s = as_symbols(s, "s", category=True)
    responses = read_symbols(r, "r")
    n = len(s_codes)
    if n != len(responses.codes):
        raise NsnnError(f"s and r have {n} and {len(responses.codes)} samples: expected one r for each s")
    if n < 2:
        raise NsnnError("s and r have 1 sample: expected at least 2 trials")
    has_letters = responses.is_word and np.shape(r)[1] > 1
    size, inferred = alphabet_size(responses, n_symbols, "r")
    words = letters(r, "r")
    return _Samples(s_codes, n_s, responses.codes, responses.n_present, words, has_letters, size, inferred)


def _find(data: _Samples, bias: str, n_shuffle: int, seed: int) -> Estimate:
    """The estimate as the formula gives it, possible or not."""
    rng = np.random.default_rng(seed)
    value, se = _estimate(data, bias, data.s, rng)
    se = max(se, zero_spread(data.table()))
    test = shuffle_test(_null(data, bias, n_shuffle, rng), value)
    how = SE_METHODS.get(bias, "jackknife over samples")
    return Estimate(value, se, bias, n=len(data.s), se_method=how, **test)


def trials_needed(bias: str, n_s: int, n_r: int) -> float:
    """Trials per stimulus, for each response, from which the method's bias is small, with n_s stimuli and n_r responses that occur.

    >>> trials_needed("panzeri-treves", 4, 5), trials_needed("panzeri-treves", 4, 100)
    (4.0, 64.0)
    """
    if bias in _UNCORRECTED:
        return max(_ENOUGH[bias], 4 * ((n_s - 1) * (n_r - 1)) ** 2 / (n_s * n_r))
    many = n_r > _MANY or n_s * n_r > _PAIRS
    return max(_PLENTY, _ENOUGH[bias]) if many else _ENOUGH[bias]


def too_few(bias: str, n: int, n_s: int, n_r: int, what: str = "trials for each response") -> str | None:
    """What is wrong with n trials of n_s stimuli and n_r responses, by one number of trials for each method; None if they do.

    >>> too_few("panzeri-treves", 40, 2, 6), too_few("panzeri-treves", 160, 2, 6)
    (', fewer than 4 trials for each response: panzeri-treves may be biased', None)
    """
    each, per_response = _ENOUGH[bias], n / (n_s * n_r)
    if per_response >= trials_needed(bias, n_s, n_r):
        return None
    if per_response < each:
        return f", fewer than {each:.4g} {what}: {bias} may be biased"
    if bias in _UNCORRECTED:
        most = (n_s - 1) * (n_r - 1) / (2 * n * math.log(2))
        return f": {bias} may be too high by up to {most:.2g} bit"
    return f": {each:.4g} {what} are not enough where there are so many, and {bias} may be biased"


def _few(data: _Samples, bias: str) -> str | None:
    few = too_few(bias, len(data.s), data.n_s, data.n_r)
    return few and f"{data.trials}{few}; take more trials or fewer responses{_cure(data)}"


def _cure(data: _Samples) -> str:
    """What to do about many different counts, and about words of which most occur once, such as the counts of many neurons."""
    once = np.count_nonzero(np.bincount(data.r) == 1)
    if data.has_letters and once > len(data.s) / 2:
        return f": {once} of {len(data.s)} words occur once, too long for these trials; decode instead (measures.decode)"
    n_bins = max(2, int(len(data.s) / data.n_s / _ENOUGH["panzeri-treves"]))
    if data.has_letters or data.n_r <= n_bins:
        return ""
    return f", for counts bin_counts(counts, n_bins={n_bins})"


def by_chance(found: Estimate, spread: float) -> str | None:
    """A warning if the value is within the range of chance, of which `spread` is the standard deviation.

    >>> by_chance(Estimate(0.02, 0.01, "nsb"), 0.01)
    '0.02 bit is within what chance gives (6 times 0.01 bit), where the bias of nsb may be larger than its error bar; judge by p'
    """
    if found.correction in ("panzeri-treves", *_ALWAYS) or not found.value < _CHANCE * spread:
        return None
    return (
        f"{found.value:.2g} bit is within what chance gives ({_CHANCE:.0f} times {spread:.2g} bit), where the bias of "
        f"{found.correction} may be larger than its error bar; judge by p"
    )


def with_notes(found: Estimate, value: float, notes: list[str | None], reason: str | None = None) -> Estimate:
    """The estimate with another value, NaN without an error, and the notes as its warning.

    >>> with_notes(Estimate(-1.0, 0.1), math.nan, [None, "impossible"]).warning
    'impossible'
    """
    warning = "; ".join(note for note in notes if note) or None
    se = found.se if math.isfinite(value) else math.nan
    return replace(found, value=value, se=se, warning=warning, reason=reason)


def _automatic(data: _Samples, n_shuffle: int, seed: int) -> Estimate:
    """An estimate on which estimators of different biases agree, or a bracket."""
    first, most = _find(data, "panzeri-treves", n_shuffle, seed), data.most
    if data.per_response >= _PLENTY or data.n_s == 1:
        value, impossible = possible(first, most)
        return with_notes(first, value, [impossible], f"there are {data.trials}")
    others = [name for name, use in (("shuffle", data.has_letters), ("nsb", math.isfinite(data.size))) if use]
    result = sorted([first, *(_find(data, name, 0, seed) for name in others)], key=lambda one: one.value)
    listed = ", ".join(f"{one.correction} {one.value:.3g} ± {one.se:.2g}" for one in result)
    agree = result[-1].value - result[0].value <= max(one.se for one in result)
    if agree and len(result) > 1 and data.per_response >= _AGREE:
        middle = first if data.per_response >= _ENOUGH["panzeri-treves"] else result[len(result) // 2]
        chosen = replace(middle, null_mean=first.null_mean, p=first.p)
        value, impossible = possible(chosen, most)
        if impossible is None:
            # the others need no alphabet and agree: that it was inferred is no reason for a warning
            inferred = f"; {data.inferred}" if chosen.correction == "nsb" and data.inferred else ""
            return with_notes(
                chosen, value, [], f"there are {data.trials} and estimators agree ({listed}){inferred}"
            )
    return _bracket(data, result, listed, first, seed)


def _bracket(data: _Samples, found: list[Estimate], listed: str, first: Estimate, seed: int) -> Estimate:
    """From what prediction proves to the highest estimate, each by its error."""
    most, plain = data.most, _find(data, "plugin", 0, seed)
    bound = predictive_bound(data.s, data.words, data.n_s)
    lower = max(0.0, bound.value - _BOUND_ERRORS * bound.se)
    rare = (np.bincount(data.r) == 1).sum()
    safe = len(data.s) >= _SAFE_TRIALS * data.n_s and rare <= _SAFE_RARE * len(data.s)
    upper = max(one.value + 2.0 * one.se for one in (found if safe else [plain]))
    if upper <= lower:
        upper = plain.value + 2.0 * plain.se
    upper = min(max(upper, lower), most)
    what = f"estimators disagree beyond their errors ({listed} bit) with {data.trials}"
    width, cure = (
        upper - lower,
        "take more trials or fewer responses (shorter words, wider bins)" + _cure(data),
    )
    if width >= _NOTHING * most:
        note = f"{what}: nothing is known but that it lies between {lower:.3g} and {upper:.3g} bit; {cure}"
        value = math.nan
    else:
        note = f"{what}: it lies between {lower:.3g} and {upper:.3g} bit, and value is the middle; {cure}"
        value = 0.5 * (lower + upper)
    both = replace(first, correction="bracket", se=0.25 * width, lower=lower, upper=upper)
    both = replace(both, se_method=SE_METHODS["bracket"])
    inferred = data.inferred if any(one.correction == "nsb" for one in found) else None
    return with_notes(both, value, [note, inferred], f"there are {data.trials} and estimators disagree")
