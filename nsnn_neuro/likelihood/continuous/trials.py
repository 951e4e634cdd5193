"""Recorded spikes on the steps of a neuron in continuous time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import quantities as pq

from ...core.errors import NsnnError
from ...core.units import si
from ...io.spikes import as_repeats
from ..data import binned

# for each parameter and two more; a larger part than this is as slow as all
_SPIKES_SEARCHED, _LARGEST_PART = 50, 0.7


@dataclass(frozen=True, eq=False)
class Trial:
    """The spikes of one trial on steps of dt, and which of its steps count."""

    o: np.ndarray
    """(n_steps,) 1.0 in a step with a spike"""
    t_start: float
    """s, of step 0"""
    counted: tuple[int, int]
    """the first step that counts, and the first one after those that count; spikes before are given"""
    recording: int = 0
    """which of several recordings, and so which stimulus"""
    inputs: tuple[tuple[np.ndarray, ...], ...] = ()
    """of each synaptic input the spikes of its neurons, s from the start of the trial"""

    @property
    def n_spikes(self) -> int:
        """Spikes in the steps that count."""
        return int(self.o[slice(*self.counted)].sum())

    def piece(self, dt: float) -> tuple[float, np.ndarray]:
        """The start (s) and the spikes of the steps that count."""
        return self.t_start + self.counted[0] * dt, self.o[slice(*self.counted)]


def read_trials(
    trains: Any, dt: float, t_start: Any = None, t_stop: Any = None, stimulus: Any = None
) -> list[Trial]:
    """The trials of one neuron. Spikes before t_start are kept, as given ones.

    Arrays without a duration last as long as the signal of the stimulus, or from 0 to t_stop.
    """
    repeats = as_repeats(trains)
    if np.isnan(repeats.t_stop).any():
        signal: Any = getattr(stimulus, "signal", None)
        if t_stop is None and signal is None:
            raise NsnnError(
                "trains have no duration: expected t_stop, spike trains with one, as in a Block, or a stimulus with a signal"
            )
        first, last = (0 * pq.s, t_stop) if t_stop is not None else (signal.t_start, signal.t_stop)
        if t_stop is None and repeats.times.size and repeats.times.max() > si(last, "s", "signal") + dt:
            raise NsnnError(
                f"trains have times to {repeats.times.max():.6g} s, and the signal ends at {last}: expected seconds on its clock, "
                "or t_stop"
            )
        repeats = as_repeats(trains, first, last)
    begin = None if t_start is None else float(si(t_start, "s", "t_start"))
    end = None if t_stop is None else float(si(t_stop, "s", "t_stop"))
    result = []
    for k, o in enumerate(binned(repeats, dt)):
        start, n = float(repeats.t_start[k]), len(o)
        first = 0 if begin is None else _step(begin, start, dt, "t_start", n)
        last = n if end is None else _step(end, start, dt, "t_stop", n)
        if first >= last:
            raise NsnnError(f"t_start = {t_start}, t_stop = {t_stop}: expected t_start before t_stop")
        result.append(Trial(o[:last], start, (first, last)))
    return result


def searched(trials: list[Trial], n_parameters: int) -> list[Trial]:
    """The first part of each trial, with its share of the spikes that a search for so many parameters needs."""
    share = _SPIKES_SEARCHED * (2 + n_parameters) / max(sum(trial.n_spikes for trial in trials), 1)
    if share > _LARGEST_PART:
        return trials
    result = []
    for trial in trials:
        begin, end = trial.counted
        spikes = np.flatnonzero(trial.o[begin:end])
        n = int(np.ceil(share * (end - begin)))
        if spikes.size:
            n = max(n, int(spikes[int(np.ceil(share * spikes.size)) - 1]) + 1)
        result.append(replace(trial, o=trial.o[: begin + n], counted=(begin, begin + n)))
    return result


def read_recordings(
    trains: Any, stimulus: Any, dt: float, t_start: Any = None, t_stop: Any = None
) -> list[Trial]:
    """The trials of one neuron in as many recordings as `stimulus`, a tuple, has stimuli; those of one recording otherwise."""
    if not isinstance(stimulus, tuple):
        return read_trials(trains, dt, t_start, t_stop, stimulus)
    result = []
    for k, one in enumerate(one_for_each(trains, len(stimulus), "trains")):
        try:
            trials = read_trials(one, dt, t_start, t_stop, stimulus[k])
            result += [replace(trial, recording=k) for trial in trials]
        except NsnnError as error:
            raise NsnnError(f"recording {k}: {error}") from None
    return result


def one_for_each(given: Any, n: int, name: str) -> list[Any]:
    """What is given for each of n recordings."""
    if not isinstance(given, list | tuple) or len(given) != n:
        shown = f"{len(given)} of them" if isinstance(given, list | tuple) else f"a {type(given).__name__}"
        raise NsnnError(
            f"{name}: {shown} for {n} stimuli: expected a list with the {name} of each recording, {name}=[first, second]"
        )
    return list(given)


def _step(time: float, start: float, dt: float, name: str, n: int) -> int:
    step = round((time - start) / dt)
    if not 0 <= step <= n:
        raise NsnnError(
            f"{name} = {time:g} s: expected a time within the trials, which last from {start:g} s to {start + n * dt:g} s"
        )
    return step
