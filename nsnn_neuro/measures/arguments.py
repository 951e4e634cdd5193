"""Options that many measures share, checked by name at the top of each: numbers of shuffles, seeds, choices, lengths.

`check` asks only for the right kind, so that what a measure does with an option can't fail with an error that doesn't name
it; which choices there are, the measure says itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..core.errors import NsnnError
from ..core.units import floats, shown, whole

__all__ = ["check", "number"]

_MOST = 2**31 - 1  # of whole numbers: beyond it, no array of so many elements is meant


def check(**options: Any) -> None:
    """Raise NsnnError for the first option that is not of its kind; the kind is known by the option's name.

    >>> check(n_shuffle=100, seed=0, bias=None)
    >>> check(n_shuffle=2.5)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: n_shuffle = 2.5: expected a whole number, at least 0
    """
    for name, value in options.items():
        _KINDS[name](value, name)


def number(value: Any, name: str) -> float:
    """`value` as one finite float; NsnnError otherwise.

    >>> number(2, "ratio")
    2.0
    """
    x = floats(value, name, "a finite number")
    if (
        x.ndim
        or not np.isfinite(x)
        or isinstance(value, bool | np.bool_)
        or hasattr(value, "dim")
        or hasattr(value, "dimensionality")
    ):
        raise NsnnError(f"{name} = {shown(value)}: expected a finite number without a unit")
    return float(x)


def _count(value: Any, name: str, least: int) -> None:
    if whole(value, least, name) > _MOST:
        raise NsnnError(f"{name} = {shown(value)}: expected a whole number from {least} to {_MOST}")


def _text(value: Any, name: str) -> None:
    if value is not None and not isinstance(value, str):
        raise NsnnError(f"{name} = {shown(value)}: expected the name of a choice, as text")


def _truth(value: Any, name: str) -> None:
    if not isinstance(value, bool | np.bool_):
        raise NsnnError(f"{name} = {shown(value)}: expected True or False")


def _seed(value: Any, name: str) -> None:
    for one in value if isinstance(value, list | tuple) and value else [value]:
        whole(one, 0, name)


def _function(value: Any, name: str) -> None:
    if not callable(value):
        raise NsnnError(f"{name} = {shown(value)}: expected a function")


def _unless_none(kind: Callable[[Any, str], Any]) -> Callable[[Any, str], None]:
    def checked(value: Any, name: str) -> None:
        if value is not None:
            kind(value, name)

    return checked


_KINDS: dict[str, Callable[[Any, str], Any]] = {
    **dict.fromkeys(("n_shuffle", "n_resample", "noverlap", "min_shift", "ddof"), partial(_count, least=0)),
    **dict.fromkeys(("n_bins", "k", "variant"), partial(_count, least=1)),
    **dict.fromkeys(("n_blocks", "n_folds", "folds", "nperseg"), partial(_count, least=2)),
    **dict.fromkeys(("bias", "bins", "by", "method", "over", "saturation"), _text),
    **dict.fromkeys(("normal_scores", "shuffled", "zscore"), _truth),
    **dict.fromkeys(("confidence", "ratio", "threshold", "z"), number),
    "distance": _function,
    "n_symbols": _unless_none(number),
    "neuron": _unless_none(partial(_count, least=0)),
    "seed": _seed,
}
