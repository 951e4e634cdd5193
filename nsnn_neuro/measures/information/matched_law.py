"""Laws of responses given stimuli that resemble data, with exactly known information.

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
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr
from scipy.stats import nbinom

from ...core.errors import NsnnError
from ..entropies.contingency import LN2

MOST_WORDS = 2**16  # possible words that are listed
_WEIGHTS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, math.inf)  # a
_HALF = 0.5  # counts added to each letter, after Krichevsky & Trofimov 1981
_PRIOR = 1.0  # trials that the pooled law of a letter counts for
_SPREAD = 4.0  # trials that the mean variance counts for
_TINY = 1e-300

_Base = tuple[np.ndarray, np.ndarray]  # b (n_s, n_words), and of each trial without itself, (n,)


class MatchedLaw(NamedTuple):
    """Possible responses and their probabilities; made by `matched_law`."""

    words: np.ndarray  # (n_words, k) letters
    law: np.ndarray  # (n_s, n_words), p(r | s)
    base: str
    weight: float  # a, trials that the base counts for


class _Trials(NamedTuple):
    """Trials by the place of their word in the list of possible words."""

    s: np.ndarray
    word: np.ndarray
    n_s: np.ndarray
    words: np.ndarray
    letters: np.ndarray  # (n_words, k), each letter's number among its values
    values: list[np.ndarray]

    @property
    def table(self) -> np.ndarray:
        shape = self.n_s.size, len(self.words)
        return np.bincount(self.s * shape[1] + self.word, minlength=shape[0] * shape[1]).reshape(shape)


def matched_law(s: np.ndarray, words: np.ndarray, n_s: int) -> MatchedLaw:
    """The smoothed law of words int (n, k) given codes s int (n,) of n_s stimuli; NsnnError for more than 65536 possible
    words.

    Sources: Chen & Goodman 1999, doi 10.1006/csla.1999.0128 (smoothing by a base); Okun et al. 2012, doi
    10.1523/JNEUROSCI.1660-12.2012 (law of the total)
    """
    data = _listed(s, words, n_s)
    table, left = data.table, data.n_s[s] - 1.0
    own = table[s, data.word] - 1.0
    best: tuple[float, str, float] = (-math.inf, "", 0.0)
    bases = dict(_bases(data, table))
    for name, (_, without) in bases.items():
        for a in _WEIGHTS:
            p = without if math.isinf(a) else (own + a * without) / (left + a)
            score = float(np.log(np.maximum(p, _TINY)).mean())
            if score > best[0] + 1e-12:
                best = score, name, a
    _, name, a = best
    base = bases[name][0]
    law = base if math.isinf(a) else (table + a * base) / (data.n_s[:, None] + a)
    return MatchedLaw(data.words, law / law.sum(axis=1, keepdims=True), name, a)


def with_information(law: np.ndarray, weights: np.ndarray, w: float) -> np.ndarray:
    """p_w(r | s) ~ p(r) [p(r | s) / p(r)]^w of a law (n_s, n_words), weights (n_s,); w = 0 takes all information away, 1
    none.
    """
    mean = weights @ law / weights.sum()
    some = np.where(mean > 0, mean, 1.0)
    ratio = np.log(np.maximum(law / some, _TINY)) * w
    tilted = mean * np.exp(ratio - ratio.max(axis=1, keepdims=True))
    return np.asarray(tilted / tilted.sum(axis=1, keepdims=True))


def information_of_law(law: np.ndarray, weights: np.ndarray) -> float:
    """I(S; R) in bits of p(r | s), (n_s, n_words), with stimuli of the given weights (n_s,)."""
    p = weights[:, None] / weights.sum() * law
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / independent[seen])).sum() / LN2)


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


def _bases(data: _Trials, table: np.ndarray) -> Iterator[tuple[str, _Base]]:
    """Name, b and b without each trial, for each base."""
    n, total = len(data.s), table.sum(axis=0)
    unseen = min(max((np.count_nonzero(total == 1) + 0.5) / (n + 1.0), 1e-3), 0.99)  # Good & Turing
    single = len(data.values) == 1
    given, without, everywhere = _letters(data)
    spread = np.full(total.size, 1.0 / total.size) if single else np.exp(everywhere)
    pooled = (1 - unseen) * total / n + unseen * spread
    pooled_left = ((1 - unseen) * (total - 1) / max(n - 1, 1) + unseen * spread)[data.word]
    yield "pooled", (np.broadcast_to(pooled, table.shape), pooled_left)
    if single:
        yield from _counts(data, table)
        return
    yield "letters", (np.exp(given), np.exp(without))
    tilted = pooled * np.exp(given - everywhere)
    scale = tilted.sum(axis=1, keepdims=True)
    yield "tilted", (tilted / scale, pooled_left * np.exp(without - everywhere[data.word]) / scale[data.s, 0])
    yield "total", _total(data, table, given, without)


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


def _counts(data: _Trials, table: np.ndarray) -> Iterator[tuple[str, _Base]]:
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

    laws = [("normal", normal)]
    if x[0] >= 0 and mean.min() >= 0 and mean.max() > 0:
        ratio = shared / mean.mean()
        laws.append(("negative binomial", skewed))
    for name, law in laws:
        b = law(x[None], mean[:, None], about[:, None], n_s[:, None].astype(float))
        b = b + 1e-9
        scale = b.sum(axis=1, keepdims=True)
        yield name, (b / scale, law(y, mean_left, about_left, n_s[s] - 1.0) / scale[s, 0])
