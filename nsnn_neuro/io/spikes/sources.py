"""What `to_block` reads: spike times of one or more trials as flat arrays, with what the source says about units and duration.

`Source` is the common form. This module makes one from lists, dicts and objects of Neo; `packages` from objects of other
packages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import neo
import numpy as np
from neo.core.spiketrainlist import SpikeTrainList

from ...core import units
from ...core.errors import NsnnError
from ...core.warn import warn
from ..block import analog_signal
from . import doubts
from .arrays import different_windows, seconds
from .bins import EPS, rounding, spacing

NESTING = "expected source[trial][neuron] to be an array of times in seconds"
NO_END = "the source doesn't say when its trials end, and the last spike is not the end: pass t_stop, such as t_stop=2*second"


@dataclass
class Source:
    """Spikes of `n_trials` trials of `n_neurons` units, in any order."""

    times: np.ndarray
    """(n_spikes,) s"""
    neuron: np.ndarray
    """(n_spikes,) int"""
    trial: np.ndarray
    """(n_spikes,) int"""
    n_neurons: int
    n_trials: int
    t_start: np.ndarray | None = None
    """(n_trials,) s; None: the source doesn't say"""
    t_stop: np.ndarray | None = None
    """(n_trials,) s; None: the source doesn't say"""
    no_start: str | None = None
    """why there is no t_start where 0 s would be wrong"""
    no_stop: str = NO_END
    """why there is no t_stop, and the cure"""
    units: dict[str, list[Any]] = field(default_factory=dict)
    """"id" and further columns, a value per unit"""
    annotations: dict[str, Any] = field(default_factory=dict)
    """of the Block"""
    trials: list[dict[str, Any]] = field(default_factory=list)
    """annotations of each segment"""
    signals: list[list[neo.AnalogSignal]] = field(default_factory=list)
    """of each trial"""
    name: str = "source"
    """how messages call it"""
    spike: Callable[[int], str] | None = None
    """how messages call spike number k"""
    sealed: str | None = None
    """why t_start and t_stop can't be given"""
    caution: str | None = None
    """what to warn of unless t_start and t_stop are given"""
    eps: float = EPS
    """relative spacing of the numbers that the times were stored in"""
    unitless: bool = False
    """whether the times are numbers without a unit, so that they may be milliseconds by mistake"""
    milliseconds: bool = False
    """whether the times were numbers that are taken as milliseconds, so that they may be seconds by mistake"""
    tabular: bool = False
    """whether the times are a column of a DataFrame"""

    def inside(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """The spike times, (n_spikes,) s, each in its trial but for rounding; a warning where they are hardly seconds."""
        train = self.trial * self.n_neurons + self.neuron
        if self.unitless:
            doubts.refuse_counts(self.times, train, self.name, self.tabular)
        low, high = start[self.trial], stop[self.trial]
        apart = rounding(start, stop)
        outside = ~((self.times >= low - apart) & (self.times <= high + apart))
        if outside.any():
            k = int(np.argmax(outside))
            raise NsnnError(self.outside(k, float(low[k]), float(high[k])))
        if self.unitless:
            lasting = float((stop - start).sum())
            doubt = doubts.doubt(self.times, train, self.n_neurons, lasting, self.name, self.tabular)
            if doubt:
                warn(doubt)
        if self.milliseconds:
            doubt = doubts.doubt_milliseconds(
                self.times, float(low.min(initial=0.0)), float(stop.max()), self.name
            )
            if doubt:
                warn(doubt)
        return np.clip(self.times, low, high)

    def outside(self, k: int, start: float, stop: float) -> str:
        """What is wrong with spike number k, outside its trial from `start` to `stop` (s), and the cure."""
        own = self.times[(self.trial == self.trial[k]) & (self.neuron == self.neuron[k])]
        return (
            f"{self.called(k)} lies outside t_start = {start:.9g} s to t_stop = {stop:.9g} s: "
            + _why_outside(own, start, stop, not self.unitless)
        )

    def called(self, k: int) -> str:
        """Spike number k, for messages."""
        if self.spike is not None:
            return f"{self.spike(k)} = {self.times[k]:.9g} s"
        unit = self.units["id"][self.neuron[k]] if "id" in self.units else int(self.neuron[k])
        trial = f" in trial {self.trial[k]}" if self.n_trials > 1 else ""
        return f"{self.name}: the spike of unit {unit!r}{trial} at {self.times[k]:.9g} s"


def _why_outside(times: np.ndarray, t_start: float, t_stop: float, has_unit: bool) -> str:
    """What is wrong with times of which some are outside the trial, and the cure."""
    low, high = float(times.min()), float(times.max())
    if not np.isfinite([low, high]).all():
        return "expected finite times"
    cures, largest = [], max(-low, high)
    if not has_unit and largest > 10 * (t_stop - t_start) and largest / 1000 <= max(-t_start, t_stop):
        cures.append("expected times in seconds (divide milliseconds by 1000)")
    elif not has_unit and high > 100 * (t_stop - t_start) and doubts.are_whole(times):
        cures.append("expected times in seconds (divide sample numbers by the sampling rate)")
    elif high > t_stop:
        cures.append(
            "the trial ends before it; give a later t_stop, or cut a long recording into trials and subtract the start of each"
        )
    if low < t_start:
        scale = 1000 if cures and "1000" in cures[0] else 1
        first = np.floor(low / scale * 10) / 10
        cures.append(
            "times before t_start (for instance before an event at time 0) need an earlier t_start, such as "
            f"t_start={first:g}*second"
        )
    return "; ".join(cures)


def of_trains(times: Sequence[np.ndarray], n_trials: int, n_neurons: int, **more: Any) -> Source:
    """A Source of one array per train, all neurons of trial 0 first."""
    train = np.repeat(np.arange(len(times)), [len(t) for t in times])
    flat = np.concatenate([np.empty(0), *times])
    return Source(flat, train % n_neurons, train // n_neurons, n_neurons, n_trials, **more)


def joined(parts: Sequence[Source], names: Sequence[str]) -> Source:
    """The trials of several sources of the same units, one after the other; `names` are for messages."""
    first = parts[0]
    for part, name in zip(parts, names, strict=True):
        if part.n_neurons != first.n_neurons:
            raise NsnnError(
                f"{name} has {part.n_neurons} units, {names[0]} has {first.n_neurons}: expected the same units in every trial, "
                "an empty train for a silent one"
            )
        if part.units.get("id") != first.units.get("id"):
            raise NsnnError(
                f"{name} has the units {units.shown(part.units.get('id'))}, {names[0]} has "
                f"{units.shown(first.units.get('id'))}: expected the same units in the same order"
            )
    begin = np.cumsum([0, *(part.n_trials for part in parts)])
    columns = {k: v for k, v in first.units.items() if all(p.units.get(k) == v for p in parts)}
    notes = {k: v for k, v in first.annotations.items() if all(p.annotations.get(k) == v for p in parts)}

    def edges(which: str) -> np.ndarray | None:
        values = [getattr(part, which) for part in parts]
        return None if any(v is None for v in values) else np.concatenate(values)

    return Source(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.neuron for part in parts]),
        np.concatenate([part.trial + k for part, k in zip(parts, begin, strict=False)]),
        first.n_neurons,
        int(begin[-1]),
        t_start=edges("t_start"),
        t_stop=edges("t_stop"),
        no_start=next((part.no_start for part in parts if part.no_start), None),
        no_stop=next((part.no_stop for part in parts if part.t_stop is None), NO_END),
        units=columns,
        annotations=notes,
        trials=[row for part in parts for row in part.trials or [{}] * part.n_trials],
        signals=[own for part in parts for own in part.signals or [[]] * part.n_trials],
        eps=max(part.eps for part in parts),
        unitless=any(part.unitless for part in parts),
        milliseconds=any(part.milliseconds for part in parts),
        tabular=any(part.tabular for part in parts),
        caution=next((part.caution for part in parts if part.caution), None),
        sealed=next((part.sealed for part in parts if part.sealed), None),
    )


def side_by_side(parts: Mapping[str, Source]) -> Source:
    """Populations of one network, by name, as one Source: the neurons of the first population come first."""
    sources, names = list(parts.values()), list(parts)
    for name, part in parts.items():
        if not np.array_equal(
            np.asarray(part.t_stop, float), np.asarray(sources[0].t_stop, float), equal_nan=True
        ):
            raise NsnnError(
                f"source[{name!r}] ends at {part.t_stop} s, source[{names[0]!r}] at {sources[0].t_stop} s: expected populations "
                "of one run"
            )
    begin = np.cumsum([0, *(part.n_neurons for part in sources)])
    first = sources[0]
    notes = {k: v for k, v in first.annotations.items() if all(p.annotations.get(k) == v for p in sources)}
    sizes = [{"name": str(name), "size": part.n_neurons} for name, part in parts.items()]
    ids = [one for part in sources for one in part.units.get("id", range(part.n_neurons))]
    return Source(
        np.concatenate([part.times for part in sources]),
        np.concatenate([part.neuron + k for part, k in zip(sources, begin, strict=False)]),
        np.concatenate([part.trial for part in sources]),
        int(begin[-1]),
        first.n_trials,
        t_start=first.t_start,
        t_stop=first.t_stop,
        no_stop=first.no_stop,
        units=id_column(ids) if any(part.units for part in sources) else {},
        eps=max(part.eps for part in sources),
        milliseconds=any(part.milliseconds for part in sources),
        unitless=any(part.unitless for part in sources),
        tabular=any(part.tabular for part in sources),
        annotations={**notes, "populations": sizes},
    )


def plain(value: Any) -> Any:
    """A NumPy scalar as the Python value that it equals; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def id_column(ids: Sequence[Any]) -> dict[str, list[Any]]:
    """The "id" column of units with these ids or names."""
    return {"id": [plain(one) for one in ids]}


def _times(item: Any, where: str, expected: str = NESTING) -> np.ndarray:
    """One train in seconds; NsnnError names what is wrong with it."""
    if isinstance(item, neo.SpikeTrain):
        times = seconds(item)
    else:
        if units.is_quantity(item):
            item = units.si(item, "s", where)
        units.refuse_masked(item, where)
        try:
            times = np.asarray(item)
        except ValueError:
            times = np.asarray([item], dtype=object)
        if times.ndim == 0:
            raise NsnnError(f"{where} = {units.shown(item)} is a single value: {expected}")
        if times.ndim > 1 or times.dtype == object:
            raise NsnnError(f"{where} is nested too deeply: {expected}")
        if times.size and times.dtype.kind not in "iuf":
            cure = "; those of a raster are numpy.flatnonzero(raster) * bin_width" * (times.dtype.kind == "b")
            raise NsnnError(f"{where} holds {times.dtype} values: {expected}{cure}")
        times = times.astype(float)
    if np.isnan(times).any():
        raise NsnnError(f"{where}[{int(np.argmax(np.isnan(times)))}] is NaN: expected times in seconds")
    return times


def _spacing(items: Iterable[Any]) -> float:
    """The largest relative spacing of the numbers of these trains."""
    kinds = {getattr(one, "dtype", None) for one in items}  # few; lists of numbers are of double precision
    return max((spacing(np.empty(0, kind)) for kind in kinds if isinstance(kind, np.dtype)), default=EPS)


def _listed(value: Any, where: str) -> list[Any]:
    single = isinstance(value, str | bytes | Mapping | neo.Block) or units.is_quantity(value)
    if isinstance(value, neo.Block):
        raise NsnnError(f"{where} is a neo.Block already: measures, plots and save take it as it is")
    if single or not np.iterable(value):
        raise NsnnError(f"{where} = {units.shown(value)}: {NESTING}")
    return list(value)


def nested(value: Any) -> Source:
    """Lists [trial][neuron] of arrays of seconds or of SpikeTrains."""
    trials = [_listed(trial, f"source[{i}]") for i, trial in enumerate(_listed(value, "source"))]
    if not trials or not trials[0]:
        raise NsnnError(f"source has {'no neurons' if trials else 'no trials'}: {NESTING}")
    n = len(trials[0])
    arrays = []
    for i, trial in enumerate(trials):
        arrays += [_times(item, f"source[{i}][{j}]") for j, item in enumerate(trial)]
        if len(trial) != n:
            raise NsnnError(
                f"source[{i}] has {len(trial)} neurons, source[0] has {n}: expected as many, an empty array for a silent one"
            )
    result = of_trains(arrays, len(trials), n, eps=_spacing(item for trial in trials for item in trial))
    result.unitless = not any(units.is_quantity(item) for trial in trials for item in trial)
    ends = np.cumsum([len(a) for a in arrays])

    def spike(k: int) -> str:
        train = int(np.searchsorted(ends, k, "right"))
        return f"source[{train // n}][{train % n}][{k - (ends[train - 1] if train else 0)}]"

    result.spike = spike
    _own_windows(result, trials)
    result.units = _columns(trials)
    return result


def one_trial(trains: Any, name: str, signals: Sequence[neo.AnalogSignal] = ()) -> Source:
    """A sequence of SpikeTrains of one trial, called `name` in messages."""
    items = list(trains)
    if not items:
        raise NsnnError(
            f"{name} has no spike trains: expected one per neuron, an empty one for a silent neuron"
        )
    result = of_trains(
        [_times(item, f"{name}[{j}]") for j, item in enumerate(items)],
        1,
        len(items),
        name=name,
        eps=_spacing(items),
    )
    _own_windows(result, [items])
    result.units = _columns([items])
    result.signals = [[_copied(signal) for signal in signals if isinstance(signal, neo.AnalogSignal)]]
    return result


def _copied(signal: neo.AnalogSignal) -> neo.AnalogSignal:
    names = {"name": signal.name, "description": signal.description}
    clock = signal.t_start, signal.sampling_rate
    return analog_signal(
        np.array(signal.magnitude),
        signal.units,
        *clock,
        signal.annotations,
        array_annotations=dict(signal.array_annotations),
        **names,
    )


def _own_windows(result: Source, trials: Sequence[Sequence[Any]]) -> None:
    """Set the window of each trial where all its trains are SpikeTrains with the same one."""
    if not all(isinstance(item, neo.SpikeTrain) for trial in trials for item in trial):
        return
    edges = np.array(
        [[[float(seconds(t.t_start)), float(seconds(t.t_stop))] for t in trial] for trial in trials]
    )
    starts, stops = edges[..., 0], edges[..., 1]
    cure = "; or cut them first, train.time_slice(t_start, t_stop)"
    for values, which in ((starts, "t_start"), (stops, "t_stop")):
        unlike = np.flatnonzero(np.ptp(values, axis=1) > 1e-9 * max(1e-300, float(np.abs(edges).max())))
        if unlike.size:
            k = int(unlike[0])
            message = different_windows(f"the spike trains of trial {k}", starts[k], stops[k]) + cure
            setattr(result, "no_start" if which == "t_start" else "no_stop", message)
        else:
            setattr(result, which, (values.max if which == "t_start" else values.min)(axis=1))


def _columns(trials: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """Names and plain annotations of SpikeTrains, where they agree in all trials."""
    if not all(isinstance(item, neo.SpikeTrain) for trial in trials for item in trial):
        return {}
    first = trials[0]
    columns: dict[str, list[Any]] = {}
    named = [[train.name for train in trial] for trial in trials]
    for i, names in enumerate(named):
        if (
            names != named[0]
            and sorted(map(str, names)) == sorted(map(str, named[0]))
            and len(set(names)) > 1
        ):
            raise NsnnError(
                f"source[{i}] has the trains {units.shown(names)}, source[0] has {units.shown(named[0])}: expected the same order "
                "in every trial"
            )
    if any(name for name in named[0]) and all(names == named[0] for names in named):
        columns["name"] = [name or "" for name in named[0]]
    for key in first[0].annotations:
        rows = [[plain(train.annotations.get(key)) for train in trial] for trial in trials]
        kinds = {type(value) for value in rows[0]}
        if len(kinds) == 1 and kinds <= {str, int, float, bool} and all(row == rows[0] for row in rows):
            columns[str(key)] = rows[0]
    if columns and "id" not in columns:
        columns = {"id": list(range(len(first))), **columns}
    return columns


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
    if isinstance(value, SpikeTrainList):
        return one_trial(value, "source")
    if isinstance(value, list | tuple) and value and all(isinstance(item, neo.SpikeTrain) for item in value):
        return one_trial(value, "source")
    return None


def by_unit(value: Mapping[Any, Any], name: str = "source") -> Source:
    """A dict {unit: times} of one trial, as `SpikeMonitor.spike_trains()` makes it."""
    if not value:
        raise NsnnError(f"{name} is an empty dict: expected spike times by unit, {{unit: array of seconds}}")
    expected = f"expected {name}[unit] to be an array of times in seconds"
    arrays = [_times(times, f"{name}[{unit!r}]", expected) for unit, times in value.items()]
    result = of_trains(arrays, 1, len(arrays), name=name, eps=_spacing(value.values()))
    result.unitless = not any(units.is_quantity(item) for item in value.values())
    if [plain(unit) for unit in value] != list(range(len(arrays))):
        result.units = id_column(list(value))
    trains = list(value.values())
    _own_windows(result, [trains])
    return result
