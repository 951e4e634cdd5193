"""What a population of noisy neurons tells about a stimulus, when its neurons share some of their noise and when they don't.

LIF neurons in white noise are driven with mu_i = a_i + g_i s. Two stimuli lie ds apart; the spikes of a window are counted on many
trials. Linear Fisher information I = f'^T S^-1 f' says how well a linear read-out can tell the stimuli apart: d' = ds sqrt(I), and
Phi(d'/2) of the trials at best. Three populations: "private", all noise private, all gains 1; "equal", a fraction c of every
membrane's noise is common, all gains 1; "mixed", the same common noise, every fourth gain -1.

Stated beforehand. Private noise averages out, so information grows in proportion to the number of neurons. Common noise enters
where the stimulus does: sigma sqrt(2 tau_m c) xi(t) beside a drive s is a stimulus that fluctuates by 2 tau_m sigma^2 c / T in a
window T, so by data processing no number of neurons with equal gains can know more than (T + warm-up) / (2 tau_m sigma^2 c). With
gains of both signs the noise pushes all neurons one way and the stimulus doesn't, and most of the information comes back. Linear
response says how much at every size (`linear_response`): f'_i from Siegert's rate, variances CV_i^2 r_i T, covariances of rank 1.

The plug-in estimate is far too high where trials are few against neurons; the study estimates from few and from all trials. A
linear discriminant, cross-validated, must not beat the bound, and must reach what a discriminant trained on so few trials can.

Where the recordings of a salamander's retina are at hand two moments of its film are the two stimuli, and repeats the trials.

Limits: linear response is first order in c and for windows much longer than tau_m; the window is short (15 tau_m), which alone
makes several per cent. Counts are only nearly Gaussian. The retina's bins are binary, and cells that hardly fire are left out.
"""

from __future__ import annotations

from ..harness import verifier
from .config import CLAIM, SABOTAGES, Config
from .plots import figures, plot
from .simulation import run
from .verdicts import claims, summary

__all__ = ["CLAIM", "SABOTAGES", "Config", "claims", "figures", "plot", "run", "summary", "verify"]

verify = verifier(claims)
