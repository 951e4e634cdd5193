"""Summary statistics of the spikes of populations; docs/by_simulation.md lists them.

All are near normal for some hundred spikes: logs of rates, CVs, Fano factors and power, and Fisher's transform of correlations.
What a silent population cannot tell is fixed, as in `statistics`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...io.spikes import Trains

_WINDOWS = (0.002, 0.01, 0.05)  # s, of Fano factors; the last but one of correlations between populations
_BINS = 0.001  # s, of the power spectrum
_BANDS = ((4.0, 12.0), (12.0, 30.0), (30.0, 80.0), (80.0, 200.0), (200.0, 400.0))  # Hz
_QUANTILES = (0.1, 0.5)
_LEAST = 1e-3  # of a ratio whose log is taken


@dataclass(frozen=True, eq=False)
class PopulationStatistics:
    """Which statistics there are, of which recorded neurons."""

    populations: tuple[tuple[str, int], ...]
    """name and number of recorded neurons of each"""
    lengths: np.ndarray
    """(n_trials,) s"""

    @property
    def duration(self) -> float:
        """Of all trials, s."""
        return float(self.lengths.sum())

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of `of`."""
        kinds = ["log rate", "log SD of rates over neurons", "log CV of intervals"]
        kinds += [f"log interval, {q:.0%}" for q in _QUANTILES]
        kinds += [f"log Fano factor, {1e3 * w:g} ms" for w in _WINDOWS[-1:]]
        kinds += [f"log Fano factor of all, {1e3 * w:g} ms" for w in _WINDOWS]
        kinds += [f"log power, {low:g} to {high:g} Hz" for low, high in _BANDS]
        names = [f"{name}: {kind}" for name, _ in self.populations for kind in kinds]
        several = [name for name, _ in self.populations]
        names += [f"{a} and {b}: correlation" for k, a in enumerate(several) for b in several[k + 1 :]]
        return tuple(names)

    def of(self, parts: list[Trains]) -> np.ndarray:
        """(n_statistics,) of the trains of each population, whose trials start at 0 and have `lengths`."""
        each = [self._of_one(part) for part in parts]
        counts = [self._summed(part, _WINDOWS[-2]) for part in parts]
        pairs = [(counts[a], counts[b]) for a in range(len(parts)) for b in range(a + 1, len(parts))]
        return np.concatenate([*each, [_correlation(*pair) for pair in pairs]])

    def _of_one(self, trains: Trains) -> np.ndarray:
        n, per_neuron = trains.n_neurons, np.bincount(trains.neuron, minlength=trains.n_neurons)
        mean = (per_neuron.sum() + 0.5) / n
        intervals, train = trains.intervals
        of_neuron = train % n
        some = np.maximum(intervals, 1e-6) if intervals.size else np.array([self.duration])
        values = [
            np.log(mean / self.duration),
            _log(per_neuron.std() / mean),
            _log(_mean_cv(intervals, of_neuron, n)),
            *np.log(np.quantile(some, _QUANTILES)),
            _log(self._fano_of_each(trains, _WINDOWS[-1])),
        ]
        for window in _WINDOWS:
            counts = self._summed(trains, window)
            values.append(_log(counts.var() / max(counts.mean(), 1e-9)))
        return np.array([*values, *self._power(trains)])

    def _n_windows(self, window: float) -> np.ndarray:
        return np.maximum((self.lengths / window + 1e-6).astype(int), 1)

    def _place(self, trains: Trains, window: float) -> tuple[np.ndarray, np.ndarray]:
        """The window of each spike, counted over trials, and which spikes are in a whole window."""
        n = self._n_windows(window)
        k = (trains.times / window).astype(int)
        return np.concatenate([[0], np.cumsum(n)])[trains.trial] + k, k < n[trains.trial]

    def _summed(self, trains: Trains, window: float) -> np.ndarray:
        """Counts of all neurons together in windows of all trials."""
        place, inside = self._place(trains, window)
        return np.bincount(place[inside], minlength=int(self._n_windows(window).sum()))

    def _fano_of_each(self, trains: Trains, window: float) -> float:
        """Fano factor of single neurons: the mean variance over the mean count."""
        place, inside = self._place(trains, window)
        total = int(self._n_windows(window).sum())
        _, counts = np.unique(trains.neuron[inside] * total + place[inside], return_counts=True)
        of_neuron = np.bincount(trains.neuron[inside], minlength=trains.n_neurons) / total
        variance = (counts.astype(float) ** 2).sum() / total - (of_neuron**2).sum()
        return float(variance / max(of_neuron.sum(), 1e-9))

    def _power(self, trains: Trains) -> list[float]:
        """Logs of the power of the summed spikes in bands, relative to independent Poisson trains of the same rate."""
        counts, n = self._summed(trains, _BINS), self._n_windows(_BINS)
        total, weight = np.zeros(len(_BANDS)), np.zeros(len(_BANDS))
        for one in np.split(counts, np.cumsum(n)[:-1]):
            power = np.abs(np.fft.rfft(one - one.mean())) ** 2 / max(one.sum(), 1)
            frequency = np.fft.rfftfreq(len(one), _BINS)
            for k, (low, high) in enumerate(_BANDS):
                inside = (frequency >= low) & (frequency < high)
                total[k] += power[inside].sum()
                weight[k] += inside.sum()
        return [_log(value) for value in np.where(weight > 0, total / np.maximum(weight, 1), 1.0)]


def _log(ratio: float) -> float:
    return float(np.log(np.maximum(ratio, _LEAST)))


def _mean_cv(intervals: np.ndarray, of_neuron: np.ndarray, n: int) -> float:
    """Mean over neurons with three intervals or more; 1 without any."""
    count = np.bincount(of_neuron, minlength=n)
    mean = np.bincount(of_neuron, intervals, n) / np.maximum(count, 1)
    squares = np.bincount(of_neuron, (intervals - mean[of_neuron]) ** 2, n)
    some = count >= 3
    cv = np.sqrt(squares[some] / (count[some] - 1)) / mean[some]
    return float(cv.mean()) if some.any() else 1.0


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Fisher's transform of the correlation of two series of counts; 0 if one is constant."""
    if not (a.std() and b.std()):
        return 0.0
    return float(np.arctanh(np.clip(np.corrcoef(a, b)[0, 1], -0.999, 0.999)))
