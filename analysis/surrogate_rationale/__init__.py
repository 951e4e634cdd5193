"""Equivalence of surrogate gradients and noise-driven learning (NDL).

The spike of a deterministic neuron has no derivative, so training uses a surrogate. A noisy neuron fires with probability
F(u - theta). The derivative of F, the density f of the noise, is the middle factor of NDL. The study compares

- six densities with the surrogates in use, written with their usual parameters, and with the slope of F
- the gradient of NDL along the spikes of a deterministic two-layer network with backpropagation through these surrogates
- the mean gradient of NDL over all spike patterns with the exact gradient of the expected loss, by enumeration (the bias). In
  depth: an input weight .8 onto hidden neurons that share the weight 1 to an output of bias .5, thresholds 1, one step, Gaussian
  noise, loss = output spike. Through the reset: two steps of one neuron with the drive .8
- spikes of the noisy network with those of the deterministic network, as the noise goes to 0

The `width` of a family is 1 / f(0). All quantities are dimensionless.
"""

from .config import CLAIM, PAPER, SABOTAGES, Config
from .simulation import run
from .verdicts import claims, figures, plot, summary, tables
