"""Time series (n_trials, n_bins) and their histories: reading, past words, surrogates, and stretches of time.

Histories never cross from one trial into the next. With `start` bins of history the samples are the bins start, start +
1, ... of each trial, trial by trial.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...core.errors import NsnnError
from ..entropies.symbols import as_symbols, letters
from ..response_checks import array_of, as_samples


def read_series(x: Any, name: str, *, discrete: bool) -> np.ndarray:
    """`x`, (n_bins,) or (n_trials, n_bins), as codes or, unless `discrete`, floats."""
    values = letters(x, name) if discrete else as_samples(x, name)
    series = values.T if np.ndim(x) < 2 else values
    if not discrete:
        return np.ascontiguousarray(series)
    return as_symbols(series.ravel(), name)[0].reshape(series.shape)


def read_conditions(z: Any, shape: tuple[int, ...], *, discrete: bool) -> list[np.ndarray]:
    """The series that `z` holds: none, one of `shape`, the shape of x, or several, (m, *shape)."""
    if z is None:
        return []
    listed = array_of(z, "z")
    several = listed.ndim == len(shape) + 1 and listed.shape[1:] == shape and len(listed)
    if listed.shape != shape and not several:
        raise NsnnError(
            f"z has shape {listed.shape}: expected {shape}, as x and y, or (m, {str(shape)[1:]} for m series"
        )
    parts = listed if several else [listed]
    return [read_series(part, "z", discrete=discrete) for part in parts]


def read_all(z: Any, discrete: bool, given: dict[str, Any]) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """The `given` series, x or y or both, and those of z, of one shape; continuous ones vary."""
    series = {name: read_series(one, name, discrete=discrete) for name, one in given.items()}
    first, *others = series.values()
    if any(one.shape != first.shape for one in others):
        shapes = f"{np.shape(given['x'])} and {np.shape(given['y'])}"
        raise NsnnError(f"x and y have shapes {shapes}: expected equal shapes")
    conditions = read_conditions(z, np.shape(given[next(iter(series))]), discrete=discrete)
    for name, one in [*series.items(), *(("z", part) for part in conditions)]:
        if not discrete and np.ptp(one) == 0:
            raise NsnnError(f"{name}: constant ({one.flat[0] + 0:g}), it tells nothing; leave it out")
    return series, conditions


def past(series: np.ndarray, length: int, lag: int, start: int) -> np.ndarray:
    """Values (samples, length) of a series (n_trials, n_bins) at lag, lag + 1, ... before each bin."""
    n = series.shape[1]
    none = np.empty((series.shape[0] * (n - start), 0), series.dtype)
    return np.column_stack([none, *(series[:, start - lag - i : n - lag - i].ravel() for i in range(length))])


def words_of(columns: np.ndarray, name: str) -> tuple[np.ndarray, int]:
    """Code of each row (samples, k), and how many different ones occur; one code for no columns."""
    if columns.shape[1] == 0:
        return np.zeros(len(columns), dtype=np.int64), 1
    return as_symbols(columns, name)


def stretches(n_trials: int, each: int, n_blocks: int) -> np.ndarray:
    """Edges (n_blocks + 1,) of blocks of samples of nearly equal length, or of whole trials."""
    if n_trials >= n_blocks:
        return np.linspace(0, n_trials, n_blocks + 1).astype(int) * each
    return np.linspace(0, n_trials * each, n_blocks + 1).astype(int)


def draw_shifts(rng: np.random.Generator, n: int, n_trials: int, each: int, min_shift: int) -> np.ndarray:
    """Circular shifts (n, n_trials) of n surrogates, of at least `min_shift`."""
    return rng.integers(min_shift, max(min_shift, each - min_shift), size=(n, n_trials), endpoint=True) % each


def orders(
    rng: np.random.Generator, null: str, n: int, n_trials: int, each: int, min_shift: int, block_length: Any
) -> Iterator[np.ndarray]:
    """n surrogates as the places (samples,) from which x's histories are taken; see `transfer_entropy` for the kinds."""
    place, first = np.arange(each), np.arange(n_trials)[:, None] * each
    if null == "shift":
        for shifts in draw_shifts(rng, n, n_trials, each, min_shift):
            yield (first + (place + shifts[:, None]) % each).ravel()
        return
    for _ in range(n):
        if null == "trial_shuffle":
            yield (first[rng.permutation(n_trials)] + place).ravel()
            continue
        rows = []
        for begin in first[:, 0]:
            cut = rng.integers(block_length)  # where the first block begins, on the circle
            pieces = np.array_split(np.roll(place, -cut), max(2, round(each / block_length)))
            rows.append(begin + np.concatenate([pieces[i] for i in rng.permutation(len(pieces))]))
        yield np.concatenate(rows)
