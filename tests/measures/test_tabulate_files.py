"""`tabulate` of files: read in groups of units, the table is that of the whole Block.

Sets the number of spikes of a group: a file of two million is no quick test.
"""

import warnings
from functools import partial

import h5py
import numpy as np
import pandas as pd
import pytest
from brian2 import second
from helpers import bombs

from nsnn_neuro import NsnnError, load, measures, tabulate
from nsnn_neuro.measures import as_trains, burst_index, cv, evaluation, fano_factor, firing_rate


def large(path, *, trials=False, observed=True):
    """An NWB file of 6 units with 5 to 30 spikes, ids from 40."""
    number = np.array([30, 5, 12, 20, 8, 25])
    with h5py.File(path, "w") as file:
        spikes = np.concatenate([np.sort(np.random.default_rng(k).uniform(0, 10, k)) for k in number])
        bombs.units(file, spikes, n=6, ends=np.cumsum(number), obs=(0.0, 10.0))
        file["units/id"][...] = np.arange(40, 46)
        if trials:
            bombs.trials(file, np.arange(0.0, 10.0, 2.0), np.arange(1.5, 11.5, 2.0))
        if not observed:
            del file["units/obs_intervals"], file["units/obs_intervals_index"]
    return path


def wrong(block):
    raise TypeError("not the table's")


def counts_estimates(block):
    return [measures.Estimate(float(n), 0.5, n=3) for n in as_trains(block).counts.sum(axis=0)]


@pytest.mark.parametrize(("trials", "observed"), [(True, True), (False, True), (False, False)])
@pytest.mark.parametrize("options", [{}, {"by": "population"}, {"confidence": 0.9}])
def test_a_path_read_in_groups_of_units_has_the_table_of_its_block(
    tmp_path, monkeypatch, trials, observed, options
):
    path = large(tmp_path / "a.nwb", trials=trials, observed=observed)
    functions = [firing_rate, cv, partial(fano_factor, window=0.5 * second), burst_index, counts_estimates]
    seen = []
    monkeypatch.setattr(evaluation, "_AT_ONCE", 40)  # spikes: groups of 35, 40 and 25
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parts = tabulate({"a": path}, functions, progress=seen.append, **options)
    with warnings.catch_warnings(record=True) as expected:
        warnings.simplefilter("always")
        whole = tabulate({"a": load(path)}, functions, **options)
    pd.testing.assert_frame_equal(parts, whole)
    assert {str(one.message) for one in caught} == {str(one.message) for one in expected}
    assert seen == [1 / 3, 2 / 3, 1.0]


def test_paths_and_options_of_load(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "_AT_ONCE", 40)
    path = large(tmp_path / "a.nwb")
    result = tabulate([path, str(path)], firing_rate, units={"id": [43, 41]}, t_stop=5 * second)
    expected = tabulate({str(path): load(path, units={"id": [43, 41]}, t_stop=5 * second)}, firing_rate)
    pd.testing.assert_frame_equal(result, expected)
    text = tmp_path / "a.txt"
    text.write_text("0.1 0.3\n0.2\n")
    assert tabulate(text, firing_rate, t_stop=2 * second)["value"].tolist() == [1.0, 0.5]


def test_measures_of_all_neurons_and_unknown_options_are_refused(tmp_path, monkeypatch):
    path = large(tmp_path / "a.nwb", trials=True)
    functions = [
        measures.population_coupling,
        lambda block: float(firing_rate(block).mean()),
        lambda block: measures.Estimate(1.0),
    ]
    for function in functions:
        assert len(tabulate(path, function))
    monkeypatch.setattr(evaluation, "_AT_ONCE", 40)
    for function in functions:
        with pytest.raises(NsnnError, match="Block"):
            tabulate(path, function)
    for blocks, options in ((path, {"unit": 1}), (load(path), {"units": 1}), (path, {"check": "full"})):
        with pytest.raises(NsnnError, match="no argument"):
            tabulate(blocks, firing_rate, **options)
    with pytest.raises(NsnnError, match="'units'"):
        tabulate(path, firing_rate, unit=1)
    with pytest.raises(TypeError, match="not the table's"):
        tabulate(path, wrong, units=[0])
    with pytest.raises(FileNotFoundError):
        tabulate(tmp_path / "b.nwb", firing_rate)
