"""Files that other programs wrote."""

import warnings
from datetime import UTC, datetime

import neo
import numpy as np
import pytest
import quantities as pq
from roundtrip import assert_same, bounds_of, trains_of, volt

from nsnn_neuro.blocks import gather
from nsnn_neuro.errors import FormatError
from nsnn_neuro.recording import load, save


def foreign(path, *, trials=(), units=(), series=(), **columns):
    import pynwb

    file = pynwb.NWBFile(
        session_description="somebody's", identifier="x1", session_start_time=datetime(2020, 1, 1, tzinfo=UTC)
    )
    for name in columns:
        file.add_trial_column(name, name)
    for i, (start, stop) in enumerate(trials):
        file.add_trial(start_time=start, stop_time=stop, **{k: v[i] for k, v in columns.items()})
    for unit in units:
        file.add_unit(**unit)
    for one in series:
        file.add_acquisition(pynwb.TimeSeries(**one))
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)
    return path


def test_foreign_trials(tmp_path):
    path = foreign(
        tmp_path / "a.nwb",
        trials=[(10.0, 11.0), (11.0, 12.5), (20.0, 21.0), (float("nan"), 30.0)],
        stimulus=["left", "right", "left", "none"],
        contrast=[0.5, 1.0, 0.25, 0.0],
        units=[
            {"spike_times": [10.0, 10.5, 11.0, 15.0, 21.0], "obs_intervals": [[0.0, 30.0]]},
            {"spike_times": [], "obs_intervals": [[0.0, 30.0]]},
            {"spike_times": [12.0, 20.25], "obs_intervals": [[0.0, 30.0]]},
        ],
        series=[
            {
                "name": "lfp",
                "data": np.arange(100),
                "unit": "volts",
                "rate": 4.0,
                "conversion": 1e-3,
                "offset": 5.0,
            },
            {"name": "odd", "data": np.arange(3.0), "unit": "V", "timestamps": [0.0, 1.0, 5.0]},
        ],
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        block = load(path)
    messages = sorted(str(w.message) for w in caught)
    assert messages == [
        "1 of 4 trials left out: no valid start and stop",
        "1 of 7 spikes lie outside every trial and were dropped",
        "left out: odd (not sampled regularly)",
    ]
    trains = [[np.frombuffer(t).tolist() for t in trial] for trial in trains_of(block)]
    assert trains == [[[0.0, 0.5], [], []], [[0.0], [], [1.0]], [[1.0], [], [0.25]]]
    assert bounds_of(block) == [(0.0, 1.0, 3), (0.0, 1.5, 3), (0.0, 1.0, 3)]
    assert block.segments[1].annotations == {"start_time": 11.0, "stimulus": "right", "contrast": 1.0}
    lfp = [segment.analogsignals[0] for segment in block.segments]
    assert [len(s) for s in lfp] == [4, 6, 4]
    np.testing.assert_allclose(lfp[1].magnitude.ravel(), 5.0 + 1e-3 * np.arange(44, 50), rtol=1e-12)
    assert (lfp[1].units, lfp[1].t_start, lfp[1].sampling_rate) == (pq.V, 0.0 * pq.s, 4.0 * pq.Hz)
    assert block.annotations["nwb"]["identifier"] == "x1"
    assert block.annotations["units"]["id"] == [0, 1, 2]
    assert_same(block, load(save(block, tmp_path / "b.nwb")))


def test_foreign_without_trials(tmp_path):
    spike_times = [{"spike_times": [3.0, 4.0]}, {"spike_times": []}, {"spike_times": [1.5]}]
    with pytest.warns(UserWarning, match="from the first to the last spike"):
        block = load(foreign(tmp_path / "a.nwb", units=spike_times))
    assert bounds_of(block) == [(1.5, 4.0, 3)]
    assert gather(block).times.tolist() == [3.0, 4.0, 1.5]

    observed = [{**unit, "obs_intervals": [[1.0, 9.0]]} for unit in spike_times]
    block = load(foreign(tmp_path / "b.nwb", units=observed))
    assert bounds_of(block) == [(1.0, 9.0, 3)]

    observed = [{**unit, "obs_intervals": [[1.0, 2.0], [3.5, 9.0]]} for unit in spike_times]
    with pytest.warns(UserWarning, match="1 of 3 spikes"):
        block = load(foreign(tmp_path / "c.nwb", units=observed))
    assert bounds_of(block) == [(0.0, 1.0, 3), (0.0, 5.5, 3)]
    assert [np.frombuffer(t).tolist() for t in trains_of(block)[1]] == [[0.5], [], []]
    assert block.segments[1].annotations == {"start_time": 3.5}

    observed = [{**unit, "obs_intervals": [[1.0, 9.0 + i]]} for i, unit in enumerate(spike_times)]
    with pytest.warns(UserWarning, match="observed at different times"):
        assert bounds_of(load(foreign(tmp_path / "d.nwb", units=observed))) == [(1.0, 11.0, 3)]


def test_foreign_files_that_say_too_little(tmp_path):
    for name, more, words in [
        ("a.nwb", {}, "no units table"),
        ("b.nwb", {"units": [{"id": 3}]}, "no units/spike_times"),
        ("c.nwb", {"units": [{"spike_times": []}]}, "nothing tells how long it is"),
        ("d.nwb", {"units": [{"spike_times": [1.0, float("nan")]}]}, "no numbers"),
        ("e.nwb", {"units": [{"spike_times": [1.0]}], "trials": [(2.0, 1.0)]}, "valid start and stop"),
    ]:
        path = foreign(tmp_path / name, **more)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            with pytest.raises(FormatError, match=words):
                load(path)


def test_a_foreign_unit_is_never_evaluated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hostile = "__import__('os').system('touch marker')"
    one = {"name": "s", "data": np.arange(10.0), "unit": hostile, "rate": 10.0}
    unit = {"spike_times": [0.5], "obs_intervals": [[0.0, 1.0]]}
    (found,) = load(foreign(tmp_path / "a.nwb", units=[unit], series=[one])).segments[0].analogsignals
    assert found.units == pq.dimensionless
    assert found.annotations == {"unit": hostile}
    assert not (tmp_path / "marker").exists()


def ordinary_block():
    block = neo.Block()
    for i in range(2):
        segment = neo.Segment(name=f"trial {i}")
        block.segments.append(segment)
        segment.analogsignals.append(volt(np.arange(3.0), "v"))
        for j in range(2):
            train = neo.SpikeTrain(np.array([10.0, 20.0 + i + j]), units="ms", t_stop=100.0, name=f"{j}")
            segment.spiketrains.append(train)
    return block


@pytest.mark.parametrize("kind", [".mat", ".nwb"])
def test_what_neo_wrote(tmp_path, kind):
    path = str(tmp_path / f"a{kind}")
    block = ordinary_block()
    if kind == ".mat":
        neo.io.NeoMatlabIO(path).write_block(block)
    else:
        block.annotate(
            session_start_time=datetime(2020, 1, 1, tzinfo=UTC), session_description="d", identifier="i"
        )
        neo.io.NWBIO(path, mode="w").write_all_blocks([block])
    found = load(path)
    assert [type(s.spiketrains).__name__ for s in found.segments] == ["SpikeTrainList"] * 2
    assert [s.index for s in found.segments] == [0, 1]
    np.testing.assert_array_max_ulp(
        gather(found).times, np.array([0.01, 0.02, 0.01, 0.021, 0.01, 0.021, 0.01, 0.022]), maxulp=1
    )
    assert bounds_of(found) == [(0.0, 0.1, 2)] * 2
    assert all(len(s.analogsignals) == 1 and s.analogsignals[0].segment is s for s in found.segments)
    assert_same(found, load(save(found, tmp_path / "b.nwb")))


def test_a_text_file_of_spike_trains(tmp_path):
    (tmp_path / "a.txt").write_text("0.5\t1.5\n0.25\n")
    with pytest.warns(UserWarning, match="text has no units"):
        block = load(tmp_path / "a.txt")
    assert gather(block).times.tolist() == [0.5, 1.5, 0.25]
    assert gather(block).neuron.tolist() == [0, 0, 1]
