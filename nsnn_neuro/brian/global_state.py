"""Brian2's global state: one thread at a time uses it, and everything is as before afterwards.

Brian2 keeps its active device, its preferences and whether a network is running for the whole process. `borrowed` gives them to
one run: other threads wait, what was changed is put back, and a process that is forked meanwhile by another thread finds
them unchanged. The heap that `frozen_heap` freezes belongs to the process too.
"""

from __future__ import annotations

import contextlib
import dataclasses
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

__all__ = ["State", "borrowed", "is_heap_frozen", "frozen_heap", "taking_turns"]

_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
_device: Any = importlib.import_module("brian2.devices.device")  # the package holds a proxy under this name


@dataclasses.dataclass(frozen=True)
class State:
    """What a run may change of Brian2's global state."""

    device: Any
    target: str
    stops: bool
    flags: list[str]
    """of the C++ compiler, as Brian2 has them for GCC"""
    outer: tuple[bool, bool]
    """of the user's network in whose run this one takes place: running, stopped"""

    @classmethod
    def now(cls) -> State:
        """The present state."""
        return cls(
            _device.active_device,
            prefs.codegen.target,
            prefs.core.stop_on_keyboard_interrupt,
            prefs.codegen.cpp.extra_compile_args_gcc,
            (Network._globally_running, Network._globally_stopped),
        )

    def restore(self) -> None:
        """Make this the present state."""
        _device.active_device = self.device
        prefs.codegen.target = self.target
        prefs.core.stop_on_keyboard_interrupt = self.stops
        prefs.codegen.cpp.extra_compile_args_gcc = self.flags
        Network._globally_running, Network._globally_stopped = self.outer


class _Turn:
    """Whose turn it is, how many blocks of `taking_turns` it is in, and the states before its runs."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.owner: int | None = None
        self.depth = 0
        self.before: list[State] = []


class _Heap:
    """How many blocks of `frozen_heap` this process is in, all threads together, and whether the heap was frozen for them."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.depth, self.frozen = 0, False


_turn, _heap = _Turn(), _Heap()


class _Own(logging.Filter):
    """Drops Brian2's complaint that an object was never run where a run of this package failed before it began."""

    def filter(self, record: logging.LogRecord) -> bool:
        """False for objects that this package has made."""
        return not (record.name.endswith("unused_brian_object") and _PACKAGE in record.getMessage())


BrianLogger.console_handler.addFilter(_Own())


def _after_fork() -> None:
    """In a forked process: end the run of a thread that does not exist here."""
    global _turn
    _heap.lock = threading.RLock()
    if _turn.owner not in (None, threading.get_ident()):
        if _turn.before:
            _turn.before[0].restore()
        _turn = _Turn()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def taking_turns() -> Iterator[None]:
    """Wait for the runs of other threads to end, and let theirs wait for this block. One thread may nest such blocks."""
    with _turn.lock:
        _turn.owner, _turn.depth = threading.get_ident(), _turn.depth + 1
        try:
            yield
        finally:
            _turn.depth -= 1
            if not _turn.depth:
                _turn.owner = None


@contextlib.contextmanager
def borrowed() -> Iterator[State]:
    """Brian2's state for one run, to be changed at will; it yields what is put back at the end.

    Raises
    ------
    NsnnError : the disk is full
    """
    with taking_turns(), _named_errors():
        before = State.now()
        _turn.before.append(before)
        try:
            yield before
        finally:
            before.restore()
            _turn.before.pop()


@contextlib.contextmanager
def _named_errors() -> Iterator[None]:
    """Errors of compiling as they were raised, without Brian2's around them; a full disk as an NsnnError."""
    try:
        yield
    except BrianObjectException as error:
        if isinstance(error.__cause__, NsnnError):
            raise error.__cause__ from None
        full = _full_disk(error.__cause__)
        if full is not None:
            raise full from error
        raise
    except OSError as error:
        full = _full_disk(error)
        if full is not None:
            raise full from error
        raise


def _full_disk(error: BaseException | None) -> NsnnError | None:
    if not isinstance(error, OSError) or error.errno not in (
        errno.ENOSPC,
        getattr(errno, "EDQUOT", errno.ENOSPC),
    ):
        return None
    where = error.filename or tempfile.gettempdir()
    return NsnnError(
        f"the disk is full ({where}): free some space, or set TMPDIR (temporary files) and NSNN_CACHE_DIR (compiled models) "
        "to folders with room"
    )


def is_heap_frozen() -> bool:
    """True inside a block of `frozen_heap`, of any thread."""
    return _heap.depth > 0


@contextlib.contextmanager
def frozen_heap() -> Iterator[None]:
    """Put aside what is on the heap, through which Brian2 goes before every run; what was left in here is collected at the end."""
    with _heap.lock:
        # outermost, and the caller hasn't frozen a heap, which `unfreeze` would undo
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
