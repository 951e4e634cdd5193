"""Reject impossible information estimates: negative, or above the maximum, by more than two standard errors."""

from __future__ import annotations

import math

from ..estimate import Estimate

_BEYOND = 2.0  # standard errors
_CURE = "take more trials, fewer responses (shorter words, wider bins), or bias = 'auto' for a bracket"


def possible(estimate: Estimate, most: float, of: str = "the stimuli") -> tuple[float, str | None]:
    """The value if an information of at most `most` bits, the entropy `of` something, can be it, else NaN and a warning.

    Above `most` by two errors or less it is `most`. Below zero by two errors or less it stays, so that means over repeats
    are right.

    >>> possible(Estimate(-0.01, 0.02), 1.0), possible(Estimate(1.01, 0.02), 1.0)
    ((-0.01, None), (1.0, None))
    >>> possible(Estimate(-1.8, 0.2, "nsb"), 1.0)
    (nan, "-1.8 ± 0.2 bit by nsb is below zero beyond its error: ...")
    """
    value, se = estimate.value, estimate.se
    if value < -_BEYOND * se - 1e-9:
        why = "is below zero"
    elif value > most + _BEYOND * se + 1e-9:
        why = f"is above the {most:.4g} bit of {of}"
    else:
        return min(value, most), None
    return math.nan, f"{value:.3g} ± {se:.2g} bit by {estimate.correction} {why} beyond its error: {_CURE}"
