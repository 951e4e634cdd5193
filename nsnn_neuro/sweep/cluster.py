"""Chunks of a sweep on a Dask cluster. Only this module imports `distributed`, and only when a scheduler is given."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

from ..core.errors import NsnnError
from . import worker
from .worker import Task


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
            try:
                own = distributed.Client(scheduler, timeout="10s", set_as_default=False)
                client = stack.enter_context(own)
            except (OSError, ValueError, TimeoutError) as error:
                raise NsnnError(
                    f"scheduler = {scheduler!r}: no Dask scheduler answers there ({error}): expected an address such as "
                    '"tcp://host:8786"'
                ) from None
        else:
            raise NsnnError(f"scheduler = {scheduler!r}: expected an address or a distributed.Client")
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
