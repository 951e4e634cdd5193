"""Mutual information of discrete stimuli and responses with its bias correction, error bar and shuffle null."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import NsnnError
from .counts import contingency
from .entropies import CLOSED_FORMS, profile
from .entropy import ALIASES
from .estimate import Estimate
from .symbols import as_symbols

__all__ = ["mutual_information"]


def mutual_information(
    s: Any, r: Any, *, bias: str = "panzeri-treves", n_shuffle: int = 100, seed: int = 0
) -> Estimate:
    """Mutual information I(S; R) = H(R) - sum_s p(s) H(R | s) of two discrete variables, in bits.

    >>> s = [0, 1] * 50
    >>> print(mutual_information(s, s, bias="plugin", n_shuffle=0))
    1 bit (correction plugin; n = 100)
    """
    s_codes, n_s = as_symbols(s, "s")
    r_codes, n_r = as_symbols(r, "r")
    bias = ALIASES.get(bias, bias)
    if bias not in CLOSED_FORMS:
        raise NsnnError(f"bias = {bias!r}: expected one of {', '.join(sorted(CLOSED_FORMS))}")
    if len(s_codes) != len(r_codes):
        raise NsnnError(f"s and r have {len(s_codes)} and {len(r_codes)} samples: expected as many")
    n = len(s_codes)
    estimator = CLOSED_FORMS[bias]

    def information(table: np.ndarray) -> float:
        all_rows = profile(np.vstack([table.sum(0), table]), n_r)
        h = estimator(all_rows)
        return float(h[0] - table.sum(1) @ h[1:] / n)

    value = information(contingency(s_codes, r_codes, n_s, n_r))
    null_mean = p = None
    if n_shuffle:
        rng = np.random.default_rng(seed)
        null = np.array(
            [information(contingency(rng.permutation(s_codes), r_codes, n_s, n_r)) for _ in range(n_shuffle)]
        )
        null_mean, p = float(null.mean()), float((1 + (null >= value).sum()) / (1 + n_shuffle))
    return Estimate(value, math.nan, bias, null_mean, p, n)
