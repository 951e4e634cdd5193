"""Events, epochs and irregularly sampled signals in NWB files of `save`.

All trials of an object, in a row, are one entry of the notes, with times on the trials' own clocks, labels, durations and array
annotations. For other programs the file also has, on the session's clock,
    /acquisition/NAME   irregular signals, as TimeSeries; their values are only here
    /intervals/NAME     epochs, as TimeIntervals with labels and plain array annotations as columns
    /events/NAME        events, as EventsTable with such columns, where the installed pynwb has these tables
Times of an irregular signal are in the notes only where rounding keeps the session's clock from giving them back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import neo
import numpy as np
import quantities as pq

from ...core.errors import FormatError, NsnnError
from ...core.units import is_quantity
from ..hdf5 import Reader
from ..json_codec import dumps, parse_unit, unit_text
from ..segments import TIMED
from ..spikes.arrays import seconds
from .order import Sorted
from .storage import column, digest_signal, file_name, packed

_IRREGULAR, _EVENTS, _EPOCHS = TIMED
_PER_OBJECT = 4000  # bytes of a Neo object
_RESERVED = {"trials", "epochs", "invalid_times"}  # tables of intervals that NWB gives a meaning
_FOLDERS = {_IRREGULAR: "acquisition", _EVENTS: "events", _EPOCHS: "intervals"}


class Stored(NamedTuple):
    """The objects of one name, of all trials."""

    head: dict[str, Any]  # what the notes say
    made: Any  # the object of pynwb, None without any times
    values: tuple[np.ndarray, ...]  # what is in the file and not in the notes, for the digest


def stored(block: neo.Block, spikes: Sorted, offset: np.ndarray, taken: set[str]) -> list[Stored]:
    """What is to be written of a Block's events, epochs and irregular signals; `taken` are names in /acquisition."""
    from pynwb import TimeSeries

    names = {_EPOCHS: set(_RESERVED), _EVENTS: set(), _IRREGULAR: taken}
    result = []
    for head, parts in grouped(block, TIMED, _layout):
        times = np.concatenate([seconds(part.times) for part in parts])
        number = head["number"] = [len(part) for part in parts]
        trial = np.repeat(np.array(head["trials"], dtype=np.int64), number)
        session = offset[trial] + (times - spikes.t_start[trial])
        name = _free(head["name"] or head["kind"], names[head["kind"]])
        head.update(path=f"{_FOLDERS[head['kind']]}/{name}", times=times)
        if head["kind"] == _IRREGULAR:
            back = (session - offset[trial]) + spikes.t_start[trial]
            if np.array_equal(back, times):
                head["times"] = None
            values = np.concatenate([np.ascontiguousarray(part.magnitude) for part in parts])
            words = "irregularly sampled, trials one after the other"
            clock = {"timestamps": packed(session), "description": words}
            made = TimeSeries(name=name, data=packed(values), unit=head["unit"], **clock)
            result.append(Stored(head, made, (values, session)))
            continue
        head["labels"] = np.concatenate([part.labels for part in parts]) if head.pop("labelled") else None
        head["arrays"] = {
            key: _together([part.array_annotations[key] for part in parts]) for key in head.pop("columns")
        }
        if head["kind"] == _EPOCHS:
            lasting = head.pop("lasting")
            head["durations"] = (
                np.concatenate([seconds(part.durations) for part in parts]) if lasting else None
            )
        result.append(Stored(head, _table(name, session, head) if times.size else None, ()))
    return result


def grouped(
    block: neo.Block, kinds: Sequence[str], head_of: Callable[[Any, str, str], dict[str, Any]]
) -> list[tuple[dict[str, Any], list[Any]]]:
    """The objects of different trials whose heads agree, one for a trial, and their head with the trials.

    head_of : takes an object, its kind and its name for messages; "dtype" is compared and not kept
    """
    groups: dict[tuple[str, int], tuple[dict[str, Any], list[Any]]] = {}
    for i, segment in enumerate(block.segments):
        seen: Counter[str] = Counter()
        for kind in kinds:
            for j, item in enumerate(getattr(segment, kind)):
                where = f"segments[{i}].{kind}[{j}]"
                head = head_of(item, kind, where)
                key = dumps(head, where)
                del head["dtype"]
                group = groups.setdefault((key, seen[key]), (head | {"trials": []}, []))
                seen[key] += 1
                group[0]["trials"].append(i)
                group[1].append(item)
    return list(groups.values())


def stored_type(data: np.ndarray, where: str) -> str:
    """Type and number of columns of a signal's samples; NsnnError for those that a file can't hold."""
    if data.dtype.kind not in "iuf" or data.dtype.itemsize > 8:
        raise NsnnError(f"{where} has dtype {data.dtype}: expected real numbers of at most 64 bits")
    return f"{data.dtype.str} {data.shape[1]}"


def _layout(one: Any, kind: str, where: str) -> dict[str, Any]:
    """What the objects of different trials must share to be stored as one."""
    head = {"kind": kind, "name": one.name, "description": one.description}
    head["annotations"] = dict(one.annotations)
    if isinstance(one, neo.IrregularlySampledSignal):
        arrays = dict(one.array_annotations)
        return head | {
            "unit": unit_text(one, where),
            "array_annotations": arrays,
            "dtype": stored_type(one.magnitude, where),
        }
    columns, kinds = [], []
    for key, values in one.array_annotations.items():
        name = f"{where}.array_annotations[{key!r}]"
        dtype = np.asarray(values).dtype
        columns.append(key)
        # texts of several lengths fit into one array
        kinds.append(
            [
                dtype.kind if dtype.kind in "US" else dtype.str,
                unit_text(values, name) if is_quantity(values) else "",
            ]
        )
        dumps(values, name)
    layout = head | {"labelled": bool(np.size(one.labels)), "columns": columns, "dtype": kinds}
    if isinstance(one, neo.Epoch):
        layout["lasting"] = np.size(one.durations) == len(one)  # Neo's default is no durations
    return layout


def _together(parts: list[Any]) -> Any:
    """The array annotations of several objects in a row."""
    plain = np.concatenate([np.asarray(getattr(part, "magnitude", part)) for part in parts])
    return pq.Quantity(plain, parts[0].units) if isinstance(parts[0], pq.Quantity) else plain


def _free(name: str, taken: set[str]) -> str:
    """A name for NWB that isn't taken yet, and is then."""
    base = file_name(name)
    number = next(k for k in range(len(taken) + 1) if (f"{base}_{k}" if k else base) not in taken)
    result = f"{base}_{number}" if number else base
    taken.add(result)
    return result


def _table(name: str, times: np.ndarray, head: dict[str, Any]) -> Any:
    """Events or epochs as a table with their labels and array annotations; None where pynwb has no such table.

    Rows are in the order of time, as other programs expect; their ids are the places in the notes.
    """
    import pynwb
    from hdmf.common import VectorData
    from pynwb.epoch import TimeIntervals

    labels, epochs = head["labels"], head["kind"] == _EPOCHS
    if not epochs and not hasattr(pynwb, "event"):
        return None
    kind = TimeIntervals if epochs else pynwb.event.EventsTable
    columns: list[Any] = []
    lasting = head["durations"] if epochs and head["durations"] is not None else 0.0
    order = np.argsort(times, kind="stable")
    if labels is not None:
        columns.append(("label" if epochs else "annotation", "label", column("label", labels[order])))
    for key, values in head["arrays"].items():
        unit = f" ({values.dimensionality.string})" if isinstance(values, pq.Quantity) else ""
        plain = None if key == "label" else column(key, values[order], kind)
        columns += [] if plain is None else [(key, f"array annotation{unit}", plain)]
    clock = "on the session's clock, in seconds"
    about: dict[str, Any] = {"name": name, "description": head["description"] or head["kind"]}
    about["id"] = order
    if epochs:
        columns[:0] = [
            ("start_time", f"start {clock}", times[order]),
            ("stop_time", f"end {clock}", (times + lasting)[order]),
        ]
    made = [VectorData(name=n, description=d, data=a) for n, d, a in columns]
    if not epochs:
        stamps = {"name": "timestamp", "description": f"time {clock}", "data": times[order]}
        made.insert(0, pynwb.event.TimestampVectorData(**stamps))
    return kind(columns=made, **about)


def read(
    source: Reader, heads: list[dict[str, Any]], t_start: np.ndarray, t_stop: np.ndarray, digest: Any
) -> list[dict[str, list[Any]]]:
    """For each trial name of the Neo container -> its objects; values in the file go into the digest too."""
    offset = np.concatenate([[0.0], np.cumsum(t_stop - t_start)[:-1]])
    result: list[dict[str, list[Any]]] = [{kind: [] for kind in TIMED} for _ in t_start]
    for head in heads:
        trials, number, path, times = (head[key] for key in ("trials", "number", "path", "times"))
        counts = isinstance(trials, list) and all(type(one) is int for one in (*trials, *number))
        if (
            head["kind"] not in TIMED
            or not counts
            or len(number) != len(trials)
            or not 0 <= min(trials) <= max(trials) < len(t_start)
            or min(number) < 0
        ):
            raise FormatError(f"general/notes describes {path} wrongly")
        source.budget.take(_PER_OBJECT * len(trials), f"{path} in {len(trials)} trials")
        values = session = None
        if head["kind"] == _IRREGULAR:
            values, session = (source.numbers(f"{path}/{key}") for key in ("data", "timestamps"))
        moments, n = session if times is None else times, sum(number)
        if moments is None or len(moments) != n:  # before an array of that length is made
            raise FormatError(f"{path} doesn't fit its description in general/notes")
        source.budget.take(4 * 8 * n, f"{n} times of {path}")
        trial = np.repeat(np.array(trials), number)
        if values is not None and session is not None:
            digest_signal(digest, values)
            digest_signal(digest, session)
            times = (session - offset[trial]) + t_start[trial] if times is None else times
        lengths = [
            head.get("durations"),
            head.get("labels"),
            values,
            times,
            *(head.get("arrays") or {}).values(),
        ]
        if any(len(one) != len(trial) for one in lengths if one is not None):
            raise FormatError(f"{path} doesn't fit its description in general/notes")
        edges = np.cumsum([0, *number])
        for k, i in enumerate(trials):
            one = _object(head, slice(edges[k], edges[k + 1]), times, values)
            one.annotations.update(head["annotations"])
            result[i][head["kind"]].append(one)
    return result


def _object(head: dict[str, Any], rows: slice, times: np.ndarray, values: np.ndarray | None) -> Any:
    """The object of one trial: these rows."""
    moments = pq.Quantity(np.array(times[rows], dtype=float), pq.s)
    about = {"name": head["name"], "description": head["description"]}
    if values is not None:
        unit = parse_unit(head["unit"])
        if unit is None:
            raise FormatError(f"{head['path']} has no valid unit")
        return neo.IrregularlySampledSignal(
            moments, values[rows], units=unit.units, array_annotations=head["array_annotations"], **about
        )
    about["labels"] = [] if head["labels"] is None else head["labels"][rows]
    about["array_annotations"] = {key: array[rows] for key, array in head["arrays"].items()}
    if head["kind"] == _EPOCHS:
        lasting = head["durations"]
        return neo.Epoch(moments, None if lasting is None else pq.Quantity(lasting[rows], pq.s), **about)
    return neo.Event(moments, **about)
