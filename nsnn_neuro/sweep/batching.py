"""What of a sweep runs together: points stacked to one population, in chunks that fit the memory.

Parameters that differ between points become arrays of shape (points * n_neurons,), the same ones in every chunk, so that a point's
spikes don't depend on what runs beside it. What can't be an array (a text, a whole number, a parameter that must be one number, a
Network) splits the points into groups; in the worst case each point is a group of its own.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..brian.equations.noises import is_silent
from ..brian.simulate import check_together
from ..core import units
from ..core.errors import NsnnError
from ..core.parameters import Model
from ..models.network import Network
from ..models.neurons import IntegrateAndFire
from .grid import PARTS, Parts, Points, fingerprint

__all__ = ["Group", "chunk_size", "free_memory", "groups", "memory", "stack"]

# What a group takes, in bytes, measured at its peak: for each member its variables, in Brian2 and in the arrays they are set
# from, and a row of the table; for each spike the monitor's arrays, their sorted copies and the Block's
PER_MEMBER, PER_SPIKE = 400, 120
_RATE, _SHARE = 50.0, 0.25  # spikes to expect: in a second; of a neuron that lives in steps, in a step
_MEMBERS = 20_000  # more neurons in a group aren't faster, and a chunk is what a killed run loses
_MOST_TRIED = 16  # groups assembled beforehand


@dataclasses.dataclass(frozen=True)
class Group:
    """Points that can run as one population; `paths` are the parameters that are arrays then. Alone: a Network."""

    points: tuple[int, ...]
    paths: tuple[str, ...]
    alone: bool = False


def memory(members: int, spikes: float) -> float:
    """Bytes that a run takes: 400 for each member (neurons x trials x points) and 120 for each spike.

    >>> memory(1000, 50_000)
    6400000.0
    """
    return float(PER_MEMBER * members + PER_SPIKE * spikes)


def free_memory() -> int:
    """Bytes that are free here or hold files that can be read again, a container's limit included."""
    found = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found.append(1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")))
        limit, used, parts = (
            Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii")
            for name in ("max", "current", "stat")
        )
        cached = next(
            int(line.split()[1]) for line in parts.splitlines() if line.startswith("inactive_file ")
        )
        found.append(max(0, int(limit) - int(used) + cached))
    except (OSError, ValueError, StopIteration):
        pass
    return min(found) if found else os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def chunk_size(
    n_points: int,
    model: Any,
    *,
    n_neurons: int,
    trials: int,
    duration: float,
    dt: float,
    budget: float,
    jobs: int,
) -> int:
    """How many of `n_points` points to run at once: as many as `budget` bytes hold, at most 20,000 neurons, a share for each job.

    50 spikes a second are reckoned with for each neuron, or a quarter of its steps for a neuron that lives in steps.
    """
    rate = min(_RATE, 1 / dt) if isinstance(model, IntegrateAndFire) else _SHARE / dt
    members = n_neurons * trials
    fitting = budget / memory(members, members * rate * duration)
    return int(max(1, min(fitting, _MEMBERS / members, np.ceil(n_points / jobs))))


def groups(points: Points, *, n_neurons: int, duration: Any, dt: Any, bridge: bool) -> list[Group]:
    """The points in groups that can run together; everything that can be checked before a run is.

    Raises
    ------
    NsnnError : parts that don't fit; the message names the point
    """
    size = {"n_neurons": n_neurons, "duration": duration, "dt": dt, "bridge": bridge}
    alike: dict[str, list[int]] = {}
    made = [points.records(k) for k in range(len(points))]
    for k, parts in enumerate(made):
        key = (
            str(k)
            if isinstance(parts[0], Network)
            else f"{is_silent(parts[1])} {[id(type(part)) for part in parts]} {_structure(parts)}"
        )
        alike.setdefault(key, []).append(k)
    found = [group for members in alike.values() for group in _split(members, made, size)]
    for group in found[:_MOST_TRIED]:
        _try(points, group, made, size)
    return found


def _try(points: Points, group: Group, made: list[Parts], size: dict[str, Any]) -> None:
    """Raise what is wrong with the points of a group, and with which of them."""
    some = group.points[: max(1, _MEMBERS // size["n_neurons"])]
    try:
        check_together(stack([made[k] for k in some], group.paths, size["n_neurons"]), some, **size)
    except NsnnError as error:
        for k in some[: len(some) if len(some) > 1 else 0]:
            try:
                check_together(stack([made[k]], group.paths, size["n_neurons"]), [k], **size)
            except NsnnError as own:
                raise NsnnError(f"{points.told(k)}: {own}") from None
        raise NsnnError(str(error) if len(some) > 1 else f"{points.told(some[0])}: {error}") from None


def _split(members: list[int], made: list[Parts], size: dict[str, Any]) -> list[Group]:
    """Points of one structure, in groups that differ in what can be arrays alone."""
    if isinstance(made[members[0]][0], Network):
        return [Group((k,), (), alone=True) for k in members]
    leaves = {k: _leaves(made[k]) for k in members}
    varying = [path for path in leaves[members[0]] if len({_key(leaves[k][path]) for k in members}) > 1]
    arrays = [path for path in varying if _stackable(made[members[0]], path, size)]
    alike: dict[Any, list[int]] = {}
    for k in members:
        fixed = tuple(_key(leaves[k][path]) for path in varying if path not in arrays)
        alike.setdefault(fixed, []).append(k)
    return [Group(tuple(group), tuple(arrays)) for group in alike.values()]


def _stackable(parts: Parts, path: str, size: dict[str, Any]) -> bool:
    """True when the parameter may be an array: two copies of a point say so."""
    try:
        check_together(stack([parts, parts], [path], size["n_neurons"]), [0, 1], **size)
    except NsnnError:
        return False
    return True


def stack(parts: Sequence[Parts], paths: Iterable[str], n_neurons: int) -> Parts:
    """Model, noise and stimulus of several points as one, `paths` as arrays of shape (points * n_neurons,).

    So are parameters that are arrays already, of shape (n_neurons,).
    """
    if isinstance(parts[0][0], Network):
        return parts[0]
    first, chosen = _leaves(parts[0]), set(paths)
    chosen |= {path for path, (value, _) in first.items() if np.ndim(value)}
    leaves = [_leaves(one) for one in parts]
    arrays = {}
    for path in chosen:
        spread = np.concatenate([np.broadcast_to(one[path][0], n_neurons) for one in leaves])
        unit = first[path][1]
        arrays[path] = spread if unit == "1" else units.brian(spread, unit)
    model, noise, stimulus = (
        _stacked(part, name, arrays) for name, part in zip(PARTS, parts[0], strict=True)
    )
    return model, noise, stimulus


def _stacked(record: Model | None, prefix: str, arrays: dict[str, Any]) -> Any:
    if record is None:
        return None
    new = {}
    for field in dataclasses.fields(record):
        path, value = f"{prefix}.{field.name}", getattr(record, field.name)
        if path in arrays:
            new[field.name] = arrays[path]
        elif isinstance(value, Model):
            new[field.name] = _stacked(value, path, arrays)
    return dataclasses.replace(record, **new) if new else record


def _leaves(parts: Parts) -> dict[str, tuple[Any, str]]:
    """Every parameter with a unit of the records and of those in them, by its path: SI value and unit."""
    found: dict[str, tuple[Any, str]] = {}

    def walk(record: Model | None, prefix: str) -> None:
        for field in dataclasses.fields(record) if record is not None else ():
            value = getattr(record, field.name)
            if "units" in field.metadata:
                found[f"{prefix}.{field.name}"] = record.si(field.name), record.unit(field.name)  # type: ignore[union-attr]
            elif isinstance(value, Model):
                walk(value, f"{prefix}.{field.name}")

    for name, part in zip(PARTS, parts, strict=True):
        walk(part, name)
    return found


def _key(leaf: tuple[Any, str]) -> bytes:
    return np.asarray(leaf[0], dtype=float).tobytes()


def _structure(parts: Parts) -> str:
    """What must be the same for points to run together, whatever their parameters with a unit."""

    def without(told: Any) -> Any:
        if isinstance(told, dict) and set(told) == {"value", "unit"}:
            return told["unit"]
        return {k: without(v) for k, v in told.items()} if isinstance(told, dict) else told

    return json.dumps([without(fingerprint(part)) for part in parts], sort_keys=True)
