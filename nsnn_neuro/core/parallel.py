"""The one map over processes, which import nothing from the working directory.

joblib starts Python with `-m`, multiprocessing with `-c`: both put the working directory first on sys.path, so that a file
`pickle.py` there would be run before the task is read. PYTHONSAFEPATH prevents this. Workers then get the sys.path of this process.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from .checks import LARGEST
from .errors import NsnnError
from .units import shown

_VARIABLE = "PYTHONSAFEPATH"
_lock = threading.Lock()
_blas = cache(ThreadpoolController)
_blocks: list[str | None] = []  # one for each block that is being run; the first is the variable before


@contextlib.contextmanager
def safe_path() -> Iterator[None]:
    """Keep the working directory off the sys.path of Python processes that are started inside the block, by any thread."""
    with _lock:
        _blocks.append(os.environ.get(_VARIABLE) if not _blocks else _blocks[0])
        os.environ[_VARIABLE] = "1"
    try:
        yield
    finally:
        with _lock:
            before = _blocks.pop()
            if not _blocks:
                os.environ.pop(_VARIABLE)
                os.environ.update({} if before is None else {_VARIABLE: before})


def narrow_products(narrow: bool = True) -> Any:
    """A context in which BLAS takes one thread, if `narrow`.

    Threads of a small product wait for each other, on a busy machine ten times as long as one of them needs.
    """
    return _blas().limit(limits=1 if narrow else None, user_api="blas")


def check_jobs(n_jobs: Any) -> int:
    """The number of processes or threads; for -1 all cores that this process may use, in a job of a cluster not all there are."""
    if not isinstance(n_jobs, bool) and isinstance(n_jobs, int | np.integer):
        if n_jobs == -1:
            from joblib import cpu_count

            return int(cpu_count())
        if 1 <= n_jobs <= LARGEST:
            return int(n_jobs)
    raise NsnnError(
        f"n_jobs = {shown(n_jobs)}: expected a whole number, 1 or more, or -1 for all cores that this process may use"
    )


def in_processes(
    function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], jobs: int, cure: str = "use fewer jobs"
) -> Generator[tuple[int, Any], None, None]:
    """Yield the number of each task and `function(*task)`, as `jobs` processes finish them.

    NsnnError, which ends with `cure`, when a process is killed.

    >>> sorted(in_processes(max, [(1, 2), (5, 3)], 2))
    [(0, 2), (1, 5)]
    """
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs")
    try:
        with safe_path():
            yield from pool(delayed(_numbered)(function, k, task) for k, task in enumerate(tasks))
    except BrokenProcessPool:
        raise NsnnError(f"n_jobs = {jobs}: a process was killed (out of memory?): {cure}") from None


def _numbered(function: Callable[..., Any], k: int, task: tuple[Any, ...]) -> tuple[int, Any]:
    return k, function(*task)
