"""Samples of a transfer entropy: histories of the series as a call reads them, and checks of the options that name them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...core.checks import LARGEST, check, one_of, whole
from ...core.errors import NsnnError
from .histories import NULLS, past, read_conditions, read_series, refuse_constant
from .history_length import history_length


class Histories(NamedTuple):
    """The series of a call: y (n_trials, n_bins), what is known of its past and of the conditions, and the past of x."""

    y: np.ndarray
    context: np.ndarray
    x: np.ndarray
    n_trials: int
    longest: int


def check_surrogates(null: Any, min_shift: Any, block_length: Any) -> None:
    """NsnnError for what is no kind of surrogate, or none of its options.

    >>> check_surrogates("block", None, 100)
    """
    one_of(null, NULLS, "null")
    if min_shift is not None:
        check(min_shift=min_shift)
    if block_length is not None:
        whole(block_length, 1, "block_length", LARGEST)
    elif null == "block":
        raise NsnnError(
            "block_length = None: null = 'block' needs the length of the blocks in bins, long against the correlation time"
        )


def check_null(null: str, found: Histories, min_shift: int | None, block_length: int | None) -> int:
    """The least shift; NsnnError for surrogates that these trials don't allow.

    >>> check_null("shift", read_histories([0, 1] * 50, [1, 0] * 50, None, 1, 1, 1, "discrete"), None, None)
    10
    """
    each = found.y.size // found.n_trials
    if null == "trial_shuffle" and found.n_trials < 2:
        raise NsnnError("null = 'trial_shuffle' with one trial: expected several, or null = 'shift'")
    if block_length is not None and block_length > each // 2:
        raise NsnnError(
            f"block_length = {block_length}: expected at most half the number of samples in a trial, {each // 2}"
        )
    if min_shift is None:
        return max(1, min(10 * found.longest, each // 4))
    if min_shift > each // 2:
        raise NsnnError(
            f"min_shift = {min_shift}: expected 0 to half the number of samples in a trial, {each // 2}"
        )
    return min_shift


def read_histories(
    x: Any,
    y: Any,
    z: Any,
    k: Any,
    l: Any,  # noqa: E741
    lag: Any,
    estimator: str,
) -> Histories | None:
    """The samples of a call, or None if a discrete series is constant; without y the past of x itself.

    Constant continuous series are refused, as they have no variance.

    >>> found = read_histories([0, 1, 1, 0], [1, 0, 1, 1], None, 1, 1, 1, "discrete")
    >>> found.y.tolist(), found.context.ravel().tolist(), found.x.ravel().tolist()
    ([0, 1, 1], [1, 0, 1], [0, 1, 1])
    """
    check_lengths(k, l, lag)
    discrete = estimator == "discrete"
    source = read_series(x, "x", discrete=discrete)
    shape = np.shape(x)
    target = source if y is None else read_series(y, "y", discrete=discrete)
    if target.shape != source.shape:
        raise NsnnError(f"x and y have shapes {shape} and {np.shape(y)}: expected equal shapes")
    conditions = read_conditions(z, shape, discrete=discrete)
    if discrete and (source.max() == 0 or target.max() == 0):
        return None
    if not discrete:
        for name, series in [("x", source), ("y", target), *(("z", part) for part in conditions)]:
            refuse_constant(series, name)
    return histories_of(source, None if y is None else target, conditions, k, l, lag, estimator)


def need_target(y: Any) -> None:
    """NsnnError without a second series.

    >>> need_target([0, 1])
    """
    if y is None:
        raise NsnnError(
            "y = None: expected a series of the shape of x; for what x tells about itself take active_information"
        )


def check_lengths(k: Any, l: Any, lag: Any) -> None:  # noqa: E741
    """NsnnError for what is no length of a history.

    >>> check_lengths("cv", 1, 1)
    """
    whole(l, 1, "l", LARGEST)
    whole(lag, 1, "lag", LARGEST)
    if not isinstance(k, str):
        whole(k, 1, "k", LARGEST)
    elif k != "cv":
        raise NsnnError(f"k = {k!r}: expected a whole number, at least 1, or 'cv'")


def histories_of(
    source: np.ndarray,
    target: np.ndarray | None,
    conditions: list[np.ndarray],
    k: int | str,
    l: int,  # noqa: E741
    lag: int,
    estimator: str,
) -> Histories:
    """The samples of series (n_trials, n_bins) as `read_series` gives them; without a target the past of the source itself.

    >>> histories_of(np.array([[0, 1, 1, 0]]), None, [], 2, 1, 1, "discrete").x.tolist()
    [[1, 0], [1, 1]]
    """
    own = source if target is None else target
    if isinstance(k, str):
        kind = "discrete" if estimator == "discrete" else "gaussian"
        k = max(1, int(history_length(own, z=conditions or None, estimator=kind)))
    start = k if target is None else max(k, l + lag - 1)
    n_trials, n = source.shape
    if n <= start:
        raise NsnnError(
            f"k = {k}, l = {l}, lag = {lag}: x has {n} bins per trial, expected more than the {start} bins of the histories"
        )
    parts = [past(part, k, 1, start) for part in ([] if target is None else [target, *conditions])]
    now = own[:, start:].ravel()
    context = np.hstack(parts) if parts else np.empty((now.size, 0), source.dtype)
    return Histories(now, context, past(source, k if target is None else l, lag, start), n_trials, start)
