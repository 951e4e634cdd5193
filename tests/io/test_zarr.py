"""NWB in Zarr: the same Block as of the file in HDF5 that it was made of; damaged and hostile folders are refused."""

import json
import os
import shutil
import sys
import tracemalloc
import zlib
from datetime import UTC, datetime

import numpy as np
import pytest
from brian2 import second
from helpers.roundtrip import assert_same
from pynwb import NWBHDF5IO, H5DataIO, NWBFile, TimeSeries
from pynwb.behavior import Position, SpatialSeries
from pynwb.misc import AnnotationSeries

from nsnn_neuro import FormatError, load, save, to_block

hdmf_zarr = pytest.importorskip("hdmf_zarr")
pytestmark = pytest.mark.filterwarnings("ignore")
N_UNITS, N_SPIKES = 6, 50


def exported(path):
    target = path.with_suffix(".nwb.zarr")
    with NWBHDF5IO(path, "r") as source, hdmf_zarr.NWBZarrIO(str(target), "w") as io:
        io.export(src_io=source, write_args={"link_data": False})
    return target


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A recording in HDF5, with a compressed signal, and in Zarr."""
    rng = np.random.default_rng(0)
    nwb = NWBFile("session", "identifier", datetime(2024, 1, 1, tzinfo=UTC), keywords=["x", "ü"])
    group = nwb.create_electrode_group("shank", "of a probe", "CA1", nwb.create_device("probe"))
    nwb.add_electrode(location="CA1", group=group)
    nwb.add_unit_column("quality", "text")
    nwb.add_unit_column("depth", "number")
    for k in range(N_UNITS):
        times = np.sort(rng.uniform(0, 20, N_SPIKES))
        about = {
            "quality": ("good", "mua")[k % 2],
            "depth": k / 2,
            "electrodes": [0],
            "electrode_group": group,
        }
        nwb.add_unit(spike_times=times, obs_intervals=[[0.0, 9.0], [10.0, 20.0]], **about)
    nwb.add_trial_column("stimulus", "text")
    for k in range(4):
        nwb.add_trial(start_time=5.0 * k, stop_time=5.0 * k + 4, stimulus="ab"[k % 2])
    field = H5DataIO(rng.normal(size=(2000, 2)), chunks=(300, 1), compression="gzip", shuffle=True)
    nwb.add_acquisition(TimeSeries(name="field", data=field, unit="V", rate=100.0, conversion=2.0))
    nwb.add_acquisition(AnnotationSeries(name="notes", data=["one", "zwölf"], timestamps=[1.0, 2.0]))
    place = SpatialSeries("place", rng.normal(size=(200, 2)), "maze", timestamps=np.arange(200) * 0.1)
    nwb.create_processing_module("behavior", "tracked").add(Position(place))
    path = tmp_path_factory.mktemp("zarr") / "session.nwb"
    with NWBHDF5IO(path, "w") as io:
        io.write(nwb)
    return path, exported(path)


OPTIONS = [
    {},
    {"trials": False},
    {"trials": False, "signals": ["place", "field"]},
    {"units": "quality == 'good' and depth > 0", "t_start": 4 * second, "t_stop": 20 * second},
    {"check": "full"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_block_is_that_of_the_file_in_hdf5(files, options):
    one, two = (load(path, **options) for path in files)
    units = one.annotations["units"]
    # references are pickled, and left out
    assert units.pop("electrode_group_name")
    assert units.pop("electrode_group_location")
    assert_same(one, two)
    kinds = ("analogsignals", "epochs", "events", "irregularlysampledsignals")
    number = [len(getattr(two.segments[0], kind)) for kind in kinds]
    assert number == ([1, 1, 1, "signals" in options] if options.get("trials") is False else [1, 0, 0, 0])


def test_what_is_pickled_is_named_in_a_warning(files):
    with pytest.warns(UserWarning, match=r"units\.electrode_group"):
        load(files[1])


def test_a_file_of_save_keeps_its_identity(tmp_path):
    block = to_block([[np.arange(0.1, 0.9, 0.001), [0.2]], [[0.4], []]], t_stop=1 * second)
    assert_same(block, load(exported(save(block, tmp_path / "a.nwb")), check="full"))


def in_chunks(store, size):
    """Store the spike times in uncompressed chunks."""
    folder = store / "units/spike_times"
    about = json.loads((folder / ".zarray").read_text())
    times = np.concatenate([train.magnitude for train in load(store, trials=False).segments[0].spiketrains])
    for k in range(0, len(times), size):
        (folder / str(k // size)).write_bytes(times[k : k + size].tobytes())
    (folder / ".zarray").write_text(json.dumps(about | {"chunks": [size], "compressor": None}))


def test_only_the_chunks_of_chosen_units_are_read(files, tmp_path):
    store = shutil.copytree(files[1], tmp_path / "a.nwb.zarr")
    in_chunks(store, N_SPIKES)
    whole = load(store, units=[1, 4])
    for k in (0, 2, 3, 5):
        (store / f"units/spike_times/{k}").unlink()
    assert_same(whole, load(store, units=[1, 4]))
    assert_same(whole, load(files[1], units=[1, 4]))
    with pytest.raises(FormatError, match="spike_times/3"):
        load(store, units=[3])


def change(store, path, **values):
    file = store / path
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def link(store, **values):
    (store / "units").rename(store / "moved")
    change(store, ".zattrs", zarr_link=[{"name": "units", "source": "."} | values])


def outside(store, path):
    os.rename(store / path, store.parent / "outside")
    os.symlink(store.parent / "outside", store / path)


TIMES, QUALITY = "units/spike_times/.zarray", "units/quality/.zarray"
MOST = 2**27


def bomb(store, path, **values):
    """A chunk that expands to 256 MiB."""
    (store / path / "0").write_bytes(zlib.compress(bytes(2**28), 1))
    change(store, f"{path}/.zarray", compressor={"id": "zlib", "level": 9}, **values)


def blosc(store, size):
    """A chunk whose head states another size."""
    file = store / "units/spike_times/0"
    data = file.read_bytes()
    file.write_bytes(data[:4] + size.to_bytes(4, "little") + data[8:])


HOSTILE = {
    "pickle": lambda s: change(s, TIMES, filters=[{"id": "pickle"}], dtype="|O"),
    "pickled numbers": lambda s: change(s, TIMES, filters=[{"id": "pickle"}]),
    "unknown compressor": lambda s: change(s, TIMES, compressor={"id": "lz4"}),
    "huge shape": lambda s: change(s, TIMES, shape=[10**15]),
    "huge grid": lambda s: change(s, "units/spike_times_index/.zarray", shape=[10**15, 0], chunks=[1, 1]),
    "huge chunk": lambda s: change(s, TIMES, chunks=[10**12]),
    "no chunk size": lambda s: change(s, TIMES, chunks=[0]),
    "type": lambda s: change(s, TIMES, dtype="<M8[s]"),
    "missing chunk": lambda s: (s / "units/spike_times/0").unlink(),
    "short chunk": lambda s: (s / "units/spike_times/0").write_bytes(b"\2\1!"),
    "bomb": lambda s: bomb(s, "units/spike_times"),
    "bomb of text": lambda s: bomb(s, "units/quality"),
    "blosc bomb": lambda s: blosc(s, 2**31 - 1),
    "blosc lies": lambda s: blosc(s, 8),
    "text": lambda s: change(s, QUALITY, compressor=None),
    "metadata": lambda s: (s / TIMES).write_text("[" * 10**5),
    "link to another file": lambda s: link(s, path="/moved", source="../other.nwb.zarr"),
    "link out of the folder": lambda s: link(s, path="../outside/units"),
    "link to itself": lambda s: link(s, path="/units"),
    "symbolic link to a chunk": lambda s: outside(s, "units/spike_times/0"),
    "symbolic link to a group": lambda s: outside(s, "units"),
    "format 3": lambda s: (s / "zarr.json").write_text("{}"),
    "no NWB": lambda s: (s / ".zattrs").write_text("{}"),
    "empty": lambda s: (s / ".zgroup").unlink(),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_damaged_and_hostile_folders_are_refused(files, tmp_path, kind):
    store = shutil.copytree(files[1], tmp_path / "a.nwb.zarr")
    HOSTILE[kind](store)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=r"a\.nwb\.zarr"):
            load(store, max_bytes=MOST)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()


def test_links_within_the_folder_are_followed(files, tmp_path):
    store = shutil.copytree(files[1], tmp_path / "a.nwb.zarr")
    link(store, path="/moved")
    assert_same(load(files[1]), load(store))


def test_an_archive_and_a_missing_package_are_named(files, tmp_path, monkeypatch):
    (tmp_path / "a.nwb.zarr.zip").write_bytes(b"PK")
    with pytest.raises(FormatError, match="unpack"):
        load(tmp_path / "a.nwb.zarr.zip")
    monkeypatch.setitem(sys.modules, "numcodecs", None)
    with pytest.raises(FormatError, match="pip install numcodecs"):
        load(files[1])
