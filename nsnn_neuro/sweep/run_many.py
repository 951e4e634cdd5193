"""`run_many`: a function at many points, here, in processes or on a Dask cluster, as a table that an interruption does not lose."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import math
import os
import sys
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core.aliases import Progress
from ..core.checks import did_you_mean, flag, suggest_keywords
from ..core.cluster import on_cluster
from ..core.errors import NsnnError
from ..core.parallel import check_jobs, in_processes
from ..core.progress import progress_bar, resolve_progress
from ..core.units import is_quantity, shown
from ..io.provenance import provenance
from .endings import check_same_software, code_checksum, interrupted, report_failed
from .fingerprint import fingerprint
from .grid import Points, points_of
from .store import Folder, Kind

_MOST_CHUNKS = 1000  # an interruption loses at most a thousandth of the work per process
_EXPECTED = "expected a dict from names to numbers, texts, True, False or None"


@suggest_keywords
def run_many(
    function: Callable[..., Mapping[str, Any]],
    points: Any,
    *,
    out: str | os.PathLike[str] | None = None,
    n_jobs: int = 1,
    scheduler: Any = None,
    resume: bool = True,
    progress: Progress = None,
) -> pd.DataFrame:
    """Call a function at every point, in this process, in several or on a Dask cluster, and return what it gives as a table.

    For what `sweep` does not do: fits, trainings, analyses of recordings. The table does not depend on where and in which order
    the points run, if the function depends on its arguments only; one that draws random numbers takes its seed from the point.

    Parameters
    ----------
    function : called as function(**point); returns a dict from names to numbers, texts, True, False or None. What it keeps, such as
        a recording in functools.partial, is sent to every process once; modules that it needs must be installed there
    points : dict from names to lists, all combined, the last name fastest; a list of dicts; or a DataFrame with a point per row.
        Values are quantities, numbers, texts, True or False, and are passed as they are
    out : folder for finished points, made if needed; None saves nothing
    n_jobs : number of processes; -1 for all cores this process may use
    scheduler : address of a Dask scheduler, or a `distributed.Client`, instead of processes; needs `distributed`
    resume : True reuses the finished points of the same function and points in the folder, and runs failed points again. Another
        function, by its name, its code and what it keeps, or other points are refused; a change in what the function calls is not
        seen. A finished folder of another version of the software is read, with a warning; an unfinished one is refused. False
        deletes the results in the folder and starts again
    progress : as for `sweep`

    Returns
    -------
    DataFrame : a row per point. Columns: the names of the points (SI, their units in `attrs["units"]`), the names that the function
        returned, failed. A point at which the function raised an error has missing values and failed True.

    Raises
    ------
    NsnnError : invalid points or arguments, names that the function does not take, before anything runs; a function that cannot be
        sent to other processes; a folder of other results; a killed process; all points failed for one reason
    KeyboardInterrupt : after Ctrl-C; its message says how many points are in the folder

    Warns
    -----
    FailedPoints : the number of failed points, and where their errors are

    >>> run_many(lambda tau, gain: {"product": tau * gain, "large": tau > 1}, {"tau": [1, 2], "gain": [0.5, 3.0]})
       tau  gain  product  large  failed
    0    1   0.5      0.5  False   False
    1    1   3.0      3.0  False   False
    2    2   0.5      1.0   True   False
    3    2   3.0      6.0   True   False
    """
    if not callable(function):
        raise NsnnError(f"function = {shown(function)}: expected a function of a point, which returns a dict")
    return run_named(
        function,
        fingerprint(function),
        points,
        out=out,
        n_jobs=n_jobs,
        scheduler=scheduler,
        resume=resume,
        progress=progress,
    )


def run_named(
    function: Callable[..., Mapping[str, Any]],
    identity: Any,
    points: Any,
    *,
    out: str | os.PathLike[str] | None,
    n_jobs: int,
    scheduler: Any,
    resume: bool,
    progress: Progress,
) -> pd.DataFrame:
    """As `run_many`, with the plain data that a folder compares to know the function again."""
    listed, jobs, resume = points_of(points, "points"), check_jobs(n_jobs), flag(resume, "resume")
    speaks, progress = progress is None or progress is True, resolve_progress(progress)
    _check_names(function, listed)
    n = len(listed)
    folder = None if out is None else Folder(out, _KIND)
    done: dict[int, dict[str, Any]] = {}
    with contextlib.ExitStack() as stack:
        if folder is not None:
            stack.enter_context(folder.locked())
            folder.begin(_config(identity, listed), resume)
            done = {k: one for (_, k), one in folder.results([0], n).items()}
            folder.check_software(len(done), n)
        if folder is not None and done and speaks:
            print(f"run_many: {len(done)} of {n} points were in {folder.path}", file=sys.stderr, flush=True)
        report = stack.enter_context(progress_bar(progress, "run_many", n, unit="point", initial=len(done)))
        left = [k for k in range(n) if k not in done]
        size = math.ceil(n / _MOST_CHUNKS)
        chunks = [left[first : first + size] for first in range(0, len(left), size)]
        results = _results(function, listed, chunks, jobs, scheduler)
        try:
            for result in stack.enter_context(contextlib.closing(results)):
                check_same_software(result["made_with"])
                if folder is not None:
                    folder.add(0, result["points"])
                done.update({one["point"]: one for one in result["points"]})
                if report is not None:
                    report(len(done) / n)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(interrupted(len(done), n, folder)) from None
        table = _table(listed, done)
        errors = [error for k in range(n) for error in done[k]["failed"]]
        if folder is not None:
            folder.write("errors.json", json.dumps(errors, indent=1) + "\n")
            folder.write("table.csv", table.to_csv(index=False))
    report_failed("function", errors, n, 1, folder)
    return table


def _check_names(function: Callable[..., Any], points: Points) -> None:
    """NsnnError if the function cannot be called with the names of the points."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions in C have none
        return
    names = list(points.values[0])
    try:
        signature.bind(**points.values[0])
    except TypeError as error:
        taken = list(signature.parameters)
        hints = [did_you_mean(name, taken) for name in names if name not in taken]
        raise NsnnError(
            f"points have the names {', '.join(names)}, but function{signature} cannot be called with them ({error}"
            f"{''.join(hints[:1])}): expected a name for each argument without a default"
        ) from None


def _config(identity: Any, points: Points) -> dict[str, Any]:
    """What determines the table, as plain data."""
    config = {"function": identity, "points": points.plain(), "units": points.units()}
    plain: dict[str, Any] = json.loads(json.dumps(config | {"code": code_checksum(), **provenance()}))
    return plain


def _results(
    function: Callable[..., Any], points: Points, chunks: list[list[int]], jobs: int, scheduler: Any
) -> Generator[dict[str, Any], None, None]:
    """Yield the results of all chunks, as they finish."""
    tasks = [(points.some(numbers), numbers) for numbers in chunks]
    if scheduler is None and (jobs == 1 or len(tasks) < 2):
        yield from (_called(function, *task) for task in tasks)
        return
    sent = _pickled(function)
    if scheduler is None:
        given = [(sent, *task) for task in tasks]
        running = in_processes(
            _unpickled_and_called, given, jobs, "use fewer jobs, or out=FOLDER and call again"
        )
    else:

        def failed(k: int, error: Exception) -> dict[str, Any]:
            here, numbers = tasks[k]
            rows = [_failed(here, place, number, error) for place, number in enumerate(numbers)]
            return {"points": rows, "made_with": provenance()}

        running = on_cluster(_unpickled_and_called, tasks, scheduler, failed, sent)
    with contextlib.closing(running) as finished:
        yield from (result for _, result in finished)


def _pickled(function: Callable[..., Any]) -> np.ndarray:
    """The function as bytes in an array, which joblib and Dask send to a process once."""
    import cloudpickle

    try:
        return np.frombuffer(cloudpickle.dumps(function), np.uint8)
    except Exception as error:
        raise NsnnError(
            f"function = {shown(function)}: it can't be sent to another process ({error}): open files, locks and generators inside "
            "the function, or use n_jobs=1"
        ) from None


@functools.lru_cache(maxsize=2)
def _unpickled(sent: bytes) -> Callable[..., Any]:
    import cloudpickle

    function: Callable[..., Any] = cloudpickle.loads(sent)
    return function


def _unpickled_and_called(sent: np.ndarray, points: Points, numbers: Sequence[int]) -> dict[str, Any]:
    try:
        function = _unpickled(sent.tobytes())
    except Exception as error:
        rows = [_failed(points, place, number, error) for place, number in enumerate(numbers)]
        return {"points": rows, "made_with": provenance()}
    return _called(function, points, numbers)


def _called(function: Callable[..., Any], points: Points, numbers: Sequence[int]) -> dict[str, Any]:
    """The results of a chunk in any process: {"points": [{"point", "values", "failed"}], "made_with"}."""
    rows = []
    for place, number in enumerate(numbers):
        try:
            values = _plain(function(**points.values[place]), points.values[place])
            rows.append({"point": number, "values": values, "failed": []})
        except Exception as error:
            rows.append(_failed(points, place, number, error))
    return {"points": rows, "made_with": provenance()}


def _failed(points: Points, place: int, number: int, error: Exception) -> dict[str, Any]:
    failure = {
        "point": number,
        "parameters": {name: str(value) for name, value in points.values[place].items()},
        "error": f"{type(error).__name__}: {error}",
        "traceback": "".join(traceback.format_exception(error)),
    }
    return {"point": number, "values": {}, "failed": [failure]}


def _plain(result: Any, point: Mapping[str, Any]) -> dict[str, Any]:
    """What the function returned, with numbers of Python; NsnnError for what has no place in a table."""
    if not isinstance(result, Mapping) or not all(isinstance(name, str) for name in result):
        raise NsnnError(f"function returned {shown(result)}: {_EXPECTED}")
    plain = {}
    for name, value in result.items():
        if name in point or name == "failed":
            raise NsnnError(
                f"function returned {name!r}, which is another column of the table: use another name"
            )
        if is_quantity(value):
            raise NsnnError(
                f"function returned {name!r} = {shown(value)}: {_EXPECTED}; return its number, and its unit in the name, as rate_hz"
            )
        number = value.item() if isinstance(value, np.generic | np.ndarray) and np.ndim(value) == 0 else value
        if number is not None and not isinstance(number, str | bool | int | float):
            raise NsnnError(f"function returned {name!r} = {shown(value)}: {_EXPECTED}")
        plain[name] = number
    return plain


def _table(points: Points, done: dict[int, dict[str, Any]]) -> pd.DataFrame:
    """A row per point, in their order."""
    names = dict.fromkeys(name for k in sorted(done) for name in done[k]["values"])
    plain = points.plain()
    columns = {name: [row[name] for row in plain] for name in plain[0]}
    columns |= {name: [done[k]["values"].get(name) for k in range(len(points))] for name in names}
    table = pd.DataFrame(columns | {"failed": [bool(done[k]["failed"]) for k in range(len(points))]})
    table.attrs["units"] = points.units()
    return table


def _encoded(one: dict[str, Any]) -> dict[str, Any]:
    """A point's results as JSON can keep them: NaN and infinities, which it lacks, in a list as text."""
    values = {
        name: [repr(value)] if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in one["values"].items()
    }
    return {**one, "values": values}


def _decoded(one: Any) -> dict[str, Any]:
    """What `_encoded` was given; an exception for anything else."""
    values = {}
    for name, value in one["values"].items():
        if isinstance(value, list):
            if value not in (["nan"], ["inf"], ["-inf"]):
                raise ValueError(f"unexpected value {value!r:.40}")
            value = float(value[0])
        if value is not None and not isinstance(value, str | bool | int | float):
            raise ValueError(f"unexpected value {value!r:.40}")
        values[name] = value
    return {"values": values}


_KIND = Kind("run_many", "run", _encoded, _decoded)
