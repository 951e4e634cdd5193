"""Brian2's global state: used by one thread at a time and restored afterwards.

The active device, preferences and the state of a running network belong to the process. `borrowed` reserves them for one run: other
threads wait, changes are undone at the end, and a process that another thread forks meanwhile sees the original state.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from brian2 import BrianLogger, Network, prefs
from brian2.core.base import BrianObjectException

from ..core.errors import NsnnError
from ..core.memory import most_used
from . import shortcuts
from .child_process import CURES, CompiledCodeError

_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
# the package holds a proxy under this name
brian_device: Any = importlib.import_module("brian2.devices.device")


# the part of Brian2's global state that a run may change; the last two are of a network of the user whose run contains this run
_PLACES: list[tuple[Any, str]] = [
    (brian_device, "active_device"),
    (prefs.codegen, "target"),
    (prefs.core, "stop_on_keyboard_interrupt"),
    (prefs.codegen.cpp, "extra_compile_args_gcc"),
    (prefs.devices.cpp_standalone, "openmp_threads"),
    *shortcuts.PLACES,
    (Network, "_globally_running"),
    (Network, "_globally_stopped"),
]


def _restore(state: list[Any]) -> None:
    for (owner, name), value in zip(_PLACES, state, strict=True):
        setattr(owner, name, value)


class _Turn:
    """The thread that may run, its depth of nested `simulation_lock`, and the states before its runs."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.owner: int | None = None
        self.depth = 0
        self.before: list[list[Any]] = []


class _Heap:
    """The number of active `frozen_heap` blocks of all threads, and whether the heap was frozen by them."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.depth, self.frozen = 0, False
        self.runs, self.most = 0, 0  # since all garbage was collected; bytes that the process had then


# between two collections of all garbage: runs, and bytes by which the process has grown
_RUNS, _GROWN = 50, 2**28
_turn, _heap = _Turn(), _Heap()


class _OwnObjects(logging.Filter):
    """Drop Brian2's warning about unused objects for objects of this package, whose run failed before it began."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.name.endswith("unused_brian_object") and _PACKAGE in record.getMessage())


BrianLogger.console_handler.addFilter(_OwnObjects())


def _after_fork() -> None:
    """In a forked process: end the run of a thread that does not exist there."""
    global _turn
    _heap.lock = threading.RLock()
    if _turn.owner not in (None, threading.get_ident()):
        if _turn.before:
            _restore(_turn.before[0])
        _turn = _Turn()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def simulation_lock() -> Iterator[None]:
    """Run the block while no other thread simulates; blocks of one thread may be nested.

    >>> order = []
    >>> def simulation():
    ...     with simulation_lock():
    ...         order.append("other thread")
    >>> thread = threading.Thread(target=simulation)
    >>> with simulation_lock():
    ...     thread.start()
    ...     order.append("this thread")
    >>> thread.join()
    >>> order
    ['this thread', 'other thread']
    """
    with _turn.lock:
        _turn.owner, _turn.depth = threading.get_ident(), _turn.depth + 1
        try:
            yield
        finally:
            _turn.depth -= 1
            if not _turn.depth:
                _turn.owner = None


@contextlib.contextmanager
def borrowed() -> Iterator[None]:
    """Reserve Brian2's state for one run and restore it afterwards."""
    with simulation_lock(), _named_errors():
        before = [getattr(owner, name) for owner, name in _PLACES]
        _turn.before.append(before)
        try:
            yield
        finally:
            _restore(before)
            _turn.before.pop()


@contextlib.contextmanager
def _named_errors() -> Iterator[None]:
    """Raise NsnnErrors without Brian2's wrapper, and errors of a full disk and of a limit on open files as NsnnError."""
    try:
        yield
    except (BrianObjectException, OSError) as error:
        cause = error.__cause__ if isinstance(error, BrianObjectException) else error
        if isinstance(cause, NsnnError):
            raise cause from None
        full = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
        if isinstance(cause, OSError) and cause.errno in full:
            raise NsnnError(
                f"the disk is full ({cause.filename or tempfile.gettempdir()}): free some space, or set TMPDIR (temporary files) "
                "and NSNN_CACHE_DIR (compiled models) to folders with free space"
            ) from error
        if isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE):
            raise CompiledCodeError(f"a file cannot be opened ({cause}): {CURES[cause.errno]}") from error
        raise


def is_heap_frozen() -> bool:
    """Whether any thread is inside a `frozen_heap` block."""
    return _heap.depth > 0


@contextlib.contextmanager
def frozen_heap() -> Iterator[None]:
    """Freeze the objects on the heap, so that Brian2's garbage collection before every run skips them; collect at the end."""
    with _heap.lock:
        # only the outermost block, and not if the caller has frozen the heap, which `unfreeze` would undo
        if _heap.depth == 0:
            _heap.frozen = gc.get_freeze_count() == 0
            if _heap.frozen:
                gc.freeze()
        _heap.depth += 1
    try:
        yield
    finally:
        with _heap.lock:
            _heap.depth -= 1
            gc.collect()
            if _heap.depth == 0 and _heap.frozen:
                gc.unfreeze()
                _free_earlier_runs()


def _free_earlier_runs() -> None:
    """Collect all garbage, now and then: that of a run is frozen with the rest of the heap when the next one begins.

    It takes 0.3 s, as long as some runs."""
    _heap.runs += 1
    if _heap.runs >= _RUNS or most_used() - _heap.most > _GROWN:
        gc.collect()
        _heap.runs, _heap.most = 0, most_used()
