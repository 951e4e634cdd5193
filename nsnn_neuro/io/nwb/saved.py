"""The NWB files (Neurodata Without Borders 2) that keep a `neo.Block` exactly: their layout, and how they are read.

Layout of a file that `write.write` makes
    /intervals/trials   a row per trial, end to end on the session's clock: start_time, stop_time; the
                        columns t_start and t_stop hold the trial's own clock exactly; plain annotations
                        that all segments have, such as label and event_time
    /units              a row per neuron, silent ones too: spike_times on the session's clock, as NWB wants;
                        trial, the trial of each spike; tick, the integer k of a spike at k dt (trial_time,
                        the time on the trial's clock, where there is no dt); population, where given;
                        unit_name, the names of the units, and plain columns of the annotation "units";
                        the attribute resolution of spike_times: dt, or the step that the annotation dt
                        or sampling_rate of the Block says, if all times are multiples of it
    /stimulus/presentation/stimulus, /acquisition/v, ...
                        the signals, all trials in a row; once if all trials agree
    /acquisition/..., /intervals/...
                        events, epochs and irregularly sampled signals (`timed`)
    /general/notes      everything else as one JSON text (`json_codec`)
The identifier is a UUID derived from the content (spikes, trials, notes and signals). `read` refuses a file whose content
does not match it, or whose spike times on the session's clock are not those of the trials' clocks. Each compressed data set
also carries checksums (fletcher32, zlib).
session_start_time is the Block's rec_datetime, or 1970-01-01 UTC if it has none. Metadata of the session (`metadata`) are in
/general and, as they were given, in the notes; those in /general count, since other programs may add to them. To store something
new, add it to `write.write`, `read` and the digest.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import neo
import numpy as np
import quantities as pq

from ...core.errors import FormatError
from ...core.file_limits import read_json
from ...core.warn import warn
from ..block import analog_signal, build_block
from ..hdf5 import Reader
from ..json_codec import decode, parse_unit
from ..spikes import PIECE
from ..spikes.arrays import RESOLUTION
from ..spikes.bins import EPS, rounding, spacing
from . import metadata
from .storage import digest_signal, digest_trains
from .timed import read as read_timed

# Bytes of memory at the peak of reading, measured
PER_SPIKE, PER_TRIAL, PER_UNIT, PER_SIGNAL = 60, 5000, 50, 4000

FORMAT = "nsnn_neuro.block"
VERSION = 2  # with events, epochs or irregular signals; files without them say 1
_PREFIX = f'{{"format": "{FORMAT}"'
NAMESPACE = uuid.UUID("5c0c4d0e-3d5f-5b0a-9f0e-6e1f1b6d7a11")
WRITTEN = "written by nsnn_neuro"
_DAMAGED = (
    "damaged, or edited by another program: take a copy, or delete /general/notes and change /session_description and the "
    "description of /units to read it as a file of another program"
)
DIGEST = "notes, spikes, signals"
_SINGLE = float(np.finfo("f4").eps)
_ULPS = 8  # rounding of a time on the session's clock
STEP = "spike_times_resolution"
"""Key of the annotation "nwb": the step of the spike times (s) that a file states, the attribute resolution of its spike_times."""


def written_here(source: Reader) -> dict[str, Any] | None:
    """The header that `write` left in a file, or None when another program made the file."""
    content = source.text("general/notes")
    if content is None or not content.startswith(_PREFIX.encode()):
        described = str(source.attribute("units", "description", ""))
        if (source.text("session_description") or b"").endswith(WRITTEN.encode()) or described.endswith(
            WRITTEN
        ):
            raise FormatError(
                f"/session_description or /units says {WRITTEN!r}, but /general/notes isn't what save left there: {_DAMAGED}"
            )
        return None
    header = read_json(content, source.budget, "its notes")
    if header["version"] > VERSION:
        raise FormatError(f"version {header['version']} of the format: a newer nsnn_neuro wrote it")
    return {key: decode(value) for key, value in header.items()}


class SpikeTimes(NamedTuple):
    """The units table's spikes, on the session's clock."""

    times: np.ndarray  # (n_spikes,) s
    unit: np.ndarray  # (n_spikes,) int
    # s, times no further apart may be one, as they are stored in single precision; 0 for those of double precision
    coarse: float
    step: float | None  # s, the step of the times that the file states, in general the sampling interval
    # first and last time of these units, s, also outside the window; None without spikes
    extent: tuple[float, float] | None
    number: int  # spikes of these units, also outside the window

    def notes(self, apart: float = 0.0) -> dict[str, float]:
        """The Block's annotation of the resolution of its times, where it is coarser than `apart` (s)."""
        return {RESOLUTION: self.coarse} if self.coarse > apart else {}


def spike_times(
    source: Reader, n: int, rows: Sequence[int] | None = None, low: float = -np.inf, high: float = np.inf
) -> SpikeTimes:
    """The spikes of n units, or of some rows of their table, between low and high (s); `unit` counts these rows.

    A warning tells how coarse times of single precision are. Where the file states the step of the times, and they are stored
    finely enough to tell which multiple of it each one is, they are these multiples in double precision.
    """
    if rows is None and low == -high == -np.inf:
        stored, unit = source.ragged("spike_times", n, per_value=PER_SPIKE)
        number = len(unit)
    else:
        near = rounding([one for one in (low, high) if np.isfinite(one)], eps=_SINGLE)
        rows = range(n) if rows is None else rows
        stored, unit, number = source.ragged_rows("spike_times", n, rows, low - near, high + near, PER_SPIKE)
    times = np.asarray(stored, dtype=float)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise FormatError("units/spike_times has values that are no numbers")
    stated = source.attribute("units/spike_times", "resolution", None)
    step = float(stated) if isinstance(stated, int | float | np.number) and 0 < stated < np.inf else None
    eps, coarse = spacing(stored), 0.0
    if eps > EPS and times.size:
        apart = np.spacing(np.abs(stored)).astype(float)  # to the next number of this type
        exact: Any = np.rint(times / step) * step if step is not None and apart.max() < step else np.inf
        if (np.abs(exact - times) <= 0.5 * apart + rounding(times)).all():
            times = exact
        else:
            coarse = rounding(times, eps=eps)
            warn(
                f"units/spike_times are stored in single precision: at {np.abs(times).max():g} s neighbouring times are "
                f"{apart.max():.1g} s apart, and what is finer is lost; measures of spike timing and narrow bins have errors of "
                "this size. Read the spikes from the file that this one was made of, if there is one"
            )
    # the first and last time of these units may come last
    extent = (float(times.min()), float(times.max())) if times.size else None
    return SpikeTimes(times[: unit.size], unit, coarse, step, extent, number)


def observed(source: Reader, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The observation intervals (m, 2), s, of n units, and the unit of each; none where the file has none."""
    if "units/obs_intervals" not in source:
        return np.empty((0, 2)), np.empty(0, dtype=np.int64)
    values, unit = source.ragged("obs_intervals", n)
    values = np.asarray(values, dtype=float) if values.size else np.empty((0, 2))
    if values.shape[1:] != (2,) or not (values[:, 0] <= values[:, 1]).all():
        raise FormatError("units/obs_intervals: expected pairs of start and stop, in this order")
    return values, unit


def hull(intervals: np.ndarray, unit: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """First start and last stop of the intervals (m, 2) of each of n units; inf and -inf for none."""
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(low, unit, intervals[:, 0])
    np.maximum.at(high, unit, intervals[:, 1])
    return low, high


def _read_signals(
    source: Reader, heads: list[dict[str, Any]], n_trials: int, digest: Any
) -> list[list[neo.AnalogSignal]]:
    """The signals of each trial; their values go into the digest too."""
    signals: list[list[neo.AnalogSignal]] = [[] for _ in range(n_trials)]
    for head in heads:
        trials, starts, samples = head["trials"], head["t_start"], head["samples"]
        number = n_trials if trials is None else len(trials)
        source.budget.take(PER_SIGNAL * number, f"{head['path']} in {number} trials")
        values, unit = source.numbers(head["path"] + "/data"), parse_unit(head["unit"])
        whole = isinstance(starts, list) and len(starts) == len(samples) == (1 if trials is None else number)
        whole = whole and values.ndim == 2 and min(samples, default=0) >= 0 and sum(samples) == len(values)
        inside = trials is None or 0 <= min(trials) <= max(trials) < n_trials
        numbers = [head["rate"], *starts] if whole else []
        whole = whole and all(isinstance(one, int | float) and not isinstance(one, bool) for one in numbers)
        if unit is None or not whole or not inside:
            raise FormatError(f"{head['path']} doesn't fit its description in general/notes")
        digest_signal(digest, values)
        pieces = np.split(values, np.cumsum(samples)[:-1])
        if trials is None:
            values.flags.writeable = False  # all trials share it
            trials, starts, pieces = range(n_trials), starts * n_trials, pieces * n_trials
        names = {key: head[key] for key in ("name", "description", "array_annotations")}
        clock = head["rate"] * pq.Hz
        for i, t_start, piece in zip(trials, starts, pieces, strict=True):
            one = analog_signal(piece, unit.units, t_start * pq.s, clock, head["annotations"], **names)
            signals[i].append(one)
    return signals


def _read_verified(
    source: Reader,
    header: dict[str, Any],
    bounds: list[np.ndarray],
    trial: np.ndarray,
    neuron: np.ndarray,
    moments: np.ndarray,
    n: int,
) -> tuple[list[list[neo.AnalogSignal]], list[dict[str, list[Any]]]]:
    """The signals and the other objects of each trial, if the file's content matches its identifier."""
    t_start, t_stop = bounds
    notes, n_trials = (source.text("general/notes") or b"").decode(), len(t_start)
    digest = sha256(f"{n} {notes}".encode())
    counts = np.zeros(n * n_trials, dtype=np.int64)
    for k in range(0, trial.size, PIECE):
        cell = neuron[k : k + PIECE + 1] * n_trials + trial[k : k + PIECE + 1]
        if (np.diff(cell) < 0).any():  # the digest has the spikes in this order, without their trials
            raise FormatError(f"units/trial goes back within a unit: {_DAMAGED}")
        counts += np.bincount(cell[:PIECE], minlength=counts.size)
    digest_trains(digest, counts.reshape(n, n_trials), t_start, t_stop)
    dt = None if moments.dtype.kind == "f" else float(header["annotations"]["dt"])

    def times(piece: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(piece if dt is None else piece * dt, dtype=float)

    for k in range(0, moments.size, PIECE):
        digest.update(times(moments[k : k + PIECE]).tobytes())
    signals = _read_signals(source, header["signals"], n_trials, digest)
    timed = read_timed(source, header.get("timed", []), t_start, t_stop, digest)

    said = (source.text("identifier") or b"").decode("ascii", "replace")
    if said != str(uuid.uuid5(NAMESPACE, digest.hexdigest())):
        raise FormatError(
            f"its spikes, notes or signals are not those that its identifier was made from: {_DAMAGED}"
        )
    return signals, timed


def _check_session_clock(
    source: Reader, bounds: list[np.ndarray], trial: np.ndarray, moments: np.ndarray, dt: float | None
) -> None:
    """Trials and spikes on the session's clock, which other programs read, are those on the trials' own clocks."""
    t_start, t_stop = bounds
    offset = np.concatenate([[0.0], np.cumsum(t_stop - t_start)[:-1]])
    slack = _ULPS * np.spacing(max(1e-300, float(np.abs([offset, t_start, t_stop]).max(initial=0.0))))
    begins = source.numbers("intervals/trials/start_time")
    if begins.shape != offset.shape or not (np.abs(begins - offset) <= slack).all():
        raise FormatError(f"intervals/trials/start_time isn't that of trials one after the other: {_DAMAGED}")
    session = source.array("units/spike_times")
    if session.dtype.kind != "f" or session.shape != moments.shape:
        raise FormatError(f"units/spike_times doesn't fit units/trial: {_DAMAGED}")
    shift = offset - t_start
    for k in range(0, moments.size, PIECE):
        here = slice(k, k + PIECE)
        times = moments[here] if dt is None else moments[here] * dt
        wrong = np.flatnonzero(~(np.abs(session[here] - (shift[trial[here]] + times)) <= slack))
        if wrong.size:
            raise FormatError(
                f"units/spike_times[{k + wrong[0]}] isn't the trial's start and the spike's time on the trial's clock: {_DAMAGED}"
            )


def read(source: Reader, header: dict[str, Any]) -> neo.Block:
    """The Block that `write` put into a file; `header` is what `written_here` found there."""
    n, n_trials = source.length("units/id"), source.length("intervals/trials/t_start")
    n_spikes = source.length("units/trial")
    source.budget.take(PER_TRIAL * n_trials, f"{n_trials} trials")
    source.budget.take(PER_UNIT * n + 8 * n * n_trials, f"{n} neurons in {n_trials} trials")
    source.budget.take(PER_SPIKE * n_spikes, f"{n_spikes} spikes")
    bounds = [source.numbers(f"intervals/trials/{k}").astype(float) for k in ("t_start", "t_stop")]
    trial, neuron = source.ragged("trial", n)
    dt = header["annotations"].get("dt")
    on_grid = "units/tick" in source
    moments = source.ragged("tick" if on_grid else "trial_time", n)[0]
    if on_grid and (
        moments.dtype.kind not in "iu" or isinstance(dt, bool) or not isinstance(dt, int | float)
    ):
        raise FormatError("units/tick needs whole numbers, and dt in the annotations")
    if len(bounds[1]) != n_trials or len(moments) != len(trial) or trial.dtype.kind not in "iu":
        raise FormatError("trials, spikes and their times are not as many, or of another type")
    trial = trial.astype(np.int64, copy=False)
    if trial.size and not 0 <= int(trial.min()) <= int(trial.max()) < n_trials:
        raise FormatError(f"units/trial goes beyond {n_trials} trials")
    signals, timed = _read_verified(source, header, bounds, trial, neuron, moments, n)
    _check_session_clock(source, bounds, trial, moments, float(dt) if on_grid else None)
    annotations = dict(header["annotations"])
    stated = metadata.read(source)
    if stated:
        annotations["nwb"] = metadata.updated(annotations.get("nwb"), stated)
    block = build_block(
        trial,
        neuron,
        **({"tick": moments, "dt": dt} if on_grid else {"times": moments}),
        n_trials=n_trials,
        n_neurons=n,
        t_start=bounds[0],
        t_stop=bounds[1],
        signals=signals,
        annotations=annotations,
    )
    block.name, block.description, block.rec_datetime = header["block"]
    for segment, known in zip(block.segments, header["segments"] or [], strict=False):
        segment.name, segment.description = known[:2]
        segment.annotations.update(known[2])
        segment.rec_datetime = known[3] if len(known) > 3 else None
    for segment, contents in zip(block.segments, timed, strict=True):
        for kind, objects in contents.items():
            getattr(segment, kind).extend(objects)
    return block
