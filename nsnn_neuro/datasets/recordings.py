"""Recordings that come with the package, as Blocks.

Each set is a folder data/<set>/ of the repository with small input files, the notice of their licence, and a README that
names source, checksums and how the files were made. An installed package has it as nsnn_neuro/data/<set>/.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import cast

import neo
import numpy as np
import quantities as pq

from ..core.checks import instance, one_of, suggest_keywords, whole
from ..core.errors import FormatError, NsnnError
from ..core.file_limits import Budget, read_npy
from ..core.results import damaged
from ..core.shipped import shipped
from ..io import save_load

_SHA256 = {
    1: "36d076a604b23d891acbc0c43b521ccb1ca7ddd4985490f59c3202d93eb9465b",
    2: "7605d3c00beb7762fd96645402e4877b523ba0864f7443967711f470bf363518",
}
_STEP_US = 50  # one sample of the envelope
_SCALE = 1e7  # the packed envelope counts in 1e-7: the text has up to seven decimals
# annotation -> (its line in the header of the spike file, factor to Hz or dB)
_HEADER = {
    "cutoff_hz": ("cut-off frequency (Hz)", 1.0),
    "sd_db": ("standard deviation (dB)", 1.0),
    "carrier_hz": ("carrier freq (kHz)", 1000.0),
    "intensity_db": ("intensity (dB)", 1.0),
}


@suggest_keywords
def grasshopper(which: int, *, path: str | Path | None = None) -> neo.Block:
    """Spikes of a grasshopper's auditory receptor neuron and the envelope of the sound it heard for 10 s.

    The sound is a 2.5 kHz tone whose level is Gaussian noise of standard deviation 6 dB, flat up to 200 Hz in
    recording 1 (929 spikes) and up to 800 Hz in recording 2 (868 spikes). It was played once, so measures
    across trials don't exist for these data. Spike times are multiples of 0.1 ms.

    Parameters
    ----------
    which : 1 or 2
    path : folder with the packed files (grasshopper1.npz) or with nitime's text files
        (grasshopper_spike_times1.txt, grasshopper_stimulus1.txt); None: those of the package,
        whose checksum is verified

    Returns
    -------
    neo.Block : one segment with one spike train and the AnalogSignal "stimulus" (20 kHz, amplitude
        without a unit); annotations cutoff_hz, sd_db, carrier_hz, intensity_db, which, source, licence

    Raises
    ------
    FormatError : no such files in the folder, or they are truncated or malformed

    Source: the data folder of nitime (BSD-3-Clause).

    >>> block = grasshopper(1)
    >>> len(block.segments[0].spiketrains[0]), block.annotations["cutoff_hz"]
    (929, 200.0)
    """
    one_of(which, (1, 2), "which")
    folder = shipped("data") / "grasshopper" if path is None else Path(path)
    packed = folder / f"grasshopper{which}.npz"
    texts = folder / f"grasshopper_spike_times{which}.txt", folder / f"grasshopper_stimulus{which}.txt"
    if packed.is_file():
        header, spike_us, envelope = _read_packed(packed, _SHA256[which] if path is None else None)
    elif all(text.is_file() for text in texts):
        header, spike_us, envelope = _read_texts(*texts)
    else:
        raise FormatError(
            f"path = {folder}: holds neither {packed.name} nor {texts[0].name} and {texts[1].name}"
        )
    _check(folder, spike_us, envelope)
    lines = dict(line.lstrip("# ").split(": ", 1) for line in header.splitlines() if ": " in line)
    try:
        facts = {name: factor * float(lines[key]) for name, (key, factor) in _HEADER.items()}
    except (KeyError, ValueError) as error:
        raise FormatError(f"{folder}: the header of the spike file lacks a number ({error})") from None
    block = save_load.to_block(
        [[spike_us / 1e6]],
        t_stop=envelope.size * _STEP_US / 1e6 * pq.s,
        stimulus=neo.AnalogSignal(
            envelope, units="dimensionless", sampling_period=_STEP_US * 1e-6 * pq.s, name="stimulus"
        ),
    )
    block.name = f"grasshopper {which}"
    block.annotate(
        which=int(which),
        source="grasshopper auditory receptor recordings in the data folder of nitime",
        licence="BSD-3-Clause",
        **facts,
    )
    return block


@suggest_keywords
def envelope_db(block: neo.Block, *, samples: int = 10) -> neo.AnalogSignal:
    """The level of a sound from its envelope: 20 log10(amplitude), then the mean of each `samples` in a row.

    For the grasshopper recordings this is the signal whose standard deviation is 6 dB, at 2 kHz.

    Parameters
    ----------
    block : Block whose first segment holds the AnalogSignal "stimulus" (amplitude, > 0)
    samples : how many samples make one mean; an incomplete run at the end is dropped

    Returns
    -------
    neo.AnalogSignal : named "level"; in dB relative to amplitude 1, which Neo can only call dimensionless;
        its sampling rate is the stimulus's divided by `samples`

    Raises
    ------
    NsnnError : no stimulus, or an amplitude that isn't positive

    >>> level = envelope_db(grasshopper(1))
    >>> level.shape, level.sampling_rate, round(float(level.std()), 1)
    ((20000, 1), array(2000.) * Hz, 6.0)
    """
    instance(block, neo.Block, "block", "a neo.Block, such as grasshopper(1)")
    signals = block.segments[0].analogsignals if block.segments else []
    stimulus = next((s for s in signals if s.name == "stimulus"), None)
    if stimulus is None:
        raise NsnnError("block has no AnalogSignal named 'stimulus' in its first segment")
    amplitude = np.asarray(stimulus.magnitude, dtype=float)
    if not np.all(amplitude > 0):
        raise NsnnError(f"stimulus has the amplitude {amplitude.min()}: a level in dB needs amplitudes > 0")
    samples = whole(samples, 1, "samples", len(amplitude))
    n = len(amplitude) // samples
    level = 20 * np.log10(amplitude[: n * samples])
    return neo.AnalogSignal(
        level.reshape(n, samples, -1).mean(axis=1),
        units="dimensionless",
        sampling_rate=stimulus.sampling_rate.rescale("Hz") / samples,
        t_start=stimulus.t_start.rescale("s"),
        name="level",
    )


def _read_packed(path: Path, sha256: str | None) -> tuple[str, np.ndarray, np.ndarray]:
    if sha256 is not None and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise FormatError(f"{path}: its checksum isn't sha256 {sha256}: fetch the file again")
    with damaged(f"{path}: not a packed grasshopper recording, or truncated", "fetch the file again"):
        budget = Budget.of(path, cure="expected a recording of ten seconds")
        with zipfile.ZipFile(path) as archive:
            header, spike_us, order, planes = (
                read_npy(archive, k, budget) for k in ("header", "spike_us", "order", "planes")
            )
        if planes.dtype != np.uint8 or planes.ndim != 2 or len(planes) != 4 or not 0 <= order <= 8:
            raise ValueError(f"planes {planes.dtype} {planes.shape}, order {order}")
        budget.take(8.0 * planes.size, "its envelope")
        # as data/grasshopper/pack.py packs it: byte planes of differences of this order, signs folded into the lowest bit
        folded = np.ascontiguousarray(planes.T).view("<u4").ravel().astype(np.int64)
        envelope = (folded >> 1) ^ -(folded & 1)
        for _ in range(int(order)):
            envelope = np.cumsum(envelope)
        return str(header), spike_us.astype(np.int64), envelope / _SCALE


def _read_texts(spikes: Path, stimulus: Path) -> tuple[str, np.ndarray, np.ndarray]:
    lines = _numbers(spikes, 1)
    table = _numbers(stimulus, 2)
    wrong = np.flatnonzero(table[:, 0] != _STEP_US * np.arange(len(table)))
    if wrong.size:
        raise FormatError(
            f"{stimulus}: row {wrong[0] + 1} has the time {table[wrong[0], 0]:g} us where "
            f"{_STEP_US * wrong[0]} us was expected (0, {_STEP_US}, {2 * _STEP_US}, ...)"
        )
    header = "\n".join(line for line in spikes.read_text().splitlines() if line.startswith("#"))
    return header, lines[:, 0], table[:, 1]


def _numbers(path: Path, columns: int) -> np.ndarray:
    try:
        table = np.loadtxt(path, comments="#", ndmin=2)
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: not a table of numbers ({error})") from None
    if table.ndim != 2 or table.shape[1] != columns or not np.isfinite(table).all():
        raise FormatError(
            f"{path}: expected {columns} column(s) of finite numbers, found shape {table.shape}"
        )
    return cast("np.ndarray", table)


def _check(folder: Path, spike_us: np.ndarray, envelope: np.ndarray) -> None:
    """Refuse spike times or an envelope that no recording can have."""
    if not envelope.size or not np.all(envelope > 0):
        raise FormatError(f"{folder}: the envelope is empty or has amplitudes that aren't positive")
    if spike_us.ndim != 1 or np.any(spike_us != np.rint(spike_us)):
        raise FormatError(f"{folder}: spike times aren't whole microseconds")
    back = np.flatnonzero(np.diff(spike_us) <= 0)
    if back.size:
        late = spike_us[back[0] + 1]
        raise FormatError(f"{folder}: spike {back[0] + 2} ({late:g} us) isn't later than the one before")
    end = envelope.size * _STEP_US
    if spike_us.size and not (spike_us[0] >= 0 and spike_us[-1] < end):
        first, last = spike_us[[0, -1]]
        raise FormatError(
            f"{folder}: spikes from {first:g} to {last:g} us, but the stimulus from 0 to {end} us"
        )
