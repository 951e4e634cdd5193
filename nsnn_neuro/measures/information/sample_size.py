"""Sample size: the number of trials that an information estimate of given precision needs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ...core.checks import check, number, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown
from ..entropies.contingency import panzeri_treves_bias
from ..entropies.information_tables import zero_spread
from ..estimate import Estimate
from .mutual_information import mutual_information, predictive_bound
from .pipeline import read

_PER_STIMULUS = 20  # trials, with fewer of which a pilot's plan is rough


@dataclass(frozen=True)
class TrialPlan:
    """Number of trials that reach a precision; made by `plan_trials`; `int(plan)` in all."""

    n_trials: int
    """all stimuli together"""
    per_stimulus: float
    se: float
    """standard error (bits) that is expected then"""
    bias_left: float
    """bias (bits) that is allowed for then"""
    pilot: Estimate
    """with its own warning"""

    def __int__(self) -> int:
        return self.n_trials

    def __str__(self) -> str:
        pilot = f"{self.pilot.value:.3g} ± {self.pilot.se:.2g} {self.pilot.unit}, {self.pilot.n} trials"
        n, least = self.n_trials, round(_PER_STIMULUS * self.n_trials / self.per_stimulus)
        rough = f"; small pilot: {n // 2} to {5 * n} trials may be needed, plan again after {least} trials"
        return (
            f"{n} trials, {self.per_stimulus:.0f} per stimulus: ± {self.se:.2g} bit, {self.bias_left:.1g} bit of bias left "
            f"(from {pilot}){rough if self.pilot.n < least else ''}"
        )


@suggest_keywords
def plan_trials(
    s: Any, r: Any = None, *, precision: float = 0.05, bias: str = "panzeri-treves", seed: int = 0
) -> TrialPlan:
    """Number of trials at which the standard error of `mutual_information` is `precision`.

    The error of N trials is taken as sqrt(se(N)^2 + left(N)^2) with

        se(N)^2 = v N_0 / N + z^2 (N_0 / N)^2,  v = se_0^2 - 2 z^2,
        left(N) = (B_0 N_0 / N) min(1, n_s R / (3 N)),

    N_0 the pilot's trials, se_0 its standard error, z its spread at zero information, which a
    jackknife counts twice, B_0 its Panzeri-Treves bias, n_s and R its numbers of stimuli and
    responses. With fewer than four trials per stimulus for each response v is v^w e^(2 - 2 w), e the
    error of predicting left-out stimuli and w a quarter of those trials but at least 1/2. Corrections
    of first order leave about n_s R / (3 N) of the bias; bias "plugin" leaves all of it. The result
    is the smallest N whose error is at most `precision`, which may be below N_0. A printed plan says
    where the pilot is too small to be exact ("Estimators of information" in the documentation).

    Parameters
    ----------
    s, r : of a pilot, as for `mutual_information`; s alone may be the pair (s, r)
    precision : bits, positive
    bias, seed : as for `mutual_information`

    Raises
    ------
    NsnnError : precision not positive, one of s and r alone, what `mutual_information` refuses, or a
        pilot without an error bar. Source: Panzeri & Treves 1996, doi
        10.1080/0954898X.1996.11978656

    >>> import numpy as np
    >>> s = np.repeat([0, 1], 20)
    >>> r = np.r_[np.tile([0, 0, 0, 0, 1], 4), np.tile([1, 1, 1, 0, 1], 4)]
    >>> print(plan_trials(s, r, precision=0.05))
    284 trials, 142 per stimulus: ± 0.05 bit, 1e-05 bit of bias left (from 0.26 ± 0.14 bit, 40 trials)
    """
    check(bias=bias, seed=seed)
    if r is None:
        if not isinstance(s, tuple | list) or len(s) != 2:
            raise NsnnError(
                "r = None: expected plan_trials(s, r), stimuli and responses, or the pair of them"
            )
        s, r = s
    if not number(precision, "precision") > 0:
        raise NsnnError(f"precision = {shown(precision)}: expected a positive number of bits")
    data = read(labels=("s",), s=s, r=r)
    (n_s, n_r), table = data.sizes, data.table
    estimate = mutual_information(s, r, bias=bias, n_shuffle=0, seed=seed)
    n_0 = estimate.n
    if not estimate.se > 0:
        raise NsnnError(
            f"pilot of {n_0} trials has the error bar {estimate.se}: take a longer one, in which responses vary"
        )
    b_0 = abs(float(panzeri_treves_bias(table)))

    zero = zero_spread(table) ** 2
    predicted = predictive_bound(data.codes["s"], data.letters, n_s).se ** 2
    first, filled = max(0.0, estimate.se**2 - 2.0 * zero), min(1.0, max(0.5, n_0 / (4.0 * n_s * n_r)))
    if predicted < first:
        first = first**filled * predicted ** (1.0 - filled)

    def parts(n: float) -> tuple[float, float]:
        fewer = n_0 / n
        share = 1.0 if estimate.correction == "plugin" else min(1.0, n_s * n_r / (3.0 * n))
        return math.sqrt(first * fewer + zero * fewer**2), b_0 * fewer * share

    low, high = 1, 2
    while math.hypot(*parts(high)) > precision:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if math.hypot(*parts(middle)) > precision else (low, middle)
    return TrialPlan(high, high / n_s, *parts(high), pilot=estimate)
