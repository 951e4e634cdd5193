"""Chunks of a sweep on a Dask cluster; `distributed` is imported here alone, when a scheduler is given."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

from ..core.errors import NsnnError
from . import worker
from .worker import Task

__all__ = ["results"]


def results(tasks: list[Task], scheduler: Any) -> Generator[dict[str, Any], None, None]:
    """The results of all tasks, as workers finish them. A chunk that its worker doesn't survive has failed.

    Raises
    ------
    NsnnError : `distributed` isn't installed, or there is no scheduler at that address
    """
    try:
        import distributed
    except ImportError:
        raise NsnnError(
            f"scheduler = {scheduler!r} needs Dask, which isn't installed: pip install distributed (or n_jobs=... for processes "
            "of this machine)"
        ) from None
    with contextlib.ExitStack() as stack:
        if isinstance(scheduler, distributed.Client):
            client = scheduler
        elif isinstance(scheduler, str):
            try:
                client = stack.enter_context(
                    distributed.Client(scheduler, timeout="10s", set_as_default=False)
                )
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
                    found = future.result()
                except Exception as error:
                    found = worker.all_failed(task, error)
                yield found
        finally:
            client.cancel(list(waiting))
