"""Summary statistics of the spikes of a recording, and of many simulated ones at once; docs/by_simulation.md lists them.

All have a scale of about one, and errors that fall as one over the root of the number of spikes, so that their means are close
to normal. What a recording with few spikes cannot tell is fixed: the duration as interval, a CV of 1, no correlation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from ..continuous.trials import Trial

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
FILTERS = (0.0, 0.003, 0.01, 0.03, 0.1)  # s; 0: the drive itself
SQUARES = (0.003, 0.03)
_LAGS = ((1, 1), (2, 2), (3, 10))
_FEWEST = 5  # time constants of a filter in a trial


@dataclass(frozen=True, eq=False)
class Statistics:
    """Which statistics there are, and of which steps of a recording."""

    names: tuple[str, ...]
    first: np.ndarray  # (n_trials,) the first step that counts
    last: np.ndarray  # (n_trials,) the step after the last that counts
    dt: float
    features: np.ndarray  # (n_steps, n_features) of the drive, whose mean over spikes is a statistic

    @property
    def duration(self) -> float:
        """Of the steps that count, s."""
        return float((self.last - self.first).sum() * self.dt)

    def of(self, step: np.ndarray, trial: np.ndarray, group: np.ndarray, n_groups: int) -> np.ndarray:
        """The statistics (n_groups, n_statistics) of each recording, from step, trial and group (recording) of sorted spikes."""
        counted = (step >= self.first[trial]) & (step < self.last[trial])
        step, trial, group = step[counted], trial[counted], group[counted]
        n = np.bincount(group, minlength=n_groups)
        train = group * len(self.first) + trial
        same = np.diff(train) == 0
        logs = np.log(np.diff(step)[same] * self.dt)
        recording = group[1:][same]
        rates = np.log((n + 0.5) / self.duration)[:, None]
        intervals = self._intervals(logs, recording, n_groups)
        correlations = _correlations(logs, recording, train[1:][same], n_groups)
        return np.concatenate([rates, intervals, correlations, self._driven(step, group, n)], axis=1)

    def _intervals(self, logs: np.ndarray, recording: np.ndarray, n_groups: int) -> np.ndarray:
        """Quantiles of log intervals, and the log of their CV, (n_groups, 6)."""
        count = np.bincount(recording, minlength=n_groups)
        start = np.concatenate([[0], np.cumsum(count)[:-1]])
        ordered = np.append(logs[np.lexsort((logs, recording))], 0.0)
        result = np.full((n_groups, len(QUANTILES) + 1), np.log(self.duration))
        some = count > 0
        for k, q in enumerate(QUANTILES):
            place = q * (np.maximum(count, 1) - 1)
            below = np.floor(place).astype(int)
            above = np.minimum(below + 1, np.maximum(count, 1) - 1)
            low, high = ordered[(start + below)[some]], ordered[(start + above)[some]]
            result[some, k] = low + (place - below)[some] * (high - low)
        lengths = np.exp(logs)
        mean = np.bincount(recording, lengths, n_groups) / np.maximum(count, 1)
        squares = np.bincount(recording, (lengths - mean[recording]) ** 2, n_groups)
        variance = squares / np.maximum(count - 1, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            cv = np.sqrt(variance) / mean
        result[:, -1] = np.log(np.where((count > 2) & (cv > 1e-3), cv, 1.0))
        return result

    def _driven(self, step: np.ndarray, group: np.ndarray, n: np.ndarray) -> np.ndarray:
        """Means over spikes of the features of the drive, (n_groups, n_features)."""
        columns = [np.bincount(group, column[step], len(n)) / np.maximum(n, 1) for column in self.features.T]
        return np.stack(columns, axis=1) if columns else np.empty((len(n), 0))


def _correlations(logs: np.ndarray, recording: np.ndarray, train: np.ndarray, n_groups: int) -> np.ndarray:
    """Correlations of log intervals of one train, by lag, (n_groups, n_lags)."""
    count = np.maximum(np.bincount(recording, minlength=n_groups), 1)
    centred = logs - (np.bincount(recording, logs, n_groups) / count)[recording]
    variance = np.bincount(recording, centred**2, n_groups) / count
    scaled = centred / np.sqrt(np.maximum(variance, 1e-12))[recording]
    result = []
    for shortest, longest in _LAGS:
        total, pairs = np.zeros(n_groups), np.zeros(n_groups)
        for lag in range(shortest, longest + 1):
            together = train[lag:] == train[:-lag]
            products = (scaled[lag:] * scaled[:-lag])[together]
            total += np.bincount(recording[lag:][together], products, n_groups)
            pairs += np.bincount(recording[lag:][together], minlength=n_groups)
        result.append(total / np.maximum(pairs, 1))
    return np.stack(result, axis=1)


def statistics_for(trials: Sequence[Trial], dt: float, drive: np.ndarray | None) -> Statistics:
    """The statistics for recordings of these trials; drive (n_steps,) or None."""
    first, last = (np.array([trial.counted[k] for trial in trials]) for k in (0, 1))
    names = ["log rate", *(f"log interval, {q:.0%}" for q in QUANTILES), "log CV of intervals"]
    names += [f"interval correlation, lag {a}" + (f" to {b}" if b > a else "") for a, b in _LAGS]
    columns = []
    if drive is not None and np.ptp(drive) > 1e-9 * np.abs(drive).max():
        longest = (last - first).max() * dt / _FEWEST
        for time in FILTERS:
            if time > longest:
                break
            column = _smoothed(drive, time, dt)
            column = (column - column.mean()) / max(column.std(), 1e-300)
            label = "drive" if time == 0 else f"drive, {1e3 * time:g} ms"
            columns.append(column)
            names.append(f"{label}, at spikes")
            if time in SQUARES:
                columns.append(column**2)
                names.append(f"{label}, squared, at spikes")
    features = np.stack(columns, axis=1) if columns else np.empty((int(last.max()), 0))
    return Statistics(tuple(names), first, last, dt, features)


def _smoothed(drive: np.ndarray, time: float, dt: float) -> np.ndarray:
    if time == 0:
        return drive
    decay = np.exp(-dt / time)
    result, _ = lfilter([1 - decay], [1, -decay], drive, zi=[decay * drive[0]])
    return np.asarray(result)


def recorded(statistics: Statistics, trials: Sequence[Trial]) -> np.ndarray:
    """(n_statistics,) of a recording."""
    steps = [np.flatnonzero(trial.o) for trial in trials]
    trial = np.repeat(np.arange(len(trials)), [len(one) for one in steps])
    return statistics.of(np.concatenate(steps), trial, np.zeros(len(trial), dtype=int), 1)[0]
