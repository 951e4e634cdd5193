"""Which points of a sweep run together: points stacked into one population, in chunks that fit into memory.

Parameters that differ between points become arrays of shape (points * n_neurons,), the same parameters in every chunk, so that the
spikes of a point do not depend on the other points of its chunk. Values that can't be arrays (a text, a whole number, a parameter
that must be one number, a Network) split the points into groups; in the worst case each point is its own group.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..brian.equations.noises import is_silent, weighted
from ..brian.simulate import check_together
from ..core import units
from ..core.errors import NsnnError
from ..core.parameters import Model
from ..models.network import Network
from ..models.neurons import IntegrateAndFire
from .fingerprint import fingerprint
from .grid import PARTS, Parts, Points

# Peak memory of a group in bytes, as measured. Per member: its variables, in Brian2 and in the arrays they are set from, and a row
# of the table. Per spike: the arrays of the monitor, their sorted copies and those of the Block
PER_MEMBER, PER_SPIKE = 400, 120
_RATE, _SHARE = 50.0, 0.25  # expected spikes: per second; of a neuron in discrete time, per step
# CPU time in microseconds, as measured for a LIF neuron in white noise: of a step, whatever the size of the group; of a member in a
# step
_TIME = {"numpy": (130.0, 0.14), "cython": (15.0, 0.05)}
_SHORT = 30.0  # s; shorter sweeps are not divided to be kept
_KEPT = 10  # chunks, at most, into which others are
MEMBERS = 20_000  # more neurons in a group are not faster, and a killed run loses a chunk
_MOST_TRIED = 16  # groups that are checked beforehand
_MOST_REMEMBERED = 1000
_passed: set[bytes] = set()
"""Digests of what has passed `check_together` in this process, which takes as long as 300 steps of 10,000 neurons."""


@dataclasses.dataclass(frozen=True)
class Group:
    """Points that can run as one population, with the parameters `paths` as arrays; `alone` is True for a Network."""

    points: tuple[int, ...]
    paths: tuple[str, ...]
    alone: bool = False


def memory(members: int, spikes: float) -> float:
    """Bytes of a run: 400 per member (neurons x trials x points) and 120 per spike.

    >>> memory(1000, 50_000)
    6400000.0
    """
    return float(PER_MEMBER * members + PER_SPIKE * spikes)


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
    """How many of `n_points` points to run at once: as many as fit into `budget` bytes, at most 20,000 neurons, a share per job."""
    rate = min(_RATE, 1 / dt) if isinstance(model, IntegrateAndFire) else _SHARE / dt
    members = n_neurons * trials
    fitting = budget / memory(members, members * rate * duration)
    return int(max(1, min(fitting, MEMBERS / members, np.ceil(n_points / jobs))))


def kept_size(n_points: int, *, members: int, steps: float, engine: str) -> int:
    """How many of `n_points` points to run at once, so that an interrupted sweep keeps some; `members` are those of a point.

    Points that are expected to last 30 s together stay in one chunk. Every chunk pays for its steps again, so others are divided
    only as far as all chunks are expected to take at most twice as long as one.

    >>> kept_size(42, members=20, steps=3000, engine="numpy"), kept_size(42, members=2000, steps=3e5, engine="numpy")
    (42, 5)
    """
    step, member = _TIME.get(engine, _TIME["cython"])
    one_chunk = step + member * members * n_points
    if 1e-6 * steps * one_chunk < _SHORT:
        return n_points
    return int(np.ceil(n_points / min(_KEPT, 1 + one_chunk // step)))


def groups(
    points: Points, *, n_neurons: int, duration: Any, dt: Any, bridge: bool, threads: int | None
) -> list[Group]:
    """The points in groups that can run together, checked as far as is possible before a run."""
    size = {"n_neurons": n_neurons, "duration": duration, "dt": dt, "bridge": bridge, "threads": threads}
    alike: dict[Any, list[int]] = {}
    made = [points.parts(k) for k in range(len(points))]
    structure = functools.lru_cache(len(PARTS))(_structure)  # points share some of their models
    for k, parts in enumerate(made):
        alone = isinstance(parts[0], Network)
        key = k if alone else (is_silent(parts[1]), weighted(parts[1]), *(structure(part) for part in parts))
        alike.setdefault(key, []).append(k)
    split: list[Group] = []
    for members in alike.values():
        if together := _together(members, made, size):
            split.append(together)
            continue
        several = _split(members, made, size)
        for group in several[: max(0, _MOST_TRIED - len(split))]:
            _check(points, group, made, size)
        split += several
    return split


def _first(numbers: Sequence[int], size: dict[str, Any]) -> Sequence[int]:
    """The points that are checked."""
    return numbers[: max(1, MEMBERS // size["n_neurons"])]


def _check_together(
    parts: Sequence[Parts], paths: Iterable[str], numbers: Sequence[int], size: dict[str, Any]
) -> None:
    """Raise the errors of these points as one population, unless the same ones have passed already, say for another seed."""
    together = stack(parts, paths, size["n_neurons"])
    if isinstance(together[0], Network):
        check_together(together, numbers, **size)
        return
    plain = [len(numbers), str(size), *(fingerprint(part) for part in parts[0])]
    known = hashlib.sha256(json.dumps(plain, sort_keys=True).encode())
    for value in (*size.values(), *(value for value, _ in _leaves(together).values())):
        known.update(str(np.shape(value)).encode() + np.asarray(value).tobytes())
    if known.digest() in _passed:
        return
    check_together(together, numbers, **size)
    if len(_passed) >= _MOST_REMEMBERED:
        _passed.clear()
    _passed.add(known.digest())


def _together(members: list[int], made: list[Parts], size: dict[str, Any]) -> Group | None:
    """Several points as one group, if all that differs between them can be arrays: one check is enough for most sweeps."""
    if len(members) == 1:
        return None
    group, some = Group(tuple(members), tuple(_varying(members, made))), _first(members, size)
    try:
        _check_together([made[k] for k in some], group.paths, some, size)
    except NsnnError:
        return None
    return group


def _check(points: Points, group: Group, made: list[Parts], size: dict[str, Any]) -> None:
    """Raise the error of a group, with the point that causes it."""
    some = _first(group.points, size)
    try:
        _check_together([made[k] for k in some], group.paths, some, size)
    except NsnnError:
        for k in some:
            try:
                _check_together([made[k]], group.paths, [k], size)
            except NsnnError as error:
                raise NsnnError(f"{points.label(k)}: {error}") from None
        raise


def _split(members: list[int], made: list[Parts], size: dict[str, Any]) -> list[Group]:
    """Points of one structure, in groups whose points differ only in parameters that can be arrays."""
    if isinstance(made[members[0]][0], Network):
        return [Group((k,), (), alone=True) for k in members]
    varying = _varying(members, made)
    arrays = [path for path in varying if _stackable(made[members[0]], path, size)]
    alike: dict[Any, list[int]] = {}
    for k in members:
        fixed = tuple(_key(_value(made[k], path)) for path in varying if path not in arrays)
        alike.setdefault(fixed, []).append(k)
    return [Group(tuple(group), tuple(arrays)) for group in alike.values()]


def _varying(members: list[int], made: list[Parts]) -> list[str]:
    """The parameters with a unit that differ between points of one structure; models that points share are not compared."""
    shared = {
        name
        for place, name in enumerate(PARTS)
        if all(made[k][place] is made[members[0]][place] for k in members)
    }
    paths = [path for path in _leaves(made[members[0]]) if path.partition(".")[0] not in shared]
    return [path for path in paths if len({_key(_value(made[k], path)) for k in members}) > 1]


def _stackable(parts: Parts, path: str, size: dict[str, Any]) -> bool:
    """True when the parameter may be an array, tried with two copies of a point."""
    try:
        _check_together([parts, parts], [path], [0, 1], size)
    except NsnnError:
        return False
    return True


def stack(parts: Sequence[Parts], paths: Iterable[str], n_neurons: int) -> Parts:
    """Model, noise and stimulus of several points as one, with `paths` as arrays of shape (points * n_neurons,).

    Parameters that are arrays of shape (n_neurons,) in the points become such arrays too.
    """
    if isinstance(parts[0][0], Network):
        return parts[0]
    first, chosen = _leaves(parts[0]), set(paths)
    chosen |= {path for path, (value, _) in first.items() if np.ndim(value)}
    arrays = {}
    for path in chosen:
        values = [_value(one, path) for one in parts]
        if any(map(np.ndim, values)):
            spread = np.concatenate([np.broadcast_to(value, n_neurons) for value in values])
        else:
            spread = np.repeat(values, n_neurons)
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
    """Every parameter with a unit, of the models and of those inside them, by its path: SI value and unit."""
    leaves: dict[str, tuple[Any, str]] = {}

    def walk(record: Model | None, prefix: str) -> None:
        for field in dataclasses.fields(record) if record is not None else ():
            value = getattr(record, field.name)
            if "units" in field.metadata:
                leaves[f"{prefix}.{field.name}"] = record.si(field.name), record.unit(field.name)  # type: ignore[union-attr]
            elif isinstance(value, Model):
                walk(value, f"{prefix}.{field.name}")

    for name, part in zip(PARTS, parts, strict=True):
        walk(part, name)
    return leaves


def _value(parts: Parts, path: str) -> Any:
    """The SI value of one of the parameters that `_leaves` finds."""
    part, *inner, name = path.split(".")
    record = parts[list(PARTS).index(part)]
    for one in inner:
        record = getattr(record, one)
    return record.si(name)


def _key(value: Any) -> bytes:
    return np.asarray(value, dtype=float).tobytes()


def _structure(part: Any) -> Any:
    """All but the values of parameters with a unit: must be equal for points to run together."""
    if not isinstance(part, Model):
        return None if part is None else json.dumps(fingerprint(part), sort_keys=True)
    values = (
        part.unit(field.name) if "units" in field.metadata else _structure(getattr(part, field.name))
        for field in dataclasses.fields(part)
    )
    return type(part), *values
