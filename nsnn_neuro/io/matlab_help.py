"""What a .mat file without a Neo Block holds, and the lines that make a Block of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

_MOST_NAMED = 10  # variables that a message names
_KINDS = "biuf"
_LONGEST_BIN = 0.05  # s, of a raster of single spikes; larger steps are milliseconds


def variables(path: Path) -> str | None:
    """The end of a message: the variables in a .mat file, and how to read one as spike times; None where there are none."""
    import scipy.io

    content = scipy.io.loadmat(path, squeeze_me=True, struct_as_record=False)
    values = {name: value for name, value in content.items() if not name.startswith("__")}
    if not values:
        return None
    shapes = {name: (shape, kind) for name, shape, kind in scipy.io.whosmat(path)}
    named = [
        f"{name} ({' x '.join(map(str, shape))} {kind})"
        for name, (shape, kind) in shapes.items()
        if name in values
    ]
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    text = f"no Neo Block in it, but the MATLAB variables {', '.join(named[:_MOST_NAMED])}{more}"
    chosen = _likeliest(values)
    load = f"    m = scipy.io.loadmat({str(path)!r}, squeeze_me=True)\n"
    raster = _raster(values)
    if raster is not None and (chosen is None or "spike" not in chosen.lower()):
        return f"{text}. {raster[0]}:\n{load}    {raster[1]}"
    if chosen is None:
        return f"{text}: read it with scipy.io.loadmat and give the spike times to to_block"
    largest = float(np.max(values[chosen], initial=0.0))
    end = int(np.ceil(largest)) if 0 < largest < 1e9 else 1
    return (
        f"{text}. If {chosen} has spike times in seconds, make a Block of them, with the end of the recording as t_stop:\n"
        f"{load}    block = nsnn_neuro.to_block([[m[{chosen!r}]]], t_stop={max(1, end)}*second)"
    )


def _likeliest(values: dict[str, Any]) -> str | None:
    """The name of the variable that is most likely spike times: a row of numbers that ascend unevenly, or is named so."""
    rows = {name: value for name, value in values.items() if isinstance(value, np.ndarray) and _is_row(value)}
    named = [name for name in rows if "spike" in name.lower()]
    steps = {name: np.diff(value.astype(float)) for name, value in rows.items()}
    ascending = [
        name for name, d in steps.items() if (d > 0).all() and d.max() > 1.01 * d.min()
    ]  # no time axis
    return next(iter([*named, *ascending]), None)


def _raster(values: dict[str, Any]) -> tuple[str, str] | None:
    """What a matrix of zeros and ones may be, with an even row of numbers as its time axis if there is one; the line for it."""
    for name, matrix in values.items():
        if not (
            isinstance(matrix, np.ndarray)
            and matrix.ndim == 2
            and matrix.dtype.kind in _KINDS
            and matrix.size
        ):
            continue
        if not ((matrix == 0) | (matrix == 1)).all():
            continue
        for axis, times in values.items():  # labels of trials are even at times, and fewer than bins
            if not (isinstance(times, np.ndarray) and _is_row(times) and times.size == max(matrix.shape)):
                continue
            step = (float(times[-1]) - float(times[0])) / (times.size - 1)
            if step <= 0 or not np.allclose(np.diff(times.astype(float)), step, rtol=1e-3):
                continue
            rows = f"m[{name!r}]" + ("" if matrix.shape[1] == times.size else ".T")
            unit = "second" if step < _LONGEST_BIN else "ms"
            edges = [f"{edge:.6g}*{unit}" for edge in (float(times[0]), float(times[-1]) + step)]
            line = f"[[m[{axis!r}][row > 0]*{unit}] for row in {rows}], t_start={edges[0]}, t_stop={edges[1]}"
            in_unit = "seconds" if unit == "second" else unit
            hint = f"If {name} is a raster of one neuron, trial by trial, with {axis} as its times in {in_unit}, make a Block of it"
            return hint, f"block = nsnn_neuro.to_block({line})"
        hint = f"If {name} is a raster of one neuron, with a row for each trial, make a Block of it, here for bins of 1 ms"
        line = (
            f"[[numpy.flatnonzero(row)*0.001] for row in m[{name!r}]], t_stop={matrix.shape[1]}*0.001*second"
        )
        return hint, f"block = nsnn_neuro.to_block({line})"
    return None


def _is_row(value: np.ndarray) -> bool:
    return (
        value.ndim == 1 and value.size > 1 and value.dtype.kind in _KINDS and bool(np.isfinite(value).all())
    )


def variables_of_hdf5(names: list[str]) -> str:
    """The same for a file of MATLAB 7.3, which is HDF5, with variables of these names."""
    shown = [name for name in names if not name.startswith("#")]
    more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
    first = next((name for name in shown if "spike" in name.lower()), shown[0] if shown else "name")
    return (
        f"a MATLAB 7.3 file with the variables {', '.join(shown[:_MOST_NAMED])}{more}: read it with h5py and give the spike times "
        f"to to_block, h5py.File(path)[{first!r}][()].ravel(); or save it in MATLAB with -v7"
    )
