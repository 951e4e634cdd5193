"""Recorded spikes and stimulus on the steps of a model: one row per step with at most one spike, trials concatenated."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import neo
import numpy as np
import quantities as pq

from ..core.errors import NsnnError
from ..core.memory import free_memory
from ..core.units import described, floats, si
from ..core.warn import warn
from ..io.block import build_block
from ..io.provenance import provenance
from ..io.spikes import Trains, as_repeats, scalar_time
from ..io.spikes.arrays import seconds
from ..io.spikes.bins import rounding, slack

_FAR_LONGER = 10  # times the trials
_MEMORY_SHARE = 0.5  # of the free memory, beyond which regressors lie in a file
_STRETCH = 2**13  # steps, of which the history fits into the processor's cache


@dataclass(frozen=True, eq=False)
class Steps:
    """A stimulus on the grid of dt."""

    values: np.ndarray  # (n_steps, n_channels)
    start: float  # s, of the first step
    dt: float

    def slice(self, t_start: float, n: int, where: str) -> slice:
        """The n steps from t_start on."""
        offset = (t_start - self.start) / self.dt
        first = round(offset)
        apart = rounding(t_start, self.start + len(self.values) * self.dt)
        if abs(offset - first) > max(1e-3, slack(self.dt, apart, "dt")):
            raise NsnnError(
                f"{where} starts at {t_start} s, {offset - np.floor(offset):.3g} of a step off the signal's grid (from "
                f"{self.start} s by dt = {self.dt} s): pass t_start on that grid"
            )
        if first < 0 or first + n > len(self.values):
            stop = self.start + len(self.values) * self.dt
            raise NsnnError(
                f"signal lasts from {self.start} s to {stop:.6g} s, but {where} from {t_start} s to "
                f"{t_start + n * self.dt:.6g} s: expected a signal for all of it; or pass t_start and t_stop"
            )
        return slice(first, first + n)


@dataclass(frozen=True, eq=False)
class Data:
    """The data of a fit, one row per step, trials concatenated; stimulus and inputs act through the membrane."""

    o: np.ndarray  # (n,) 1.0 in a step with a spike; of a Poisson model the number of spikes
    begins: np.ndarray  # (n,) True in the first step of a trial
    drive: np.ndarray  # (n, n_drive) stimulus and inputs through their bases, and products of these
    history: np.ndarray  # (n, n_history) spikes through their basis
    free: np.ndarray  # (n,) False where the neuron is refractory
    starts: np.ndarray  # (n_trials,) s, when the trials begin
    design: np.ndarray | None = None
    """(n, 1 + n_drive + n_history) 1, drive and history, of which these two are views; None after unpickling"""
    weight: np.ndarray | None = None
    """(n,) of each step in a fit, from 0; None: 1"""

    def __getstate__(self) -> dict[str, Any]:
        """Without `design`, whose columns would be kept twice."""
        return {**self.__dict__, "design": None}

    @property
    def before(self) -> np.ndarray:
        """(n,) the spike of the step before, 0 in a trial's first step."""
        return np.where(self.begins, 0.0, np.concatenate([[0.0], self.o[:-1]]))

    def weighted(self, values: np.ndarray, rows: slice) -> np.ndarray:
        """Values of these rows times their weights, 0 while refractory."""
        free = self.free[rows]
        if self.weight is not None:
            values = self.weight[rows] * values
        return values if free.all() else np.where(free, values, 0.0)

    def without_columns(self) -> Data:
        """The spikes alone, without the large arrays."""
        none = np.empty((len(self.o), 0))
        return replace(self, drive=none, history=none, design=None)

    @property
    def pieces(self) -> list[tuple[float, np.ndarray]]:
        """The start (s) and the spikes of each trial."""
        return list(zip(self.starts.tolist(), np.split(self.o, np.flatnonzero(self.begins)[1:]), strict=True))


def channels_of(signal: Any) -> tuple[int, pq.Quantity | None]:
    """Number of channels and unit of a signal, or of the first one of a list with one for each trial; 0 and None of None."""
    first = signal[0] if isinstance(signal, list | tuple) and signal else signal
    if first is None:
        return 0, None
    if not isinstance(first, neo.AnalogSignal):
        raise NsnnError(f"signal = {described(first)}: expected a neo.AnalogSignal, or one for each trial")
    return int(first.shape[1]), first.units


def check_signal_unit(unit: Any) -> None:
    """Refuse what is neither None nor one of a unit."""
    if unit is not None and not (
        isinstance(unit, pq.Quantity) and unit.size == 1 and float(unit.magnitude) == 1
    ):
        raise NsnnError(f"signal_unit = {unit!r}: expected the unit of the signal such as pq.nA, or None")


def _in_unit(signal: neo.AnalogSignal, unit: Any, name: str) -> Any:
    """The samples in the unit that the filters are per; unchanged where it is not known or the same."""
    if unit is None or signal.dimensionality == unit.dimensionality:
        return signal.magnitude
    try:
        return pq.Quantity(signal.magnitude, signal.units).rescale(unit.dimensionality).magnitude
    except ValueError:
        raise NsnnError(
            f"{name} is in {signal.dimensionality}, and the model was made for signals in {unit.dimensionality}: expected a unit "
            "that converts to it, as in neo.AnalogSignal(..., units=...)"
        ) from None


def on_steps(signal: Any, dt: float, channels: int, name: str = "signal", unit: Any = None) -> Steps:
    """A stimulus on steps of dt, in `unit` if there is one: samples are averaged or held."""
    if not isinstance(signal, neo.AnalogSignal):
        raise NsnnError(f"{name} = {described(signal)}: expected a neo.AnalogSignal")
    values = floats(_in_unit(signal, unit, name), name, "real samples")
    if not values.size or not np.all(np.isfinite(values)):
        content = "no samples" if not values.size else "NaN or infinite samples"
        raise NsnnError(f"{name} holds {content}: expected finite samples")
    if values.shape[1] != channels:
        raise NsnnError(f"{name} has {values.shape[1]} channels: expected {channels}")
    period, start = si(signal.sampling_period, "s", name), si(signal.t_start, "s", name)
    down, up = round(dt / period), round(period / dt)
    if down >= 1 and abs(dt / period - down) < 1e-6:
        n = len(values) // down
        if not n:
            raise NsnnError(f"{name} is shorter than dt = {dt} s: expected at least one step")
        return Steps(values[: n * down].reshape(n, down, -1).mean(axis=1), start, dt)
    if up >= 1 and abs(period / dt - up) < 1e-6:
        return Steps(np.repeat(values, up, axis=0), start, dt)
    raise NsnnError(
        f"dt = {dt} s, {name} is sampled every {period} s: expected a whole multiple or a whole fraction of that"
    )


def filtered(steps: Steps, basis: np.ndarray) -> np.ndarray:
    """Each channel filtered by each function of a basis over lags from 0, (n_steps, n_channels * n_functions)."""
    columns = list(_filtered_columns(steps, basis))
    return np.stack(columns, axis=1) if columns else np.empty((len(steps.values), 0))


def _filtered_columns(steps: Steps, basis: np.ndarray) -> Iterator[np.ndarray]:
    """The columns of `filtered`, one at a time."""
    n = len(steps.values)
    for x in steps.values.T:
        for b in basis.T:
            yield np.convolve(x, b[:n])[:n]


def binned(trains: Trains, dt: float, *, several: bool = False, cure: str = "") -> list[np.ndarray]:
    """The spikes of each trial per step, 0.0 and 1.0, or with `several` their numbers; one at exactly t_stop is left out."""
    index, n_bins = trains.bins(dt, "dt")
    within = trains.times < trains.t_stop[trains.trial] - trains.resolution
    spikes = []
    for k, n in enumerate(n_bins):
        own = (trains.trial == k) & within
        where, times = index[own], trains.times[own]
        twice = np.flatnonzero(np.diff(where) == 0)
        if twice.size and not several:
            gaps = np.diff(times)
            gap = gaps[gaps > 0].min() if (gaps > 0).any() else 0.0
            t = trains.t_start[k] + where[twice[0]] * dt
            raise NsnnError(
                f"dt = {dt} s: trial {k} has two spikes in the step at {t:.6g} s, {times[twice[0]]:.9g} s and "
                f"{times[twice[0] + 1]:.9g} s: expected one per step; take a smaller dt (the trial's "
                f"shortest interval is {gap:.3g} s) or merge double detections{cure}"
            )
        spikes.append(np.bincount(where[where < n], minlength=n).astype(float))
    return spikes


def past(o: np.ndarray, basis: np.ndarray, history: np.ndarray | None = None) -> np.ndarray:
    """The spikes of one trial filtered by a basis over lags from 1, (n, n_functions); written to `history` if given.

    Stretches of it are rows of a small array, to which spikes are added fast."""
    if history is None:
        history = np.empty((len(o), basis.shape[1]))
    n_lags, stretch = len(basis), min(_STRETCH, len(o))
    recent = np.zeros((stretch + n_lags, basis.shape[1]))
    for first in range(0, len(o), stretch):
        own = o[first : first + stretch]
        for t in np.flatnonzero(own).tolist():
            recent[t + 1 : t + 1 + n_lags] += basis if own[t] == 1.0 else own[t] * basis
        history[first : first + stretch] = recent[: len(own)]
        recent[:n_lags] = recent[stretch:]
        recent[n_lags:] = 0.0
    return history


def not_refractory(o: np.ndarray, steps: int) -> np.ndarray:
    """True where no spike was in the last `steps` steps."""
    if steps == 0:
        return np.ones(len(o), dtype=bool)
    total = np.concatenate([[0.0], np.cumsum(o)])
    t = np.arange(len(o))
    return np.asarray(total[t] == total[np.maximum(t - steps, 0)])


def prepare(
    trains: Any,
    signal: Any,
    bases: tuple[np.ndarray, np.ndarray],
    *,
    dt: float,
    channels: int,
    refractory: int = 0,
    span: tuple[Any, Any],
    unit: Any = None,
    several: bool = False,
    cure: str = "",
    coupled: Callable[[np.ndarray, list[int]], Iterable[Iterable[np.ndarray]]] | None = None,
    n_coupled: int = 0,
    products: Sequence[tuple[int, int]] = (),
) -> Data:
    """Spikes and stimulus within a span of time as a `Data`, through the bases of stimulus and history.

    `coupled` makes the columns of other neurons' spikes, per trial, from the trials' starts (s) and lengths; `products` are
    pairs of columns of stimulus and coupling."""
    stimulus, history = bases
    listed = isinstance(signal, Sequence)
    _warn_long(trains, signal[0] if listed and len(signal) else signal, dt)
    signals = [
        on_steps(s, dt, channels, f"signal[{k}]" if listed else "signal", unit)
        for k, s in enumerate(signal if listed else [] if signal is None else [signal])
    ]
    repeats = _repeats(trains, signals, *span)
    if signals and (not listed or all(one is signal[0] for one in signal)):
        repeats.refuse_session_signal("signal", signals[0].start, len(signals[0].values), 1 / dt)
    if listed and len(signals) != repeats.n_trials:
        raise NsnnError(
            f"signal: {len(signals)} signals for {repeats.n_trials} trials: expected one for all, or a list with one for each"
        )
    spikes = binned(repeats, dt, several=several, cure=cure)
    where = [
        signals[k if len(signals) > 1 else 0].slice(float(repeats.t_start[k]), len(o), f"trial {k}")
        for k, o in enumerate(spikes if signals else [])
    ]
    free = [not_refractory(o, refractory) for o in spikes]
    for k, (o, f) in enumerate(zip(spikes, free, strict=True)):
        early = ((o > 0) & ~f) | ((o > 1) & (refractory > 0))
        if np.any(early):
            t = repeats.t_start[k] + np.flatnonzero(early)[0] * dt
            raise NsnnError(
                f"refractory = {refractory * dt:.6g} s: trial {k} has a spike at {t:.6g} s within that time after another: "
                "expected no shorter interval; take a smaller refractory"
            )
    drive = [_filtered_columns(one, stimulus) for one in signals]
    others = () if coupled is None else coupled(repeats.t_start, [len(o) for o in spikes])
    n_drive = stimulus.shape[1] * channels * bool(signals) + n_coupled
    design = _design(drive, where, spikes, history, others, n_drive - n_coupled, n_drive, products)
    n_drive += len(products)
    begins = [np.arange(len(o)) == 0 for o in spikes]
    o, begun, possible, starts = map(_joined, (spikes, begins, free, [repeats.t_start]))
    return Data(o, begun, design[:, 1 : 1 + n_drive], design[:, 1 + n_drive :], possible, starts, design)


def _design(
    drive: Sequence[Iterator[np.ndarray]],
    where: Sequence[slice],
    spikes: Sequence[np.ndarray],
    history: np.ndarray,
    others: Iterable[Iterable[np.ndarray]],
    n_stimulus: int,
    n_drive: int,
    products: Sequence[tuple[int, int]],
) -> np.ndarray:
    """1, drive, products and history (n, 1 + n_drive + ...), written column by column: no other array is as large.

    `drive` has the columns of each trial, or once of all; `where` has the rows of these that belong to each trial."""
    ends = np.cumsum([len(o) for o in spikes]).tolist()
    rows = [slice(end - len(o), end) for o, end in zip(spikes, ends, strict=True)]
    first = 1 + n_drive + len(products)
    design = _zeros(ends[-1], first + history.shape[1])
    design[:, 0] = 1.0
    for k, columns in enumerate(drive):
        for j, column in enumerate(columns, 1):
            for trial in range(len(rows)) if len(drive) == 1 else [k]:
                design[rows[trial], j] = column[where[trial]]
    for own, each in zip(rows, others, strict=False):
        for j, column in enumerate(each, 1 + n_stimulus):
            design[own, j] = column
    for k, (i, j) in enumerate(products, 1 + n_drive):
        np.multiply(design[:, 1 + i], design[:, 1 + j], out=design[:, k])
    for own, o in zip(rows, spikes, strict=True) if history.size else ():
        past(o, history, design[own, first:])
    return design


def _zeros(n: int, k: int) -> np.ndarray:
    """Zeros (n, k), column after column; in a temporary file, mapped, if they take more than half of the free memory."""
    if 8 * n * k <= _MEMORY_SHARE * free_memory():
        return np.zeros((n, k), order="F")
    with tempfile.TemporaryFile() as file:
        try:
            if hasattr(os, "posix_fallocate"):  # else a full disk would end the process later
                os.posix_fallocate(file.fileno(), 0, 8 * n * k)
            return np.asarray(np.memmap(file, dtype=float, mode="r+", shape=(n, k), order="F"))
        except OSError as error:
            raise NsnnError(
                f"{n} steps with {k} regressors take {8e-9 * n * k:.3g} GB, more than half of the free memory, and don't fit into "
                f"{tempfile.gettempdir()} either ({error.strerror}): set TMPDIR to a folder on a larger disk, or take a longer dt"
            ) from None


def _joined(parts: Sequence[Any]) -> np.ndarray:
    """Arrays of all trials one after the other; of one trial the array itself, unless it is a small piece of a large one."""
    if len(parts) > 1:
        return np.concatenate(parts)
    one = np.asarray(parts[0])
    return one.copy() if one.base is not None and one.base.nbytes > 1.5 * one.nbytes else one


def _warn_long(trains: Any, signal: Any, dt: float) -> None:
    """Warn of a signal in long steps that lasts far longer than the Block of which it is the stimulus: its rate may be wrong."""
    if not isinstance(trains, neo.Block) or not isinstance(signal, neo.AnalogSignal):
        return
    if si(signal.sampling_period, "s", "signal") < 1.5 * dt:
        return
    ends = [segment.spiketrains.t_stop for segment in trains.segments if len(segment.spiketrains)]
    last, stop = max((float(seconds(one)) for one in ends), default=np.inf), float(seconds(signal.t_stop))
    start = float(seconds(signal.t_start))
    if stop - start > _FAR_LONGER * (last - start) > 0:
        warn(
            f"signal lasts to {stop:.6g} s, and the trials to {last:.6g} s: is its sampling rate of "
            f"{signal.sampling_rate.rescale('Hz').magnitude:g} Hz right? Cut the rest off where it is"
        )


def range_of_times(trains: Any) -> str:
    """End of a message on trains without spikes in a window: where their spikes are; empty where there are none."""
    times = as_repeats(trains).times
    if not times.size:
        return ""
    return (
        f". Their {times.size} spikes are from {times.min():.6g} s to {times.max():.6g} s: are these milliseconds? Times without "
        "a unit are seconds"
    )


def drawn_block(
    steps: Steps, spikes: Any, shape: tuple[int, int, int], seed: int, parameters: dict[str, Any]
) -> neo.Block:
    """A Block of spikes from the step, trial and neuron of each; shape: the number of steps, trials and neurons."""
    tick, trial, neuron = spikes
    n_steps, n_trials, n_neurons = shape
    return build_block(
        trial,
        neuron,
        times=steps.start + tick * steps.dt,
        dt=steps.dt,
        n_trials=int(n_trials),
        n_neurons=n_neurons,
        t_start=steps.start,
        t_stop=steps.start + n_steps * steps.dt,
        annotations={"seed": int(seed), "parameters": parameters, **provenance()},
    )


def _repeats(trains: Any, signals: list[Steps], t_start: Any, t_stop: Any) -> Trains:
    """The trials; plain arrays, which have no duration, last as long as the signals, each as its own if there are several."""
    plain = isinstance(trains, list | tuple) and not any(
        isinstance(train, neo.SpikeTrain) for train in trains
    )
    given = as_repeats(trains) if plain else None
    if given is None or len(signals) not in (1, given.n_trials):
        if t_start is None and t_stop is not None and given is not None and np.isnan(given.t_start).any():
            t_start = 0 * pq.s
        return as_repeats(trains, t_start, t_stop)
    edges = np.array([(s.start, s.start + len(s.values) * s.dt) for s in signals])
    edges = np.broadcast_to(edges, (given.n_trials, 2))
    _refuse_outside(given, edges, (t_start, t_stop), signals[0].dt)
    ends = [
        edges[:, k] if end is None else scalar_time(end, name)
        for k, (end, name) in enumerate(((t_start, "t_start"), (t_stop, "t_stop")))
    ]
    return given.crop(*ends)


def _refuse_outside(trains: Trains, edges: np.ndarray, given: tuple[Any, Any], dt: float) -> None:
    """NsnnError for spikes (s) outside the signal, on a side where no end was given; a last step may be incomplete."""
    times, (start, stop) = trains.times, edges[trains.trial].T
    before = times < start - rounding(*edges[0])
    after = times > stop + dt
    outside = (before if given[0] is None else False) | (after if given[1] is None else False)
    if np.any(outside):
        k = int(trains.trial[np.argmax(outside)])
        raise NsnnError(
            f"{np.count_nonzero(outside)} of {times.size} spikes lie outside the signal: trains have times from {times.min():.6g} "
            f"s to {times.max():.6g} s, the signal lasts from {edges[k, 0]:.6g} s to {edges[k, 1]:.6g} s: expected seconds (divide "
            "milliseconds by 1000) on the signal's clock (set its t_start); to leave spikes out, pass t_start and t_stop"
        )
