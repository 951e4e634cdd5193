"""`to_block` wraps your own spike times in a Block; `save` writes a Block to an NWB file, from which `load` reads it back exactly.

`load` also reads NWB in Zarr (`zarr_store`), files of other programs (`external_files`) and at addresses (`stream`), but nothing
that unpickles.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import neo
import numpy as np

from ..core.aliases import Time
from ..core.atomic_write import replaced
from ..core.checks import file_path, one_of, suggest_keywords
from ..core.errors import FormatError, NsnnError
from ..core.file_limits import LEAST, RATIO, Budget, check_regular, missing, open_regular
from ..core.units import shown
from . import external_files, hdf5, integrity, stream
from .block import block_of, like
from .event_times import plain_labels
from .lookup import LABEL
from .nwb import neo_layout, recording, saved
from .nwb import write as nwb_write
from .nwb.metadata import checked, warn_of_names
from .provenance import provenance
from .segments import SAMPLED, cropped
from .selection import select
from .spikes import packages
from .spikes.arrays import RESOLUTION
from .spikes.bins import EPS, rounding
from .spikes.sources import edges
from .zarr_store import ZarrReader, stored_bytes

_PICKLES = (".pkl", ".pickle", ".p", ".pck", ".pcl", ".joblib", ".dill", ".pt", ".pth", ".npy", ".npz")


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
        signals += [
            [like(one, values, one.t_start, name="stimulus")] for _ in range(n_trials if alike else 1)
        ]
    return signals


@suggest_keywords
def to_block(
    source: Any,
    *,
    t_stop: Time | None = None,
    t_start: Time | None = None,
    stimulus: Any = None,
    labels: Any = None,
    bin_width: Time | None = None,
) -> neo.Block:
    """Wrap spike times of lists, tables or other packages in a Block: one segment per trial, one spike train per neuron.

    | source | trials and neurons | t_stop if not given |
    |---|---|---|
    | nested list `[trial][neuron]` of arrays, in seconds or with a unit | as nested | needed |
    | array or list of times, in seconds or with a unit | one neuron in one trial | needed |
    | list of neo.SpikeTrain, SpikeTrainList or neo.Segment | one trial, a neuron per train | of the trains |
    | list `[trial][neuron]` of neo.SpikeTrain; elephant.trials.Trials | as given | of the trains |
    | dict {unit: times}, such as `SpikeMonitor.spike_trains()` | one trial | needed |
    | dict {population: {unit: times}} | one trial | needed |
    | Brian2 SpikeMonitor, or dict {population: monitor} | one trial | the time that the run has reached |
    | pynapple TsGroup or Ts | a trial per epoch of the time support | of the time support |
    | SpikeInterface sorting | a trial per segment | of the recording, where it is registered |
    | SpikeInterface SortingAnalyzer; its quality metrics become columns of "units" | a trial per segment | of the recording |
    | counts (n_trials, n_neurons, n_bins) with `bin_width` | as the axes | t_start + n_bins bin_width |
    | pandas DataFrame with the columns time (s) and, where there are several, unit and trial | by value | needed |
    | NEST's spike recorder: dict or DataFrame with senders, times (ms), or dict {population: dict} | one trial | needed |

    A list of dicts, Segments, tables, TsGroups or sortings has their trials, one after the other. Ids and names of units become
    `block.annotations["units"]`, a dict of columns with one value per neuron, {"id": [...], ...}. A DataFrame and NEST know only
    neurons that fired: make the columns trial and unit `pandas.Categorical` to list silent ones too, and add
    "ids" to the dict of NEST. A further column of a DataFrame with one value in each trial, such as the stimulus, becomes an
    annotation of the segments, one with a value for each unit a column of "units"; a column of labels that is neither is warned of.
    A monitor that was made or switched on after the start of the run needs t_start. Several epochs
    of pynapple start at 0 each; the segment's annotation "start_time" has the time on the session's clock.

    Parameters
    ----------
    source : spike times in any order, as in the table
    t_stop : s, scalar or (n_trials,), when the trials end; None (default): as the source says
    t_start : s, scalar or (n_trials,), when the trials start, negative for times before an event at time 0; None (default): as the
        source says, or 0 s
    stimulus : neo.AnalogSignal with one channel, the same in all trials, or a list of one per trial
    labels : (n_trials,) numbers or texts, the condition of each trial: the annotation "label" of its segment, which `conditions`
        and `split` read
    bin_width : time, scalar, of counts; the spikes of a bin are put at equal distances around its middle

    Raises
    ------
    NsnnError : none of these sources, a source that is ambiguous, trials with different neurons, no t_stop, times that are
        NaN, not times (a raster without bin_width), or outside t_start to t_stop, or another number of labels than of trials

    >>> import quantities as pq
    >>> block = to_block([[[0.1, 0.3], []], [[0.2], [0.4]]], t_stop=0.5*pq.s)
    >>> [len(train) for train in block.segments[0].spiketrains]
    [2, 0]
    >>> import pandas as pd
    >>> table = pd.DataFrame({"unit": ["b", "a", "a"], "time": [0.1, 0.2, 0.4], "trial": [0, 0, 1]})
    >>> block = to_block(table, t_stop=0.5*pq.s)
    >>> block.annotations["units"], [len(segment.spiketrains[0]) for segment in block.segments]
    ({'id': ['a', 'b']}, [1, 1])
    """
    spikes = packages.read(source, t_start, t_stop, bin_width)
    conditions = [] if labels is None else plain_labels(labels, "labels", spikes.n_trials)
    signals = [[like(one, np.array(one.magnitude), one.t_start) for one in trial] for trial in spikes.signals]
    given = _stimuli(stimulus, spikes.n_trials)
    columns: dict[str, Any] = {"units": spikes.units} if spikes.units else {}
    if spikes.eps > EPS:
        columns[RESOLUTION] = rounding(spikes.t_start, spikes.t_stop, eps=spikes.eps)
    block = block_of(
        spikes,
        signals=[a + b for a, b in zip(signals or [[]] * spikes.n_trials, given, strict=True)],
        annotations={**spikes.annotations, **columns, **provenance()},
    )
    for segment, row in zip(block.segments, spikes.trials, strict=False):
        segment.annotations.update(row)
    for segment, label in zip(block.segments, conditions, strict=False):
        segment.annotations[LABEL] = label
    return block


@suggest_keywords
def save(block: neo.Block, path: str | os.PathLike[str], *, metadata: Any = None) -> Path:
    """Write `block` to an NWB file atomically: a run that is killed leaves the old file, or none.

    `load` returns everything exactly: spike times, starts and stops, silent neurons, stimulus and traces, events, epochs and
    irregularly sampled signals (their times in seconds), annotations. A warning names what a Block may hold besides and is not
    saved, such as waveforms. A file of the same name is replaced, and its permissions are kept.

    Parameters
    ----------
    block : neo.Block, one segment per trial, the same neurons in each
    path : ends in .nwb. A fit is saved with fit.save("fit.npz"), and read with load_fit
    metadata : None, or a dict of NWB's fields about the session: subject (dict of subject_id, species, sex "M", "F", "U" or "O",
        age such as "P90D" for 90 days, age__reference, description, genotype, strain, weight, date_of_birth), session_start_time,
        session_description, session_id, experimenter ("Last, First", or a list of them), experiment_description, institution, lab,
        keywords, related_publications, protocol, pharmacology, surgery, virus, slices, data_collection, stimulus_notes. They go to
        /general in the file, and `load` returns them in `block.annotations["nwb"]`, as it does those of other programs'
        files; saving that Block keeps them

    Raises
    ------
    NsnnError : metadata with unknown keys or values that NWB or the DANDI archive would refuse, another ending, no such folder, a
        Block or annotation that can't be stored, or a disk that is full; then the file that was there is still there

    >>> import tempfile
    >>> import quantities as pq
    >>> block = to_block([[[0.1, 0.3], []]], t_stop=0.5*pq.s)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     load(save(block, folder + "/two.nwb")).segments[0].spiketrains.multiplexed
    (array([0, 0]), array([0.1, 0.3]) * s)
    """
    warn_of_names(checked(metadata))
    try:
        return written(path, lambda file: nwb_write.write(block, file, metadata))
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
    with replaced(destination(path)) as temporary, hdf5.DiskFile(temporary) as disk:
        try:
            with h5py.File(disk, "w") as file:
                fill(file)
        finally:
            disk.check()  # what HDF5 says after a failed write isn't the cause
    return Path(path)


def _load_nwb(
    raw: BinaryIO | Path, budget: Budget, full: bool, request: recording.Request
) -> Iterator[neo.Block]:
    reader: Any = ZarrReader if isinstance(raw, Path) else hdf5.Reader
    with contextlib.nullcontext(raw) if isinstance(raw, Path) else hdf5.opened_in_parts(raw) as file:
        try:
            source = reader(file, budget)
            if not source.attribute("/", "nwb_version", ""):
                raise FormatError("not NWB 2: its root has no nwb_version")
            header = saved.written_here(source)
            if header is None and not neo_layout.made_by_neo(source):
                blocks = recording.read(source, request)
            else:
                block = neo_layout.read(source) if header is None else saved.read(source, header)
                blocks = iter([_as_it_is(block, request)])
            for block in blocks:
                if full:
                    source = reader(file, Budget(budget.most))
                    source.check_all()
                    integrity.check_nwb(source, block, header)
                yield block
        except NsnnError:
            raise
        except Exception as error:  # a damaged file makes HDF5 and NumPy raise anything
            raise FormatError(f"a damaged NWB file ({type(error).__name__}: {error})") from error


def _as_it_is(block: neo.Block, request: recording.Request) -> neo.Block:
    """A Block whose segments the file states, its chosen units between start and stop on their clocks."""
    trials, start, stop, units, signals = request[:5]
    if isinstance(trials, str) or (trials is False and len(block.segments) > 1):
        raise FormatError(
            f"trials = {trials!r}: the {len(block.segments)} segments of this file are its trials: expected trials=None; cut makes "
            "others"
        )
    if signals:
        raise FormatError(
            f"signals = {signals}: names are for NWB files of other programs: expected True or False"
        )
    for segment in block.segments if signals is not None else ():
        for kind in (*SAMPLED, "irregularlysampledsignals"):
            setattr(segment, kind, [])
    block = block if units is None else select(block, units=units)
    return block if start is None and stop is None else cropped(block, start, stop)


@suggest_keywords
def load(
    path: str | os.PathLike[str],
    *,
    units: Any = None,
    trials: Any = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
    signals: Any = True,
    check: str = "quick",
    max_bytes: float | None = None,
) -> neo.Block:
    """Read the Block in a file, exactly if `save` wrote it; files of other programs get the same layout.

    A file of `save` is refused if its spikes, notes or signals do not match its identifier. The segments of an NWB file of another
    program are its trials, each on a clock that starts at 0. An uncut recording is one segment on the session's clock, from which
    `cut` makes trials with a baseline: its tables of intervals are `neo.Epoch` objects, its events (tables of events, TTLs, licks)
    `neo.Event` objects. `block.annotations["units"]` has the columns of its units table and, where those of each unit agree, of
    its electrodes, such as "location". It lasts as its observation intervals say, else as everything in the file that has a time,
    processed signals too; `block.annotations["ends_with"]` is the path of what ends last.

    A file without units, such as one of field potentials, becomes one uncut segment of signals, events and intervals.
    A file of intracellular recordings, without spike times, has a segment for each sweep of a current clamp: the recorded voltages,
    then the injected currents, as `calibrate(..., method="voltage")` takes them. They are as stored: no electrode is compensated.

    A line of a text file has the times of one neuron, separated by spaces, tabs, commas or semicolons; an empty line between others
    is a silent neuron; a file with one time per line is one neuron. Lines that begin with # or % are comments. They may name the
    unit, "# unit: ms" (default: s), and the end of the recording, "# t_stop: 500" (default: the last spike). A warning says what
    was assumed.

    Parameters
    ----------
    path : an .nwb file, a folder of NWB in Zarr that ends in .zarr (extra `zarr`), a .txt file of spike times (below), or a file or
        folder that Neo knows by its ending. Formats that unpickle are refused. An address, "https://...", "http://..." or, of a
        public bucket, "s3://...", is that of an NWB file, of which the parts are read that are needed; what follows a "?" is sent
        to the server, and left out of messages
    units : None (default), all; or which units, as `select` takes them: numbers from 0, names, ids, a dict, or a condition on the
        columns of the units table such as "quality == 'good' and firing_rate > 1". Of an NWB file of another program the spikes of
        other units are not read; other files are verified whole, and then selected. firing_rate (Hz), where it is no column, is
        spikes per time observed or, without obs_intervals, per time from the first to the last spike of the ten busiest units
    trials : of an NWB file of another program, the name of a table of intervals whose rows are the trials, such as "epochs" or
        "drifting_gratings_presentations"; False: one uncut segment; None (default): the trials table, else observation intervals
        that all units share, else one uncut segment
    t_start, t_stop : times. Of an NWB file of another program they are on the session's clock: of trials, those that lie between
        them are read; of an uncut recording they are start and stop, also where the file says nothing of them. Spikes outside of
        them take no memory. Of a file of `save` and of other formats each trial (segment) is read between them, on its own clock;
        of a text file t_stop is the end, also after the last spike
    signals : of an NWB file of another program, the name of a time series, or a list of names, such as "running_speed" or
        "behavior/Position/SpatialSeries"; these alone are read. True (default): those of acquisition and stimulus; processed ones
        are left out. False: none, as a field potential may be larger than all spikes; events and epochs are read. In trials
        regularly sampled ones are read; fields whose times are even to half a sample are such, uncut. Other files are verified
        whole, and without signals these are then left out
    check : "quick" looks at what is read; "full" also reads every data set of an NWB file, so that all its checksums are
        compared, and looks at structure, units and the order of spike times; that takes max_bytes of memory again
    max_bytes : memory that reading may take, in bytes; None: 512 MiB, and 32 times the file's size where that is more and the
        file is no address. What the file needs is estimated before it is read

    Raises
    ------
    FileNotFoundError : no such file
    FormatError : truncated, damaged, of another format than its ending says, or without spike trains; it needs more than
        max_bytes; a pipe or device, or a file whose parts lie in another file; it has no table of that name (those that it has
        are listed), or no trial between t_start and t_stop; no such unit or column; no answer from an address, a broken one, or a
        server that does not send parts of files
    NsnnError : another check, trials that are no name, signals that are no names, max_bytes that is no number above 0

    >>> import tempfile
    >>> import quantities as pq
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save(to_block([[[0.1, 0.3]], [[0.2]]], t_stop=0.5*pq.s), folder + "/one.nwb")
    ...     [segment.spiketrains[0].times for segment in load(path).segments]
    [array([0.1, 0.3]) * s, array([0.2]) * s]
    """
    one_of(check, ("quick", "full"), "check")
    (block,) = load_parts(
        path, units=units, trials=trials, t_start=t_start, t_stop=t_stop, signals=signals, full=check == "full", max_bytes=max_bytes
    )  # fmt: skip
    return block


def load_parts(
    path: Any,
    *,
    units: Any = None,
    trials: Any = None,
    t_start: Any = None,
    t_stop: Any = None,
    signals: Any = True,
    full: bool = False,
    max_bytes: Any = None,
    most: float = np.inf,
    progress: Any = False,
) -> Iterator[neo.Block]:
    """The Block of `load`; of an NWB file of another program with more than `most` spikes several Blocks of neighbouring units.

    Each is read when it is asked for, within max_bytes; the file is open meanwhile.
    """
    names: list[str] | None = None if signals is True else []
    if not isinstance(signals, bool):
        given = [signals] if isinstance(signals, str) else signals
        if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given):
            raise NsnnError(
                f"signals = {shown(signals)}: expected True, False, the name of a time series, or a list of names"
            )
        names = list(given)
    if trials is not None and trials is not False and not isinstance(trials, str):
        raise NsnnError(
            f"trials = {shown(trials)}: expected the name of a table of intervals, False (uncut) or None"
        )
    start, stop = (
        None if time is None else float(edges(time, name, 1)[0])
        for time, name in ((t_start, "t_start"), (t_stop, "t_stop"))
    )
    if start is not None and stop is not None and not start < stop:
        raise NsnnError(f"t_stop = {t_stop}: expected a time after t_start = {t_start}")
    request = recording.Request(trials, start, stop, units, names, most, progress)
    if stream.is_address(path):
        where = str(path).partition("?")[0]  # what follows may be a password
        try:
            with stream.opened(str(path)) as raw:
                # how long the file is the server alone says
                budget = Budget.of(Path(), LEAST if max_bytes is None else max_bytes)
                for block in _load_nwb(raw, budget, full, request):
                    block.file_origin = where
                    yield block
        except NsnnError as error:
            raise FormatError(f"{where}: {error}") from error
        return
    path = file_path(path, "path")
    if not path.exists():
        raise missing(path)
    suffix = path.suffix.lower()
    in_zarr = suffix == ".zarr" or path.name.lower().endswith(".zarr.zip")
    if in_zarr and max_bytes is None:
        max_bytes = max(LEAST, RATIO * stored_bytes(path))
    budget = Budget.of(path, max_bytes)
    if suffix in _PICKLES:
        trained = "; a fit of fit.save is read with load_fit" if suffix == ".npz" else ""
        raise FormatError(
            f"{path}: {suffix} files can hold pickled objects, which run code when read: read it yourself if "
            f"you trust it, and hand the spike times to to_block{trained}"
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
        if suffix == ".nwb" or in_zarr:
            with contextlib.nullcontext(path) if in_zarr else open_regular(path) as raw:
                for block in _load_nwb(raw, budget, full, request):
                    block.file_origin = str(path)
                    yield block
        else:
            block = external_files.read_neo(path, budget, start, stop)
            block = _as_it_is(block, request)
            if full:
                integrity.check_block(block)
            block.file_origin = str(path)
            yield block
    except NsnnError as error:
        raise FormatError(f"{path}: {error}") from error
