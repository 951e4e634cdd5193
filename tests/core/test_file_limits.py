"""Files that aren't what they say: damaged, too large for the memory, or leading out of themselves."""
# Imports internals: damaged configurations and sweep folders are read without the start of a command for each.

import os
import re
import warnings
from datetime import UTC, datetime
from functools import partial

import h5py
import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import second
from helpers import bombs
from helpers.roundtrip import rich_block

from nsnn_neuro import FormatError, NsnnError, load, save, to_block
from nsnn_neuro.cli import config, sweep_config
from nsnn_neuro.io.nwb.archive import findings
from nsnn_neuro.sweep import grid
from nsnn_neuro.sweep.store import Folder


def replaced(path, name, value):
    with h5py.File(path, "r+") as file:
        attributes = dict(file[name].attrs)
        del file[name]
        file[name] = value
        file[name].attrs.update(attributes)


CHANGES = [
    ("units/tick", lambda a: np.concatenate([a[:1] + 1, a[1:]])),
    ("units/trial", lambda a: np.roll(a, 1)),
    ("units/spike_times", lambda a: a[::-1]),
    ("intervals/trials/t_stop", lambda a: a + 1.0),
    ("acquisition/v/data", lambda a: a + 1e-9),
    ("stimulus/presentation/stimulus/data", lambda a: a.astype("f4")),
    ("general/notes", lambda text: text.replace(b'"dt": 0.0001', b'"dt": 0.0002')),
    ("general/notes", lambda text: text.replace(b'"digest": "', b'"digesu": "')),
    ("general/notes", lambda text: b"[" + text[1:]),
    ("identifier", lambda text: text[::-1]),
]


def test_content_that_is_not_that_of_the_identifier_is_refused(tmp_path):
    path = save(rich_block(), tmp_path / "a.nwb")
    good = path.read_bytes()
    for name, change in CHANGES:
        path.write_bytes(good)
        with h5py.File(path) as file:
            value = change(file[name][()])
        replaced(path, name, value)
        with pytest.raises(FormatError, match="damaged, or edited"):
            load(path)
    with pytest.raises(NsnnError, match="check = 'deep'"):
        load(path, check="deep")


def test_every_compressed_data_set_has_a_checksum(tmp_path):
    found = []
    with h5py.File(save(rich_block(), tmp_path / "a.nwb")) as file:
        file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
        assert {item.fletcher32 for item in found if item.compression} == {True}
        for name in ("units/tick", "units/trial", "units/spike_times", "acquisition/v/data"):
            assert file[name].fletcher32


@pytest.mark.parametrize(
    "make",
    [
        *(pytest.param(make, id=make.__name__) for make in bombs.BOMBS),
        *(
            pytest.param(bombs.in_neos_layout(make), id=f"neo-{make.__name__}")
            for make in bombs.IN_NEOS_LAYOUT
        ),
    ],
)
def test_what_a_file_expands_to_is_limited_before_it_is_read(tmp_path, make):
    make(tmp_path / "a.nwb")
    with pytest.raises(FormatError, match=r"a\.nwb: .*(max_bytes|more than the file holds|expected as many)"):
        load(tmp_path / "a.nwb")


@pytest.mark.parametrize("make", bombs.ASTRAY, ids=lambda make: make.__name__)
@pytest.mark.parametrize("layout", [lambda make: make, bombs.in_neos_layout], ids=["plain", "neo"])
def test_links_out_of_the_file_and_reversed_indices_are_refused(tmp_path, make, layout):
    layout(make)(tmp_path / "a.nwb")
    for check in ("quick", "full"):
        with pytest.raises(FormatError, match=r"a\.nwb: .*(another file|in circles|goes back)"):
            load(tmp_path / "a.nwb", check=check)


def test_max_bytes_sets_the_limit(tmp_path):
    path = save(to_block([[[0.1]]] * 100, t_stop=1 * second), tmp_path / "a.nwb")
    with pytest.raises(FormatError, match="max_bytes"):
        load(path, max_bytes=100_000)
    assert len(load(path, max_bytes=10_000_000).segments) == 100
    for wrong in (0, -1, float("nan"), "1 GB", True):
        with pytest.raises(NsnnError, match="max_bytes"):
            load(path, max_bytes=wrong)


def test_a_pipe_or_device_is_refused_and_not_waited_for(tmp_path):
    for name in ("a.nwb", "a.mat", "a.txt"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(FormatError, match="a pipe, device, socket or folder"):
            load(tmp_path / name)
    (tmp_path / "null.nwb").symlink_to("/dev/zero")
    with pytest.raises(FormatError, match="a pipe, device, socket or folder"):
        load(tmp_path / "null.nwb")


@pytest.mark.slow
def test_a_compressed_matlab_file_is_limited(tmp_path):
    import scipy.io

    scipy.io.savemat(tmp_path / "a.mat", {"x": np.zeros(100_000_000, dtype="u1")}, do_compression=True)
    assert (tmp_path / "a.mat").stat().st_size < 200_000
    with pytest.raises(FormatError, match="max_bytes"):
        load(tmp_path / "a.mat", max_bytes=50_000_000)


@pytest.mark.slow
def test_neos_layout_brings_epochs_events_and_irregular_signals(tmp_path):
    """Neo's own reader fails on the epochs that Neo writes."""
    now = datetime(2020, 1, 1, tzinfo=UTC)
    block = neo.Block(name="b", session_start_time=now, session_description="d", identifier="i")
    for i in range(2):
        segment = neo.Segment(name=f"trial {i}")
        block.segments.append(segment)
        segment.spiketrains.append(neo.SpikeTrain([0.125, 0.25 + i / 8] * pq.s, t_stop=1.0))
        segment.epochs.append(neo.Epoch([0.25] * pq.s, durations=[0.5] * pq.s, labels=["go"], name="cue"))
        segment.events.append(neo.Event([0.5] * pq.s, labels=["lick"], name="licks"))
        odd = neo.IrregularlySampledSignal([0.0, 0.1] * pq.s, [1.0, 2.0 + i] * pq.mV, name="odd")
        segment.irregularlysampledsignals.append(odd)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        neo.io.NWBIO(str(tmp_path / "a.nwb"), mode="w").write_all_blocks([block])
    again = load(tmp_path / "a.nwb", check="full")
    assert [s.name for s in again.segments] == ["trial 0", "trial 1"]
    for i, segment in enumerate(again.segments):
        (train,), (epoch,) = segment.spiketrains, segment.epochs
        (event,), (odd,) = segment.events, segment.irregularlysampledsignals
        assert train.magnitude.tolist() == [0.125, 0.25 + i / 8]
        assert (epoch.times.tolist(), epoch.durations.tolist(), *epoch.labels) == ([0.25], [0.5], "go")
        assert (event.times.tolist(), *event.labels) == ([0.5], "lick")
        assert (odd.times.tolist(), odd.magnitude.ravel().tolist(), odd.units) == (
            [0, 0.1],
            [1, 2 + i],
            pq.mV,
        )


FULL = [
    ("intervals/trials/stop_time", lambda a: a - 5.0, "starts at"),
    ("units/obs_intervals", lambda a: a * 0.5, "outside its obs_intervals"),
    ("acquisition/v/starting_time", lambda a: a, "neither timestamps nor a sampling rate"),
]


@pytest.mark.slow
def test_a_full_check_looks_at_what_loading_does_not_need(tmp_path):
    path = save(rich_block(), tmp_path / "a.nwb")
    load(path, check="full")
    good = path.read_bytes()
    for name, change, words in FULL:
        path.write_bytes(good)
        with h5py.File(path, "r+") as file:
            value = change(file[name][()])
            del file[name]
            file[name] = value
        load(path)
        with pytest.raises(FormatError, match=words):
            load(path, check="full")


def test_a_full_check_of_another_programs_file_looks_at_the_order_of_spikes(tmp_path):
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        bombs.units(file, [0.2, 0.1])
    load(tmp_path / "a.nwb")
    with pytest.raises(FormatError, match=r"units/spike_times\[1\] = 0.1 s is earlier"):
        load(tmp_path / "a.nwb", check="full")


SWEPT = """
[model]
type = "NSNNNeuron"
[run]
duration = "20 ms"
[sweep]
measures = ["cv"]
grid.model.beta = {from = 0.1, to = 0.9, n = 1048576}
grid.model.theta = {from = 0.1, to = 0.9, n = 1048576}
"""


def test_a_grid_of_too_many_points_is_refused_before_it_is_made():
    with pytest.raises(FormatError, match="grid has 1099511627776 points: expected at most 1048576"):
        sweep_config.arguments(config.parse(SWEPT))
    with pytest.raises(NsnnError, match="grid has 1000000000000 points"):
        grid.read(lambda point: None, None, None, {name: range(10**4) for name in "abc"})


@pytest.mark.slow
def test_a_configuration_that_is_a_pipe_or_has_endless_keys_is_refused(tmp_path):
    os.mkfifo(tmp_path / "a.toml")
    with pytest.raises(FormatError, match="a pipe, device, socket or folder"):
        config.read(tmp_path / "a.toml")
    with pytest.raises(FormatError, match="more than 16 parts"):
        config.parse("a" + ".a" * 400_000 + " = 1")


def test_a_sweeps_folder_of_pipes_is_not_waited_for(tmp_path):
    folder = Folder(tmp_path)
    folder.begin({"trials": 1}, True)
    os.mkfifo(tmp_path / "chunk-1-0-0-0.json")
    with pytest.warns(UserWarning, match="its points run again"):
        assert folder.results([1], 1) == {}
    (tmp_path / "manifest.json").unlink()
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(FormatError, match="damaged, or not of a sweep"):
        folder.known()


def test_a_trial_without_samples_of_a_signal_is_left_without_it(tmp_path):
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        bombs.units(file, [0.5, 1.5])
        bombs.trials(file, [0.0, 1.0], [1.0, 2.0])
        bombs.series(file, "v", np.zeros((500, 2)))
    block = load(tmp_path / "a.nwb")
    assert [[len(signal) for signal in segment.analogsignals] for segment in block.segments] == [[500], []]


def test_a_heap_of_text_that_hdf5_would_walk_for_ever_is_refused(tmp_path):
    path = save(rich_block(), tmp_path / "a.nwb")
    data = bytearray(path.read_bytes())
    for heap in re.finditer(b"GCOL\1", bytes(data)):
        at = heap.start() + 16
        end = heap.start() + int.from_bytes(data[at - 8 : at], "little")
        while data[at : at + 2] != b"\0\0" and at < end:  # to the free space at its end
            at += 16 + (int.from_bytes(data[at + 8 : at + 16], "little") + 7) // 8 * 8
        if at < end:
            data[at + 8 : at + 16] = bytes(8)
    path.write_bytes(data)
    for read in (load, partial(load, check="full"), findings):
        with pytest.raises(FormatError, match="heap of text"):
            read(path)
