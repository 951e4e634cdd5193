"""Stochastic resonance: what noisy units tell about a signal that never reaches their threshold, against the noise.

- unit: one NSNN unit in single steps (no memory), Gaussian escape noise, two equally likely potentials. Both below threshold they
  are told apart by noise alone; on either side of it (the control) noise can only blur them. I(spike; potential) is exact.
- LIF: the same in continuous time. From reset the membrane is driven by one of two currents for a window, in white noise; the
  response is the number of spikes. Below threshold both, or above it both (the control). Exact: the law of a renewal process's
  count, from the transform of the first-passage time.
- pool: K units that see one Gaussian signal around their threshold and have private noise; the response is how many of them fire.
  Without noise they all agree and tell one bit (suprathreshold stochastic resonance, Stocks 2000). Simulated with the signal at
  equally likely levels, for which the exact sum is taken too.

Stated beforehand: simulated and exact information agree at every noise; a subthreshold signal's has its maximum at a noise in
between, where the theory puts it; the control's only falls; a pool gains over its noiseless bit, the more the larger it is.

Bits are estimated in several replicates, each with noise of its own; a point is their mean and its error the jackknives' together.
Bias is corrected after Panzeri and Treves, of the pools' counts after Grassberger: a first full run with the former left up to .01
bit too little where 63 units have 64 responses, most of them rare, and so did counts drawn from the exact law without any neuron.
That estimate is reported beside the other. The location of a maximum is the vertex of a parabola in log sigma through the five
points around the exact one, compared with that through exact values there, so that the parabola's own bias cancels.

A resonance says that a given threshold is better off with noise. It doesn't say that noise beats a threshold put in the right
place: the control, whose threshold lies between its potentials, tells more at little noise than the other signal at any.
"""

from __future__ import annotations

from ..harness import verifier
from .config import CLAIM, PAPER, SABOTAGES, Config
from .plots import figures, plot
from .simulation import run
from .verdicts import claims, headline, summary

__all__ = [
    "CLAIM",
    "PAPER",
    "SABOTAGES",
    "Config",
    "claims",
    "figures",
    "headline",
    "plot",
    "run",
    "summary",
    "verify",
]

verify = verifier(claims)
