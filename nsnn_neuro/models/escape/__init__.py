"""Escape noise: the membrane is noise-free and spikes are random, given the distance to threshold.

- A `Family` is the distribution F of a noise at the threshold that is drawn again in each step: P(spike) = F(u - theta). The same F
  with another dt is a different neuron.
- A `Hazard` is a rate rho of spikes in continuous time: P(spike) = 1 - exp(-int rho dt), by the trapezoidal rule over the step, so
  that the error of the results shrinks with dt^2.

To define a family, subclass `Family` with its cdf and pdf, each as a function and as Brian2 text in `x` and the names of the
parameters. To define a hazard, subclass `Hazard` with its rate, in `x` and `rise` = dx/dt.
"""

from __future__ import annotations

from .escape_noise import DoubleNoise, EscapeNoise
from .families import Cauchy, Family, FastSigmoid, Gaussian, Logistic, Triangular, Uniform
from .hazards import ExponentialHazard, GaussianHazard, Hazard, PlesserGerstner

__all__ = [
    "Cauchy",
    "DoubleNoise",
    "EscapeNoise",
    "ExponentialHazard",
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
