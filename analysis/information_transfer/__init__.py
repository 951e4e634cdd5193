"""How much of a signal gets through a noisy neuron: coherence, information rate and the direct method, against theory.

A LIF with a mean drive below threshold and white noise (sigma) gets a Gaussian signal of flat spectrum up to a cut-off. Without
noise a weak signal never makes it fire; with too much noise its spikes tell little of it. To first order in the signal its spikes'
coherence with it is

    C(f) = |chi|^2 S_ss / (S_0 + |chi|^2 S_ss),    chi the susceptibility, S_0 the spectrum without signal, S_ss the signal's,

chi and S_0 exactly by the Fokker-Planck equation. The denominator is the spikes' spectrum to the same order. From below C bounds
the information rate: I >= - sum of log2(1 - C(f)) df over the band, which ends a little below the cut-off, where the window smears
it. Each copy has a signal of its own, scaled to the same standard deviation, the same at every sigma, so that differences between
sigmas are paired over copies; its trials share the signal. Beside the weak signal stands none (for S_0), and a strong one.

Stated beforehand. "Weak" is a signal that moves the free membrane by at most a quarter of sigma: there chi, S_0 and the bound are
those of theory, |z| < 4. At smaller sigma, and for the strong signal, the distance from linear theory is shown, and should shrink
with sigma. The weak signal's bound has its maximum inside the range of sigma. The direct method (Strong et al. 1998, doi
10.1103/PhysRevLett.80.197), which assumes no Gaussian, is nowhere below the bound.

The direct method is asked of the strong signal alone. It is information in words, and words long enough for slow changes of the
rate need more trials than anybody has. In tests before the first full run, with a signal a quarter as strong, it came out below
the bound at large sigma, as the estimate then misses what only long words show: there it says nothing about theory.

Two grasshopper receptors and, where it is present, the H1 neuron of a fly give coherence and bound of recorded neurons as points
of reference; what the grasshopper's mean is the matter of the study `grasshopper`.

Limits: letters of 3 ms, which cost the direct method some per cent at the cut-off; one neuron, one mean.
"""

from __future__ import annotations

from ..harness import verifier
from .config import CLAIM, SABOTAGES, Config
from .plots import figures, plot
from .simulation import run
from .verdicts import claims, headline, summary, tables

__all__ = [
    "CLAIM",
    "SABOTAGES",
    "Config",
    "claims",
    "figures",
    "headline",
    "plot",
    "run",
    "summary",
    "tables",
    "verify",
]

verify = verifier(claims)
