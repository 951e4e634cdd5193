"""Comparison of the estimators of information on simulated data that resemble the data at hand, with exactly known information.

A matched law p(r | s) = [n(r, s) + a b(r | s)] / (n_s + a) has a base b that gives every possible response a
probability; base and a are those under which each trial is most probable given the others (leave-one-out). Bases of
words are "pooled", the words of all stimuli, where the singletons' share goes to words that did not occur; "letters",
independent given the stimulus; "tilted", pooled words weighted by what each letter tells; "total", where the sum of the
letters has its own law, as under a common gain. Single letters also have "normal" and "negative binomial" with the mean
of each stimulus.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr
from scipy.stats import nbinom

from ...core.aliases import Values
from ...core.checks import check, suggest_keywords, whole
from ...core.errors import NsnnError
from ..entropies.contingency import contingency, information
from ..entropies.information_tables import information_of_tables
from .pipeline import ENOUGH, INFORMATION, Columns, read, value_and_error

_MATCHED = "panzeri-treves"  # its mean over simulated data is that of the data
_PILOTS, _HALVINGS, _STRONGEST = 20, 8, 4.0  # of the search for the matched information


@dataclass(frozen=True, eq=False)
class EstimatorComparison:
    """Bias and error of each estimator on data like these; made by `which_estimator`."""

    best: str
    """the `bias=` of the smallest root-mean-square error on the matched signal"""
    information: float
    """bits, true information of the matched signal; 0 if the data show none"""
    table: pd.DataFrame
    """a row per estimator, the smallest `rmse` first. Matched signal: mean error `bias`, its
    standard error `bias_se`, standard deviation `sd`, root-mean-square error `rmse`; matched null:
    `null_bias`, `null_sd`, `null_rmse`; all in bits
    """
    n_repeats: int
    explanation: str
    """two sentences: which estimator and why, and what it gives without information"""

    def __str__(self) -> str:
        shown = self.table.drop(columns=["bias_se", "null_rmse"], errors="ignore")
        return f"{self.explanation}\n{shown.round(3).to_string()}"


@suggest_keywords
def which_estimator(
    s: Values, r: Values, *, n_repeats: int = 100, n_symbols: int | None = None, seed: int = 0
) -> EstimatorComparison:
    """Compare the bias and error of all `bias=` of `mutual_information` on data like s, r.

    Two laws p(r | s) of known information are made from the data (`matched_law`): the matched
    signal, whose simulated experiments show as much information as the data by Panzeri & Treves,
    and the matched null, without information. Each is simulated `n_repeats` times with the data's
    trials per stimulus, and every estimator is compared with the truth. "Estimators of information"
    in the documentation says how well this knows the bias. It takes some seconds.

    Parameters
    ----------
    s, r : as for `mutual_information`, at least two of each; "shuffle" is for words
    n_repeats : simulated experiments with, and as many without information, at least 2
    n_symbols : number of possible responses, for "nsb" and "best-upper-bound"; None: its range
    seed : of the simulation

    Raises
    ------
    NsnnError : what `mutual_information` refuses, fewer than 4 trials, one stimulus or one response
        only, or more than 65536 possible words. Source of the words' matched laws: `matched_law`

    >>> s = np.repeat([0, 1], 20)
    >>> r = np.r_[np.tile([0, 0, 0, 0, 1], 4), np.tile([1, 1, 2, 0, 1], 4)]
    >>> found = which_estimator(s, r, n_repeats=20)
    >>> found.table.index[0] == found.best, bool(found.table.bias["plugin"] > found.table.bias["panzeri-treves"])
    (True, True)
    """
    check(n_symbols=n_symbols, seed=seed)
    whole(n_repeats, 2, "n_repeats", 100_000)
    data = read(labels=("s",), n_symbols=n_symbols, s=s, r=r)
    n, (n_s, n_r), size, words = data.n, data.sizes, data.alphabet, data.letters
    if n < 4:
        raise NsnnError(f"s and r have {n} samples: expected at least 4 trials")
    if n_s < 2 or n_r < 2:
        what = "s holds one stimulus" if n_s < 2 else "r holds one response"
        raise NsnnError(f"{what} in {n} trials: expected at least two, without which there is no information")
    (possible, fitted), trials = matched_law(data.codes["s"], words, n_s), data.table.sum(1)
    methods = [name for name in ENOUGH if name != "shuffle" or words.shape[1] > 1]
    target = float(information_of_tables(data.table, _MATCHED))
    law = with_information(fitted, trials, _strength(fitted, trials, target, seed))
    truth = max(float(information(trials[:, None] * law)), 0.0)
    rng = np.random.default_rng(seed)
    null = with_information(fitted, trials, 0.0)
    signal_errors = _repeats(law, possible, trials, methods, size, n_repeats, rng) - truth
    null_errors = _repeats(null, possible, trials, methods, size, n_repeats, rng)
    columns: dict[str, np.ndarray] = {}
    for law_is, errors in (("", signal_errors), ("null_", null_errors)):
        columns |= {f"{law_is}bias": errors.mean(axis=0), f"{law_is}sd": errors.std(axis=0, ddof=1)}
        columns[f"{law_is}rmse"] = np.sqrt((errors**2).mean(axis=0))
    table = pd.DataFrame(columns, index=methods).sort_values("rmse", kind="stable")
    table.insert(1, "bias_se", table["sd"] / math.sqrt(n_repeats))
    text = _explanation(table, truth, n / n_s, n_r)
    return EstimatorComparison(str(table.index[0]), truth, table, n_repeats, text)


def _explanation(table: pd.DataFrame, truth: float, trials: float, n_r: int) -> str:
    best, default = table.iloc[0], table.loc["panzeri-treves"]
    name = str(table.index[0])
    other = "" if name == "panzeri-treves" else f" (the default, panzeri-treves: {default.rmse:.2g} bit)"
    return (
        f"With {trials:.4g} trials per stimulus for {n_r} responses and {truth:.2g} bit, {name} has the smallest root-mean-square "
        f"error on simulated data like these, {best.rmse:.2g} bit{other}, with a bias of {best.bias:+.2g} bit. The same responses "
        f"without any information give {best.null_bias:.2g} ± {best.null_sd:.2g} bit: judge smaller values by p."
    )


def _strength(law: np.ndarray, trials: np.ndarray, target: float, seed: int) -> float:
    """w at which simulated data have the estimate `target` on average, at least 0."""

    def mean(w: float) -> float:
        rng, tilted = np.random.default_rng(seed), with_information(law, trials, w)
        drawn = (_table(*draw_words(tilted, trials, rng), len(trials))[0] for _ in range(_PILOTS))
        return float(np.mean([information_of_tables(table, _MATCHED) for table in drawn]))

    low, high = 0.0, _STRONGEST
    if mean(low) >= target:
        return low
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if mean(middle) < target else (low, middle)
    return 0.5 * (low + high)


def _table(s: np.ndarray, word: np.ndarray, n_s: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts (n_s, words that occur), and which words occur."""
    present, code = np.unique(word, return_inverse=True)
    return contingency(s, code.reshape(-1), n_s, present.size), present


def _repeats(
    law: np.ndarray,
    words: np.ndarray,
    trials: np.ndarray,
    methods: list[str],
    size: float,
    n_repeats: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Estimates (n_repeats, methods) of simulated experiments."""
    out = np.empty((n_repeats, len(methods)))
    for k in range(n_repeats):
        table, present = _table(*draw_words(law, trials, rng), len(trials))
        cells = np.repeat(np.indices(table.shape).reshape(2, -1), table.ravel(), axis=1)
        codes, alphabet = dict(zip("sr", cells, strict=True)), max(size, table.shape[1])
        data = Columns(codes, table.shape, alphabet, letters=words[present][codes["r"]])
        out[k] = [value_and_error(data, INFORMATION, name, rng, jackknife=False)[0] for name in methods]
    return out


MOST_WORDS = 2**16  # possible words that are listed
_WEIGHTS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, math.inf)  # a
_HALF = 0.5  # counts added to each letter, after Krichevsky & Trofimov 1981
_PRIOR = 1.0  # trials that the pooled law of a letter counts for
_SPREAD = 4.0  # trials that the mean variance counts for
_TINY = 1e-300

_Base = tuple[np.ndarray, np.ndarray]  # b (n_s, n_words), and of each trial without itself, (n,)


class _Trials(NamedTuple):
    """Trials by the place of their word in the list of possible words."""

    s: np.ndarray
    word: np.ndarray
    n_s: np.ndarray
    words: np.ndarray
    letters: np.ndarray  # (n_words, k), each letter's number among its values
    values: list[np.ndarray]


def matched_law(s: np.ndarray, words: np.ndarray, n_s: int) -> tuple[np.ndarray, np.ndarray]:
    """Possible words (n_words, k) and their smoothed law (n_s, n_words), of words int (n, k) given codes s int (n,) of stimuli;
    NsnnError for more than 65536 possible words.

    Sources: Chen & Goodman 1999, doi 10.1006/csla.1999.0128 (smoothing by a base); Okun et al. 2012, doi
    10.1523/JNEUROSCI.1660-12.2012 (law of the total)
    """
    data = _listed(s, words, n_s)
    shape, left = (n_s, len(data.words)), data.n_s[s] - 1.0
    table = np.bincount(s * shape[1] + data.word, minlength=math.prod(shape)).reshape(shape)
    own = table[s, data.word] - 1.0
    best, law = -math.inf, np.empty(0)
    for base, without in _bases(data, table):
        for a in _WEIGHTS:
            p = without if math.isinf(a) else (own + a * without) / (left + a)
            score = float(np.log(np.maximum(p, _TINY)).mean())
            if score > best + 1e-12:
                best, law = score, base if math.isinf(a) else (table + a * base) / (data.n_s[:, None] + a)
    return data.words, law / law.sum(axis=1, keepdims=True)


def with_information(law: np.ndarray, weights: np.ndarray, w: float) -> np.ndarray:
    """p_w(r | s) ~ p(r) [p(r | s) / p(r)]^w of a law (n_s, n_words), weights (n_s,); w = 0 takes all information away, 1
    none.
    """
    mean = weights @ law / weights.sum()
    some = np.where(mean > 0, mean, 1.0)
    ratio = np.log(np.maximum(law / some, _TINY)) * w
    tilted = mean * np.exp(ratio - ratio.max(axis=1, keepdims=True))
    return np.asarray(tilted / tilted.sum(axis=1, keepdims=True))


def draw_words(
    law: np.ndarray, trials: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Stimuli (n,) and words (n,), columns of the law, for `trials` (n_s,) of each stimulus."""
    edges = np.cumsum(law, axis=1)
    pairs = zip(edges, trials, strict=True)
    drawn = [np.searchsorted(edge, rng.random(n) * edge[-1], side="right") for edge, n in pairs]
    return np.repeat(np.arange(len(law)), trials), np.concatenate(drawn)


def _listed(s: np.ndarray, words: np.ndarray, n_s: int) -> _Trials:
    """Trials in the list of words of the letters' values; a single letter has all of its range."""
    columns = list(words.T)
    if len(columns) == 1 and np.ptp(words) < MOST_WORDS:
        values = [np.arange(words.min(), words.max() + 1)]
    else:
        values = [np.unique(column) for column in columns]
    sizes = [value.size for value in values]
    possible = math.prod(sizes)
    if possible > MOST_WORDS:
        raise NsnnError(
            f"r has {possible:.4g} possible words: expected at most {MOST_WORDS}, so that they can be simulated; take shorter "
            "words or wider bins, or decode (measures.decode)"
        )
    word = np.ravel_multi_index(
        [np.searchsorted(value, column) for value, column in zip(values, columns, strict=True)], sizes
    )
    letters = np.stack(np.unravel_index(np.arange(possible), sizes), axis=1)
    spelled = np.stack([value[letter] for value, letter in zip(values, letters.T, strict=True)], axis=1)
    return _Trials(s, word, np.bincount(s, minlength=n_s), spelled, letters, values)


def _bases(data: _Trials, table: np.ndarray) -> Iterator[_Base]:
    """Each base: pooled, then letters, tilted and total, or normal and negative binomial."""
    n, total = len(data.s), table.sum(axis=0)
    unseen = min(max((np.count_nonzero(total == 1) + 0.5) / (n + 1.0), 1e-3), 0.99)  # Good & Turing
    single = len(data.values) == 1
    given, without, everywhere = _letters(data)
    spread = np.full(total.size, 1.0 / total.size) if single else np.exp(everywhere)
    pooled = (1 - unseen) * total / n + unseen * spread
    pooled_left = ((1 - unseen) * (total - 1) / max(n - 1, 1) + unseen * spread)[data.word]
    yield np.broadcast_to(pooled, table.shape), pooled_left
    if single:
        yield from _counts(data, table)
        return
    yield np.exp(given), np.exp(without)
    tilted = pooled * np.exp(given - everywhere)
    scale = tilted.sum(axis=1, keepdims=True)
    yield tilted / scale, pooled_left * np.exp(without - everywhere[data.word]) / scale[data.s, 0]
    yield _total(data, table, given, without)


def _letters(data: _Trials) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ln p of words of independent letters: given s, of trials left out (n,), pooled (n_words,)."""
    n, n_s = len(data.s), data.n_s
    given, everywhere = np.zeros((n_s.size, len(data.words))), np.zeros(len(data.words))
    without = np.zeros(n)
    for letter, value in zip(data.letters.T, data.values, strict=True):
        own = letter[data.word]
        counts = np.bincount(data.s * value.size + own, minlength=n_s.size * value.size).reshape(n_s.size, -1)
        pooled = (counts.sum(axis=0) + _HALF) / (n + _HALF * value.size)
        given += np.log((counts + _PRIOR * pooled) / (n_s[:, None] + _PRIOR))[:, letter]
        everywhere += np.log(pooled)[letter]
        without += np.log((counts[data.s, own] - 1 + _PRIOR * pooled[own]) / (n_s[data.s] - 1 + _PRIOR))
    return given, without, everywhere


def _total(data: _Trials, table: np.ndarray, given: np.ndarray, without: np.ndarray) -> _Base:
    """Base where a word's sum has its own law, and letters are independent given s and the sum."""
    distinct, total = np.unique(data.words.sum(axis=1), return_inverse=True)
    size, n_s = distinct.size, data.n_s
    place = np.arange(n_s.size)[:, None] * size + total
    cells = n_s.size * size
    counts = np.bincount(place.ravel(), table.ravel(), minlength=cells).reshape(n_s.size, size)
    pooled = (counts.sum(axis=0) + _HALF) / (len(data.s) + _HALF * size)
    law = (counts + _SPREAD * pooled) / (n_s[:, None] + _SPREAD)
    own = total[data.word]
    law_left = (counts[data.s, own] - 1 + _SPREAD * pooled[own]) / (n_s[data.s] - 1 + _SPREAD)
    scale = np.bincount(place.ravel(), np.exp(given).ravel(), minlength=cells).reshape(n_s.size, size)
    return law[:, total] * np.exp(given) / scale[:, total], law_left * np.exp(without) / scale[data.s, own]


def _counts(data: _Trials, table: np.ndarray) -> Iterator[_Base]:
    """Normal and negative binomial laws, with variances drawn towards that of all stimuli."""
    x, n_s = data.values[0].astype(float), data.n_s
    y, s = x[data.word], data.s
    first, second = table @ x, table @ x**2

    def moments(n: np.ndarray, sums: np.ndarray, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n = np.maximum(n, 1.0)
        return sums / n, np.maximum(squares - sums**2 / n, 0.0)

    mean, about = moments(n_s, first, second)
    mean_left, about_left = moments(n_s[s] - 1.0, first[s] - y, second[s] - y**2)
    shared = max(about.sum() / max(len(s) - n_s.size, 1), 1 / 12)

    def normal(at: np.ndarray, m: np.ndarray, squares: np.ndarray, n: np.ndarray) -> np.ndarray:
        sd = np.sqrt((squares + _SPREAD * shared) / (np.maximum(n - 1.0, 0.0) + _SPREAD))
        return ndtr((at + 0.5 - m) / sd) - ndtr((at - 0.5 - m) / sd)

    def skewed(at: np.ndarray, m: np.ndarray, squares: np.ndarray, n: np.ndarray) -> np.ndarray:
        m = (m * n + _HALF * mean.mean()) / (n + _HALF)
        fano = np.maximum(squares + _SPREAD * ratio * m, 0) / ((np.maximum(n - 1.0, 0.0) + _SPREAD) * m)
        fano = np.maximum(fano, 1.0 + 1e-3)  # nearly Poisson
        return np.asarray(nbinom.pmf(at, m / (fano - 1.0), 1.0 / fano))

    laws = [normal]
    if x[0] >= 0 and mean.min() >= 0 and mean.max() > 0:
        ratio = shared / mean.mean()
        laws.append(skewed)
    for law in laws:
        b = law(x[None], mean[:, None], about[:, None], n_s[:, None].astype(float))
        b = b + 1e-9
        scale = b.sum(axis=1, keepdims=True)
        yield b / scale, law(y, mean_left, about_left, n_s[s] - 1.0) / scale[s, 0]
