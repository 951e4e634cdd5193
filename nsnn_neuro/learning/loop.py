"""What learning in epochs has in common, in Brian2 and in torch: random numbers by their use, what is held out, rates that fall."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import units
from ..core.errors import NsnnError

__all__ = ["SCHEDULES", "held_out", "rng", "standard_error"]

# schedule -> factor of the learning rate in an epoch (from 0), of so many
SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "constant": lambda epoch, epochs: 1.0,
    "cosine": lambda epoch, epochs: float(0.5 * (1 + np.cos(np.pi * epoch / epochs))),
}


def rng(seed: int, *path: int) -> np.random.Generator:
    """The random numbers of one use, of the seed's child at `path`.

    >>> rng(1, 0).random() == rng(1, 0).random(), rng(1, 0).random() == rng(1, 1).random()
    (True, False)
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=path)))


def held_out(y: np.ndarray, validation: Any, random: np.random.Generator) -> np.ndarray:
    """The rows of a share of the samples of each label, in order; where y isn't labels, (n, ...), of all samples.

    Raises
    ------
    NsnnError : a share that isn't from 0 to below 1, or one that leaves nothing

    >>> held_out(np.array([0, 0, 1, 1]), 0.5, rng(1)).size
    2
    """
    share = units.si(validation, "1", "validation")
    if np.ndim(share) or not 0 <= share < 1:
        raise NsnnError(f"validation = {validation}: expected a share from 0 to below 1, or (X, y)")
    groups = [np.arange(len(y))] if y.ndim > 1 else [np.flatnonzero(y == k) for k in np.unique(y)]
    held = []
    for group in groups:
        which = random.permutation(group)
        held.append(which[: round(share * which.size)])
    found = np.sort(np.concatenate(held))
    if found.size == len(y):
        raise NsnnError(f"validation = {validation}: nothing is left to train on, expected less")
    return found


def standard_error(values: np.ndarray) -> float:
    """Of the mean of values (n,); NaN for one.

    >>> standard_error(np.array([0.0, 2.0]))
    1.0
    """
    return float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else float("nan")
