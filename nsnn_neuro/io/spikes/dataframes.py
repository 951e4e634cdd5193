"""Spike trains from a pandas DataFrame with a row per spike: its units, times and trials, and what further columns say of these.

A table in a file is not read: the message of `load` has the lines that read it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.checks import did_you_mean
from ...core.errors import NsnnError
from ...core.units import shown
from ...core.warn import warn
from .bins import spacing
from .doubts import Unitless
from .sources import Source, id_column, plain

_READ = ("unit", "time", "trial", "id")
_REPEATED_SHARE = 0.2  # of the rows, from which there is a warning; coarse times alone repeat fewer
_ROWS_PER_LABEL = 10  # a column of numbers with at least so many rows for each value is taken for labels


def _labels(column: Any, name: str) -> tuple[list[Any], np.ndarray]:
    """The distinct values of a column in order, silent categories included, and the number of each row's value."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, labels = column.cat.codes.to_numpy(), column.cat.categories.tolist()
    else:
        try:
            codes, result = pd.factorize(column)
            order = np.argsort(np.asarray(result))  # pd.factorize(sort=True) leaves mixed types in any order
            codes, result = np.where(codes < 0, -1, np.argsort(order)[codes]), result[order]
        except TypeError:
            raise NsnnError(
                f"source[{name!r}] mixes types that have no order: expected numbers, or texts"
            ) from None
        labels = [plain(label) for label in np.asarray(result).tolist()]
    if (codes < 0).any():
        k = int(np.argmax(codes < 0))
        raise NsnnError(f"source[{name!r}] is missing in row {k}: expected a {name} for each spike")
    return labels, np.asarray(codes, dtype=np.int64)


def read(table: Any) -> Source:
    """A DataFrame with a row per spike: columns time in s and, where there are several, unit and trial."""
    if list(table.columns) == [0]:  # a file without a header
        table = table.rename(columns={0: "time"})
    names = [str(name) for name in table.columns]
    if set(names) in ({"time"}, {"time", "trial"}):
        table = table.assign(unit=0)
    for name in ("unit", "time"):
        if name not in table.columns:
            raise NsnnError(
                f"source is a DataFrame with the columns {', '.join(names) or 'none'}: expected unit, time in seconds and, for "
                f"several trials, trial (of one neuron, time and trial alone){did_you_mean(name, names)}; rename with "
                "source.rename(columns=...), or read a file whose first line is no header with pandas.read_csv(..., header=None)"
            )
    for name in ("unit", "time", "trial"):
        if names.count(name) > 1:
            raise NsnnError(
                f"source is a DataFrame with {names.count(name)} columns {name!r}: expected one; source.loc[:, "
                "~source.columns.duplicated()] keeps the first of each name"
            )
    units, neuron = _labels(table["unit"], "unit")
    if not units:
        raise NsnnError("source is a DataFrame without rows: expected a row per spike")
    if table["time"].dtype.kind == "m":
        times = (table["time"] / np.timedelta64(1, "s")).to_numpy(dtype=float)
    elif table["time"].dtype.kind in "iuf":
        times = table["time"].to_numpy(dtype=float)
    else:
        raise NsnnError(f"source['time'] holds {table['time'].dtype} values: expected times in seconds")
    trials, trial = [0], np.zeros(len(times), dtype=np.int64)
    if "trial" in table.columns:
        trials, trial = _labels(table["trial"], "trial")
        _check_gaps(table["trial"], trials)
    else:  # with a column of a similar name all spikes would be one trial
        for name in table.columns:
            similar = str(name).lower().startswith("trial")
            if similar and _is_plain(table[name]) and table[name].nunique() > 1:
                raise NsnnError(
                    f"source has the column {name!r} and none named 'trial', so that all spikes would be of one trial: if it "
                    f"numbers the trials, rename it, source.rename(columns={{{name!r}: 'trial'}}); else drop it"
                )
    train = trial * len(units) + neuron
    order = np.lexsort((times, train))
    again = int(((np.diff(times[order]) == 0) & (np.diff(train[order]) == 0)).sum())
    if again > _REPEATED_SHARE * times.size:  # as when a table was appended to itself
        warn(
            f"source: {again} of {times.size} rows repeat the unit, trial and time of another row: if spikes were appended twice, "
            "leave them out with source.drop_duplicates()"
        )
    result = Source(times, neuron, trial, len(units), len(trials), units=id_column(units))
    if table["time"].dtype.kind != "m" and "t_stop" not in table.attrs:
        result.unitless = Unitless(stated='pandas.to_timedelta(times, unit="{}")')
    result.eps = spacing(table["time"].to_numpy())
    numbered = trials == list(range(len(trials)))
    result.trials = [{} if numbered else {"trial": plain(label)} for label in trials]
    left_out = []
    for name in table.columns[~table.columns.duplicated(keep=False)].drop(list(_READ), errors="ignore"):
        if not _is_plain(table[name]):
            left_out.append(str(name))
            continue
        of_trials = _of_each(table[name], trial, len(trials))
        of_units = _of_each(table[name], neuron, len(units))
        if of_units is not None and None not in of_units:
            result.units[str(name)] = of_units
        if of_trials is not None:
            for row, value in zip(result.trials, of_trials, strict=True):
                row.update({} if value is None else {str(name): value})
        elif of_units is None and (
            table[name].dtype.kind not in "iuf" or table[name].nunique() * _ROWS_PER_LABEL <= len(table)
        ):
            left_out.append(str(name))
    if left_out:
        warn(
            f"source: the columns {shown(left_out)} are left out, as their values differ within a trial and within a unit, or are "
            "neither numbers nor texts; if one is a condition, trials of several conditions have the same number: number them anew"
        )
    for edge in ("t_start", "t_stop"):  # to_dataframe leaves them here
        stated = table.attrs.get(edge)
        if isinstance(stated, list) and len(stated) == len(trials):
            setattr(result, edge, np.array(stated, dtype=float))
    return result


def _of_each(column: Any, group: np.ndarray, n: int) -> list[Any] | None:
    """The value of a column in each of n groups of its rows, NaN if missing, None without rows; None if values differ in one."""
    codes = column.factorize(use_na_sentinel=False)[0]
    first = np.full(n, -1)
    first[group[::-1]] = np.arange(len(codes))[::-1]
    if (codes != codes[first[group]]).any():
        return None
    values, missing = column.to_numpy(dtype=object), column.isna().to_numpy()
    return [None if k < 0 else float("nan") if missing[k] else plain(values[k]) for k in first]


def _is_plain(column: Any) -> bool:
    """Whether a column holds numbers and texts alone, but for missing values; dates and lists, such as waveforms, are neither."""
    if column.dtype.kind in "biufmM":
        return column.dtype.kind not in "mM"
    try:
        result = column.dropna().unique()
    except TypeError:  # lists can't be compared
        return False
    return all(isinstance(plain(one), str | bool | int | float) for one in result)


def _check_gaps(column: Any, trials: list[Any]) -> None:
    """Refuse numbers of trials with gaps: a trial without spikes has no row."""
    import pandas as pd

    numbered = trials and all(isinstance(label, int) and not isinstance(label, bool) for label in trials)
    if not numbered or isinstance(column.dtype, pd.CategoricalDtype):
        return
    few = trials[-1] - trials[0] < 10**6
    missing = sorted(set(range(trials[0], trials[-1] + 1)) - set(trials)) if few else ["some"]
    if missing:
        raise NsnnError(
            f"source['trial'] goes from {trials[0]} to {trials[-1]} without {shown(missing)}: missing trials may be silent or "
            "left out: source['trial'] = pandas.Categorical(source['trial'], categories=range(n)) lists all n trials; "
            "or number them anew"
        )
