"""What noise does to the repeatability of spikes, and what the input's fluctuations do to it.

A LIF neuron with white noise of its own (sigma, the free membrane's standard deviation) gets one current again and again: a
constant one, or one frozen path of an Ornstein-Uhlenbeck process about the same mean, of growing standard deviation
("fluctuation"). That is the experiment of Mainen & Sejnowski 1995 (doi 10.1126/science.7770778). Each seed is another path, the
same one at all fluctuations and sigmas, so that differences are paired over seeds. Measured across trials, after a warm-up:

- Fano factor of the count; Schreiber's reliability; the coincidence factor Gamma, which is corrected for chance
- firing events, and the standard deviation (jitter) of the time of their first spike
- CV of the intervals, of which under a constant current Siegert's theory knows the value

Stated beforehand. Reliability and Gamma fall with sigma and rise with the fluctuation, jitter grows with sigma: slopes whose 95 %
intervals over seeds lie on one side of 0. The twin without noise has no variability at all. Under a constant current the intervals
are those of a renewal process, so the CV is Siegert's and the time of the n-th spike spreads with sqrt(n); |z| < 4 for both.
Under the strongest fluctuation a train can be irregular and repeatable at once: a Fano factor below CV^2, which a renewal process
reaches over long times.

Changed after the first full run: Schreiber's reliability was to fall with sigma under every fluctuating input, and under the
weakest one it didn't. It isn't corrected for chance, and chance grows with the rate, which sigma raises. The central claim now
concerns the two strongest fluctuations; the first form stays among the claims that aren't central, and fails.

Where the recordings of a rat's cortical neuron are present (challenge A of the 2007 competition, four repeats of each of 8 frozen
currents), it is measured in the same way, beside a LIF in the same currents: see `_variability_cell`. Its claims are not central:
8 settings of one cell differ in mean as well as in standard deviation.

Limits: one mean, just above threshold. Jitter is asked of the two strongest fluctuations only, and of the sigmas at which every
seed has firing events (peaks of three times the mean rate): weak fluctuations and strong noise leave none. Intervals that start
within 0.4 s of a trial's end aren't used for the CV, or long ones would be missing.
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
