"""N-MNIST: MNIST's digits recorded by an event camera in three saccades of about .1 s, as events, spikes or a Block.

A recording is a structured array (n_events,) with the fields x, y (pixels, 0 to 33, from the top left), polarity (1: the pixel
became brighter, 0: darker) and t (microseconds, in order). A pixel and a polarity make one input unit, number
34^2 polarity + 34 y + x, of 2 * 34 * 34 = 2312.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq

from ..core.aliases import Time
from ..core.checks import file_path, one_of, scalar, suggest_keywords, whole
from ..core.errors import FormatError, NsnnError
from ..core.file_limits import Budget
from ..core.results import damaged
from ..io.block import build_block
from ..io.provenance import provenance

_SIDE = 34  # pixels
_N_UNITS = 2 * _SIDE**2
_EVENT = np.dtype([("x", np.uint8), ("y", np.uint8), ("polarity", np.uint8), ("t", np.int64)])
_BYTES = 5  # of an event in a file
_MOST = 10**6  # events of a recording: N-MNIST's have some thousand
_US = 1e-6  # s
_DEEPEST = 16  # folders in each other in an archive
_ENDINGS = (".bin", ".bs2")
_SPLITS = {"train": "Train", "test": "Test"}  # split -> its folder
# longer than any recording that was looked at (.314 s)
_DURATION = 315 * pq.ms


@suggest_keywords
def nmnist_events(file: str | Path) -> np.ndarray:
    """The events of one N-MNIST recording, a .bin file.

    Each event has 5 bytes: x; y; the polarity in the highest bit of the third, the time in the other 23, the highest first.

    Returns
    -------
    (n_events,) structured array with the fields x, y, polarity (uint8) and t (int64, microseconds, in order)

    Raises
    ------
    FormatError : no such file; truncated, empty, too long; a pixel outside 34 x 34, a time before the one before it

    Source: Orchard, Jayawant, Cohen & Thakor 2015, doi 10.3389/fnins.2015.00437

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "00001.bin"
    ...     _ = file.write_bytes(bytes([3, 5, 0x80, 1, 0, 33, 0, 0, 2, 1]))
    ...     events = nmnist_events(file)
    >>> events["x"], events["polarity"], events["t"]
    (array([ 3, 33], dtype=uint8), array([1, 0], dtype=uint8), array([256, 513]))
    """
    path = file_path(file, "file")
    if not path.is_file():
        raise FormatError(
            f"file = {file}: no such file: expected an N-MNIST recording such as Train/0/00002.bin"
        )
    return _events(path)


def _events(path: Path | zipfile.Path) -> np.ndarray:
    """The events of a file, or of a file in a zip archive."""
    with damaged(f"{path}: can't be read", "expected a recording of N-MNIST"), path.open("rb") as file:
        raw = file.read(_BYTES * _MOST + 1)
    if len(raw) > _BYTES * _MOST:
        raise FormatError(f"{path}: more than {_MOST:,} events: no recording of N-MNIST")
    if not raw or len(raw) % _BYTES:
        raise FormatError(f"{path}: {len(raw)} bytes, empty or truncated: expected {_BYTES} for each event")
    x, y, high, middle, low = np.frombuffer(raw, np.uint8).reshape(-1, _BYTES).T
    events = np.empty(x.size, _EVENT)
    events["x"], events["y"], events["polarity"] = x, y, high >> 7
    events["t"] = (high & 127).astype(np.int64) << 16 | middle.astype(np.int64) << 8 | low
    if wrong := _wrong(events):
        raise FormatError(f"{path}: {wrong}")
    return events


def _wrong(events: np.ndarray) -> str:
    """Description of invalid events; empty for valid ones."""
    outside = (events["x"] >= _SIDE) | (events["y"] >= _SIDE) | (events["polarity"] > 1)
    if outside.any():
        k = int(np.argmax(outside))
        x, y, polarity, _ = events[k].tolist()
        return f"event {k} has x = {x}, y = {y}, polarity = {polarity}: expected 0 to {_SIDE - 1} and 0 or 1"
    back = np.flatnonzero(np.diff(events["t"], prepend=0) < 0)
    if back.size:
        return f"event {back[0]} is at {events['t'][back[0]]} us, earlier than the one before it: expected times in order, from 0"
    return ""


@suggest_keywords
def nmnist(
    folder: str | Path, split: str | None = "train", *, per_digit: int | None = None, seed: int = 0
) -> tuple[list[np.ndarray], np.ndarray]:
    """Recordings of N-MNIST with their digits: 60,000 for training and 10,000 for testing, or some of each digit.

    The files are laid out as distributed: folder/Train/<digit>/*.bin and folder/Test/<digit>/*.bin. The folder may also be a zip
    archive with these folders in it. All recordings of a split take 2.7 GB.

    Parameters
    ----------
    folder : folder or .zip file
    split : "train", "test", or None where the digits' folders lie directly in `folder`
    per_digit : how many recordings of each digit, drawn from the seed; None: all
    seed : whole number >= 0, of that choice and of the order in which they come

    Returns
    -------
    recordings : list of n arrays as `nmnist_events` gives them
    y : (n,) integers, the digit 0 to 9

    Raises
    ------
    FormatError : no folder with recordings of each digit; a file as for `nmnist_events`

    Source: Orchard, Jayawant, Cohen & Thakor 2015, doi 10.3389/fnins.2015.00437

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for digit in range(10):
    ...         (Path(folder) / "Test" / str(digit)).mkdir(parents=True)
    ...         _ = (Path(folder) / "Test" / str(digit) / "1.bin").write_bytes(bytes([digit, 0, 0, 0, 0]))
    ...     recordings, y = nmnist(folder, "test")
    >>> len(recordings), all(events["x"][0] == digit for events, digit in zip(recordings, y))
    (10, True)
    """
    inside = "" if split is None else _SPLITS[one_of(split, _SPLITS, "split")]
    rng = np.random.default_rng(whole(seed, 0, "seed"))
    paths, y = [], []
    for digit, result in enumerate(_digit_files(file_path(folder, "folder"), inside)):
        n = len(result) if per_digit is None else whole(per_digit, 1, "per_digit")
        if n > len(result):
            raise NsnnError(
                f"per_digit = {per_digit}: there are {len(result)} recordings of the digit {digit}"
            )
        paths += [result[k] for k in rng.permutation(len(result))[:n]]
        y += [digit] * n
    if Path(folder).is_file():
        n_events = sum(path.root.getinfo(path.at).file_size for path in paths) // _BYTES
        budget = Budget.of(Path(folder), cure="expected a smaller per_digit, or the archive unpacked")
        budget.take(float(n_events) * _EVENT.itemsize, f"folder = {folder}: {n_events:,} events")
    order = rng.permutation(len(paths))
    return [_events(paths[k]) for k in order], np.array(y, dtype=np.int64)[order]


def _digit_files(folder: Path, inside: str) -> list[list[Any]]:
    """The recordings of each digit, by name."""
    with damaged(f"folder = {folder}: can't be read", "expected the folder or an archive of N-MNIST"):
        root: Any = folder
        if folder.is_file():
            with zipfile.ZipFile(
                folder
            ) as archive:  # very many folders in each other would take hours to list
                deep = next((name for name in archive.namelist() if name.count("/") > _DEEPEST), None)
            if deep is not None:
                raise FormatError(f"{deep[:60]!r}... lies in more than {_DEEPEST} folders")
            root = zipfile.Path(folder)
        root = root / inside if inside else root
        result = []
        for digit in range(10):
            here = root / str(digit)
            files = here.iterdir() if here.is_dir() else ()
            result.append(sorted((f for f in files if f.name.endswith(_ENDINGS)), key=lambda f: f.name))
    missing = [str(digit) for digit, files in enumerate(result) if not files]
    if missing:
        where = f"{inside}/0 to {inside}/9" if inside else "0 to 9"
        cure = "; split=None is for such folders directly in it" if inside and len(missing) == 10 else ""
        raise FormatError(
            f"folder = {folder}: no recordings of the digit {', '.join(missing)}: expected folders {where} with .bin files{cure}"
        )
    return result


def _checked(events: Any, name: str) -> np.ndarray:
    """Events of one recording, as this module's functions give them."""
    fields = getattr(getattr(events, "dtype", None), "names", None)
    if fields is None or set(fields) != set(_EVENT.names or ()) or events.ndim != 1:
        raise NsnnError(
            f"{name} = {type(events).__name__}: expected an array of events, as nmnist_events gives it"
        )
    if wrong := _wrong(events):
        raise NsnnError(f"{name}: {wrong}")
    return np.asarray(events)


def _microseconds(duration: Any) -> int:
    return round(scalar(duration, "s", "duration", least=_US, most=1e6) / _US)


@suggest_keywords
def bin_events(events: Any, *, n_steps: int, duration: Time = _DURATION) -> np.ndarray:
    """Events as spikes of 2312 units in steps: 1 where a unit had one event or more in a step, else 0.

    Of a duration T, step k (from 0) has the events with k T / n_steps <= t < (k + 1) T / n_steps; those from T on are left out. The
    unit is 34^2 polarity + 34 y + x. So [:, :, :1156] are the darkenings, and .reshape(n, n_steps, 2, 34, 34) are images.

    Parameters
    ----------
    events : (n_events,) of one recording, or a list of n recordings
    n_steps : whole number
    duration : time, to the microsecond; the default is longer than any of 160 recordings

    Returns
    -------
    (n_steps, 2312) uint8, of a list (n, n_steps, 2312), as `train` takes it

    >>> events = np.array([(3, 0, 0, 0), (3, 0, 0, 10), (0, 1, 1, 314_999)], dtype=_EVENT)
    >>> spikes = bin_events(events, n_steps=10)
    >>> spikes.shape, np.argwhere(spikes).tolist()
    ((10, 2312), [[0, 3], [9, 1190]])
    """
    n_steps, T = whole(n_steps, 1, "n_steps"), _microseconds(duration)
    several = isinstance(events, list | tuple)
    recordings = list(events) if several else [events]
    spikes = np.zeros((len(recordings), n_steps, _N_UNITS), np.uint8)
    for k, one in enumerate(recordings):
        one = _checked(one, f"events[{k}]" if several else "events")
        step = one["t"] * n_steps // T
        inside = step < n_steps
        spikes[k, step[inside], _unit(one[inside])] = 1
    return spikes if several else spikes[0]


def _unit(events: np.ndarray) -> np.ndarray:
    polarity, y, x = (events[name].astype(np.int64) for name in ("polarity", "y", "x"))
    return np.asarray(_SIDE**2 * polarity + _SIDE * y + x)


@suggest_keywords
def events_block(
    events: Sequence[np.ndarray], *, labels: Any = None, duration: Time = _DURATION
) -> neo.Block:
    """Recordings of events as a Block: a segment for each, one spike train for each of the 2312 units of `bin_events`.

    Parameters
    ----------
    events : list of recordings, (n_events,) each
    labels : (n,) whole numbers, which become the segments' annotation "label"; None for none
    duration : time; the segments last from 0 to it, later events are left out

    Returns
    -------
    neo.Block : its annotation dt is 1e-6, in s: times are whole microseconds

    >>> events = np.array([(3, 0, 0, 0), (3, 0, 0, 10), (0, 1, 1, 1000)], dtype=_EVENT)
    >>> block = events_block([events], labels=[7])
    >>> unit, times = block.segments[0].spiketrains.multiplexed
    >>> unit.tolist(), times.rescale("us").magnitude.round().tolist(), block.segments[0].annotations["label"]
    ([3, 3, 1190], [0.0, 10.0, 1000.0], 7)
    """
    T = _microseconds(duration)
    if not isinstance(events, list | tuple) or not events:
        raise NsnnError(f"events = {type(events).__name__}: expected a list of recordings, not empty")
    given = None if labels is None else np.asarray(labels)
    if given is not None and (given.shape != (len(events),) or given.dtype.kind not in "iu"):
        raise NsnnError(
            f"labels has shape {given.shape}, {given.dtype}: expected whole numbers, ({len(events)},), or None"
        )
    checked = [_checked(one, f"events[{k}]") for k, one in enumerate(events)]
    checked = [one[one["t"] < T] for one in checked]
    together = np.concatenate(checked)
    block = build_block(
        np.repeat(np.arange(len(checked)), [len(one) for one in checked]),
        _unit(together),
        together["t"],
        dt=_US,
        n_trials=len(checked),
        n_neurons=_N_UNITS,
        t_start=0.0,
        t_stop=T * _US,
        annotations=provenance(),
    )
    for segment, label in zip(block.segments, () if given is None else given, strict=False):
        segment.annotate(label=int(label))
    return block
