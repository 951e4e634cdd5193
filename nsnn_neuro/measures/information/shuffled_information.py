"""Shuffled estimator of the information in words, with the small bias of the independent model."""

from __future__ import annotations

import numpy as np

from ...core.numba_jit import njit
from ..entropies.contingency import contingency
from ..entropies.estimators import panzeri_treves, profile
from ..entropies.symbols import as_symbols

SHUFFLES = 10  # of the letters, averaged


@njit(cache=True)  # pragma: no cover - compiled
def _mix(words: np.ndarray, starts: np.ndarray, uniform: np.ndarray) -> None:
    """Permutes each letter by itself over the rows starts[i] ... starts[i + 1] - 1, in place."""
    for c in range(words.shape[1]):
        for group in range(starts.size - 1):
            first = starts[group]
            for i in range(starts[group + 1] - 1, first, -1):
                j = first + int(uniform[c, i] * (i - first + 1))
                words[i, c], words[j, c] = words[j, c], words[i, c]


def shuffle_within(s: np.ndarray, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Words (n, k) with the trials of each letter permuted among those of the same s (n,)."""
    out, order = np.empty_like(words), np.argsort(s, kind="stable")
    for c in range(words.shape[1]):
        mixed = np.lexsort((rng.random(s.size), s))
        out[order, c] = words[mixed, c]
    return out


def shuffled_correction(
    words: np.ndarray, s: np.ndarray, n_s: int, *, rng: np.random.Generator
) -> tuple[float, float]:
    """H_sh(R|S) - H_ind(R|S) in bits and its standard error over the shuffles, of words int (n, k) and codes s int (n,).

    H_ind is the sum over letters of their entropies given s, H_sh the entropy given s of words whose letters are
    permuted over the trials of each stimulus, a mean over 10 such shuffles, all corrected by Panzeri & Treves. Both
    estimate the same, so that adding the difference changes the bias of an information alone. Source: Montemurro,
    Senatore & Panzeri 2007, doi 10.1162/neco.2007.19.11.2913; Panzeri et al. 2007, doi 10.1152/jn.00559.2007
    """
    order = np.argsort(s, kind="stable")
    grouped, by_letter = s[order], words[order]
    per_stimulus = np.bincount(s, minlength=n_s)

    def conditional(words: np.ndarray) -> float:
        codes, size = as_symbols(words, "words")
        table = contingency(grouped, codes, n_s, size)
        return float(per_stimulus @ panzeri_treves(profile(table, size)) / len(s))

    independent = sum(conditional(letter) for letter in by_letter.T)
    values = np.empty(SHUFFLES)
    starts, mixed = np.append(0, np.cumsum(per_stimulus)), by_letter.copy()
    for turn in range(SHUFFLES):
        _mix(mixed, starts, rng.random(mixed.T.shape))
        values[turn] = conditional(mixed)
    return float(values.mean() - independent), float(values.std(ddof=1) / np.sqrt(SHUFFLES))
