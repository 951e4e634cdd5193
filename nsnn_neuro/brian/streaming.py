"""Simulate long runs in time windows and write each window's spikes to disk instead of keeping them in memory.

After each window the monitors are emptied into a `Spool`, an unnamed file in the folder of the result that vanishes with the
process. It holds sequences of sorted integers, each of which encodes neuron, trial and step. At the end they are merged into the
NWB file, which replaces its old version atomically, as in `io.save_load.save`.
"""

from __future__ import annotations

import bisect
import contextlib
import errno
import math
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import neo
import numpy as np
from brian2 import Network, second
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice

from ..core.errors import NsnnError
from ..core.progress import progress_bar
from ..io import save_load
from ..io.nwb.order import Sorted
from ..io.nwb.write import write_sorted
from ..io.spikes import PIECE
from . import engine, global_state

MEMBER_STEPS = 2**22
"""Steps of all neurons in a window: the largest possible number of spikes, typically 100 times their number."""
RUN = 2**20
"""Number of spikes that are sorted at once."""


class Spool:
    """Temporary file of spikes: written in order of time, read in the order of an NWB file.

    out : path of the NWB file, for messages
    file : open for reading and writing, unbuffered, empty
    n_neurons, n_trials, n_steps : of the run; neuron, trial and step make one integer of 64 bits

    >>> import io
    >>> spool = Spool("run.nwb", io.BytesIO(), n_neurons=2, n_trials=2, n_steps=10)
    >>> spool.add(trial=np.array([0, 0, 1]), neuron=np.array([1, 0, 0]), tick=np.array([3, 4, 4]))
    >>> spool.add(trial=np.array([0]), neuron=np.array([0]), tick=np.array([7]))
    >>> spool.finish()
    >>> spool.counts.tolist(), [piece.tolist() for piece in spool.pieces()]
    ([[2, 1], [1, 0]], [[4, 7, 4, 3]])
    """

    def __init__(self, out: Any, file: Any, *, n_neurons: int, n_trials: int, n_steps: int) -> None:
        if n_neurons * n_trials * n_steps >= 2**63:
            raise NsnnError(
                f"{n_neurons} neurons x {n_trials} trials x {n_steps} steps: expected fewer than 2^63 with out"
            )
        self.out, self._file = out, file
        self._n_steps, self._shape = n_steps, (n_neurons, n_trials)
        self._counts = np.zeros(n_neurons * n_trials, dtype=np.int64)
        self._waiting: list[np.ndarray] = []
        self._sizes: list[int] = []

    @property
    def counts(self) -> np.ndarray:
        """Number of spikes of each train so far, (n_neurons, n_trials)."""
        return self._counts.reshape(self._shape)

    def add(self, trial: np.ndarray, neuron: np.ndarray, tick: np.ndarray) -> None:
        """Add spikes, (n_spikes,) integers each, later than the previous ones of each neuron."""
        train = np.asarray(neuron, dtype=np.int64) * self._shape[1] + trial
        if train.size:
            self._counts += np.bincount(train, minlength=self._counts.size)
            self._waiting.append(train * self._n_steps + tick)
        if sum(keys.size for keys in self._waiting) >= RUN:
            self.finish()

    def finish(self) -> None:
        """Write the spikes that are still in memory."""
        if self._waiting:
            keys = np.concatenate(self._waiting)
            keys.sort()
            self._waiting = []
            self._file.seek(8 * sum(self._sizes))
            view = memoryview(keys).cast("B")
            with _named_errors(self.out):
                while view:
                    view = view[self._file.write(view) :]
            self._sizes.append(keys.size)

    def pieces(self) -> Iterator[np.ndarray]:
        """Steps of all spikes sorted by neuron, trial and time, in pieces of complete trains of about `RUN` spikes."""
        ends, first, total = np.cumsum(self._counts), 0, 0
        starts = np.cumsum([0, *self._sizes])[:-1].tolist()
        left = list(self._sizes)
        while first < ends.size:
            last = max(first + 1, int(np.searchsorted(ends, total + RUN, "right")))
            parts = []
            for k, (start, size) in enumerate(zip(starts, left, strict=True)):
                number = self._before(last * self._n_steps, start, size)
                if number:
                    parts.append((start, number))
                    starts[k], left[k] = start + number, size - number
            if last == first + 1:  # one train, already in order of time; it may be larger than memory
                for start, number in parts:
                    yield self._read(start, number) % self._n_steps
            elif parts:
                keys = np.concatenate([self._read(*part) for part in parts])
                keys.sort()
                yield keys % self._n_steps
            first, total = last, ends[last - 1]

    def _read(self, start: int, number: int) -> np.ndarray:
        self._file.seek(8 * start)
        keys = np.empty(number, dtype=np.int64)
        if self._file.readinto(keys) != keys.nbytes:
            raise OSError("the temporary file of spikes is incomplete")
        return keys

    def _before(self, key: int, start: int, size: int) -> int:
        """The number of keys below `key` among the `size` sorted keys from index `start`."""
        return bisect.bisect_left(range(size), key, key=lambda k: self._read(start + k, 1)[0])


@contextlib.contextmanager
def opened(out: Any, **sizes: int) -> Iterator[Spool | None]:
    """A temporary Spool in the folder of `out`, or None without `out`; `sizes` are those of Spool."""
    if out is None:
        yield None
        return
    target = save_load.destination(out, "out")
    with contextlib.ExitStack() as stack:
        with _named_errors(out):
            file = stack.enter_context(tempfile.TemporaryFile(dir=target.parent, buffering=0))
        yield Spool(out, file, **sizes)


@contextlib.contextmanager
def _named_errors(out: Any) -> Iterator[None]:
    """Raise errors of a full disk or a folder without write permission as NsnnError about `out`."""
    try:
        yield
    except OSError as error:
        raise NsnnError(
            f"out = {out}: can't be written ({error.strerror or error}); no file is left there: expected a folder "
            "with space for twice the size of the file during the simulation"
        ) from error


class _InWindows(engine.Prepared):
    """Network that runs in windows: only the last run removes the spikes of its last step, which synapses may still need."""

    done = False

    def after_run(self) -> None:
        """End the run as Brian2 does, after the last window."""
        if self.done:
            super().after_run()


def windows(
    objects: list[Any], monitors: list[Any], n_steps: int, dt: float, device: Any, progress: Any
) -> Generator[tuple[int, np.ndarray, np.ndarray], None, None]:
    """Run `objects`; for each window and monitor yield its number, and members and times (s) of its spikes.

    The runtime engines stop after `MEMBER_STEPS` to empty the monitors. A C++ program keeps its spikes in memory, 12 bytes each,
    and writes them at its end; they are read in pieces.
    """
    if isinstance(device, CPPStandaloneDevice):
        engine.run(Network(objects, name="network"), n_steps * dt, device, progress)
        for k, monitor in enumerate(monitors):
            yield from ((k, *piece) for piece in _written(monitor, device))
        return
    network = _InWindows(objects, name="network")
    most = max(1, MEMBER_STEPS // sum(len(monitor.source) for monitor in monitors))
    done, steps, reached = 0, 0, 0.0
    with global_state.frozen_heap(), progress_bar(progress, "simulating") as report:

        def part(fraction: float) -> None:
            nonlocal reached  # the end of a window and the start of the next differ by rounding
            reached = max(reached, min(1.0, (done + fraction * steps) / n_steps))
            if report is not None:
                report(reached)

        while done < n_steps:
            steps = min(most, n_steps - done)
            network.done = done + steps == n_steps
            network.run(
                steps * dt * second, namespace={}, **engine.reporting(None if report is None else part)
            )
            network.prepared = True
            done += steps
            for k, monitor in enumerate(monitors):
                yield k, np.array(monitor.i[:]), np.array(monitor.t[:])
                for name in ("i", "t"):
                    monitor.variables[name].resize(0)
                monitor.variables["N"].set_value(0)


def _written(monitor: Any, device: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Members and times of the spikes of a monitor from the files of a C++ program, in pieces."""
    files = [
        (os.path.join(device.results_dir, device.get_array_filename(variable)), variable.dtype)
        for variable in (monitor.variables["i"], monitor.variables["t"])
    ]
    size = os.path.getsize(files[0][0]) // np.dtype(files[0][1]).itemsize
    for k in range(0, size, PIECE):
        members, times = (
            np.fromfile(name, dtype=kind, count=PIECE, offset=k * np.dtype(kind).itemsize)
            for name, kind in files
        )
        yield members, times


def write(block: neo.Block, spool: Spool | None) -> neo.Block:
    """Write `block` with the spikes of `spool` to the file of `spool` and load it; without a spool return the block itself."""
    if spool is None:
        return block
    spool.finish()
    starts, stops = (
        np.array([float(getattr(segment.spiketrains, edge)) for segment in block.segments])
        for edge in ("t_start", "t_stop")
    )
    spikes = Sorted(spool.counts, starts, stops, float(block.annotations["dt"]), np.int32, spool.pieces)
    signals = sum(signal.nbytes for segment in block.segments[:1] for signal in segment.analogsignals)
    space = 17 * int(spool.counts.sum()) + 200 * len(spool.counts) + signals + 2**20
    with _named_errors(spool.out):
        # HDF5 does not survive a full disk, so the space is checked before
        _check_space(save_load.destination(spool.out).parent, space)
        path = save_load.written(spool.out, lambda file: write_sorted(block, spikes, file, spikes.dt))
    return save_load.load(path, max_bytes=math.inf)


def _check_space(folder: Path, space: int) -> None:
    """Raise OSError if the disk has less free space, by reserving it or, if that is not possible, from its statistics."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, space)
    except (AttributeError, OSError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        free = os.statvfs(folder)
        if free.f_bavail * free.f_frsize < space:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
