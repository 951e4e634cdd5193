"""Escape-noise distributions (families): P(spike in a time step) = F(u - theta)."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

import numpy as np

from ...core import special, units
from ...core.errors import NsnnError
from ...core.parameters import Model, parameter
from ..neurons.expressions import value_of

_INVERSE = {"V": "1/V", "1/V": "V", "1": "1"}


class Family(Model):
    """Base of the families: the distribution function F = P(noise > -x) and its density f, x = u - theta the distance to threshold.

    `cdf_text` and `pdf_text` are F and f in Brian2's syntax, in `x` and the names of the parameters; they must be finite for any
    x. Parameters that may have the unit of x, or its inverse, set the scale: with all of them multiplied (divided) by c, F(x)
    becomes F(x / c). Example of a new family:

    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class Laplace(Family):
    ...     scale: Any = parameter("V", "1", bound="positive")
    ...     cdf_text = "0.5 + 0.5 * sign(x) * (1 - exp(-abs(x) / scale))"
    ...     pdf_text = "exp(-abs(x) / scale) / (2 * scale)"
    ...     def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
    ...         return 0.5 - 0.5 * np.sign(x) * np.expm1(-np.abs(x) / scale)
    ...     def _pdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
    ...         return np.exp(-np.abs(x) / scale) / (2 * scale)
    >>> Laplace(0.5).cdf([-0.5, 0.0]).round(4).tolist()
    [0.1839, 0.5]
    """

    cdf_text: str
    pdf_text: str

    @property
    def x_unit(self) -> str:
        """The unit of x: "V" or "1"."""
        field = self.parameter_fields()[0]
        unit = self.unit(field.name)
        return _INVERSE[unit] if field.metadata["units"][0] == "1/V" else unit

    def cdf(self, x: Any) -> np.ndarray:
        """F(x): probability of a spike at distance x to threshold (any shape, in the unit of the first parameter)."""
        return self._cdf(np.asarray(units.si(x, self.x_unit, "x")), self.si(self.parameter_fields()[0].name))

    def pdf(self, x: Any) -> np.ndarray:
        """f(x) = F'(x) in 1/unit of x (SI), same shape as x."""
        return self._pdf(np.asarray(units.si(x, self.x_unit, "x")), self.si(self.parameter_fields()[0].name))

    @classmethod
    def scale_powers(cls) -> dict[str, int]:
        """Parameters that scale with x: name -> 1, or -1 where they scale inversely."""
        units_of = {f.name: f.metadata["units"] for f in cls.parameter_fields()}
        return {name: 1 if "V" in u else -1 for name, u in units_of.items() if "V" in u or "1/V" in u}

    def _cure(self, name: str, value: np.ndarray) -> str:
        if self.scale_powers().get(name) != 1 or not np.all(value == 0):
            return ""
        return "; for no noise use noise=None (such a network learns with plasticity=SurrogateGradient(Gaussian(0.4), eta))"

    def scaled(self, factor: Any) -> Self:
        """The same family with the noise multiplied by `factor`, a number or (n_neurons,), > 0: F(x / factor).

        >>> Gaussian(0.4).scaled(0.5), FastSigmoid(10.0).scaled(0.5)
        (Gaussian(sigma=0.2), FastSigmoid(b=20.0))
        """
        if not self.scale_powers():
            raise NsnnError(
                f'{self!r}: no parameter has the unit of x, expected a scale declared as parameter("V", "1")'
            )
        c = units.si(factor, "1", "factor")
        new = {
            name: self.si(name) * c if p > 0 else self.si(name) / c for name, p in self.scale_powers().items()
        }
        return dataclasses.replace(
            self, **{k: v if self.unit(k) == "1" else units.brian(v, self.unit(k)) for k, v in new.items()}
        )

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        raise NotImplementedError

    def _pdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        raise NotImplementedError


def dimensionless(family: Any, *, one_scale: bool = False) -> Family:
    """`family`, which has to be a dimensionless noise family, of one scale where that is asked for."""
    if not isinstance(family, Family) or family.x_unit != "1" or (one_scale and np.ndim(family.cdf(0.0))):
        scale = " of one scale" if one_scale else ""
        raise NsnnError(
            f"family = {family!r}: expected a dimensionless noise family{scale} such as Gaussian(0.4)"
        )
    return family


class _OneScale(Family):
    """Base of the families with one parameter, which may be given by its own name or as `scale`."""

    @property
    def scale(self) -> Any:
        """The parameter of the family by its common name."""
        return getattr(self, self.parameter_fields()[0].name)

    def _set(self, value: Any, scale: Any) -> None:
        name = self.parameter_fields()[0].name
        if value is not None and scale is not None:
            raise NsnnError(
                f"{name} = {value}, scale = {scale}: two names of one parameter, expected one of them"
            )
        object.__setattr__(self, name, scale if value is None else value)
        self.__post_init__()

    def _pdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return value_of(self.pdf_text, {self.parameter_fields()[0].name: scale, "x": x})


@dataclasses.dataclass(frozen=True, eq=False, init=False)
class Gaussian(_OneScale):
    """Gaussian noise, F(x) = (1 + erf(x / (sqrt2 sigma))) / 2, f the normal density. Surrogate: erf.

    sigma : scalar or (n_neurons,), voltage or dimensionless, > 0; standard deviation of the noise

    >>> float(Gaussian(0.4).cdf(0.4))
    0.8413447460685429
    """

    sigma: Any = parameter("V", "1", bound="positive")
    cdf_text = "normal_cdf(x / sigma)"
    pdf_text = "exp(-0.5 * (x / sigma)**2) / (sigma * sqrt(2 * pi))"

    def __init__(self, sigma: Any = None, *, scale: Any = None) -> None:
        self._set(sigma, scale)

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return special.ndtr(x / scale)


@dataclasses.dataclass(frozen=True, eq=False, init=False)
class Logistic(_OneScale):
    """Logistic noise: F(x) = 1 / (1 + exp(-x/s)), f = F (1 - F) / s, variance pi^2 s^2 / 3. Surrogate: sigmoid derivative.

    s : scalar or (n_neurons,), voltage or dimensionless, > 0; the scale

    >>> float(Logistic(0.2).pdf(0.0))
    1.25
    """

    s: Any = parameter("V", "1", bound="positive")
    cdf_text = "1 / (1 + exp(clip(-x / s, -700, 700)))"
    pdf_text = "exp(-abs(x) / s) / (s * (1 + exp(-abs(x) / s))**2)"

    def __init__(self, s: Any = None, *, scale: Any = None) -> None:
        self._set(s, scale)

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return special.expit(x / scale)


@dataclasses.dataclass(frozen=True, eq=False, init=False)
class Uniform(_OneScale):
    """Uniform noise on (-a, a): F(x) = (x + a) / 2a, f = 1 / 2a inside, variance a^2 / 3. Surrogate: rectangular.

    a : scalar or (n_neurons,), voltage or dimensionless, > 0; half the width

    >>> Uniform(0.5).cdf([-1.0, 0.0, 0.25]).tolist()
    [0.0, 0.5, 0.75]
    """

    a: Any = parameter("V", "1", bound="positive")
    cdf_text = "clip(0.5 + 0.5 * x / a, 0, 1)"
    pdf_text = "int(abs(x) < a) / (2 * a)"

    def __init__(self, a: Any = None, *, scale: Any = None) -> None:
        self._set(a, scale)

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return np.clip(0.5 + 0.5 * x / scale, 0.0, 1.0)


@dataclasses.dataclass(frozen=True, eq=False, init=False)
class Triangular(_OneScale):
    """Triangular noise on (-a, a): F(x) = (x + a)^2 / 2a^2 below 0, f = (a - |x|)+ / a^2, variance a^2 / 6. Surrogate: triangle.

    a : scalar or (n_neurons,), voltage or dimensionless, > 0; half the width

    >>> Triangular(1.0).cdf([-0.5, 0.0, 2.0]).tolist()
    [0.125, 0.5, 1.0]
    """

    a: Any = parameter("V", "1", bound="positive")
    cdf_text = "0.5 + clip(x / a, -1, 1) * (1 - 0.5 * abs(clip(x / a, -1, 1)))"
    pdf_text = "clip(1 - abs(x) / a, 0, 1) / a"

    def __init__(self, a: Any = None, *, scale: Any = None) -> None:
        self._set(a, scale)

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        y = np.clip(x / scale, -1.0, 1.0)
        return np.where(y < 0, 0.5 * (1 + y) ** 2, 1 - 0.5 * (1 - y) ** 2)


@dataclasses.dataclass(frozen=True, eq=False, init=False)
class Cauchy(_OneScale):
    """Cauchy noise: F(x) = 1/2 + arctan(x/g) / pi, f = 1 / (pi g (1 + x^2/g^2)); it has no variance. Surrogate: arctan.

    g : scalar or (n_neurons,), voltage or dimensionless, > 0; half width at half maximum

    >>> float(Cauchy(0.3).cdf(0.3))
    0.75
    """

    g: Any = parameter("V", "1", bound="positive")
    cdf_text = "0.5 + arctan(x / g) / pi"
    pdf_text = "1 / (pi * g * (1 + (x / g)**2))"

    def __init__(self, g: Any = None, *, scale: Any = None) -> None:
        self._set(g, scale)

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return np.arctan2(1.0, -x / scale) / np.pi


@dataclasses.dataclass(frozen=True, eq=False, init=False)
class FastSigmoid(_OneScale):
    """Fast sigmoid: F(x) = (1 + b x / (1 + b |x|)) / 2, f = (b/2) / (1 + b |x|)^2. Surrogate: SuperSpike.

    b : scalar or (n_neurons,), 1/voltage or dimensionless, > 0; steepness: larger is less noise, `scale` is a second name of b

    >>> float(FastSigmoid(10.0).pdf(0.0))
    5.0
    """

    b: Any = parameter("1/V", "1", bound="positive")
    cdf_text = "0.5 + 0.5 * b * x / (1 + b * abs(x))"
    pdf_text = "0.5 * b / (1 + b * abs(x))**2"

    def __init__(self, b: Any = None, *, scale: Any = None) -> None:
        self._set(b, scale)

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        tail = 0.5 / (1 + scale * np.abs(x))
        return np.where(x < 0, tail, 1 - tail)


FAMILIES: tuple[type[Family], ...] = (Gaussian, Logistic, Uniform, Triangular, Cauchy, FastSigmoid)
"""those of the package, which files may name"""
