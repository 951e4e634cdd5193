"""Signal transmission by a noisy neuron: coherence, information rate and the direct method, compared with theory.

A LIF neuron with a mean drive below threshold and white noise (sigma) receives a Gaussian signal with a flat spectrum up to a
cut-off. Without noise a weak signal never makes it fire; with strong noise its spikes carry little information. To first order in
the signal, the coherence between spikes and signal is

    C(f) = |chi|^2 S_ss / (S_0 + |chi|^2 S_ss),    chi the susceptibility, S_0 the spectrum without signal, S_ss the signal's,

where chi and S_0 are exact solutions of the Fokker-Planck equation. To the same order the denominator is the spectrum of the
spikes. C gives a lower bound of the information rate, I >= - sum of log2(1 - C(f)) df over the band. The band ends slightly
below the cut-off, where the window smears it. Each copy of the neuron has its own signal, scaled to a fixed standard deviation
and used at every sigma, so that differences between sigmas are paired over copies. Trials of a copy share the signal. There are
three signals: weak, strong, and none (for S_0).

Hypotheses, fixed beforehand. A signal is "weak" if it moves the free membrane by at most a quarter of sigma. Then chi, S_0 and the
bound equal theory, |z| < 4. At smaller sigma, and for the strong signal, the distance from linear theory is reported and should
shrink with sigma. The bound for the weak signal has its maximum inside the range of sigma. The direct method (Strong et al. 1998,
doi 10.1103/PhysRevLett.80.197), which makes no Gaussian assumption, is nowhere below the bound.

The direct method is applied to the strong signal only. It measures information in words, and words that are long enough for slow
changes of the rate need too many trials. In tests before the first full run, with a quarter of the signal, its estimate was below
the bound at large sigma because it missed slow components. There it would not test theory.

Recordings of two grasshopper receptors and, if available, of the H1 neuron of a fly serve as references for coherence and bound.
The study `grasshopper` explains the grasshopper recordings.

Limits: bins of 3 ms, which cost the direct method some per cent at the cut-off; a single neuron with a single mean.
"""

from .config import CLAIM, SABOTAGES, Config
from .recorded import tables
from .simulation import bound_of, linear_coherence, run
from .verdicts import claims, figures, headline, plot, summary

RECORDINGS = ("fly_H1",)
