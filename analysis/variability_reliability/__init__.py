"""Effects of noise and of input fluctuations on the repeatability of spikes.

A LIF neuron with intrinsic white noise (sigma, standard deviation of the free membrane potential) receives the same current in many
trials. The current is constant, or a frozen path of an Ornstein-Uhlenbeck process with the same mean and increasing standard
deviation (the "fluctuation"), as in Mainen & Sejnowski 1995 (doi 10.1126/science.7770778). Each seed has another path, which is
used at all fluctuations and sigmas, so that differences are paired over seeds. Measures across trials, after a warm-up:

- Fano factor of the count; Schreiber's reliability; coincidence factor Gamma, which is corrected for chance
- firing events, and the standard deviation (jitter) of the time of their first spike
- CV of the intervals, which under a constant current follows from Siegert's theory

Hypotheses, fixed beforehand. Reliability and Gamma fall with sigma and rise with the fluctuation, and jitter grows with sigma:
the 95 % intervals of the slopes over seeds exclude 0. The deterministic neuron (sigma 0) has no variability at all. Under a
constant current the intervals form a renewal process, so that the CV equals Siegert's and the time of the n-th spike spreads
with sqrt(n), |z| < 4 for both. Under the strongest fluctuation a train can be irregular and repeatable at once: its Fano factor
is below CV^2, the value of a renewal process over long times.

Change after the first full run. Originally Schreiber's reliability had to fall with sigma under every fluctuating input. It did not
under the weakest one: this measure is not corrected for chance, and chance coincidences grow with the rate, which rises with
sigma. The central claim now concerns the two strongest fluctuations. The original claim is reported as a secondary claim, and
fails.

If the recordings of a rat cortical neuron are available (challenge A of the 2007 competition, four repeats of 8 frozen currents),
the cell is analysed in the same way, together with a LIF neuron in the same currents (`shared.cortical_cell`). These claims are
secondary, since the 8 settings of one cell differ in mean as well as in standard deviation.

Limits. The study uses one mean, just above threshold. Jitter is evaluated for the two strongest fluctuations, and at values of
sigma where every seed has firing events (peaks of three times the mean rate); weak fluctuations and strong noise leave none.
Intervals that start within 0.4 s of the end of a trial are excluded from the CV, because long ones would be missing.
"""

from ..shared.cortical_cell import tables
from .config import CLAIM, SABOTAGES, Config
from .simulation import run
from .verdicts import claims, figures, headline, plot, summary

RECORDINGS = ("qsnmc2007_A",)
