"""Arguments of a transfer entropy: its options, and the histories of its series."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...core.checks import LARGEST, check, one_of, whole
from ...core.errors import NsnnError
from ..entropies.entropy import SYMMETRIC, choose
from .histories import past, read_conditions, read_series, refuse_constant
from .history_length import history_length

NULLS = ("shift", "block", "trial_shuffle", "within_past")
BIASES = {"discrete": (*SYMMETRIC, "quadratic"), "gaussian": ("digamma", "plugin"), "ksg": ()}
_DEFAULT_BIAS = {"discrete": "panzeri-treves", "gaussian": "digamma", "ksg": "ksg"}
MIN_RESAMPLES = 20
"""of a bootstrap"""


class Histories(NamedTuple):
    """The samples of a call: y, its past with that of the conditions, and the past of x."""

    y: np.ndarray
    context: np.ndarray
    x: np.ndarray
    n_trials: int
    longest: int


class Options(NamedTuple):
    """How transfer entropy is estimated, by the names of its arguments."""

    estimator: str
    bias: Any
    n_neighbors: int
    n_shuffle: int
    n_blocks: int
    n_resample: int
    seed: Any
    null: str = "shift"
    min_shift: int | None = None
    block_length: int | None = None

    def checked(self) -> Options:
        """The options with the estimator's own bias for None; NsnnError for what cannot be.

        >>> Options("gaussian", None, 4, 100, 20, 0, 0).checked().bias
        'digamma'
        """
        check(n_shuffle=self.n_shuffle, n_blocks=self.n_blocks, n_resample=self.n_resample, seed=self.seed)
        if 0 < self.n_resample < MIN_RESAMPLES:
            raise NsnnError(
                f"n_resample = {self.n_resample}: expected 0, for the jackknife, or at least {MIN_RESAMPLES}"
            )
        one_of(self.null, NULLS, "null")
        if self.min_shift is not None:
            check(min_shift=self.min_shift)
        if self.block_length is not None:
            whole(self.block_length, 1, "block_length", LARGEST)
        elif self.null == "block":
            raise NsnnError(
                "block_length = None: null = 'block' needs the length of the blocks in bins, long against the correlation time"
            )
        one_of(self.estimator, list(BIASES), "estimator")
        whole(self.n_neighbors, 1, "n_neighbors", LARGEST)
        if self.bias is None:
            return self._replace(bias=_DEFAULT_BIAS[self.estimator])
        if self.estimator == "ksg":
            raise NsnnError(f"bias = {self.bias!r}: estimator = 'ksg' takes none; leave it out")
        check(bias=self.bias)
        return self._replace(bias=choose(self.bias, BIASES[self.estimator], "bias"))

    def least_shift(self, found: Histories) -> int:
        """The least shift, bins; NsnnError for surrogates that these trials don't allow."""
        each = found.y.size // found.n_trials
        if self.null == "trial_shuffle" and found.n_trials < 2:
            raise NsnnError("null = 'trial_shuffle' with one trial: expected several, or null = 'shift'")
        half = f"half the number of samples in a trial, {each // 2}"
        if self.block_length is not None and self.block_length > each // 2:
            raise NsnnError(f"block_length = {self.block_length}: expected at most {half}")
        if self.min_shift is None:
            return max(1, min(10 * found.longest, each // 4))
        if self.min_shift > each // 2:
            raise NsnnError(f"min_shift = {self.min_shift}: expected 0 to {half}")
        return self.min_shift


def read_histories(
    x: Any,
    y: Any,
    z: Any,
    k: Any,
    l: Any,  # noqa: E741
    lag: Any,
    estimator: str,
) -> Histories | None:
    """The samples of a call, or None if a discrete series is constant; without y of x itself.

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
    """NsnnError without a second series."""
    if y is None:
        raise NsnnError(
            "y = None: expected a series of the shape of x; for what x tells about itself take active_information"
        )


def check_lengths(k: Any, l: Any, lag: Any) -> None:  # noqa: E741
    """NsnnError for what is no length of a history."""
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
    """The samples of series (n_trials, n_bins) as of `read_series`.

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
