"""How calls at many points end: points that failed, Ctrl-C, workers that have other software."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from ..core.errors import NsnnError
from ..core.results import digest
from ..core.warn import warn
from ..io.provenance import provenance
from .store import Folder, differences


class FailedPoints(UserWarning):
    """Points of `sweep` or `run_many` raised an error; they are marked in the table, and errors.json has the tracebacks.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", FailedPoints)  # a sweep in this block ends with an error if a point fails
    """


@functools.cache
def code_checksum() -> str:
    """Checksum of the files of the package, which may have been edited since the last revision."""
    package = Path(__file__).parents[1]
    files = sorted([*package.rglob("*.py"), *package.rglob("*.h")])
    return digest([[f.relative_to(package).as_posix(), f.read_text(encoding="utf-8")] for f in files])


def check_same_software(made_with: dict[str, Any]) -> None:
    """NsnnError if a worker's `provenance` is not that of this process."""
    if changed := differences(provenance(), made_with):
        raise NsnnError(
            f"scheduler: a worker has other software than this process ({'; '.join(changed)}): install the same on both"
        )


def interrupted(n_done: int, total: int, folder: Folder | None) -> str:
    """What Ctrl-C leaves behind."""
    if folder is None:
        return f"interrupted: {n_done} of {total} points were done; out=FOLDER would have kept them"
    return f"interrupted: {n_done} of {total} points are in {folder.path}; the same call continues"


def report_failed(
    argument: str, errors: list[dict[str, Any]], total: int, n_measures: int, folder: Folder | None
) -> None:
    """Warn of failed points; NsnnError about an argument if all values of all failed for one reason, as a table of NaN hides it."""
    if not errors:
        return
    file = None if folder is None else folder.path / "errors.json"
    number = sum(n_measures if one.get("measure") is None else 1 for one in errors)
    if number >= total * n_measures and len({one["error"] for one in errors}) == 1:
        where = f"; {file} has the tracebacks" if file else ""
        refusal = NsnnError(f"{argument}: every point failed with {errors[0]['error']!r}{where}")
        refusal.add_note(errors[0]["traceback"])
        raise refusal
    n = len({(error.get("seed"), error["point"]) for error in errors})
    where = f"{file} lists them with their errors" if file else "use out=... to save the tracebacks"
    first = f"the first with {errors[0]['error']!r} at {errors[0]['parameters']}"
    warn(f"{n} of {total} points failed, {first}: {where}", FailedPoints)
