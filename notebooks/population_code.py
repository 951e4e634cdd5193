# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Information in populations of noisy neurons
#
# A single noisy neuron carries little information. Averaging over a hundred neurons should remove the noise: this is
# the simplest argument for population codes. It holds only if the errors of the neurons are independent. Neurons with
# common inputs share noise, and averaging does not remove what is common. This study asks when shared noise limits the
# information in a population, when it does not, and how estimates from recordings go wrong.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from brian2 import ms, mV
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory
from nsnn_neuro.studies import full_runs, harness
from nsnn_neuro.studies import population_code as study
from nsnn_neuro.studies.shared import recordings

pd.set_option("display.max_colwidth", None)

plt.switch_backend("module://matplotlib_inline.backend_inline")  # figures appear below their cells

# %% [markdown]
# ## Linear Fisher information
#
# Two stimuli $s_1$ and $s_2$ differ by $ds$. On each trial the spikes of every neuron are counted in a window. The
# counts of $N$ neurons form a vector with mean $f(s)$ and covariance $S$. The best weighted sum of counts distinguishes
# the stimuli with
#
# $$ d' = ds\,\sqrt{I}, \qquad I = f'^{\top} S^{-1} f', $$
#
# and is correct in a fraction $\Phi(d'/2)$ of trials ($\Phi$ is the normal distribution function). $I$ is the *linear
# Fisher information*. For independent neurons $S$ is diagonal, and $I$ is a sum over neurons, proportional to $N$.
#
# The neurons are leaky integrate-and-fire neurons in white noise with drive $\mu_i = a_i + g_i s$. A fraction $c$ of
# the membrane noise can be common to all. The study compares three populations: private noise; common noise with all
# gains $g_i = 1$; common noise where every fourth gain is $-1$.
#
# ## A theoretical bound
#
# Common noise acts like the stimulus. In a window $T$ the common part, $\sigma\sqrt{2\tau_m c}\,\xi(t)$, looks like a
# stimulus with a random error of variance $2\tau_m\sigma^2 c/T$. Neurons with equal gains cannot distinguish it from
# the true stimulus, so for any number of neurons
#
# $$ I \le \frac{T + \text{warm-up}}{2\,\tau_m\,\sigma^2\,c}. $$
#
# Such correlations are called *information-limiting*. With gains of both signs, noise moves all neurons in the same
# direction and the stimulus does not. The two can be distinguished, and the bound does not apply.

# %%
config = study.Config(quick=True)
table = harness.result(study, config)
print(*recordings.absent(study.RECORDINGS, "This notebook leaves out"), sep="\n")
print(f"bound for equal gains: {config.bound:.2f} per mV^2")

# %% [markdown]
# ## Verdicts
#
# Those of the full run. All claims were fixed before it, and central claims decide about the study. The figures and the
# summary below are those of a quick run with few populations and trials, whose intervals are wide.

# %%
full_runs.verdicts("population_code")

# %% [markdown]
# ## How to read the figure
#
# **Left**: information against the number of neurons on logarithmic axes, so that proportional growth is a straight
# line with slope 1. Points are estimates from simulated counts. Lines are linear response theory, which only uses rate,
# slope and irregularity of each neuron. Private noise and gains of both signs follow the straight line; equal gains
# saturate below the dotted bound.
#
# **Middle**: the error of a common shortcut. Permuting the trials of each neuron independently removes correlations and
# leaves single neurons unchanged. The panel shows shuffled over true information; at 1, correlations do not matter. For
# equal gains in shared noise the ratio keeps rising: recordings of one neuron at a time suggest information that does
# not exist.
#
# **Right**: correct trials of a cross-validated decoder, and the upper bound of a linear readout. The decoder must be
# at or below the line. The difference is the cost of training on few trials, which grows with the number of neurons.

# %%
figures = study.figures(table)
captions = list(figures)
figures[captions[0]]

# %%
study.summary(table)

# %% [markdown]
# ## Estimating it from few trials
#
# With sample means and a sample covariance in the formula, the result is far too large unless there are many more
# trials than neurons: the inverse of a noisy covariance is too large, and noise in the means looks like signal. For $T$
# trials of each stimulus the corrected estimate (Kanitscheider et al. 2015) is
#
# $$ \hat I = \hat f'^{\top}\hat S^{-1}\hat f'\;\frac{2T-N-3}{2T-2} - \frac{2N}{T\,ds^2}. $$
#
# The left panel shows both estimates for several numbers of trials, and the value from all trials as a dotted line.
# If recordings of a salamander retina are available (a cell above says where to get them), a second panel shows the
# same analysis for real cells: two moments of a film are the stimuli, and repeats of the film are the trials. If the
# two curves coincide, noise correlations play no role for the recorded numbers of cells. This does not exclude a
# limit for far larger populations.

# %%
figures[captions[1]]

# %% [markdown]
# ## An example
#
# Forty neurons and two stimuli, with public functions only. `point` gives each call independent noise.

# %%
cell = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
ds, trials, neurons = 1.0, 100, 40
counts = [
    measures.as_trains(
        nsnn.simulate(
            cell,
            nsnn.WhiteNoise(3.5 * mV, shared=0.2),
            nsnn.Constant(drive * mV),
            n_neurons=neurons,
            trials=trials,
            duration=360 * ms,
            dt=1 * ms,
            seed=1,
            point=k,
            engine="numpy",
        ),
        t_start=60 * ms,
    ).counts
    for k, drive in enumerate((19.5, 20.5))
]
together = measures.linear_fisher_information(*counts, ds, n_shuffle=0)
apart = measures.linear_fisher_information(*counts, ds, n_shuffle=0, shuffled=True)
print("together:", together)
print("shuffled:", apart)

# %% [markdown]
# The mean correlation of the counts of two neurons, and the prediction of linear response:

# %%
correlation = measures.noise_correlation(counts[0])
pairs = correlation[np.triu_indices(neurons, 1)]
params = {"tau_m": 20 * ms, "v_thresh": 20 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms}
at = (19.5 * mV, 3.5 * mV)
expected = theory.count_correlation(
    0.2,
    3.5 * mV,
    tau_m=20 * ms,
    gain=theory.siegert_gain(*at, **params),
    rate=theory.siegert_rate(*at, **params),
    cv=theory.siegert_cv(*at, **params),
)
print(f"mean of {pairs.size} pairs {pairs.mean():.3f}, linear response for long windows {expected:.3f}")

# %% [markdown]
# ## Results and limits
#
# A small correlation, as found in cortex, is harmless between two neurons and decisive among many if it points in the
# direction of the stimulus. Its size alone says nothing: the population with gains of both signs has equally correlated
# pairs and loses little. The theory is first order in $c$ and assumes windows much longer than the membrane time
# constant; the window of this study is fifteen time constants, which causes an error of a few per cent. Only linear
# readouts were considered.
#
# The full run has more populations, more trials and 64 neurons; in a terminal:
#
# ```
# nsnn study population_code
# ```
#
# ## Try it
#
# Change a number, run the cell again.

# %%
# 1. How does the predicted information depend on the shared fraction? Try other fractions, and config with another window.
drive, gain = np.linspace(17, 23, 64), np.ones(64)
for shared in (0.0, 0.01, 0.05, 0.2):
    print(shared, round(study.linear_response(config, drive, gain, shared)[0], 2))

# %%
# 2. How many gains must be negative for the information to come back? Change `step`.
step = 8
gain = np.where(np.arange(64) % step == step - 1, -1.0, 1.0)
print(study.linear_response(config, drive, gain, 0.2)[0])

# %%
# 3. What does a decoder lose by training? Change the number of trials.
for trials_of_each in (40, 100, 1000, 100000):
    print(
        trials_of_each, round(study.trained(2.0, 32, trials_of_each), 4), "of", round(stats.norm.cdf(1.0), 4)
    )

# %%
# 4. Weights of the best readout: f' divided by the covariance. Use other drives above, and look again.
slope = (counts[1].mean(axis=0) - counts[0].mean(axis=0)) / ds
weights = np.linalg.solve((np.cov(counts[0].T) + np.cov(counts[1].T)) / 2, slope)
figure, ax = plt.subplots(figsize=(6, 2.5), layout="constrained")
ax.bar(np.arange(neurons), weights, color="#0072B2")
ax.axhline(0, color="black", lw=0.8)
_ = ax.set(xlabel="neuron", ylabel="weight (1/(spike mV))")
