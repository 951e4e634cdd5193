"""Checks of the arrays that measures take: responses (n, d) and labels (n,).

Units are dropped: information doesn't depend on them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sized
from enum import Enum
from typing import Any

import neo
import numpy as np

from ..core.errors import NsnnError
from ..core.units import floats, refuse_masked, shown
from ..core.warn import warn
from ..io.lookup import EVENT_TIME, categories_of, in_order
from .estimate import Estimate
from .trains import Trains, holds_trials

_SAME = 1e-6  # s, of a spike on the clock of the recording in two trials


def as_samples(x: Any, name: str) -> np.ndarray:
    """`x` of shape (n,) or (n, d) as finite floats (n, d)."""
    values = floats(x, name, "an array of numbers, (n,) or (n, d)")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or values.size == 0:
        raise NsnnError(
            f"{name} has shape {np.shape(x)}: expected (n,) or (n, d), one row per sample, not empty"
        )
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise NsnnError(f"{name}[{row}] = {values[row]}: expected finite numbers; leave such samples out")
    return values


def array_of(values: Any, name: str) -> np.ndarray:
    """`values` as an array of any type; NsnnError for rows of unequal length."""
    refuse_name(values, name)
    refuse_masked(values, name)
    try:
        return np.asarray(values)
    except ValueError:
        raise NsnnError(
            f"{name} = {shown(values)}: rows of unequal length, expected one value per sample"
        ) from None


def refuse_name(values: Any, name: str) -> None:
    """NsnnError for a text where one value for each trial is expected: figures take the name of an annotation, measures don't."""
    if isinstance(values, str):
        raise NsnnError(
            f"{name} = {values!r}: expected one value for each trial, such as nsnn.conditions(block, {values!r})"
        )


def as_pair(x: Any, y: Any, least: int | None) -> tuple[np.ndarray, np.ndarray]:
    """`x` and `y` by `as_samples`, of equal length and at least `least` (None: columns + 2) samples."""
    a, b = as_samples(x, "x"), as_samples(y, "y")
    if len(a) != len(b):
        raise NsnnError(f"x has {len(a)} samples and y has {len(b)}: expected equal numbers")
    fewest = a.shape[1] + b.shape[1] + 2 if least is None else least
    if len(a) < fewest:
        raise NsnnError(
            f"x and y have {len(a)} samples of {a.shape[1]} + {b.shape[1]} columns: need {fewest}"
        )
    return a, b


def refuse_constant(values: np.ndarray, name: str) -> None:
    """NsnnError for a column (n, d) that never varies."""
    constant = np.ptp(values, axis=0) == 0
    if constant.any():
        k = int(np.argmax(constant))
        raise NsnnError(f"{name}: column {k} is constant ({values[0, k]}): it tells nothing, leave it out")


def categories(values: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values (k,) and the number of each value, of the shape of `values`: what a category may be, in one place.

    Whole numbers, truth values, texts, and other values that can be compared, as members of an Enum; sorted, or in order of
    appearance where they have no order. Floats, such as directions in degrees, are categories if they are whole or if each occurs
    twice or more; otherwise they look continuous. NsnnError for those, NaN, None, complex numbers and values without equality.

    >>> categories(np.array([22.5, 0.0, 22.5, 0.0]), "stimulus")
    (array([ 0. , 22.5]), array([1, 0, 1, 0]))
    """
    kind = values.dtype.kind
    if kind == "O":
        return _of_objects(values, name)
    if kind not in "iubfUSMm":
        raise NsnnError(
            f"{name} holds {values.dtype} values: expected categories: whole numbers, texts, or floats that repeat"
        )
    if kind == "f" and not np.isfinite(values).all():
        raise NsnnError(f"{name} has NaN or infinite values: drop these samples, in all arguments alike")
    distinct, number, times = np.unique(values, return_inverse=True, return_counts=True)
    if kind == "f" and times.size and times.min() < 2 and not (values == np.rint(values)).all():
        single = distinct[times < 2]
        raise NsnnError(
            f"{name} has {single[np.argmax(single != np.rint(single))]} once: floats are categories where each value occurs twice "
            "or more; bin a continuous variable, for example with numpy.digitize"
        )
    return distinct, number.reshape(values.shape)


def _of_objects(values: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """`categories` of an array of Python objects."""
    flat = values.ravel().tolist()
    if all(isinstance(value, str) for value in flat):  # as pandas holds text
        return categories(values.astype(str), name)
    for value in flat:
        if value is None or value != value:
            raise NsnnError(f"{name} has {value}: drop these samples, in all arguments alike")
        huge = isinstance(value, int) and not -(2**63) <= value < 2**63
        nameless = type(value).__eq__ is object.__eq__ and not isinstance(value, Enum)
        if huge or nameless or type(value).__hash__ is None:
            raise NsnnError(
                f"{name} holds {shown(value)}: expected categories: whole numbers below 2^63, texts or other values that can be "
                "compared"
            )
    listed = list(dict.fromkeys(flat))
    with contextlib.suppress(TypeError):  # no order
        listed.sort()
    place = {value: k for k, value in enumerate(listed)}
    distinct = np.empty(len(listed), dtype=object)
    distinct[:] = listed
    return distinct, np.array([place[value] for value in flat], dtype=np.int64).reshape(values.shape)


def as_labels(labels: Any, name: str, n: int, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """The distinct labels (k,) and the number of each sample's label, (n,) int.

    Distinct labels are sorted, those of a pandas Categorical in the order of its categories. Labels are `categories`; NsnnError
    for anything else, for another length than n, or for fewer than `least` distinct ones.
    """
    values = array_of(labels, name)
    if values.ndim != 1 or values.size != n:
        raise NsnnError(f"{name} has shape {values.shape}: expected ({n},), one label per trial")
    distinct, number = categories(values, name)
    if distinct.size < least:
        numbered = f"{distinct.size} distinct label{'s' * (distinct.size > 1)}"
        raise NsnnError(f"{name} holds {numbered}: expected at least {least}")
    return by_category(distinct, number, labels)


def by_category(distinct: np.ndarray, number: np.ndarray, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Distinct labels (k,), and the number of each sample's label, in the order of the categories where `labels` have some."""
    if categories_of(labels) is None:
        return distinct, number
    listed = distinct.tolist()
    order = [listed.index(one) for one in in_order(listed, labels)]
    return distinct[order], np.argsort(order)[number]


def refuse_swapped(stimulus: Any, responses: Any, call: str) -> None:
    """NsnnError where the stimulus holds trials and the responses one value a trial, or texts; `call` has the order."""
    flat = isinstance(responses, Sized) and getattr(responses, "ndim", 1) == 1
    if not flat or isinstance(responses, str | dict) or not len(responses) or holds_trials(responses):
        return
    trials = holds_trials(stimulus)
    if trials or all(isinstance(one, str) for one in responses):
        what = "first one holds trials" if trials else "second one holds labels"
        raise NsnnError(f"arguments swapped: the {what}, expected {call}")


def shuffle_test(null: np.ndarray, value: float, two_sided: bool = False) -> dict[str, Any]:
    """`null_mean`, `null_se` and `p` of an `Estimate` from its values for shuffled data; without shuffles None, NaN and None."""
    reach = permutation_p(np.abs(null), abs(value)) if two_sided else permutation_p(null, value)
    if not null.size:
        return {"null_mean": None, "null_se": np.nan, "p": reach}
    se = null.std(ddof=1) / np.sqrt(null.size) if null.size > 1 else 0.0
    return {"null_mean": float(null.mean()), "null_se": float(se), "p": reach}


def with_test(
    value: float, se: float, correction: str, null: np.ndarray, *, two_sided: bool = False, **fields: Any
) -> Estimate:
    """An `Estimate` with the test against its values for shuffled data; `fields` are its others."""
    return Estimate(value, se, correction, **shuffle_test(null, value, two_sided), **fields)


def permutation_p(null: np.ndarray, value: float) -> float | None:
    """(1 + shuffles that reach value) / (1 + shuffles), None without shuffles; rounding counts as reaching."""
    if null.size == 0:
        return None
    slack = 1e-12 * max(1.0, abs(value))
    return float((1 + (null >= value - slack).sum()) / (1 + null.size))


def share_reached(values: np.ndarray) -> np.ndarray:
    """For each of the values (m, k) the share of its row that is as high, itself among them; rounding counts as reaching."""
    k = values.shape[1]
    out = np.empty(values.shape)
    for row, own in zip(out, values, strict=True):
        slack = 1e-12 * np.maximum(1.0, np.abs(own))
        row[:] = (k - np.searchsorted(np.sort(own), own - slack)) / k
    return out


def warn_repeated(block: Any, trains: Trains, name: str) -> None:
    """Warn of spikes of a Block that are in several trials, as `cut(..., overlap="repeat")` makes them; `trains` are those read."""
    segments = block.segments if isinstance(block, neo.Block) else []
    if len(segments) < 2 or not any(one.annotations.get("overlaps") for one in segments):
        return
    zero = np.array([one.annotations.get(EVENT_TIME, np.nan) for one in segments], dtype=float)
    moment = np.rint((trains.times + zero[trains.trial]) / _SAME)
    n = np.unique(np.stack([trains.neuron, moment]), axis=1).shape[1]
    if n < trains.times.size:
        warn(
            f"{name}: {trains.times.size - n} of {trains.times.size} spikes are counted again, since windows of trials overlap: "
            "errors and p are too small; cut shorter windows, pass t_start and t_stop, or leave out trials that overlap"
        )
