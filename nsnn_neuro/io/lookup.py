"""Which trials and units an argument chooses: numbers, booleans, slices, names, or values of an annotation or column.

A number is a position, from 0; a text is a name or an id. Where no name or id is that text, those count that are written so: "7"
finds the id 7, and {"id": 7} the id "7", as files and tables differ in whether they hold ids as numbers or as text. A text may
also be a condition on the columns of units.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import neo
import numpy as np

from ..core.checks import did_you_mean
from ..core.errors import NsnnError
from ..core.units import shown
from ..core.warn import warn

LABEL = "label"
"""Annotation of a segment: the condition of its trial."""
EVENT_TIME = "event_time"
"""Annotation of a segment: time 0 of its clock, s, on the clock of the recording that it was cut from."""
START_TIME = "start_time"
"""Annotation of a segment: the start of its trial, or of the interval that it was cut at, s, on the clock before."""
NAMES = ("name", "unit_name", "label", "id")
"""Columns of the table of units that name a unit, the first one first; a text is looked up in them."""
_IDENTITY = ("name", "unit_name", "id")  # of which each value that is asked for has to be there
_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    **{ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le},
    **{ast.Gt: operator.gt, ast.GtE: operator.ge, ast.In: lambda one, several: one in several},
    ast.NotIn: lambda one, several: one not in several,
}


def categories_of(labels: Any) -> list[Any] | None:
    """The categories of a pandas Categorical or column of that kind, in their order; None of anything else.

    >>> import pandas as pd
    >>> categories_of(pd.Categorical(["low", "high"], categories=["low", "high"])), categories_of(["low", "high"])
    (['low', 'high'], None)
    """
    categories = getattr(getattr(labels, "dtype", None), "categories", None)
    return None if categories is None else list(categories)


def in_order(distinct: Sequence[Any], labels: Any) -> list[Any]:
    """Distinct labels in the order of all tables and results: that of the categories of a pandas Categorical, else sorted.

    Labels that cannot be compared, such as numbers and texts, stay in the order of their appearance.

    >>> import pandas as pd
    >>> in_order(["b", "a"], ["b", "a", "b"]), in_order(["b", "a"], pd.Categorical(["b", "a", "b"], categories=["b", "a"]))
    (['a', 'b'], ['b', 'a'])
    """
    known = categories_of(labels)
    if known is not None:
        return sorted(distinct, key=known.index)
    try:
        return sorted(distinct)
    except TypeError:
        return list(distinct)


def refuse_missing(labels: Sequence[Any], name: str) -> None:
    """NsnnError for labels of trials of which some are missing: None, NaN, NaT.

    >>> refuse_missing(["left", "right"], "conditions")
    """
    # NaN alone differs from itself
    lacking = [k for k, one in enumerate(labels) if one is None or bool(one != one)]
    if lacking:
        raise NsnnError(
            f"{name}[{lacking[0]}] = {labels[lacking[0]]} ({len(lacking)} of {len(labels)} are missing): expected a number or text "
            "for each trial; leave such trials out: known = pandas.notna(labels), select(block, trials=known), labels[known]"
        )


def chosen_trials(block: neo.Block, choice: Any) -> np.ndarray:
    """Numbers of the chosen trials; a text is the label of a trial, a dict has annotations of the Segments and their values."""
    known = [segment.annotations for segment in block.segments]

    def like(given: Any) -> np.ndarray:
        by = given if isinstance(given, Mapping) else {LABEL: given}
        names = list(dict.fromkeys(name for one in known for name in one))
        return _matching({name: [one.get(name) for one in known] for name in names}, by, "trials", given)

    return _chosen(_listed(choice, "trials"), len(known), "trials", like)


def chosen_units(
    populations: Any, table: Mapping[str, Sequence[Any]], n: int, choice: Any, name: str = "units"
) -> np.ndarray:
    """Numbers of the chosen units of n.

    A text is a name, an id, a population or a condition such as "area == 'V1' and depth > 300"; a dict has columns of `table` and
    their values. `populations` is the Block's annotation, `name` that of the argument, for messages.
    """
    choice = _listed(choice, name)
    fits = {key: column for key, column in table.items() if len(column) == n}
    population = population_names(populations, n)

    def like(given: Any) -> np.ndarray:
        known = fits if not population or "population" in fits else fits | {"population": population}
        if isinstance(given, Mapping):
            return _matching(known, given, name, given)
        listed = [given] if isinstance(given, str) else list(given)
        # what a column says exactly comes before what it says in another type
        for alike in (False, True):
            for key in NAMES:
                rows = [_rows_with(fits.get(key, ()), one, alike) for one in listed]
                if all(rows):
                    return np.array([k for of_one in rows for k in of_one])
        if population and all(one in population for one in listed):
            return np.flatnonzero(np.isin(population, listed))
        condition = _condition(given) if isinstance(given, str) else None
        if condition is not None:
            return _meeting(known, condition, name, given)
        names = list(dict.fromkeys([str(one) for key in NAMES for one in fits.get(key, [])] + population))
        close = did_you_mean(next((one for one in listed if one not in names), None), names)
        close += "; equality in a condition is written ==" * bool(re.search(r"[^=!<>]=[^=]", str(given)))
        raise NsnnError(
            f"{name} = {shown(given)}: no units or population of this name; the block knows {shown(names[:10])}{close}; another "
            f'column is chosen by a dict, {name}={{"area": "V1"}}, or a condition, {name}="depth > 300"'
        )

    ids = f"; of an id it is {name}={{'id': {shown(choice)}}}" if "id" in fits else ""
    return _chosen(choice, n, name, like, ids)


def _condition(text: str) -> ast.expr | None:
    """The tree of a comparison, or of several with and, or, not; None for any other text, such as a name."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    of_several = isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
    return tree if of_several or isinstance(tree, ast.BoolOp | ast.Compare) else None


def _meets(node: ast.AST, row: Mapping[str, Any]) -> bool:
    """Whether a row, name of a column -> its value, meets a condition. Nothing of the text is run: no names of Python, no calls."""
    match node:
        case ast.BoolOp():
            parts = [_meets(one, row) for one in node.values]
            return all(parts) if isinstance(node.op, ast.And) else any(parts)
        case ast.UnaryOp(op=ast.Not()):
            return not _meets(node.operand, row)
        case ast.Compare():
            values = [
                row[one.id] if isinstance(one, ast.Name) else ast.literal_eval(one)
                for one in (node.left, *node.comparators)
            ]
            pairs = zip(node.ops, values, values[1:], strict=False)
            return all([_COMPARE[type(by)](left, right) for by, left, right in pairs])
        case ast.Name() if isinstance(row[node.id], bool | np.bool_):
            return bool(row[node.id])
    raise ValueError


def _meeting(columns: Mapping[str, Sequence[Any]], condition: ast.expr, name: str, given: str) -> np.ndarray:
    """Numbers of the rows that meet a condition."""
    used = {node.id for node in ast.walk(condition) if isinstance(node, ast.Name)}
    for key in sorted(used - set(columns)):
        raise NsnnError(
            f"{name} = {given!r}: {_not_among(key, columns, name)}; texts stand in quotation marks"
        )
    rows = [dict(zip(used, row, strict=True)) for row in zip(*(columns[key] for key in used), strict=True)]
    try:
        return np.array([k for k, row in enumerate(rows) if _meets(condition, row)], dtype=np.int64)
    except (TypeError, ValueError, KeyError) as error:
        why = f"{error}: " if isinstance(error, TypeError) else ""
        raise NsnnError(
            f"{name} = {given!r}: {why}expected comparisons (==, !=, <, <=, >, >=, in) of columns with numbers or texts, and such "
            "joined by and, or, not"
        ) from error


def sizes_of(populations: Any, cells: np.ndarray, n: int) -> Any:
    """The annotation "populations" for the chosen units; as it is where it doesn't describe n units."""
    if not population_names(populations, n):
        return populations
    of_cell = np.repeat(np.arange(len(populations)), [int(p["size"]) for p in populations])[cells]
    if (np.diff(of_cell) < 0).any():
        raise NsnnError(
            "units: in this order neurons of one population are apart: expected them side by side, in the Block's order"
        )
    number = np.bincount(of_cell, minlength=len(populations)).tolist()
    return [{**p, "size": size} for p, size in zip(populations, number, strict=True) if size]


def population_names(populations: Any, n: int) -> list[str]:
    """The population of each unit; empty where the annotation doesn't say it of n units."""
    listed = populations if isinstance(populations, list | tuple) else ()
    good = all(
        isinstance(p, Mapping) and isinstance(p.get("size"), int | np.integer) and "name" in p for p in listed
    )
    if not good or sum(p["size"] for p in listed) != n or any(p["size"] < 0 for p in listed):
        return []
    return [str(p["name"]) for p in listed for _ in range(p["size"])]


def _written(value: Any) -> str | None:
    """A text, or a whole number as text; None for other values."""
    if isinstance(value, str):
        return value
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return str(int(value)) if number and value == np.rint(value) and np.isfinite(value) else None


def _rows_with(column: Sequence[Any], value: Any, alike: bool = True) -> list[int]:
    """Numbers of the rows that are equal to `value`; where none is, and if `alike`, of those that are written so, as "7" and 7."""
    equal = [k for k, one in enumerate(column) if one == value]
    text = _written(value) if alike and not equal else None
    return equal if text is None else [k for k, one in enumerate(column) if _written(one) == text]


def _listed(values: Any, name: str) -> Any:
    """The values of a pandas Series or Index as a list; anything else as it is."""
    if isinstance(values, np.ndarray | np.generic) or not hasattr(values, "tolist"):
        return values
    listed = values.tolist()
    rows: list[Any] = getattr(getattr(values, "index", None), "tolist", list)()
    places = list(range(len(rows)))
    if listed and isinstance(listed[0], bool) and rows != places and set(rows) == set(places):
        raise NsnnError(
            f"{name} is a Series of booleans in another order than that of the {name}, as after sort_values: pass .sort_index()"
        )
    return listed


def _chosen(choice: Any, n: int, name: str, like: Callable[[Any], np.ndarray], cure: str = "") -> np.ndarray:
    if choice is None:
        return np.arange(n)
    several = isinstance(choice, list | tuple) or (isinstance(choice, np.ndarray) and choice.ndim == 1)
    texts = isinstance(choice, str) or (several and any(isinstance(one, str) for one in choice))
    if isinstance(choice, slice):
        result = np.arange(n)[choice]
    elif isinstance(choice, Mapping) or texts:
        result = like(choice)
    else:
        result = _numbers(choice, n, name, cure)
    if not len(result):
        raise NsnnError(f"{name} = {shown(choice)}: none of the {n} {name} is left, expected at least one")
    return result.astype(np.int64, copy=False)


def _numbers(choice: Any, n: int, name: str, cure: str) -> np.ndarray:
    try:
        array = np.atleast_1d(np.asarray(list(choice) if isinstance(choice, range) else choice))
    except ValueError:
        array = np.empty((0, 0))
    if array.ndim == 1 and array.dtype == bool:
        if array.size != n:
            raise NsnnError(f"{name} has {array.size} booleans: expected one for each of the {n} {name}")
        return np.flatnonzero(array)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise NsnnError(
            f"{name} = {shown(choice)}: expected whole numbers, booleans, a slice, names, or a dict of a column and its values"
        )
    result = array.astype(np.int64)
    bad = np.flatnonzero((result < -n) | (result >= n))
    if bad.size:
        raise NsnnError(
            f"{name} = {shown(choice)}: there is no number {result[bad[0]]}, expected 0 to {n - 1}{cure}"
        )
    return result % n if n else result


def _not_among(key: str, columns: Mapping[str, Sequence[Any]], name: str) -> str:
    there = f"there are {sorted(map(str, columns))}" if columns else f"nothing is known of the {name}"
    return f"no {key!r} is known; {there}{did_you_mean(key, columns)}"


def _matching(
    columns: Mapping[str, Sequence[Any]], by: Mapping[str, Any], name: str, given: Any
) -> np.ndarray:
    """Numbers of the rows that have one of the values in each column."""
    if not by:
        raise NsnnError(f'{name} = {{}}: expected a column and its values, as in {{"area": "V1"}}')
    rows: set[int] | None = None
    for key, values in ((key, _listed(one, name)) for key, one in by.items()):
        if key not in columns:
            raise NsnnError(f"{name} = {shown(given)}: {_not_among(key, columns, name)}")
        several = isinstance(values, list | tuple | set | range) or getattr(values, "ndim", 0) > 0
        plain = [one.item() if isinstance(one, np.generic) else one for one in columns[key]]
        plain = [one if isinstance(one, str | bool | int | float) else None for one in plain]
        listed = [one for one in (values if several else [values]) if one is not None]
        places = [_rows_with(plain, one) for one in listed]
        some = {k for of_one in places for k in of_one}
        lacking = [one for one, of_one in zip(listed, places, strict=True) if not of_one]
        if lacking and not (some and isinstance(values, range)):  # a range may have gaps
            there = ", ".join(dict.fromkeys(shown(one) for one in plain if one is not None))
            which = f"the {key} {shown(lacking)}" if some else "such a value"
            message = f"{name} = {shown(given)}: none has {which}; {key!r} is {there[:200]}"
            if not some or key in _IDENTITY:
                raise NsnnError(message)
            warn(message)
        rows = some if rows is None else rows & some
    return np.array(sorted(rows or ()), dtype=np.int64)
