"""Chunks of a sweep on a Dask cluster. Only this module imports `distributed`, and only when a scheduler is given."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Generator
from typing import Any

from ..core.errors import NsnnError, needs_package
from . import worker
from .worker import Task

_ADDRESS = re.compile(r"(?:(tcp|tls|ucx|wss?)://)?([^/\s]+):(\d{1,5})")
_WAIT = 10.0  # s
# A chunk is submitted up to three times. Dask fails it whenever more workers died in it than `allowed-failures` says (3), which a
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


def results(tasks: list[Task], scheduler: Any) -> Generator[dict[str, Any], None, None]:
    """Yield the results of all tasks, as workers finish them; a chunk in which workers die again and again has failed.

    NsnnError when the connection to the scheduler is lost.
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
                own = distributed.Client(scheduler, timeout=f"{_WAIT:g}s", set_as_default=False)
                client = stack.enter_context(own)
            except (OSError, ValueError, TimeoutError) as error:
                raise NsnnError(
                    f"scheduler = {scheduler!r}: what answers there is no Dask scheduler ({error}): {_EXPECTED}"
                ) from None
        else:
            raise NsnnError(f"scheduler = {scheduler!r}: {_EXPECTED}")
        waiting: dict[Any, tuple[Task, int]] = {}

        def submit(task: Task, number: int) -> Any:
            # errors in a worker; `_RUNS` is for workers that die
            future = client.submit(worker.run, task, pure=False, retries=1)
            waiting[future] = task, number
            return future

        try:
            finished = distributed.as_completed([submit(task, 1) for task in tasks], loop=client.loop)
            for future in finished:
                task, number = waiting.pop(future)
                try:
                    result = future.result()
                except Exception as error:
                    if future.status != "error":
                        raise NsnnError(
                            f"scheduler = {scheduler!r}: the connection to it was lost ({type(error).__name__}): start it and its "
                            "workers again and repeat the call; with out=FOLDER it continues with the finished points"
                        ) from None
                    if isinstance(error, distributed.KilledWorker) and number < _RUNS:
                        finished.add(submit(task, number + 1))
                        continue
                    result = worker.all_failed(task, error)
                yield result
        finally:
            if client.status == "running":
                client.cancel(list(waiting))
