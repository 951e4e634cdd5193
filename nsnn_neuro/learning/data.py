"""Samples and targets of `train`, checked, and in batches."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import NsnnError
from ..core.warn import warn
from ..models.network import Network
from .coding import Encoder
from .losses import Loss

_N_STEPS = 20  # where nothing says how many


def batches(samples: np.ndarray, batch: int) -> np.ndarray:
    """Samples as rows of one batch each, the last one filled up with -1.

    >>> batches(np.array([5, 3, 4]), 2).tolist()
    [[5, 3], [4, -1]]
    """
    n = -(-samples.size // batch)
    padded = np.full(n * batch, -1)
    padded[: samples.size] = samples
    return padded.reshape(n, batch)


def check_data(
    data: Any, net: Network, loss: Loss, encoder: Encoder, n_steps: int | None = None, name: str = "data"
) -> tuple[np.ndarray, np.ndarray, int]:
    """X, y and the number of steps, checked against the network, the loss and the encoder."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise NsnnError(f"{name} = {type(data).__name__}: expected a pair (X, y)")
    try:
        X = np.asarray(data[0])
    except ValueError:  # rows of unequal length, or a Block
        X = np.empty(len(data[0]), object)
    y = np.atleast_1d(data[1])
    n_neurons, units = net.populations[0].n, encoder.units
    numbers = X.dtype.kind in "iufb" and X.ndim in (2, 3) and bool(X.size)
    if numbers and units > 1 and X.shape[-1] * units != n_neurons:
        n = X.shape[-1]
        raise NsnnError(
            f"X has shape {X.shape}, {n} values, and {type(encoder).__name__} has units = {units} input neurons for each: expected "
            f"{n} x {units} = {n * units} input neurons in the network, which has {n_neurons}"
        )
    n_in = n_neurons // units
    if not numbers or X.shape[-1] != n_in:
        spikes = "; of spikes make sequences: measures.words(block, bin_width=5*ms).swapaxes(1, 2)"
        raise NsnnError(
            f"X has shape {X.shape}, {X.dtype}: expected numbers of shape (n, {n_in}), or (n, n_steps, {n_in}) for sequences"
            + (spikes if X.dtype == object else "")
        )
    X = X.astype(float)
    if n_missing := int(np.isnan(X).sum()):
        raise NsnnError(
            f"X has {n_missing} NaN among {X.size} values, the first in sample {int(np.argwhere(np.isnan(X))[0, 0])}: expected "
            "values from 0 to 1; remove these samples, or replace the missing values"
        )
    if not np.all((X >= 0) & (X <= 1)):
        raise NsnnError(
            f"X has values from {X.min():g} to {X.max():g}: expected values from 0 to 1: divide images by X.max(), "
            "or scale each column of a table"
        )
    if X.ndim == 2 and len(X) >= 5 and n_in >= 3 and np.all(np.diff(X, axis=1) > 0):
        warn(
            "the values of every row of X ascend, as spike times do: X are values from 0 to 1, one for each input neuron; if these "
            "are spike times, make sequences, measures.words(to_block(times, t_stop=...), bin_width=5*ms).swapaxes(1, 2)"
        )
    y = (_spikes if loss.targets == "spikes" else _labels)(y, len(X), net.populations[-1].n, loss)
    steps = {"n_steps": n_steps} if n_steps is not None else {}
    steps |= {f"steps of {name}": a.shape[1] for name, a in (("X", X), ("y", y)) if a.ndim == 3}
    if len(set(steps.values())) > 1:
        given = ", ".join(f"{name} = {n}" for name, n in steps.items())
        raise NsnnError(f"{given}: expected one number of steps (n_steps = None takes that of the data)")
    return X, y, int(next(iter(steps.values()), _N_STEPS))


def label_cure(y: np.ndarray, n_classes: int) -> str:
    """End of a message about labels that are not whole numbers from 0 to n_classes - 1: how to make them; may be empty.

    >>> label_cure(np.array(["cat", "dog"]), 2)
    '; number the classes: names, y = numpy.unique(y, return_inverse=True)'
    >>> label_cure(np.array([1, 2, 3]), 3), label_cure(np.array([0.0, 1.0]), 2), label_cure(np.eye(2), 2)
    ('; they count from 1: give y - 1', '; give y.astype(int)', '; of one-hot rows give y.argmax(axis=1)')
    """
    kind = y.dtype.kind
    number = "; number the classes: names, y = numpy.unique(y, return_inverse=True)"
    if kind in "USO":
        return number
    if kind not in "iufb" or not y.size or y.ndim > 2:
        return ""
    if y.ndim == 2:
        one_hot = np.isin(y, (0, 1)).all() and bool((y.sum(axis=1) == 1).all())
        return "; of one-hot rows give y.argmax(axis=1)" if one_hot and y.shape[1] > 1 else ""
    if kind in "fb":
        whole = kind == "b" or bool(np.all(y == np.rint(y)))
        return (
            "; give y.astype(int)" if whole else "; bin a continuous target, for example with numpy.digitize"
        )
    classes = np.unique(y)
    if classes.size > n_classes:
        return f"; these are {classes.size} classes, which need as many output neurons"
    return "; they count from 1: give y - 1" if (classes[0], classes[-1]) == (1, n_classes) else number


def _labels(y: np.ndarray, n: int, n_out: int, loss: Loss) -> np.ndarray:
    if y.shape != (n,) or y.dtype.kind not in "iu":
        raise NsnnError(
            f"y has shape {y.shape}, {y.dtype}: expected whole numbers of shape ({n},), the labels that {loss} needs"
            + (label_cure(y, n_out) if len(y) == n else "")
        )
    if y.min() < 0 or y.max() >= n_out:
        raise NsnnError(
            f"y has labels from {y.min()} to {y.max()}: expected 0 to {n_out - 1}, the output's neurons"
            + label_cure(y, n_out)
        )
    return y.astype(np.int64)


def _spikes(y: np.ndarray, n: int, n_out: int, loss: Loss) -> np.ndarray:
    if y.dtype.kind not in "iufb" or y.ndim != 3 or (len(y), y.shape[2]) != (n, n_out):
        raise NsnnError(
            f"y has shape {y.shape}, {y.dtype}: expected 0 or 1 of shape ({n}, n_steps, {n_out}), "
            f"the target spikes that {loss} needs"
        )
    if not np.all((y == 0) | (y == 1)):
        raise NsnnError(f"y has values from {y.min():g} to {y.max():g}: expected target spikes, 0 or 1")
    return y.astype(float)
