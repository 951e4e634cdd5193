"""A map over the workers of a Dask cluster. Only this module imports `distributed`, and only when a scheduler is given."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Generator, Sequence
from typing import Any

from .errors import NsnnError, needs_package
from .parallel import in_processes

_ADDRESS = re.compile(r"(?:(tcp|tls|ucx|wss?)://)?([^/\s]+):(\d{1,5})")
_WAIT = 10.0  # s
# A task is submitted up to three times. Dask fails it whenever more workers died in it than `allowed-failures` says (3), which a
# client cannot change. On large clusters workers die for reasons of their own, such as the end of a job.
_RUNS = 3
_EXPECTED = (
    'expected the address of a running Dask scheduler, such as "tcp://host:8786", or a distributed.Client'
)


def _check_address(scheduler: str) -> None:
    """Raise NsnnError for text that is no address, and for an address where nothing answers.

    Dask's own client waits long at such addresses, and prints tracebacks when it is discarded.
    """
    if scheduler.startswith("inproc://"):
        return
    parts = _ADDRESS.fullmatch(scheduler)
    if parts is None:
        raise NsnnError(
            f"scheduler = {scheduler!r} is no address: {_EXPECTED}; for a queue such as SLURM start a cluster with dask-jobqueue "
            "and pass Client(SLURMCluster(...))"
        )
    if parts[1] in (None, "tcp", "tls"):
        host, port = parts[2].strip("[]"), int(parts[3])
        try:
            socket.create_connection((host, port), timeout=_WAIT).close()
        except (OSError, OverflowError) as error:
            late = isinstance(error, TimeoutError)
            reason = "no answer in 10 s" if late else getattr(error, "strerror", None) or error
            raise NsnnError(
                f"scheduler = {scheduler!r}: no Dask scheduler answers at {host}, port {port} ({reason}): {_EXPECTED}"
            ) from None


def on_cluster(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    scheduler: Any,
    failed: Callable[[int, Exception], Any] | None = None,
    shared: Any = None,
) -> Generator[tuple[int, Any], None, None]:
    """Yield the number of each task and `function(*task)`, as workers of a Dask cluster finish them.

    failed : what to yield for a task, by its number, that raised an error, or in which workers died again and again; without it
        the error is raised
    shared : sent to each worker once, and the first argument of `function` if not None

    NsnnError when no scheduler is at `scheduler`, an address or a Client, or the connection to it is lost.
    """
    local = "; or use n_jobs=... for processes on this machine"
    with needs_package("distributed", f"scheduler = {scheduler!r}", local):
        import distributed
    with contextlib.ExitStack() as stack:
        if isinstance(scheduler, distributed.Client):
            client = scheduler
        elif isinstance(scheduler, str):
            _check_address(scheduler)
            try:
                new = distributed.Client(scheduler, timeout=f"{_WAIT:g}s", set_as_default=False)
                client = stack.enter_context(new)
            except (OSError, ValueError, TimeoutError) as error:
                raise NsnnError(
                    f"scheduler = {scheduler!r}: what answers there is no Dask scheduler ({error}): {_EXPECTED}"
                ) from None
        else:
            raise NsnnError(f"scheduler = {scheduler!r}: {_EXPECTED}")
        # the result of a task, since Dask can't recover what `scatter` has sent to a worker that died
        first = () if shared is None else (client.submit(_itself, shared, pure=False),)
        waiting: dict[Any, tuple[int, int]] = {}

        def submit(k: int, run: int) -> Any:
            # errors in a worker; `_RUNS` is for workers that die
            future = client.submit(function, *first, *tasks[k], pure=False, retries=1)
            waiting[future] = k, run
            return future

        try:
            finished = distributed.as_completed([submit(k, 1) for k in range(len(tasks))], loop=client.loop)
            for future in finished:
                k, run = waiting.pop(future)
                try:
                    result = future.result()
                except Exception as error:
                    if future.status != "error":
                        raise NsnnError(
                            f"scheduler = {scheduler!r}: the connection to it was lost ({type(error).__name__}): start it and its "
                            "workers again and repeat the call; with out=FOLDER it continues with the finished points"
                        ) from None
                    if isinstance(error, distributed.KilledWorker) and run < _RUNS:
                        finished.add(submit(k, run + 1))
                        continue
                    if failed is None:
                        raise
                    result = failed(k, error)
                yield k, result
        finally:
            if client.status == "running":
                client.cancel(list(waiting))


def in_workers(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], jobs: int, scheduler: Any, cure: str
) -> Generator[tuple[int, Any], None, None]:
    """Yield the number of each task and `function(*task)` from processes of this machine, or from a cluster, if one is given.

    >>> sorted(in_workers(max, [(1, 2), (5, 3)], 1, None, ""))
    [(0, 2), (1, 5)]
    """
    if scheduler is not None:
        return on_cluster(function, tasks, scheduler)
    return in_processes(function, tasks, jobs, cure)


def _itself(shared: Any) -> Any:
    return shared
