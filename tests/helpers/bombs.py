"""Small NWB files that claim, or expand to, more than a memory holds, or that lead out of themselves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

ZIPPED: dict[str, Any] = {"compression": "gzip", "compression_opts": 1}


def units(
    file: h5py.File, spikes: Any, n: int = 1, ends: Any = None, obs: tuple[float, float] = (0.0, 1e3)
) -> None:
    """A units table of `n` rows, the first of which has all `spikes`; all are observed from `obs[0]` to `obs[1]`."""
    file.attrs["nwb_version"] = "2.7.0"
    file.create_dataset("units/id", data=np.arange(n), **ZIPPED)
    file.create_dataset("units/spike_times", data=np.asarray(spikes, float), chunks=True, **ZIPPED)
    counts = np.full(n, len(spikes)) if ends is None else ends
    file.create_dataset("units/spike_times_index", data=counts, chunks=True, **ZIPPED)
    file.create_dataset("units/obs_intervals", data=np.tile(obs, (n, 1)), **ZIPPED)
    file.create_dataset("units/obs_intervals_index", data=np.arange(1, n + 1), **ZIPPED)


def trials(file: h5py.File, start: Any, stop: Any) -> None:
    """A trials table."""
    for name, values in (("start_time", start), ("stop_time", stop), ("id", np.arange(len(start)))):
        file.create_dataset(f"intervals/trials/{name}", data=values, **ZIPPED)


def series(file: h5py.File, name: str, values: Any) -> h5py.Group:
    """A time series with 1,000 samples a second."""
    group = file.create_group(f"acquisition/{name}")
    group.create_dataset("data", data=values, **ZIPPED).attrs["unit"] = "mV"
    group.create_dataset("starting_time", data=0.0).attrs["rate"] = 1000.0
    group.attrs["comments"] = '{"block": "a", "segment": "a"}'  # where Neo's layout has it
    return group


def overlapping_trials(path: Path) -> None:
    """20,000 trials that all contain the same 100,000 spikes."""
    with h5py.File(path, "w") as file:
        units(file, np.linspace(0, 1, 100_000))
        trials(file, np.zeros(20_000), np.ones(20_000))


def many_trials(path: Path) -> None:
    """A million trials."""
    with h5py.File(path, "w") as file:
        units(file, [0.5])
        trials(file, np.zeros(1_000_000), np.ones(1_000_000))


def many_intervals(path: Path) -> None:
    """A million intervals of observation."""
    with h5py.File(path, "w") as file:
        units(file, [0.5])
        del file["units/obs_intervals"], file["units/obs_intervals_index"]
        file.create_dataset("units/obs_intervals", data=np.tile((0.0, 1.0), (1_000_000, 1)), **ZIPPED)
        file["units/obs_intervals_index"] = [1_000_000]


def many_units(path: Path) -> None:
    """Twenty million units."""
    with h5py.File(path, "w") as file:
        units(file, [0.5], n=10)
        n = 20_000_000
        for name in ("id", "spike_times_index", "obs_intervals", "obs_intervals_index"):
            del file[f"units/{name}"]
        for name in ("id", "spike_times_index"):
            file.create_dataset(
                f"units/{name}", shape=(n,), dtype="i8", fillvalue=1, chunks=(2**20,), **ZIPPED
            )[::n] = 1


def units_times_trials(path: Path) -> None:
    """100,000 units in 20,000 trials."""
    with h5py.File(path, "w") as file:
        units(file, [0.5], n=100_000)
        trials(file, np.arange(20_000.0), np.arange(20_000.0) + 1)


def hard_links(path: Path) -> None:
    """One signal of 40 MB under 400 names."""
    with h5py.File(path, "w") as file:
        units(file, [0.5])
        series(file, "s0", np.zeros((5_000_000, 1)))
        for k in range(1, 400):
            file[f"acquisition/s{k}"] = file["acquisition/s0"]


def repeated_references(path: Path) -> None:
    """A column of a million texts, all of them one text of a megabyte."""
    with h5py.File(path, "w", libver="earliest") as file:
        units(file, [0.5])
        trials(file, np.zeros(1), np.ones(1))
        kind = h5py.string_dtype()
        one = file.create_dataset("units/note", data=["x" * 2**20, "y"], dtype=kind)
        place = one.id.get_offset()
        file.create_dataset("units/notes", shape=(1_000_000,), dtype=kind)
        file["units/notes"][0] = "z"  # so that room is made for all of them
        target = file["units/notes"].id.get_offset()
    with open(path, "r+b") as raw:
        raw.seek(place)
        reference = raw.read(16)
        raw.seek(target)
        raw.write(reference * 1_000_000)


def zeros(path: Path) -> None:
    """Spike times that gzip packs a thousand to one, 2 GB of them."""
    with h5py.File(path, "w") as file:
        units(file, [0.5])
        del file["units/spike_times"], file["units/spike_times_index"]
        n = 2**28
        data = file.create_dataset("units/spike_times", shape=(n,), dtype="f8", chunks=(2**22,), **ZIPPED)
        data[: 2**22] = 0.0
        packed = data.id.read_direct_chunk((0,))[1]
        for k in range(0, n, 2**22):
            data.id.write_direct_chunk((k,), packed)
        file["units/spike_times_index"] = [n]


def large_chunk(path: Path) -> None:
    """Two numbers in a chunk of 3 GB."""
    with h5py.File(path, "w") as file:
        units(file, [0.5])
        del file["units/spike_times"]
        file.create_dataset(
            "units/spike_times", shape=(1,), maxshape=(None,), chunks=(400_000_000,), dtype="f8", **ZIPPED
        )


def claimed(path: Path) -> None:
    """A data set without values that claims a terabyte."""
    with h5py.File(path, "w") as file:
        units(file, [0.5])
        del file["units/spike_times"]
        file.create_dataset("units/spike_times", shape=(2**37,), dtype="f8")


def external_link(path: Path) -> None:
    """A units table that lies in a pipe."""
    os.mkfifo(path.with_suffix(".pipe"))
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        file["units"] = h5py.ExternalLink(str(path.with_suffix(".pipe")), "/units")


def external_storage(path: Path) -> None:
    """Spike times that are the bytes of a device."""
    with h5py.File(path, "w") as file:
        units(file, [0.5])
        del file["units/spike_times"]
        file.create_dataset("units/spike_times", shape=(10,), dtype="f8", external=[("/dev/zero", 0, 80)])


def virtual(path: Path) -> None:
    """Spike times that are those of another file."""
    with h5py.File(path, "w") as file:
        units(file, [0.5])
        del file["units/spike_times"]
        layout = h5py.VirtualLayout(shape=(10,), dtype="f8")
        layout[:] = h5py.VirtualSource("/etc/hostname", "x", shape=(10,))
        file.create_virtual_dataset("units/spike_times", layout)


def circle(path: Path) -> None:
    """Two links that lead to each other."""
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        file["units"] = h5py.SoftLink("/other")
        file["other"] = h5py.SoftLink("/units")


def reversed_index(path: Path) -> None:
    """A ragged index that goes back."""
    with h5py.File(path, "w") as file:
        units(file, [0.1, 0.2, 0.3], n=3, ends=[3, 1, 3])


def in_neos_layout(make: Any) -> Any:
    """The same in the layout of Neo's own writer, with a segment and a block for each unit."""

    def made(path: Path) -> None:
        make(path)
        with h5py.File(path, "r+") as file:
            link = file.get("units", getlink=True)
            if isinstance(link, h5py.HardLink):
                n = len(file["units/id"])
                for name in ("segment", "block"):
                    file.create_dataset(
                        f"units/{name}", data=np.array(["a"] * min(n, 1000), dtype="S1"), **ZIPPED
                    )

    return made


BOMBS = [
    *(overlapping_trials, many_trials, many_intervals, many_units, units_times_trials, hard_links),
    *(repeated_references, zeros, large_chunk, claimed),
]
IN_NEOS_LAYOUT = [many_units, hard_links, zeros, large_chunk, claimed]
ASTRAY = [external_link, external_storage, virtual, circle, reversed_index]
