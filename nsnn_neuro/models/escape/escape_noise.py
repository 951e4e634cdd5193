"""Escape noise of a neuron, from a family or a hazard; and the noise of the published NSNN code."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, ClassVar

from ...core.checks import instance
from ...core.errors import NsnnError
from ...core.parameters import checked, parameter
from ..noise import Noise
from .families import Family
from .hazards import Hazard


@dataclasses.dataclass(frozen=True, eq=False)
class EscapeNoise(Noise):
    """Escape noise: a noise-free membrane that spikes in a step with probability F(u - theta), or 1 - exp(-int rho dt).

    Parameters
    ----------
    family : a `Family`: `Gaussian`, `Logistic`, `Uniform`, `Triangular`, `Cauchy`, `FastSigmoid` or your own. The noise of an NSNN
    hazard : a `Hazard` instead of a family: `ExponentialHazard`, `GaussianHazard`, `PlesserGerstner` or your own

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831; Gerstner et al. 2014, ch. 9

    >>> from nsnn_neuro.models.escape import Gaussian
    >>> EscapeNoise(Gaussian(0.4)).family
    Gaussian(sigma=0.4)
    >>> EscapeNoise(0.4)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: family = 0.4: expected a noise family such as Gaussian(0.4)
    """

    at_threshold: ClassVar[bool] = True

    family: Family | None = checked(
        partial(instance, kind=Family | None, expected="a noise family such as Gaussian(0.4)"), default=None
    )
    hazard: Hazard | None = checked(
        partial(instance, kind=Hazard | None, expected="a hazard such as ExponentialHazard(100*Hz, 2*mV)"),
        default=None,
        kw_only=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.family is None) == (self.hazard is None):
            raise NsnnError(
                f"family = {self.family!r}, hazard = {self.hazard!r}: expected one of them, EscapeNoise(Gaussian(0.4)) for a "
                "probability per step or EscapeNoise(hazard=ExponentialHazard(100*Hz, 2*mV)) for a rate"
            )

    @property
    def law(self) -> Family | Hazard:
        """The family or the hazard."""
        law = self.family if self.hazard is None else self.hazard
        assert law is not None
        return law

    @property
    def x_unit(self) -> str:
        """The unit of the distance to threshold: "V" or "1"."""
        return self.law.x_unit


@dataclasses.dataclass(frozen=True, eq=False)
class DoubleNoise(Noise):
    """The noise of the published NSNN code, applied twice: u_t += sigma xi_t, then a spike with P = Phi((u_t - theta) / sigma).

    For comparison with that code only, and for an `NSNNNeuron`. The first noise stays in u, the second is drawn again in each step.
    The model of the paper is `EscapeNoise(Gaussian(sigma))`.

    sigma : scalar or (n_neurons,), dimensionless, > 0

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831, its code

    >>> DoubleNoise(0.2).sigma
    0.2
    """

    sigma: Any = parameter("1", bound="positive")
