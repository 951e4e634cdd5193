"""The salamander retina: numbers of its SOURCE.txt, the conventions of windows and pixels, and malformed files."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import recordings

from nsnn_neuro import FormatError, NsnnError, datasets, measures

N_WINDOWS, SAMPLES = 60, 300


def arrays(n_images: int = 2, n_cells: int = 3, n_repeats: int = 2) -> dict[str, np.ndarray]:
    """A small file: the train of image s, cell i and repeat q has the samples s + 1, i + 101, q + 299."""
    index = np.stack(
        np.unravel_index(np.arange(n_images * n_cells * n_repeats), (n_images, n_cells, n_repeats))
    )
    images = (index.T + np.array([1, 101, 299])).ravel()
    # each window of the movie has a spike in its first and last sample
    movie = np.stack([np.arange(N_WINDOWS) * SAMPLES + 1, np.arange(1, N_WINDOWS + 1) * SAMPLES], axis=1)
    rng = np.random.default_rng(1)
    return {
        "images": rng.integers(0, 256, (n_images, 8, 8), dtype=np.uint8),
        "images_spikes_ms": images.astype(np.float32),
        "images_counts": np.full((n_images, n_cells, n_repeats), 3, np.int32),
        "images_rf_center": np.tile(np.float32([[272, 172]]), (n_cells, 1)),
        "movie_frames": np.zeros((1449, 4, 4), np.uint8),
        "movie_spikes_ms": np.tile(movie.ravel(), n_cells * n_repeats).astype(np.float32),
        "movie_counts": np.full((n_cells, n_repeats), 2 * N_WINDOWS, np.int32),
        "movie_rf_center": np.tile(np.float32([[220 + 90, 120 + 90]]), (n_cells, 1)),
    }


def written(folder: Path, changed: dict[str, Any] | None = None, without: str = "") -> Path:
    data = arrays() | (changed or {})
    data.pop(without, None)
    path = folder / "retina2.npz"
    np.savez_compressed(path, **data)
    return path


def samples(block: Any, segment: int, cell: int) -> list[int]:
    """The samples (1 to 300) of a train."""
    times = block.segments[segment].spiketrains[cell].rescale("ms").magnitude
    return np.rint(times + 0.5).astype(int).tolist()


def test_a_file_is_read_into_two_blocks(tmp_path: Path) -> None:
    retina = datasets.salamander_retina(written(tmp_path))
    assert [segment.annotations for segment in retina.images.segments] == [
        {"label": s, "repeat": q} for s in range(2) for q in range(2)
    ]
    for segment, (s, q) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        for cell in range(3):
            assert samples(retina.images, segment, cell) == [s + 1, cell + 101, q + 299]
    assert len(retina.movie.segments) == N_WINDOWS * 2
    assert [s.annotations["label"] for s in retina.movie.segments] == np.repeat(range(N_WINDOWS), 2).tolist()
    assert [s.annotations["repeat"] for s in retina.movie.segments] == [0, 1] * N_WINDOWS
    for segment in (0, 1, 60, 119):
        assert samples(retina.movie, segment, 2) == [1, 300]
    assert retina.window_onsets.shape == (N_WINDOWS,)
    np.testing.assert_allclose(retina.window_onsets[[0, 1, 59]] * 30, [12, 36.2, 1439.8], rtol=1e-12)
    # a spike at 300 ms would lie outside the trial, [0, 300 ms)
    assert measures.spike_counts(datasets.salamander_retina(tmp_path).images).tolist() == [[3, 3, 3]] * 4
    for block in (retina.images, retina.movie):
        assert float(block.segments[0].t_stop.rescale("ms")) == 300
        assert "10.5061/dryad.4ch10" in block.annotations["data"]


def test_pixels_run_from_the_top_left(tmp_path: Path) -> None:
    """The lower left corner of the image and a point 90 pixels to the right and up of that of the movie."""
    retina = datasets.salamander_retina(written(tmp_path))
    np.testing.assert_allclose(retina.centres_in_pictures[0], [0, 8])
    np.testing.assert_allclose(retina.centres_in_frames[0], [1, 3])
    assert retina.pictures.dtype == retina.frames.dtype == np.uint8
    np.testing.assert_array_equal(retina.pictures, arrays()["images"])


def test_windows_of_another_recording_start_where_they_are_said_to(tmp_path: Path) -> None:
    """Three windows, whose trains are 900 ms long; starts that are none, and a movie that is too short for them."""
    made = {
        "movie_counts": np.full((3, 2), 1), "movie_spikes_ms": np.full(6, 601), "movie_frames": np.zeros((109, 4, 4), np.uint8),
    }  # fmt: skip
    path = written(tmp_path, made)
    retina = datasets.salamander_retina(path, starts=[0, 30.5, 100])
    np.testing.assert_allclose(retina.window_onsets, [0, 30.5 / 30, 100 / 30])
    assert len(retina.movie.segments) == 3 * 2
    assert [samples(retina.movie, k, 0) for k in (0, 2, 4)] == [[], [], [1]]
    for starts in ([], [[0, 1]], [5, 5], [-1, 3], [0, np.nan], [0, np.inf]):
        with pytest.raises(NsnnError, match="starts: expected frames of the movie"):
            datasets.salamander_retina(path, starts=starts)
    with pytest.raises(FormatError, match="109 frames: expected 110 or more, for 2 windows"):
        datasets.salamander_retina(path, starts=[0, 101])


def test_counts_of_unequal_trains_are_split_at_their_borders(tmp_path: Path) -> None:
    counts = np.zeros((2, 3, 2), np.int64)
    counts[0, 1, 0], counts[1, 2, 1] = 2, 1
    made = {"images_counts": counts, "images_spikes_ms": np.array([7, 9, 4], np.int16)}
    block = datasets.salamander_retina(written(tmp_path, made)).images
    assert samples(block, 0, 1) == [7, 9]
    assert samples(block, 3, 2) == [4]
    assert measures.spike_counts(block).sum() == 3


@pytest.mark.parametrize("name", ["movie_frames", "images"])
def test_a_missing_array_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=rf"retina2\.npz: has no {name}\b.*older ones lack the frames"):
        datasets.salamander_retina(written(tmp_path, without=name))


def changed_spikes(where: int, value: float, part: str = "images") -> dict[str, np.ndarray]:
    spikes = arrays()[f"{part}_spikes_ms"].copy()
    spikes[where] = value
    return {f"{part}_spikes_ms": spikes}


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "time 0": (changed_spikes(0, 0), r"images_spikes_ms\[0\] = 0\.0: expected whole milliseconds from 1 to 300"),
    "NaN": (changed_spikes(4, np.nan), r"images_spikes_ms\[4\] = nan"),
    "fraction": (changed_spikes(4, 100.5), r"images_spikes_ms\[4\] = 100\.5"),
    "movie too long": (changed_spikes(-1, 18001, "movie"), r"movie_spikes_ms\[719\] = 18001.*1 to 18000"),
    "order": (changed_spikes(1, 1), r"images_spikes_ms\[1\] = 1\.0 is not later than the spike before it"),
    "negative count": (
        {"images_counts": np.arange(-1, 11).reshape(2, 3, 2)}, r"images_counts goes from -1 to 10: expected 0 to 300",
    ),
    "huge count": ({"movie_counts": np.full((3, 2), 2**62)}, r"movie_counts goes from \d+ to \d+: expected 0 to 18000"),
    "sum": ({"images_counts": np.full((2, 3, 2), 4)}, r"images_counts adds up to 48, but images_spikes_ms has 36 spikes"),
    "float counts": ({"images_counts": np.full((2, 3, 2), 3.0)}, r"images_counts is an array of float64: expected whole"),
    "axes": ({"movie_counts": np.full(6, 120)}, r"movie_counts has shape \(6,\): expected 2 axes"),
    "no cells": (
        {"images_counts": np.zeros((2, 0, 2), int), "images_spikes_ms": np.zeros(0)}, "no images, cells or repeats",
    ),
    "other images": ({"images": np.zeros((3, 8, 8), np.uint8)}, "images has 3 images, images_counts 2"),
    "other cells": (
        {"movie_counts": np.full((2, 3), 120)}, "movie_counts has 2 cells, images_counts 3",
    ),
    "centres": ({"movie_rf_center": np.zeros((2, 2), np.float32)}, r"movie_rf_center has shape \(2, 2\)"),
    "NaN centre": ({"images_rf_center": np.full((3, 2), np.nan)}, r"images_rf_center has .*expected finite numbers"),
    "float frames": ({"movie_frames": np.zeros((1449, 4, 4))}, "movie_frames is an array of float64: expected uint8"),
    "wide images": ({"images": np.zeros((2, 8, 9), np.uint8)}, r"images has shape \(2, 8, 9\): expected square"),
    "few frames": ({"movie_frames": np.zeros((1448, 4, 4), np.uint8)}, "movie_frames has 1448 frames: expected 1449 or more"),
    "objects": ({"images_counts": np.full((2, 3, 2), None)}, "images_counts is an array of object"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_malformed_files_are_rejected(name: str, tmp_path: Path) -> None:
    changed, message = BROKEN[name]
    with pytest.raises(FormatError, match=message) as caught:
        datasets.salamander_retina(written(tmp_path, changed))
    assert "retina2.npz" in str(caught.value)


def test_truncated_and_other_files_are_rejected(tmp_path: Path) -> None:
    content = written(tmp_path).read_bytes()
    (tmp_path / "retina2.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(FormatError, match="can't be read, damaged or truncated"):
        datasets.salamander_retina(tmp_path)
    with pytest.raises(FormatError, match=r"no such file: expected retina2\.npz"):
        datasets.salamander_retina(tmp_path / "other.npz")
    (tmp_path / "retina2.npz").unlink()
    os.mkfifo(tmp_path / "retina2.npz")
    with pytest.raises(FormatError, match="expected a regular file"):
        datasets.salamander_retina(tmp_path)


def with_header(folder: Path, name: str, shape: tuple[int, ...], dtype: str, content: bytes) -> Path:
    """A file in which one array has another header than its bytes."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    path = folder / "retina2.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, values in arrays().items():
            plain = io.BytesIO()
            np.save(plain, values)
            archive.writestr(f"{one}.npy", header.getvalue() + content if one == name else plain.getvalue())
    return path


def test_a_header_may_not_promise_more_than_the_memory_or_the_file(tmp_path: Path) -> None:
    with pytest.raises(
        FormatError, match=r"images of shape .*MiB.*expected retina2.npz as it was distributed"
    ):
        datasets.salamander_retina(with_header(tmp_path, "images", (2, 2**15, 2**15), "|u1", b""))
    with pytest.raises(FormatError, match="has 3 of 128 bytes, or more"):
        datasets.salamander_retina(with_header(tmp_path, "images", (2, 8, 8), "|u1", b"abc"))
    with pytest.raises(FormatError, match="has 129 of 128 bytes, or more"):
        datasets.salamander_retina(with_header(tmp_path, "images", (2, 8, 8), "|u1", bytes(10**6)))


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_damaged_headers_are_named_errors(tmp_path: Path) -> None:
    """Every second byte of a header replaced in turn, with a correct checksum; NumPy then raises errors of many kinds."""
    original = written(tmp_path).read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for place in range(0, 128, 2):
        content = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(original)) as old, zipfile.ZipFile(content, "w") as new:
            for name in old.namelist():
                member = bytearray(old.read(name))
                if name == "movie_counts.npy":
                    member[place] = rng.choice(list(b"\0(),'x9\xff"))
                new.writestr(name, bytes(member))
        (tmp_path / "retina2.npz").write_bytes(content.getvalue())
        try:
            datasets.salamander_retina(tmp_path)
        except FormatError:
            refused += 1
    assert refused > 20


def test_many_empty_trains_are_rejected_before_they_are_made(tmp_path: Path) -> None:
    """Counts of zero take few bytes in a file, but each is a spike train of 60 windows."""
    n = 200_000
    made = {"movie_counts": np.zeros((3, n), np.int32), "movie_spikes_ms": np.zeros(0, np.float32)}
    with pytest.raises(FormatError, match=r"its spike trains: about .* MiB"):
        datasets.salamander_retina(written(tmp_path, made))


@pytest.mark.slow
def test_the_recording_has_the_published_numbers() -> None:
    """SOURCE.txt: 49 cells, 30 repeats, 76,128 spikes under the movie; split-half correlation of counts under images .99."""
    retina = datasets.salamander_retina(recordings.folder("salamander_retina_onken") / "retina2.npz")
    images, movie = (measures.spike_counts(block) for block in (retina.images, retina.movie))
    assert images.shape == movie.shape == (1800, 49)
    assert (movie.sum(), images.sum()) == (76_128, 181_542)
    assert retina.pictures.shape == (60, 256, 256)
    assert retina.frames.shape == (1600, 90, 90)
    by_image = images.reshape(60, 30, 49)
    halves = by_image[:, ::2].mean(axis=1).ravel(), by_image[:, 1::2].mean(axis=1).ravel()
    assert round(float(np.corrcoef(*halves)[0, 1]), 2) == 0.99
