"""Optional recordings outside the repository: their folder, and a reader for each set."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.io

from nsnn_neuro import FormatError, NsnnError

SETS = {
    "case_studies_spikes": "a subthalamic and a retinal neuron of Kramer & Eden, Case Studies in Neural Data Analysis "
    "(https://github.com/Mark-Kramer/Case-Studies-Python, matfiles): 08_spikes-1.mat, 10_spikes-1.mat",
    "cifar10_16k": "16,000 images of CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html) in three parts: cifar10_16k.npz, see "
    "datasets.cifar10",
    "fly_H1": "neuron H1 of a blowfly, exercise 8 of chapter 1 of Dayan & Abbott 2001: c1p8.mat in c1p8.zip",
    "nmnist_160": "16 recordings of each digit of N-MNIST, doi 10.3389/fnins.2015.00437: nmnist_160.zip of <digit>/<number>.bs2",
    "punit_noisy_lif": "electroreceptors of a weakly electric fish: <cell>-invivo-1_baseline_spikes.npy, _eods.npy",
    "qsnmc2007_A": "rat cortical neuron, doi 10.1007/s00422-008-0261-x: current_voltage.npz, <setting>-<repeat>.spiketimes",
    "salamander_retina_onken": "salamander retina under images and a movie, doi 10.1371/journal.pcbi.1005189, data doi "
    "10.5061/dryad.4ch10: retina2.npz, see datasets.salamander_retina",
    "salamander_retina_movie": "salamander retina, doi 10.1371/journal.pcbi.1003408: original_data_num_neurons_50_1.mat",
}
"""sets of recordings that studies use where they are available: source and files"""

CORTICAL = ("00", "04", "05", "06", "08", "09", "11", "12")
"""settings (mean and standard deviation of the current) that `cortical` reads"""


class Sweep(NamedTuple):
    """One repeat: spike times (s), current (pA) and its sampling interval (s)."""

    spikes: np.ndarray
    current: np.ndarray
    dt: float

    @property
    def seconds(self) -> float:
        """Length of the sweep."""
        return self.current.size * self.dt


def folder(name: str) -> Path | None:
    """The folder of a set of recordings, or None if it is absent.

    Parent folder: the environment variable NSNN_SHARED_DATA, or else shared/data next to the repository.
    """
    named = os.environ.get("NSNN_SHARED_DATA")
    data = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    return data / name if (data / name / "SOURCE.txt").is_file() else None


def required(name: str, study: str) -> Path:
    """The folder of a set without which a study cannot run.

    Raises
    ------
    NsnnError : the set is absent; the message says where to put it
    """
    place = folder(name)
    if place is None:
        raise NsnnError(f"{study}: {next(absent([name], 'cannot run without'))}")
    return place


def absent(names: Iterable[str], what: str = "runs without") -> Iterator[str]:
    """For each absent set, what it is and where to put it."""
    for name in names:
        if folder(name) is None:
            yield (
                f"{what} the recordings {name} ({SETS[name]}). To include them, put the files and a SOURCE.txt that names "
                f"their source into FOLDER/{name}, and set NSNN_SHARED_DATA=FOLDER"
            )


def cortical(setting: str) -> list[Sweep] | None:
    """Four repeats of a rat cortical neuron driven by one frozen current, or None if the recordings are absent.

    Challenge A of the 2007 competition on single neuron models: 6.8 s at 5 kHz; the current is an Ornstein-Uhlenbeck process whose
    mean and standard deviation define the setting. Source: Jolivet et al. 2008, doi 10.1007/s00422-008-0261-x
    """
    place = folder("qsnmc2007_A")
    if place is None:
        return None
    rate, sweeps = 5000.0, []
    try:
        with np.load(place / "current_voltage.npz", allow_pickle=False) as data:
            currents = [np.asarray(data[f"I_{setting}_{k}"], dtype=float) for k in range(4)]
        for k, current in enumerate(currents):
            samples = np.loadtxt(place / f"{setting}-{k}.spiketimes", ndmin=2)[:, 0]
            if (
                current.ndim != 1
                or not (np.diff(samples) > 0).all()
                or not 0 <= samples[0] <= samples[-1] < current.size
            ):
                raise ValueError("spikes out of order or outside the current")
            sweeps.append(Sweep(samples / rate, current, 1 / rate))
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise FormatError(f"{place}: setting {setting!r} can't be read: {error}") from None
    return sweeps


def retina() -> np.ndarray | None:
    """Spikes (0 or 1) of 50 salamander retinal ganglion cells, shape (297 repeats of a 19-s film, 953 bins of 20 ms, 50 cells).

    None if the recordings are absent. Source: Tkacik et al. 2014, doi 10.1371/journal.pcbi.1003408
    """
    place = folder("salamander_retina_movie")
    if place is None:
        return None
    path = place / "original_data_num_neurons_50_1.mat"
    try:
        spikes = scipy.io.loadmat(path)["data"]
        if spikes.shape != (297 * 953, 50) or not np.isin(spikes, (0, 1)).all():
            raise ValueError(f"an array {spikes.shape}, expected zeros and ones, (283041, 50)")
    except (OSError, KeyError, ValueError, TypeError, NotImplementedError) as error:
        raise FormatError(f"{path}: can't be read: {error}") from None
    return spikes.reshape(297, 953, 50).astype(np.uint8)
