"""`load(path, units=...)`: the same as all units and `select`, without the spikes of the others; conditions on columns."""

import itertools

import h5py
import numpy as np
import pytest
from brian2 import second
from helpers import bombs
from helpers.roundtrip import assert_same, quietly

from nsnn_neuro import FormatError, NsnnError, load, save, select, to_block
from nsnn_neuro.io.spikes.arrays import RESOLUTION

RNG = np.random.default_rng(5)
RATES = [0.5, 4.0, 2.0, 8.0]
TRAINS = [np.sort(RNG.uniform(0, 100, int(100 * rate))) for rate in RATES]
COLUMNS = {
    "id": np.array([14, 7, 20, 33]),
    "quality": [b"good", b"good", b"mua", b"good"],
    "depth": np.array([300.0, np.nan, 500.0, 700.0]),
    "kept": np.array([True, False, True, True]),
}


def recording(path, trains=TRAINS, *, trials=False, observed=True, kind="f8"):
    with h5py.File(path, "w") as file:
        flat = np.concatenate(trains).astype(kind)
        bombs.units(file, flat, n=4, ends=np.cumsum([len(train) for train in trains]), obs=(0.0, 100.0))
        del file["units/id"], file["units/spike_times"]
        file.create_dataset("units/spike_times", data=flat, chunks=(64,))
        for name, values in COLUMNS.items():
            file[f"units/{name}"] = values
        if not observed:
            del file["units/obs_intervals"], file["units/obs_intervals_index"]
        if trials:
            bombs.trials(file, np.arange(0.0, 100.0, 10.0), np.arange(5.0, 105.0, 10.0))
    return path


CHOICES = [1, [3, 0], [2, 2], slice(1, 3), [True, False, False, True], "7", ["33", "14"], {"quality": "good"}]
WINDOWS = [
    {},
    {"t_start": 20 * second},
    {"t_stop": TRAINS[3][500] * second},
    {"t_start": 15 * second, "t_stop": 60 * second},
]


@pytest.mark.parametrize("kind", ["f8", "f4"])
def test_chosen_units_and_times_are_those_of_the_whole_file(tmp_path, kind):
    """Each choice in each window, in one of four files: with trials or without, spikes of a unit in order or not."""
    order = RNG.permutation(len(TRAINS[3]))
    for turn, (trials, last) in enumerate(itertools.product((False, True), (TRAINS[3], TRAINS[3][order]))):
        path = recording(tmp_path / "a.nwb", [*TRAINS[:3], last], trials=trials, kind=kind)
        each = [quietly(path, **window) for window in WINDOWS]
        whole = each[0]
        for k, units in enumerate(CHOICES):
            window = WINDOWS[(k + turn) % 4]
            expected = select(each[(k + turn) % 4], units=units)
            result = quietly(path, units=units, **window)
            for one in (result, expected):  # that of single precision is the latest spike's that was read
                one.annotations.pop(RESOLUTION, None)
            assert_same(result, expected)
        times = [one.magnitude for one in whole.segments[0].spiketrains]
        cut = quietly(path, trials=False, t_start=15 * second, t_stop=60 * second).segments[0].spiketrains
        if not trials:
            for every, some in zip(times, cut, strict=True):
                assert some.magnitude.tolist() == every[(every >= 15) & (every < 60)].tolist()


def test_spikes_of_the_others_are_neither_read_nor_counted_in_the_budget(tmp_path):
    path = recording(tmp_path / "a.nwb")
    with h5py.File(path, "r+") as file:
        file["units/spike_times"][len(TRAINS[0]) : len(TRAINS[0]) + len(TRAINS[1])] = np.nan
    with pytest.raises(FormatError):
        load(path)
    with pytest.raises(FormatError):
        load(path, units=1)
    assert load(path, units=[0, 2]).annotations["units"]["id"] == [14, 20]
    long = [np.sort(RNG.uniform(0, 100, n)) for n in (10**5, 10, 10, 10)]
    path = recording(tmp_path / "long.nwb", long)
    for options in ({}, {"units": 0}):
        with pytest.raises(FormatError):
            load(path, max_bytes=10**6, **options)
    with pytest.warns(UserWarning, match=r"\d+ of 100030 spikes lie outside"):
        load(path, max_bytes=10**6, t_stop=1 * second)
    assert [len(train) for train in load(path, units=[1, 3], max_bytes=10**6).segments[0].spiketrains] == [
        10,
        10,
    ]


def with_signals(path, *, trials=False, observed=True):
    """`recording` with a sampled signal, one with times of its own, and events."""
    recording(path, trials=trials, observed=observed)
    with h5py.File(path, "r+") as file:
        bombs.series(file, "lfp", np.arange(110_000.0))
        times = np.linspace(2, 120, 50_000)
        for name, values in (("pupil", RNG.normal(size=times.size)), ("licks", [b"lick"] * times.size)):
            group = file.create_group(f"acquisition/{name}")
            group["data"], group["timestamps"] = values, times
    return path


@pytest.mark.parametrize(("trials", "observed"), [(True, True), (False, True), (False, False)])
def test_without_signals_the_rest_is_the_same(tmp_path, trials, observed):
    path = with_signals(tmp_path / "a.nwb", trials=trials, observed=observed)
    whole, spikes = (quietly(path, signals=signals) for signals in (True, False))
    assert len(whole.segments[0].analogsignals) == 1
    assert len(whole.segments[0].irregularlysampledsignals) == (not trials)
    saved = load(save(whole, tmp_path / "saved.nwb"), signals=False)
    for segment in whole.segments:
        segment.analogsignals, segment.irregularlysampledsignals = [], []
    for without in (spikes, saved):
        assert_same(without, whole)
    with pytest.raises(NsnnError):
        load(path, signals="no such signal")


CONDITIONS = {
    "quality == 'good'": [0, 1, 3],
    "quality == 'good' and firing_rate > 1": [1, 3],
    "depth > 400 or id == 14": [0, 2, 3],
    "not kept": [1],
    "quality != 'good' or not (depth >= 300 and kept)": [1, 2],
    "300 < depth <= 700": [2, 3],
    "id in [7, 33] and 'good' == quality": [1, 3],
    "quality not in ('mua', 'noise') and depth > -1": [0, 3],
}


@pytest.mark.parametrize(("text", "rows"), CONDITIONS.items(), ids=range(len(CONDITIONS)))
def test_conditions_on_columns(tmp_path, text, rows):
    path = recording(tmp_path / "a.nwb")
    ids = [int(COLUMNS["id"][k]) for k in rows]
    assert load(path, units=text).annotations["units"]["id"] == ids
    assert select(load(path), units=text).annotations["units"]["id"] == ids
    again = save(load(path), tmp_path / "saved.nwb")  # verified whole, then selected
    assert_same(load(again, units=text), select(load(again), units=text))


@pytest.mark.parametrize(
    "text",
    [
        "id >",
        "__import__('os').system('touch x') == 0",
        "id.__class__ == 1",
        "depth.apply(print) > 1",
        "@id == 1",
        "id[0] == 1",
        "(lambda: 1) == 1",
        "depth + 1 > 2",
        "(x := 1) == 1",
        "f'{id}' == 'a'",
        "[k for k in id] == 1",
        "depht > 1",
        "quality == good",
        "quality > 3",
        "1 == 1",
        "kept and quality",
        "depth > 1e6",
        "quality = 'good'",
        "id is 7",
    ],
)
def test_what_is_no_condition_on_columns_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    path = recording(tmp_path / "a.nwb")
    for call in (lambda: load(path, units=text), lambda: select(load(path), units=text)):
        with pytest.raises(NsnnError):
            call()
    assert [one.name for one in tmp_path.iterdir()] == ["a.nwb"]


@pytest.mark.parametrize(
    ("units", "named"),
    [
        ({"id": [7, 999]}, r"\[999\].*14, 7, 20, 33"),
        ({"id": ["7", "x"], "quality": "good"}, r"\['x'\]"),
        ("quality = 'good'", "=="),
    ],
)
def test_what_lacks_among_chosen_units_is_named(tmp_path, units, named):
    path = recording(tmp_path / "a.nwb")
    for call in (lambda: load(path, units=units), lambda: select(load(path), units=units)):
        with pytest.raises(NsnnError, match=named):
            call()


def test_a_value_of_another_column_that_none_has_is_warned_of(tmp_path):
    path = recording(tmp_path / "a.nwb")
    with pytest.warns(UserWarning, match=r"quality \['noise'\]"):
        assert load(path, units={"quality": ["good", "noise"]}).annotations["units"]["id"] == [14, 7, 33]
    assert load(path, units={"id": range(10, 30)}).annotations["units"]["id"] == [14, 20]


def test_an_unknown_column_is_told_with_those_that_there_are(tmp_path):
    with pytest.raises(FormatError, match=r"depht.*depth.*id.*kept.*quality"):
        load(recording(tmp_path / "a.nwb"), units="depht > 400")


def test_rates_without_observation_intervals_and_in_other_formats(tmp_path):
    path = recording(tmp_path / "a.nwb", observed=False)
    with pytest.warns(UserWarning, match="pass both"):
        assert load(path, units="firing_rate > 1.9").annotations["units"]["id"] == [7, 20, 33]
    text = tmp_path / "a.txt"
    text.write_text("\n".join(" ".join(map(str, train)) for train in TRAINS))
    result = quietly(text, units="firing_rate > 3", t_stop=50 * second).segments[0].spiketrains
    assert [len(train) for train in result] == [np.count_nonzero(TRAINS[k] < 50) for k in (1, 3)]
    block = to_block([[[0.1, 0.2], [0.3]], [[0.4], []]], t_stop=1 * second)
    assert [len(train) for train in select(block, units="firing_rate >= 1.5").segments[0].spiketrains] == [2]
