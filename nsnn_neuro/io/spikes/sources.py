"""What `to_block` reads: spike times of one or more trials as flat arrays, with what the source says about units and duration.

`Source` is the common form. This module makes one from lists, dicts and objects of Neo; `packages` from objects of other
packages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import neo
import numpy as np
from neo.core.spiketrainlist import SpikeTrainList

from ...core.errors import NsnnError
from ...core.units import floats, is_quantity, shown, si
from ...core.warn import warn
from .arrays import check_same_units, different_windows, read_items
from .bins import EPS, rounding
from .doubts import Unitless

NESTING = "source[trial][neuron] to be an array of times in seconds"
NO_END = "the source doesn't say when its trials end, and the last spike is not the end: pass t_stop, such as t_stop=2*second"


@dataclass
class Source:
    """Spikes of `n_trials` trials of `n_neurons` units, in any order."""

    times: np.ndarray  # (n_spikes,) s
    neuron: np.ndarray  # (n_spikes,) int
    trial: np.ndarray  # (n_spikes,) int
    n_neurons: int
    n_trials: int
    t_start: np.ndarray | None = None  # (n_trials,) s; None: the source doesn't say
    t_stop: np.ndarray | None = None  # (n_trials,) s; None: the source doesn't say
    no_start: str = ""  # why there is no t_start where 0 s would be wrong
    no_stop: str = NO_END  # why there is no t_stop, and the cure
    units: dict[str, list[Any]] = field(default_factory=dict)  # "id" and further columns, a value per unit
    annotations: dict[str, Any] = field(default_factory=dict)  # of the Block
    trials: list[dict[str, Any]] = field(default_factory=list)  # annotations of each segment
    signals: list[list[neo.AnalogSignal]] = field(default_factory=list)  # of each trial
    name: str = "source"  # how messages call it
    # how messages call the train of a trial and neuron, where it has an index in the source
    place: Callable[[int, int], str] | None = None
    fixed_window_reason: str = ""  # why t_start and t_stop can't be given
    window_warning: str = ""  # what to warn of unless t_start and t_stop are given
    eps: float = EPS  # relative spacing of the numbers that the times were stored in
    unitless: Unitless | None = None  # what is to be doubted of times without a unit

    def placed(self, t_start: Any, t_stop: Any) -> Source:
        """The same spikes, each in its trial but for rounding; a warning where they are hardly seconds.

        t_start, t_stop : of the trials, None: the source's own
        """
        if self.fixed_window_reason and (t_start is not None or t_stop is not None):
            raise NsnnError(
                f"{'t_start' if t_start is not None else 't_stop'} is given, and {self.fixed_window_reason}"
            )
        if t_start is None and self.t_start is None and self.no_start:
            raise NsnnError(self.no_start)
        if self.window_warning and (t_start is None or t_stop is None):
            warn(self.window_warning)
        start = self.t_start if t_start is None else edges(t_start, "t_start", self.n_trials)
        start = np.zeros(self.n_trials) if start is None else start
        stop = self.t_stop if t_stop is None else edges(t_stop, "t_stop", self.n_trials)
        if stop is None:
            raise NsnnError(f"to_block needs t_stop: {self.no_stop}")
        if not (start < stop).all():
            k = int(np.argmin(start < stop))
            raise NsnnError(f"t_stop = {stop[k]} s: expected a time after t_start = {start[k]} s")
        return replace(self, times=self._inside(start, stop), t_start=start, t_stop=stop)

    def _inside(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        finite = np.isfinite(self.times)
        if not finite.all():
            raise NsnnError(f"{self._called(int(np.argmin(finite)))}: expected finite times")
        if self.unitless:
            self.unitless.check(self, start, stop)
        low, high = start[self.trial], stop[self.trial]
        apart = rounding(start, stop)
        outside = (self.times < low - apart) | (self.times > high + apart)
        if outside.any():
            k = int(np.argmax(outside))
            plain_seconds = self.unitless and not self.unitless.milliseconds
            unit = "times in seconds (divide milliseconds by 1000, sample numbers by the sampling rate), "
            early = self.times[k] < low[k]
            raise NsnnError(
                f"{self._called(k)} lies outside t_start = {low[k]:.9g} s to t_stop = {high[k]:.9g} s of its trial, "
                f"{np.count_nonzero(outside)} of {outside.size} spikes do: expected {unit if plain_seconds else ''}"
                f"{'an earlier t_start, negative before an event at time 0' if early else 'a later t_stop'}, or times from the "
                "start of each trial if these are times of a session"
            )
        return np.clip(self.times, low, high)

    def _called(self, k: int) -> str:
        """Spike number k, for messages."""
        i, j = self.trial[k], self.neuron[k]
        unit = self.units["id"][j] if "id" in self.units else int(j)
        if self.place:
            before = np.count_nonzero((self.trial[:k] == i) & (self.neuron[:k] == j))
            return f"{self.place(int(i), int(j))}[{before}] = {self.times[k]:.9g} s"
        trial = f" in trial {i}" if self.n_trials > 1 else ""
        return f"{self.name}: the spike of unit {unit!r}{trial} at {self.times[k]:.9g} s"


def edges(value: Any, name: str, n_trials: int) -> np.ndarray:
    """A given t_start or t_stop, (n_trials,) s."""
    times = np.asarray(si(value, "s", name), dtype=float)
    if times.shape not in ((), (n_trials,)) or not np.isfinite(times).all():
        many = f", or {n_trials} of them, one per trial" if n_trials > 1 else ""
        raise NsnnError(f"{name} = {value}: expected one finite time such as 2*second{many}")
    return np.broadcast_to(times, n_trials)


def of_trains(times: Sequence[np.ndarray], n_trials: int, n_neurons: int, **more: Any) -> Source:
    """A Source of one array per train, all neurons of trial 0 first."""
    train = np.repeat(np.arange(len(times)), [len(t) for t in times])
    flat = np.concatenate([np.empty(0), *times])
    return Source(flat, train % n_neurons, train // n_neurons, n_neurons, n_trials, **more)


def raster(value: Any, width: float, t_start: Any = None) -> Source:
    """Spikes of counts (n_trials, n_neurons, n_bins) in bins of `width` s; those of a bin lie at equal distances around its middle.

    >>> raster([[[0, 2, 1]]], 0.1).times.round(3)
    array([0.125, 0.175, 0.25 ])
    """
    expected = "whole counts (n_trials, n_neurons, n_bins), as bin_width is given"
    counts = floats(value, "source", expected)
    if counts.ndim != 3 or counts.size == 0:
        raise NsnnError(f"source has shape {counts.shape}: expected {expected}")
    wrong = ~((counts >= 0) & (counts == np.floor(counts)) & np.isfinite(counts))
    if wrong.any():
        raise NsnnError(f"source{np.argwhere(wrong)[0].tolist()} = {counts[wrong][0]:g}: expected {expected}")
    start = np.zeros(len(counts)) if t_start is None else edges(t_start, "t_start", len(counts))
    occupied = np.nonzero(counts)
    number = counts[occupied].astype(np.int64)
    trial, neuron, place = (np.repeat(index, number) for index in occupied)
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    times = start[trial] + (place + (within + 0.5) / np.repeat(number, number)) * width
    stop = start + counts.shape[2] * width
    return Source(times, neuron, trial, counts.shape[1], len(counts), start, stop)


def joined(parts: Sequence[Source], names: Sequence[str]) -> Source:
    """The trials of several sources of the same units, one after the other; `names` are for messages."""
    first = parts[0]
    ids = [part.units.get("id", range(part.n_neurons)) for part in parts]
    check_same_units(names, [part.n_neurons for part in parts], ids)
    begin = np.cumsum([0, *(part.n_trials for part in parts)])
    ends = {}
    for edge in ("t_start", "t_stop"):
        values = [getattr(part, edge) for part in parts]
        ends[edge] = None if any(v is None for v in values) else np.concatenate(values)
    return _together(
        parts,
        neuron=np.concatenate([part.neuron for part in parts]),
        trial=np.concatenate([part.trial + k for part, k in zip(parts, begin, strict=False)]),
        n_neurons=first.n_neurons,
        n_trials=int(begin[-1]),
        units={k: v for k, v in first.units.items() if all(p.units.get(k) == v for p in parts)},
        trials=[row for part in parts for row in part.trials or [{}] * part.n_trials],
        signals=[signals for part in parts for signals in part.signals or [[]] * part.n_trials],
        no_stop=next((part.no_stop for part in parts if part.t_stop is None), NO_END),
        **ends,
    )


def side_by_side(parts: Mapping[str, Source]) -> Source:
    """Populations of one network, by name, as one Source: the neurons of the first population come first."""
    sources, names = list(parts.values()), list(parts)
    first = sources[0]
    for name, part in parts.items():
        if not np.array_equal(
            np.asarray(part.t_stop, float), np.asarray(first.t_stop, float), equal_nan=True
        ):
            raise NsnnError(
                f"source[{name!r}] ends at {part.t_stop} s, source[{names[0]!r}] at {first.t_stop} s: expected populations "
                "of one run"
            )
    begin = np.cumsum([0, *(part.n_neurons for part in sources)])
    ids = [one for part in sources for one in part.units.get("id", range(part.n_neurons))]
    result = _together(
        sources,
        neuron=np.concatenate([part.neuron + k for part, k in zip(sources, begin, strict=False)]),
        trial=np.concatenate([part.trial for part in sources]),
        n_neurons=int(begin[-1]),
        n_trials=first.n_trials,
        t_start=first.t_start,
        t_stop=first.t_stop,
        no_stop=first.no_stop,
        units=id_column(ids) if any(part.units for part in sources) else {},
    )
    result.annotations["populations"] = [
        {"name": str(k), "size": part.n_neurons} for k, part in parts.items()
    ]
    return result


def _together(parts: Sequence[Source], **more: Any) -> Source:
    """A Source of the spikes of several, with what these agree on and what is to be said of one of them."""
    notes = parts[0].annotations.items()
    first = {
        name: next((getattr(part, name) for part in parts if getattr(part, name)), getattr(parts[0], name))
        for name in ("no_start", "fixed_window_reason", "window_warning", "unitless")
    }
    return Source(
        np.concatenate([part.times for part in parts]),
        annotations={k: v for k, v in notes if all(part.annotations.get(k) == v for part in parts)},
        eps=max(part.eps for part in parts),
        **first,
        **more,
    )


def plain(value: Any) -> Any:
    """A NumPy scalar as the Python value that it equals; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def id_column(ids: Sequence[Any]) -> dict[str, list[Any]]:
    """The "id" column of units with these ids or names."""
    return {"id": [plain(one) for one in ids]}


def _of_items(
    trials: Sequence[Sequence[Any]], place: Callable[[int, int], str], expected: str = NESTING, **more: Any
) -> Source:
    """Items [trial][neuron], each a SpikeTrain or an array of seconds; `place` as of a `Source`."""
    n = len(trials[0])
    items = [item for trial in trials for item in trial]
    read = read_items(items, lambda k: place(*divmod(k, n)), expected)
    result = Source(
        read.times, read.train % n, read.train // n, n, len(trials), eps=read.eps, place=place, **more
    )
    if not all(isinstance(item, neo.SpikeTrain) for item in items):
        result.unitless = None if any(map(is_quantity, items)) else Unitless()
        return result
    result.units = _columns(trials)
    starts, stops = read.starts.reshape(-1, n), read.stops.reshape(-1, n)
    near = 1e-9 * max(1e-300, float(np.abs([starts, stops]).max()))
    for edge, values, ends in (("start", starts, starts.max(axis=1)), ("stop", stops, stops.min(axis=1))):
        unlike = np.flatnonzero(np.ptp(values, axis=1) > near)
        if unlike.size:
            k = int(unlike[0])
            message = different_windows(f"the spike trains of trial {k}", starts[k], stops[k])
            setattr(result, f"no_{edge}", f"{message}; or cut them first, train.time_slice(t_start, t_stop)")
        else:
            setattr(result, f"t_{edge}", ends)
    return result


def _columns(trials: Sequence[Sequence[neo.SpikeTrain]]) -> dict[str, list[Any]]:
    """Names and plain annotations of SpikeTrains, where they agree in all trials."""
    first = trials[0]
    columns: dict[str, list[Any]] = {}
    named = [[train.name for train in trial] for trial in trials]
    for i, names in enumerate(named):
        if names != named[0] and len(set(names)) > 1 and Counter(names) == Counter(named[0]):
            raise NsnnError(
                f"source[{i}] has the trains {shown(names)}, source[0] has {shown(named[0])}: expected the same order in all trials"
            )
    if any(named[0]) and all(names == named[0] for names in named):
        columns["name"] = [name or "" for name in named[0]]
    for key in first[0].annotations:
        rows = [[plain(train.annotations.get(key)) for train in trial] for trial in trials]
        kinds = {type(value) for value in rows[0]}
        if len(kinds) == 1 and kinds <= {str, int, float, bool} and all(row == rows[0] for row in rows):
            columns[str(key)] = rows[0]
    return {"id": list(range(len(first))), **columns} if columns else {}


def _listed(value: Any, where: str) -> list[Any]:
    if isinstance(value, neo.Block):
        raise NsnnError(f"{where} is a neo.Block already: measures, plots and save take it as it is")
    if isinstance(value, str | bytes | Mapping) or is_quantity(value) or not np.iterable(value):
        raise NsnnError(f"{where} = {shown(value)}: expected {NESTING}")
    return list(value)


def _is_train(value: Any) -> bool:
    """Whether a value holds plain times: an array or quantity of one dimension, or a list of numbers."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(one, int | float) for one in value)
    array = is_quantity(value) or (isinstance(value, np.ndarray) and value.dtype.kind in "biuf")
    return bool(array) and np.ndim(value) == 1


def nested(value: Any) -> Source:
    """Lists [trial][neuron] of arrays of seconds or of SpikeTrains; plain times are those of one neuron in one trial."""
    if _is_train(value):
        return _of_items([[value]], lambda i, j: "source", "times in seconds")
    if isinstance(value, np.ndarray) and value.ndim != 3 and value.dtype != object:
        raise NsnnError(f"source has shape {value.shape}: expected {NESTING}")
    trials = [_listed(trial, f"source[{i}]") for i, trial in enumerate(_listed(value, "source"))]
    if not trials or not trials[0]:
        raise NsnnError(f"source has {'no neurons' if trials else 'no trials'}: expected {NESTING}")
    for i, trial in enumerate(trials):
        if len(trial) != len(trials[0]):
            _of_items(trials[:1], lambda _, j: f"source[0][{j}]")  # one level too few, rather
            raise NsnnError(
                f"source[{i}] has {len(trial)} neurons, source[0] has {len(trials[0])}: expected as many, an empty array for a "
                "silent one"
            )
    return _of_items(trials, lambda i, j: f"source[{i}][{j}]")


def one_trial(trains: Any, name: str, signals: Sequence[Any] = ()) -> Source:
    """A sequence of SpikeTrains of one trial, called `name` in messages."""
    items = list(trains)
    if not items:
        raise NsnnError(
            f"{name} has no spike trains: expected one per neuron, an empty one for a silent neuron"
        )
    analog = [signal for signal in signals if isinstance(signal, neo.AnalogSignal)]
    return _of_items([items], lambda _, j: f"{name}[{j}]", name=name, signals=[analog])


def neo_source(value: Any) -> Source | None:
    """A SpikeTrain, a list of SpikeTrains, a Segment; None for anything else."""
    if isinstance(value, neo.SpikeTrain):
        return one_trial([value], "source")
    if isinstance(value, neo.Segment):
        others = ("irregularlysampledsignals", "imagesequences", "events", "epochs")
        if left_out := [kind for kind in others if len(getattr(value, kind))]:
            warn(
                f"source: {', '.join(left_out)} of the Segment are left out: put it into a neo.Block, "
                "block.segments.append(segment), which measures, cut and save take with all that it holds"
            )
        return one_trial(value.spiketrains, "source.spiketrains", value.analogsignals)
    listed = (
        isinstance(value, list | tuple) and value and all(isinstance(item, neo.SpikeTrain) for item in value)
    )
    return one_trial(value, "source") if listed or isinstance(value, SpikeTrainList) else None


def by_unit(value: Mapping[Any, Any], name: str = "source") -> Source:
    """A dict {unit: times} of one trial, as `SpikeMonitor.spike_trains()` makes it."""
    if not value:
        raise NsnnError(f"{name} is an empty dict: expected spike times by unit, {{unit: array of seconds}}")
    ids = [plain(unit) for unit in value]
    expected = f"{name}[unit] to be an array of times in seconds"
    result = _of_items([list(value.values())], lambda _, j: f"{name}[{ids[j]!r}]", expected, name=name)
    result.units = {} if ids == list(range(len(ids))) else {"id": ids}
    return result
