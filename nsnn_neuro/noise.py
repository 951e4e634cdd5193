"""Noise: what makes a neuron's spikes random. Records for diffusive and escape noise, and the families of escape noise.

Conventions, stated here and converted nowhere else:

- `sigma` is the stationary standard deviation of the *free* membrane (threshold removed), in the membrane's unit. White noise:
  tau dV = (mu - V) dt + sigma sqrt(2 tau) dW. Brunel's and Siegert's sigma_B is sqrt(2) sigma (`SQRT2`).
- Ornstein-Uhlenbeck noise has its own correlation time and is scaled so that the free membrane again has standard deviation sigma.
- `shared` is the fraction c of the noise *variance* that all neurons of a trial have in common: sqrt(c) common +
  sqrt(1 - c) private, so that the inputs of two neurons have correlation c.
- Escape noise leaves the membrane noise-free; in each step the neuron fires with probability F(u - theta), F the noise's
  distribution function. With a step of another length the same F is another neuron.

A new family is a subclass of `Family` with its cdf, its pdf and their Brian2 text in `x` and the names of its parameters.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from scipy import special

from . import units
from .errors import NsnnError
from .records import Record, parameter

__all__ = [
    "Cauchy",
    "EscapeNoise",
    "Family",
    "FastSigmoid",
    "Gaussian",
    "Logistic",
    "Noise",
    "OUNoise",
    "PoissonNoise",
    "Triangular",
    "Uniform",
    "WhiteNoise",
]

SQRT2 = np.sqrt(2.0)  # sigma_B = SQRT2 * sigma

_INVERSE = {"V": "1/V", "1/V": "V", "1": "1"}


class Noise(Record):
    """Base of the noise records."""


@dataclasses.dataclass(frozen=True, eq=False)
class WhiteNoise(Noise):
    """Gaussian white noise: tau dV = (mu - V) dt + sigma sqrt(2 tau) dW, a diffusive noise.

    Parameters
    ----------
    sigma : scalar or (n_neurons,), membrane's unit; standard deviation of the free membrane, >= 0
    shared : scalar, fraction of the noise variance common to all neurons of a trial, 0 to 1

    Raises
    ------
    NsnnError : negative sigma, wrong unit, fraction out of range

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 8, doi 10.1017/CBO9781107447615

    >>> from brian2 import mV
    >>> WhiteNoise(sigma=-1*mV)
    Traceback (most recent call last):
    nsnn_neuro.errors.NsnnError: sigma = -1. mV: expected zero or a positive value, finite (a voltage such as 15*mV)
    """

    sigma: Any = parameter("V", "1", bound="non-negative")
    shared: Any = parameter("1", bound="fraction", default=0.0, kw_only=True)


@dataclasses.dataclass(frozen=True, eq=False)
class OUNoise(Noise):
    """Ornstein-Uhlenbeck input: tau_noise dI = -I dt + sigma_I sqrt(2 tau_noise) dW, added to the drive.

    sigma_I = sigma sqrt(1 + tau_m / tau_noise), so that the free membrane of a leaky neuron has standard deviation sigma.
    The current of each trial starts from its own stationary law.

    Parameters
    ----------
    sigma : scalar or (n_neurons,), membrane's unit; standard deviation of the free membrane, >= 0
    tau_noise : scalar or (n_neurons,), correlation time, > 0
    shared : scalar, fraction of the noise variance common to all neurons of a trial, 0 to 1

    Source: Fourcaud & Brunel 2002, doi 10.1162/089976602320264015

    >>> from brian2 import mV, ms
    >>> OUNoise(3*mV, 5*ms).describe()["tau_noise"]
    {'value': 0.005, 'unit': 's'}
    """

    sigma: Any = parameter("V", "1", bound="non-negative")
    tau_noise: Any = parameter("s", bound="positive")
    shared: Any = parameter("1", bound="fraction", default=0.0, kw_only=True)


@dataclasses.dataclass(frozen=True, eq=False)
class PoissonNoise(Noise):
    """Poisson input: the membrane jumps by `weight` at the times of a Poisson process of `rate`, independent for each neuron.

    rate : scalar or (n_neurons,), total rate of the input, >= 0
    weight : scalar or (n_neurons,), membrane's unit

    >>> from brian2 import Hz, mV
    >>> PoissonNoise(1000*Hz, 0.1*mV).unit("weight")
    'V'
    """

    rate: Any = parameter("Hz", bound="non-negative")
    weight: Any = parameter("V", "1")


class Family(Record):
    """A distribution of escape noise: F = P(noise > -x) and its density f, x the distance to threshold u - theta.

    `cdf_text` and `pdf_text` are F and f in Brian2's syntax, in `x` and the names of the record's parameters; they stay
    finite for any x. A family of one's own:

    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class Laplace(Family):
    ...     scale: Any = parameter("V", "1", bound="positive")
    ...     cdf_text = "0.5 + 0.5 * sign(x) * (1 - exp(-abs(x) / scale))"
    ...     pdf_text = "exp(-abs(x) / scale) / (2 * scale)"
    ...     def _cdf(self, x, scale):
    ...         return 0.5 - 0.5 * np.sign(x) * np.expm1(-np.abs(x) / scale)
    ...     def _pdf(self, x, scale):
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

    def _cdf(self, x, scale):
        return special.ndtr(x / scale)

    def _pdf(self, x, scale):
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

    def _cdf(self, x, scale):
        return special.expit(x / scale)

    def _pdf(self, x, scale):
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

    def _cdf(self, x, scale):
        return np.clip(0.5 + 0.5 * x / scale, 0.0, 1.0)

    def _pdf(self, x, scale):
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

    def _cdf(self, x, scale):
        y = np.clip(x / scale, -1.0, 1.0)
        return np.where(y < 0, 0.5 * (1 + y) ** 2, 1 - 0.5 * (1 - y) ** 2)

    def _pdf(self, x, scale):
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

    def _cdf(self, x, scale):
        return np.arctan2(1.0, -x / scale) / np.pi

    def _pdf(self, x, scale):
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

    def _cdf(self, x, scale):
        tail = 0.5 / (1 + scale * np.abs(x))
        return np.where(x < 0, tail, 1 - tail)

    def _pdf(self, x, scale):
        return 0.5 * scale / (1 + scale * np.abs(x)) ** 2


@dataclasses.dataclass(frozen=True, eq=False)
class EscapeNoise(Noise):
    """Escape noise: the membrane is noise-free, the spike of a step is Bernoulli(F(u - theta)); the noise of the NSNN neuron.

    Parameters
    ----------
    family : a `Family`: `Gaussian`, `Logistic`, `Uniform`, `Triangular`, `Cauchy`, `FastSigmoid` or your own

    Raises
    ------
    NsnnError : not a family

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831; Gerstner et al. 2014, ch. 9

    >>> EscapeNoise(Gaussian(0.4)).family
    Gaussian(sigma=0.4)
    >>> EscapeNoise(0.4)
    Traceback (most recent call last):
    nsnn_neuro.errors.NsnnError: family = 0.4: expected a noise family such as Gaussian(0.4)
    """

    family: Family

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.family, Family):
            raise NsnnError(f"family = {self.family!r}: expected a noise family such as Gaussian(0.4)")
