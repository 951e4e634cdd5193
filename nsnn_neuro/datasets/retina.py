"""Ganglion cells of a salamander retina under natural images and a natural movie, read from your own file.

The file is untrusted: its parts are checked one by one, and memory is limited, before a Block is made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import neo
import numpy as np

from ..core.checks import file_path, suggest_keywords
from ..core.errors import FormatError, NsnnError
from ..core.file_limits import Budget, check_regular
from ..io.block import build_block
from ..io.provenance import provenance
from .npz_arrays import read_arrays

_FILE = "retina2.npz"
# part of the file -> number of axes, kinds of its type
_PARTS = {
    "images": (3, "u"),
    "images_spikes_ms": (1, "iuf"),
    "images_counts": (3, "iu"),
    "images_rf_center": (2, "f"),
    "movie_frames": (3, "u"),
    "movie_spikes_ms": (1, "iuf"),
    "movie_counts": (2, "iu"),
    "movie_rf_center": (2, "f"),
}
_WINDOW = 300  # samples of 1 ms: an image trial, and a window of the movie
_FRAME_RATE = 30.0  # Hz
_STARTS = 12 + 24.2 * np.arange(60)  # frames at which the windows of this movie start
# pixels of the picture on the screen, and its left and lower edge in the coordinates of receptive fields
_MOVIE_SIDE, _MOVIE_EDGES = 360, (220.0, 120.0)
_IMAGE_SIDE, _IMAGE_EDGES = 256, (272.0, 172.0)
_PER_TRAIN = 400  # bytes of memory for a spike train in a Block, without its spikes
_PER_SPIKE = 64  # bytes, with the copies on the way to a Block
_ABOUT = {
    "source": "Onken, Liu, Karunasekara, Delis, Gollisch & Panzeri 2016, doi 10.1371/journal.pcbi.1005189",
    "data": "doi 10.5061/dryad.4ch10",
    "resolution_ms": 1.0,
}


@dataclass(frozen=True, eq=False)
class SalamanderRetina:
    """Spikes of the same ganglion cells under images and a movie, with the pictures; made by `salamander_retina`.

    Spike times are known to 1 ms; a spike in sample k = 1, 2, ... stands in its middle, at k - 0.5 ms, so that bins with borders
    at whole milliseconds are unambiguous. Each segment has the annotations `label` (the stimulus, from 0) and `repeat`. Segments
    are sorted by stimulus, then by repeat. Pixels are counted from the top left, and pixel i covers i to i + 1.
    """

    images: neo.Block
    """trials of 300 ms from the onset of an image; label: row of `pictures`"""
    movie: neo.Block
    """windows of 300 ms of the movie; label: number of the window, whose onset is `window_onsets[label]`"""
    pictures: np.ndarray
    """(n_images, side, side) uint8, grey levels"""
    frames: np.ndarray
    """(n_frames, side, side) uint8, grey levels, 30 frames per second"""
    window_onsets: np.ndarray
    """(n_windows,) s from the start of the movie, (12 + 24.2 k) / 30"""
    centres_in_pictures: np.ndarray
    """(n_cells, 2) x and y of the receptive fields in pixels of `pictures`; it may lie outside"""
    centres_in_frames: np.ndarray
    """(n_cells, 2) x and y of the receptive fields in pixels of `frames`"""


@suggest_keywords
def salamander_retina(path: str | Path, *, starts: Any = None) -> SalamanderRetina:
    """Read 49 ganglion cells of a salamander retina under 60 natural images and a natural movie, 30 repeats of each.

    The recording is not part of this package. `path` leads to a file retina2.npz with these arrays, uncompressed or deflated:

    - images (n_images, 256, 256) uint8; images_counts (n_images, n_cells, n_repeats), the number of spikes of each trial;
      images_spikes_ms, the times of all trials, one after the other in the order of images_counts, in ms, 1 to 300
    - movie_frames (n_frames, side, side) uint8, of a movie of 360 x 360 pixels and 30 frames/s; movie_counts (n_cells, n_repeats);
      movie_spikes_ms, likewise, 1 to 18000
    - images_rf_center, movie_rf_center (n_cells, 2): x, and y upwards, on the screen

    The file states no durations. A trial of an image is 300 ms from its onset, where the trials were cut (the paper also analyses
    0 to 300 ms); responses begin about 100 ms after the onset. The trains of the movie are *not* 18 s of continuous response. They
    are 60 windows of 300 ms, put end to end, of which window k starts at frame 12 + 24.2 k. Here each window is a trial of its own.
    The first repeat of the movie is nearly empty (68 spikes, and 2,263 to 3,066 in each other) and adds to every variance over
    repeats, so leave it out: select(movie, trials={"repeat": range(1, 30)}). Counts also fall over repeats.

    Parameters
    ----------
    path : the file, or the folder that contains it
    starts : (n_windows,) frames of the movie, not below 0 and ascending, at which its windows start, for another recording in a
        file with these arrays; None: 12 + 24.2 k, of the 60 windows of this one

    Returns
    -------
    SalamanderRetina

    Raises
    ------
    NsnnError : other starts
    FormatError : no such file; damaged; without one of the arrays (an older file has no movie_frames); arrays of other types or
        shapes than above, or that do not fit each other; counts that do not add up to the number of spikes; times that are not
        increasing whole milliseconds within the trial; a file that takes more memory than 512 MiB and 32 times its size

    Source: Onken, Liu, Karunasekara, Delis, Gollisch & Panzeri 2016, doi 10.1371/journal.pcbi.1005189; data: doi
    10.5061/dryad.4ch10

    >>> retina = salamander_retina("retina2.npz")  # doctest: +SKIP
    >>> len(retina.images.segments), retina.images.segments[31].annotations["label"]  # doctest: +SKIP
    (1800, 1)
    >>> salamander_retina("missing.npz")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.FormatError: path = missing.npz: no such file: expected retina2.npz, or its folder
    """
    file = file_path(path, "path")
    file = file / _FILE if file.is_dir() else file
    if not file.exists():
        raise FormatError(f"path = {path}: no such file: expected {_FILE}, or its folder")
    check_regular(file)
    starts = _STARTS if starts is None else np.asarray(starts, dtype=float)
    ascending = starts.ndim == 1 and starts.size and np.isfinite(starts).all() and (np.diff(starts) > 0).all()
    if not ascending or starts[0] < 0:
        raise NsnnError(
            "starts: expected frames of the movie, not below 0 and ascending, such as 12 + 24.2 * np.arange(60)"
        )
    n_windows = len(starts)
    budget = Budget.of(file, cure=f"expected {_FILE} as it was distributed")
    data = read_arrays(file, _PARTS, budget, f"expected {_FILE}; older ones lack the frames of the movie")
    if wrong := _wrong_shapes(data, starts):
        raise FormatError(f"path = {file}: {wrong}")
    n_images, n_cells, n_repeats = shape = data["images_counts"].shape
    train, sample = _trains(file, data, "images", 1, budget)
    image, cell, repeat = np.unravel_index(train, shape)
    images = _block(image, cell, repeat, sample, (n_images, n_cells, n_repeats), "natural images")
    train, sample = _trains(file, data, "movie", n_windows, budget)
    window, within = np.divmod(sample - 1, _WINDOW)  # sample 300 is the last one of the first window
    n_repeats = data["movie_counts"].shape[1]
    cell, repeat = np.divmod(train, n_repeats)
    movie = _block(window, cell, repeat, within + 1, (n_windows, n_cells, n_repeats), "natural movie")
    return SalamanderRetina(
        images=images,
        movie=movie,
        pictures=data["images"],
        frames=data["movie_frames"],
        window_onsets=starts / _FRAME_RATE,
        centres_in_pictures=_pixels(data["images_rf_center"], _IMAGE_EDGES, _IMAGE_SIDE, data["images"].shape[1]),
        centres_in_frames=_pixels(data["movie_rf_center"], _MOVIE_EDGES, _MOVIE_SIDE, data["movie_frames"].shape[1]),
    )  # fmt: skip


def _wrong_shapes(data: dict[str, np.ndarray], starts: np.ndarray) -> str:
    """Description of shapes that do not fit each other; empty if they do."""
    shape = {name: values.shape for name, values in data.items()}
    n_images, n_cells, n_repeats = shape["images_counts"]
    last = math.ceil(starts[-1] + _WINDOW * _FRAME_RATE / 1000)
    if min(n_images, n_cells, n_repeats, shape["movie_counts"][1]) < 1:
        return "it has no images, cells or repeats"
    if shape["images"][0] != n_images:
        return f"images has {shape['images'][0]} images, images_counts {n_images}: expected as many"
    if shape["movie_counts"][0] != n_cells:
        return f"movie_counts has {shape['movie_counts'][0]} cells, images_counts {n_cells}: expected as many"
    for name in ("images_rf_center", "movie_rf_center"):
        if shape[name] != (n_cells, 2) or not np.isfinite(data[name]).all():
            return f"{name} has shape {shape[name]}: expected finite numbers, ({n_cells}, 2)"
    for name in ("images", "movie_frames"):
        if shape[name][1] != shape[name][2] or not shape[name][1]:
            return f"{name} has shape {shape[name]}: expected square images"
    if shape["movie_frames"][0] < last:
        return f"movie_frames has {shape['movie_frames'][0]} frames: expected {last} or more, for {len(starts)} windows"
    return ""


def _trains(
    file: Path, data: dict[str, np.ndarray], part: str, windows: int, budget: Budget
) -> tuple[np.ndarray, np.ndarray]:
    """Of each spike the number of its train, in the order of the counts, and its sample, from 1 on, in windows end to end."""
    counts, times = data[f"{part}_counts"].ravel(), data[f"{part}_spikes_ms"]
    last = windows * _WINDOW
    budget.take(float(counts.size) * _PER_TRAIN * windows, f"path = {file}: its spike trains")
    budget.take(float(times.size) * _PER_SPIKE, f"path = {file}: its spikes")
    if counts.min() < 0 or counts.max() > last:
        raise FormatError(
            f"path = {file}: {part}_counts goes from {counts.min()} to {counts.max()}: expected 0 to {last}"
        )
    counts = counts.astype(np.int64)
    if counts.sum() != times.size:
        raise FormatError(
            f"path = {file}: {part}_counts adds up to {counts.sum()}, but {part}_spikes_ms has {times.size} spikes"
        )
    outside = ~((times >= 1) & (times <= last) & (times == np.floor(times)))  # also true for NaN
    if outside.any():
        k = int(np.argmax(outside))
        raise FormatError(
            f"path = {file}: {part}_spikes_ms[{k}] = {times[k]}: expected whole milliseconds from 1 to {last}"
        )
    samples, train = times.astype(np.int64), np.repeat(np.arange(counts.size), counts)
    back = np.flatnonzero((np.diff(samples) <= 0) & (np.diff(train) == 0))
    if back.size:
        k = int(back[0]) + 1
        raise FormatError(
            f"path = {file}: {part}_spikes_ms[{k}] = {times[k]} is not later than the spike before it in the same train"
        )
    return train, samples


def _block(
    stimulus: np.ndarray,
    cell: np.ndarray,
    repeat: np.ndarray,
    sample: np.ndarray,
    shape: tuple[int, int, int],
    name: str,
) -> neo.Block:
    """Block of spikes in samples 1 to 300, for `shape` stimuli, cells and repeats: a segment per stimulus and repeat."""
    n_stimuli, n_cells, n_repeats = shape
    block = build_block(
        stimulus * n_repeats + repeat,
        cell,
        times=(sample - 0.5) / 1000,
        n_trials=n_stimuli * n_repeats,
        n_neurons=n_cells,
        t_start=0.0,
        t_stop=_WINDOW / 1000,
        annotations=provenance() | _ABOUT,
    )
    block.name = f"salamander retina, {name}"
    for number, segment in enumerate(block.segments):
        segment.annotate(label=number // n_repeats, repeat=number % n_repeats)
    return block


def _pixels(centre: Any, edges: tuple[float, float], side: int, pixels: int) -> np.ndarray:
    """x and y from the top left, in pixels of a picture that covers `side` pixels of the screen; y of `centre` runs up."""
    x, y = np.asarray(centre, dtype=float).T
    return np.stack([x - edges[0], side - (y - edges[1])], axis=1) * pixels / side
