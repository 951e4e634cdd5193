"""Evaluation of a noisy LIF model of a grasshopper auditory receptor on recordings that calibration did not use.

The membrane is driven by the sound level (dB, standardised with the first half): drive(t) = offset + gain level(t - delay). Six
parameters (gain, offset, delay, sigma, tau_m, refractory period) are calibrated on the first half of the spikes by a
cross-entropy search: it simulates a batch of candidates, keeps the best, and draws the next batch around them. The objective is
the mean log-likelihood of the recorded spikes (nats per spike), the sum of two proper scores: of spike times under the
trial-averaged rate of the model, and of intervals under the interval distribution of the model. The spikes of the second half
are read after the parameters are fixed.

Two deterministic models are evaluated as well. "deterministic" has the parameters of the noisy model with sigma 0. "refitted
deterministic" is calibrated with sigma 0 under the same objective and budget. Noise therefore gets no credit for what a better
calibration of a deterministic neuron achieves.

Each recording is a single trial, so measures that need several trials are not available for the cell. The spread of a model is
the SD over single trials. The cell adapts over the ten seconds (its rate falls and its shortest intervals grow); the models do
not adapt.
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
