"""Test of any measure against surrogates of its data."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ...core.aliases import SpikeSource
from ...core.checks import flag, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import floats, shown
from ..estimate import Estimate
from ..response_checks import permutation_p
from .surrogates import surrogates
from .trial_drift import TrialDriftWarning


@suggest_keywords
def against_surrogates(
    measure: Callable[..., Any],
    block: SpikeSource,
    *,
    method: str,
    n: int = 200,
    seed: int = 0,
    two_sided: bool = False,
    **options: Any,
) -> Estimate | list[Estimate]:
    """A measure of a Block, with its mean, z and p for surrogates of the Block.

    With v the measure of the data and v_k that of surrogate k, null_mean is the mean of v_k, z = (v - null_mean) / SD of v_k, and
    p = (1 + number of v_k >= v) / (1 + n). If the surrogates destroy nothing that the data have, p is uniform. The smallest p is
    1 / (1 + n), two-sided 2 / (1 + n).

    Parameters
    ----------
    measure : function of a Block that returns a number, or an array (n_neurons,) or of any length. Give its options with
        functools.partial or a lambda
    block : neo.Block, one Segment per trial
    method, n, seed, options : of `surrogates`
    two_sided : False (default): p counts surrogates whose value is at least that of the data; True doubles the smaller of both
        tails

    Returns
    -------
    an Estimate for a number, a list of them for an array. n is the number of surrogates whose value is not NaN; the others are
    left out, and `warning` says so. No standard error

    Raises
    ------
    NsnnError : measure is no function, returns no numbers or arrays of different length, or what `surrogates` refuses. Source:
        Grün 2009, doi 10.1152/jn.00093.2008; p: Phipson & Smyth 2010, doi 10.2202/1544-6115.1585

    >>> import quantities as pq
    >>> from nsnn_neuro import measures, to_block
    >>> one = np.arange(0.05, 2, 0.1)
    >>> block = to_block([[one, one + 0.001]], t_stop=2*pq.s)  # neuron 1 follows neuron 0 by 1 ms
    >>> def synchrony(block):
    ...     return measures.spike_time_tiling(block, dt=2*pq.ms)[0, 1]
    >>> test = measures.against_surrogates(synchrony, block, method="jitter", n=99, window=50*pq.ms)
    >>> test.value, test.p, bool(test.z > 10)
    (1.0, 0.01, True)
    """
    if not callable(measure):
        raise NsnnError(f"measure = {shown(measure)}: expected a function of a Block")
    flag(two_sided, "two_sided")
    drawn = surrogates(block, method=method, n=n, seed=seed, **options)
    value = _values(measure, block)
    rows = []
    for k, surrogate in enumerate(drawn):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrialDriftWarning)  # given for the data
            rows.append(_values(measure, surrogate))
        if rows[-1].shape != value.shape:
            raise NsnnError(
                f"measure returned shape {value.shape} for the data and {rows[-1].shape} for surrogate {k}: expected a number, or "
                "an array that is equally long for all"
            )
    null = np.array(rows)
    unit = getattr(measure, "unit", "1")
    if value.ndim == 0:
        return _test(float(value), null, two_sided, unit)
    return [_test(float(v), null[:, j], two_sided, unit) for j, v in enumerate(value)]


def _values(measure: Callable[..., Any], block: Any) -> np.ndarray:
    result = measure(block)
    values = floats(
        float(result) if isinstance(result, Estimate) else result,
        "measure",
        "a function that returns a number or a 1-D array",
    )
    if values.ndim > 1:
        raise NsnnError(
            f"measure returned an array of shape {values.shape}: expected a number or a 1-D array; choose one, "
            "as in lambda block: measure(block)[0, 1]"
        )
    return values


def _test(value: float, null: np.ndarray, two_sided: bool, unit: str) -> Estimate:
    seen = null[np.isfinite(null)]
    lost = null.size - seen.size
    warning = f"the measure is not finite for {lost} of {null.size} surrogates" if lost else None
    if not np.isfinite(value) or not seen.size:
        return Estimate(
            value, n=seen.size, warning=warning or "the measure of the data is not finite", unit=unit
        )
    upper = permutation_p(seen, value)
    p = upper
    if two_sided:
        lower = permutation_p(-seen, -value)
        assert upper is not None
        assert lower is not None
        p = min(1.0, 2 * min(upper, lower))
    mean = float(seen.mean())
    sd = float(seen.std(ddof=1)) if seen.size > 1 else 0.0
    z = None if sd <= 1e-12 * max(1.0, abs(mean)) else (value - mean) / sd
    return Estimate(value, null_mean=mean, p=p, n=seen.size, warning=warning, unit=unit, z=z)
