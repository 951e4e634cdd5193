"""Escape noise: a noise-free membrane whose spikes are drawn, per step from a distribution or in time from a hazard.

- A `Family` is the distribution F of a threshold's or membrane's noise, drawn anew in each step: P(spike) = F(u - theta). With a
  step of another length the same F is another neuron.
- A `Hazard` is a rate rho of spikes in continuous time: P(spike) = 1 - exp(-int rho dt), the integral over the step by the
  trapezoidal rule, so the step's length matters at second order only.

A new family is a subclass of `Family` with its cdf, its pdf and their Brian2 text in `x` and the names of its parameters; a new
hazard one of `Hazard` with its rate twice likewise, in `x` and `rise` = dx/dt.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Self

import numpy as np
from scipy import special

from ..core import units
from ..core.errors import NsnnError
from ..core.parameters import Record, parameter
from .noise import SQRT2, Noise

__all__ = [
    "Cauchy",
    "DoubleNoise",
    "EscapeNoise",
    "Exponential",
    "Family",
    "FastSigmoid",
    "Gaussian",
    "GaussianHazard",
    "Hazard",
    "Logistic",
    "PlesserGerstner",
    "Triangular",
    "Uniform",
]

_INVERSE = {"V": "1/V", "1/V": "V", "1": "1"}


class Family(Record):
    """A distribution of escape noise: F = P(noise > -x) and its density f, x the distance to threshold u - theta.

    `cdf_text` and `pdf_text` are F and f in Brian2's syntax, in `x` and the names of the record's parameters; they stay
    finite for any x. Parameters that may have the unit of x, or 1 over it, are its scale: all of them times c (divided by it), F(x)
    becomes F(x / c). A family of one's own:

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
        field = self._parameters()[0]
        unit = self.unit(field.name)
        return _INVERSE[unit] if field.metadata["units"][0] == "1/V" else unit

    def cdf(self, x: Any) -> np.ndarray:
        """F(x): probability of a spike at distance x (any shape, the family's unit) to threshold."""
        return self._cdf(np.asarray(units.si(x, self.x_unit, "x")), self.si(self._parameters()[0].name))

    def pdf(self, x: Any) -> np.ndarray:
        """f(x) = F'(x) in 1/unit of x (SI), same shape as x."""
        return self._pdf(np.asarray(units.si(x, self.x_unit, "x")), self.si(self._parameters()[0].name))

    @classmethod
    def _powers(cls) -> dict[str, int]:
        """Parameters that grow with the scale of x: name -> 1, or -1 for one that shrinks."""
        units_of = {f.name: f.metadata["units"] for f in cls._parameters()}
        return {name: 1 if "V" in u else -1 for name, u in units_of.items() if "V" in u or "1/V" in u}

    def _cure(self, name: str, value: np.ndarray) -> str:
        if self._powers().get(name) != 1 or not np.all(value == 0):
            return ""
        return "; without noise: noise=None, whose network learns by plasticity=SurrogateGradient(Gaussian(0.4), eta)"

    def scaled(self, factor: Any) -> Self:
        """The family of noise that is `factor` times as large: F(x / factor).

        Parameters
        ----------
        factor : number or (n_neurons,), > 0

        Raises
        ------
        NsnnError : a family without a parameter that has the unit of x

        >>> Gaussian(0.4).scaled(0.5), FastSigmoid(10.0).scaled(0.5)
        (Gaussian(sigma=0.2), FastSigmoid(b=20.0))
        """
        if not self._powers():
            raise NsnnError(
                f'{self!r}: no parameter of it has the unit of x, expected its scale declared as parameter("V", "1")'
            )
        c = units.si(factor, "1", "factor")
        new = {name: self.si(name) * c if p > 0 else self.si(name) / c for name, p in self._powers().items()}
        return dataclasses.replace(
            self, **{k: v if self.unit(k) == "1" else units.brian(v, self.unit(k)) for k, v in new.items()}
        )

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        raise NotImplementedError

    def _pdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, eq=False)
class Gaussian(Family):
    """Gaussian noise: F(x) = (1 + erf(x / (sqrt2 sigma))) / 2, f the normal density. Surrogate: erf.

    sigma : scalar or (n_neurons,), voltage or dimensionless, > 0; standard deviation of the noise

    >>> float(Gaussian(0.4).cdf(0.4))
    0.8413447460685429
    """

    sigma: Any = parameter("V", "1", bound="positive")
    cdf_text = "normal_cdf(x / sigma)"
    pdf_text = "exp(-0.5 * (x / sigma)**2) / (sigma * sqrt(2 * pi))"

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return special.ndtr(x / scale)

    def _pdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return np.exp(-0.5 * (x / scale) ** 2) / (scale * np.sqrt(2 * np.pi))


@dataclasses.dataclass(frozen=True, eq=False)
class Logistic(Family):
    """Logistic noise: F(x) = 1 / (1 + exp(-x/s)), f = F (1 - F) / s, variance pi^2 s^2 / 3. Surrogate: sigmoid derivative.

    s : scalar or (n_neurons,), voltage or dimensionless, > 0; the scale

    >>> float(Logistic(0.2).pdf(0.0))
    1.25
    """

    s: Any = parameter("V", "1", bound="positive")
    cdf_text = "1 / (1 + exp(clip(-x / s, -700, 700)))"
    pdf_text = "exp(-abs(x) / s) / (s * (1 + exp(-abs(x) / s))**2)"

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return special.expit(x / scale)

    def _pdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        tail = np.exp(-np.abs(x) / scale)
        return tail / (scale * (1 + tail) ** 2)


@dataclasses.dataclass(frozen=True, eq=False)
class Uniform(Family):
    """Uniform noise on (-a, a): F(x) = (x + a) / 2a, f = 1 / 2a inside, variance a^2 / 3. Surrogate: rectangular.

    a : scalar or (n_neurons,), voltage or dimensionless, > 0; half the width

    >>> Uniform(0.5).cdf([-1.0, 0.0, 0.25]).tolist()
    [0.0, 0.5, 0.75]
    """

    a: Any = parameter("V", "1", bound="positive")
    cdf_text = "clip(0.5 + 0.5 * x / a, 0, 1)"
    pdf_text = "int(abs(x) < a) / (2 * a)"

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return np.clip(0.5 + 0.5 * x / scale, 0.0, 1.0)

    def _pdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return (np.abs(x) < scale) / (2 * scale)


@dataclasses.dataclass(frozen=True, eq=False)
class Triangular(Family):
    """Triangular noise on (-a, a): F(x) = (x + a)^2 / 2a^2 below 0, f = (a - |x|)+ / a^2, variance a^2 / 6. Surrogate: triangle.

    a : scalar or (n_neurons,), voltage or dimensionless, > 0; half the width

    >>> Triangular(1.0).cdf([-0.5, 0.0, 2.0]).tolist()
    [0.125, 0.5, 1.0]
    """

    a: Any = parameter("V", "1", bound="positive")
    cdf_text = "0.5 + clip(x / a, -1, 1) * (1 - 0.5 * abs(clip(x / a, -1, 1)))"
    pdf_text = "clip(1 - abs(x) / a, 0, 1) / a"

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        y = np.clip(x / scale, -1.0, 1.0)
        return np.where(y < 0, 0.5 * (1 + y) ** 2, 1 - 0.5 * (1 - y) ** 2)

    def _pdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return np.clip(1 - np.abs(x) / scale, 0.0, 1.0) / scale


@dataclasses.dataclass(frozen=True, eq=False)
class Cauchy(Family):
    """Cauchy noise: F(x) = 1/2 + arctan(x/g) / pi, f = 1 / (pi g (1 + x^2/g^2)); it has no variance. Surrogate: arctan.

    g : scalar or (n_neurons,), voltage or dimensionless, > 0; half width at half maximum

    >>> float(Cauchy(0.3).cdf(0.3))
    0.75
    """

    g: Any = parameter("V", "1", bound="positive")
    cdf_text = "0.5 + arctan(x / g) / pi"
    pdf_text = "1 / (pi * g * (1 + (x / g)**2))"

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return np.arctan2(1.0, -x / scale) / np.pi

    def _pdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return 1 / (np.pi * scale * (1 + (x / scale) ** 2))


@dataclasses.dataclass(frozen=True, eq=False)
class FastSigmoid(Family):
    """The fast sigmoid as a distribution: F(x) = (1 + b x / (1 + b |x|)) / 2, f = (b/2) / (1 + b |x|)^2. Surrogate: SuperSpike.

    b : scalar or (n_neurons,), 1/voltage or dimensionless, > 0; the steepness

    >>> float(FastSigmoid(10.0).pdf(0.0))
    5.0
    """

    b: Any = parameter("1/V", "1", bound="positive")
    cdf_text = "0.5 + 0.5 * b * x / (1 + b * abs(x))"
    pdf_text = "0.5 * b / (1 + b * abs(x))**2"

    def _cdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        tail = 0.5 / (1 + scale * np.abs(x))
        return np.where(x < 0, tail, 1 - tail)

    def _pdf(self, x: np.ndarray, scale: Any) -> np.ndarray:
        return 0.5 * scale / (1 + scale * np.abs(x)) ** 2


class Hazard(Record):
    """A rate of spikes in continuous time: rho(x, dx/dt) in 1/s, x the distance to threshold u - theta.

    `rate_text` is rho in Brian2's syntax, in `x`, `rise` (dx/dt) and the names of the record's parameters, finite for any x.
    A hazard of one's own:

    >>> from brian2 import Hz
    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class Ramp(Hazard):
    ...     rate: Any = parameter("Hz", bound="non-negative")
    ...     width: Any = parameter("V", "1", bound="positive")
    ...     rate_text = "rate * clip(x / width, 0, 1e3)"
    ...     def _hazard(self, x: np.ndarray, rise: Any) -> np.ndarray:
    ...         return self.si("rate") * np.clip(x / self.si("width"), 0, 1e3)
    >>> Ramp(100*Hz, 0.5).hazard([-1.0, 0.25]).tolist()
    [0.0, 50.0]
    """

    rate_text: str
    uses_rise = False

    @property
    def x_unit(self) -> str:
        """The unit of x: "V" or "1"."""
        return self.unit(next(f.name for f in self._parameters() if f.metadata["units"] == ("V", "1")))

    def hazard(self, x: Any, rise: Any = 0.0) -> np.ndarray:
        """rho in 1/s at distance x (any shape, the hazard's unit) to threshold; `rise` in that unit per second, plain numbers."""
        return self._hazard(np.asarray(units.si(x, self.x_unit, "x")), np.asarray(rise))

    def _hazard(self, x: np.ndarray, rise: np.ndarray) -> np.ndarray:
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, eq=False)
class Exponential(Hazard):
    """Exponential hazard: rho = rate exp(x / width), x = u - theta; bounded at x = 50 width.

    rate : scalar or (n_neurons,), frequency >= 0: the hazard at threshold
    width : scalar or (n_neurons,), voltage or dimensionless, > 0: smaller is less noise

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 9, doi 10.1017/CBO9781107447615

    >>> from brian2 import Hz, mV
    >>> Exponential(100*Hz, 2*mV).hazard(2*mV).round(3).item()
    271.828
    """

    rate: Any = parameter("Hz", bound="non-negative")
    width: Any = parameter("V", "1", bound="positive")
    rate_text = "rate * exp(clip(x / width, -700, 50))"

    def _hazard(self, x: np.ndarray, rise: Any) -> np.ndarray:
        return self.si("rate") * np.exp(np.clip(x / self.si("width"), -700, 50))


@dataclasses.dataclass(frozen=True, eq=False)
class GaussianHazard(Hazard):
    """Arrhenius hazard: rho = rate exp(-(x / width)^2) below threshold, rate above it.

    The rate at which white noise of sigma_B = width carries a membrane at distance x over the threshold, up to its prefactor.

    rate : scalar or (n_neurons,), frequency >= 0: the hazard at threshold
    width : scalar or (n_neurons,), voltage or dimensionless, > 0

    Source: Plesser & Gerstner 2000, doi 10.1162/089976600300015835

    >>> from brian2 import Hz, mV
    >>> GaussianHazard(100*Hz, 2*mV).hazard([-2, 5]*mV).round(3).tolist()
    [36.788, 100.0]
    """

    rate: Any = parameter("Hz", bound="non-negative")
    width: Any = parameter("V", "1", bound="positive")
    rate_text = "rate * exp(-clip(-x / width, 0, 27)**2)"

    def _hazard(self, x: np.ndarray, rise: Any) -> np.ndarray:
        return self.si("rate") * np.exp(-(np.clip(-x / self.si("width"), 0, 27) ** 2))


@dataclasses.dataclass(frozen=True, eq=False)
class PlesserGerstner(Hazard):
    """The hazard that stands in for white noise on an LIF: rho = (c1/tau_m + c2/sigma_B [dx/dt]+) exp(-x^2/sigma_B^2).

    sigma_B = sqrt(2) sigma, c1 = .72, c2 = 1/sqrt(pi), x and dx/dt of the noise-free membrane. Good to 5 % for a mean drive below
    threshold and sigma_B of a fifth to two fifths of v_thresh - v_reset; see `theory.plesser_gerstner_hazard`. For LIF only.

    sigma : scalar or (n_neurons,), voltage or dimensionless, > 0; as of the `WhiteNoise` that it stands in for
    tau_m : scalar or (n_neurons,), time > 0; the neuron's

    Source: Plesser & Gerstner 2000, doi 10.1162/089976600300015835

    >>> from brian2 import ms, mV
    >>> PlesserGerstner(2*mV, tau_m=20*ms).hazard(0*mV).round(3).item()
    36.0
    """

    sigma: Any = parameter("V", "1", bound="positive")
    tau_m: Any = parameter("s", bound="positive", kw_only=True)
    rate_text = "(0.72 / tau_m + 0.5 * (rise + abs(rise)) / (sigma * sqrt(2 * pi))) * exp(-0.5 * clip(x / sigma, -38, 38)**2)"
    uses_rise = True

    def _hazard(self, x: np.ndarray, rise: Any) -> np.ndarray:
        sigma = self.si("sigma")
        width = SQRT2 * sigma
        front = 0.72 / self.si("tau_m") + np.maximum(rise, 0.0) / (width * np.sqrt(np.pi))
        return front * np.exp(-0.5 * np.clip(x / sigma, -38, 38) ** 2)


@dataclasses.dataclass(frozen=True, eq=False)
class EscapeNoise(Noise):
    """Escape noise: the membrane is noise-free; a step's spike is Bernoulli(F(u - theta)), or has probability 1 - exp(-int rho dt).

    Parameters
    ----------
    family : a `Family`: `Gaussian`, `Logistic`, `Uniform`, `Triangular`, `Cauchy`, `FastSigmoid` or your own; the NSNN's noise
    hazard : in place of a family, a `Hazard`: `Exponential`, `GaussianHazard`, `PlesserGerstner` or your own

    Raises
    ------
    NsnnError : neither, both, or something else

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831; Gerstner et al. 2014, ch. 9

    >>> EscapeNoise(Gaussian(0.4)).family
    Gaussian(sigma=0.4)
    >>> EscapeNoise(0.4)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: family = 0.4: expected a noise family such as Gaussian(0.4)
    """

    at_threshold: ClassVar[bool] = True

    family: Family | None = None
    hazard: Hazard | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.family is not None and not isinstance(self.family, Family):
            raise NsnnError(f"family = {self.family!r}: expected a noise family such as Gaussian(0.4)")
        if self.hazard is not None and not isinstance(self.hazard, Hazard):
            raise NsnnError(f"hazard = {self.hazard!r}: expected a hazard such as Exponential(100*Hz, 2*mV)")
        if (self.family is None) == (self.hazard is None):
            raise NsnnError(
                f"family = {self.family!r}, hazard = {self.hazard!r}: expected one of them, EscapeNoise(Gaussian(0.4)) for a "
                "probability per step or EscapeNoise(hazard=Exponential(100*Hz, 2*mV)) for a rate in time"
            )

    @property
    def x_unit(self) -> str:
        """The unit of the distance to threshold: "V" or "1"."""
        return (self.family or self.hazard).x_unit  # type: ignore[union-attr]


@dataclasses.dataclass(frozen=True, eq=False)
class DoubleNoise(Noise):
    """The noise of the published NSNN code, counted twice: u_t += sigma xi_t, then a spike with P = Phi((u_t - theta) / sigma).

    For comparison with that code only: the first noise is carried forward in u, the second is drawn anew. The model of the paper is
    `EscapeNoise(Gaussian(sigma))`. For an `NSNNNeuron`.

    sigma : scalar or (n_neurons,), dimensionless, > 0

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831, its code

    >>> DoubleNoise(0.2).sigma
    0.2
    """

    sigma: Any = parameter("1", bound="positive")
