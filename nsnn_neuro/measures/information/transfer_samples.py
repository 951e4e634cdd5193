"""Arguments of a transfer entropy: its options, and the histories of its series."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...core.checks import LARGEST, check, one_of, whole
from ...core.errors import NsnnError
from ..entropies.entropy import SYMMETRIC, choose
from .histories import history_length, past, read_all

BIASES = {"discrete": (*SYMMETRIC, "quadratic"), "gaussian": ("digamma", "plugin"), "ksg": ()}
_DEFAULT_BIAS = {"discrete": "panzeri-treves", "gaussian": "digamma", "ksg": "ksg"}
_MIN_RESAMPLES = 20  # of a bootstrap


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
        """The options with the estimator's own bias for None; NsnnError for what cannot be."""
        check(n_shuffle=self.n_shuffle, n_blocks=self.n_blocks, n_resample=self.n_resample, seed=self.seed)
        if 0 < self.n_resample < _MIN_RESAMPLES:
            raise NsnnError(
                f"n_resample = {self.n_resample}: expected 0, for the jackknife, or at least {_MIN_RESAMPLES}"
            )
        one_of(self.null, ("shift", "block", "trial_shuffle", "within_past"), "null")
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

    def least_shift(self, data: Histories) -> int:
        """The least shift, bins; NsnnError for surrogates that these trials don't allow."""
        each = data.y.size // data.n_trials
        if self.null == "trial_shuffle" and data.n_trials < 2:
            raise NsnnError("null = 'trial_shuffle' with one trial: expected several, or null = 'shift'")
        half = f"half the number of samples in a trial, {each // 2}"
        if self.block_length is not None and self.block_length > each // 2:
            raise NsnnError(f"block_length = {self.block_length}: expected at most {half}")
        if self.min_shift is None:
            return max(1, min(10 * data.longest, each // 4))
        if self.min_shift > each // 2:
            raise NsnnError(f"min_shift = {self.min_shift}: expected 0 to {half}")
        return self.min_shift


def read_histories(x: Any, y: Any, z: Any, k: Any, n_past: Any, lag: Any, estimator: str) -> Histories | None:
    """The samples of a call, or None if a discrete series is constant; without y of x itself."""
    check_lengths(k, n_past, lag)
    discrete = estimator == "discrete"
    series, conditions = read_all(z, discrete, {"x": x} if y is None else {"x": x, "y": y})
    if discrete and min(one.max() for one in series.values()) == 0:
        return None
    return histories_of(series["x"], series.get("y"), conditions, k, n_past, lag, estimator)


def need_target(y: Any) -> None:
    """NsnnError without a second series."""
    if y is None:
        raise NsnnError(
            "y = None: expected a series of the shape of x; for what x tells about itself take active_information"
        )


def check_lengths(k: Any, n_past: Any, lag: Any) -> None:
    """NsnnError for what is no length of a history."""
    whole(n_past, 1, "l", LARGEST)
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
    n_past: int,
    lag: int,
    estimator: str,
) -> Histories:
    """The samples of series (n_trials, n_bins) as of `read_series`."""
    series = source if target is None else target
    if isinstance(k, str):
        kind = "discrete" if estimator == "discrete" else "gaussian"
        k = max(1, int(history_length(series, z=conditions or None, estimator=kind)))
    start = k if target is None else max(k, n_past + lag - 1)
    n_trials, n = source.shape
    if n <= start:
        raise NsnnError(
            f"k = {k}, l = {n_past}, lag = {lag}: x has {n} bins per trial, expected more than the {start} bins of the histories"
        )
    parts = [past(part, k, 1, start) for part in ([] if target is None else [target, *conditions])]
    now = series[:, start:].ravel()
    context = np.hstack(parts) if parts else np.empty((now.size, 0), source.dtype)
    return Histories(now, context, past(source, k if target is None else n_past, lag, start), n_trials, start)
