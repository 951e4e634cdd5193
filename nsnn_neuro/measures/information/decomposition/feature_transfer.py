"""Feature-specific information transfer: what a sender passes to a receiver about a stimulus."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....core.aliases import Values
from ....core.checks import check, one_of, suggest_keywords
from ...estimate import Estimate
from .redundancy import Parts, least_specific
from .trial_estimates import BIASES, Alphabet, estimate, estimates, read_trials

_NULLS = {"both": ("s", "x_past|s"), "s": ("s",), "x_past|s": ("x_past|s",)}


def _shared_new(
    x: np.ndarray, other: np.ndarray, past: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """What x and `other`, not `past`, tell about a target, (m,), and scores; laws (m, T, .)."""
    two, (x_2, other_2) = least_specific([x, other])
    three, (x_3, other_3, past_3) = least_specific([x, other, past])
    return two - three, (x_2 - x_3, other_2 - other_3, -past_3)


@suggest_keywords
def feature_information_transfer(
    s: Values,
    x_past: Any,
    y: Values,
    y_past: Any,
    *,
    bias: str = "quadratic",
    null: str = "both",
    n_shuffle: int = 100,
    seed: int = 0,
) -> Estimate:
    """Feature-specific information transfer (FIT): bits about s that x's past passes to y.

        FIT = min(SI(S; X, Y) - SI(S; X, Y, Y'), SI(Y; X, S) - SI(Y; X, S, Y'))

    X is the past of the sender, Y the present and Y' the past of the receiver. SI(S; X, Y), the
    redundancy I_min of Williams and Beer, is what X and Y both tell about S; less what Y' tells too
    it is new to the receiver. The second term has Y as its target, so that FIT is at most I(S; X),
    I(S; Y) and the transfer entropy I(X; Y | Y'), which counts all that x passes to y.

    p tests what `null` shuffles away, on plug-in values. "s" permutes the stimuli; "x_past|s" the
    sender among trials of the same stimulus: x and y are coupled beyond a stimulus that drives
    both. "both" (default), as the source, takes the larger p; it is too large if neither holds.
    bias, se and warning: as for `partial_information`. Equal sources make FIT a little too low.

    Parameters
    ----------
    s : (n_trials,) labels, which stimulus each trial had
    x_past, y, y_past : (n_trials,) whole numbers, truth values or texts, or (n_trials, k) words:
        sender and receiver at two times of each trial, such as `spike_counts` of two windows
    bias : "quadratic" (default), "shuffle", "none"
    null, n_shuffle, seed : see above; n_shuffle = 0 for no test

    Raises
    ------
    NsnnError : no symbols, NaN, unequal lengths, a constant s, an unknown bias or null, tables that
        are too large. Source: Celotto et al. 2023, Advances in Neural Information Processing
        Systems 36, doi 10.1101/2023.06.14.544903

    >>> s, before = [0, 0, 1, 1] * 25, [0, 1] * 50  # y takes the stimulus from x, and knew nothing of it
    >>> round(float(feature_information_transfer(s, s, s, before, bias="none", n_shuffle=0)), 3)
    1.0
    >>> round(float(feature_information_transfer(s, s, s, s, bias="none", n_shuffle=0)), 3)  # y knew it before
    0.0
    """
    check(bias=bias, n_shuffle=n_shuffle, seed=seed)
    one_of(bias, BIASES, "bias")
    one_of(null, list(_NULLS), "null")
    columns = read_trials("s", s=s, x_past=x_past, y=y, y_past=y_past)

    def transfer(tables: np.ndarray, tolerance: float) -> Parts:
        del tolerance  # closed forms
        p = tables / np.maximum(tables.sum((1, 2, 3, 4), keepdims=True), 1e-300)
        s_x, s_y, s_past = p.sum((3, 4)), p.sum((2, 4)), p.sum((2, 3))
        y_x, y_s, y_past = p.sum((1, 4)).swapaxes(1, 2), s_y.swapaxes(1, 2), p.sum((1, 2))
        one, (a, b, c) = _shared_new(s_x, s_y, s_past)
        two, (d, e, f) = _shared_new(y_x, y_s, y_past)
        score_1 = a[:, :, :, None, None] + b[:, :, None, :, None] + c[:, :, None, None, :]
        score_2 = (
            d.swapaxes(1, 2)[:, None, :, :, None]
            + e.swapaxes(1, 2)[:, :, None, :, None]
            + f[:, None, None, :, :]
        )
        first = (one <= two)[:, None, None, None, None]
        score = np.where(first, score_1 + 0 * score_2, score_2)
        return Parts(np.maximum(np.minimum(one, two), 0.0)[:, None], score[..., None], 0.0)

    result = estimate(columns, transfer, bias=bias, nulls=_NULLS[null], n_shuffle=n_shuffle, seed=seed)
    most = max(columns.sizes[1:])
    return estimates(result, bias, columns, {"transfer": Alphabet(most, most)})["transfer"]
