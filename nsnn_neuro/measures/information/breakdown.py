"""Information breakdown of a population into contributions of correlations; synergy of two cells.

Each of the six quantities is corrected once and enters all terms, so that these add up to the corrected total. By
"panzeri-treves" H(R), H(R|S), H(R_c) and H(R_c|S) get (R - 1) / (2 N ln 2), R as Panzeri & Treves count. H_ind(R) and
chi depend on products of marginals, which have no such count: the jackknife over trials, N x - (N - 1) mean x_(i),
removes their small bias.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import xlogy

from ...core.aliases import Values
from ...core.checks import check, one_of, suggest_keywords
from ...core.errors import NsnnError
from ..entropies.contingency import LN2, contingency
from ..entropies.estimators import CLOSED_FORMS, profile
from ..entropies.extrapolation import plugin_without_one
from ..entropies.information_tables import informations_without_one
from ..entropies.symbols import as_symbols, read_columns
from ..estimate import Estimate, jackknife_se
from ..response_checks import array_of, refuse_swapped, with_test
from .pipeline import shuffle_within

_MOST_WORDS = 1 << 16
_BIAS = ("panzeri-treves", "none")
_SE_METHOD = "jackknife over trials"
_SIGNED = ("sig_sim", "cor_ind")  # terms of either sign
# each term's weights of H(R), H(R|S), sum_c H(R_c), H_ind(R|S), H_ind(R), chi
_TERMS = {
    "lin": (0, 0, 1, -1, 0, 0),
    "sig_sim": (0, 0, -1, 0, 1, 0),
    "cor_ind": (0, 0, 0, 0, -1, 1),
    "cor_dep": (1, -1, 0, 1, 0, -1),
    "total": (1, -1, 0, 0, 0, 0),
}
_WEIGHTS = np.array(list(_TERMS.values()), dtype=float)


def _entropies(table: np.ndarray, bias: str) -> tuple[float, float]:
    """H(R) and H(R|S), bits, of a table (n_s, n_r)."""
    n_s, n_r = table.sum(axis=1), table.sum(axis=0)
    method = CLOSED_FORMS["plugin" if bias == "none" else bias]
    h = method(profile(np.vstack([n_r, table]), float((n_r > 0).sum())))
    return float(h[0]), float(n_s @ h[1:] / n_s.sum())


class _Table:
    """Counts `joint` (n_s, n_r) of the words that occur, their letters, counts of each cell."""

    def __init__(self, s: np.ndarray, words: np.ndarray, n_s: int, sizes: list[int]) -> None:
        self.sizes = sizes
        base = np.append(np.cumprod(sizes[::-1])[::-1][1:], 1)
        self.present, codes = np.unique(words @ base, return_inverse=True)
        self.letters = self.present[:, None] // base % np.array(sizes)
        self.joint = contingency(s, codes.reshape(-1), n_s, self.present.size)
        self.n_s = self.joint.sum(axis=1)
        self.cells = [self.joint @ (self.letters[:, c, None] == np.arange(k)) for c, k in enumerate(sizes)]

    def independent(self, cells: list[np.ndarray], n: np.ndarray) -> np.ndarray:
        """(rows, words) products of letter frequencies, of the cells' counts (rows, letters)."""
        out = np.ones((len(n), 1))
        for counts in cells:
            out = (out[:, :, None] * (counts / np.maximum(n, 1)[:, None])[:, None, :]).reshape(len(n), -1)
        return out

    def mixed(self) -> tuple[np.ndarray, np.ndarray]:
        """H_ind(R) and chi, and without one trial of each occupied (stimulus, word), (1 + m,)."""
        n, given = self.joint.sum(), self.independent(self.cells, self.n_s)
        mixture = self.n_s @ given  # N P_ind(r)
        occurs = self.joint.sum(axis=0)
        h, chi = [_entropy_of(mixture / n)], [_chi(occurs, mixture[self.present])]
        for s in np.flatnonzero(self.n_s):
            here = np.flatnonzero(self.joint[s])
            letters = zip(self.cells, self.letters[here].T, self.sizes, strict=True)
            own = [counts[s] - (letter[:, None] == np.arange(k)) for counts, letter, k in letters]
            left = self.n_s[s] - 1
            without = self.independent(own, np.full(here.size, left)) * left
            rest = np.maximum(mixture - self.n_s[s] * given[s] + without, 0.0)
            fewer = np.repeat(occurs[None], here.size, axis=0)
            fewer[np.arange(here.size), here] -= 1
            h.append(_entropy_of(rest / (n - 1)))
            chi.append(_chi(fewer, rest[:, self.present]))
        return np.hstack(h), np.hstack(chi)


def _entropy_of(p: np.ndarray) -> np.ndarray:
    return -xlogy(p, p).sum(axis=-1) / LN2


def _chi(counts: np.ndarray, mixture: np.ndarray) -> np.ndarray:
    """-sum_r P(r) log2 P_ind(r) of counts of words and N P_ind(r)."""
    n = counts.sum(axis=-1)
    return np.log2(n) - xlogy(counts, np.where(counts > 0, mixture, 1.0)).sum(axis=-1) / (n * LN2)


def _quantities(table: _Table, bias: str) -> np.ndarray:
    """The six quantities that make up the terms, corrected."""
    whole = _entropies(table.joint, bias)
    cells = np.sum([_entropies(c, bias) for c in table.cells], axis=0)
    h, chi = table.mixed()
    if bias != "none":
        n, weight = table.joint.sum(), table.joint[table.joint > 0]
        h, chi = (x[:1] * n - (n - 1) * (weight @ x[1:]) / n for x in (h, chi))
    return np.array([*whole, *cells, h[0], chi[0]])


def _left_out(table: _Table) -> np.ndarray:
    """(m, 6) plug-in quantities without one trial of each occupied (stimulus, word)."""
    rows, columns = np.nonzero(table.joint)
    entropies = []
    for counts, r in [(table.joint, columns), *zip(table.cells, table.letters[columns].T, strict=True)]:
        total, shared = (plugin_without_one(counts[None], joint)[0, rows, r] / LN2 for joint in (False, True))
        entropies.append(np.column_stack([total, total - shared]))
    h, chi = table.mixed()
    return np.column_stack([entropies[0], sum(entropies[1:]), h[1:], chi[1:]])


def _few(n_s: np.ndarray, n_r: int) -> str | None:
    """A warning for fewer than four trials per stimulus and word (Panzeri et al. 2007)."""
    fewest = int(n_s.min())
    if fewest >= 4 * n_r:
        return None
    return f"{fewest} trials of a stimulus for {n_r} words: fewer than 4 per word, the correction may not do"


@suggest_keywords
def information_breakdown(
    s: Values, words: Any, *, bias: str = "panzeri-treves", n_shuffle: int = 100, seed: int = 0
) -> dict[str, Estimate]:
    """Information of a population word about the stimulus as lin, sig_sim, cor_ind, cor_dep, and
    total.

    With P_ind(r|s) = prod_c P(r_c|s), P_ind(r) = sum_s P(s) P_ind(r|s) and chi = -sum_r P(r) log2
    P_ind(r):

        lin      sum_c H(R_c) - H_ind(R|S)          sum of the cells' own informations
        sig_sim  H_ind(R) - sum_c H(R_c)            <= 0, redundancy from like tuning
        cor_ind  chi - H_ind(R)                     noise correlations along signal correlations
        cor_dep  H(R) - H(R|S) - chi + H_ind(R|S)   >= 0, correlations that depend on the stimulus

    A decoder that ignores noise correlations loses at most cor_dep. total equals
    `mutual_information(s, words)` with the same correction, and the terms add up to it. The
    corrected sig_sim may exceed 0, and cor_dep fall below it. se: jackknife over trials of the
    plug-in terms. null_mean and p: for total, lin and sig_sim stimuli are permuted; for cor_ind and
    cor_dep each cell's responses among trials of one stimulus. p of sig_sim and cor_ind counts by
    absolute value. A warning is set below four trials per stimulus and word.

    Parameters
    ----------
    s : (n_trials,) whole numbers, the stimulus
    words : (n_trials, n_cells) whole numbers, each cell's response; at most 2^16 possible words
    bias : "panzeri-treves" (default) or "none"
    n_shuffle, seed : of the shuffles; n_shuffle = 0 leaves null_mean and p None

    Raises
    ------
    NsnnError : lengths that differ, no whole numbers, fewer than two trials or cells, too many
        possible words. Sources: Pola et al. 2003, doi 10.1088/0954-898X/14/1/303; Nirenberg &
        Latham 2003, doi 10.1073/pnas.1131895100; Panzeri & Treves 1996, doi
        10.1080/0954898X.1996.11978656

    >>> s = [0, 0, 1, 1] * 25
    >>> words = [[0, 0], [1, 1], [0, 1], [1, 0]] * 25
    >>> parts = information_breakdown(s, words, bias="none", n_shuffle=0)
    >>> {name: round(float(e), 6) + 0 for name, e in parts.items()}
    {'lin': 0.0, 'sig_sim': 0.0, 'cor_ind': 0.0, 'cor_dep': 1.0, 'total': 1.0}
    """
    check(bias=bias, n_shuffle=n_shuffle, seed=seed)
    one_of(bias, _BIAS, "bias")
    refuse_swapped(s, words, "information_breakdown(s, words)")
    array = array_of(words, "words")
    if array.ndim != 2 or array.shape[1] < 2:
        cure = "; of words(block, ...) take one bin, [:, :, k]" if array.ndim == 3 else ""
        raise NsnnError(
            f"words has shape {array.shape}: expected (n_trials, n_cells) with at least two cells{cure}"
        )
    each = [as_symbols(array[:, c], f"words[:, {c}]") for c in range(array.shape[1])]
    letters, sizes = np.stack([cell[0] for cell in each], axis=1), [cell[1] for cell in each]
    stimulus = read_columns(("s",), s=s, words=letters)["s"]
    codes, n_s = stimulus.codes, stimulus.n_present
    if math.prod(sizes) > _MOST_WORDS:
        raise NsnnError(
            f"words has {len(sizes)} cells of {sizes} letters, {math.prod(sizes)} possible words: expected at most "
            f"{_MOST_WORDS}; take fewer cells or letters"
        )
    table = _Table(codes, letters, n_s, sizes)
    value = _WEIGHTS @ _quantities(table, bias)
    value[4] = value[:4].sum()  # the same number but for rounding
    se = jackknife_se(_left_out(table) @ _WEIGHTS.T, table.joint[table.joint > 0])
    rng, null = np.random.default_rng(seed), np.empty((n_shuffle, 5))
    for i in range(n_shuffle):
        labels = _Table(rng.permutation(codes), letters, n_s, sizes)
        cells = _Table(codes, shuffle_within(codes, letters, rng), n_s, sizes)
        by_label, by_cell = (_WEIGHTS @ _quantities(t, bias) for t in (labels, cells))
        null[i] = np.where([False, False, True, True, False], by_cell, by_label)
    about = {"n": codes.size, "warning": _few(table.n_s, table.present.size), "se_method": _SE_METHOD}
    return {
        name: with_test(float(v), float(error), bias, column, two_sided=name in _SIGNED, **about)
        for name, v, error, column in zip(_TERMS, value, se, null.T, strict=True)
    }


@suggest_keywords
def synergy(
    s: Values, r1: Values, r2: Values, *, bias: str = "panzeri-treves", n_shuffle: int = 100, seed: int = 0
) -> Estimate:
    """Synergy of two responses, I(S; R1, R2) - I(S; R1) - I(S; R2), in bits.

    Its negative is redundancy. 1 bit for s = r1 xor r2 of fair coins, -H(S) for r1 = r2 = s. Each
    information is corrected alike. se: jackknife over trials, of the plug-in value. Null: stimuli
    permuted, p by absolute value.

    Parameters
    ----------
    r1, r2 : (n_trials,) whole numbers, or (n_trials, k) words
    s, bias, n_shuffle, seed : as for `information_breakdown`, and so the errors

    Sources: Brenner et al. 2000, doi 10.1162/089976600300015259; Schneidman, Bialek & Berry 2003,
    doi 10.1523/JNEUROSCI.23-37-11539.2003

    >>> r1, r2 = [0, 0, 1, 1] * 25, [0, 1, 0, 1] * 25
    >>> round(synergy([0, 1, 1, 0] * 25, r1, r2, bias="none", n_shuffle=0).value, 6)
    1.0
    """
    check(bias=bias, n_shuffle=n_shuffle, seed=seed)
    one_of(bias, _BIAS, "bias")
    read = read_columns(("s",), s=s, r1=r1, r2=r2)
    (codes, n_s), (one, n_1), (two, n_2) = ((column.codes, column.n_present) for column in read.values())
    both, n_both = as_symbols(one * n_2 + two, "r1, r2")

    def synergy_of(stimulus: np.ndarray, information: Callable[[np.ndarray, np.ndarray], Any]) -> Any:
        responses = (both, n_both, 1.0), (one, n_1, -1.0), (two, n_2, -1.0)
        return sum(sign * information(contingency(stimulus, r, n_s, n_r), r) for r, n_r, sign in responses)

    def value_of(stimulus: np.ndarray) -> float:
        return float(synergy_of(stimulus, lambda table, _: np.subtract(*_entropies(table, bias))))

    left_out = synergy_of(codes, lambda table, r: informations_without_one(table, "plugin")[codes, r])
    rng = np.random.default_rng(seed)
    null = np.array([value_of(rng.permutation(codes)) for _ in range(n_shuffle)])
    about = {"n": codes.size, "warning": _few(np.bincount(codes), n_both), "se_method": _SE_METHOD}
    return with_test(value_of(codes), float(jackknife_se(left_out)), bias, null, two_sided=True, **about)
