"""Spike counts of trials and windows, and the label of each trial's stimulus, as the measures of counts read them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.checks import positive
from ..core.errors import NsnnError
from ..core.units import described, floats
from ..io.spikes.arrays import block_from
from ..io.spikes.bins import slack
from .response_checks import as_labels
from .trains import Trains, as_trains, holds_blocks


def read_counts(counts: Any, t_start: Any = None, t_stop: Any = None, name: str = "counts") -> np.ndarray:
    """Counts (n_trials, n_neurons) as floats, of a Block, a Trains or an array."""
    if holds_blocks(counts):
        trains = as_trains(counts, t_start, t_stop, name)
        trains.check_durations("so that their counts differ")
        return trains.counts.astype(float)
    expected = f"a neo.Block or an array (n_trials, n_neurons){block_from(counts)}"
    array = floats(counts, name, expected)
    if array.ndim != 2 or array.size == 0:
        raise NsnnError(f"{name} = {described(counts)}: expected {expected}")
    if t_start is not None or t_stop is not None:
        raise NsnnError(f"{name} is an array: t_start and t_stop only crop a neo.Block")
    if not np.isfinite(array).all():
        raise NsnnError(f"{name} holds NaN or infinite values: expected finite counts")
    return array


def read_labels(stimulus: Any, n_trials: int) -> np.ndarray:
    """Labels 0, 1, ... (n_trials,) of the values that `as_labels` takes; None: all the same."""
    if stimulus is None:
        return np.zeros(n_trials, dtype=np.int64)
    return as_labels(stimulus, "stimulus", n_trials, least=1)[1]


def read_windows(
    counts: Any, window: Any, t_start: Any = None, t_stop: Any = None, name: str = "counts"
) -> np.ndarray:
    """Counts (n_trials, n_windows, n_neurons) as floats, in windows that tile each trial; None: one window, the trial.

    counts : Block or Trains; without a window also an array (n_trials, n_neurons). NsnnError for trials of different duration, or
        of different numbers of windows
    """
    if window is None:
        return read_counts(counts, t_start, t_stop, name)[:, None, :]
    trains = as_trains(counts, t_start, t_stop, name)
    index, n_windows = trains.bins(positive(window, "s", "window"), "window")
    m = int(n_windows.min())
    if n_windows.max() > m:
        raise NsnnError("trials hold different numbers of windows: pass t_start and t_stop")
    inside = index < m
    cell = (trains.trial[inside] * m + index[inside]) * trains.n_neurons + trains.neuron[inside]
    x = np.bincount(cell, minlength=trains.n_trials * m * trains.n_neurons).astype(float)
    return x.reshape(trains.n_trials, m, trains.n_neurons)


def sliding_windows(
    trains: Trains, window: Any, step: Any, share: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Starts and stops (n_windows,), s, of windows that slide over the time that all trials share.

    step : from one window to the next; None: `share` of the window
    """
    width = positive(window, "s", "window")
    hop = share * width if step is None else positive(step, "s", "step")
    if not np.isfinite([width, hop]).all():
        raise NsnnError(f"window = {window}, step = {step}: expected finite times")
    _ = trains.durations  # which says how to give them
    first, last = float(trains.t_start.max()), float(trains.t_stop.min())
    near, hops = slack(width, trains.resolution, "window"), slack(hop, trains.resolution, "step")
    if width * (1 - near) > last - first:
        raise NsnnError(f"window = {window}: longer than the {last - first:.6g} s that all trials share")
    n = max(0, int(np.floor((last - first - width) / hop + hops))) + 1
    start = first + hop * np.arange(n)
    return start, np.minimum(start + width, last)


def sums_of(x: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Sums (n_labels, ...) of x (n, ...) over the samples of each label."""
    total = np.zeros((int(label.max()) + 1, *x.shape[1:]))
    np.add.at(total, label, x)
    return total


def means_of(x: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means (n_labels, ...) of x (n, ...) over the samples of each label, and the numbers of samples (n_labels,)."""
    number = np.bincount(label)
    return sums_of(x, label) / number.reshape(-1, *[1] * (x.ndim - 1)), number


def deviations_of(x: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x (n, ...) less the mean of its label, 0 where only rounding is left; and the SD of each label, (n_labels, ...), ddof 0."""
    deviation = x - means_of(x, label)[0][label]
    deviation[np.abs(deviation) <= 1e-12 * np.abs(x)] = 0.0
    return deviation, np.sqrt(means_of(deviation**2, label)[0])


def z_scores(x: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x (n, ...) less the mean of its label, divided by its SD, 0 where it doesn't vary; and these SD, as of `deviations_of`."""
    deviation, sd = deviations_of(x, label)
    own = sd[label]
    return np.divide(deviation, own, out=np.zeros_like(deviation), where=own > 0), sd
