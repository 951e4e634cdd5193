"""A noisy LIF against a grasshopper's auditory receptor: calibrated on one half of a recording, judged on the other.

The membrane is driven by the sound's level (dB, standardised by the first half): drive(t) = offset + gain level(t - delay).
Six parameters (gain, offset, delay, sigma, tau_m, refractoriness) are calibrated on the first half of the spikes by a cross-entropy
search: a batch of candidates is simulated at once, the best are kept, the next batch is drawn around them. The objective is the
mean log-likelihood of the recorded spikes (nats per spike), a sum of two proper scores: of their times under the model's
trial-averaged rate, and of their intervals under the model's intervals. The second half's spikes are read after the parameters are
frozen.

Beside the noisy model stand its deterministic twin (the same parameters, sigma 0) and a refitted twin (calibrated with sigma 0
under the same objective and budget), so that noise isn't credited with what a better calibration of a noiseless cell could do.

The recording is one pass, so whatever needs several trials doesn't exist for the cell; a model's spread is the SD of one pass. The
cell adapts over its ten seconds (its rate falls and its shortest intervals grow); none of the models can.
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
