"""Mutual information of discrete stimuli and responses with its bias correction, error bar and shuffle null."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..errors import NsnnError
from .counts import contingency
from .entropies import Profile, profile
from .entropy import (
    ENOUGH,
    JACKKNIFED,
    NEED_ALPHABET,
    SE_METHODS,
    SYMMETRIC,
    alphabet_size,
    choose,
    jackknife_se,
    without_one,
)
from .estimate import Estimate
from .extrapolation import quadratic_extrapolation
from .shuffled import shuffled_correction
from .symbols import as_symbols, read_symbols

__all__ = ["information_of_tables", "mutual_information"]

_CELLS_AT_ONCE = 4_000_000
_ENOUGH = {**ENOUGH, "shuffle": 1.0}  # trials per stimulus for each response that occurs


class _Samples(NamedTuple):
    r: np.ndarray
    n_s: int
    n_r: int
    limit: float  # the alphabet that the estimator takes for granted
    words: np.ndarray


def information_of_tables(
    tables: np.ndarray, estimator: Callable[[Profile], np.ndarray], limit: float
) -> np.ndarray:
    """H(R) - sum_s p(s) H(R | s) in bits of tables (..., n_s, n_r), each entropy by the same estimator.

    Parameters
    ----------
    tables : counts, stimuli in rows
    estimator : of `Profile` rows, for example `entropies.panzeri_treves`
    limit : size of the alphabet of responses

    >>> from nsnn_neuro.measures.entropies import plugin
    >>> round(float(information_of_tables(np.array([[5, 0], [0, 5]]), plugin, 2.0)), 12)
    1.0
    """
    tables = np.asarray(tables)
    lead, (n_s, n_r) = tables.shape[:-2], tables.shape[-2:]
    total = estimator(profile(tables.sum(-2).reshape(-1, n_r), limit)).reshape(lead)
    rows = estimator(profile(tables.reshape(-1, n_r), limit)).reshape(*lead, n_s)
    weights = tables.sum(-1)
    return total - (weights * rows).sum(-1) / weights.sum(-1)


def _jackknife(table: np.ndarray, method: str, limit: float) -> float:
    """Delete-one jackknife of `information_of_tables`: one value per occupied cell."""
    n_s, n = table.sum(1), table.sum()
    total, rows = profile(table.sum(0)[None], limit), profile(table, limit)
    h = JACKKNIFED[method](rows)
    h_total, h_rows = without_one(method, total)[0], without_one(method, rows)
    i, j = np.nonzero(table)
    conditional = n_s @ h - n_s[i] * h[i] + (n_s[i] - 1) * h_rows[i, rows.place[i, j]]
    return jackknife_se(h_total[total.place[0, j]] - conditional / (n - 1), table[i, j])


def _symmetric(method: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    estimator = SYMMETRIC[method]

    def estimate(data: _Samples, s: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
        table = contingency(s, data.r, data.n_s, data.n_r)
        value = float(information_of_tables(table, estimator, data.limit))
        return value, _jackknife(table, method, data.limit)

    def null(data: _Samples, s: np.ndarray, n_shuffle: int, rng: np.random.Generator) -> np.ndarray:
        at_once = max(1, _CELLS_AT_ONCE // (data.n_s * data.n_r))
        values = []
        for first in range(0, n_shuffle, at_once):
            tables = [
                contingency(rng.permutation(s), data.r, data.n_s, data.n_r)
                for _ in range(min(at_once, n_shuffle - first))
            ]
            values.append(information_of_tables(np.array(tables), estimator, data.limit))
        return np.concatenate(values)

    return estimate, null


def _quadratic(
    data: _Samples, s: np.ndarray, rng: np.random.Generator, jackknife: bool = True
) -> tuple[float, float]:
    if len(s) < 4:
        raise NsnnError(f"s has {len(s)} samples: 'quadratic' halves them twice, so expected at least 4")
    value, without = quadratic_extrapolation(
        s, data.r, data.n_s, data.n_r, rng=rng, joint=True, jackknife=jackknife
    )
    return value, jackknife_se(without)


def _shuffle(
    data: _Samples, s: np.ndarray, rng: np.random.Generator, jackknife: bool = True
) -> tuple[float, float]:
    estimator = SYMMETRIC["panzeri-treves"]
    table = contingency(s, data.r, data.n_s, data.n_r)
    change, spread = shuffled_correction(data.words, s, data.n_s, rng=rng)
    value = float(information_of_tables(table, estimator, data.limit)) + change
    return value, math.hypot(
        _jackknife(table, "panzeri-treves", data.limit), spread
    ) if jackknife else math.nan


def _one_by_one(estimate: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def null(data: _Samples, s: np.ndarray, n_shuffle: int, rng: np.random.Generator) -> np.ndarray:
        return np.array(
            [estimate(data, rng.permutation(s), rng, jackknife=False)[0] for _ in range(n_shuffle)]
        )

    return estimate, null


_BIASES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    **{name: _symmetric(name) for name in SYMMETRIC},
    "quadratic": _one_by_one(_quadratic),
    "shuffle": _one_by_one(_shuffle),
}


def mutual_information(
    s: Any,
    r: Any,
    *,
    bias: str = "panzeri-treves",
    n_shuffle: int = 100,
    n_symbols: int | None = None,
    seed: int = 0,
) -> Estimate:
    """Mutual information I(S; R) = H(R) - sum_s p(s) H(R | s) of two discrete variables, in bits.

    `bias` names the estimator of all the entropies, see `entropy`: "plugin" ("none"), "miller-madow", "panzeri-treves",
    "quadratic" (of the plug-in information itself), "chao-shen", "grassberger", "nsb", "best-upper-bound"; and

    - "shuffle", of words: H(R) - H_ind(R|S) + H_sh(R|S) - H(R|S), each entropy by Panzeri & Treves (`shuffled_correction`);
    - "auto": "panzeri-treves" from 4 trials per stimulus for each response that occurs, else "shuffle" for words from 1 on,
      else "nsb"; by these numbers alone, which no shuffle changes.

    The default "panzeri-treves" subtracts [sum_s (R_s - 1) - (R - 1)] / (2 N ln 2), R the number of responses that occur and
    R_s that of those which can occur with s, by `relevant_responses`: the cheapest correction that is right within about 0.01
    bit from 4 trials per response on.

    `warning` is set below these trials per stimulus for each of the R responses that occur: 32 "miller-madow"; 4
    "panzeri-treves", "quadratic", "chao-shen" (which has the bias of "plugin" again beyond 64), "grassberger"; 1 "nsb",
    "best-upper-bound", "shuffle"; and for "plugin" below N = 4 [(n_s - 1) (R - 1)]^2, where its bias is about a third of its
    error bar. From there two error bars contained the truth in nine of ten repeats on channels of 4 to 8 stimuli and 13 to 64
    responses. What is left of a bias falls more slowly with the alphabet than the error bar: with hundreds of responses, most
    of them rare, "panzeri-treves" is within 0.02 bit but not always within two error bars; "shuffle" and "best-upper-bound"
    are the safest there.

    se is the delete-one jackknife over samples, one value per occupied cell of the table; it is over all n samples, as if s had
    been drawn too, which is slightly wide for a fixed number of trials per stimulus. "grassberger" is jackknifed with psi in
    place of G; "shuffle" adds the spread over its shuffles, and costs ten times the others, in the null too.

    Near I = 0 the law of the estimate is skewed: judge by p, the fraction (1 + shuffles that reach the value) / (1 + n_shuffle),
    where a shuffle permutes s and is corrected in the same way.

    Parameters
    ----------
    s, r : (n,) or (n, k) whole numbers or truth values, one row per trial, see `read_symbols`; at least 2 trials
    bias : see above
    n_shuffle : number of shuffles, 0 for no null
    n_symbols : size of the alphabet of responses for "nsb" and "best-upper-bound"; None is the range of r (for words the
        product of the letters' ranges), with a warning
    seed : of shuffles and partitions

    Raises
    ------
    NsnnError : what `read_symbols` refuses, unequal lengths, fewer than 2 trials, an unknown bias, "shuffle" without words,
        n_symbols below the number of responses that occur. Source: Panzeri & Treves 1996, doi
        10.1080/0954898X.1996.11978656; Panzeri et al. 2007, doi 10.1152/jn.00559.2007

    >>> s = [0] * 50 + [1] * 50
    >>> r = [0] * 40 + [1] * 10 + [0] * 10 + [1] * 40
    >>> print(mutual_information(s, r))
    0.2709 ± 0.083 bit (correction panzeri-treves; se jackknife over samples; null 0.0003873, p = 0.0099; n = 100)
    """
    s_codes, n_s = as_symbols(s, "s")
    responses = read_symbols(r, "r")
    n = len(s_codes)
    if n != len(responses.codes):
        raise NsnnError(f"s and r have {n} and {len(responses.codes)} samples: expected one r for each s")
    if n < 2:
        raise NsnnError("s and r have 1 sample: expected at least 2 trials")
    bias = choose(bias, [*_BIASES, "auto"], "bias")
    if isinstance(n_shuffle, bool) or not isinstance(n_shuffle, int | np.integer) or n_shuffle < 0:
        raise NsnnError(f"n_shuffle = {n_shuffle!r}: expected a whole number, 0 for no shuffles")
    has_letters = responses.is_word and np.shape(r)[1] > 1
    if bias == "shuffle" and not has_letters:
        raise NsnnError("bias = 'shuffle' with r of one letter: expected words (n, k) with k > 1")
    size, inferred = alphabet_size(responses, n_symbols, "r")
    per_response = n / (n_s * responses.n_present)
    trials = f"{n / n_s:.4g} trials per stimulus for {responses.n_present} responses"
    reason = None
    if bias == "auto":
        bias = next(
            name
            for name in ("panzeri-treves", "shuffle", "nsb")
            if name == "nsb" or (per_response >= _ENOUGH[name] and (name != "shuffle" or has_letters))
        )
        reason = f"there are {trials}"
    if bias in NEED_ALPHABET and not math.isfinite(size):
        raise NsnnError("n_symbols = None: r has words of too many letters to count them; give n_symbols")
    words = np.asarray(r).reshape(n, -1)
    limit = size if bias in NEED_ALPHABET else responses.n_present
    data = _Samples(responses.codes, n_s, responses.n_present, limit, words)
    rng = np.random.default_rng(seed)
    estimate, null = _BIASES[bias]
    value, se = estimate(data, s_codes, rng)
    null_mean = p = None
    if n_shuffle:
        shuffled = null(data, s_codes, n_shuffle, rng)
        null_mean = float(shuffled.mean())
        p = float((1 + (shuffled >= value - 1e-12).sum()) / (1 + n_shuffle))
    notes = [inferred if bias in NEED_ALPHABET else None]
    enough = _ENOUGH.get(bias, 4 * ((n_s - 1) * (responses.n_present - 1)) ** 2 / (n_s * responses.n_present))
    if per_response < enough:
        notes.append(
            f"{trials}, fewer than {enough:.4g} for each: {bias} may be biased; take more trials or fewer responses"
        )
    warning = "; ".join(note for note in notes if note) or None
    how = SE_METHODS.get(bias, "jackknife over samples")
    return Estimate(value, se, bias, null_mean, p, n, warning, se_method=how, reason=reason)
