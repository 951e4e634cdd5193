"""The table [sweep] of a TOML file as arguments of `sweep`.

[sweep]
measures = ["firing_rate", {name = "fano_factor", window = "100 ms"}]
seeds = [1, 2]             # optional, instead of run.seed; and by, common_noise, chunk, memory, as in `sweep`
[sweep.grid]               # all combined, the last name fastest
noise.sigma = ["2 mV", "4 mV"]
stimulus.v = {from = "10 mV", to = "20 mV", n = 11}
# or [[sweep.points]]      # a table for each point, with noise.sigma = "2 mV", say
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from .. import measures
from ..core import units
from ..core.checks import did_you_mean
from ..sweep.grid import check_number
from .config import Config, Keys, Rules
from .quantities import quantity, quantity_or_text, shown

_MEASURES: dict[str, Callable[..., Any]] = {
    name: getattr(measures, name) for name in ("firing_rate", "cv", "cv2", "lv", "lvr", "fano_factor")
}
_TIMES = {name: ("t_start", "t_stop") for name in _MEASURES} | {
    "fano_factor": ("t_start", "t_stop", "window")
}
_FLAGS: Rules = {
    "by": (lambda x: x in ("neuron", "population"), '"neuron" or "population"'),
    "common_noise": (lambda x: isinstance(x, bool), "true or false"),
    "chunk": (lambda x: type(x) is int and x >= 1, "a whole number of points"),
    "memory": (lambda x: type(x) in (int, float) and x > 0, "a number of bytes such as 4e9"),
    "seeds": (
        lambda x: isinstance(x, list) and bool(x) and all(type(s) is int and 0 <= s < 2**63 for s in x),
        "a list of whole numbers from 0 to 2^63 - 1",
    ),
}


def arguments(config: Config) -> dict[str, Any]:
    """The arguments of `sweep` that a file has; a FormatError names file, line, key and cure.

    >>> from nsnn_neuro.cli.config import parse
    >>> text = '[model]\\ntype = "NSNNNeuron"\\n[run]\\nduration = "20 ms"\\n'
    >>> given = arguments(parse(text + '[sweep]\\nmeasures = ["cv"]\\ngrid = {model.beta = [0.5, 0.9]}'))
    >>> given["grid"], sorted(given["measures"])
    ({'model.beta': [0.5, 0.9]}, ['cv'])
    """
    table = config.sweep
    if table is None:
        config.fail((), "no [sweep]: expected a table [sweep] with measures and a table grid")
    config.check_keys(("sweep",), table, ["measures", "grid", "points", *_FLAGS])
    if "measures" not in table:
        config.fail(("sweep",), '[sweep] has no measures: expected measures = ["firing_rate"], say')
    if ("grid" in table) == ("points" in table):
        config.fail(("sweep",), "[sweep]: expected either a table grid or tables points")
    config.check_values(("sweep",), table, _FLAGS)
    run = dict(config.run)
    if "record_v" in run:
        config.fail(("run", "record_v"), "record_v: a sweep keeps only measures; remove this key")
    if "device" in run:
        config.fail(
            ("run", "device"),
            'device: a sweep with engine = "torch" uses the first GPU, or the CPU; remove this key',
        )
    if "seeds" in table and "seed" in run:
        config.fail(
            ("sweep", "seeds"), f"seeds = {shown(table['seeds'])}: [run] has a seed too; remove one of them"
        )
    seed = table.get("seeds", run.pop("seed", None))
    flags = {key: table[key] for key in _FLAGS if key in table and key != "seeds"}
    grid = _grid(config, table["grid"]) if "grid" in table else _points(config, table["points"])
    parts = {"model": config.model, "noise": config.noise, "stimulus": config.stimulus}
    measured = {"grid": grid, "measures": _measures(config, table["measures"])}
    return {**parts, **measured, "seed": seed, **run, **flags}


def _measures(config: Config, listed: Any) -> dict[str, Any]:
    """The measures by name; where a name comes twice, the label of the second has its options too."""
    path, names = ("sweep", "measures"), ", ".join(f'"{name}"' for name in _MEASURES)
    if not isinstance(listed, list) or not listed:
        config.fail(path, f"measures = {shown(listed)}: expected a list of some of {names}")
    chosen: dict[str, Any] = {}
    for one in listed:
        table = {"name": one} if isinstance(one, str) else one
        name = table.get("name") if isinstance(table, dict) else None
        if not isinstance(name, str) or name not in _MEASURES:
            config.fail(
                path,
                f"measures: {shown(one)}: expected one of {names}{did_you_mean(name, _MEASURES)}, or a table such as "
                '{name = "cv", t_start = "1 s"}',
            )
        config.check_keys(path, table, ["name", *_TIMES[name]])
        with config.placed(path, f"measures: {name}: "):
            options = {key: quantity(value, "s", key) for key, value in table.items() if key != "name"}
        label = name if name not in chosen else f"{name} ({', '.join(f'{k} {table[k]}' for k in options)})"
        if label in chosen:
            config.fail(path, f"measures: {shown(one)} is listed twice: remove one of them")
        chosen[label] = partial(_MEASURES[name], **options) if options else _MEASURES[name]
    return chosen


def _leaves(table: dict[str, Any], path: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """The values of nested tables with their paths; a range is one value."""
    for key, value in table.items():
        if isinstance(value, dict) and "from" not in value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _grid(config: Config, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict) or not table:
        config.fail(
            ("sweep", "grid"),
            f'grid = {shown(table)}: expected a table such as {{noise.sigma = ["2 mV", "4 mV"]}}',
        )
    grid: dict[str, Any] = {}
    leaves = list(_leaves(table))
    listed = [value for _, value in leaves if isinstance(value, dict | list)]
    sizes = [value.get("n", 1) if isinstance(value, dict) else len(value) for value in listed]
    with config.placed(("sweep", "grid")):
        check_number(size for size in sizes if type(size) is int and size > 0)
    for path, value in leaves:
        name, place = ".".join(path), ("sweep", "grid", *path)
        if isinstance(value, dict):
            grid[name] = _range(config, place, name, value)
            continue
        if not isinstance(value, list) or not value:
            config.fail(
                place,
                f'{name} = {shown(value)}: expected a list of values, or a range such as {{from = "1 mV", to = "5 mV", n = 9}}',
            )
        grid[name] = [_value(config, place, name, v) for v in value]
    return grid


def _range(config: Config, place: Keys, name: str, table: dict[str, Any]) -> list[Any]:
    config.check_keys(place, table, ["from", "to", "n"])
    n = table.get("n")
    if "to" not in table or type(n) is not int or not 2 <= n <= 2**20:
        config.fail(
            place, f'{name}: expected a range such as {{from = "1 mV", to = "5 mV", n = 9}}, n from 2 to 2^20'
        )
    low, high = (_value(config, place, name, table[key]) for key in ("from", "to"))
    wrong = isinstance(low, str | bool) or isinstance(high, str | bool)
    if wrong or units.unit_of(low) != units.unit_of(high):
        config.fail(place, f"{name} = {shown(table)}: expected two numbers of one unit")
    return [low + (high - low) * float(x) for x in np.linspace(0.0, 1.0, n)]


def _points(config: Config, listed: Any) -> list[dict[str, Any]]:
    if not isinstance(listed, list) or not listed or not all(isinstance(p, dict) and p for p in listed):
        config.fail(
            ("sweep", "points"), f'points = {shown(listed)}: expected tables such as {{noise.sigma = "2 mV"}}'
        )
    return [
        {
            ".".join(path): _value(config, ("sweep", "points"), ".".join(path), value)
            for path, value in _leaves(point)
        }
        for point in listed
    ]


def _value(config: Config, place: Keys, name: str, value: Any) -> Any:
    with config.placed(place):
        return quantity_or_text(value, name)
