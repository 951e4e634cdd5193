"""Evaluation of a noisy model of a grasshopper auditory receptor on recordings that calibration did not use.

The sound level (dB, standardised with the first half) passes a receptor that saturates and adapts: r = 1 / (1 + exp(-(level -
middle) / width)), drive(t) = offset + gain (r(t - delay) - adaptation mean(t - delay)), `mean` a running average of r over
tau_adaptation. The drive feeds a leaky membrane with a slow current that grows at each spike and decays over seconds, as the
cell adapts over the ten seconds. Noise is in the spike generation (escape noise): the hazard is 1 kHz at the threshold and
grows e-fold in 1 mV, so that all voltages are relative to the noise. Ten parameters maximise the likelihood of the spikes of
the first half (`nsnn.calibrate`). Structure, bounds, start and the reset, on which the likelihood hardly depends, were chosen
by the likelihood of first halves. Some things changed after a first look at second halves, most in favour of the rivals:
where the calibration starts, as the likelihood of the first half of recording 2 has two maxima; a longer history of the GLM;
for the LIF the likelihood in place of a search by simulation; for the neuron without noise more generations, until the
objective on first halves stops to rise. The spikes of the second half are read after the parameters are fixed. Simulations of
the second half begin with the slow current that the recorded spikes of the first half left.

Two deterministic models are evaluated as well. "deterministic" has the parameters of the noisy model without the noise: a spike
at the threshold. "refitted deterministic" is the same neuron, calibrated without noise by differential evolution around the
parameters of the noisy model. As a deterministic neuron gives most recorded spikes the probability 0, its objective is a kernel
likelihood (nats per spike), the sum of two proper scores: of spike times under the trial-averaged rate of the model, and of
intervals under the interval distribution of the model. All models are compared by it on the second half.

Two more noisy models stand beside. "LIF" is a leaky integrate-and-fire neuron with the same kind of noise, without adaptation and
saturation: gain, offset and delay, calibrated by likelihood like the main model. "GLM" is a Poisson GLM with history of up to
3 s; its bases and ridge are chosen by cross-validation within the first half. Bits per spike are those of the probability of a
spike in each bin of 0.2 ms given the spikes recorded before, over a constant rate. They are equally defined for the three noisy
models.

Each recording is a single trial, so measures that need several trials are not available for the cell. The spread of a model is
the SD over single trials.
"""

from __future__ import annotations

from ..harness import verifier
from .config import CLAIM, SABOTAGES, Config
from .plots import figures, plot
from .simulation import run
from .verdicts import claims, headline, summary, tables

__all__ = [
    "CLAIM", "SABOTAGES", "Config", "claims", "figures", "headline", "plot", "run", "summary", "tables", "verify",
]  # fmt: skip

verify = verifier(claims)
