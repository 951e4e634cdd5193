"""What is known of a model's earlier runs: which engines have cached code for it, and how much time compilation would have saved.

A record is a small JSON file in the folder `runs` of the cache (`core/run_notes.py`), named by a checksum of the model's
structure. It only guides the choice of `engine="auto"`: results are the same whatever it says. Where the folder cannot be used,
records last as long as the process.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import re
from typing import Any

import numpy as np

from ..core import program_cache, run_notes

_SIZES = ("size", "k", "sha256", "shape", "seed", "n")
_MOST_PROGRAMS, _MOST_SECONDS = 20, 1e12
_KEY = re.compile("[0-9A-Za-z]{1,64}")
_memory: dict[str, dict[str, Any]] = {}


@dataclasses.dataclass
class History:
    """The record of a model; `program` is the checksum of structure and sizes, since a C++ program has fixed sizes."""

    model: str
    program: str

    def _read(self) -> dict[str, Any]:
        """{"cython": keys, "spent": s, "programs": {program: {"cpp": keys, "spent": s}}}; empty for a model without a record."""
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            stored = json.loads(run_notes.read(self.model) or "")
            programs = {
                name: {"cpp": _keys(one["cpp"]), "spent": _seconds(one["spent"])}
                for name, one in stored["programs"].items()
            }
            return {
                "cython": _keys(stored["cython"]),
                "spent": _seconds(stored["spent"]),
                "programs": programs,
            }
        return _memory.get(self.model, {"cython": [], "spent": 0.0, "programs": {}})

    def ready(self) -> set[str]:
        """The engines whose code is cached."""
        record = self._read()
        keys = {"cython": record["cython"], "cpp": record["programs"].get(self.program, {}).get("cpp", [])}
        return {
            kind for kind, some in keys.items() if some and all(program_cache.has(key, kind) for key in some)
        }

    def credit(self) -> dict[str, float]:
        """Seconds that an engine would have saved in earlier runs, if its code had been cached."""
        record = self._read()
        own = record["programs"].get(self.program, {})
        return {"cython": float(record["spent"]), "cpp": float(own.get("spent", 0.0))}

    def add(self, engine: str, keys: list[str], spent: dict[str, float]) -> None:
        """Add a run: the keys of the code that it used, and the seconds that each engine would have saved."""
        record = self._read()
        programs = record["programs"]
        own = programs.pop(self.program, {"cpp": [], "spent": 0.0})  # the last used is the last in the file
        programs[self.program] = own
        if engine == "cython":
            record["cython"] = sorted(keys)
        if engine == "cpp":
            own["cpp"] = sorted(keys)
        record["spent"] += max(0.0, spent.get("cython", 0.0))
        own["spent"] += max(0.0, spent.get("cpp", 0.0))
        for name in list(programs)[:-_MOST_PROGRAMS]:
            del programs[name]
        _memory[self.model] = record
        run_notes.write(self.model, json.dumps(record))


def _keys(values: Any) -> list[str]:
    if not all(_KEY.fullmatch(key) for key in values):
        raise ValueError(f"{values}: expected keys of compiled code")
    return list(values)


def _seconds(value: Any) -> float:
    if not 0 <= value < _MOST_SECONDS:
        raise ValueError(f"{value}: expected a time in seconds")
    return float(value)


def of(parameters: Any, code: Any, sizes: Any) -> History:
    """The history of a model.

    parameters : the models as plain data; their numbers are data of the compiled code, and do not count
    code : what else the code depends on
    sizes : what a C++ program depends on in addition

    >>> lif = {"type": "LIF", "tau_m": {"value": 0.02, "unit": "s"}}
    >>> faster = {"type": "LIF", "tau_m": {"value": 0.01, "unit": "s"}}
    >>> of(lif, [], 1) == of(faster, [], 1), of(lif, [], 1) == of(lif, [], 2), of(lif, [], 1).model == of(lif, [], 2).model
    (True, False, True)
    """
    model = [structure(parameters), code]
    first, second = (
        hashlib.sha256(json.dumps(one, sort_keys=True, default=str).encode()).hexdigest()
        for one in (model, [model, sizes])
    )
    return History(first, second)


def structure(plain: Any) -> Any:
    """Plain data without its numbers; arrays and lists of numbers are "array".

    >>> structure({"type": "LIF", "v_thresh": {"value": [1.0, 2.0], "unit": "V"}, "bridge": True})
    {'type': 'LIF', 'v_thresh': {'value': 'array', 'unit': 'V'}, 'bridge': True}
    """
    if isinstance(plain, dict):
        return {key: structure(value) for key, value in plain.items() if key not in _SIZES}
    if isinstance(plain, list | tuple):
        if all(isinstance(one, int | float) for one in plain):
            return "array"
        return [structure(one) for one in plain]
    if isinstance(plain, np.ndarray):
        return "array"
    return plain if isinstance(plain, bool | str) or plain is None else "number"
