"""Brunel's sparse network in its four states, told apart by rate, irregularity, correlations and rhythm, beside its mean field.

Excitatory and inhibitory leaky neurons, each with synapses from a tenth of the others and Poisson input from outside. Inhibition g
and external drive eta decide how the network fires: all together and regularly (SR), irregularly and nearly independently (AI), or
irregularly in a population rhythm that is fast (SI fast) or slow (SI slow). The neurons' noise is made by the network itself: its
wiring is random, nothing else is.

What tells the states apart. Of single neurons: rate, CV of intervals, Fano factor of counts in windows of 25 ms. Of pairs:
correlation of counts (200 neurons), in windows of a fifth to a third of the rhythm's period, 1 ms and for SI slow 10 ms. Of the
population: the Fano factor of its count in windows of 1 ms, 1 for independent Poisson neurons, and the peak of the count's
spectrum. Errors are over networks, wired and driven anew.

Stated beforehand. AI: the rate is that of the mean field (self-consistent rates from Siegert's formula) to 5 %. SR: every neuron
fires once in every cycle of the rhythm. SI: neurons fire irregularly, at less than half (SI fast) or three quarters (SI slow) of
the rhythm's frequency, so that each takes part in some cycles only. All of these have larger population Fano factors than AI, and
more correlated pairs. The mean field describes asynchronous firing; its rates for the other states are shown for comparison.

A quick run has a smaller network with fewer, stronger synapses (C_E J is the same, 100 mV), whose mean field is its own. Its
neurons share more of their input, epsilon in place of .1, and the tolerance of the rate in AI grows in that proportion; its time
step is coarser.

Limits: the mean field takes the input for white noise. Spikes of neurons that fire regularly have less power at low frequencies,
and the CV in AI, expected to be that of the mean field to 25 %, is far lower. A neuron whose recurrent input has the spectrum of
its own spikes (Dummer, Wieland & Lindner 2014) tells why: it was asked when the mean field's CV had failed, and nothing in it is
fitted. Its rate is 2 % below the network's, so that the mean field's better one is partly chance. SI slow has few cycles in a
run. In AI a finite network has a damped rhythm, and correlations of order epsilon; both fall with its size at a fixed number of
synapses, so that AI and SI are told apart by comparison, not by a threshold.
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
