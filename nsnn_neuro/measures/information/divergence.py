"""Kullback-Leibler divergence of the laws of two samples of discrete symbols."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import digamma

from ...core.aliases import Values
from ...core.checks import check, suggest_keywords
from ...core.errors import NsnnError
from ..entropies.contingency import LN2
from ..entropies.entropy import choose
from ..entropies.symbols import as_symbols, letters
from ..estimate import Estimate, jackknife_se
from ..response_checks import with_test

_BIASES = ("zhang-grabchak", "plugin")
_ENOUGH = {"zhang-grabchak": 4.0, "plugin": 64.0}  # samples of y for each symbol, where all are as frequent


@suggest_keywords
def kullback_leibler(
    x: Values, y: Values, *, bias: str = "zhang-grabchak", n_shuffle: int = 100, seed: int = 0
) -> Estimate:
    """Kullback-Leibler divergence D(P || Q) = sum_k p_k log2(p_k / q_k) of two samples, in bits.

    The information lost when the law Q of y is taken for the law P of x: 0 only if they are equal,
    and not symmetric. For known laws see `scipy.stats.entropy(p, q, base=2)`. `bias` names the
    estimator, with counts x_k of N and y_k of M samples:

    - "zhang-grabchak" (default): sum_k (x_k / N) [psi(x_k) - psi(N) + psi(M + 1) - psi(y_k + 1)] /
      ln 2, psi the digamma function. Its bias falls exponentially with the samples, and it is
      finite if a symbol of x never occurs in y.
    - "plugin" ("none"): frequencies as probabilities; too high, infinite for symbols of x not in y.

    null_mean and p: all samples are dealt to x and y at random. Near D = 0 judge by p, not by se. se
    is the delete-one jackknife over both, or the spread for equal laws if larger. `warning`: too
    few samples, or symbols of x that never occur in y.

    Parameters
    ----------
    x, y : (n,) and (m,), or (n, k) and (m, k), numbers, truth values or texts; at least 2 samples
        each
    bias : see above
    n_shuffle, seed : of the shuffles; n_shuffle = 0 leaves null_mean and p None

    Raises
    ------
    NsnnError : no symbols, words of different lengths, texts and numbers together, fewer than 2
        samples, an unknown bias. Source: Zhang & Grabchak 2014, doi 10.1162/NECO_a_00646

    >>> e = kullback_leibler([0, 1] * 200, [0, 0, 0, 1] * 100)  # truth: 1/2 log2(4/3) = 0.2075
    >>> round(e.value, 2), round(e.p, 4)
    (0.2, 0.0099)
    """
    check(bias=bias, n_shuffle=n_shuffle, seed=seed)
    bias = choose(bias, _BIASES, "bias")
    codes, n, size = _read(x, y)
    a, b = _counts(codes, n, size)
    value, m = _value(a, b, bias), codes.size - n
    rng = np.random.default_rng(seed)
    null = np.array([_value(*_counts(rng.permutation(codes), n, size), bias) for _ in range(n_shuffle)])
    se = max(_jackknife(value, a, b, bias), (1 / n + 1 / m) * math.sqrt((size - 1) / 2) / LN2)
    notes, missing = [], a[(a > 0) & (b == 0)]
    if missing.size:
        notes.append(
            f"{missing.size} of the {(a > 0).sum()} symbols of x, {missing.sum() / n:.2g} of its samples, never occur in y: the "
            "divergence is infinite if they are impossible there, and otherwise the estimate is too low"
        )
    if m < _ENOUGH[bias] * size:
        notes.append(
            f"{m} samples of y for {size} symbols, fewer than {_ENOUGH[bias]:.4g} each: {bias} may be biased; take more samples"
        )
    how, warning = "jackknife over samples", "; ".join(notes) or None
    return with_test(value, se, bias, null, n=codes.size, warning=warning, se_method=how)


def _read(x: Any, y: Any) -> tuple[np.ndarray, int, int]:
    """Codes of both samples together, how many are of x, and how many symbols there are."""
    parts = letters(x, "x"), letters(y, "y")
    a, b = np.asarray(x), np.asarray(y)
    if a.ndim != b.ndim or parts[0].shape[1] != parts[1].shape[1]:
        raise NsnnError(
            f"x and y have shapes {a.shape} and {b.shape}: expected words of equal length, (n, k) and (m, k)"
        )
    numbers = [one.dtype.kind in "biuf" for one in (a, b)]
    if numbers[0] != numbers[1]:
        raise NsnnError(
            f"x holds {a.dtype} and y holds {b.dtype} values: expected numbers in both or texts in both"
        )
    if min(len(a), len(b)) < 2:
        raise NsnnError(f"x and y have {len(a)} and {len(b)} samples: expected at least 2 of each")
    both = np.concatenate(parts if numbers[0] else [a, b])
    codes, size = as_symbols(both, "x and y")
    return codes, len(a), size


def _counts(codes: np.ndarray, n: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    a, b = (np.bincount(part, minlength=size).astype(float) for part in (codes[:n], codes[n:]))
    return a, b


def _terms(a: np.ndarray, b: np.ndarray, bias: str) -> np.ndarray:
    """What each sample of x adds to N times D, in nats, but for what depends on N and M alone."""
    if bias == "plugin":
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(a, 1.0)) - np.log(b)
    return digamma(np.maximum(a, 1.0)) - digamma(b + 1.0)


def _constant(n: float, m: float, bias: str) -> float:
    return float(np.log(m / n)) if bias == "plugin" else float(digamma(m + 1.0) - digamma(n))


def _value(a: np.ndarray, b: np.ndarray, bias: str) -> float:
    n, m, seen = a.sum(), b.sum(), a > 0
    total = float(a[seen] @ _terms(a[seen], b[seen], bias))
    return float((_constant(n, m, bias) + total / n) / LN2)


@np.errstate(divide="ignore", invalid="ignore")
def _jackknife(value: float, a: np.ndarray, b: np.ndarray, bias: str) -> float:
    """Standard error by leaving out each sample of x and of y; NaN for an infinite value."""
    if not math.isfinite(value):
        return math.nan
    n, m, seen, given = a.sum(), b.sum(), a > 0, b > 0
    total = (value * LN2 - _constant(n, m, bias)) * n
    own = np.where(seen, a * _terms(a, b, bias), 0.0)
    less_a = total - own + (a - 1) * _terms(a - 1, b, bias)
    of_x = _constant(n - 1, m, bias) + less_a[seen] / (n - 1)
    less_b = total - own + np.where(seen, a * _terms(a, b - 1, bias), 0.0)
    of_y = _constant(n, m - 1, bias) + less_b[given] / n
    return math.hypot(jackknife_se(of_x, a[seen]), jackknife_se(of_y, b[given])) / LN2
