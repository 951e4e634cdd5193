"""Spike trains from and to objects of other packages: Brian2, Elephant, pynapple, SpikeInterface, pandas, NEST, xarray.

None of them is imported to recognise an object: a package whose object is given has been imported already.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

import neo
import numpy as np
from neo.core.objectlist import ObjectList
from neo.core.spiketrainlist import SpikeTrainList

from ...core.checks import positive, scalar
from ...core.errors import NsnnError
from ...core.units import refuse_masked, shown
from . import dataframes, sources
from .arrays import RESOLUTION, block_from
from .bins import rounding
from .doubts import Unitless
from .sources import Source, id_column, plain

_MONITOR = "brian2.monitors.spikemonitor", "EventMonitor"
_ANALYZER = "spikeinterface.core", "SortingAnalyzer"
_MILLI = 1e-3  # NEST's times are in ms
_HIGHEST_RATE = 1e12  # Hz, that a sorting may have


def read(value: Any, t_start: Any = None, t_stop: Any = None, bin_width: Any = None) -> Source:
    """The spikes of whatever `to_block` takes, each inside its trial, from t_start to t_stop or as the source says."""
    if bin_width is not None:
        result = sources.raster(value, positive(bin_width, "s", "bin_width"), t_start)
    elif single := _single(value):
        result = single
    elif isinstance(value, list | tuple | ObjectList) and len(value) and all(map(_is_trial, value)):
        parts = [part for part in map(_single, value) if part is not None]  # all of them are
        result = sources.joined(parts, [f"source[{k}]" for k in range(len(parts))])
    else:
        result = sources.nested(value)
    return result.placed(t_start, t_stop)


def _is_trial(item: Any) -> bool:
    """Whether an item of a list is a trial, or several, by itself, though it is no list of neurons."""
    if is_a(item, *_MONITOR) or is_a(item, "pynapple", "Ts"):
        raise NsnnError(
            f"source is a list of {type(item).__name__}s: trials, or neurons of one? For neurons pass a TsGroup, or of populations "
            '{"E": monitor, "I": monitor}; for trials a list of TsGroups, or monitor.spike_trains() of each run'
        )
    lists = isinstance(item, SpikeTrainList) and not isinstance(item, list)
    known = isinstance(item, neo.Segment | Mapping) or is_a(item, "pandas", "DataFrame")
    return lists or known or is_a(item, "pynapple", "TsGroup") or is_a(item, *_ANALYZER) or _is_sorting(item)


def _single(value: Any) -> Source | None:
    """The spikes of one object, or None for lists of numbers and for what is no source."""
    result = sources.neo_source(value)
    if result is not None:
        return result
    if is_a(value, *_MONITOR):
        return _of_monitor(value, "source")
    if is_a(value, "elephant.trials", "Trials"):
        return _of_elephant(value)
    if is_a(value, "pynapple", "TsGroup"):
        return _of_pynapple(value, {int(k): value[k].t for k in value})
    if is_a(value, "pynapple", "Ts"):
        return _of_pynapple(value, {0: value.t})
    if is_a(value, *_ANALYZER):
        return _of_analyzer(value)
    if _is_sorting(value):
        return _of_sorting(value)
    if is_a(value, "pandas", "DataFrame"):
        return _of_nest(value) if _is_nest(value) else dataframes.read(value)
    if isinstance(value, Mapping):
        if "events" in value and isinstance(value["events"], Mapping) and _is_nest(value["events"]):
            return _of_nest(value["events"], "source['events']")  # the status of a spike recorder
        if _is_nest(value):
            return _of_nest(value)
        if "senders" in value or "times" in value:
            raise NsnnError(
                f"source has the keys {shown(list(value))}: expected the events of NEST's spike recorder, {{'senders': neurons, "
                "'times': times in ms}; or {unit: times in seconds}"
            )
        if any(is_a(one, "pynapple", "Ts") for one in value.values()):
            raise NsnnError(
                "source is a dict of Ts: expected a TsGroup, such as pynapple.TsGroup(source, time_support=...)"
            )
        if value and all(is_a(one, *_MONITOR) for one in value.values()):
            return sources.side_by_side({k: _of_monitor(m, f"source[{k!r}]") for k, m in value.items()})
        if value and all(isinstance(one, Mapping) for one in value.values()):
            _check_populations(value)
            return sources.side_by_side(
                {
                    k: (_of_nest if _is_nest(v) else sources.by_unit)(v, f"source[{k!r}]")
                    for k, v in value.items()
                }
            )
        return sources.by_unit(value)
    _refuse_relatives(value)
    return None


def is_a(value: Any, module: str, name: str) -> bool:
    """Whether `value` is an instance of a class of a package that may not be installed.

    >>> is_a([], "pynapple", "Ts")
    False
    """
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _is_sorting(value: Any) -> bool:
    return all(
        callable(getattr(value, name, None))
        for name in ("get_unit_ids", "get_unit_spike_train", "get_sampling_frequency")
    )


def _refuse_relatives(value: Any) -> None:
    """Refuse objects that come with spikes, and are none."""
    packages = {base.__module__.partition(".")[0] for base in type(value).__mro__}
    expected = None
    if "pynapple" in packages:
        expected = "spikes, a Ts or TsGroup of pynapple"
    elif "brian2" in packages and not isinstance(value, np.ndarray):
        expected = "its spikes, to_block(monitor) after monitor = SpikeMonitor(group) and run(...)"
    elif callable(getattr(value, "get_traces", None)):
        expected = "the sorting of its spikes"
    elif isinstance(value, str | os.PathLike):
        raise NsnnError(f"source = {shown(os.fspath(value))}: expected spike times{block_from(value)}")
    if expected:
        raise NsnnError(f"source = {type(value).__name__} object: expected {expected}")


def _is_nest(events: Any) -> bool:
    """Whether a dict or table is what NEST's spike recorder has recorded."""
    return "senders" in events and "times" in events


def _check_populations(value: Mapping[Any, Mapping[Any, Any]]) -> None:
    """Refuse a dict of dicts {unit: times} that may be trials or conditions: numbers as keys, or the same units in several."""
    numbers = [k for k in value if isinstance(plain(k), int | float)]
    ids = [one for units in value.values() if not _is_nest(units) for one in units if isinstance(one, str)]
    same = [one for one, number in Counter(ids).items() if number > 1]
    if numbers or same:
        result = f"the key {shown(numbers[0])}" if numbers else f"the unit {shown(same[0])} several times"
        raise NsnnError(
            f"source is a dict of dicts with {result}: trials or populations? For trials pass a list of the dicts, "
            "to_block(list(source.values()), labels=list(source), ...); populations have texts as keys, and units whose names "
            "differ, {'E': {'E0': times}, 'I': {'I0': times}}"
        )


def _of_monitor(monitor: Any, name: str) -> Source:
    """The spikes of a Brian2 monitor; a trial ends at the time that its clock has reached."""
    try:
        neuron, times = np.array(monitor.i[:], dtype=np.int64), np.array(monitor.t_[:], dtype=float)
    except AttributeError:
        raise NsnnError(
            f"{name} = {monitor.name!r} has counted spikes but recorded none: expected SpikeMonitor(..., record=True)"
        ) from None
    except NotImplementedError:  # C++ standalone, before the run
        raise NsnnError(f"{name} = {monitor.name!r} has not run yet: call run first") from None
    end, dt = float(np.asarray(monitor.clock.t_[:])), float(np.asarray(monitor.clock.dt_))
    notes = {"dt": dt} if (np.rint(times / dt) * dt == times).all() else {}
    result = Source(
        times, neuron, np.zeros_like(neuron), len(monitor.source), 1, annotations=notes, name=name
    )
    if end > 0:
        result.t_stop = np.array([end])
    else:
        result.no_stop = f"{name} = {monitor.name!r} has not run yet, so that no end is known: call run first, or pass t_stop"
    return result


def _of_elephant(trials: Any) -> Source:
    """The trials of an Elephant `Trials` object, with their analog signals."""
    parts, names = [], []
    for k in range(trials.n_trials):
        names.append(f"trial {k} of source")
        signals = trials.get_analogsignals_from_trial_as_list(k)
        parts.append(sources.one_trial(trials.get_spiketrains_from_trial_as_list(k), names[-1], signals))
    if not parts:
        raise NsnnError(f"source = {type(trials).__name__} object without trials: expected at least one")
    return sources.joined(parts, names)


def _of_pynapple(value: Any, times: dict[int, np.ndarray]) -> Source:
    """Spikes of pynapple; each epoch of the time support is a trial, and several of them have clocks that start at 0."""
    if not times:
        raise NsnnError(f"source = {type(value).__name__} object without units: expected at least one")
    arrays = [np.asarray(one, dtype=float) for one in times.values()]
    support = np.asarray(value.time_support.values, dtype=float).reshape(-1, 2)
    every = np.sort(np.concatenate([np.empty(0), *arrays]))
    window_warning = ""
    if support.size and every.size and np.isin(support, every).all():
        window_warning = (
            "the time support begins and ends with a spike, as pynapple assumes when none is given, and rates are then too high: "
            "pass t_start and t_stop, or make the object with time_support="
        )
    units = id_column(list(times))
    for column in getattr(value, "metadata_columns", ()):
        if column != "rate":
            units[str(column)] = [plain(one) for one in np.asarray(value.get_info(column)).tolist()]
    if len(support) < 2:
        result = sources.of_trains(arrays, 1, len(arrays), units=units, window_warning=window_warning)
        if len(support):
            result.t_start, result.t_stop = support[:, 0], support[:, 1]
        return result
    start, stop = support.T
    apart = rounding(support)
    notes = {RESOLUTION: apart} if apart > rounding(stop - start) else {}
    parts: list[np.ndarray] = []
    for a, b in support:  # pynapple keeps epochs apart, so that no spike is in two of them
        for one in arrays:
            ordered = np.sort(one)
            inside = slice(*np.searchsorted(ordered, [a, np.nextafter(b, np.inf)]))
            parts.append(ordered[inside] - a)
    return sources.of_trains(
        parts,
        len(support),
        len(arrays),
        units=units,
        annotations=notes,
        t_start=np.zeros(len(support)),
        t_stop=stop - start,
        trials=[{"start_time": float(a)} for a in start],
        window_warning=window_warning,
        fixed_window_reason=f"the time support of source has {len(support)} epochs, each of which becomes a trial that starts at "
        "0: change them with source.restrict(pynapple.IntervalSet(start, end))",
    )


def _of_sorting(sorting: Any) -> Source:
    """The units of a SpikeInterface sorting; each of its segments is a trial."""
    ids = [plain(unit) for unit in sorting.get_unit_ids()]
    if not ids:
        raise NsnnError(f"source = {type(sorting).__name__} object without units: expected at least one")
    rate = scalar(
        sorting.get_sampling_frequency(),
        "1",
        "sampling frequency (Hz) of source",
        above=0,
        most=_HIGHEST_RATE,
    )
    number = int(sorting.get_num_segments()) if hasattr(sorting, "get_num_segments") else 1
    recorded = bool(sorting.has_recording()) if hasattr(sorting, "has_recording") else False

    def clock(frames: np.ndarray, segment: int) -> np.ndarray:
        """Times (s) of sample numbers; as multiples of 1 / rate where they are."""
        grid = np.asarray(frames, dtype=float) * (1 / rate)
        if not hasattr(sorting, "sample_index_to_time"):
            return grid
        stated = np.asarray(sorting.sample_index_to_time(frames, segment_index=segment), dtype=float)
        return grid if np.allclose(stated, grid, rtol=0, atol=1e-3 / rate) else stated

    arrays, edges = [], []
    for k in range(number):
        arrays += [clock(np.asarray(sorting.get_unit_spike_train(unit, segment_index=k)), k) for unit in ids]
        first = clock(np.zeros(1, dtype=np.int64), k)[0]
        last = clock(np.array([sorting.get_num_samples(k) - 1]), k)[0] + 1 / rate if recorded else np.nan
        edges.append((float(first), float(last)))
    starts, stops = np.array(edges).T
    columns = id_column(ids)
    for key in sorting.get_property_keys() if hasattr(sorting, "get_property_keys") else ():
        values = np.asarray(sorting.get_property(key))
        if values.ndim == 1 and values.dtype.kind in "biufU":
            columns[str(key)] = values.tolist()
    return sources.of_trains(
        arrays,
        number,
        len(ids),
        units=columns,
        annotations={"dt": 1 / rate},
        t_start=starts,
        t_stop=stops if recorded else None,
        no_stop="a sorting without its recording doesn't say when it ends: pass t_stop, such as "
        "t_stop=recording.get_total_duration()*second, or call sorting.register_recording(recording)",
    )


def _of_analyzer(analyzer: Any) -> Source:
    """The sorting of a SpikeInterface SortingAnalyzer, which knows how long the recording is; its metrics are columns of units."""
    result = _of_sorting(analyzer.sorting)
    if result.t_stop is None and result.t_start is not None:
        samples = [analyzer.get_num_samples(k) for k in range(result.n_trials)]
        result.t_stop = result.t_start + np.array(samples) / analyzer.sampling_frequency
    if analyzer.has_extension("quality_metrics"):
        metrics = analyzer.get_extension("quality_metrics").get_data().loc[list(analyzer.unit_ids)]
        result.units |= {
            str(key): metrics[key].tolist() for key in metrics if metrics[key].dtype.kind in "biuf"
        }
    return result


def _of_nest(events: Any, name: str = "source") -> Source:
    """What NEST's spike recorder has recorded: senders, and times in ms; "ids" adds neurons that never fired."""
    if "offsets" in events:
        raise NsnnError(
            f"{name} has offsets, so that its times are steps: record with time_in_steps=False, or pass times in ms as "
            "dict(senders=..., times=...)"
        )
    for key in ("senders", "times"):
        refuse_masked(events[key], f"{name}[{key!r}]")
    senders, times = (np.asarray(events[key]) for key in ("senders", "times"))
    if senders.ndim != 1 or senders.shape != times.shape or (senders.dtype.kind not in "iu" and senders.size):
        raise NsnnError(
            f"{name} has {senders.size} senders of type {senders.dtype} and {times.size} times: expected as many, and whole numbers"
        )
    if times.size and times.dtype.kind not in "iuf":
        raise NsnnError(
            f"{name}['times'] holds {times.dtype} values: expected times in ms, as NEST records them"
        )
    ids = np.unique(senders)
    if "ids" in events:
        ids = np.asarray(list(events["ids"]), dtype=np.int64)
        if len(np.unique(ids)) < len(ids) or not np.isin(senders, ids).all():
            raise NsnnError(f"{name}['ids'] = {shown(events['ids'])}: expected all senders, each once")
    if not ids.size:
        raise NsnnError(
            f"{name} has no senders: nothing fired; list the neurons, dict(events, ids=neurons.tolist())"
        )
    order = np.argsort(ids)
    neuron = order[np.searchsorted(ids[order], senders)]
    seconds = times.astype(float) * _MILLI
    train = np.zeros_like(neuron)
    return Source(
        seconds,
        neuron,
        train,
        len(ids),
        1,
        units=id_column(ids.tolist()),
        name=name,
        unitless=Unitless(milliseconds=True),
    )
