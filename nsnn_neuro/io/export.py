"""Blocks as objects of other packages: pynapple, SpikeInterface, xarray, pandas. `spikes.packages` is the way back.

All but pandas are optional.
"""

from __future__ import annotations

from typing import Any

import neo
import numpy as np

from ..core.aliases import DataFrame, Time
from ..core.checks import positive, suggest_keywords
from ..core.errors import NsnnError, needs_package
from ..core.units import si
from .lookup import population_names
from .segments import unit_table
from .spikes import Trains, binned


def _unit_columns(block: neo.Block, n: int) -> dict[str, list[Any]]:
    """The columns of the table of units with a value per neuron, and the populations; "id" is 0, 1, ... where there is none."""
    fitting = {key: column for key, column in unit_table(block).items() if len(column) == n}
    ids = fitting.get("id")
    try:
        distinct = ids is not None and len(set(ids)) == n
    except TypeError:  # ids that can't be hashed
        distinct = False
    names = population_names(block.annotations.get("populations"), n)
    populations = {"population": names} if names else {}
    return {**fitting, "id": ids if distinct and ids is not None else list(range(n)), **populations}


@suggest_keywords
def to_pynapple(block: neo.Block) -> Any:
    """A `pynapple.TsGroup` of the spikes of a Block, or a list of them, one per trial.

    The time support is the trial, from t_start to t_stop on its own clock, so that silent ends count. Ids that are whole numbers
    are the group's keys, otherwise keys are 0, 1, ...; further columns of `block.annotations["units"]` and the populations are its
    metadata. pynapple rounds times to nanoseconds. `to_block` is the way back, also from the list.

    Parameters
    ----------
    block : neo.Block, one Segment per trial

    Returns
    -------
    TsGroup of a Block with one trial; list of TsGroup, (n_trials,), of one with several

    Raises
    ------
    ImportError : pynapple is not installed
    NsnnError : not a Block

    >>> import pytest
    >>> nap = pytest.importorskip("pynapple")
    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> group = to_pynapple(to_block({4: [0.1, 0.3], 7: [0.2]}, t_stop=1*pq.s))
    >>> list(group.keys()), group[4].t.tolist(), group.time_support.values.tolist()
    ([4, 7], [0.1, 0.3], [[0.0, 1.0]])
    """
    spikes = Trains.from_block(block)
    with needs_package("pynapple", "to_pynapple"):
        import pynapple as nap
    columns = _unit_columns(block, spikes.n_neurons)
    keys = columns["id"]
    if all(type(key) is int for key in keys):
        columns.pop("id")
    else:
        keys = list(range(spikes.n_neurons))
    order = np.argsort(keys)  # pynapple sorts its keys, but not the metadata
    metadata = {k: [v[j] for j in order] for k, v in columns.items() if k != "rate"}
    groups, times = [], np.split(spikes.times, spikes.offsets[1:-1])
    for i in range(spikes.n_trials):
        support = nap.IntervalSet(spikes.t_start[i], spikes.t_stop[i])
        trains = {keys[j]: nap.Ts(times[i * len(keys) + j], time_support=support) for j in order}
        groups.append(nap.TsGroup(trains, time_support=support, metadata=metadata))
    return groups[0] if len(groups) == 1 else groups


@suggest_keywords
def to_spikeinterface(block: neo.Block, *, sampling_frequency: Any = None) -> Any:
    """A SpikeInterface `NumpySorting` of the spikes of a Block, with one segment per trial.

    Times become whole samples from the start of the trial, which is the start time of the segment. Further columns of
    `block.annotations["units"]` and the populations are properties. A sorting does not say when it ends:
    `to_block(sorting, t_stop=...)` is the way back.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    sampling_frequency : frequency, scalar; None (default): 1 / block.annotations["dt"]

    Raises
    ------
    ImportError : SpikeInterface is not installed
    NsnnError : not a Block, or no sampling_frequency for a Block without "dt"

    >>> import pytest
    >>> _ = pytest.importorskip("spikeinterface.core")
    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block({"a": [0.1, 0.3], "b": []}, t_stop=1*pq.s)
    >>> sorting = to_spikeinterface(block, sampling_frequency=30*pq.kHz)
    >>> sorting.unit_ids.tolist(), sorting.get_unit_spike_train("a").tolist()
    (['a', 'b'], [3000, 9000])
    """
    spikes = Trains.from_block(block)
    dt = block.annotations.get("dt")
    if sampling_frequency is None and not dt:
        raise NsnnError(
            "sampling_frequency = None: the block has no annotation 'dt'; pass it, such as 30*kHz"
        )
    rate = 1 / dt if sampling_frequency is None else positive(sampling_frequency, "Hz", "sampling_frequency")
    with needs_package("spikeinterface", "to_spikeinterface"):
        from spikeinterface.core import NumpySorting
    columns = _unit_columns(block, spikes.n_neurons)
    ids = columns.pop("id")
    samples = np.rint((spikes.times - spikes.t_start[spikes.trial]) * rate).astype(np.int64)
    trains = np.split(samples, spikes.offsets[1:-1])
    n = spikes.n_neurons
    sorting = NumpySorting.from_unit_dict(
        [dict(zip(ids, trains[k * n : (k + 1) * n], strict=True)) for k in range(spikes.n_trials)], rate
    )
    for k in np.flatnonzero(spikes.t_start).tolist():
        sorting.shift_times(float(spikes.t_start[k]), segment_index=k)
    for key, column in columns.items():
        sorting.set_property(key, np.array(column))
    return sorting


@suggest_keywords
def to_xarray(
    block: neo.Block, *, bin_width: Time, t_start: Time | None = None, t_stop: Time | None = None
) -> Any:
    """Spike counts as an `xarray.DataArray` with the dimensions trial, neuron and time.

    The coordinate time is the middle of each bin, in s. The coordinates of a neuron are its id and its population, if any;
    those of a trial are the annotations that all segments have. A last bin that is not complete is left out.

    Parameters
    ----------
    block : neo.Block, one Segment per trial, all of the same window
    bin_width : s, scalar
    t_start, t_stop : s, the window; None (default): the trials' own

    Returns
    -------
    DataArray of int64, (n_trials, n_neurons, n_bins), named spike_count; its attributes are units (of the values), bin_width,
        t_start and t_stop (s); the attribute units of each coordinate with a dimension names the coordinate's unit

    Raises
    ------
    ImportError : xarray is not installed
    NsnnError : not a Block, trials of different windows, or a bin wider than a trial

    >>> import pytest
    >>> xr = pytest.importorskip("xarray")
    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> counts = to_xarray(to_block([[[0.1, 0.2, 0.7], []]], t_stop=1*pq.s), bin_width=0.5*pq.s)
    >>> counts.dims, counts.sel(neuron=0).values.tolist(), counts.time.values.tolist(), counts.time.units
    (('trial', 'neuron', 'time'), [[2, 1]], [0.25, 0.75], 's')
    """
    width = positive(bin_width, "s", "bin_width")
    window = [
        None if x is None else si(x, "s", name) for x, name in ((t_start, "t_start"), (t_stop, "t_stop"))
    ]
    spikes = Trains.from_block(block).crop(*window)
    start, stop = spikes.window()
    with needs_package("xarray", "to_xarray"):
        import xarray
    counts = binned(spikes, width, "bin_width")
    coordinates: dict[str, Any] = {
        "trial": ("trial", np.arange(spikes.n_trials), {"units": "1"}),
        "neuron": ("neuron", _unit_columns(block, spikes.n_neurons)["id"], {"units": "1"}),
        "time": (
            "time",
            start + (np.arange(counts.shape[2]) + 0.5) * width,
            {"units": "s", "long_name": "middle of the bin"},
        ),
    }
    names = population_names(block.annotations.get("populations"), spikes.n_neurons)
    if names:
        coordinates["population"] = ("neuron", names)
    for key in block.segments[0].annotations:
        values = [segment.annotations.get(key) for segment in block.segments]
        if len({type(value) for value in values}) == 1 and isinstance(values[0], str | int | float):
            coordinates.setdefault(str(key), ("trial", values))
    about = {"units": "1", "bin_width": width, "t_start": start, "t_stop": stop}
    return xarray.DataArray(
        counts, dims=("trial", "neuron", "time"), coords=coordinates, name="spike_count", attrs=about
    )


@suggest_keywords
def to_dataframe(block: neo.Block) -> DataFrame:
    """A row per spike of a Block: trial, unit and time (s), sorted in this order.

    trial and unit are categories, which list silent trials and units too: `table.groupby(["trial", "unit"], observed=False).size()`
    counts their zeros. A unit is called by its id in `block.annotations["units"]`, or 0, 1, ... `table.attrs` has the lists t_start
    and t_stop (s, one value per trial), so that `to_block(table)` gives the same spikes, units and windows.

    Parameters
    ----------
    block : neo.Block, one Segment per trial

    Returns
    -------
    DataFrame, (n_spikes, 3)

    Raises
    ------
    NsnnError : not a Block

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> table = to_dataframe(to_block({"a": [0.1, 0.3], "b": []}, t_stop=1*pq.s))
    >>> print(table.to_string(index=False))
    trial unit  time
        0    a   0.1
        0    a   0.3
    >>> table.groupby("unit", observed=False).size().to_dict(), table.attrs
    ({'a': 2, 'b': 0}, {'t_start': [0.0], 't_stop': [1.0]})
    """
    import pandas as pd

    spikes = Trains.from_block(block)
    ids = _unit_columns(block, spikes.n_neurons)["id"]
    table = pd.DataFrame(
        {
            "trial": pd.Categorical.from_codes(spikes.trial, categories=pd.RangeIndex(spikes.n_trials)),
            "unit": pd.Categorical.from_codes(spikes.neuron, categories=pd.Index(ids)),
            "time": spikes.times,
        }
    )
    table.attrs = {"t_start": spikes.t_start.tolist(), "t_stop": spikes.t_stop.tolist()}
    return table
