"""Chunks of a sweep on a Dask cluster. Only this module imports `distributed`, and only when a scheduler is given."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Generator
from typing import Any

from ..core.errors import NsnnError
from . import worker
from .worker import Task

_ADDRESS = re.compile(r"(?:(tcp|tls|ucx|wss?)://)?([^/\s]+):(\d{1,5})")
_WAIT = 10.0  # s
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
            reason = (
                "no answer in 10 s"
                if isinstance(error, TimeoutError)
                else getattr(error, "strerror", None) or error
            )
            raise NsnnError(
                f"scheduler = {scheduler!r}: no Dask scheduler answers at {host}, port {port} ({reason}): {_EXPECTED}"
            ) from None


def results(tasks: list[Task], scheduler: Any) -> Generator[dict[str, Any], None, None]:
    """Yield the results of all tasks, as workers finish them; a chunk whose worker dies has failed."""
    try:
        import distributed
    except ImportError:
        raise NsnnError(
            f"scheduler = {scheduler!r} needs Dask, which is not installed: pip install distributed, or use n_jobs=... for "
            "processes on this machine"
        ) from None
    with contextlib.ExitStack() as stack:
        if isinstance(scheduler, distributed.Client):
            client = scheduler
        elif isinstance(scheduler, str):
            _check_address(scheduler)
            try:
                own = distributed.Client(scheduler, timeout="10s", set_as_default=False)
                client = stack.enter_context(own)
            except (OSError, ValueError, TimeoutError) as error:
                raise NsnnError(
                    f"scheduler = {scheduler!r}: what answers there is no Dask scheduler ({error}): {_EXPECTED}"
                ) from None
        else:
            raise NsnnError(f"scheduler = {scheduler!r}: {_EXPECTED}")
        waiting = {client.submit(worker.run, task, pure=False, retries=1): task for task in tasks}
        try:
            for future in distributed.as_completed(list(waiting), loop=client.loop):
                task = waiting.pop(future)
                try:
                    result = future.result()
                except Exception as error:
                    result = worker.all_failed(task, error)
                yield result
        finally:
            client.cancel(list(waiting))
