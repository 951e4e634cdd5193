"""The four states of Brunel's sparse network by rate, irregularity, correlations and rhythm, compared with mean-field theory.

Excitatory and inhibitory leaky neurons receive synapses from a tenth of the others and external Poisson input. Relative
inhibition g and external drive eta determine the state: synchronous regular (SR), asynchronous irregular (AI), or synchronous
irregular with a fast (SI fast) or slow (SI slow) population rhythm. The network generates the noise of its neurons itself: only
the wiring and the external input are random.

Measures. Single neurons: rate, CV of intervals, Fano factor of counts in windows of 25 ms. Pairs: correlation of counts (200
neurons) in windows of a fifth to a third of the period of the rhythm, 1 ms and for SI slow 10 ms. Population: Fano factor of its
count in windows of 1 ms (1 for independent Poisson neurons), and peak of the spectrum of this count. Errors are over networks with
independent wiring and input.

Hypotheses, fixed beforehand. AI: the rate equals that of the mean field (self-consistent rates from Siegert's formula) to 5 %. SR:
every neuron fires once per cycle of the rhythm. SI: neurons fire irregularly, at less than half (SI fast) or three quarters (SI
slow) of the frequency of the rhythm, so that each skips cycles. All of these have larger population Fano factors and pair
correlations than AI. The mean field describes asynchronous firing; its rates for the other states are given for comparison.

A quick run uses a smaller network with fewer, stronger synapses (the same C_E J, 100 mV) and its own mean field. Its neurons share
more of their input (epsilon above .1), and the tolerance of the rate in AI increases in proportion. Its time step is coarser.

Limits. The mean field assumes white input. Spike trains of regular neurons have less power at low frequencies, and the CV in AI,
expected to be within 25 % of the mean field, is far lower. A neuron whose recurrent input has the spectrum of its own spikes
(Dummer, Wieland & Lindner 2014) explains this. It was added after the CV of the mean field had failed, and has no fitted
parameters. Its rate is 2 % below that of the network, so the better agreement of the mean field is partly chance. SI slow has
few cycles per run. In AI a finite network has a damped rhythm and correlations of order epsilon, which both fall with its size
at a fixed number of synapses. Therefore AI and SI are distinguished by comparison and not by a threshold.
"""

from .config import CLAIM, SABOTAGES, Config
from .simulation import pair_correlation, population_counts, run
from .verdicts import claims, figures, headline, plot, summary
