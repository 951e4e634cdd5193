"""ZETA test: whether spikes are locked to events, without bins or windows to choose (Montijn et al. 2021).

Where only trials are at hand, without the recording between them, the spikes of each trial turn around a circle instead of the
events moving: all of the trial, also what is before its event. That null assumes a constant rate over the trial when there is no
response.

Neurons need three spikes after the events, and moved windows with fewer are left out of the null: the null then has the same
condition as the data. Where all times lie on a grid, such as those of binned spikes, many are equal, which raises D. Events and
trials then move by whole steps of the grid, and the null values have as many equal times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from ...core.aliases import SpikeSource, Time
from ...core.checks import check, positive, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown, si
from ...io.spikes.bins import rounding
from ..estimate import CHANCE, counted, listed
from ..event_windows import refuse_event_name
from ..response_checks import permutation_p
from ..trains import Trains, as_trains, warn_silent

_FEWEST = 3  # spikes of a neuron, of the data and of each null value
_DRAWS = 10  # null values, of which a mean and an SD are taken


@dataclass(frozen=True, eq=False)
class ZetaTest:
    """ZETA test of each neuron; made by `zeta_test`. Arrays are (n_neurons,)."""

    p: np.ndarray
    """by the Gumbel distribution, or p_resampled where all null values are equal; NaN with too few spikes, see `zeta_test`"""
    p_resampled: np.ndarray
    """(1 + null values that reach D) / (1 + null values), over moved events with at least three spikes; NaN as p"""
    zeta: np.ndarray
    """normal score of p, two-sided"""
    latency: np.ndarray
    """s after the event (or the trial's start), where the deviation is largest"""
    deviation: np.ndarray
    """largest deviation with its sign, positive where more spikes came before it than at a constant rate"""
    n_spikes: np.ndarray
    """spikes after all events"""
    n_events: int

    def __repr__(self) -> str:
        n = self.p.size
        return listed(
            f"ZetaTest: {counted(n, 'neuron')}, {counted(self.n_events, 'event')}, {(self.p <= CHANCE).sum()} with p <= {CHANCE}",
            lambda j: (
                f"neuron {j}: p = {self.p[j]:.2g}, zeta = {self.zeta[j]:.3g}, largest deviation {self.deviation[j]:.2g} at "
                f"{1e3 * self.latency[j]:.3g} ms after the event, {counted(int(self.n_spikes[j]), 'spike')}"
            ),
            n,
        )


@suggest_keywords
def zeta_test(
    block: SpikeSource,
    events: Any = None,
    *,
    duration: Time | None = None,
    n_shuffle: int = 100,
    seed: int = 0,
) -> ZetaTest:
    """Test whether each neuron's spikes are locked to events, without bins (ZETA).

    Spike times after all events, within a duration tau, are pooled and sorted, v_1 < ... < v_n. Their cumulative fraction i / n is
    compared with the straight line of a constant rate, d_i = i / n - v_i / tau, less its mean. The statistic is the largest
    absolute value, D = max |d_i - mean d|, reached at the latency. For the null each event is moved by a uniform amount within
    +-tau. The null values' mean and SD define a Gumbel distribution, p = 1 - exp(-exp(-(D - m) / b)), b = SD sqrt(6) / pi,
    m = mean - 0.5772 b. zeta is the two-sided normal score of p.

    Parameters
    ----------
    block : neo.Block. With `events` a single trial, the whole recording; without events one Segment per trial
    events : (n_events,) times in the recording. None (default): the event of each trial is at time 0, where all trials hold that
        time, as after `cut` or `align`, else at the trial's start; spikes are turned around the trial for the null. A rate that
        changes at the event and then stays is constant after it, and is not found: `responsive_units` includes the baseline
    duration : time, scalar, tau: how long after each event spikes are looked at. None (default): the shortest time between
        events, or from the event to the end of a trial
    n_shuffle, seed : number of times that events are moved, at least 10, and their seed

    Raises
    ------
    NsnnError : several trials with events, events less than `duration` apart, moved events whose windows leave the recording (one
        duration is needed before the first event, two after the last), fewer than two events or trials.
        NaN, with one SilentNeuronWarning, for neurons with fewer than three spikes after the events, or
        with fewer than ten draws in which they have three after the moved events. Source: Montijn et al. 2021, doi
        10.7554/eLife.71969

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> rng = np.random.default_rng(0)
    >>> locked = np.arange(2, 60) + 0.1 + 0.01 * rng.normal(size=58)  # 100 ms after each event; the latency is where they begin
    >>> block = to_block([[np.sort(np.concatenate([locked, rng.uniform(0, 62, 120)])), rng.uniform(0, 62, 180)]], t_stop=62*pq.s)
    >>> print(zeta_test(block, np.arange(2, 60)*pq.s))
    ZetaTest: 2 neurons, 58 events, 1 with p <= 0.05
    neuron 0: p = 2.1e-06, zeta = 4.75, largest deviation -0.17 at 76.7 ms after the event, 168 spikes
    neuron 1: p = 0.07, zeta = 1.81, largest deviation -0.069 at 272 ms after the event, 167 spikes
    """
    check(n_shuffle=n_shuffle, seed=seed)
    if n_shuffle < _DRAWS:
        raise NsnnError(
            f"n_shuffle = {n_shuffle}: expected at least {_DRAWS}, of which the null's mean and SD are taken"
        )
    length = None if duration is None else positive(duration, "s", "duration")
    refuse_event_name(events, "events")
    at = None if events is None else np.asarray(si(events, "s", "events"))
    if at is not None and (at.ndim != 1 or at.size < 2 or not np.isfinite(at).all()):
        raise NsnnError(f"events = {shown(events)}: expected at least two times such as [1, 2, 3]*second")
    trains = as_trains(block)
    rng = np.random.default_rng(seed)
    if at is None:
        apart = trains.resolution
        held = trains.t_start.max() <= apart and trains.t_stop.min() > apart  # time 0, then the event
        before = np.maximum(-trains.t_start, 0.0) if held else np.zeros(trains.n_trials)
        tau = _trial_duration(trains, before, length)
        draws: Any = _around_circles(trains, before, tau, n_shuffle, rng)
        n_events = trains.n_trials
    else:
        at = np.sort(at)
        tau = _between(trains, at, length)
        moved = at + _whole_steps(tau * (2 * rng.random((n_shuffle, at.size)) - 1), trains.times)
        draws = (_after_events(trains, one, tau) for one in (at, *moved))
        n_events = at.size
    statistics = [_deviations(times, neuron, trains.n_neurons, tau) for times, neuron in draws]
    deviation, latency, n_spikes = statistics[0]
    null = np.abs([one[0] for one in statistics[1:]])
    p, resampled = np.full((2, trains.n_neurons), np.nan)
    for j, value in enumerate(np.abs(deviation)):
        own = null[~np.isnan(null[:, j]), j]
        if not np.isnan(value) and own.size >= _DRAWS:
            resampled[j] = permutation_p(own, value)
            width = float(own.std(ddof=1)) * np.sqrt(6) / np.pi
            mode = own.mean() - np.euler_gamma * width
            p[j] = resampled[j] if width <= 1e-12 else -np.expm1(-np.exp(-(value - mode) / width))
    reason = f"have fewer than {_FEWEST} spikes after the events, or after most of the moved events"
    warn_silent(p, "zeta_test", reason)
    return ZetaTest(p, resampled, norm.isf(p / 2), latency, deviation, n_spikes, n_events)


def _between(trains: Trains, at: np.ndarray, length: float | None) -> float:
    """The duration, None: the shortest time between events; events have to be that far apart, and well inside one recording."""
    k = int(np.diff(at).argmin())
    shortest = float(at[k + 1] - at[k])
    if shortest <= 0:
        raise NsnnError(f"events holds {at[k]:g} s twice: expected different times")
    if length is not None and length > shortest + max(trains.resolution, rounding(at)):
        raise NsnnError(
            f"duration = {length:g} s: the events at {at[k]:g} and {at[k + 1]:g} s are {shortest:g} s apart, so that windows would "
            "share spikes; take a shorter duration or leave out events"
        )
    tau = shortest if length is None else length
    if trains.n_trials != 1:
        raise NsnnError(f"block has {trains.n_trials} trials: with events expected one, the whole recording")
    start, stop = float(trains.t_start[0]), float(trains.t_stop[0])
    if at[0] - tau < start - trains.resolution or at[-1] + 2 * tau > stop + trains.resolution:
        raise NsnnError(
            f"events from {at[0]:g} to {at[-1]:g} s with duration {tau:g} s: moved windows reach from {at[0] - tau:g} to "
            f"{at[-1] + 2 * tau:g} s, the recording from {start:g} to {stop:g} s; leave out such events or take a shorter duration"
        )
    return tau


def _trial_duration(trains: Trains, before: np.ndarray, length: float | None) -> float:
    if trains.n_trials < 2:
        raise NsnnError("block has one trial: expected at least two, or events with the whole recording")
    shortest = float((trains.durations - before).min())
    if length is not None and length > shortest + trains.resolution:
        raise NsnnError(f"duration = {length:g} s: longer than the trials after the events ({shortest:g} s)")
    return shortest if length is None else length


def _after_events(trains: Trains, events: np.ndarray, tau: float) -> tuple[np.ndarray, np.ndarray]:
    """Time after its event, and neuron, of each spike within tau of one."""
    times, neuron = [], []
    for j in range(trains.n_neurons):
        own = trains.times[trains.offsets[j] : trains.offsets[j + 1]]
        first, last = np.searchsorted(own, events), np.searchsorted(own, events + tau)
        count = last - first
        spike = np.arange(count.sum()) + np.repeat(
            first - np.concatenate([[0], np.cumsum(count)[:-1]]), count
        )
        times.append(own[spike] - np.repeat(events, count))
        neuron.append(np.full(spike.size, j))
    return np.concatenate(times), np.concatenate(neuron)


def _around_circles(trains: Trains, before: np.ndarray, tau: float, n: int, rng: np.random.Generator) -> Any:
    """The spikes after the events of all trials, then n times with each trial turned by a random amount of its own."""
    after, length = trains.times - trains.t_start[trains.trial], trains.durations[trains.trial]
    turns = _whole_steps(rng.random((n, trains.n_trials)) * trains.durations, after)
    for turn in (np.zeros(trains.n_trials), *turns):
        turned = np.mod(after + turn[trains.trial], length) - before[trains.trial]
        inside = (turned >= 0) & (turned <= tau)
        yield turned[inside], trains.neuron[inside]


def _whole_steps(shifts: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Shifts in whole steps of the grid on which all times lie; as they are where there is no grid."""
    gaps = np.diff(np.sort(times))
    step = gaps.min(initial=np.inf, where=gaps > 1e-9)  # not of rounding
    steps = (times - times[:1]) / step
    on_grid = np.isfinite(step) and (np.abs(steps - np.rint(steps)) < 0.01).all()
    return np.trunc(shifts / step) * step if on_grid else shifts


def _deviations(
    times: np.ndarray, neuron: np.ndarray, n: int, tau: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Largest deviation with its sign (NaN for fewer than three spikes), where it is, and the number of spikes, each (n,)."""
    order = np.lexsort((times, neuron))
    times, neuron = times[order], neuron[order]
    count = np.bincount(neuron, minlength=n)
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    d = (np.arange(times.size) - first[neuron] + 1) / count[neuron] - times / tau
    d -= (np.bincount(neuron, d, minlength=n) / np.maximum(count, 1))[neuron]
    largest, at = np.full(n, np.nan), np.full(n, np.nan)
    for j in np.flatnonzero(count >= _FEWEST):
        own = slice(first[j], first[j] + count[j])
        k = int(np.argmax(np.abs(d[own])))
        largest[j], at[j] = d[own][k], times[own][k]
    return largest, at, count
