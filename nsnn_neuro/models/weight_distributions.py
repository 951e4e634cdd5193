"""Distributions of weights and delays.

To define a distribution, subclass `Distribution` with `sample`, and with `lowest` if it is for delays.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..core import special
from ..core.errors import NsnnError
from ..core.parameters import Scalars, parameter

_LEAST_INSIDE = 1e-3  # smallest probability between the bounds of a normal distribution


class Distribution(Scalars):
    """Base of the distributions of weights and delays; all parameters are numbers of the same unit, "V", "1" or "s".

    >>> from brian2 import ms
    >>> Between(1*ms, 2*ms).unit_symbol
    's'
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self._same_unit(*(field.name for field in self.parameter_fields()))

    @property
    def unit_symbol(self) -> str:
        """The unit of the values: "V", "1" or "s"."""
        return self.unit(self.parameter_fields()[0].name)

    @property
    def lowest(self) -> float:
        """Lower bound of the values (SI), -inf if there is none. It must not be negative for delays."""
        return -np.inf

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` independent values, SI floats, shape (n,)."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, eq=False)
class Normal(Distribution):
    """Normal distribution, with bounds the truncated one: values outside low <= x <= high are drawn again.

    Parameters
    ----------
    mean, sd : numbers, of the distribution without bounds; sd >= 0
    low, high : numbers or None; low below high, with at least 0.1 % of the probability between them

    >>> from brian2 import mV
    >>> Normal(0.1*mV, 0.05*mV, low=0*mV).lowest
    0.0
    """

    mean: Any = parameter("V", "1", "s")
    sd: Any = parameter("V", "1", "s", bound="non-negative")
    low: Any = parameter("V", "1", "s", default=None, kw_only=True)
    high: Any = parameter("V", "1", "s", default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        mean, sd, low, high = self._si()
        if not low < high:
            raise NsnnError(f"low = {self.low}: expected a value below high = {self.high}")
        inside = (
            special.ndtr((high - mean) / sd) - special.ndtr((low - mean) / sd)
            if sd > 0
            else float(low <= mean <= high)
        )
        if not inside >= _LEAST_INSIDE:
            raise NsnnError(
                f"low = {self.low}, high = {self.high}: only a fraction {inside:.2g} of Normal(mean = {self.mean}, "
                f"sd = {self.sd}) lies between them, expected at least {_LEAST_INSIDE:g}"
            )

    def _validate(self, field: dataclasses.Field) -> None:
        if getattr(self, field.name) is not None or field.default is not None:
            super()._validate(field)

    def _si(self) -> tuple[float, float, float, float]:
        mean, sd, low, high = (self.si(name) for name in ("mean", "sd", "low", "high"))
        return mean, sd, -np.inf if low is None else low, np.inf if high is None else high

    def unit(self, name: str) -> str:
        """The unit symbol of parameter `name`; that of the mean for a bound that is None."""
        return super().unit("mean" if getattr(self, name) is None else name)

    def si(self, name: str) -> Any:
        """Parameter `name` as an SI float, or None for a missing bound."""
        return None if getattr(self, name) is None else super().si(name)

    @property
    def lowest(self) -> float:
        """The lower bound (SI), -inf if there is none."""
        return self._si()[2]

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` independent values, SI floats, shape (n,)."""
        mean, sd, low, high = self._si()
        out = rng.normal(mean, sd, n)
        again = np.flatnonzero((out < low) | (out > high))
        while again.size:
            out[again] = rng.normal(mean, sd, again.size)
            again = again[(out[again] < low) | (out[again] > high)]
        return out


@dataclasses.dataclass(frozen=True, eq=False)
class LogNormal(Distribution):
    """Log-normal distribution with given mean and standard deviation: ln x is N(ln mean - s^2/2, s^2), s^2 = ln(1 + (sd/mean)^2).

    Parameters
    ----------
    mean, sd : numbers, of x (not of ln x); sd >= 0. A negative mean gives -x (inhibitory weights)

    Source: Song et al. 2005 (of synaptic weights), doi 10.1371/journal.pbio.0030068

    >>> x = LogNormal(0.5, 0.5).sample(np.random.default_rng(1), 100_000)
    >>> [round(float(value), 2) for value in (x.mean(), x.std())]
    [0.5, 0.5]
    """

    mean: Any = parameter("V", "1", "s")
    sd: Any = parameter("V", "1", "s", bound="non-negative")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.si("mean") == 0 or not np.isfinite(self._spread()):
            raise NsnnError(
                f"mean = {self.mean}: expected a mean other than zero, not tiny compared with sd = {self.sd}"
            )

    def _spread(self) -> float:
        with np.errstate(all="ignore"):
            return float(np.sqrt(np.log1p(np.square(np.float64(self.si("sd")) / self.si("mean")))))

    @property
    def lowest(self) -> float:
        """0 for a positive mean, else -inf."""
        return 0.0 if self.si("mean") > 0 else -np.inf

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` independent values, SI floats, shape (n,)."""
        s = self._spread()
        return self.si("mean") * np.exp(s * rng.standard_normal(n) - s**2 / 2)


@dataclasses.dataclass(frozen=True, eq=False)
class Between(Distribution):
    """Uniform distribution on [low, high).

    low, high : numbers, low below high

    >>> Between(1.0, 3.0).sample(np.random.default_rng(1), 2).round(3).tolist()
    [2.024, 2.901]
    """

    low: Any = parameter("V", "1", "s")
    high: Any = parameter("V", "1", "s")

    def __post_init__(self) -> None:
        super().__post_init__()
        self._in_order("low", "high")

    @property
    def lowest(self) -> float:
        """The lower bound (SI)."""
        return self.si("low")

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """`n` independent values, SI floats, shape (n,)."""
        return rng.uniform(self.si("low"), self.si("high"), n)
