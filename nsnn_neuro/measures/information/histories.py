"""Time series (n_trials, n_bins) and their histories: reading, past words, surrogates, stretches of time, and the best length.

Histories never cross from one trial into the next. With `start` bins of history the samples are the bins start, start +
1, ... of each trial, trial by trial.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ...core.aliases import Values
from ...core.checks import LARGEST, check, one_of, suggest_keywords, whole
from ...core.errors import NsnnError
from ..entropies.contingency import LN2, refuse_large
from ..entropies.symbols import as_symbols, letters
from ..estimate import Report
from ..response_checks import array_of, as_samples

_EQUAL = 1e-9  # bits: scores that differ by rounding only
_PRIOR = 0.5  # counts added to each value of y, after Krichevsky & Trofimov 1981
_CLOSEST = 1e-10  # of the variance: no smaller one is computed from products, as of a series that its past determines


def read_series(x: Any, name: str, *, discrete: bool) -> np.ndarray:
    """`x`, (n_bins,) or (n_trials, n_bins), as codes or, unless `discrete`, floats."""
    values = letters(x, name) if discrete else as_samples(x, name)
    series = values.T if np.ndim(x) < 2 else values
    if not discrete:
        return np.ascontiguousarray(series)
    return as_symbols(series.ravel(), name)[0].reshape(series.shape)


def read_all(z: Any, discrete: bool, given: dict[str, Any]) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """The `given` series, x or y or both, and those of z, none, one or several, (m, *shape), of one shape; continuous ones vary."""
    series = {name: read_series(one, name, discrete=discrete) for name, one in given.items()}
    first, *others = series.values()
    if any(one.shape != first.shape for one in others):
        shapes = f"{np.shape(given['x'])} and {np.shape(given['y'])}"
        raise NsnnError(f"x and y have shapes {shapes}: expected equal shapes")
    conditions = []
    if z is not None:
        listed, shape = array_of(z, "z"), np.shape(given[next(iter(series))])
        several = listed.ndim == len(shape) + 1 and listed.shape[1:] == shape and len(listed)
        if listed.shape != shape and not several:
            raise NsnnError(
                f"z has shape {listed.shape}: expected {shape}, as x and y, or (m, {str(shape)[1:]} for m series"
            )
        conditions = [read_series(part, "z", discrete=discrete) for part in (listed if several else [listed])]
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


@dataclass(frozen=True)
class HistoryLength(Report):
    """Cross-validated prediction by histories of 0, 1, ... bins; made by `history_length`.
    `int(lengths)` is the best length.
    """

    best: int
    """bins"""
    score: np.ndarray
    """(longest + 1,) bits per bin, mean log2 probability of left-out bins for each length"""
    se: np.ndarray
    """(longest + 1,) standard error over folds of each score less the highest one"""

    def __int__(self) -> int:
        return self.best


@suggest_keywords
def history_length(
    y: Values,
    *,
    x: Values | None = None,
    z: Values | None = None,
    k: int = 1,
    longest: int = 8,
    n_folds: int = 5,
    estimator: str = "discrete",
) -> HistoryLength:
    """Length of history that predicts left-out stretches of a series best, for `transfer_entropy`.

    Each of `n_folds` stretches of time is predicted from the others with histories of 0 to
    `longest` bins, on the same bins. The score is the mean log2 probability of what occurred, (n(y,
    past) + 1/2) / (n(past) + A/2) for A symbols, or of a normal law with a linear mean. The best
    length is the shortest whose score is within one standard error of the highest. Without x it is
    the length of y's own history (and z's); with x that of x, beyond k bins of y and z. A length of
    x chosen on the data that test it makes p a little too small: choose it on other data.

    Parameters
    ----------
    y, x, z : as for `transfer_entropy`
    k : length of the history of y and z, if x is given
    longest : bins, at least 1
    n_folds : stretches of time, or groups of trials where there are as many
    estimator : "discrete" (default) or "gaussian"

    Raises
    ------
    NsnnError : series that `transfer_entropy` refuses, fewer samples than folds, too many words

    >>> rng = np.random.default_rng(0)
    >>> y = [0, 1]
    >>> for flip in rng.random(3000) < 0.1:
    ...     y.append(y[-2] ^ int(flip))  # depends on the bin before the last
    >>> int(history_length(y))
    2
    """
    check(k=k, n_folds=n_folds)
    whole(longest, 1, "longest", LARGEST)
    one_of(estimator, ("discrete", "gaussian"), "estimator")
    discrete = estimator == "discrete"
    series, conditions = read_all(z, discrete, {"y": y} if x is None else {"y": y, "x": x})
    target = series["y"]
    start, known, grown = longest, [], [target, *conditions]
    if x is not None:
        start, known, grown = max(longest, k), [(part, k) for part in grown], [series["x"]]
    n_trials, n = target.shape
    samples = n_trials * (n - start)
    if n <= start or samples < 2 * n_folds:
        raise NsnnError(
            f"longest = {longest}: y has {n} bins per trial and {max(samples, 0)} samples, expected at least {2 * n_folds}"
        )
    edges = stretches(n_trials, n - start, n_folds)
    fold = np.repeat(np.arange(n_folds), np.diff(edges))
    now = target[:, start:].ravel()
    scores = np.empty((longest + 1, n_folds))
    for length in range(longest + 1):
        parts = [past(part, own, 1, start) for part, own in [*known, *((part, length) for part in grown)]]
        if discrete:
            scores[length] = _of_words(now, np.hstack(parts), fold, n_folds)
        else:
            scores[length] = _of_normals(now, np.hstack(parts), edges)
    score = scores.sum(1) / samples
    less = (scores - scores[np.argmax(score)]) * n_folds / samples
    se = less.std(axis=1, ddof=1) / np.sqrt(n_folds)
    return HistoryLength(int(np.argmax(score >= score.max() - se - _EQUAL)), score, se)


def _of_words(now: np.ndarray, columns: np.ndarray, fold: np.ndarray, n_folds: int) -> np.ndarray:
    """Sum of log2 probabilities of each fold (n_folds,)."""
    codes, n_words = words_of(columns, "y")
    size = int(now.max()) + 1
    refuse_large(
        {"n_folds": n_folds, "y": size, f"its {columns.shape[1]} bins of history": n_words}, now.size
    )
    cells = (fold * n_words + codes) * size + now
    counts = np.bincount(cells, minlength=n_folds * n_words * size).reshape(n_folds, n_words, size)
    others = counts.sum(0) - counts + _PRIOR
    return (counts * np.log2(others / others.sum(-1, keepdims=True))).sum((1, 2))


def _of_normals(now: np.ndarray, columns: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Sum of log2 densities of each fold (n_folds,), up to a constant."""
    now, columns = now - now.mean(), columns - columns.mean(0)
    least = _CLOSEST * now.var()
    design = np.column_stack([np.ones(now.size), columns])
    gram, cross = design.T @ design, design.T @ now
    squares = now @ now
    out = np.empty(edges.size - 1)
    for i, (a, b) in enumerate(pairwise(edges)):
        own, seen = design[a:b], now[a:b]
        rest, with_y = gram - own.T @ own, cross - own.T @ seen
        weights = np.linalg.lstsq(rest, with_y, rcond=None)[0]
        left = (squares - seen @ seen) - weights @ with_y
        variance = max(left / (now.size - (b - a)), least)
        error = ((seen - own @ weights) ** 2).sum()
        out[i] = -0.5 * ((b - a) * np.log(variance) + error / variance) / LN2
    return out
