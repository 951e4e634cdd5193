"""Entropy of discrete samples with its bias correction and error bar."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import NsnnError
from .entropies import CLOSED_FORMS, profile
from .estimate import Estimate
from .symbols import read_symbols

__all__ = ["entropy"]

ALIASES = {"none": "plugin"}


def entropy(x: Any, *, method: str = "plugin", n_symbols: int | None = None, seed: int = 0) -> Estimate:
    """Entropy H = -sum_x p(x) log2 p(x) of the law that the samples come from, in bits.

    >>> print(entropy([0, 0, 0, 1], method="miller-madow"))
    0.9916 ± 0.87 bit (correction miller-madow; se jackknife over samples; n = 4)
    """
    symbols = read_symbols(x, "x")
    method = ALIASES.get(method, method)
    if method not in CLOSED_FORMS:
        raise NsnnError(f"method = {method!r}: expected one of {', '.join(sorted(CLOSED_FORMS))}")
    counts = np.bincount(symbols.codes, minlength=symbols.n_present)[None]
    limit = symbols.n_possible if n_symbols is None else float(n_symbols)
    rows = profile(counts, limit)
    estimator = CLOSED_FORMS[method]
    n = len(symbols.codes)
    value = float(estimator(rows)[0])
    se = math.nan
    if n > 1:
        without = estimator(rows.without_one())[0]
        weight = rows.values[0] * rows.multiplicity[0]
        mean = (weight * without).sum() / n
        se = math.sqrt((n - 1) / n * (weight * (without - mean) ** 2).sum())
    return Estimate(value, se, method, n=n, se_method="jackknife over samples")
