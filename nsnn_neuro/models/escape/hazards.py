"""Hazards: rates of spikes in continuous time, functions of the distance to threshold."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from ...core import units
from ...core.parameters import Model, parameter
from ..neurons.expressions import value_of
from ..noise import SQRT2


class Hazard(Model):
    """Base of the hazards: the rate of spikes rho(x, dx/dt) in 1/s, x = u - theta the distance to threshold.

    `rate_text` is rho in Brian2's syntax, in `x`, `rise` (dx/dt) and the names of the parameters; it must be finite for any x.
    Example of a new hazard:

    >>> from brian2 import Hz
    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class Ramp(Hazard):
    ...     rate: Any = parameter("Hz", bound="non-negative")
    ...     width: Any = parameter("V", "1", bound="positive")
    ...     rate_text = "rate * clip(x / width, 0, 1e3)"
    >>> Ramp(100*Hz, 0.5).hazard([-1.0, 0.25]).tolist()
    [0.0, 50.0]
    """

    rate_text: str
    uses_rise = False

    @property
    def x_unit(self) -> str:
        """The unit of x: "V" or "1"."""
        return self.unit(next(f.name for f in self.parameter_fields() if f.metadata["units"] == ("V", "1")))

    def hazard(self, x: Any, rise: Any = 0.0) -> np.ndarray:
        """rho in 1/s at distance x to threshold (any shape, unit of the hazard); `rise` is a plain number in that unit per s."""
        return self._hazard(np.asarray(units.si(x, self.x_unit, "x")), np.asarray(rise))

    def _hazard(self, x: np.ndarray, rise: np.ndarray) -> np.ndarray:
        parameters = {field.name: self.si(field.name) for field in self.parameter_fields()}
        return np.asarray(value_of(self.rate_text, {**parameters, "x": x, "rise": rise}))


@dataclasses.dataclass(frozen=True, eq=False)
class ExponentialHazard(Hazard):
    """Exponential hazard: rho = rate exp(x / width), x = u - theta; bounded at x = 50 width.

    rate : scalar or (n_neurons,), frequency >= 0: hazard at threshold
    width : scalar or (n_neurons,), voltage or dimensionless, > 0: smaller is less noise

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 9, doi 10.1017/CBO9781107447615

    >>> from brian2 import Hz, mV
    >>> ExponentialHazard(100*Hz, 2*mV).hazard(2*mV).round(3).item()
    271.828
    """

    saved_as: ClassVar[str] = "Exponential"

    rate: Any = parameter("Hz", bound="non-negative")
    width: Any = parameter("V", "1", bound="positive")
    rate_text = "rate * exp(clip(x / width, -700, 50))"


@dataclasses.dataclass(frozen=True, eq=False)
class GaussianHazard(Hazard):
    """Arrhenius hazard: rho = rate exp(-(x / width)^2) below threshold, rate above it.

    Up to the prefactor it is the rate at which white noise with sigma_B = width drives a membrane at distance x across the
    threshold.

    rate : scalar or (n_neurons,), frequency >= 0: hazard at threshold
    width : scalar or (n_neurons,), voltage or dimensionless, > 0

    Source: Plesser & Gerstner 2000, doi 10.1162/089976600300015835

    >>> from brian2 import Hz, mV
    >>> GaussianHazard(100*Hz, 2*mV).hazard([-2, 5]*mV).round(3).tolist()
    [36.788, 100.0]
    """

    rate: Any = parameter("Hz", bound="non-negative")
    width: Any = parameter("V", "1", bound="positive")
    rate_text = "rate * exp(-clip(-x / width, 0, 27)**2)"


@dataclasses.dataclass(frozen=True, eq=False)
class PlesserGerstner(Hazard):
    """Hazard that approximates white noise on an LIF neuron: rho = (c1/tau_m + c2/sigma_B [dx/dt]+) exp(-x^2/sigma_B^2).

    sigma_B = sqrt(2) sigma, c1 = 0.72, c2 = 1/sqrt(pi), x and dx/dt of the noise-free membrane. Rates are within 5 % for a mean
    drive below threshold and sigma_B of 0.2 to 0.4 (v_thresh - v_reset); see `theory.plesser_gerstner_hazard`. For LIF only.

    sigma : scalar or (n_neurons,), voltage or dimensionless, > 0; sigma of the `WhiteNoise` that is approximated
    tau_m : scalar or (n_neurons,), time > 0; that of the neuron

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
