"""`sweep`: measures at every point of a parameter grid, for every seed, as a table."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Generator, Sequence
from typing import Any

import pandas as pd

from ..brian import engine as engines
from ..brian.global_state import frozen_heap
from ..brian.simulate import check_threads
from ..core import checks, units
from ..core.aliases import Progress, Time
from ..core.checks import check_seed, flag, one_of, suggest_keywords, whole
from ..core.cluster import on_cluster
from ..core.errors import NsnnError
from ..core.memory import free_memory
from ..core.parallel import check_jobs, in_processes
from ..core.progress import progress_bar, resolve_progress
from ..core.results import digest
from ..core.warn import warn
from ..io.provenance import provenance
from ..measures.table import INTERVALS, named_measures
from . import worker
from .batching import chunk_size, groups, kept_size
from .endings import check_same_software, code_checksum, interrupted, report_failed
from .fingerprint import fingerprint
from .grid import OF_THE_POINT, PARTS, Points, read, seeds_of
from .store import Folder
from .worker import Task, try_measures

_MOST_BYTES = 2 * 2**30  # of a chunk: larger ones are not faster
_NAMED = 20  # points in a warning
_DASK_BYTES = 2**30  # of a chunk on another machine
Results = dict[tuple[int, int], dict[str, Any]]


@suggest_keywords
def sweep(
    model: Any,
    grid: Any,
    *,
    noise: Any = None,
    stimulus: Any = None,
    measures: Any,
    trials: int = 1,
    duration: Time,
    dt: Time | None = None,
    seed: int | Sequence[int] | None = None,
    out: str | os.PathLike[str] | None = None,
    n_jobs: int = 1,
    scheduler: Any = None,
    resume: bool = True,
    common_noise: bool = False,
    n_neurons: int = 1,
    engine: str = "cython",
    bridge: bool = True,
    by: str = "neuron",
    memory: float | None = None,
    chunk: int | None = None,
    threads: int | None = None,
    progress: Progress = None,
) -> pd.DataFrame:
    """Measure neurons or a network at every point of a grid, for every seed.

    Points run together, as one population whose parameters are arrays, in chunks that fit into memory. The spikes of a point are
    those of `simulate(..., seed=seed, point=number)`, independent of chunks, processes and order.

    Parameters
    ----------
    model : a neuron model, a `Network`, or a function of the point (a dict of names and values) that returns one
    grid : dict from names to lists, all combined, the last name fastest; or a list of points, each a dict from names to values.
        "noise.sigma" is the parameter sigma of `noise`, "noise.family.sigma" that of its family; likewise "model.", "stimulus.".
        A function of the point may use any names. Values are quantities, numbers, texts, True or False
    noise, stimulus : a noise model and a stimulus, None, or functions of the point
    measures : function, list of functions, or dict of name -> function, each of a Block to (n_neurons,), number or Estimate, as for
        `tabulate`; functools.partial sets options. Before the sweep runs, each is tried on a Block of point 0 without spikes
    by : "neuron" (default) or "population", as for `tabulate`
    trials, duration, dt, n_neurons, engine, bridge : as for `simulate`
    seed : a whole number, several (every point runs with each), or None to draw one; recorded in the folder
    out : folder for finished chunks of points, made if needed; None saves nothing
    n_jobs : number of processes; -1 for all cores it may use
    scheduler : address of a Dask scheduler, or a `distributed.Client`, instead of processes; needs `distributed`
    resume : True reuses the finished points of the same sweep in the folder, and runs failed points again. Another configuration is
        refused. A finished folder of another version of the software is read, with a warning; an unfinished one is refused. False
        deletes the sweep in the folder and starts again
    common_noise : True gives every point the noise of point 0 (common random numbers): differences between neighbouring points
        vary several times less than with independent noise, but the errors of all points are correlated
    memory : bytes for all chunks that run at a time; default half of the free memory, at most 2 GiB per chunk
    chunk : largest number of points at a time; default 20,000 neurons (neurons x trials x points), as far as memory allows, and
        less in a long sweep with `out`: an interruption loses the chunk that is running
    threads : as for `simulate`, in each of the `n_jobs` processes. Short sweeps are faster with `threads` than with `n_jobs`
    progress : as for `simulate`. Unless it is False or a function, a line says how many points were in the folder

    Returns
    -------
    DataFrame : for every point and seed the rows of `tabulate`. Columns: point (its number), the names of the grid (SI, their
        units in `attrs["units"]`), seed, population, neuron, measure, value, se, n, unit, failed. A point that failed has the value
        NaN and failed True.

    Raises
    ------
    NsnnError : an invalid name, value or argument, also of a measure, before anything runs; a folder of another sweep; a killed
        process; all measures of all points failed for one reason
    FormatError : a damaged manifest
    KeyboardInterrupt : after Ctrl-C; its message says how many points are in the folder

    Warns
    -----
    FailedPoints : the number of failed points, and where their errors are
    UserWarning : the rows in the folder were computed by another version of the software; points whose `cv` is of fewer than 5
        intervals per trial, which is too low

    Source: common random numbers: Glasserman & Yao 1992, doi 10.1287/mnsc.38.6.884

    >>> from brian2 import ms, mV
    >>> from nsnn_neuro import LIF, Constant, WhiteNoise
    >>> from nsnn_neuro.measures import firing_rate
    >>> cell = LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> table = sweep(cell, {"noise.sigma": [2*mV, 4*mV]}, noise=WhiteNoise(1*mV), stimulus=Constant(15*mV),
    ...               measures=firing_rate, trials=20, duration=500*ms, seed=1, engine="numpy")
    >>> table[["noise.sigma", "value", "unit"]]
       noise.sigma  value unit
    0        0.002    1.6   Hz
    1        0.004    9.9   Hz
    """
    points = read(model, noise, stimulus, grid)
    n_neurons = whole(n_neurons, 1, "n_neurons", checks.LARGEST)
    options = {"trials": whole(trials, 1, "trials"), "n_neurons": n_neurons, "duration": duration, "dt": dt,
               "bridge": bridge, "engine": engines.choose(engine, tensors=True), "threads": threads}  # fmt: skip
    check_threads(threads, options["engine"])
    functions, jobs = named_measures(measures), check_jobs(n_jobs)
    resume, common_noise = flag(resume, "resume"), flag(common_noise, "common_noise")
    one_of(by, ("neuron", "population"), "by")
    speaks, progress = progress is None or progress is True, resolve_progress(progress)
    budget = _budget(memory, jobs, scheduler)
    most = len(points) if chunk is None else whole(chunk, 1, "chunk")
    seeds = seeds_of(seed, "seed")
    with frozen_heap():
        parts = groups(points, **{k: v for k, v in options.items() if k not in ("trials", "engine")})
        try_measures([points.parts(k) for k in sorted({0, len(points) - 1})], functions, options)
    step = 1e-4 if dt is None else units.si(dt, "s", "dt")
    size = {key: options[key] for key in ("n_neurons", "trials")}
    size |= {"duration": units.si(duration, "s", "duration"), "dt": step}
    folder = None if out is None else Folder(out)
    with contextlib.ExitStack() as stack:
        done: Results = {}
        if folder is not None:
            stack.enter_context(folder.locked())
            known = folder.known() if resume else None
            if seed is None and known is not None:
                seeds = [check_seed(s) for s in known.get("seeds", [])] or seeds
            own = {"by": by, **size, "bridge": bool(bridge), "seeds": seeds, "common_noise": common_noise}
            folder.begin(_config(points, functions, own), resume)
            done = folder.results(seeds, len(points))
            folder.check_software(len(done), len(seeds) * len(points))
        tasks = []
        for s in seeds:
            for group in parts:
                left = [k for k in group.points if (s, k) not in done]
                if not left:
                    continue
                number = 1
                if not group.alone:
                    one = points.parts(left[0])[0]
                    number = min(most, chunk_size(len(left), one, **size, budget=budget, jobs=jobs))
                    if folder is not None and chunk is None:
                        members, steps = size["n_neurons"] * size["trials"], size["duration"] / size["dt"]
                        number = min(
                            number,
                            kept_size(len(left), members=members, steps=steps, engine=options["engine"]),
                        )
                for first in range(0, len(left), number):
                    numbers = tuple(left[first : first + number])
                    settings = group.paths, functions, by, s, common_noise, options
                    tasks.append(Task(points.some(numbers), numbers, *settings))
        total = len(seeds) * len(points)
        if folder is not None and done and speaks:
            print(f"sweep: {len(done)} of {total} points were in {folder.path}", file=sys.stderr, flush=True)
        report = stack.enter_context(progress_bar(progress, "sweep", total, unit="point", initial=len(done)))

        def progressed(part: float = 0.0) -> None:
            """A running chunk has done `part` points."""
            if report is not None:
                report((len(done) + part) / total)

        results = _results(tasks, jobs, scheduler, progressed, folder)
        try:
            for result in stack.enter_context(contextlib.closing(results)):
                check_same_software(result["made_with"])
                if folder is not None:
                    folder.add(result["seed"], result["points"])
                done.update({(result["seed"], one["point"]): one for one in result["points"]})
                progressed()
        except KeyboardInterrupt:  # without the traceback through Brian2
            raise KeyboardInterrupt(interrupted(len(done), total, folder)) from None
        table = _table(points, seeds, done)
        errors = [error for s in seeds for k in range(len(points)) for error in done[s, k]["failed"]]
        if folder is not None:
            folder.write("errors.json", json.dumps(errors, indent=1) + "\n")
            folder.write("table.csv", table.to_csv(index=False))
    report_failed("measures", errors, len(seeds) * len(points), len(functions), folder)
    _warn_few(done, points, len(seeds) * len(points))
    return table


def _budget(limit: Any, jobs: int, scheduler: Any) -> float:
    """Bytes for one chunk."""
    expected = "a number of bytes such as 4e9"
    if limit is not None and not checks.number(limit, "memory", expected) > 0:
        raise NsnnError(f"memory = {limit!r}: expected {expected}")
    if scheduler is not None:
        return float(_DASK_BYTES if limit is None else limit)
    return min(_MOST_BYTES, 0.5 * free_memory() / jobs) if limit is None else float(limit) / jobs


def _config(points: Points, measures: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """What determines a table, as plain data: not the engine, which gives the same spikes, nor chunks and processes."""
    given = {
        name: OF_THE_POINT if callable(part) else fingerprint(part)
        for name, part in zip(PARTS, points.given, strict=True)
    }
    config = {
        **given,
        "units": points.units(),
        "points": points.plain(),
        "records": digest([[fingerprint(part) for part in points.parts(k)] for k in range(len(points))]),
        "measures": {name: fingerprint(function) for name, function in measures.items()},
        **own,
        "dtype": engines.dtype(),
        "code": code_checksum(),
        **provenance(),
    }
    plain: dict[str, Any] = json.loads(json.dumps(config))
    return plain


def _results(
    tasks: list[Task], jobs: int, scheduler: Any, progressed: Callable[[float], None], folder: Folder | None
) -> Generator[dict[str, Any], None, None]:
    """Yield the results of all tasks, as they finish."""
    given = [(task,) for task in tasks]
    if scheduler is not None:
        failed = lambda k, error: worker.all_failed(tasks[k], error)  # noqa: E731
        with contextlib.closing(on_cluster(worker.run, given, scheduler, failed)) as finished:
            yield from (result for _, result in finished)
        return
    if jobs == 1 or len(tasks) < 2:
        for task in tasks:
            n = len(task.numbers)
            yield worker.run(task, lambda fraction, n=n: progressed(n * fraction))  # type: ignore[misc]
        return
    cure = "use fewer jobs, or smaller chunks, memory=..."
    if folder is not None:
        cure += f"; finished points are in {folder.path}, and the same call continues from there"
    with contextlib.closing(in_processes(worker.run, given, jobs, cure)) as finished:
        yield from (result for _, result in finished)


def _table(points: Points, seeds: list[int], done: Results) -> pd.DataFrame:
    """All rows in the order of points, then seeds."""
    plain = points.plain()
    names = ("point", *plain[0], "seed", *worker.COLUMNS, "failed")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for k, values in enumerate(plain):
        for s in seeds:
            rows, bad = done[s, k]["rows"], {error["measure"] for error in done[s, k]["failed"]}
            n = len(rows["measure"])
            for name, value in {"point": k, **values, "seed": s}.items():
                columns[name] += [value] * n
            for name in worker.COLUMNS:
                columns[name] += rows[name]
            columns["failed"] += [None in bad or name in bad for name in rows["measure"]]
    kinds: dict[str, Any] = {"neuron": "Int64", "n": "int64", "value": "float64", "se": "float64"}
    typed = {name: pd.Series(columns[name], dtype=kind) for name, kind in kinds.items()}
    table = pd.DataFrame({**columns, **typed})
    table.attrs["units"] = points.units()
    return table


def _warn_few(done: Results, points: Points, total: int) -> None:
    """Name the points whose CV is of few intervals per trial: their numbers, as in the table, and the values of the first."""
    names = sorted({name for one in done.values() for name in one.get("few", [])})
    for name in names:
        few = [key for key in sorted(done) if name in done[key].get("few", [])]
        numbers = sorted({point for _, point in few})
        listed = ", ".join(map(str, numbers[:_NAMED])) + (", ..." if len(numbers) > _NAMED else "")
        warn(
            f"{name}: {len(few)} of {total} points have fewer than {INTERVALS} intervals per trial, the first with "
            f"{points.described(numbers[0])} (point {listed}): the ends of trials cut long intervals off, "
            "so these values are too low; take longer trials"
        )
