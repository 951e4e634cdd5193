"""Assign spike times to bins and windows, with one tolerance for rounding at the edges, for the whole package.

A bin is closed on the left and open on the right, [start + k width, start + (k + 1) width). Spike times and borders are
often multiples of one step, and each of them is rounded: in double precision a time t is known to about eps |t|, eps =
2.2e-16, so that two computations of one time T differ by a few eps T. A spike that close before a border therefore belongs
to the bin that begins there: `rounding` is that distance in seconds, `slack` the same as a fraction of a bin. For T = 1e9 s
it is 9e-7 s, which is small compared with a bin of 1 ms but large compared with one of 1e-5 s; `slack` then warns, and
refuses if neighbouring numbers are half a bin or more apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import NsnnError
from ...core.warn import warn

EPS = float(np.finfo(float).eps)
LEAST = 1e-9  # of a bin: the least slack, for times that were summed or divided before they came here

# A time and a border go through a sum, products and a change of units, each rounded by half an eps: 1.5 eps at most in
# 6e6 times on clocks to 1e9 s, computed in seven ways.
_ROUNDINGS = 4
_NEAR = 0.05  # of a bin: with more slack than this, warn


class ResolutionWarning(UserWarning):
    """Spike times are too coarse for the bins: their rounding is a considerable part of a bin.

    >>> import warnings
    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> from nsnn_neuro.measures import psth
    >>> block = to_block([[[1e9 + 0.1, 1e9 + 0.6]]], t_start=1e9*pq.s, t_stop=(1e9 + 1)*pq.s)
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     histogram = psth(block, bin_width=1*pq.us)
    >>> caught[-1].category.__name__
    'ResolutionWarning'
    """


def rounding(*times: Any, eps: float = EPS) -> float:
    """Distance (s) below which two times of this size may be one: 4 eps max |t|.

    times : numbers or arrays, s; NaN is left out
    eps : relative spacing of the numbers that the times were stored in; 1.2e-7 for single precision
    """
    largest = 0.0
    for some in times:
        if isinstance(some, float):  # most calls: NumPy takes microseconds for a number
            largest = max(largest, abs(some) if some == some else 0.0)
            continue
        values = np.abs(np.asarray(some, dtype=float))
        largest = max(largest, float(np.fmax.reduce(values, axis=None, initial=0.0)))
    return _ROUNDINGS * eps * largest


def spacing(values: Any) -> float:
    """Relative spacing of the numbers of an array: its own type's for float, that of double precision otherwise."""
    kind = np.asarray(values).dtype
    return max(EPS, float(np.finfo(kind).eps)) if kind.kind == "f" else EPS


def slack(width: float, resolution: float, name: str) -> float:
    """Fraction of a bin by which a time may lie before a border and belong to the bin that begins there, 1e-9 to 1/2.

    Warns, ResolutionWarning, when the times' resolution exceeds a twentieth of a bin; NsnnError when neighbouring numbers are half
    a bin or more apart.

    width : of the bin, s
    resolution : of the times, s, as `rounding` gives it
    name : of the argument that gave the width, for messages
    """
    share = resolution / width
    if share <= _NEAR:
        return max(LEAST, share)
    cure = "subtract the recording's start from its times, in double precision, before they are rounded"
    apart = resolution / _ROUNDINGS
    if apart >= width / 2:
        raise NsnnError(
            f"{name} = {width:.6g} s: spike times of this size are stored {apart:.2g} s apart, too coarsely for such bins; "
            f"take wider bins, or {cure}"
        )
    warn(
        f"{name} = {width:.6g} s: spike times of this size are rounded by up to {resolution:.2g} s, {100 * share:.0f} % of a "
        f"bin, so some may be in a neighbouring bin; take wider bins, or {cure}",
        ResolutionWarning,
    )
    return min(share, 0.5)


def index(times: np.ndarray, start: Any, width: float, share: float) -> np.ndarray:
    """Number of the bin, from 0, that each time lies in, (n,) int64; negative before `start`.

    times : (n,) s
    start : of bin 0, s, one number or (n,)
    width : s
    share : as `slack` gives it
    """
    return np.floor((times - start) / width + share).astype(np.int64)
