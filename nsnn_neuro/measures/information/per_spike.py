"""Information that one spike carries: about time in a repeated stimulus, or about a position.

Both are I = sum_b p_b log2(p_b / o_b) over bins of time or place, p_b the share of the N spikes and o_b that of the
time. Sampling makes p_b uneven at any rate: with Poisson spikes by (B - 1) / (2 N ln 2) of B bins in which the neuron
can fire (Miller 1955; Panzeri & Treves 1996, doi 10.1080/0954898X.1996.11978656). The jackknife, K I - (K - 1) mean
I_(k) over K parts, follows the data.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import quantities as pq
from scipy.special import xlogy

from ...core.aliases import SpikeSource, Time, Values
from ...core.checks import check, one_of, positive
from ...core.errors import NsnnError
from ...core.units import shown
from ...core.warn import warn
from ..entropies.symbols import as_symbols
from ..estimate import Estimate, jackknife_se, public_measure
from ..response_checks import array_of, refuse_swapped, with_test
from ..trains import SilentNeuronWarning, as_repeats, binned
from .words import windowed

_FEW = 2.0  # spikes per occupied bin; of flat Poisson rates the jackknife leaves a tenth of the bias at 1.6, four at 1.2
_LEFT = 0.4  # standard errors that what sparse bins add may come to, measured on sharp events
_PARTS = 8  # trials or stretches below which the error bar itself is uncertain: two of it held the truth in 81 to 88 % with 5
_NAMES = {"none": "none", "poisson": "poisson, (B - 1)/(2 N ln 2)", "jackknife": "jackknife"}


def _relative_entropy(spikes: np.ndarray, time: np.ndarray) -> np.ndarray:
    """sum_b p_b log2(p_b / o_b) of counts (..., B) of spikes and of time; NaN without spikes."""
    n, total = spikes.sum(axis=-1), time.sum(axis=-1)
    some = np.where(n > 0, n, 1.0)
    ratio = np.log(np.where(time > 0, time, 1.0))
    mean = (xlogy(spikes, spikes) - spikes * ratio).sum(axis=-1) / some
    return np.where(n > 0, (mean - np.log(some) + np.log(np.maximum(total, 1))) / math.log(2), np.nan)


def _corrected(spikes: np.ndarray, time: np.ndarray, bias: str) -> tuple[float, float]:
    """Value and jackknife standard error of parts (K, B) of spikes and time."""
    total, whole = spikes.sum(axis=0), time.sum(axis=0)
    rest = total - spikes, whole - time
    value, left_out = _relative_entropy(total, whole), _relative_entropy(*rest)
    if bias == "poisson":
        value, left_out = value - _poisson(total), left_out - _poisson(rest[0])
    left_out = left_out[np.isfinite(left_out)]
    k = left_out.size
    if bias == "jackknife" and k > 1:
        value = k * value - (k - 1) * left_out.mean()
    return float(value), jackknife_se(left_out)


def _poisson(spikes: np.ndarray) -> np.ndarray:
    n = np.maximum(spikes.sum(axis=-1), 1)
    return np.maximum((spikes > 0).sum(axis=-1) - 1, 0) / (2 * n * math.log(2))


def _too_few(total: np.ndarray, se: float) -> list[str]:
    """A warning when bins of low rate have too few spikes for the correction.

    The f_1 spikes that are alone in their bin, beside f_0 empty ones, may add f_1 / N log2(f_0 / f_1) bits; f_1 = 0
    counts as one half with fewer than ten spikes per occupied bin.
    """
    n, occupied = int(total.sum()), int((total > 0).sum())
    alone, empty = int((total == 1).sum()), int((total == 0).sum())
    cure = "too few for the correction; take wider bins or more trials"
    if n < _FEW * occupied:
        return [f"{n} spikes in {occupied} bins: {cure}"]
    rare = 0.5 if alone == 0 and n < 10 * occupied else float(alone)
    left = rare / n * math.log2(empty / rare) if empty > rare > 0 else 0.0
    what = f"{alone} of {n} spikes are alone in their bin and {empty} bins are empty"
    return [f"{what}: {cure}, which leaves up to {left:.2g} bit"] if left > _LEFT * se else []


def _estimate(
    name: str, value: float, se: float, bias: str, null: np.ndarray, counts: np.ndarray, se_method: str
) -> Estimate:
    total, parts = counts.sum(axis=0), len(counts)
    n = int(total.sum())
    if n == 0:
        warn(f"{name}: no spike; the result is NaN", SilentNeuronWarning)
        return Estimate(math.nan, correction=_NAMES[bias], unit="bit/spike", warning="no spikes")
    notes = ["one part only: no error bar, and no jackknife"] if math.isnan(se) else []
    if 1 < parts < _PARTS:
        what = se_method.split()[-1]
        notes.append(f"{parts} {what} only: the error bar is uncertain; take {_PARTS} or more")
    notes += _too_few(total, se)
    if null.size and null.mean() > se:  # spikes without modulation get more information than the error bar
        notes.append(
            f"the mean of {null.size} shuffles is {null.mean():.2g} bit, above the error bar: the correction leaves as much "
            "where rates are flat; take wider bins or more trials"
        )
    correction = _NAMES[bias] if not (bias == "jackknife" and math.isnan(se)) else "none"
    warning, how = "; ".join(notes) or None, None if math.isnan(se) else se_method
    return with_test(value, se, correction, null, n=n, warning=warning, unit="bit/spike", se_method=how)


@public_measure("bit/spike")
def information_per_spike(
    trains: SpikeSource,
    *,
    bin_width: Time = 10 * pq.ms,
    bias: str = "jackknife",
    n_shuffle: int = 100,
    seed: int = 0,
    align: Any = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> Estimate:
    """Information per spike about time in the stimulus, bit/spike, from repeats of one stimulus.

    I = (1/T) integral of (r/rbar) log2(r/rbar) dt, r(t) the rate over repeats, as the sum over
    bins, for any statistics of the spikes. Bins lower I by about (bin^2/24) <r'^2/r> / (rbar ln 2):
    shorten them until I converges. null_mean and p: each trial is shifted circularly by a random
    number of bins. n is the number of spikes.

    A warning is set for fewer than two spikes per occupied bin; if bins of low rate may add more
    than .4 standard errors; if the shuffles' mean exceeds the standard error; and below 8 trials.

    Parameters
    ----------
    trains : the repeats of one neuron under one stimulus, see `as_repeats`; two for an error
    bin_width : time, scalar (default 10 ms, a usual PSTH's); the window's remainder is dropped
    bias : "jackknife" over trials (default, assumes nothing), "poisson", or "none"
    n_shuffle, seed : of the shuffles; n_shuffle = 0 leaves null_mean and p None
    align, t_start, t_stop : the window, see `words`

    Raises
    ------
    NsnnError : an unknown bias, trials of unequal length, or what `as_repeats` and `words` refuse.
        Warns once, SilentNeuronWarning, without a spike (NaN). Source: Brenner et al. 2000, doi
        10.1162/089976600300015259

    >>> half = [[0.1, 0.2, 0.3, 0.4], [0.15, 0.25, 0.35]]
    >>> e = information_per_spike(half, bin_width=0.5*pq.s, t_start=0*pq.s, t_stop=1*pq.s, bias="none", n_shuffle=0)
    >>> round(e.value, 12), e.unit, e.n
    (1.0, 'bit/spike', 7)
    """
    check(bias=bias, n_shuffle=n_shuffle, seed=seed)
    one_of(bias, sorted(_NAMES), "bias")
    if align is None:
        repeats = windowed(as_repeats(trains, t_start, t_stop), None, None, None)
    else:
        repeats = windowed(as_repeats(trains), align, t_start, t_stop)
    counts = binned(repeats, positive(bin_width, "s", "bin_width"), "bin_width")[:, 0]
    value, se = _corrected(counts, np.ones(counts.shape), bias)
    rng, null = np.random.default_rng(seed), np.empty(n_shuffle)
    n_trials, n_bins = counts.shape
    for i in range(n_shuffle):
        turned = (np.arange(n_bins) - rng.integers(n_bins, size=(n_trials, 1))) % n_bins
        null[i] = _corrected(np.take_along_axis(counts, turned, axis=1), np.ones(counts.shape), bias)[0]
    return _estimate("information_per_spike", value, se, bias, null, counts, "jackknife over trials")


@public_measure("bit/spike")
def skaggs_information(
    position: Any,
    counts: Values,
    *,
    bias: str = "jackknife",
    n_blocks: int = 20,
    n_shuffle: int = 100,
    seed: int = 0,
    min_shift: int = 1,
) -> Estimate:
    """Information per spike about position (any label that changes with time), bit/spike.

    I = sum_x o_x (l_x / l) log2(l_x / l), o_x the share of time at x, l_x the rate there and l the
    mean rate. se and the jackknife leave out one of `n_blocks` stretches of time. null_mean and p:
    the counts are shifted circularly against the positions. n is the number of spikes.

    Parameters
    ----------
    position : (n,) whole numbers, where the animal was in each bin
    counts : (n,) whole numbers, spikes in each bin of time
    bias : "jackknife" over stretches (default), "poisson", or "none"
    n_blocks : stretches of equal length, at least 2 and at most n; long against changes of position
    n_shuffle, seed : of the shifts; n_shuffle = 0 leaves null_mean and p None
    min_shift : bins, the least shift; long against the correlation of counts with the position

    Raises
    ------
    NsnnError : lengths that differ, labels or counts that aren't whole numbers, negative counts, a
        number of blocks or a shift that doesn't fit. Warns once, SilentNeuronWarning, without a
        spike (NaN). Source: Skaggs et al. 1993 (Advances in Neural Information Processing Systems
        5, 1030-1037)

    >>> e = skaggs_information([4, 7, 4, 7, 4, 7], [0, 2, 0, 3, 0, 1], bias="none", n_blocks=2, n_shuffle=0)
    >>> round(e.value, 12), e.n
    (1.0, 6)
    """
    check(bias=bias, n_blocks=n_blocks, n_shuffle=n_shuffle, seed=seed, min_shift=min_shift)
    one_of(bias, sorted(_NAMES), "bias")
    refuse_swapped(position, counts, "skaggs_information(position, counts)")
    where, n_places = as_symbols(position, "position")
    spikes = array_of(counts, "counts")
    if spikes.shape != where.shape:
        raise NsnnError(f"counts has shape {spikes.shape}, position ({where.size},): expected equal lengths")
    if spikes.dtype.kind not in "iub" or (spikes < 0).any():
        raise NsnnError(f"counts = {shown(counts)}: expected whole numbers of spikes, at least 0")
    n = where.size
    if not 2 <= n_blocks <= n:
        raise NsnnError(f"n_blocks = {n_blocks}: expected 2 to the number of bins, {n}")
    if not 0 <= min_shift <= n // 2:
        raise NsnnError(f"min_shift = {min_shift}: expected 0 to half the number of bins, {n // 2}")
    block = np.arange(n) * n_blocks // n
    cell, size = block * n_places + where, n_blocks * n_places
    time = np.bincount(cell, minlength=size).reshape(n_blocks, n_places)
    some = np.flatnonzero(spikes)

    def parts(shift: int) -> np.ndarray:
        moved = cell[(some + shift) % n]
        return np.bincount(moved, spikes[some], minlength=size).reshape(n_blocks, n_places)

    value, se = _corrected(parts(0), time, bias)
    shifts = np.random.default_rng(seed).integers(min_shift, n - min_shift, size=n_shuffle, endpoint=True)
    null = np.array([_corrected(parts(shift), time, bias)[0] for shift in shifts])
    how = f"jackknife over {n_blocks} stretches"
    return _estimate("skaggs_information", value, se, bias, null, parts(0), how)
