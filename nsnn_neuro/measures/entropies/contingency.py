"""Tables of counts (..., n_s, n_r), stimuli by responses: plug-in entropies in bits and the Panzeri-Treves bias.

Tables (..., K, K) of trials, presented label by decoded label, may hold parts of trials, as ties are shared out.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from ...core.errors import NsnnError
from ...core.numba_jit import njit

LN2 = math.log(2.0)
MOST_CELLS = 20_000_000  # of one table


def refuse_large(sizes: dict[str, int], n: int, most: int = MOST_CELLS) -> None:
    """NsnnError for a table that is too large; `sizes`: argument -> symbols."""
    cells = math.prod(sizes.values())
    if cells > most:
        listed = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise NsnnError(
            f"too many symbols: {listed}, a table of {cells} cells for {n} samples, expected at most {most}; use fewer, for "
            "example bin_counts(counts, n_bins=4), shorter words or histories, or wider bins"
        )


def contingency(s: np.ndarray, r: np.ndarray, n_s: int, n_r: int) -> np.ndarray:
    """Counts (n_s, n_r) of pairs of codes s and r, int (n,) from 0."""
    if n_s * n_r > MOST_CELLS:
        refuse_large({"the stimulus": n_s, "the response": n_r}, len(s))
    return np.bincount(s * n_r + r, minlength=n_s * n_r).reshape(n_s, n_r)


def plugin_entropy(counts: np.ndarray) -> np.ndarray:
    """-sum_i (n_i / N) log2(n_i / N) in bits over the last axis of counts or probabilities; 0 where N = 0."""
    counts = np.asarray(counts, dtype=float)
    n = counts.sum(-1)
    total = np.where(n > 0, n, 1.0)
    return (np.log(total) - special.xlogy(counts, counts).sum(-1) / total) / LN2 + 0.0


@njit(cache=True)  # pragma: no cover - compiled
def _expected(
    extra: float, each: float, n: float, seen: float, values: np.ndarray, multiplicity: np.ndarray
) -> float:
    """How many responses to expect in n samples if `extra` more can occur than were seen, each with the probability `each`."""
    expected = extra * seen / (n + seen)
    for k in range(values.size):
        if multiplicity[k] > 0:
            p = min((1.0 - extra * each) * (values[k] + 1.0) / (n + seen), 1.0 - 1e-16)
            expected += multiplicity[k] * -np.expm1(n * np.log1p(-p))
    return expected


@njit(cache=True)  # pragma: no cover - compiled
def _relevant(values: np.ndarray, multiplicity: np.ndarray, limits: np.ndarray, out: np.ndarray) -> None:
    """Write the number of relevant responses of each row to `out`."""
    for row in range(values.shape[0]):
        v, m = values[row], multiplicity[row]
        n, seen = 0.0, 0.0
        for k in range(v.size):
            n += v[k] * m[k]
            seen += m[k]
        out[row] = seen
        if seen == 0 or limits[row] <= seen:
            continue
        each = -np.expm1(np.log(n / (n + seen)) / n)  # probability of each response that was not seen
        most = min(limits[row] - seen, np.floor((1.0 - 1e-9) / each))
        # the expectation is concave in `extra`: it grows up to its peak and reaches `seen` before it, or never
        low, high = -1.0, most  # first the peak, by bisection, then where it reaches `seen`
        rise = _expected(most, each, n, seen, v, m) - _expected(most - 1.0, each, n, seen, v, m)
        if rise > 1e-12 * seen:
            low = most - 1.0
        while high - low > 1.0:
            middle = np.floor(0.5 * (low + high))
            rise = _expected(middle + 1.0, each, n, seen, v, m) - _expected(middle, each, n, seen, v, m)
            if rise > 1e-12 * seen:
                low = middle
            else:
                high = middle
        low, peak = -1.0, high
        while high - low > 1.0:
            middle = np.floor(0.5 * (low + high))
            if middle < peak and _expected(middle, each, n, seen, v, m) < seen:
                low = middle
            else:
                high = middle
        if low >= 0.0:
            below = seen - _expected(low, each, n, seen, v, m)
            above = abs(_expected(high, each, n, seen, v, m) - seen)
            high = high if above < below - 1e-9 else low  # of two as close the fewer
        out[row] += high


def relevant_from_profile(
    values: np.ndarray, multiplicity: np.ndarray, limit: np.ndarray | float
) -> np.ndarray:
    """`relevant_responses` of a profile: `multiplicity` (..., d) responses have count `values`."""
    shape, d = values.shape[:-1], values.shape[-1]
    limits = np.full(shape, limit, dtype=float).reshape(-1)
    out = np.empty(limits.size)
    v, m = (np.ascontiguousarray(a, dtype=float).reshape(-1, d) for a in (values, multiplicity))
    _relevant(v, m, limits, out)
    return out.reshape(shape)


def relevant_responses(counts: np.ndarray, limit: np.ndarray | float) -> np.ndarray:
    """Number R (...) of responses that can occur, by the Bayesian counting of Panzeri & Treves, of counts (..., k).

    Of `limit` responses `seen` were observed in N samples, n_i of each. If x more can occur, a flat prior gives the
    observed ones (1 - x q) (n_i + 1) / (N + seen) and each other q = 1 - (N / (N + seen))^(1/N). R = seen + x for the x
    at which the expected number of observed responses is closest to `seen`. Source: Panzeri & Treves 1996, doi
    10.1080/0954898X.1996.11978656
    """
    counts = np.asarray(counts)
    return relevant_from_profile(counts, counts > 0, limit)


def panzeri_treves_bias(table: np.ndarray) -> np.ndarray:
    """Bias (...) of plug-in information in bits, [sum_s (R_s - 1) - (R - 1)] / (2 N ln 2), of tables (..., n_s, n_r).

    R is the number of responses that occur, R_s <= R is that of `relevant_responses`; rows without samples don't count.
    """
    table = np.asarray(table)
    n_s = table.sum(-1)
    seen = (table.sum(-2) > 0).sum(-1)
    per_stimulus = relevant_responses(table, np.broadcast_to(seen[..., None], n_s.shape))
    degrees = np.where(n_s > 0, per_stimulus - 1.0, 0.0).sum(-1) - (seen - 1.0)
    return degrees / (2.0 * np.maximum(n_s.sum(-1), 1) * LN2)


def information(tables: np.ndarray) -> np.ndarray:
    """Plug-in mutual information, bits, of tables (..., K, K)."""
    p = tables / tables.sum(axis=(-2, -1), keepdims=True)
    rows, columns = p.sum(axis=-1), p.sum(axis=-2)
    return _sum_p_log_p(p, 2) - _sum_p_log_p(rows, 1) - _sum_p_log_p(columns, 1)


def miller_madow(tables: np.ndarray) -> np.ndarray:
    """`information` less Miller's (cells - rows - columns + 1) / (2 N ln 2), where not empty.

    With hardly any errors this correction has the wrong sign, so that H(rows) is the limit.
    """
    filled = tables > 0
    cells = filled.sum(axis=(-2, -1))
    rows, columns = filled.any(axis=-1).sum(axis=-1), filled.any(axis=-2).sum(axis=-1)
    n = tables.sum(axis=(-2, -1))
    value = information(tables) - (cells - rows - columns + 1) / (2 * np.log(2) * n)
    return np.minimum(value, -_sum_p_log_p(tables.sum(axis=-1) / n[..., None], 1))


def table_se(table: np.ndarray) -> float:
    """Standard error of the information in one table (K, K), bits: multinomial, by the delta method.

    At independence 2 N ln(2) I is a chi^2 with (K - 1)^2 degrees of freedom, whose SD is added in quadrature. One trial
    is spread evenly over the cells first: an error that wasn't seen isn't impossible.
    """
    n = table.sum() + 1
    p = (table + 1 / table.size) / n
    density = np.log2(p / (p.sum(axis=1, keepdims=True) * p.sum(axis=0, keepdims=True)))
    variance = (p * density**2).sum() - (p * density).sum() ** 2
    freedom = (len(table) - 1) ** 2
    return float(np.sqrt(max(variance, 0.0) / n + freedom / 2 / (n * np.log(2)) ** 2))


def _sum_p_log_p(p: np.ndarray, axes: int) -> np.ndarray:
    return (p * np.log2(np.where(p > 0, p, 1.0))).sum(axis=tuple(range(-axes, 0)))
