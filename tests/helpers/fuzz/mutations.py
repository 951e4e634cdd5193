"""Bytes, JSON, arrays and HDF5 structures with one part changed, and what a case of damaged files is."""
# Imports internals: thousands of damaged files are read without the start of a command for each.

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

Case = Callable[[], str]
"""Reads a file and says how it ended: "equal", "read", "refused" or "other content"."""
SEED = 20260


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (self.path, "w"))


def changed_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Flipped bits, bytes set, a part cut out, doubled, zeroed or moved, or the end missing."""
    new = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        a, n = int(rng.integers(len(new))), int(rng.integers(1, 65))
        kind = rng.integers(8)
        if kind < 3:
            new[a] ^= 1 << int(rng.integers(8))
        elif kind == 3:
            new[a] = int(rng.choice([0, 1, 127, 128, 255]))
        elif kind == 4:
            del new[a : a + n]
        elif kind == 5:
            new[a:a] = new[a : a + n]
        elif kind == 6:
            new[a : a + n] = bytes(len(new[a : a + n]))
        else:
            del new[max(1, a) :]
        new = new or bytearray(b"\0")
    return bytes(new)


def changed_json(value: Any, rng: np.random.Generator) -> Any:
    """A JSON value with one part of it replaced, left out or doubled."""
    value = copy.deepcopy(value)
    place, key, parts = None, None, value
    for _ in range(int(rng.integers(1, 7))):
        keys = (
            list(parts)
            if isinstance(parts, dict)
            else list(range(len(parts)))
            if isinstance(parts, list)
            else []
        )
        if not keys:
            break
        place, key = parts, keys[int(rng.integers(len(keys)))]
        parts = place[key]
    odd = [None, True, -1, 0, 10**18, 10**400, 1e308, float("nan"), float("inf"), "", "x" * 1000, "__import__('os')", [], {},
           [[]], [1] * 1000, {"__type__": "ndarray"}, {"__type__": "quantity", "unit": "9**9**9**9", "value": 1.0}, -(2**63),
           0.5]  # fmt: skip
    if place is None:
        return odd[int(rng.integers(len(odd)))]
    if rng.integers(5) == 0 and isinstance(place, dict):
        del place[key]
    elif rng.integers(5) == 0 and isinstance(place, list):
        place.append(place[key])
    else:
        place[key] = odd[int(rng.integers(len(odd)))]
    return value


def changed_values(values: Any, rng: np.random.Generator) -> Any:
    """Values of a data set, one of them or all of them other ones."""
    values = np.array(values)
    if values.dtype.kind not in "biuf" or not values.size:
        return np.array([b"x" * 300, b""])
    flat = values.reshape(-1).copy()
    odd = (
        [0, 1, -1, 127, 2**31 - 1]
        if values.dtype.kind != "f"
        else [np.nan, np.inf, -np.inf, 1e300, -1.0, 0.0, 1e-310]
    )
    k = int(rng.integers(flat.size))
    kind = int(rng.integers(5))
    if kind == 0:
        flat[:] = np.array(odd[int(rng.integers(len(odd)))]).astype(values.dtype, casting="unsafe")
    elif kind == 1:
        flat = flat[::-1]
    elif kind == 2:
        return np.concatenate([flat, flat])
    elif kind == 3:
        flat = np.roll(flat, 1)
    else:
        flat[k] = np.array(odd[int(rng.integers(len(odd)))]).astype(values.dtype, casting="unsafe")
    return flat.reshape(values.shape)


def members(file: h5py.File) -> list[str]:
    """Paths of all groups and data sets."""
    found: list[str] = []
    file.visit(found.append)
    return sorted(found)


def change_structure(file: h5py.File, rng: np.random.Generator) -> None:
    """A member that is gone, renamed, of another type or shape, linked elsewhere, or with other attributes."""
    names = members(file)
    name = names[int(rng.integers(len(names)))]
    other = names[int(rng.integers(len(names)))]
    kind = int(rng.integers(11))
    if kind == 0:
        del file[name]
    elif kind == 1:
        file.move(name, f"{name}_")
    elif kind == 2:
        del file[name]
        file.create_group(name)
    elif kind == 3:
        del file[name]
        kinds = ["i1", "u8", "f2", "f8", "S5", "c16", ">f4", "M8[s]", "?"]
        with contextlib.suppress(TypeError):
            file[name] = np.zeros(int(rng.integers(4)), dtype=kinds[int(rng.integers(len(kinds)))])
    elif kind == 4:
        del file[name]
        file[name] = np.zeros(tuple(rng.integers(0, 4, int(rng.integers(4)))))
    elif kind == 5:
        del file[name]
        file[name] = h5py.SoftLink(f"/{other}")
    elif kind == 6:
        del file[name]
        file[name] = h5py.ExternalLink("/etc/hostname", "/x")
    elif kind == 7 and name not in other and other not in name:
        del file[name]
        file[name] = file[other]
    elif kind == 8:
        item = file[name]
        for attribute in list(item.attrs):
            item.attrs[attribute] = ["x" * 100, 9e99, np.zeros(3), b"\xff"][int(rng.integers(4))]
    elif kind == 9:
        del file[name]
        vlen = h5py.vlen_dtype(np.dtype("f8"))
        file.create_dataset(name, (2,), dtype=vlen)[0] = [1.0, 2.0]
    else:
        del file[name]
        file[name] = h5py.Empty("f8")
