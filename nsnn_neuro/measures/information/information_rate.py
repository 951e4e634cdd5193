"""Information rate of spike trains by the direct method: entropies of words.

N repeats of one stimulus are cut into words of L letters, M per repeat. The total entropy is limited by the M moments
of the stimulus: its error to second order is sum_r Var(q_r) / (2 M ln 2 p_r), q_r the frequency of word r at one time,
p_r its mean. The noise entropy has one of four corrections:

- "shuffle" (Panzeri et al. 2007): H_ind + H - H_sh, each by quadratic extrapolation; in H_sh letters of a word come from trials
  i, i + k, i + 2k, ... (mean over four k), and H_ind sums the letters' entropies
- "quadratic" (Strong et al. 1998): the parabola in 1/N of all trials, halves and quarters, at 0
- "miller-madow": (R - 1) / (2 N ln 2), R the number of words seen at that time
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import xlogy

from ...core.aliases import SpikeSource, Time
from ...core.checks import check, one_of, positive, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown
from ...core.warn import TRUST, warn
from ..entropies.contingency import LN2
from ..estimate import Estimate, jackknife_se, public_measure
from ..response_checks import array_of, with_test
from ..trains import SilentNeuronWarning, as_repeats, binned
from .words import windowed

_SHUFFLES = 4
_MOST_CELLS = 50_000_000
_LOOKUP = 256  # numbers of words below which sorting out those that don't occur costs more than it saves
_GROUPS = 20  # of the jackknife: its error bar then has about 19 degrees of freedom
_LARGEST_CORRECTION = 0.1
_BOUND = 0.98


def _entropy(counts: np.ndarray) -> np.ndarray:
    """Plug-in entropy over the last axis, bits."""
    if counts.dtype.kind == "i":  # few different numbers: look n log n up
        table = np.arange(int(counts.max()) + 1)
        logs = xlogy(table, table)[counts]
    else:
        logs = xlogy(counts, counts)
    n = counts.sum(axis=-1)
    return (np.log(n) - logs.sum(axis=-1) / n) / LN2


def _frequencies(words: np.ndarray) -> np.ndarray:
    """(M, R) how often each word occurs at each time, of words (N, M, L); columns may be empty."""
    base, (_, m, length) = int(words.max()) + 1, words.shape
    codes, size = words[:, :, 0].astype(np.int64), base**length
    for letter in range(1, length):
        codes = codes * base + words[:, :, letter]
    if size > _LOOKUP:
        present, codes = np.unique(codes, return_inverse=True)
        codes, size = codes.reshape(-1, m), present.size
    if m * size > _MOST_CELLS:
        raise NsnnError(f"word_lengths has {length}: {size} words at {m} times; use shorter words")
    cell = np.arange(m) * size + codes
    return np.bincount(cell.ravel(), minlength=m * size).reshape(m, size)


def _plugin(words: np.ndarray) -> np.ndarray:
    return _entropy(_frequencies(words))


def _miller_madow(words: np.ndarray) -> np.ndarray:
    counts = _frequencies(words)
    return _entropy(counts) + ((counts > 0).sum(axis=-1) - 1) / (2 * len(words) * LN2)


def _quadratic(words: np.ndarray) -> np.ndarray:
    n = len(words)
    node, h = [1.0 / n], [_plugin(words)]
    for parts in (2, 4):
        rows = np.array_split(np.arange(n), parts)
        node.append(np.mean([1.0 / r.size for r in rows]))
        h.append(np.mean([_plugin(words[r]) for r in rows], axis=0))
    a, b, c = node  # the parabola through the three, at 0
    weight = b * c / ((a - b) * (a - c)), a * c / ((b - a) * (b - c)), a * b / ((c - a) * (c - b))
    return weight[0] * h[0] + weight[1] * h[1] + weight[2] * h[2]


def _shuffled(words: np.ndarray) -> np.ndarray:
    n, m, length = words.shape
    letters = _quadratic(words.reshape(n, m * length, 1)).reshape(m, length).sum(axis=1)
    if length == 1:
        return letters
    # letter l of trial i comes from trial i + l k: no two letters of a word from one trial
    steps = [k for k in range(1, n) if np.unique(np.arange(length) * k % n).size == length][:_SHUFFLES]
    mixed = ([np.roll(words[:, :, letter], -k * letter, axis=0) for letter in range(length)] for k in steps)
    shuffled = np.mean([_quadratic(np.stack(one, axis=2)) for one in mixed], axis=0)
    return letters + _quadratic(words) - shuffled


# noise entropies (M,), bits, of words (N, M, L), and the fewest trials that they take
_NOISE: dict[str, tuple[Callable[[np.ndarray], np.ndarray], int]] = {
    "shuffle": (_shuffled, 8),
    "quadratic": (_quadratic, 8),
    "miller-madow": (_miller_madow, 2),
    "none": (_plugin, 2),
}


def _total(first: np.ndarray, second: np.ndarray, m: np.ndarray, bias: str) -> np.ndarray:
    """Total entropy (...), bits, of sums over times of frequencies (..., R) and their squares."""
    entropy = _entropy(first)
    if bias == "none":
        return entropy
    m = np.asarray(m)[..., None]
    variance = np.maximum(second - first**2 / m, 0.0) / (m - 1)
    ratio = np.divide(variance, first / m, out=np.zeros_like(first), where=first > 0)
    return entropy + (ratio / (2 * m * LN2)).sum(axis=-1)


def _cut(letters: np.ndarray, length: int) -> np.ndarray:
    """Words (N, M, length) side by side, of letters (N, T)."""
    if (int(letters.max()) + 1) ** length >= 2**62:
        raise NsnnError(f"word_lengths has {length}: such words are too many to number; use shorter ones")
    n, m = len(letters), letters.shape[1] // length
    return letters[:, : m * length].reshape(n, m, length)


def _both(words: np.ndarray, bias: str) -> tuple[float, float]:
    """Total and noise entropy of a word, bits."""
    q = _frequencies(words) / len(words)
    total = _total(q.sum(axis=0), (q**2).sum(axis=0), np.asarray(len(q)), bias)
    return float(total), float(_NOISE[bias][0](words).mean())


def _ma_bounds(words: np.ndarray) -> tuple[float, float]:
    """Lower bounds of both entropies, bits, from how often words agree; infinite if never."""
    counts = _frequencies(words).astype(float)
    n, m, _ = words.shape
    same = (counts * (counts - 1)).sum() / (m * n * (n - 1))
    across = (counts.sum(axis=0) ** 2 - (counts**2).sum(axis=0)).sum() / (n * n * m * (m - 1))
    with np.errstate(divide="ignore"):
        return float(-np.log2(across)), float(-np.log2(same))


def _prepare(
    trains: Any, bin_width: Any, word_lengths: Sequence[int], saturation: str, bias: str, *window: Any
) -> tuple[np.ndarray, list[np.ndarray], float]:
    one_of(bias, sorted(_NOISE), "bias")
    one_of(saturation, ("binary", "count"), "saturation")
    lengths = np.atleast_1d(array_of(word_lengths, "word_lengths"))
    whole = lengths.ndim == 1 and lengths.size > 0 and lengths.dtype.kind in "iu"
    if not whole or (lengths < 1).any() or np.unique(lengths).size < lengths.size:
        raise NsnnError(f"word_lengths = {shown(word_lengths)}: expected different whole numbers, at least 1")
    width = positive(bin_width, "s", "bin_width")
    repeats = windowed(as_repeats(trains, *window), None, None, None)
    fewest = _NOISE[bias][1]
    if repeats.n_trials < fewest:
        raise NsnnError(
            f"trains has {repeats.n_trials} trials: bias {bias!r} needs at least {fewest} repeats of one stimulus"
        )
    letters = binned(repeats, width, "bin_width")[:, 0]
    letters = (np.minimum(letters, 1) if saturation == "binary" else letters).astype(np.int16)
    if bias == "shuffle" and 2 * lengths.max() > repeats.n_trials:
        raise NsnnError(
            f"word_lengths has {lengths.max()}: bias 'shuffle' takes at most half as many letters as trials, "
            f"{repeats.n_trials}"
        )
    if letters.shape[1] < 2 * lengths.max():
        raise NsnnError(
            f"word_lengths has {lengths.max()}: {letters.shape[1]} bins hold fewer than two such words; take "
            "shorter words or bins"
        )
    return letters, [_cut(letters, int(length)) for length in np.sort(lengths)], width


def _table(words: list[np.ndarray], width: float, bias: str) -> pd.DataFrame:
    rows = []
    for w in words:
        (total, noise), (ma_total, ma_noise) = _both(w, bias), _ma_bounds(w)
        correction = noise - float(_plugin(w).mean())
        sampled = correction <= _LARGEST_CORRECTION * noise or noise <= 0
        span = w.shape[2] * width
        rows.append(
            {
                "length": w.shape[2],
                "total": total / span,
                "noise": noise / span,
                "information": (total - noise) / span,
                "total_bound": ma_total / span,
                "noise_bound": ma_noise / span,
                "correction": correction / span,
                "well_sampled": bool(sampled and noise >= _BOUND * ma_noise and total >= _BOUND * ma_total),
            }
        )
    return pd.DataFrame(rows)


@suggest_keywords
def word_entropies(
    trains: SpikeSource,
    *,
    bin_width: Time,
    word_lengths: Sequence[int] = (1, 2, 3, 4, 5, 6),
    saturation: str = "binary",
    bias: str = "shuffle",
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> pd.DataFrame:
    """Total and noise entropy rates against word length, for `direct_information_rate`.

    Columns: length (letters), total, noise and information (bit/s, corrected), total_bound and
    noise_bound (bit/s, Ma's lower bounds), correction (bit/s, what was added to the noise entropy),
    well_sampled.

    Arguments and errors: as for `direct_information_rate`. Source: Strong et al. 1998, doi
    10.1103/PhysRevLett.80.197

    >>> import quantities as pq
    >>> trains = [[0.011, 0.035]] * 8
    >>> table = word_entropies(trains, bin_width=10*pq.ms, word_lengths=[1, 2], t_start=0*pq.s, t_stop=40*pq.ms, bias="none")
    >>> table[["length", "total", "noise"]].round(6).values.tolist()
    [[1.0, 100.0, 0.0], [2.0, 0.0, 0.0]]
    """
    _, words, width = _prepare(trains, bin_width, word_lengths, saturation, bias, t_start, t_stop)
    return _table(words, width, bias)


def _jackknife(words: list[np.ndarray], weight: np.ndarray, bias: str, over: str) -> tuple[float, int]:
    """Standard error of sum of weight * (total - noise), and the number of groups left out."""
    n, shortest = len(words[0]), min(w.shape[1] for w in words)
    groups = min(_GROUPS, n if over == "trials" else shortest)
    left_out = np.zeros(groups)
    for w, factor in zip(words, weight, strict=True):
        if over == "trials":
            group = np.arange(n) * groups // n
            # partitions and shuffles of fewer trials are others: their noise would enter the error n-fold
            smooth = "none" if bias == "none" else "miller-madow"
            rest = [_both(w[group != g], smooth) for g in range(groups)]
            left_out += factor * np.array([total - noise for total, noise in rest])
            continue
        q, h = _frequencies(w) / n, _NOISE[bias][0](w)
        m = len(q)
        starts = np.searchsorted(np.arange(m) * groups // m, np.arange(groups))
        first, second, noise = (x.sum(axis=0) - np.add.reduceat(x, starts, axis=0) for x in (q, q**2, h))
        rest_m = m - np.diff(np.append(starts, m))
        left_out += factor * (_total(first, second, rest_m, bias) - noise / rest_m)
    return jackknife_se(left_out), groups


@public_measure("bit/s")
def direct_information_rate(
    trains: SpikeSource,
    *,
    bin_width: Time,
    word_lengths: Sequence[int] = (1, 2, 3, 4, 5, 6),
    saturation: str = "binary",
    bias: str = "shuffle",
    over: str = "time",
    n_shuffle: int = 100,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> Estimate:
    """Information rate about a repeated stimulus by the direct method, bit/s.

    The trials are cut into words of L letters of one bin. The total entropy is that of all words,
    the noise entropy the mean over times of that of the words at one time; (total - noise) / (L
    bin) is the information per second. The value is that of the least-squares line through (1/L,
    information rate) at 1/L = 0, over the well-sampled lengths: those of which the correction is at
    most a tenth of the noise entropy and neither entropy is more than 2 % below Ma's bound, -log2
    (probability that two words are the same). With one such length it is its rate, with none that
    of the shortest, with a warning. null_mean and p: each trial is shifted circularly by a random
    number of bins.

    Parameters
    ----------
    trains, t_start, t_stop : the repeats of one neuron under one stimulus, as for `victor_purpura`
    bin_width : time, scalar; letters
    word_lengths : letters per word; words lie side by side from the window's start
    saturation : "binary" (default): a letter is 1 for one spike or more; or "count"
    bias : "shuffle" (default, least biased), "quadratic" (both at least 8 trials), "miller-madow",
        or "none", of the noise entropy; all but "none" correct the total entropy too
    over : "time" (default): the jackknife for se leaves out one of 20 stretches of the stimulus, so
        that se contains the sampling of the stimulus; "trials": groups of trials, the error for
        this very stimulus, corrected by Miller & Madow where others divide trials
    n_shuffle, seed : of the shuffles; n_shuffle = 0 leaves null_mean and p None

    Raises
    ------
    NsnnError : too few trials, words longer than half a trial, unequal trials, an unknown option,
        or what `as_repeats` refuses. Warns once, SilentNeuronWarning, without a spike (NaN).
        Sources: Strong et al. 1998, doi 10.1103/PhysRevLett.80.197; Ma 1981, Journal of Statistical
        Physics 26, 221-240; Panzeri et al. 2007, doi 10.1152/jn.00559.2007

    >>> import quantities as pq
    >>> trains = [[0.011, 0.035, 0.055, 0.071]] * 8
    >>> e = direct_information_rate(trains, bin_width=10*pq.ms, word_lengths=[1], n_shuffle=0, bias="none",
    ...                             t_start=0*pq.s, t_stop=80*pq.ms)
    >>> round(e.value, 6), e.unit
    (100.0, 'bit/s')
    """
    check(n_shuffle=n_shuffle, seed=seed)
    one_of(over, ("time", "trials"), "over")
    letters, words, width = _prepare(trains, bin_width, word_lengths, saturation, bias, t_start, t_stop)
    name = "none" if bias == "none" else f"{bias}; total entropy: variance over times"
    if not letters.any():
        warn("direct_information_rate: no spike; the result is NaN", SilentNeuronWarning)
        return Estimate(math.nan, correction=name, n=len(letters), warning="no spikes", unit="bit/s")
    table = _table(words, width, bias)
    sampled = table["well_sampled"].to_numpy()
    used = [w for w, good in zip(words, sampled, strict=True) if good] or words[:1]
    lengths = np.array([w.shape[2] for w in used])
    warning = None
    if not sampled.any():
        few = f"no word length is well sampled with {len(letters)} trials"
        warning = f"{few}; the value is that of {lengths[0]} letters{TRUST}few trials"
    elif lengths.size == 1:
        warning = f"only words of {lengths[0]} letters are well sampled: no extrapolation"
    weight, x = np.ones(1), 1.0 / lengths
    if x.size > 1:  # of each rate in the least-squares line's value at 1/L = 0
        weight = 1 / x.size - x.mean() * (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    weight = weight / (lengths * width)

    def rate(chosen: list[np.ndarray]) -> float:
        both = np.array([_both(w, bias) for w in chosen])
        return float(weight @ (both[:, 0] - both[:, 1]))

    value = rate(used)
    se, groups = _jackknife(used, weight, bias, over)
    rng, null = np.random.default_rng(seed), np.empty(n_shuffle)
    n, t = letters.shape
    for i in range(n_shuffle):
        turned = (np.arange(t) - rng.integers(t, size=(n, 1))) % t
        shuffled = np.take_along_axis(letters, turned, axis=1)
        null[i] = rate([_cut(shuffled, int(length)) for length in lengths])
    how = f"jackknife over {groups} groups of {over}"
    return with_test(value, se, name, null, n=n, warning=warning, unit="bit/s", se_method=how)
