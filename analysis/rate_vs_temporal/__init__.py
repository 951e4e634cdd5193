"""Rate code against temporal code: what a noisy LIF's spikes tell about a stimulus, by their number and by their times.

A LIF in white noise rests below threshold for 20 ms and is then shown, for 24 ms, one of several frozen Ornstein-Uhlenbeck paths,
many times each. Paths of one set have one correlation time (the stimulus's time scale), and all shake the free membrane with the
same standard deviation. The same answers are read as the number of spikes, as the time of the first, as words (spikes per bin, at
several resolutions), and through Victor and Purpura's distance at costs of time q. The surplus of timing is the words' information
at the finest resolution less the count's. Refractoriness (4 ms) keeps the number of words small enough for Panzeri and Treves'
correction with the trials at hand.

Stated beforehand: with little noise and fast stimuli words tell more than counts; the surplus falls with noise and is gone (below
.05 bit) where there is most; at the least noise it is larger for the fastest stimuli than for the slowest; the cost at which
distances lose half of what they tell, 1 / precision, falls with noise. Not central: that the cost of most information, q_max,
falls too (that curve is flat, its maximum may lie anywhere), that a latency beats the count, that the resolution needed coarsens,
that timing's share is smaller for slow stimuli. Quick runs with four and eight seeds had that difference between time scales
in the mean, with intervals as wide as itself; from their spread the numbers of seeds were chosen, before the first full run.

The recorded neuron (a rat's cortical cell under four repeats of frozen noise, eight settings of its mean and standard deviation)
has too few repeats for words: windows of 150 ms are stimuli, told apart eight at a time by distance, with the information of
shuffled labels taken off. Its claims stand only where the recordings are at hand, and none is central. Four repeats give no value
without bias; the difference between a cost of 100 / s (chosen beforehand) and none is what is looked at.

Each seed has stimuli, noise and shuffles of its own; intervals are Student's over seeds, of the recording over groups of windows.
"""

from __future__ import annotations

from ..harness import verifier
from .config import CLAIM, SABOTAGES, Config
from .plots import figures, plot
from .simulation import run
from .verdicts import claims, headline, summary

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
    "verify",
]

verify = verifier(claims)
