"""Choose trials and units of a Block, and join or split Blocks by condition.

A trial's condition is the annotation "label" of its Segment; `cut` and `join` write it, and `conditions` reads it or any other
annotation, such as a column of the table of trials in an NWB file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import neo
import numpy as np
import quantities as pq

from ..core.aliases import SpikeSource
from ..core.checks import did_you_mean, instance, one_of, suggest_keywords
from ..core.errors import NsnnError
from ..core.units import shown
from .event_times import plain_labels
from .json_codec import dumps
from .lookup import LABEL, chosen_trials, chosen_units, in_order, population_names, refuse_missing, sizes_of
from .segments import coarseness, moved, rebuilt, shifted, unit_table
from .spikes import Trains
from .spikes.arrays import check_block, check_same_units

JOINED = "joined"  # Annotation of a joined Block: for each of the Blocks what is not the same in all of them


@suggest_keywords
def conditions(block: SpikeSource, name: str = LABEL) -> np.ndarray:
    """The condition of each trial, (n_trials,): the annotation of that name of the Segments, numbers or texts.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    name : of the annotation; "label" (default) is what `cut` and `join` write, and columns of an NWB file's table of trials have
        their own names

    Raises
    ------
    NsnnError : not a Block; a segment without such an annotation, or with one that is no number or text

    >>> import quantities as pq
    >>> from nsnn_neuro import cut, to_block
    >>> trials = cut(to_block([[[0.2]]], t_stop=4*pq.s), [1, 3], before=1*pq.s, after=1*pq.s, labels=["left", "right"])
    >>> conditions(trials)
    array(['left', 'right'], dtype='<U5')
    """
    check_block(block, "block")
    instance(name, str, "name", "the name of an annotation of the trials, as text")
    known = [segment.annotations for segment in block.segments]
    lacking = [k for k, one in enumerate(known) if name not in one]
    if lacking:
        shared = sorted(set.intersection(*(set(map(str, one)) for one in known)))
        few = len(lacking) < len(known)
        number = f"{len(lacking)} of {len(known)} segments lack it" if few else "no segment has it"
        cure = "; to_block, cut and join take labels=" if name == LABEL else did_you_mean(name, shared)
        raise NsnnError(f"name = {name!r}: {number}; all segments have the annotations {shared}{cure}")
    values = plain_labels([one[name] for one in known], f"annotation {name!r}")
    kinds = {isinstance(value, str) for value in values}
    return np.array(values, dtype=object if len(kinds) > 1 else None)


@suggest_keywords
def select(block: SpikeSource, *, trials: Any = None, units: Any = None) -> neo.Block:
    """A Block of the chosen trials and units, with their annotations, signals, images, events, epochs and table of units.

    A channel of a signal that belongs to a neuron (its array annotation "neuron", as `simulate(record_v=...)` makes it) goes with
    its neuron; numbers in a signal "v of NAME" are those within the population NAME. Other signals are kept. Data of signals are
    shared with `block`, read-only.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    trials, units : None (all), a number, an array of numbers (from 0; negative ones count from the end), an array of booleans, one
        for each trial or unit, a slice, or a dict such as {"orientation": 90} or {"area": ["V1", "LM"]}: the annotations of the
        Segments, or columns of the table "units", and the values to keep. A text, or a list of texts, is a label of trials; of
        units a name, an id, a population or a condition such as "area == 'V1' and firing_rate > 1", which compares columns with
        numbers and texts (==, !=, <, <=, >, >=, in; and, or, not); firing_rate (Hz) is computed where it is no column. Ids and
        labels may be numbers or texts: "7" and {"id": 7} find the unit 7, and 7 alone is a position. A Series or Index of pandas
        is taken as the list of its values

    Raises
    ------
    NsnnError : no such trial, unit, name, id or column; nothing left; booleans of another number; populations torn apart by the
        order. Of several values of another column those that none has are named in a warning

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1], [0.2]], [[0.3], [0.4]], [[0.5], [0.6]]], t_stop=1*pq.s)
    >>> chosen = select(block, trials=[2, 0], units=[False, True])
    >>> [segment.spiketrains[0].magnitude.tolist() for segment in chosen.segments]
    [[0.6], [0.2]]
    """
    spikes = Trains.from_block(block)
    table = unit_table(block)
    rows = chosen_trials(block, trials)
    known = table
    if isinstance(units, str) and "firing_rate" in units:
        rates = spikes.counts.sum(axis=0) / (spikes.t_stop - spikes.t_start).sum()
        known = {"firing_rate": rates.tolist()} | table
    cells = chosen_units(block.annotations.get("populations"), known, spikes.n_neurons, units)
    every = units is None
    annotations = {**block.annotations, **({"units": table} if table else {})}
    if not every:
        n = spikes.n_neurons
        if table:
            fits = {key: column for key, column in table.items() if len(column) == n}
            annotations["units"] = {key: [column[k] for k in cells] for key, column in fits.items()}
        names = population_names(annotations.get("populations"), n)
        # number of the first neuron of each population, and of the first one after it
        populations = {one: (names.index(one), names.index(one) + names.count(one)) for one in set(names)}
        if "populations" in annotations:
            annotations["populations"] = sizes_of(annotations["populations"], cells, n)
    contents = []
    for k in rows:
        content = moved(block.segments[k], 0.0)
        if not every:
            signals = [_of_neurons(one, cells, populations) for one in content["analogsignals"]]
            content["analogsignals"] = [one for one in signals if one is not None]
        contents.append(content)
    taken = _taken(spikes, rows, cells, coarseness(spikes, block))
    return rebuilt(taken, contents, block, [block.segments[k] for k in rows], annotations)


@suggest_keywords
def join(blocks: SpikeSource, *, along: str = "trials", labels: Any = None) -> neo.Block:
    """One Block of several Blocks of the same neurons: their trials one after the other, labelled by condition, or longer trials.

    along="time" appends to each trial of the first Block the trial of that number of the next ones, such as files of one recording
    without a gap: the clock goes on where the trial before ends. Each Segment gets a neo.Epoch "joined", the piece of each
    Block with its label. Spikes, events, epochs and signals move with their piece; signals of two pieces stay two.

    Annotations that all Blocks share stay annotations of the Block; the others are listed, Block by Block, in its annotation
    "joined". Of the table of units the columns remain that all have and agree on.

    Parameters
    ----------
    blocks : list of neo.Blocks, or a dict of label -> Block
    along : "trials" (default) or "time"
    labels : (n_blocks,) numbers or texts, the annotation "label" of every Segment of that Block; None takes the keys of a dict, and
        leaves the Segments of a list as they are

    Raises
    ------
    NsnnError : no Blocks, different numbers of neurons (along time: of trials), units of other ids or names, another number of
        labels

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> low, high = to_block([[[0.1]]], t_stop=1*pq.s), to_block([[[0.2]], [[0.3]]], t_stop=1*pq.s)
    >>> conditions(join({"low": low, "high": high}))
    array(['low', 'high', 'high'], dtype='<U4')
    >>> join([low, low], along="time").segments[0].spiketrains[0].magnitude
    array([0.1, 1.1])
    """
    one_of(along, ("trials", "time"), "along")
    if isinstance(blocks, Mapping):
        labels = list(blocks) if labels is None else labels
        blocks = list(blocks.values())
    if not isinstance(blocks, Sequence) or isinstance(blocks, str) or not blocks:
        raise NsnnError(f"blocks = {shown(blocks)}: expected a list of Blocks, or a dict of label -> Block")
    given = None if labels is None else plain_labels(labels, "labels", len(blocks), "Blocks")
    names = [f"blocks[{k}]" for k in range(len(blocks))]
    parts = list(map(Trains.from_block, blocks, names))
    check_same_units(names, [part.n_neurons for part in parts], [None] * len(parts))
    shared, different = _shared([dict(one.annotations) for one in blocks])
    tables = [unit_table(one) for one in blocks]
    for key in ("id", "name"):
        for name, one in zip(names, tables, strict=True):
            if key in one and key in tables[0] and one[key] != tables[0][key]:
                raise NsnnError(
                    f"{name} has units of other {key}s than blocks[0], {shown(one[key])} and {shown(tables[0][key])}: "
                    "expected the same units in the same order; choose them with select"
                )
    table = _shared(tables)[0]
    shared.pop("units", None)
    for one in different:
        one.pop("units", None)
    if table:
        shared["units"] = table
    if any(different):
        shared[JOINED] = different
    resolution = max(map(coarseness, parts, blocks))
    if along == "time":
        return _in_time(blocks, parts, shared, resolution, given)
    segments = [segment for one in blocks for segment in one.segments]
    contents = [moved(segment, 0.0) for segment in segments]
    first = np.cumsum([0, *(part.n_trials for part in parts)])
    spikes = Trains(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.neuron for part in parts]),
        np.concatenate([part.trial + k for part, k in zip(parts, first, strict=False)]),
        parts[0].n_neurons,
        int(first[-1]),
        np.concatenate([part.t_start for part in parts]),
        np.concatenate([part.t_stop for part in parts]),
        resolution or math.nan,
    )
    result = rebuilt(spikes, contents, blocks[0], segments, shared)
    if given is not None:
        for k, label in enumerate(given):
            for segment in result.segments[first[k] : first[k + 1]]:
                segment.annotations[LABEL] = label
    return result


def _in_time(
    blocks: Sequence[neo.Block],
    parts: Sequence[Trains],
    annotations: Mapping[str, Any],
    resolution: float,
    labels: Sequence[Any] | None,
) -> neo.Block:
    """The Blocks, read as `parts`, one after the other in each trial."""
    number = [part.n_trials for part in parts]
    if len(set(number)) > 1:
        raise NsnnError(
            f"blocks have {shown(number)} trials: expected as many in each, as along='time' makes trials longer"
        )
    length = np.array([part.durations for part in parts])
    begin = parts[0].t_start + np.cumsum([np.zeros_like(length[0]), *length], axis=0)  # and the end
    moments = [
        np.clip((part.times - part.t_start[part.trial]) + a[part.trial], a[part.trial], b[part.trial])
        for part, a, b in zip(parts, begin[:-1], begin[1:], strict=True)
    ]
    spikes = Trains.from_arrays(
        np.concatenate(moments),
        np.concatenate([part.neuron for part in parts]),
        np.concatenate([part.trial for part in parts]),
        parts[0].n_neurons,
        np.stack([begin[0], begin[-1]], axis=1),
    ).at_least(resolution)
    names = np.array([str(one) for one in (range(len(parts)) if labels is None else labels)])
    contents = []
    for k in range(number[0]):
        pieces = [
            moved(one.segments[k], float(part.t_start[k] - a[k]))
            for one, part, a in zip(blocks, parts, begin[:-1], strict=True)
        ]
        content = {kind: [item for piece in pieces for item in piece[kind]] for kind in pieces[0]}
        content["epochs"].append(neo.Epoch(begin[:-1, k] * pq.s, length[:, k] * pq.s, names, name=JOINED))
        contents.append(content)
    result = rebuilt(spikes, contents, blocks[0], blocks[0].segments, annotations)
    for k, segment in enumerate(result.segments):
        segment.annotations = _shared([dict(one.segments[k].annotations) for one in blocks])[0]
    return result


@suggest_keywords
def split(block: SpikeSource, name: Any = LABEL) -> dict[Any, neo.Block]:
    """A Block for each condition: label -> Block of its trials, sorted by label; `join` puts them together again.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    name : of the annotation that tells the conditions apart, "label" (default) or another, as in `conditions`; or the labels
        themselves, (n_trials,) numbers or texts; a pandas Categorical has its own order

    Raises
    ------
    NsnnError : what `conditions` refuses, another number of labels than of trials, a missing label (NaN)

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> trials = to_block([[[0.1]], [[0.2]], [[0.3]]], t_stop=1*pq.s)
    >>> {label: len(block.segments) for label, block in split(trials, ["left", "right", "left"]).items()}
    {'left': 2, 'right': 1}
    """
    check_block(block, "block")
    if isinstance(name, str):
        labels, argument = conditions(block, name).tolist(), f"conditions(block, {name!r})"
    else:
        labels, argument = plain_labels(name, "name", len(block.segments)), "name"
    refuse_missing(labels, argument)
    ordered = in_order(list(dict.fromkeys(labels)), name)
    return {
        one: select(block, trials=[k for k, label in enumerate(labels) if label == one]) for one in ordered
    }


def _taken(spikes: Trains, rows: np.ndarray, cells: np.ndarray, resolution: float) -> Trains:
    """The trains of these trials and units, in this order."""
    first = spikes.offsets[:-1].reshape(spikes.n_trials, spikes.n_neurons)[np.ix_(rows, cells)].ravel()
    count = spikes.counts[np.ix_(rows, cells)].ravel()
    ends = np.cumsum(count)
    index = np.arange(count.sum()) - np.repeat(ends - count - first, count)
    number = np.repeat(np.arange(count.size), count)
    return Trains(
        spikes.times[index],
        number % cells.size if cells.size else number,
        number // max(cells.size, 1),
        cells.size,
        rows.size,
        spikes.t_start[rows],
        spikes.t_stop[rows],
        resolution or math.nan,
    )


def _of_neurons(
    signal: neo.AnalogSignal, cells: np.ndarray, populations: dict[str, tuple[int, int]]
) -> neo.AnalogSignal | None:
    """The channels of the chosen neurons, renumbered; the signal itself where its channels aren't neurons."""
    neuron = np.asarray(signal.array_annotations.get("neuron", ()))
    if neuron.shape != (signal.shape[1],) or neuron.dtype.kind not in "iu":
        return signal
    kind, _, name = str(signal.name or "").partition(" of ")
    if kind == "v" and name in populations:  # numbers within a population
        first, end = populations[name]
        cells = cells[(cells >= first) & (cells < end)] - first
    new = {int(cell): k for k, cell in reversed(list(enumerate(cells)))}
    channels = [k for k, one in enumerate(neuron.tolist()) if one in new]
    if not channels:
        return None
    arrays = {key: np.asarray(column)[channels] for key, column in signal.array_annotations.items()}
    arrays["neuron"] = np.array([new[int(neuron[k])] for k in channels])
    start = float(signal.t_start.rescale("s").magnitude)
    return shifted(signal, signal.magnitude[:, channels], start, array_annotations=arrays)


def _same(values: Sequence[Any]) -> bool:
    """True for annotations that are equal, arrays too."""
    try:
        return len({dumps(value) for value in values}) == 1
    except NsnnError:
        return all(value is values[0] for value in values)


def _shared(known: list[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What all Blocks' annotations agree on, and the rest of each."""
    shared = {key: value for key, value in known[0].items() if all(key in one for one in known)}
    shared = {key: value for key, value in shared.items() if _same([one[key] for one in known])}
    return shared, [{key: value for key, value in one.items() if key not in shared} for one in known]
