"""Firing events of a neuron under a repeated stimulus: their times, reliability and precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.stats import beta, chi2

from ...core.aliases import SpikeSource, Time
from ...core.checks import positive, scalar, suggest_keywords
from ...core.warn import warn
from ..estimate import Report
from ..trains import SilentNeuronWarning, nan_ratio, several_repeats


@dataclass(frozen=True, eq=False)
class FiringEvents(Report):
    """Events in the repeats of one neuron, in order of time; made by `firing_events`. Arrays are (n_events,)."""

    start: np.ndarray
    """s, border before the event"""
    stop: np.ndarray
    """s, border after it"""
    reliability: np.ndarray
    """fraction of trials with at least one spike in the event"""
    reliability_se: np.ndarray
    """sqrt(R (1 - R) / trials); 0 where all trials agree, which is no proof: take the limits, the next two"""
    reliability_lower: np.ndarray
    """95 % limit of the reliability, of a binomial fraction (Clopper and Pearson)"""
    reliability_upper: np.ndarray
    """the upper limit"""
    time: np.ndarray
    """s, mean time of the first spike in the event, over trials that have one"""
    jitter: np.ndarray
    """s, SD of that time over trials; NaN with fewer than two"""
    jitter_se: np.ndarray
    """s, jitter / sqrt(2 (m - 1)) with m trials: of a Gaussian"""
    jitter_lower: np.ndarray
    """s, 95 % limit of the jitter, from chi-square: of a Gaussian"""
    jitter_upper: np.ndarray
    """s, the upper limit"""
    spread: np.ndarray
    """s, SD of the times of all spikes of the event"""
    count: np.ndarray
    """mean number of spikes per trial"""
    count_variance: np.ndarray
    """variance of that number over trials"""
    n_trials: int
    fraction: float
    """spikes inside events, of all spikes"""

    @property
    def mean_reliability(self) -> float:
        """Mean over events; NaN without events."""
        return float(self.reliability.mean()) if self.reliability.size else float("nan")

    @property
    def median_jitter(self) -> float:
        """Median over events that have a jitter, s; NaN without."""
        known = self.jitter[~np.isnan(self.jitter)]
        return float(np.median(known)) if known.size else float("nan")


@suggest_keywords
def firing_events(
    trains: SpikeSource,
    *,
    sigma: Any,
    ratio: float = 1.5,
    threshold: float = 3.0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> FiringEvents:
    """Firing events of repeats of one neuron, with the reliability and precision of each.

    An event is a peak of the PSTH, smoothed by a Gaussian, between two minima; it exceeds `threshold` times the mean rate, so
    that lone spikes are no events. A minimum v is a border if the peaks p1, p2 beside it stand out, sqrt(p1 p2) / v >= `ratio`;
    the shallowest minimum is removed first. Every spike between two borders belongs to the event.

    Parameters
    ----------
    trains, t_start, t_stop : the repeats of one neuron, as for `isi_distance`; at least two, of one window
    sigma : standard deviation of the Gaussian that smooths the PSTH, time, scalar; below the distance of events and
        not much below their jitter. Bins are sigma / 5, the Gaussian is cut at 5 sigma
    ratio : least sqrt(p1 p2) / v at a border, above 1
    threshold : least peak of an event, in units of the mean rate; 0 keeps every peak

    Raises
    ------
    NsnnError : one train only, trains of different windows, a window shorter than sigma / 5, or what `as_repeats` refuses.
        Warns once, SilentNeuronWarning, without any spike (no events, fraction NaN). Sources: Berry, Warland & Meister
        1997, doi 10.1073/pnas.94.10.5411; Mainen & Sejnowski 1995, doi 10.1126/science.7770778; limits: Clopper & Pearson 1934,
        doi 10.1093/biomet/26.4.404

    >>> import quantities as pq
    >>> trains = [[0.1, 0.5], [0.104, 0.506], [0.102]]
    >>> events = firing_events(trains, sigma=10*pq.ms, t_start=0*pq.s, t_stop=1*pq.s)
    >>> events.time.round(3), events.reliability.round(3), (1e3 * events.jitter).round(3)
    (array([0.102, 0.503]), array([1.   , 0.667]), array([2.   , 4.243]))
    """
    width = positive(sigma, "s", "sigma")
    ratio, threshold = scalar(ratio, "1", "ratio", above=1), scalar(threshold, "1", "threshold", least=0)
    repeats = several_repeats(trains, t_start, t_stop)
    start, stop = repeats.window()
    index, n_bins = repeats.bins(width / 5, "sigma / 5")
    if not repeats.times.size:
        message = "firing_events: the trains have no spikes; there are no events, and fraction is NaN"
        warn(message, SilentNeuronWarning)
    counts = np.bincount(index, minlength=n_bins[0]).astype(float)  # a remainder at the end is one bin more
    smooth = gaussian_filter1d(counts, 5.0, mode="constant", truncate=5.0)
    smooth[smooth < 1e-9] = 0.0  # far below one spike: rounding
    borders, peaks = _borders(smooth, ratio)
    edges = start + width / 5 * borders
    edges[0], edges[-1] = start, np.nextafter(stop, np.inf)
    kept = (peaks > 0) & (peaks >= threshold * repeats.times.size * (width / 5) / (stop - start))
    n, events = repeats.n_trials, int(kept.sum())
    # borders are those of bins, and so is the rule for a spike on one of them
    place = np.searchsorted(edges - repeats.resolution, repeats.times, side="right") - 1
    place = np.clip(place, 0, kept.size - 1)
    inside = kept[place]
    event = (np.cumsum(kept) - 1)[place[inside]]
    times, trial = repeats.times[inside], repeats.trial[inside]
    cell = event * n + trial
    count = np.bincount(cell, minlength=events * n).reshape(events, n)
    first = np.full(events * n, np.inf)
    np.minimum.at(first, cell, times)
    fired = count > 0
    first = np.where(fired, first.reshape(events, n), 0.0)
    m = fired.sum(axis=1)
    reliability = m / n
    mean = nan_ratio(first.sum(axis=1), m)
    squares = (np.where(fired, first - mean[:, None], 0.0) ** 2).sum(axis=1)
    free = np.where(m > 1, m - 1.0, np.nan)
    jitter = np.sqrt(squares / free)
    total = count.sum(axis=1)
    centre = nan_ratio(np.bincount(event, times, minlength=events), total)
    around = np.bincount(event, (times - centre[event]) ** 2, minlength=events)
    return FiringEvents(
        start=edges[:-1][kept],
        stop=np.minimum(edges[1:], stop)[kept],
        reliability=reliability,
        reliability_se=np.sqrt(reliability * (1 - reliability) / n),
        reliability_lower=np.where(m > 0, beta.ppf(0.025, np.maximum(m, 1), n - m + 1), 0.0),
        reliability_upper=np.where(m < n, beta.ppf(0.975, m + 1, np.maximum(n - m, 1)), 1.0),
        time=mean,
        jitter=jitter,
        jitter_se=jitter / np.sqrt(2 * free),
        jitter_lower=jitter * np.sqrt(free / chi2.ppf(0.975, free)),
        jitter_upper=jitter * np.sqrt(free / chi2.ppf(0.025, free)),
        spread=np.sqrt(nan_ratio(around, np.maximum(total - 1, 0))),
        count=count.mean(axis=1),
        count_variance=count.var(axis=1, ddof=1),
        n_trials=n,
        fraction=float(inside.mean()) if inside.size else float("nan"),
    )


def _borders(rate: np.ndarray, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Borders (n + 1,) in bins and peaks (n,) of what they enclose; shallow minima are removed, the worst first."""
    new = np.flatnonzero(np.concatenate([[True], np.diff(rate) != 0]))  # plateaus as one value
    level = rate[new]
    middle = (new + np.append(new[1:], rate.size)) // 2
    rise = np.diff(level) > 0
    minima = np.flatnonzero(~rise[:-1] & rise[1:]) + 1
    lines = [0, *middle[minima], rate.size]
    peaks = [float(part.max()) for part in np.split(rate, middle[minima])]
    valleys = list(level[minima])
    while valleys:
        with np.errstate(divide="ignore"):  # a valley may be 0
            contrast = np.sqrt(np.multiply(peaks[:-1], peaks[1:])) / valleys
        worst = int(np.argmin(contrast))
        if contrast[worst] >= ratio:
            break
        del lines[worst + 1], valleys[worst]
        peaks[worst : worst + 2] = [max(peaks[worst : worst + 2])]
    return np.array(lines, dtype=float), np.array(peaks)
