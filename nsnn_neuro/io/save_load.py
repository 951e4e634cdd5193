"""`to_block` wraps your own spike times in a Block; `save` writes a Block to an NWB file, from which `load` reads it back exactly.

`load` also reads files of other programs (`external_files`), but no format that unpickles.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import neo
import numpy as np
import quantities as pq

from ..core import units
from ..core.atomic_write import replaced
from ..core.checks import one_of, suggest_keywords
from ..core.errors import FormatError, NsnnError
from ..core.file_limits import Budget, check_regular
from . import external_files, hdf5, integrity, nwb, nwb_neo_layout, nwb_recording, nwb_write
from .block import analog_signal, build_block
from .provenance import provenance
from .segments import cropped

if TYPE_CHECKING:
    import h5py

_NESTING = "expected spike_times[trial][neuron] to be an array of times in seconds"
_PICKLES = (".pkl", ".pickle", ".p", ".pck", ".pcl", ".joblib", ".dill", ".pt", ".pth", ".npy", ".npz")


def _times(item: Any, where: str, t_start: float, t_stop: float) -> np.ndarray:
    """One train in seconds; NsnnError names what is wrong with it."""
    given = item
    if units.is_quantity(item):
        item = units.si(item, "s", where)
    try:
        times = np.asarray(item)
    except ValueError:
        times = np.asarray([item], dtype=object)
    if times.ndim == 0:
        raise NsnnError(f"{where} = {units.shown(item)} is a single value: {_NESTING}")
    if times.ndim > 1 or times.dtype == object:
        raise NsnnError(f"{where} is nested too deeply: {_NESTING}")
    if times.size and times.dtype.kind not in "iuf":
        raise NsnnError(f"{where} holds {times.dtype} values: {_NESTING}")
    times = times.astype(float)
    if np.isnan(times).any():
        raise NsnnError(f"{where}[{int(np.argmax(np.isnan(times)))}] is NaN: expected times in seconds")
    outside = (times < t_start) | (times > t_stop)
    if outside.any():
        k = int(np.argmax(outside))
        raise NsnnError(
            f"{where}[{k}] = {times[k]} s lies outside t_start = {t_start} s to t_stop = {t_stop} s: "
            + _why_outside(times, t_start, t_stop, units.is_quantity(given))
        )
    return times


def _why_outside(times: np.ndarray, t_start: float, t_stop: float, has_unit: bool) -> str:
    """What is wrong with times of which some are outside the trial, and the cure."""
    low, high = float(times.min()), float(times.max())
    if not np.isfinite([low, high]).all():
        return "expected finite times"
    cures, largest = [], max(-low, high)
    if not has_unit and largest > 10 * (t_stop - t_start) and largest / 1000 <= max(-t_start, t_stop):
        cures.append("expected times in seconds (divide milliseconds by 1000)")
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


def _listed(value: Any, where: str) -> list[Any]:
    single = isinstance(value, str | bytes | dict | neo.Block) or units.is_quantity(value)
    if single or not np.iterable(value):
        raise NsnnError(f"{where} = {units.shown(value)}: {_NESTING}")
    return list(value)


def _scalar_time(value: Any, name: str) -> float:
    time = units.si(value, "s", name)
    if not isinstance(time, float) or not np.isfinite(time):
        raise NsnnError(f"{name} = {value}: expected one finite time such as 2*second")
    return time


def _stimuli(stimulus: Any, n_trials: int) -> list[list[neo.AnalogSignal]]:
    """For each trial its stimulus; one that all trials have is stored once."""
    if stimulus is None:
        return [[] for _ in range(n_trials)]
    alike = isinstance(stimulus, neo.AnalogSignal)
    given = [stimulus] if alike else list(stimulus) if isinstance(stimulus, Sequence) else [None]
    if not alike and len(given) != n_trials:
        raise NsnnError(
            f"stimulus: {len(given)} signals for {n_trials} trials: expected one, or one per trial"
        )
    signals: list[list[neo.AnalogSignal]] = []
    for i, one in enumerate(given):
        where = "stimulus" if alike else f"stimulus[{i}]"
        if not isinstance(one, neo.AnalogSignal) or one.shape[1] != 1:
            shape = f" of shape {one.shape}" if isinstance(one, neo.AnalogSignal) else ""
            raise NsnnError(
                f"{where}: {type(one).__name__}{shape}: expected a neo.AnalogSignal with one channel"
            )
        values = np.array(one.magnitude)
        values.flags.writeable = not alike
        for _ in range(n_trials if alike else 1):
            names = {"description": one.description, "array_annotations": dict(one.array_annotations)}
            clock = one.t_start, one.sampling_rate
            copy = analog_signal(values, one.units, *clock, one.annotations, name="stimulus", **names)
            signals.append([copy])
    return signals


@suggest_keywords
def to_block(spike_times: Any, *, t_stop: Any, t_start: Any = 0 * pq.s, stimulus: Any = None) -> neo.Block:
    """Wrap your own spike times in a Block: one segment per trial, one spike train per neuron.

    Parameters
    ----------
    spike_times : nested list [trial][neuron] of arrays of times in seconds (or with a unit), in any order
    t_stop, t_start : s, scalar, when every trial ends and starts; t_start is negative for times before an event at time 0
    stimulus : neo.AnalogSignal with one channel, the same in all trials, or a list of one per trial

    Raises
    ------
    NsnnError : nesting other than that, trials with different numbers of neurons, or times that are NaN, not
        times, or outside t_start to t_stop

    >>> block = to_block([[[0.1, 0.3], []], [[0.2], [0.4]]], t_stop=0.5*pq.s)
    >>> [len(train) for train in block.segments[0].spiketrains]
    [2, 0]
    >>> to_block([0.1, 0.3], t_stop=0.5*pq.s)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: spike_times[0] = 0.1: expected spike_times[trial][neuron] to be an array ...
    """
    start, stop = _scalar_time(t_start, "t_start"), _scalar_time(t_stop, "t_stop")
    if not start < stop:
        raise NsnnError(f"t_stop = {t_stop}: expected a time after t_start = {t_start}")
    trials = [
        _listed(trial, f"spike_times[{i}]") for i, trial in enumerate(_listed(spike_times, "spike_times"))
    ]
    if not trials or not trials[0]:
        raise NsnnError(f"spike_times has {'no neurons' if trials else 'no trials'}: {_NESTING}")
    arrays = []
    for i, trial in enumerate(trials):
        arrays += [_times(item, f"spike_times[{i}][{j}]", start, stop) for j, item in enumerate(trial)]
        if len(trial) != len(trials[0]):
            raise NsnnError(
                f"spike_times[{i}] has {len(trial)} neurons, spike_times[0] has {len(trials[0])}: "
                "expected as many, an empty array for a silent one"
            )
    n = len(trials[0])
    cell = np.repeat(np.arange(len(arrays)), [len(a) for a in arrays])
    return build_block(
        cell // n,
        cell % n,
        times=np.concatenate(arrays),
        n_trials=len(trials),
        n_neurons=n,
        t_start=start,
        t_stop=stop,
        signals=_stimuli(stimulus, len(trials)),
        annotations=provenance(),
    )


@suggest_keywords
def save(block: neo.Block, path: str | os.PathLike[str]) -> Path:
    """Write `block` to an NWB file atomically: a run that is killed leaves the old file, or none.

    `load` returns everything exactly: spike times, starts and stops, silent neurons, stimulus and traces,
    annotations. A file of the same name is replaced, and its permissions are kept.

    Parameters
    ----------
    block : neo.Block, one segment per trial, the same neurons in each
    path : ends in .nwb

    Raises
    ------
    NsnnError : another ending, no such folder, a Block or annotation that can't be stored, or a disk that is full; then the
        file that was there is still there

    >>> import tempfile
    >>> block = to_block([[[0.1, 0.3], []]], t_stop=0.5*pq.s)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(save(block, folder + "/two.nwb")).segments[0].spiketrains.multiplexed
    (array([0, 0]), array([0.1, 0.3]) * s)
    """
    try:
        return written(path, lambda file: nwb_write.write(block, file))
    except OSError as error:
        raise NsnnError(
            f"path = {path}: can't be written ({error.strerror or error}); what was there is unchanged: expected a folder with "
            "room for the file"
        ) from error


def destination(path: Any, name: str = "path") -> Path:
    """Where an NWB file of that name goes, links followed; `name` is the argument that gave the path."""
    if not isinstance(path, str | os.PathLike):
        raise NsnnError(
            f"{name} is a {type(path).__name__}: expected the name of a file that ends in .nwb"
            + (", save(block, path)" if name == "path" else "")
        )
    path = Path(path)
    if path.suffix.lower() != ".nwb" or path.is_dir():
        raise NsnnError(f"{name} = {path}: expected the name of a file that ends in .nwb")
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise NsnnError(f"{name} = {path}: there is no folder {target.parent}")
    return target


def written(path: str | os.PathLike[str], fill: Callable[[h5py.File], None]) -> Path:
    """Write the file at `path` atomically: `fill` fills an empty one and closes it; an OSError leaves the old file."""
    import h5py

    with replaced(destination(path)) as temporary, hdf5.DiskFile(temporary) as disk:
        try:
            with h5py.File(disk, "w") as file:
                fill(file)
        finally:
            disk.check()  # what HDF5 says after a failed write isn't the cause
    return Path(path)


def _load_nwb(
    path: Path, budget: Budget, full: bool, trials: Any, start: float | None, stop: float | None
) -> neo.Block:
    with hdf5.opened(path) as file:
        try:
            source = hdf5.Reader(file, budget)
            if "nwb_version" not in file.attrs:
                raise FormatError("an HDF5 file, but not NWB 2")
            header = nwb.written_here(source)
            if header is not None:
                block = _as_it_is(nwb.read(source, header), trials, start, stop)
            elif nwb_neo_layout.made_by_neo(source):
                block = _as_it_is(nwb_neo_layout.read(source), trials, start, stop)
            else:
                block = nwb_recording.read(source, trials, start, stop)
            if full:
                source = hdf5.Reader(file, Budget(budget.most))
                source.check_all()
                integrity.check_nwb(source, block, header)
            return block
        except NsnnError:
            raise
        except Exception as error:  # a damaged file makes HDF5 and NumPy raise anything
            raise FormatError(f"a damaged NWB file ({type(error).__name__}: {error})") from error


def _as_it_is(block: neo.Block, trials: Any, start: float | None, stop: float | None) -> neo.Block:
    """A Block whose segments the file states, between start and stop on their clocks."""
    if isinstance(trials, str) or (trials is False and len(block.segments) > 1):
        raise FormatError(
            f"trials = {trials!r}: the {len(block.segments)} segments of this file are its trials: expected trials=None; cut makes "
            "others"
        )
    return block if start is None and stop is None else cropped(block, start, stop)


@suggest_keywords
def load(
    path: str | os.PathLike[str],
    *,
    trials: Any = None,
    t_start: Any = None,
    t_stop: Any = None,
    check: str = "quick",
    max_bytes: float | None = None,
) -> neo.Block:
    """Read the Block in a file, exactly if `save` wrote it; files of other programs get the same layout.

    A file of `save` is refused if its spikes, notes or signals do not match its identifier. The segments of an NWB file of another
    program are its trials, each on a clock that starts at 0. An uncut recording is one segment on the session's clock, from which
    `cut` makes trials with a baseline: its tables of intervals are `neo.Epoch` objects, its events (tables of events, TTLs, licks)
    `neo.Event` objects. It lasts as its observation intervals say, else as everything in the file that has a time.

    Parameters
    ----------
    path : an .nwb file, a .txt file of spike times (see `spike_text`; a warning says what was assumed), or a file or folder that
        Neo knows by its ending. Formats that unpickle are refused
    trials : of an NWB file of another program, the name of a table of intervals whose rows are the trials, such as "epochs" or
        "drifting_gratings_presentations"; False: one uncut segment; None (default): the trials table, else observation intervals
        that all units share, else one uncut segment
    t_start, t_stop : times on the session's clock. Of trials, those that lie between them are read; of an uncut recording they are
        start and stop, also where the file says nothing of them; of other formats, each segment is read between them
    check : "quick" looks at what is read; "full" also reads every data set of an NWB file, so that all its checksums are
        compared, and looks at structure, units and the order of spike times; that takes max_bytes of memory again
    max_bytes : memory that reading may take, in bytes; None: 512 MiB, and 32 times the file's size where that is more. What
        the file needs is estimated before it is read

    Raises
    ------
    FileNotFoundError : no such file
    FormatError : truncated, damaged, of another format than its ending says, or without spike trains; it needs more than
        max_bytes; a pipe or device, or a file whose parts lie in another file; it has no table of that name (those that it has
        are listed), or no trial between t_start and t_stop
    NsnnError : another check, trials that are no name, max_bytes that is no number above 0

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save(to_block([[[0.1, 0.3]], [[0.2]]], t_stop=0.5*pq.s), folder + "/one.nwb")
    ...     [segment.spiketrains[0].times for segment in load(path).segments]
    [array([0.1, 0.3]) * s, array([0.2]) * s]
    """
    one_of(check, ("quick", "full"), "check")
    if trials is not None and trials is not False and not isinstance(trials, str):
        raise NsnnError(
            f"trials = {units.shown(trials)}: expected the name of a table of intervals, False (uncut) or None"
        )
    start, stop = (
        None if time is None else _scalar_time(time, name)
        for time, name in ((t_start, "t_start"), (t_stop, "t_stop"))
    )
    if start is not None and stop is not None and not start < stop:
        raise NsnnError(f"t_stop = {t_stop}: expected a time after t_start = {t_start}")
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    budget = Budget.of(path, max_bytes)
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise FormatError(
            f"{path}: {suffix} files can hold pickled objects, which run code when read: read it yourself if "
            "you trust it, and hand the spike times to to_block"
        )
    if suffix == ".toml":
        raise FormatError(
            f"{path}: a configuration, not a recording: run `nsnn simulate {path} -o run.nwb` and give run.nwb"
        )
    if not path.is_dir() or suffix == ".nwb":
        check_regular(path)
        if path.stat().st_size == 0:
            raise FormatError(f"{path}: the file is empty")
    try:
        if suffix == ".nwb":
            block = _load_nwb(path, budget, check == "full", trials, start, stop)
        else:
            block = _as_it_is(external_files.read_neo(path, budget), trials, start, stop)
            if check == "full":
                integrity.check_block(block)
    except NsnnError as error:
        raise FormatError(f"{path}: {error}") from error
    block.file_origin = str(path)
    return block
