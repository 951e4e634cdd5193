"""What an NWB file of another program knows of each unit: columns of the units table, and of the electrodes that it refers to.

Many files keep the brain area of a unit with its electrodes alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.errors import FormatError
from ..hdf5 import Reader, is_references
from ..lookup import NAMES
from .tables import table

_EPHYS = "general/extracellular_ephys"
_ELECTRODES = f"{_EPHYS}/electrodes"
_REFERENCES = "units/electrodes"
_GROUP = "units/electrode_group"
_USED = {"id", "spike_times", "obs_intervals", "electrodes"}  # read elsewhere


def unit_columns(source: Reader, n: int) -> tuple[dict[str, list[Any]], list[str]]:
    """Columns with a number or text for each of n units, and what is left out of both tables, for a warning.

    A column of the electrodes, such as location, is one of the units if all electrodes of each unit have the same value in it;
    where the units table has a column of that name it is called "electrode_location". A column that would name a unit, such as
    the electrodes' label, is always called "electrode_label". Where the units refer to a group of electrodes, a shank say, they
    get its name and location as "electrode_group_name" and "electrode_group_location".
    """
    columns = table(source, "units", ())
    names = source.names("units")
    of_groups = _of_groups(source, n)
    columns |= {key: values for key, values in of_groups.items() if key not in columns}
    used = {*columns, *_USED, *(["electrode_group"] if of_groups else [])}
    other = [name for name in names if name not in used and not name.endswith("_index")]
    left_out = [f"units.{name}" for name in other]
    if _REFERENCES in source and f"{_ELECTRODES}/id" in source:
        of_electrodes, several = _of_electrodes(source, n)
        for name, values in of_electrodes.items():
            key = f"electrode_{name}" if name in NAMES else name
            while key in columns:
                key = f"electrode_{key}"
            columns[key] = values
        left_out += [f"electrodes.{name} (several values for a unit)" for name in several]
    return columns, left_out


def _of_groups(source: Reader, n: int) -> dict[str, list[Any]]:
    """Name and location of the group of electrodes to which each unit refers, "" without one."""
    if not is_references(source.find(_GROUP)) or source.length(_GROUP) != n:
        return {}
    places = {path: str(source.attribute(path, "location", "")) for path in source.paths(_EPHYS)}
    groups = source.references(_GROUP, list(places))
    if not any(groups):
        return {}
    return {
        "electrode_group_name": [path.rpartition("/")[2] for path in groups],
        "electrode_group_location": [places.get(path, "") for path in groups],
    }


def _of_electrodes(source: Reader, n: int) -> tuple[dict[str, list[Any]], list[str]]:
    """The columns of the electrodes with one value for each unit, and the names of the others."""
    number = source.length(f"{_ELECTRODES}/id")
    known = {
        name: column
        for name, column in table(source, _ELECTRODES, ()).items()
        if len(column) == number and any(value == value for value in column)  # x, y, z and imp are often NaN
    }
    try:
        ends = source.ends(_REFERENCES, n) if f"{_REFERENCES}_index" in source else np.arange(1, n + 1)
        rows = source.numbers(_REFERENCES, per_value=8 * len(known))
    except FormatError:  # no list of electrodes for each unit; spikes don't need them
        return {}, list(known)
    fits = rows.dtype.kind in "iu" and rows.ndim == 1 and (ends[-1] if n else 0) == rows.size
    if not fits or (rows.size and not 0 <= int(rows.min()) <= int(rows.max()) < number):
        return {}, list(known)
    count = np.diff(ends, prepend=0)
    unit, first = np.repeat(np.arange(n), count), (ends - count)[count > 0]
    columns, several = {}, []
    source.budget.take(8 * n * len(known), f"{len(known)} columns of the electrodes for {n} units")
    for name, column in known.items():
        _, code = np.unique(np.asarray(column), return_inverse=True)
        place = np.full(n, -1)
        place[count > 0] = rows[first]
        if (code[rows.astype(np.int64)] != code[place[unit]]).any():
            several.append(name)
            continue
        missing = "" if isinstance(column[0], str) else float("nan")
        columns[name] = [missing if k < 0 else column[k] for k in place.tolist()]
    return columns, several
