"""Intrinsic timescale: how fast the autocorrelation of a neuron's spike counts decays (Murray et al. 2014)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import quantities as pq

from ...core.aliases import SpikeSource, Time
from ...core.checks import check, flag, scalar, suggest_keywords
from ...core.errors import NsnnError
from ...core.parallel import narrow_products
from ...core.warn import warn
from ..estimate import Report
from ..trains import as_trains, binned, nan_ratio, warn_silent

_GRID = 120
_IN_CACHE = 2**18  # bins of resamples that are processed at once


@dataclass(frozen=True, eq=False)
class IntrinsicTimescale(Report):
    """Fits of R(lag) = amplitude (exp(-lag / tau) + offset); made by `intrinsic_timescale`."""

    tau: np.ndarray
    """(n_neurons,) s"""
    se: np.ndarray
    """(n_neurons,) s, SD over bootstrap resamples of trials whose fit succeeded"""
    amplitude: np.ndarray
    """(n_neurons,)"""
    offset: np.ndarray
    """(n_neurons,)"""
    lags: np.ndarray
    """(n_lags,) s, those that were fitted"""
    correlation: np.ndarray
    """(n_neurons, n_lags) of counts across trials, mean over pairs of bins"""
    n_failed: np.ndarray
    """(n_neurons,) resamples without a decay, which `se` leaves out"""


@suggest_keywords
def intrinsic_timescale(
    block: SpikeSource,
    *,
    bin_width: Time = 50 * pq.ms,
    max_lag: Time = 500 * pq.ms,
    offset: bool = True,
    n_resample: int = 200,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> IntrinsicTimescale:
    """Timescale of each neuron's spontaneous fluctuations, from the decay of its count autocorrelation.

    The count in bin i of width D is correlated across trials with that in bin j, and the correlations of equal lag are averaged
    into R(k D), k = |i - j|. R is fitted by A (exp(-k D / tau) + B) in least squares. tau is NaN where no decay is seen: A is not
    positive or tau lies at an end of the searched range. Coverage of se: "Errors with few trials" in the documentation.

    Parameters
    ----------
    block : neo.Block, one Segment per trial, all of the same window; choose a period without a stimulus with t_start and t_stop
    bin_width : time, scalar, of the counts; default 50 ms. Bins follow one another from the start of a trial, and a shorter
        remainder at its end is not used
    max_lag : time, scalar; lags from one bin to this are fitted, rounded to whole bins; at least four. Within trials of n bins the
        longest lag is n - 1 bins, with one warning if max_lag is longer
    offset : True (default) fits a constant, for fluctuations that are slow against the trial; False fixes B = 0
    n_resample, seed : bootstrap resamples of the trials and their seed; 0: se is NaN
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : fewer than ten trials, trials of different windows, fewer than four lags, or what `as_trains` refuses. NaN, with one
        SilentNeuronWarning, for neurons without a decay. Source: Murray et al. 2014, doi 10.1038/nn.3862

    >>> from nsnn_neuro import to_block
    >>> from scipy.signal import lfilter
    >>> rng = np.random.default_rng(1)
    >>> walks = lfilter([1], [1, -np.exp(-0.1)], rng.normal(size=(200, 200)))  # with a memory of 100 ms
    >>> counts = rng.poisson(0.6 * np.maximum(1 + 0.18 * walks, 0))
    >>> trials = [[np.repeat(np.arange(200), trial) * 0.01 + 0.005] for trial in counts]
    >>> result = intrinsic_timescale(to_block(trials, t_stop=2*pq.s))
    >>> bool(abs(result.tau[0] - 0.1) < 2 * result.se[0])
    True
    """
    flag(offset, "offset")
    check(n_resample=n_resample, seed=seed)
    width, longest = scalar(bin_width, "s", "bin_width", above=0), scalar(max_lag, "s", "max_lag", above=0)
    trains = as_trains(block, t_start, t_stop)
    if trains.n_trials < 10:
        raise NsnnError(
            f"block has {trains.n_trials} trials: expected at least ten, across which counts are correlated; record more"
        )
    trains.window()
    counts = binned(trains, width, "bin_width").astype(float)
    n_bins = counts.shape[2]
    asked = round(longest / width)
    n_lags = min(asked, n_bins - 1)
    if n_lags < 4:
        raise NsnnError(
            f"max_lag = {max_lag}: {n_lags} lags of {width:g} s, expected at least four within trials of {n_bins} bins"
        )
    if asked > n_lags:
        warn(
            f"intrinsic_timescale: max_lag = {max_lag}, but trials of {n_bins} bins of {width:g} s have lags up to "
            f"{n_lags * width:g} s, which are fitted; few pairs of bins have the longest ones: give a shorter max_lag"
        )
    lags = width * np.arange(1, n_lags + 1)
    grid = np.geomspace(width / 10, 5 * n_bins * width, _GRID)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(trains.n_trials, np.full(trains.n_trials, 1 / trains.n_trials), size=n_resample)
    weights = np.concatenate([np.ones((1, trains.n_trials)), drawn])
    fits = np.empty((trains.n_neurons, len(weights), 3))
    correlation = np.empty((trains.n_neurons, n_lags))
    with narrow_products():
        for j in range(trains.n_neurons):
            r = _correlations(counts[:, j], weights, n_lags)
            correlation[j] = r[0]
            fits[j] = _fits(r, lags, grid, offset)
    tau, resampled = fits[:, 0, 0], fits[:, 1:, 0]
    good = ~np.isnan(resampled)
    number = good.sum(axis=1)
    mean = nan_ratio(np.where(good, resampled, 0.0).sum(axis=1), number)
    squares = np.where(good, (resampled - mean[:, None]) ** 2, 0.0).sum(axis=1)
    se = np.sqrt(np.where(number > 1, nan_ratio(squares, np.maximum(number - 1, 0)), np.nan))
    warn_silent(tau, "intrinsic_timescale", "have no autocorrelation that decays")
    se = np.where(np.isnan(tau), np.nan, se)
    return IntrinsicTimescale(tau, se, fits[:, 0, 1], fits[:, 0, 2], lags, correlation, (~good).sum(axis=1))


def _correlations(counts: np.ndarray, weights: np.ndarray, n_lags: int) -> np.ndarray:
    """R of each lag (n_weights, n_lags), of counts (n_trials, n_bins) with each trial counted `weights` times."""
    n_trials, n_bins = counts.shape
    shares, out = weights / n_trials, np.empty((len(weights), n_lags))
    mean = shares @ counts
    sd = np.sqrt(np.maximum(shares @ counts**2 - mean**2, 0.0))
    varies = sd > 1e-9 * np.maximum(mean, 1e-300)
    inverse = np.divide(1.0, sd, out=np.zeros_like(sd), where=varies)
    at_once = max(1, _IN_CACHE // n_bins)
    for k in range(1, n_lags + 1):
        early, late = np.s_[:, :-k], np.s_[:, k:]
        product = counts[early] * counts[late]
        for first in range(0, len(weights), at_once):
            rows = slice(first, first + at_once)
            r = shares[rows] @ product
            r -= mean[rows][early] * mean[rows][late]
            r *= inverse[rows][early]
            known = (varies[rows][early] & varies[rows][late]).sum(axis=1)
            out[rows, k - 1] = nan_ratio(np.einsum("wb,wb->w", r, inverse[rows][late]), known)
    return out


def _fits(r: np.ndarray, lags: np.ndarray, grid: np.ndarray, offset: bool) -> np.ndarray:
    """tau, A and B (m, 3) of each row of R (m, n_lags), tau on a grid and then by a parabola; NaN without a decay."""
    out = np.full((len(r), 3), np.nan)
    known = ~np.isnan(r).any(axis=1)
    r = r[known]
    if not len(r):
        return out
    error = _residual(r[:, None], lags, grid, offset)[0]
    best = error.argmin(axis=1)
    inside = (best > 0) & (best < grid.size - 1)
    rows, place = np.arange(len(r)), np.clip(best, 1, grid.size - 2)
    before, at, after = (error[rows, place + k] for k in (-1, 0, 1))
    step = 0.5 * nan_ratio(before - after, before - 2 * at + after)
    tau = grid[place] * (grid[1] / grid[0]) ** np.clip(np.where(np.isnan(step), 0.0, step), -1, 1)
    _, a, level = _residual(r, lags, tau, offset)
    good = inside & (a > 0)
    out[known] = np.where(good, [tau, a, nan_ratio(level, a)], np.nan).T
    return out


def _residual(
    r: np.ndarray, lags: np.ndarray, tau: np.ndarray, offset: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sum of squares, A and A B of the best fit of r (..., n_lags) with these tau (...), each (...)."""
    decay = np.exp(-lags / tau[:, None])
    middle = decay.mean(axis=1) * offset
    centred = decay - middle[:, None]
    a = np.einsum("...l,...l->...", r, centred) / np.maximum((centred**2).sum(axis=1), 1e-300)
    level = r.mean(axis=-1) * offset - a * middle
    return ((r - a[..., None] * decay - level[..., None]) ** 2).sum(axis=-1), a, level
