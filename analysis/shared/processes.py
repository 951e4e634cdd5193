"""Parts of a study in several processes, each with one thread; results come in the order of the parts."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

from joblib import cpu_count

Item = TypeVar("Item")
Result = TypeVar("Result")
_VARIABLES = {
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**31), "MALLOC_TRIM_THRESHOLD_": str(2**32), "MALLOC_TOP_PAD_": str(2**26),
    "PYTHONSAFEPATH": "1",
}  # fmt: skip
"""Of a process. One thread, of torch too. For glibc: keep the memory of tensors that are no longer needed; getting it anew for each
takes 15 % of the time. For Python: import nothing from the working directory."""


def in_processes(
    work: Callable[[Any, Item], Result],
    shared: Any,
    items: Sequence[Item],
    *,
    jobs: int = 0,
    progress: Callable[[str], None] = lambda text: None,
    what: str = "",
) -> list[Result]:
    """Return work(shared, item) for each item.

    work : a function at the top of its module; shared : sent once to each process
    jobs : processes; 0: one for each core; 1: everything in this process
    progress : called with what `work` tells by `report`, and, with `what` not empty, after each item, in their order

    >>> in_processes(max, 2, [1, 3], jobs=1)
    [2, 3]
    """
    n = min(jobs or cpu_count(), len(items))
    if n <= 1:
        _Worker.tell = staticmethod(progress)
        return list(_reported((work(shared, item) for item in items), items, progress, what))
    context = get_context("spawn")
    messages = context.SimpleQueue()
    listener = threading.Thread(target=_pass_on, args=(messages, progress), daemon=True)
    listener.start()
    try:
        with (
            _environment(_VARIABLES),
            ProcessPoolExecutor(
                n, mp_context=context, initializer=_Worker.start, initargs=(work, shared, messages)
            ) as pool,
        ):
            return list(_reported(pool.map(_Worker.do, items), items, progress, what))
    finally:
        messages.put(None)
        listener.join()


def _pass_on(messages: Any, progress: Callable[[str], None]) -> None:
    for text in iter(messages.get, None):
        progress(text)


def report(text: str) -> None:
    """Tell the `progress` of `in_processes`, from within its `work`."""
    _Worker.tell(text)


def _reported(
    results: Iterable[Result], items: Sequence[Item], progress: Callable[[str], None], what: str
) -> Iterator[Result]:
    for k, (item, result) in enumerate(zip(items, results, strict=True)):
        if what:
            progress(f"{what}: {item} ({k + 1} of {len(items)})")
        yield result


class _Worker:
    """What a process does and has, set when it starts."""

    work: Callable[[Any, Any], Any]
    shared: Any
    tell: Callable[[str], None] = staticmethod(lambda text: None)

    @classmethod
    def start(cls, work: Callable[[Any, Any], Any], shared: Any, messages: Any) -> None:
        """Called once in each process."""
        cls.work, cls.shared, cls.tell = staticmethod(work), shared, messages.put
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word: the caller speaks

    @classmethod
    def do(cls, item: Any) -> Any:
        """The result of an item."""
        return cls.work(cls.shared, item)


@contextlib.contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    """Environment variables for processes that are started in the block."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
