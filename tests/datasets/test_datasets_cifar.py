"""CIFAR-10 from small files: pixels and labels as written, and each kind of malformed file named."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nsnn_neuro import FormatError, NsnnError, datasets
from nsnn_neuro.datasets import cifar

N = 4
RNG = np.random.default_rng(1)
PIXELS = RNG.integers(0, 256, (N, 3, 32, 32), dtype=np.uint8)
LABELS = np.array([0, 9, 3, 3], np.uint8)


@pytest.fixture
def batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Batches of four images; the constant is changed because six real ones have 184 MB."""
    monkeypatch.setattr(cifar, "_PER_BATCH", N)
    for names in cifar._BATCHES.values():
        for k, name in enumerate(names):
            records = np.column_stack([(LABELS + k) % 10, PIXELS.reshape(N, -1)])
            (tmp_path / name).write_bytes(records.astype(np.uint8).tobytes())
    return tmp_path


def test_binary_batches_are_read_in_order(batches: Path) -> None:
    X, y = datasets.cifar10(batches, "test")
    assert (X.dtype, y.dtype) == (np.float32, np.int64)
    np.testing.assert_array_equal(np.round(255 * X), PIXELS)
    assert (X.min(), X.max()) == (0, 1)
    np.testing.assert_array_equal(y, LABELS)
    X, y = datasets.cifar10(batches)
    assert X.shape == (5 * N, 3, 32, 32)
    assert y.tolist() == [int(label + k) % 10 for k in range(5) for label in LABELS]
    inner = batches / "parent"
    inner.mkdir()
    (inner / "cifar-10-batches-bin").symlink_to(batches, target_is_directory=True)
    assert len(datasets.cifar10(inner, "test")[1]) == N
    with pytest.raises(NsnnError, match="split = 'val': the original batches have no such part"):
        datasets.cifar10(batches, "val")


def test_bad_batches_are_named(batches: Path) -> None:
    test = batches / "test_batch.bin"
    whole = test.read_bytes()
    for content, message in (
        (whole[:-1], f"{len(whole) - 1} bytes: expected {len(whole)}"),
        (whole + b"\0", "expected"),
        (whole[: 2 * 3073] + b"\x0a" + whole[2 * 3073 + 1 :], "label 2 is 10: expected a class, 0 to 9"),
    ):
        test.write_bytes(content)
        with pytest.raises(FormatError, match=message):
            datasets.cifar10(batches, "test")
    (batches / "data_batch_3.bin").unlink()
    with pytest.raises(FormatError, match=r"has no data_batch_3\.bin"):
        datasets.cifar10(batches)


def test_a_folder_without_batches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"a folder without test_batch\.bin or cifar10_16k\.npz\. Expected"):
        datasets.cifar10(tmp_path)
    (tmp_path / "test_batch").write_bytes(b"pickle")
    with pytest.raises(FormatError, match="Python version, whose pickles are not read"):
        datasets.cifar10(tmp_path)


def jpeg(colour: Any, size: tuple[int, int] = (32, 32), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "JPEG", quality=95)
    return file.getvalue()


COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def arrays(images: list[bytes]) -> dict[str, np.ndarray]:
    return {
        "val_jpeg": np.frombuffer(b"".join(images), np.uint8),
        "val_offset": np.cumsum([0, *map(len, images)]),
        "val_label": np.array([1, 0, 9], np.uint8)[: len(images)],
    }


def test_jpeg_images_are_decoded(tmp_path: Path) -> None:
    """Each of one colour, which JPEG keeps to a few grey levels."""
    np.savez(tmp_path / "cifar10_16k.npz", **arrays([jpeg(c) for c in COLOURS]))
    for path in (tmp_path, tmp_path / "cifar10_16k.npz"):
        X, y = datasets.cifar10(path, "val")
        assert X.shape == (3, 3, 32, 32)
        np.testing.assert_allclose(X, np.eye(3)[:, :, None, None] * np.ones((32, 32)), atol=3 / 255)
        assert y.tolist() == [1, 0, 9]
    with pytest.raises(FormatError, match="has no train_jpeg, train_offset, train_label"):
        datasets.cifar10(tmp_path)


GOOD = [jpeg(c) for c in COLOURS]
BAD: list[tuple[dict[str, np.ndarray], str]] = [
    (arrays([GOOD[0], jpeg((9, 9, 9), (16, 32)), GOOD[1]]), "image 1 has 16 x 32 pixels, mode RGB: expected 32 x 32, RGB"),
    (arrays([*GOOD[:2], jpeg(9, mode="L")]), "image 2 has 32 x 32 pixels, mode L"),
    (arrays([b"\x89PNG\r\n", *GOOD[:2]]), "image 0 can't be decoded, expected JPEG"),
    (arrays(GOOD) | {"val_label": np.array([1, 10, 2])}, "label 1 is 10: expected a class"),
    (arrays(GOOD) | {"val_label": np.array([1, -1, 2])}, "label 1 is -1"),
    (arrays(GOOD) | {"val_label": np.array([1, 2])}, "2 labels for 3 images"),
    (arrays(GOOD) | {"val_offset": np.array([0, 700, 600, sum(map(len, GOOD))])}, "expected to rise from 0 to"),
    (arrays(GOOD) | {"val_offset": np.array([0, 600, 1200])}, "val_offset goes from 0 to 1200"),
    (arrays(GOOD) | {"val_jpeg": np.zeros(9)}, "val_jpeg is an array of float64"),
    (arrays(GOOD) | {"val_label": np.array([1, None, 2])}, "val_label is an array of object"),
]  # fmt: skip


def test_bad_files_of_images_are_named(tmp_path: Path) -> None:
    for content, message in BAD:
        np.savez(tmp_path / "images.npz", **content)  # object arrays are pickled, and must not be read
        with pytest.raises(FormatError, match=message):
            datasets.cifar10(tmp_path / "images.npz", "val")
    (tmp_path / "images.npz").write_bytes(b"PK\x03\x04 not an archive")
    with pytest.raises(FormatError, match="damaged or truncated"):
        datasets.cifar10(tmp_path / "images.npz")
