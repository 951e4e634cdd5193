"""CIFAR-10 from your own files: the original binary batches, or one file of JPEG images."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from ..core.checks import file_path, one_of, suggest_keywords
from ..core.errors import FormatError, NsnnError
from ..core.file_limits import Budget, check_regular
from .npz_arrays import read_arrays

_SHAPE = (3, 32, 32)  # channels, rows, columns of an image
_PIXELS = 3 * 32 * 32
_CLASSES = 10
_PER_BATCH = 10_000  # images of a binary batch, each a byte for its label and _PIXELS bytes
_BATCHES = {"train": [f"data_batch_{k}.bin" for k in range(1, 6)], "test": ["test_batch.bin"]}
_FOLDER, _FILE = "cifar-10-batches-bin", "cifar10_16k.npz"
_SPLITS = ("train", "val", "test")
_PER_IMAGE = 9 * _PIXELS  # bytes of memory: the pixels, their float, and a copy of either at times
_CURE = "expected the files of CIFAR-10"


@suggest_keywords
def cifar10(path: str | Path, split: str = "train") -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10: colour images of ten classes, 32 x 32 pixels, from files of your own.

    The images are not part of this package. `path` leads to one of these:

    - the folder of the original binary version (cifar-10-batches-bin, or the folder that contains it): data_batch_1.bin to
      data_batch_5.bin with 50,000 training images, test_batch.bin with 10,000. Each image is a byte for its label, and its pixels:
      32 x 32 bytes of red, then green, then blue. There is no "val"
    - a file .npz of JPEG images with three parts, "train", "val" and "test" (or a folder with cifar10_16k.npz). Each part has the
      arrays <part>_jpeg, uint8, the images end to end; <part>_offset, n + 1 whole numbers from 0, where each image begins;
      <part>_label (n,). Reading it needs Pillow, which comes with Matplotlib

    The classes are, from 0: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.

    Parameters
    ----------
    path : folder, or file .npz
    split : "train", "val" (of a file .npz; for choices, such as that of a learning rate) or "test"

    Returns
    -------
    X : (n, 3, 32, 32) float32 in [0, 1]: red, green, blue, rows from the top left; 12 kB per image, 614 MB for all training images
    y : (n,) integers, the class 0 to 9

    Raises
    ------
    NsnnError : "val" of binary batches, which have no such part
    FormatError : no such file or folder; a folder without batches; a batch that has not 30,730,000 bytes; a file .npz that is
        damaged or lacks an array; a label above 9; offsets or labels that do not fit the images; an image that is no JPEG of 32 x
        32 pixels in colour; a file that takes more memory than 512 MiB and 32 times its size

    Source: Krizhevsky 2009, Learning multiple layers of features from tiny images, https://www.cs.toronto.edu/~kriz/cifar.html

    >>> X, y = cifar10("cifar-10-batches-bin", "test")  # doctest: +SKIP
    >>> X.shape, y[:4].tolist()  # doctest: +SKIP
    ((10000, 3, 32, 32), [3, 8, 8, 0])
    >>> cifar10("missing")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.FormatError: path = missing: no such file or folder: expected the folder cifar-10-batches-bin, or ...
    """
    one_of(split, _SPLITS, "split")
    place = file_path(path, "path")
    if not place.exists():
        raise FormatError(
            f"path = {path}: no such file or folder: expected the folder {_FOLDER}, or a file such as {_FILE}"
        )
    if not place.is_dir():
        return _from_jpeg(place, split)
    for folder in (place, place / _FOLDER):
        if (folder / _BATCHES["test"][0]).is_file() or (folder / _BATCHES["train"][0]).is_file():
            return _from_batches(folder, split)
    if (place / _FILE).is_file():
        return _from_jpeg(place / _FILE, split)
    pickled = (place / "test_batch").is_file() or (place / "cifar-10-batches-py").is_dir()
    more = " It has the Python version, whose pickles are not read." if pickled else ""
    raise FormatError(
        f"path = {path}: a folder without {_BATCHES['test'][0]} or {_FILE}.{more} Expected the binary version of CIFAR-10"
    )


def _from_batches(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """All images of a part of the original binary version."""
    if split not in _BATCHES:
        raise NsnnError(
            f"split = {split!r}: the original batches have no such part, expected 'train' or 'test'"
        )
    pixels, labels = [], []
    for name in _BATCHES[split]:
        file, size = folder / name, _PER_BATCH * (1 + _PIXELS)
        if not file.exists():
            raise FormatError(f"path = {folder}: has no {name}: expected {', '.join(_BATCHES[split])}")
        check_regular(file)
        if file.stat().st_size != size:
            raise FormatError(
                f"{file}: {file.stat().st_size} bytes: expected {size}, {_PER_BATCH} images of 32 x 32 pixels in three colours"
            )
        records = np.fromfile(file, np.uint8).reshape(_PER_BATCH, 1 + _PIXELS)
        labels.append(_labels(records[:, 0], _PER_BATCH, file))
        pixels.append(records[:, 1:])
    return _scaled(np.concatenate(pixels)), np.concatenate(labels)


def _from_jpeg(file: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """All images of a part of a file of JPEG images."""
    check_regular(file)
    budget = Budget.of(file, cure=_CURE)
    names = {what: f"{split}_{what}" for what in ("jpeg", "offset", "label")}
    arrays = read_arrays(file, dict.fromkeys(names.values(), (1, "iu")), budget, f"expected such as {_FILE}")
    jpeg, offset, label = arrays.values()
    n = len(offset) - 1
    if jpeg.dtype != np.uint8 or n < 1:
        raise FormatError(
            f"path = {file}: {names['jpeg']} is an array of {jpeg.dtype}, {names['offset']} has {len(offset)} values: expected "
            "bytes, and one offset more than images"
        )
    if offset[0] != 0 or offset[-1] != jpeg.size or not (offset[1:] > offset[:-1]).all():
        raise FormatError(
            f"path = {file}: {names['offset']} goes from {offset[0]} to {offset[-1]}: expected to rise from 0 to {jpeg.size}, the "
            f"length of {names['jpeg']}"
        )
    y = _labels(label, n, file)
    budget.take(float(n) * _PER_IMAGE, f"path = {file}: {n} images")
    content = jpeg.tobytes()
    pixels = np.empty((n, 32, 32, 3), np.uint8)
    for k in range(n):
        pixels[k] = _decoded(content[offset[k] : offset[k + 1]], k, file)
    return _scaled(pixels.transpose(0, 3, 1, 2)), y


def _labels(values: np.ndarray, n: int, file: Path) -> np.ndarray:
    if values.shape != (n,):
        raise FormatError(f"{file}: {len(values)} labels for {n} images: expected one each")
    outside = (values < 0) | (values >= _CLASSES)
    if outside.any():
        k = int(np.argmax(outside))
        raise FormatError(f"{file}: label {k} is {values[k]}: expected a class, 0 to {_CLASSES - 1}")
    return values.astype(np.int64)


def _decoded(content: bytes, k: int, file: Path) -> np.ndarray:
    """The pixels (32, 32, 3) of a JPEG image, whose header is checked before they are decoded."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as image:
            if image.size != (32, 32) or image.mode != "RGB":
                wide, high = image.size
                raise FormatError(
                    f"{file}: image {k} has {wide} x {high} pixels, mode {image.mode}: expected 32 x 32, RGB"
                )
            return np.asarray(image)
    except FormatError:
        raise
    except Exception as error:  # Pillow raises many types on damaged images
        raise FormatError(
            f"{file}: image {k} can't be decoded, expected JPEG ({str(error)[:100] or type(error).__name__})"
        ) from None


def _scaled(pixels: np.ndarray) -> np.ndarray:
    """Images (n, 3, 32, 32) from 0 to 1 of bytes with as many values each."""
    return np.multiply(pixels.reshape(-1, *_SHAPE), np.float32(1 / 255), dtype=np.float32)
