"""Closed-form entropy estimators of the count profile: how many symbols occur once, twice, ...

Removing one sample turns one count m into m - 1, so that the delete-one jackknife costs one profile per different
count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from ...core.numba_jit import njit
from .contingency import LN2, relevant_from_profile


class Profile(NamedTuple):
    """Counts that occur, `values`, and how many symbols have each, `multiplicity`, both (..., d), padded with zeros.

    `limit` (...) is the alphabet's size, `place` (rows, k) each cell's place in `values`.
    """

    values: np.ndarray
    multiplicity: np.ndarray
    limit: np.ndarray
    place: np.ndarray

    def without_one(self) -> Profile:
        """Profiles (rows, d, d + 1) less one sample of a symbol of the d-th count."""
        rows, d = self.values.shape
        values = np.empty((rows, d, d + 1))
        multiplicity = np.zeros((rows, d, d + 1))
        values[..., :d] = self.values[:, None, :]
        values[..., d] = np.maximum(self.values - 1.0, 0.0)
        multiplicity[..., :d] = self.multiplicity[:, None, :]
        here = np.arange(d)
        multiplicity[:, here, here] = np.maximum(self.multiplicity - 1.0, 0.0)
        multiplicity[..., d] = (self.values > 1) & (self.multiplicity > 0)
        limit = np.full((rows, d), self.limit[:, None])
        return Profile(values, multiplicity, limit, np.empty((rows, 0), dtype=np.int64))


@njit(cache=True)  # pragma: no cover - compiled
def _profile(counts: np.ndarray, values: np.ndarray, multiplicity: np.ndarray, place: np.ndarray) -> int:
    widest = 0
    for row in range(counts.shape[0]):
        order = np.argsort(counts[row])
        d = -1
        last = 0
        for cell in order:
            count = counts[row, cell]
            if count == 0:
                continue
            if count != last:
                d += 1
                values[row, d] = count
                last = count
            multiplicity[row, d] += 1
            place[row, cell] = d
        widest = max(widest, d + 1)
    return widest


def profile(counts: np.ndarray, limit: np.ndarray | float) -> Profile:
    """The profile of each row of counts (rows, k) with alphabets of `limit` symbols."""
    counts = np.ascontiguousarray(counts, dtype=np.int64)
    most = max(1, min(counts.shape[1], int((2.0 * counts.sum(-1).max(initial=1)) ** 0.5) + 1))
    values, multiplicity = np.zeros((2, len(counts), most))
    place = np.zeros(counts.shape, dtype=np.int64)
    widest = max(1, _profile(counts, values, multiplicity, place))
    limits = np.full(len(counts), limit, dtype=float)
    return Profile(values[:, :widest], multiplicity[:, :widest], limits, place)


def _size(p: Profile) -> np.ndarray:
    """Number of samples, at least 1."""
    return np.maximum((p.values * p.multiplicity).sum(-1), 1.0)


def _with_symbols(p: Profile, symbols: Any) -> np.ndarray:
    """Plug-in entropy + (symbols - 1) / (2 N ln 2), in bits."""
    n = _size(p)
    nats = np.log(n) - (p.multiplicity * special.xlogy(p.values, p.values)).sum(-1) / n
    return (nats + (np.maximum(symbols, 1.0) - 1.0) / (2.0 * n)) / LN2


def panzeri_treves(p: Profile) -> np.ndarray:
    """Plug-in entropy + (R - 1) / (2 N ln 2), R from `relevant_responses`, in bits."""
    return _with_symbols(p, relevant_from_profile(p.values, p.multiplicity, p.limit))


def chao_shen(p: Profile) -> np.ndarray:
    """Coverage-adjusted entropy, -sum q_i log2 q_i / (1 - (1 - q_i)^N) bits, q_i = C n_i / N, C = 1 - singletons / N.

    Where all N are singletons, C = 1 / N. Source: Chao & Shen 2003, doi 10.1023/A:1026096204727
    """
    n = _size(p)
    single = np.where(p.values == 1, p.multiplicity, 0.0).sum(-1)
    single = np.where(single >= n, n - 1.0, single)
    q = (1.0 - single / n)[..., None] * p.values / n[..., None]
    seen = p.multiplicity > 0
    q = np.where(seen, q, 1.0)
    reached = -np.expm1(n[..., None] * np.log1p(-np.minimum(q, 1.0 - 1e-16)))
    return (p.multiplicity * -special.xlogy(q, q) / reached).sum(-1) / LN2 + 0.0


def _digammas(p: Profile, alternating: bool) -> np.ndarray:
    n = _size(p)
    m = np.maximum(p.values, 1.0)
    g = special.digamma(m)
    if alternating:
        sign = 1.0 - 2.0 * (m % 2)
        g = g + 0.5 * sign * (special.digamma(0.5 * (m + 1.0)) - special.digamma(0.5 * m))
    entropy = special.digamma(n) - (p.multiplicity * m * g).sum(-1) / n
    return np.where(p.multiplicity.sum(-1) > 1, entropy, 0.0) / LN2


def grassberger(p: Profile) -> np.ndarray:
    """[psi(N) - sum n_i G(n_i) / N] / ln 2 bits, G(n) = psi(n) + (-1)^n [psi((n + 1) / 2) - psi(n / 2)] / 2.

    Exactly too low by the sum over symbols of p int_0^(1 - 2 p) x^(N - 1) / (1 - x) dx nats; 0 where one symbol was
    seen. Source: Grassberger 2003, doi 10.48550/arXiv.physics/0307138, with psi(N) in place of ln N.
    """
    return _digammas(p, alternating=True)


def digamma_form(p: Profile) -> np.ndarray:
    """`grassberger` with psi(n) for G(n), in bits: smooth in the counts, which G, equal at 2 m and 2 m + 1, is not."""
    return _digammas(p, alternating=False)


CLOSED_FORMS: dict[str, Callable[[Profile], np.ndarray]] = {
    "plugin": lambda p: _with_symbols(p, 1.0),
    # with the symbols seen (Miller 1955, in Information theory in psychology, 95-100)
    "miller-madow": lambda p: _with_symbols(p, p.multiplicity.sum(-1)),
    "panzeri-treves": panzeri_treves,
    "chao-shen": chao_shen,
    "grassberger": grassberger,
}
