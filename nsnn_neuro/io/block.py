"""Build a neo.Block from flat arrays; SpikeTrain objects are created only when one is read.

`build_block` is the only function that lays out a Block: `simulate`, `to_block` and `load` all use it. `spikes.Trains` is the
way back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import neo
import numpy as np
import quantities as pq
from neo.core.spiketrainlist import SpikeTrainList

from ..core.errors import NsnnError
from .spikes import Trains, in_order


def sorted_ticks(
    trial: np.ndarray, neuron: np.ndarray, tick: np.ndarray, n_neurons: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All three sorted by trial, neuron, tick; as one packed integer where they fit, 4 times faster."""
    if in_order(tick, trial, neuron):
        return trial, neuron, tick
    low = int(tick.min())
    span = int(tick.max()) - low + 1
    if (int(trial.max()) + 1) * n_neurons * span < 2**63:
        packed = trial * n_neurons  # in place from here on: each of these may be of 10^7 and more
        packed += neuron
        packed *= span
        packed += tick
        packed -= low
        packed.sort()
        tick = packed % span
        tick += low
        packed //= span
        neuron = packed % n_neurons
        packed //= n_neurons
        return packed, neuron, tick
    order = np.lexsort((tick, neuron, trial))
    return trial[order], neuron[order], tick[order]


def _integers(values: Any, name: str, stop: int | None = None) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise NsnnError(
            f"{name} has shape {array.shape} and dtype {array.dtype}: expected a flat array of integers"
        )
    array = array.astype(np.int64, copy=False)
    if stop is not None and len(array) and not 0 <= array.min() <= array.max() < stop:
        raise NsnnError(f"{name} goes from {array.min()} to {array.max()}: expected 0 to {stop - 1}")
    return array


def analog_signal(
    values: Any, unit: Any, t_start: Any, rate: Any, annotations: Mapping[str, Any], **names: Any
) -> neo.AnalogSignal:
    """A signal with annotations of any name, also those of arguments of `neo.AnalogSignal`; t_start and rate are quantities."""
    signal = neo.AnalogSignal(values, units=unit, t_start=t_start, sampling_rate=rate, **names)
    signal.annotations.update(annotations)
    return signal


def like(
    signal: neo.AnalogSignal, values: np.ndarray, t_start: pq.Quantity, **changed: Any
) -> neo.AnalogSignal:
    """A signal like `signal`, which keeps its own segment, with other values and start."""
    about = {"name": signal.name, "description": signal.description, **changed}
    about.setdefault("array_annotations", dict(signal.array_annotations))
    return analog_signal(values, signal.units, t_start, signal.sampling_rate, signal.annotations, **about)


def build_block(
    trial: Any,
    neuron: Any,
    tick: Any = None,
    *,
    times: Any = None,
    dt: float | None = None,
    n_trials: int,
    n_neurons: int,
    t_start: Any,
    t_stop: Any,
    signals: Sequence[Sequence[neo.AnalogSignal]] | None = None,
    annotations: Mapping[str, Any] | None = None,
) -> neo.Block:
    """Block from flat arrays in any order, without a loop over neurons or spikes.

    Parameters
    ----------
    trial, neuron : (n_spikes,) integers, from 0
    tick : (n_spikes,) integers k, a spike at k dt; or else
    times : (n_spikes,) floats, s
    dt : s; annotated; needed with `tick`
    n_trials, n_neurons : silent ones included
    t_start, t_stop : s, one for all trials or (n_trials,)
    signals : for each trial the analog signals, which become the segment's own
    annotations : of the Block; a git_revision of None is left out

    Raises
    ------
    NsnnError : arrays of different length, an index out of range, or a spike outside its trial

    >>> block = build_block(trial=[0, 1, 1], neuron=[2, 0, 0], tick=[5, 9, 3], dt=0.001,
    ...                     n_trials=2, n_neurons=3, t_start=0.0, t_stop=0.01)
    >>> block.segments[1].spiketrains.multiplexed
    (array([0, 0]), array([0.003, 0.009]) * s)
    """
    trial, neuron = _integers(trial, "trial", n_trials), _integers(neuron, "neuron", n_neurons)
    if (tick is None) == (times is None) or (tick is not None and dt is None):
        raise NsnnError("expected either tick and dt or times")
    moment = np.asarray(times, dtype=float) + 0.0 if tick is None else _integers(tick, "tick")
    if not len(trial) == len(neuron) == moment.size == len(moment.ravel()):
        raise NsnnError(
            f"{len(trial)} trials, {len(neuron)} neurons and {moment.size} times of spikes: expected equal numbers"
        )
    if tick is None:
        if not in_order(moment, trial, neuron):  # sorting takes seconds for 10^7 spikes
            order = np.lexsort((moment, trial * n_neurons + neuron))
            trial, neuron, moment = trial[order], neuron[order], moment[order]
    else:
        trial, neuron, moment = sorted_ticks(trial, neuron, moment, n_neurons)
        moment = moment * float(dt or 0.0)
    starts = np.broadcast_to(np.asarray(t_start, dtype=float), n_trials)
    stops = np.broadcast_to(np.asarray(t_stop, dtype=float), n_trials)
    Trains(moment, neuron, trial, n_neurons, n_trials, starts, stops).check()

    block = neo.Block()
    given = dict(annotations or {})
    if dt is not None:
        given.setdefault("dt", float(dt))
    if given.get("git_revision", "") is None:
        del given["git_revision"]
    block.annotations.update(given)
    edges = np.searchsorted(trial, np.arange(n_trials + 1))
    channels = list(range(n_neurons))
    seconds = {float(moment): pq.Quantity(float(moment), pq.s) for moment in np.unique([*starts, *stops])}
    segments = []
    for i in range(n_trials):
        segment, spikes = neo.Segment(index=i), slice(edges[i], edges[i + 1])
        trains = SpikeTrainList.from_spike_time_array(
            pq.Quantity(moment[spikes], pq.s),
            neuron[spikes],
            all_channel_ids=channels,
            units=pq.s,  # without it the unit is read from the times, as text
            t_start=seconds[float(starts[i])],
            t_stop=seconds[float(stops[i])],
        )
        trains.segment = segment
        segment.spiketrains = trains
        for signal in signals[i] if signals is not None else ():
            segment.analogsignals.append(signal)
        segments.append(segment)
    block.segments.extend(segments)  # append looks through all that are there
    return block


def block_of(spikes: Any, **more: Any) -> neo.Block:
    """Block of flat spikes, a `Trains` or a `Source`; further arguments as of `build_block`."""
    names = ("trial", "neuron", "times", "n_trials", "n_neurons", "t_start", "t_stop")
    return build_block(**{name: getattr(spikes, name) for name in names}, **more)
