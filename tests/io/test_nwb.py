"""NWB files written here come back to the last bit, or say what is wrong with them."""

import json

import h5py
import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import second
from helpers.fuzz.nwb_files import forge
from helpers.roundtrip import assert_same, rich_block, trains_of, values, volt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nsnn_neuro import FormatError, load, save, to_block
from nsnn_neuro.io.block import build_block

times = st.floats(-2.0, 3.0, allow_nan=False)


trains = st.lists(times, max_size=4)


@pytest.mark.parametrize("dt", [1e-4, None])
def test_roundtrip_of_everything(tmp_path, dt):
    block = rich_block(dt)
    path = save(block, tmp_path / "a.nwb")
    assert path == tmp_path / "a.nwb"
    again = load(path)
    assert_same(block, again)
    assert (again.name, again.rec_datetime) == (block.name, block.rec_datetime)
    assert again.annotations["parameters"] == block.annotations["parameters"]
    assert [s.spiketrains._items for s in load(path).segments] == [None] * 3
    with h5py.File(path) as file:
        assert ("tick" in file["units"]) == (dt is not None)
        assert file["stimulus/presentation/stimulus/data"].shape == (10, 1)  # once
        assert file["acquisition/v/data"].shape == (30, 2)
        assert file["acquisition/v/starting_time"].attrs["rate"] == 10.0
        assert "neurons [1, 3]" in file["acquisition/v"].attrs["description"]
        assert file["units/population"].asstr()[:].tolist() == ["excitatory"] * 4 + ["inhibitory"] * 2
    save(again, tmp_path / "b.nwb")
    with h5py.File(path) as one, h5py.File(tmp_path / "b.nwb") as two:
        assert one["identifier"][()] == two["identifier"][()]  # the same content


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pynwb_and_neo_read_what_we_save(tmp_path):
    import pynwb

    block = rich_block()
    path = save(block, tmp_path / "a.nwb")
    result = pynwb.validate(path=str(path))
    assert not (result[0] if isinstance(result, tuple) else result)
    at = np.concatenate([i + s.events[0].times.magnitude for i, s in enumerate(block.segments[:2])])
    order = np.argsort(at)  # rows by time, which the Block's are not
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        cue, v, trials = file.events["cue_1"], file.acquisition["v_1"], file.intervals["trials_1"]
        assert cue["timestamp"][:].tolist() == trials["start_time"][:].tolist() == at[order].tolist()
        assert cue["annotation"][:].tolist() == [("abcd" * 2)[k] for k in order]
        assert trials["stop_time"][:].tolist() == (at + 1)[order].tolist()
        assert trials["angle"][:].tolist() == (order % 4).tolist()
        assert trials.id[:].tolist() == order.tolist()
        assert v.data.shape == (8, 2)
        assert file.trials["start_time"][:].tolist() == [0.0, 1.0, 2.0]
        expected = np.concatenate([i + np.frombuffer(t[4]) for i, t in enumerate(trains_of(block))])
        assert file.units.get_unit_spike_times(4).tolist() == expected.tolist()
        assert len(file.units.get_unit_spike_times(5)) == 0
        assert file.acquisition["v"].unit == "mV"
    (theirs,) = neo.io.NWBIO(str(path)).read()
    assert [len(t) for t in theirs.segments[0].spiketrains] == [
        sum(len(t[j]) // 8 for t in trains_of(block)) for j in range(6)
    ]


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), n=st.integers(1, 4), trials=st.integers(1, 3), note=values)
def test_roundtrip_of_small_blocks(tmp_path, data, n, trials, note):
    nested = data.draw(st.lists(st.lists(trains, min_size=n, max_size=n), min_size=trials, max_size=trials))
    block = to_block(nested, t_start=-2 * second, t_stop=3 * second)
    block.annotations["note"] = note
    dt = data.draw(st.none() | st.sampled_from([1e-4, 0.1, 1 / 3]))
    if dt is not None:  # annotated, but the times needn't be multiples
        block.annotations["dt"] = dt
    again = load(save(block, tmp_path / "a.nwb"))
    assert_same(block, again)
    assert trains_of(again) == [[(np.sort(t) + 0.0).tobytes() for t in trial] for trial in nested]


def test_the_resolution_of_recorded_times_is_kept(tmp_path):
    """Times k / fs are in general not exactly k dt; NWB has an attribute for their step."""
    times = np.array([1, 2, 7, 8191, 29999]) / 30000
    for annotations, resolution in [
        ({"dt": 1 / 30000}, 1 / 30000),
        ({"sampling_rate": 30000.0}, 1 / 30000),
        ({"sampling_rate": 30 * pq.kHz}, 1 / 30000),
        ({"dt": 1e-3, "sampling_rate": 30000}, 1 / 30000),
        ({"dt": 1e-3}, None),
        ({"sampling_rate": "30 kHz"}, None),
        ({"sampling_rate": 0.0}, None),
    ]:
        block = to_block([[times]], t_stop=1 * second)
        block.annotate(**annotations)
        path = save(block, tmp_path / "recorded.nwb")
        with h5py.File(path) as file:
            found = file["units/spike_times"].attrs.get("resolution")
        assert found == (pytest.approx(resolution) if resolution else None)
        np.testing.assert_array_equal(load(path).segments[0].spiketrains[0].magnitude, times)


def test_signals_with_gaps_and_of_many_kinds(tmp_path):
    def given_signals(i):
        return [
            volt([0.5, -0.0, np.nan], rate=1 / 3),  # no name; shorter than the trial; the same in both
            volt(np.arange(4 + i), "a/b:c", rate=20.0, t_start=0.25 * pq.s),
            volt(np.float32([1, 2]), "a/b:c", rate=20.0, t_start=i * 0.1 * pq.s),
            volt([-0.0 if i else 0.0], "signed zero"),
            neo.AnalogSignal(np.arange(3), units="uV**2/Hz", sampling_rate=1 * pq.kHz, gain=(1, 2.5)),
        ] + ([volt([9.0], "only once")] if i else [])

    block = build_block(
        [0],
        [0],
        times=[0.1],
        n_trials=2,
        n_neurons=1,
        t_start=0.0,
        t_stop=1.0,
        signals=[given_signals(0), given_signals(1)],
    )
    path = save(block, tmp_path / "a.nwb")
    again = load(path)
    names = [[s.name for s in segment.analogsignals] for segment in again.segments]
    assert names == [[s.name for s in segment.analogsignals] for segment in block.segments]
    assert_same(block, again)
    assert again.segments[1].analogsignals[4].annotations == {"gain": (1, 2.5)}
    with h5py.File(path) as file:
        np.testing.assert_allclose(
            file["acquisition/a_b_c/timestamps"][:],
            [0.25, 0.3, 0.35, 0.4, 1.25, 1.3, 1.35, 1.4, 1.45],
            rtol=1e-12,
        )


def test_what_is_not_saved_is_told_once(tmp_path):
    block, segment = neo.Block(), neo.Segment()
    block.segments.append(segment)
    images = neo.ImageSequence(
        np.zeros((1, 2, 2)), units="V", sampling_rate=1 * pq.Hz, spatial_scale=1 * pq.um
    )
    segment.imagesequences.append(images)
    about = {"waveforms": np.zeros((1, 1, 2)) * pq.mV, "array_annotations": {"depth": [1.0]}, "x": np.ones(2)}
    segment.spiketrains.append(neo.SpikeTrain([0.1] * pq.s, t_stop=1 * pq.s, name="a", **about))
    block.groups.append(neo.Group())
    with pytest.warns(UserWarning, match="not saved") as seen:
        again = load(save(block, tmp_path / "a.nwb"))
    (message,) = [str(one.message) for one in seen if "not saved" in str(one.message)]
    assert message == (
        "not saved: the Block's imagesequences, groups, array annotations of spike trains, "
        "names and annotations of spike trains that differ between trials or neurons, waveforms"
    )
    assert again.annotations["units"] == {"name": ["a"]}  # names that trains have in each trial are kept


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_names_that_a_file_gives_another_meaning_and_columns_of_another_length(tmp_path):
    block = to_block([[[0.1], [0.2]]], t_stop=1 * second)
    columns = {key: [1, 2] for key in ("tick", "trial_time", "tick_index", "trial_time_index", ".", "..")}
    block.annotations["units"] = columns | {"name": ["a"]}
    block.segments[0].events.append(neo.Event([0.5] * pq.s, name="."))
    assert_same(block, load(save(block, tmp_path / "a.nwb"), check="full"))
    trains = [neo.SpikeTrain([0.1] * pq.s, t_stop=1.0, name=name) for name in "ab"]
    block.segments[0].spiketrains = trains
    with pytest.warns(UserWarning, match="not saved: the Block's names and annotations of spike trains"):
        save(block, tmp_path / "a.nwb")  # the table says nothing of the second unit


@pytest.mark.slow
def test_notes_that_do_not_fit_the_file_are_refused_though_their_identifier_fits(tmp_path):
    path = save(rich_block(), tmp_path / "a.nwb")
    good = path.read_bytes()
    for part, key, value, words in [
        ("timed", "trials", [0, 3], "wrongly"),
        ("timed", "number", [4, 3], "doesn't fit"),
        ("timed", "number", [4, 10**15], "doesn't fit"),  # no array of that size is tried
        ("timed", "number", [4, 2, 2], "wrongly"),
        ("timed", "number", [-1, 9], "wrongly"),
        ("timed", "times", None, "doesn't fit"),
        ("timed", "kind", "segments", "wrongly"),
        ("timed", "trials", [], "wrongly"),
        *(("signals", "t_start", value, "doesn't fit its description") for value in ([[1.0, 2.0]], [True])),
        *(("signals", "rate", value, "doesn't fit its description") for value in ([10.0], "10")),
    ]:
        path.write_bytes(good)
        with h5py.File(path, "r+") as file:
            notes = json.loads(file["general/notes"][()])
            head = next(one for one in notes[part] if part == "signals" or one["name"] == "cue/1")
            head[key] = value
            file["general/notes"][()] = json.dumps(notes)
        forge(path)
        with pytest.raises(FormatError, match=f"{path}.*{words}"):
            load(path)


def test_times_of_an_uncut_recording_are_in_the_file_once(tmp_path):
    block = to_block([[[0.1]]], t_stop=1 * second)
    times = np.random.default_rng(1).random(50)
    signal = neo.IrregularlySampledSignal(np.sort(times) * pq.s, np.arange(50), units="V")
    block.segments[0].irregularlysampledsignals.append(signal)
    path = save(block, tmp_path / "a.nwb")
    with h5py.File(path) as file:
        (head,) = json.loads(file["general/notes"][()])["timed"]
        assert head["times"] is None
    assert_same(block, load(path))
    with h5py.File(path, "r+") as file:
        file["acquisition/irregularlysampledsignals/timestamps"][3] += 1e-9
    with pytest.raises(FormatError, match="its spikes, notes or signals are not those"):
        load(path)


def test_truncated_files(tmp_path):
    data = save(rich_block(), tmp_path / "a.nwb").read_bytes()
    cut = tmp_path / "cut.nwb"
    lengths = {0, 1, 8, 95, 96, 512, 2048, len(data) - 1} | set(range(1000, len(data), len(data) // 20))
    for length in sorted(lengths):
        cut.write_bytes(data[:length])
        with pytest.raises(FormatError) as error:
            load(cut)
        assert str(cut) in str(error.value)


EDITS = [
    ("units", None),
    ("units/trial", None),
    ("units/trial_index", np.array([3, 2, 3, 4, 5, 300])),
    ("units/trial", np.full(300, 99)),
    ("units/tick", np.full(300, -5)),
    ("units/tick", np.full(299, 5)),
    ("units/id", np.arange(7)),
    ("units/spike_times", np.zeros(299)),
    ("intervals/trials/t_stop", np.array([1.0, np.nan, 1.0])),
    ("intervals/trials/t_start", np.array([0.0])),
    ("intervals", None),
    ("acquisition/v", None),
    ("acquisition/v/data", np.zeros((29, 2))),
    ("general/notes", '{"format": "nsnn_neuro.block", "version": 2}'),
    ("general/notes", '{"format": "nsnn_neuro.block"'),
    ("general/notes", '{"format": "nsnn_neuro.block", "version": 1}'),
    ("general/notes", '{"format": "nsnn_neuro.block", "version": ' + "[" * 10**5),
]


def test_an_edited_file_is_a_format_error(tmp_path):
    path = save(rich_block(), tmp_path / "a.nwb")
    good = path.read_bytes()
    for name, value in EDITS:
        path.write_bytes(good)
        with h5py.File(path, "r+") as file:
            del file[name]
            if value is not None:
                file[name] = value
        with pytest.raises(FormatError, match=r"a\.nwb"):
            load(path)
