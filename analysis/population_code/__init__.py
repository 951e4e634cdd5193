"""Information about a stimulus in a population of noisy neurons, with private and with shared noise.

LIF neurons in white noise are driven by mu_i = a_i + g_i s. Two stimuli differ by ds, and spikes are counted in a window on many
trials. The linear Fisher information I = f'^T S^-1 f' determines how well a linear readout distinguishes the stimuli: d' = ds
sqrt(I), with at most Phi(d'/2) of the trials correct. There are three populations. "private": all noise private, all gains 1.
"equal": a fraction c of the membrane noise is common, all gains 1. "mixed": the same common noise, every fourth gain -1.

Hypotheses, fixed beforehand. Private noise averages out, so information is proportional to the number of neurons. Common noise acts
like a stimulus: sigma sqrt(2 tau_m c) xi(t) added to a drive s is a stimulus that fluctuates by 2 tau_m sigma^2 c / T in a
window T. By the data processing inequality, neurons with equal gains cannot carry more than (T + warm-up) / (2 tau_m sigma^2 c),
whatever their number. With gains of both signs the noise moves all neurons in one direction and the stimulus does not, so that
most of the information is recovered. Linear response predicts the information at every size (`linear_response`): f'_i from
Siegert's rate, variances CV_i^2 r_i T, covariances of rank 1.

The plug-in estimate is far too high if trials are few compared with neurons, so the study compares estimates from few trials with
those from all. A cross-validated linear discriminant must not exceed the bound, and must reach what is expected for a discriminant
trained on so few trials.

If the recordings of a salamander retina are available, two moments of its film serve as stimuli, and repeats as trials.

Limits. Linear response is first order in c and assumes windows much longer than tau_m; the window of 15 tau_m alone causes several
per cent of error. Counts are only approximately Gaussian. The bins of the retina are binary, and cells that rarely fire are
excluded.
"""

from .config import CLAIM, SABOTAGES, Config
from .simulation import linear_response, run, trained
from .verdicts import claims, figures, plot, summary

RECORDINGS = ("salamander_retina_movie",)
