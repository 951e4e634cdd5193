"""Files that other programs wrote."""

import sys
import warnings
from datetime import UTC, datetime

import h5py
import neo
import numpy as np
import pytest
import quantities as pq
import scipy.io
from helpers.roundtrip import assert_same, bounds_of, trains_of, volt

import nsnn_neuro
from nsnn_neuro import FormatError, load, save
from nsnn_neuro.measures import as_trains


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
        ("b.nwb", {"units": [{"id": 3}]}, "no spike_times"),
        ("c.nwb", {"units": [{"spike_times": []}]}, "its duration is unknown"),
        ("d.nwb", {"units": [{"spike_times": [1.0, float("nan")]}]}, "no numbers"),
        ("e.nwb", {"units": [{"spike_times": [1.0]}], "trials": [(2.0, 1.0)]}, "valid start and stop"),
    ]:
        path = foreign(tmp_path / name, **more)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            with pytest.raises(FormatError, match=words):
                load(path)


@pytest.mark.parametrize(
    ("name", "chunks"),
    [("units/spike_times", None), ("units/spike_times_index", True), ("intervals/trials/start_time", None)],
)
def test_values_that_a_file_claims_and_does_not_store_are_refused(tmp_path, name, chunks):
    path = foreign(
        tmp_path / "a.nwb",
        trials=[(0.0, 1.0), (1.0, 2.0)],
        units=[{"spike_times": [0.5, 1.5]}, {"spike_times": [0.2]}],
        series=[{"name": "v", "data": np.arange(3.0), "unit": "V", "rate": 1.0}],
    )
    with h5py.File(path, "r+") as file:
        shape, dtype, attributes = file[name].shape, file[name].dtype, dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, shape, dtype, chunks=chunks).attrs.update(attributes)
    with pytest.raises(FormatError, match=f"{name} claims .* bytes and stores none"):
        load(path)


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


@pytest.mark.slow
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
        as_trains(found).times, np.array([0.01, 0.02, 0.01, 0.021, 0.01, 0.021, 0.01, 0.022]), maxulp=1
    )
    assert bounds_of(found) == [(0.0, 0.1, 2)] * 2
    assert found.annotations["units"]["name"] == ["0", "1"]
    assert all(len(s.analogsignals) == 1 and s.analogsignals[0].segment is s for s in found.segments)
    assert_same(found, load(save(found, tmp_path / "b.nwb")))


def read(tmp_path, content, match):
    """The trains in a text file; the warning that says what was assumed has all of `match`."""
    (tmp_path / "a.txt").write_text(content)
    with pytest.warns(UserWarning, match=match) as caught:
        block = load(tmp_path / "a.txt")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    (trains,) = trains_of(block)
    return [np.frombuffer(train).tolist() for train in trains], block


LONG = (7000 + np.random.default_rng(0).random(50)).cumsum().tolist()
TWO = "unit ms, as its comments say; each of 3 lines is a neuron, 1 of them silent"
STATED = "unit ms, as its comments say; .* from 0.007 to 0.03 s; the recording is taken to last from 0 s to 0.5 s, as t_stop"
# content, its trains, the end of the recording, and what is said of it
TEXTS = [
    ("0.5\t1.5\n0.25\n", [[0.5, 1.5], [0.25]], 1.5, "no units: taken as seconds; each of 2 lines is a neuron; 3 spikes"),
    *((f"0.5 1.125\n0.25 7.98765{end}", [[0.5, 1.125], [0.25, 7.98765]], 7.98765, "no units") for end in ("", "\r\n", "\n\n\n")),
    (" ".join(map(repr, LONG)), [LONG], LONG[-1], "its line is one neuron"),
    ("0.5\n1.5\n1.5\n2\n", [[0.5, 1.5, 1.5, 2.0]], 2.0, "the 4 lines of one time each are one neuron"),
    ("\ufeff 0.5, 1.5;2.5 ,\n%\n.25 5.e-1\t1E0", [[0.5, 1.5, 2.5], [0.25, 0.5, 1.0]], 2.5, "no units"),
    ("1,2,3\n", [[1.0, 2.0, 3.0]], 3.0, "one neuron"),
    ('"time"\n1\n2\n', [[1.0, 2.0]], 2.0, "taken as seconds; the 2 lines of one time each are one neuron"),
    ("time_ms\n100\n250\n", [[0.1, 0.25]], 0.25, "unit ms, as its comments say; the 2 lines"),
    *(
        (f"{comment}\n12.5 30\n\n# another\n7.25", [[0.0125, 0.03], [], [0.00725]], 0.03, TWO)
        for comment in ("# unit: ms", "% units = msec", "#Time [ms], 30 neurons", "# of 10 s, units: ms")
    ),
    ("# in seconds\n1.5 2\n-0.5", [[1.5, 2.0], [-0.5]], 2.0, "unit s, .* from -0.5 s to the last"),
    ("# µs\n1 2\n", [[1e-6, 2e-6]], 2e-6, "unit us"),
    *(
        (f"{comments}\n12 30\n7", [[0.012, 0.03], [0.007]], 0.5, STATED)
        for comments in ("# unit: ms\n# t_stop: 500", "# unit: ms\n# T_STOP = 0.5 s", "# unit: ms\n% recording, t_stop: 5e2 ms")
    ),
    ("# t_stop: 500 ms\n0.1 0.2", [[0.1, 0.2]], 0.5, "taken as seconds; .* to 0.5 s"),
]  # fmt: skip


def test_a_text_file_of_spike_trains_says_what_was_assumed(tmp_path):
    for content, expected, stop, words in TEXTS:
        trains, block = read(tmp_path, content, words)
        assert trains == expected, content
        assert bounds_of(block)[0][1] == stop


def test_a_csv_file_of_one_column_is_one_neuron(tmp_path):
    for content in ("0.1\n0.25\n", "time\n0.1\n0.25\n", "Time (ms)\n100\n250\n"):
        (tmp_path / "a.csv").write_text(content)
        with pytest.warns(UserWarning, match="2 lines of one time each are one neuron"):
            (trains,) = trains_of(load(tmp_path / "a.csv", t_stop=1 * pq.s))
        assert [np.frombuffer(train).tolist() for train in trains] == [[0.1, 0.25]]
    for content in ("0,0.1\n1,0.25\n", "a title\n0,0.1\n1,0.25\n", "unit\ttime\n0\t0.1\n"):  # tables
        (tmp_path / "a.csv").write_text(content)
        with pytest.raises(FormatError, match=r"pandas\.read_csv"):
            load(tmp_path / "a.csv")


def test_slow_spikes_of_text_without_a_unit_are_doubted(tmp_path):
    times = " ".join(f"{t}" for t in range(40, 10_000, 90))
    with_hint = r"0\.011 spikes a second and neuron make it likely that the unit is ms; if that is wrong, write .*'# unit: ms'"
    assert read(tmp_path, times, with_hint)[0][0][:2] == [40.0, 130.0]


def test_t_stop_of_load_is_the_end_of_a_text_file(tmp_path):
    (tmp_path / "a.txt").write_text("0.1 0.2\n0.4\n")
    for stop, number, words in (
        (0.5, 3, r"from 0 s to 0\.5 s, as t_stop says; if that is wrong"),
        (0.4, 3, r"from 0 s to 0\.4 s, as t_stop says; if that is wrong"),
        (0.3, 2, r"to 0\.3 s, as t_stop says; 1 of 3 spikes are dropped, 1 from t_stop = 0\.3 s on"),
    ):
        with pytest.warns(UserWarning, match=words):
            block = load(tmp_path / "a.txt", t_stop=stop * pq.s)
        assert bounds_of(block) == [(0.0, stop, 2)]
        assert sum(len(train) for train in block.segments[0].spiketrains) == number


def test_a_window_that_holds_no_spike_of_a_text_without_units_is_refused(tmp_path):
    (tmp_path / "ms.txt").write_text("120 310 440\n100 290\n")
    words = r"all 5 spikes, from 100 to 440 s, .* 5 from t_stop = 0\.5 s on: .*'# unit: ms'"
    with pytest.raises(FormatError, match=words):
        load(tmp_path / "ms.txt", t_stop=0.5 * pq.s)
    (tmp_path / "ms.txt").write_text("# unit: ms\n120 310 440\n100 290\n")
    with pytest.warns(
        UserWarning,
        match=r"from 0\.2 s to 0\.3 s, .*4 of 5 spikes are dropped, 2 before t_start = 0\.2 s and 2",
    ):
        block = load(tmp_path / "ms.txt", t_start=200 * pq.ms, t_stop=0.3 * pq.s)
    assert [len(train) for train in block.segments[0].spiketrains] == [0, 1]


REFUSED_TEXTS = [
    ("# t_stop: 0.5\n0.1 0.7\n", "t_stop = 0.5 s in its comments, but a spike at 0.7 s: .*'# unit: ms'"),
    ("# t_stop: 0.5\n# t_stop: 0.6\n0.1 0.2\n", "several t_stop"),
    ("# t_stop: 1e400\n0.1 0.2\n", "t_stop: '1e400' is no finite number"),
    ("", "empty"),
    ("\n \n# none\n", "no spike times in it"),
    ("3.0\t2.0\t1.0\n", "line 1: the numbers don't ascend"),
    ("1\n2\n# back\n0.5\n", "line 4 is earlier than the one before"),
    ("1\n\n2\n", "empty lines between: these may be neurons, trials or gaps"),
    ("nan\n1\n", "line 1: 'nan' is no number: .* begin comments with #"),
    ("1\ntime\n", "line 2: 'time' is no number"),
    ("1 1_0\n", "line 1: '1_0' is no number"),
    ("1 1e999\n", "beyond the range"),
    ("1" * 5000, "is no number"),
    ("0,5 1,25\n", "may be one number or two"),
    ("# in ms\n# of 3 s\n1 2\n", "several units, ms, s"),
    ("0\n", "a single spike at 0"),
    (b"\xff\xfe1\x00", "UTF-8"),
]


def test_text_that_is_no_spike_trains_is_refused(tmp_path):
    path = tmp_path / "a.txt"
    for content, words in REFUSED_TEXTS:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(FormatError, match=words) as caught:
            load(path)
        assert len(str(caught.value)) < 400 + len(str(path))


def test_trials_on_a_late_clock(tmp_path):
    """A spike at a trial's start is in that trial, and a sample too, where start and time were rounded apart."""
    clock, rate = 1e9 + 0.3, 1000.0
    starts = clock + np.arange(40) * 0.05
    spikes = (clock * 1e3 + np.arange(40) * 50.0) / 1e3  # the same moments, computed in ms
    path = foreign(
        tmp_path / "a.nwb",
        trials=[(t, t + 0.05) for t in starts],
        units=[{"spike_times": spikes}],
        series=[{"name": "lfp", "data": np.arange(2000), "unit": "V", "rate": rate, "starting_time": clock}],
    )
    block = load(path)
    assert as_trains(block).trial.tolist() == list(range(40))
    assert np.abs(as_trains(block).times).max() < 1e-6
    first = [int(segment.analogsignals[0].magnitude[0, 0]) for segment in block.segments]
    assert first == list(range(0, 2000, 50))


def test_a_matlab_file_of_plain_arrays_says_what_it_holds_and_how_to_read_it(tmp_path, capfd):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"direction": [[1.0], [2.0]], "SpikesLow": [0.1, 0.5, 29.5], "name": "x"})
    with pytest.raises(FormatError) as error:
        load(path)
    message = str(error.value)
    assert (
        "no Neo Block in it, but the MATLAB variables direction (2 x 1 double), SpikesLow (1 x 3 double)"
        in message
    )
    assert "name (1 char): give the one with spike times" in message
    lines = "\n".join(line.strip() for line in message.splitlines() if line.startswith("    "))
    names = {"scipy": scipy, "nsnn_neuro": nsnn_neuro}
    exec(lines.replace("...", "30 * pq.s"), names | {"pq": pq}, names)
    assert as_trains(names["block"]).times.tolist() == [0.1, 0.5, 29.5]
    assert capfd.readouterr().err == ""  # Neo's reader logs that there is no Block


def test_a_matlab_file_of_version_7_3_says_what_it_holds(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file["spikes"] = [[0.1], [0.5]]
    with pytest.raises(FormatError, match=r"MATLAB 7\.3 file with the variables spikes: read it with h5py"):
        load(tmp_path / "a.mat")


def test_readers_of_neo_show_no_progress_bars(tmp_path, monkeypatch):
    path, reader = str(tmp_path / "a.mat"), neo.io.NeoMatlabIO
    reader(path).write_block(ordinary_block())
    module, read, seen = sys.modules[reader.__module__], reader.read, []
    monkeypatch.setattr(module, "HAVE_TQDM", True, raising=False)  # as in modules of readers that have bars
    monkeypatch.setattr(reader, "read", lambda *a, **k: (seen.append(module.HAVE_TQDM), read(*a, **k))[1])
    load(path)
    assert seen == [False]
    assert module.HAVE_TQDM  # as before, for readers that the user makes
