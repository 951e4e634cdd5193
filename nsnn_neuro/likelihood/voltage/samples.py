"""A recorded membrane potential, its spikes and the current, on the steps of a fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import neo
import numpy as np

from ...core import units
from ...core.checks import positive
from ...core.errors import NsnnError
from ...core.warn import warn
from ...io.spikes import as_repeats
from ...models.stimuli import Filtered
from ..continuous.conditional import check_start
from ..continuous.trials import Trial, one_for_each, read_trials
from .recordings import Recording, read_voltage
from .spikes import detect_spikes

_DT = 1e-4  # s
_BLOCK = 0.1  # s, at least, of a stretch that the jackknife of `errors.py` leaves out
_FEWEST, _MOST = 20, 500  # such stretches


@dataclass(frozen=True, eq=False)
class Samples:
    """The potential on the steps of the fit, trial by trial."""

    trials: list[Trial]
    values: list[np.ndarray]  # of each trial, (n_steps,) V at the start of each step
    # of each trial, (n_steps,) the injected current, whose drop across the series resistance is fitted
    current: list[np.ndarray] | None
    dt: float
    n_blocks: int

    def blocks(self) -> list[np.ndarray]:
        """For each trial the number of the jackknife's stretch that each step belongs to, from 0."""
        lengths = [len(trial.o) for trial in self.trials]
        block = np.arange(sum(lengths)) * self.n_blocks // sum(lengths)
        return np.split(block, np.cumsum(lengths)[:-1])


def _spikes(voltage: Any, recordings: list[Recording], trains: Any) -> Any:
    """Spikes with the duration of the voltage."""
    if trains is None:
        own = [one.spikes for one in recordings]
        if any(one is None for one in own):
            return detect_spikes(voltage)
        trains = own
    repeats = as_repeats(trains)
    if repeats.n_trials != len(recordings):
        raise NsnnError(
            f"voltage has {len(recordings)} trials, and trains {repeats.n_trials}: expected the spikes of each trial"
        )
    edges = np.array([(one.t_start, one.t_stop) for one in recordings])
    stated = ~np.isnan(repeats.t_stop)
    off = np.abs(np.stack([repeats.t_start, repeats.t_stop], axis=1) - edges)
    k = int(np.argmax(np.where(stated, off.max(axis=1), 0.0)))
    if stated[k] and off[k].max() > 1.5 * recordings[0].period:
        raise NsnnError(
            f"trains run from {repeats.t_start[k]:g} to {repeats.t_stop[k]:g} s, and voltage from {edges[k, 0]:g} to "
            f"{edges[k, 1]:g} s: expected the same time; cut both with time_slice"
        )
    times = [repeats.times[repeats.trial == k] for k in range(len(recordings))]
    for k, (t, (begin, end)) in enumerate(zip(times, edges, strict=True)):
        if t.size and (t.min() < begin or t.max() > end):
            raise NsnnError(
                f"trains have spikes from {t.min():g} to {t.max():g} s in trial {k}, and voltage runs from {begin:g} to {end:g} s: "
                "expected spikes within it; are their times in seconds?"
            )
    each = zip(times, edges, strict=True)
    return [neo.SpikeTrain(t, t_start=begin, t_stop=end, units="s") for t, (begin, end) in each]


def read_samples(
    stimulus: Any, voltage: Any, trains: Any, t_start: Any, t_stop: Any, dt: Any = None
) -> Samples:
    """The potential and the spikes on steps of dt; None: the multiple of the sampling interval that is closest to 0.1 ms."""
    several = isinstance(stimulus, tuple)
    stimuli = stimulus if several else (stimulus,)
    n = len(stimuli)
    voltages = one_for_each(voltage, n, "voltage") if several else [voltage]
    spikes = [trains] if not several else [None] * n if trains is None else one_for_each(trains, n, "trains")
    trials: list[Trial] = []
    values: list[np.ndarray] = []
    currents: list[np.ndarray] = []
    step = 0.0
    for k, (own, fired, drive) in enumerate(zip(voltages, spikes, stimuli, strict=True)):
        recordings = read_voltage(own)
        stride = _every(recordings[0].period, dt)
        if k and abs(stride * recordings[0].period - step) > 1e-6 * step:
            raise NsnnError(
                f"voltage: recording 0 has steps of {1e3 * step:g} ms, and recording {k} of "
                f"{1e3 * stride * recordings[0].period:g} ms: expected one sampling interval; resample one of them"
            )
        step = stride * recordings[0].period
        _check_length(drive, recordings)
        for one, trial in zip(
            recordings, read_trials(_spikes(own, recordings, fired), step, t_start, t_stop), strict=True
        ):
            v = one.values[::stride][: len(trial.o)]
            counted = trial.counted[0], min(trial.counted[1], len(v))
            trials.append(replace(trial, o=trial.o[: len(v)], counted=counted, recording=k))
            values.append(v)
            currents.append(_current(drive, len(v), step))
    check_start(stimulus, trials, step)
    counted_time = sum(trial.counted[1] - trial.counted[0] for trial in trials) * step
    if counted_time < _FEWEST * _BLOCK:
        warn(
            f"voltage lasts {counted_time:g} s in the time of the fit: expected {_FEWEST * _BLOCK:g} s or more for errors that hold"
        )
    total = sum(map(len, values)) * step
    all_currents = np.concatenate(currents)
    varies = np.ptp(all_currents) > 1e-9 * np.abs(all_currents).max()
    return Samples(trials, values, currents if varies else None, step, int(np.clip(total / _BLOCK, 1, _MOST)))


def _every(period: float, dt: Any) -> int:
    """How many samples are a step."""
    if dt is None:
        return max(1, round(_DT / period))
    step = positive(dt, "s", "dt")
    every = round(step / period)
    if every < 1 or abs(every * period - step) > 1e-6 * period:
        raise NsnnError(f"dt = {dt}: expected a whole multiple of voltage's interval of {1e3 * period:g} ms")
    return every


def _check_length(stimulus: Any, recordings: list[Recording]) -> None:
    """Raise NsnnError where the stimulus has another duration than the recordings."""
    signal = getattr(stimulus, "signal", None)
    if signal is None:
        return
    period = float(signal.sampling_period.rescale("s").magnitude)
    lasts = len(signal) * period
    for k, one in enumerate(recordings):
        own = len(one.values) * one.period
        if abs(own - lasts) > 1.5 * max(period, one.period):
            raise NsnnError(
                f"trial {k} of voltage has {len(one.values)} samples every {1e3 * one.period:g} ms ({own:g} s), and the "
                f"signal of stimulus {len(signal)} every {1e3 * period:g} ms ({lasts:g} s): expected one duration; correct the "
                "sampling rate, or cut both with time_slice"
            )


def _current(stimulus: Any, n: int, dt: float) -> np.ndarray:
    """What flows in each step: amperes where the gain is a resistance; 0 if no signal."""
    if isinstance(stimulus, Filtered):
        one = units.pq_quantity(1.0, stimulus.unit("gain"))
        stimulus = Filtered(stimulus.signal, gain=one, delay=stimulus.delay, tau=stimulus.tau)
    return np.asarray(stimulus.samples(n, dt), dtype=float) if stimulus.text is None else np.zeros(n)
