"""Fit the shift, and the stretch, of each trial that make trials agree, without events; a test on neurons that the fit did not use.

Neurons are Poisson with the rates r((t - s) / a) in a trial with shift s and stretch a. These are the pair on a grid with the
largest log likelihood of the trial given r of the *other* trials, plus Gaussian log priors of s, SD max_shift / 2, and of ln a, SD
ln(max_stretch) / 2. Trials take turns until none changes. r is smoothed by a Gaussian, with one trial of the mean rate added.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import neo
import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from ...core.aliases import SpikeSource, Time
from ...core.checks import check, positive, scalar, suggest_keywords
from ...core.errors import NsnnError
from ...core.warn import warn
from ...io.block import block_of
from ...io.spikes.bins import LEAST, index
from ...io.warping import warped
from ..estimate import CHANCE
from ..response_checks import permutation_p
from ..trains import Trains, as_trains

_BINS_PER_SIGMA = 4
_N_STRETCHES = 21
_MOST_SWEEPS = 50


@dataclass(frozen=True, eq=False)
class WarpFit:
    """Trials that were aligned by their spikes, with a test; made by `fit_warp`."""

    block: neo.Block
    """the warped trials, as of `warp`"""
    table: pd.DataFrame
    """trial, shift (s), stretch: a spike at t is now at (t - shift) / stretch"""
    gain: float
    """bits per spike of neurons that were not used for the fit; NaN for one neuron"""
    p: float
    """of the same gain if the shifts had nothing to do with the held-out neurons; NaN for one neuron"""


class _Grid(NamedTuple):
    """Candidates (m,) for a trial's warp, the first one no warp, and the bins of the rates."""

    warps: np.ndarray
    """(2, m) shift (s) and stretch"""
    log_prior: np.ndarray
    start: float
    width: float
    n_bins: int

    def place(self, times: np.ndarray, warps: np.ndarray) -> np.ndarray:
        """Bin of each time after its warp (shift, stretch); the first or last bin for times beyond the window."""
        number = index((times - warps[0]) / warps[1], self.start, self.width, LEAST)
        return np.clip(number, 0, self.n_bins - 1)

    def exposed(self, warps: np.ndarray) -> np.ndarray:
        """Bin of each bin of a trial after warps (2, n), (n, n_bins)."""
        return self.place(self.start + self.width * (np.arange(self.n_bins) + 0.5), warps[..., None])

    def sums(self, spikes: Trains, warps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Spikes of each trial, (n_trials, n_neurons, n_bins), and how many of its bins are there, (n_trials, 1, n_bins)."""
        n, m, k = spikes.n_trials, spikes.n_neurons, self.n_bins
        cell = spikes.train * k + self.place(spikes.times, warps[:, spikes.trial])
        exposed = self.exposed(warps) + k * np.arange(n)[:, None]
        counts = np.bincount(cell, minlength=n * m * k).reshape(n, m, k)
        return counts, np.bincount(exposed.ravel(), minlength=n * k).reshape(n, 1, k)


def _smooth(sums: tuple[np.ndarray, np.ndarray], sd: float = _BINS_PER_SIGMA) -> list[np.ndarray]:
    return [gaussian_filter1d(one, sd, mode="constant", output=float) for one in sums]


def _rates(counts: np.ndarray, exposure: np.ndarray) -> np.ndarray:
    """Spikes per bin, with one trial of the mean rate added; half a spike where a neuron has none."""
    mean = (counts.sum(axis=-1, keepdims=True) + 0.5) / exposure.sum(axis=-1, keepdims=True)
    return (counts + mean) / (exposure + 1)


def _of_neurons(trains: Trains, kept: np.ndarray) -> Trains:
    own, number = kept[trains.neuron], np.cumsum(kept) - 1
    some = {"times": trains.times[own], "neuron": number[trains.neuron[own]], "trial": trains.trial[own]}
    return replace(trains, **some, n_neurons=int(kept.sum()))


def _fit(trains: Trains, grid: _Grid) -> np.ndarray:
    """(2, n_trials) shift and stretch of each trial, the median one unwarped.

    Rates are first smoothed widely: trials that fall into two groups would stay in these.
    """
    chosen = np.zeros(trains.n_trials, dtype=np.int64)
    exposed = grid.exposed(grid.warps)
    alone = [
        replace(trains, times=trains.times[a:b], neuron=trains.neuron[a:b], trial=trains.trial[a:b] * 0, n_trials=1)
        for a, b in pairwise(trains.offsets[:: trains.n_neurons])
    ]  # fmt: skip
    halvings = int(np.log2(max(1.0, grid.warps[0].max() / grid.width / _BINS_PER_SIGMA)))
    for sd in (_BINS_PER_SIGMA * 2**k for k in range(halvings, -1, -1)):
        counts, exposure = _smooth(grid.sums(trains, grid.warps[:, chosen]), sd)
        total, time = counts.sum(axis=0), exposure.sum(axis=0)
        for _ in range(1 if sd > _BINS_PER_SIGMA else _MOST_SWEEPS):
            before = chosen.copy()
            for i, trial in enumerate(alone):
                total -= counts[i]
                time -= exposure[i]
                rates = _rates(total, time)
                score = grid.log_prior - rates.sum(axis=0)[exposed].sum(axis=1)
                number = grid.place(trial.times, grid.warps[..., None])
                score += np.log(rates)[trial.neuron, number].sum(axis=1)
                best = int(np.argmax(score))
                if score[best] > score[chosen[i]]:
                    chosen[i] = best
                    sums = grid.sums(trial, grid.warps[:, [best]])
                    counts[i], exposure[i] = (one[0] for one in _smooth(sums, sd))
                total += counts[i]
                time += exposure[i]
            if (chosen == before).all():
                break
    # the likelihood stays the same where all trials are shifted or stretched alike
    shift, stretch = grid.warps[:, chosen]
    stretch /= np.median(stretch)
    return np.stack([shift - stretch * np.median(shift / stretch), stretch])


def _log_likelihood(trains: Trains, grid: _Grid, warps: np.ndarray) -> float:
    """Of all trials, each given the rates of the others."""
    counts, exposure = grid.sums(trains, warps)
    smooth, time = _smooth((counts, exposure))
    rates = _rates(smooth.sum(axis=0) - smooth, time.sum(axis=0) - time)
    return float((counts * np.log(rates)).sum() - (exposure * rates).sum())


@suggest_keywords
def fit_warp(
    block: SpikeSource,
    *,
    sigma: Time,
    max_shift: Time,
    max_stretch: float = 1.0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
    n_shuffle: int = 100,
    seed: int = 0,
) -> WarpFit:
    """Align trials by their spikes: the shift of each trial, and its stretch, that make it agree with the PSTHs of the others.

    A spike at t is put at (t - shift) / stretch: a trial whose response is late has a positive shift. Shifts and stretches maximise
    the Poisson likelihood of each trial given the smoothed rates of the others, with a penalty that keeps identical trials where
    they are. The median trial is not shifted. Signals, events and annotations are treated as by `warp`.

    Any fit finds shifts, also in noise, and sharpens the PSTH of the neurons that it uses. So each half of the neurons, chosen at
    random, is also fitted alone. gain compares the likelihood of the other half's trials with these shifts and without; p is
    that of shifts permuted over trials. A gain of at most 0 and p > 0.05 are warned about. Noise that neurons share passes too.

    A code in the latency is destroyed: measure it before, for example with `first_spike_latency`.

    Parameters
    ----------
    block : neo.Block, one Segment per trial, at least two
    sigma : time, SD of the Gaussian that smooths rates; about the width of the sharpest response
    max_shift : time, the largest shift in both directions, less than half the window
    max_stretch : at least 1, the largest stretch, and 1/max_stretch the smallest; 1 (default): shifts only
    t_start, t_stop : times, scalar, the window that is fitted; None is the trials' own end. `WarpFit.block` has whole trials
    n_shuffle : permutations for p; 0: NaN
    seed : of the halves and the permutations

    Raises
    ------
    NsnnError : one trial, no spikes, a max_shift below sigma / 4 or of half the window, trials with different windows. With one
        neuron gain and p are NaN. Source: Williams et al. 2020, doi 10.1016/j.neuron.2019.10.020

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> rng = np.random.default_rng(1)
    >>> late = np.tile([-0.04, -0.02, 0.02, 0.04], 5)
    >>> trials = [[np.sort(0.5 + 0.1 * (j % 2) + by + 0.01 * rng.normal(size=5)) for j in range(6)] for by in late]
    >>> fit = fit_warp(to_block(trials, t_stop=1*pq.s), sigma=10*pq.ms, max_shift=100*pq.ms)
    >>> bool(np.corrcoef(fit.table["shift"], late)[0, 1] > 0.95), bool(fit.gain > 0.2), round(fit.p, 3)
    (True, True, 0.01)
    """
    check(n_shuffle=n_shuffle, seed=seed)
    width = positive(sigma, "s", "sigma") / _BINS_PER_SIGMA
    largest = positive(max_shift, "s", "max_shift")
    factor = scalar(max_stretch, "1", "max_stretch", least=1)
    trains = as_trains(block, t_start, t_stop)
    start, stop = trains.window()
    if trains.n_trials < 2 or not trains.times.size:
        raise NsnnError(
            f"block has {trains.n_trials} trials with {trains.times.size} spikes: expected at least two trials, and spikes"
        )
    if not width <= largest < (stop - start) / 2:
        raise NsnnError(
            f"max_shift = {max_shift}: expected at least sigma / {_BINS_PER_SIGMA} = {width:g} s and less than half the window of "
            f"{stop - start:g} s"
        )
    steps = int(largest / width + LEAST)
    log_stretch = np.linspace(-1, 1, _N_STRETCHES) * np.log(factor) if factor > 1 else np.zeros(1)
    shift, log_stretch = map(np.ravel, np.meshgrid(width * np.arange(-steps, steps + 1), log_stretch))
    log_prior = -2 * (shift / largest) ** 2 - 2 * (log_stretch / (np.log(factor) or 1.0)) ** 2
    order = np.argsort(-log_prior, kind="stable")
    n_bins = int((stop - start) / width + LEAST)
    warps = np.stack([shift, np.exp(log_stretch)])
    grid = _Grid(warps[:, order], log_prior[order], start, width, n_bins)
    shifts, stretches = _fit(trains, grid)
    gain, p = _held_out(trains, grid, n_shuffle, np.random.default_rng(seed))
    if gain <= 0 or p > CHANCE:
        warn(
            f"fit_warp: the shifts do not help to predict neurons that were not used for the fit (gain {gain:.2g} bits per spike, "
            f"p = {p:.2g}), so they may follow noise: keep the trials as they are, or take a wider sigma"
        )
    table = pd.DataFrame({"trial": np.arange(trains.n_trials), "shift": shifts, "stretch": stretches})
    source = block if isinstance(block, neo.Block) else block_of(as_trains(block))
    everything = Trains.from_block(source)
    old = np.stack([everything.t_start, everything.t_stop], axis=1)
    new = (old - shifts[:, None]) / stretches[:, None]
    return WarpFit(warped(source, everything, old, new, "fit_warp"), table, gain, p)


def _held_out(trains: Trains, grid: _Grid, n_shuffle: int, rng: np.random.Generator) -> tuple[float, float]:
    """Gain in bits per spike by warps from the other half of the neurons, and p of warps permuted over trials; NaN for one neuron.

    To permute the trials of one half, and leave those of the other, is to permute the warps of both, one of them backwards.
    """
    if trains.n_neurons < 2:
        return np.nan, np.nan
    half = rng.permutation(trains.n_neurons) % 2 == 0
    n = trains.n_trials
    orders = np.array([np.arange(n), *(rng.permutation(n) for _ in range(n_shuffle))])
    gains = np.zeros(len(orders))
    for kept, rows in ((half, orders), (~half, np.argsort(orders, axis=1))):
        fitted, left_out = _fit(_of_neurons(trains, kept), grid), _of_neurons(trains, ~kept)
        gains += [_log_likelihood(left_out, grid, fitted[:, row]) for row in rows]
        gains -= _log_likelihood(left_out, grid, np.stack([np.zeros(n), np.ones(n)]))
    gains /= np.log(2) * trains.times.size
    p = permutation_p(gains[1:], gains[0])
    return float(gains[0]), np.nan if p is None else p
