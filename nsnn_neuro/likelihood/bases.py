"""Bases of temporal filters: a few coefficients describe a filter over many lags."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..core import units
from ..core.checks import LARGEST, whole
from ..core.errors import NsnnError


class Basis:
    """Base of the bases: functions over lags. Subclass it with a `matrix`, as a frozen dataclass.

    >>> class Ramp(Basis):
    ...     def matrix(self, dt, first):
    ...         return np.linspace(1, 0, 5)[:, None]
    >>> Ramp().matrix(1e-3, 0).shape
    (5, 1)
    """

    def matrix(self, dt: float, first: int) -> np.ndarray:
        """(n_lags, n_functions): the functions at lags first, first + 1, ... steps of dt seconds."""
        raise NotImplementedError

    def size(self, dt: float) -> float:
        """About the bytes of `matrix`."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Lags(Basis):
    """One coefficient for each of n lags.

    >>> Lags(2).matrix(1e-3, 0).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    n: int

    def __post_init__(self) -> None:
        whole(self.n, 1, "n", LARGEST)

    def matrix(self, dt: float, first: int) -> np.ndarray:
        """The identity matrix."""
        return np.eye(self.n)

    def size(self, dt: float) -> float:
        """Bytes of (n, n)."""
        return 8.0 * self.n**2


@dataclasses.dataclass(frozen=True)
class Exponentials(Basis):
    """exp(-(lag - first) / tau) for each tau, truncated at ten times the longest: 1 at the first lag, then a decay.

    taus : times > 0, one or a list

    >>> from brian2 import ms
    >>> Exponentials([1, 5]*ms).matrix(1e-3, 1)[:2].round(3).tolist()
    [[1.0, 1.0], [0.368, 0.819]]
    """

    taus: Any

    def __post_init__(self) -> None:
        taus = np.atleast_1d(units.si(self.taus, "s", "taus"))
        if taus.ndim != 1 or not taus.size or not np.all((taus > 0) & np.isfinite(taus)):
            raise NsnnError(f"taus = {self.taus}: expected times greater than 0 such as [2, 20]*ms")

    def matrix(self, dt: float, first: int) -> np.ndarray:
        """(n_lags, n_taus)"""
        taus = np.atleast_1d(units.si(self.taus, "s", "taus"))
        steps = np.arange(max(1, int(np.ceil(10 * taus.max() / dt))))
        return np.exp(-steps[:, None] * dt / taus)

    def size(self, dt: float) -> float:
        """Bytes of (n_lags, n_taus)."""
        taus = np.atleast_1d(units.si(self.taus, "s", "taus"))
        return 80.0 * float(taus.max()) / dt * taus.size


@dataclasses.dataclass(frozen=True)
class RaisedCosines(Basis):
    """Bumps (1 + cos) / 2 on the axis log(lag + offset), peaks evenly spaced there from lag `start` to lag `stop`.

    Each is 0 beyond two spacings from its peak; between the second peak and the last but one they sum to 2. A large offset spaces
    them evenly in time; a small one resolves short lags finely and long ones coarsely.

    n : number of bumps, 2 or more
    stop, start : times of the last and the first peak
    offset : time > 0; None: (stop - start) / 5

    Source: Pillow et al. 2008, doi 10.1038/nature07140

    >>> from brian2 import ms
    >>> RaisedCosines(4, 10*ms).matrix(1e-3, 0)[[0, 3, 10]].sum(axis=1).round(3).tolist()
    [1.5, 2.0, 1.5]
    """

    n: int
    stop: Any
    _: dataclasses.KW_ONLY
    start: Any = None
    offset: Any = None

    def __post_init__(self) -> None:
        whole(self.n, 2, "n")
        start, stop, offset = self._seconds()
        if not 0 <= start < stop < np.inf or not 0 < offset < np.inf:
            raise NsnnError(
                f"start = {self.start}, stop = {self.stop}, offset = {self.offset}: expected 0 <= start < stop and offset > 0"
            )

    def _seconds(self) -> tuple[float, float, float]:
        stop = float(units.si(self.stop, "s", "stop"))
        start = 0.0 if self.start is None else float(units.si(self.start, "s", "start"))
        offset = (stop - start) / 5 if self.offset is None else float(units.si(self.offset, "s", "offset"))
        return start, stop, offset

    def size(self, dt: float) -> float:
        """Bytes of (n_lags, n)."""
        start, stop, offset = self._seconds()
        return (
            8.0 * self.n * (stop + offset) * ((stop + offset) / (start + offset)) ** (2 / (self.n - 1)) / dt
        )

    def matrix(self, dt: float, first: int) -> np.ndarray:
        """(n_lags, n), up to the end of the last bump."""
        start, stop, offset = self._seconds()
        low, high = np.log([start + offset, stop + offset])
        spacing = (high - low) / (self.n - 1)
        end = np.exp(high + 2 * spacing) - offset
        lag = dt * np.arange(first, max(first + 1, int(np.ceil(end / dt))))
        phase = (np.log(lag + offset)[:, None] - (low + spacing * np.arange(self.n))) * np.pi / (2 * spacing)
        return 0.5 * (1 + np.cos(np.clip(phase, -np.pi, np.pi)))


def as_basis(value: Any, name: str) -> Any:
    """A basis or None unchanged, a whole number n as `Lags(n)`."""
    if value is None or isinstance(value, Basis):
        return value
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value > 0:
        return Lags(int(value))
    raise NsnnError(f"{name} = {value!r}: expected a basis such as RaisedCosines(8, 50*ms), or a number")
