"""One chunk of a sweep, in any process: simulate its points together, measure each, return plain rows."""

from __future__ import annotations

import dataclasses
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import neo
import numpy as np

from ..brian import global_state
from ..brian.simulate import PointSpikes, simulate, simulate_together, with_spikes
from ..core.errors import NsnnError
from ..core.units import si
from ..io.provenance import provenance
from ..io.spikes import Trains, as_trains
from ..measures.evaluation import check_value, is_sum_over_trials, measure_unit
from ..measures.table import few_intervals
from ..measures.table import rows as rows_of
from ..models.network import Network
from .batching import stack
from .grid import Parts, Points

# of trains that measures are tried on; the largest shift is less than an interval
_SPIKES, _STEPS, _SPREAD = (20, 1000, 40)

# kind of each column: text, integer, index (integer or None), number (float)
COLUMNS = {
    "population": "text",
    "neuron": "index",
    "measure": "text",
    "value": "number",
    "se": "number",
    "n": "integer",
    "unit": "text",
}


@dataclasses.dataclass(frozen=True)
class Task:
    """What a process needs to run a chunk. `points` are those of the chunk only, `numbers` their places in the grid."""

    points: Points
    numbers: tuple[int, ...]
    paths: tuple[str, ...]
    measures: dict[str, Any]
    by: str
    seed: int
    common_noise: bool
    options: dict[str, Any]  # n_neurons, trials, duration, dt, engine, bridge, threads


def run(task: Task, progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """Run a chunk, point by point if it fails, and return {"seed", "points": [{"point", "rows", "failed", "few"}], "made_with"}.

    `rows` are the columns of the point's table; `failed` lists the errors with their tracebacks, `few`
    the measures that have few intervals; without `few` there are none.
    """
    with global_state.simulation_lock(), global_state.frozen_heap():
        points = _points(task, range(len(task.numbers)), progress)
    return {"seed": task.seed, "points": points, "made_with": provenance()}


def _points(task: Task, chosen: range, progress: Callable[[float], None] | None) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    try:
        parts = [task.points.parts(k) for k in chosen]
        for k, spikes in zip(chosen, _spikes(task, chosen, parts, progress), strict=True):
            results.append(_measured(task, k, spikes, isinstance(parts[k - chosen[0]][0], Network)))
    except Exception as error:
        if len(chosen) == 1:
            return [_failed(task, chosen[0], error)]
        for k in chosen[len(results) :]:
            results += _points(task, range(k, k + 1), None)
    return results


def _spikes(
    task: Task, chosen: range, parts: list[Parts], progress: Callable[[float], None] | None
) -> Iterable[PointSpikes]:
    numbers = [0 if task.common_noise else task.numbers[k] for k in chosen]
    options = {"seed": task.seed, "progress": progress or False, **task.options}
    if isinstance(parts[0][0], Network):
        block = simulate(*parts[0], point=numbers[0], **options)
        return [PointSpikes(as_trains(block), lambda: block)]
    return simulate_together(parts, stack(parts, task.paths, options["n_neurons"]), numbers, **options)


def try_measures(tried: Sequence[Parts], measures: dict[str, Any], options: dict[str, Any]) -> None:
    """Raise the error of a measure that cannot work on the Blocks of a sweep, whatever their spikes: a wrong option, say.

    tried : points of the sweep, such as the first and the last
    It is called on a Block without spikes and, if that raises an NsnnError, on one in which all neurons fire regularly: some
    measures need spikes. Others need a stimulus that differs from 0, so that all points tried must raise the same. Errors of
    other kinds may come from what such Blocks lack, and are left to the run.
    """
    silent, of_network = _silent(tried[0], options), isinstance(tried[0][0], Network)
    for name, function in measures.items():
        error = _refusal(silent, name, function, of_network)
        if error is not None:
            others = (spikes(parts, options) for parts in tried for spikes in (_silent, _firing))
            if all(str(_refusal(other, name, function, of_network)) == str(error) for other in others):
                raise NsnnError(f"measure {name}: {error}".replace(f"{name}: measure {name}", name)) from None


def _silent(parts: Parts, options: dict[str, Any]) -> PointSpikes:
    """No spikes."""
    return with_spikes(parts, [np.empty(0)] * 3, **options)


def _firing(parts: Parts, options: dict[str, Any]) -> PointSpikes:
    """20 spikes in each train, at times that differ between trains."""
    trains = _silent(parts, options).trains
    step = float(trains.t_stop[0]) / _STEPS
    number = np.arange(_SPIKES)[None] * (_STEPS // _SPIKES) + np.arange(trains.counts.size)[:, None] % _SPREAD
    trial, neuron = np.divmod(np.repeat(np.arange(trains.counts.size), _SPIKES), trains.n_neurons)
    dt = 1e-4 if options["dt"] is None else si(options["dt"], "s", "dt")
    return with_spikes(parts, [trial, neuron, (number.ravel() * step / dt).astype(np.int64)], **options)


def _refusal(spikes: PointSpikes, name: str, function: Any, of_network: bool) -> NsnnError | None:
    """The NsnnError that a measure raises on spikes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            check_value(name, function(_source(spikes, function, of_network)), spikes.trains.n_neurons)
        except NsnnError as error:
            return error
        except Exception:
            return None
    return None


def _source(spikes: PointSpikes, function: Any, of_network: bool) -> neo.Block | Trains:
    """What a measure is computed from: the Block, whose making takes long, where it needs one or its populations."""
    return spikes.block if of_network or not is_sum_over_trials(function) else spikes.trains


def _measured(task: Task, k: int, spikes: PointSpikes, of_network: bool) -> dict[str, Any]:
    rows: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    failed = []
    trains = spikes.trains
    for name, function in task.measures.items():
        try:
            columns = rows_of(_source(spikes, function, of_network), trains, name, function, task.by)
        except Exception as error:
            columns = _no_values(name, function)
            failed.append(_failure(task, k, name, error))
        for column, values in rows.items():
            values += columns[column]
    bad = {one["measure"] for one in failed}
    few = [name for name, f in task.measures.items() if name not in bad and few_intervals(trains, f)]
    return {"point": task.numbers[k], "rows": rows, "failed": failed, "few": few}


def _failed(task: Task, k: int, error: Exception) -> dict[str, Any]:
    empty = [_no_values(name, function) for name, function in task.measures.items()]
    rows = {name: [value for columns in empty for value in columns[name]] for name in COLUMNS}
    return {"point": task.numbers[k], "rows": rows, "failed": [_failure(task, k, None, error)]}


def _no_values(name: str, function: Any) -> dict[str, list[Any]]:
    """The one row of a measure that failed."""
    row = ("", None, name, float("nan"), float("nan"), 0, measure_unit(function))
    return {column: [value] for column, value in zip(COLUMNS, row, strict=True)}


def _failure(task: Task, k: int, measure: str | None, error: Exception) -> dict[str, Any]:
    return {
        "point": task.numbers[k],
        "seed": task.seed,
        "parameters": {name: str(value) for name, value in task.points.values[k].items()},
        "measure": measure,
        "error": f"{type(error).__name__}: {error}",
        "traceback": "".join(traceback.format_exception(error)),
    }


def all_failed(task: Task, error: Exception) -> dict[str, Any]:
    """The results of a chunk that failed on a Dask cluster: its process died, say."""
    points = [_failed(task, k, error) for k in range(len(task.numbers))]
    return {"seed": task.seed, "points": points, "made_with": provenance()}
