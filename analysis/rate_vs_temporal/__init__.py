"""Rate code and temporal code: information about a stimulus in spike counts and in spike times of a noisy LIF neuron.

A LIF neuron in white noise receives a subthreshold drive for 20 ms, and then for 24 ms one of several frozen Ornstein-Uhlenbeck
stimuli, each in many trials. The stimuli of a set have the same correlation time (their time scale). All cause the same standard
deviation of the free membrane potential. The responses are read out as spike count, as latency of the first spike, as words (spikes
per bin, at several resolutions), and by Victor-Purpura distances with costs of time q. The *surplus* of timing is the information
in words at the finest resolution minus that in counts. A refractory period of 4 ms keeps the number of words small enough for
the Panzeri-Treves correction with the available trials.

Hypotheses, fixed beforehand. With little noise and fast stimuli, words carry more information than counts. The surplus falls with
noise, to less than .05 bit at the largest noise. At the smallest noise it is larger for the fastest stimuli than for the slowest.
The cost at which distances have lost half of their information (1 / precision) falls with noise. Secondary: the cost with the
largest information, q_max, falls as well (the curve is flat, so its maximum is uncertain); latency carries more than the count;
the required resolution coarsens; the share of timing is smaller for slow stimuli. Quick runs with four and eight seeds showed the
difference between time scales in the mean, with intervals as wide as the difference. The numbers of seeds were chosen from their
spread, before the first full run.

The recorded neuron is a rat cortical cell with four repeats of frozen noise in eight settings of mean and standard deviation, too
few repeats for words. Windows of 150 ms serve as stimuli. They are decoded by distance, eight at a time, minus the information of
shuffled labels. These claims need the recordings and are secondary. With four repeats every estimate is biased, so the claims
concern the difference between a cost of 100 / s (chosen beforehand) and a cost of 0.

Each seed has its own stimuli, noise and shuffles. Intervals are Student's, over seeds or over groups of windows.
"""

from .config import CLAIM, SABOTAGES, Config
from .simulation import run
from .verdicts import claims, figures, headline, plot, summary

RECORDINGS = ("qsnmc2007_A",)
