"""Where surrogate gradients come from: each is the learning rule of a neuron with the noise whose density it is.

A deterministic neuron's spike has no derivative, so a surrogate is put in its place. A noisy neuron needs none: its spike has the
probability F(u - theta), whose derivative, the noise's density f, is the middle factor of noise-driven learning (NDL). Four parts:

- six densities against the surrogates in use elsewhere, written with their own parameters, and against the slope of F
- NDL's gradient along the spikes of a deterministic two-layer network against backpropagation with those surrogates
- what the rule costs: its mean over all spike patterns against the exact gradient of the expected loss, by enumeration. In depth,
  an input weight .8 onto hidden neurons that share the weight 1 to an output of bias .5, thresholds 1, one step, Gaussian noise,
  the loss its spike; through the reset, two steps of one neuron with the drive .8
- the noisy network's spikes against those of the deterministic one, as the noise goes to 0

`width` is 1 / f(0), so that families can be compared; all else is dimensionless too.
"""

from __future__ import annotations

from ..harness import verifier
from .config import CLAIM, PAPER, SABOTAGES, Config
from .plots import figures, plot
from .simulation import run
from .verdicts import claims, summary, tables

__all__ = [
    "CLAIM",
    "PAPER",
    "SABOTAGES",
    "Config",
    "claims",
    "figures",
    "plot",
    "run",
    "summary",
    "tables",
    "verify",
]

verify = verifier(claims)
