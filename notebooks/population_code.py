# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # How much do many noisy neurons know?
#
# One noisy neuron is a poor witness. Ask a hundred of them and average, and the noise should go away: that is the simplest
# argument for why brains use populations. It holds only if the neurons' errors are independent. Neurons that share inputs share
# noise, and what all have in common no average removes. This study asks when shared noise sets a limit to what a population can
# know, when it doesn't, and what goes wrong when one estimates that from recordings.

# %%
import sys

sys.path.insert(0, "..")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from brian2 import ms, mV
from scipy import stats

import nsnn_neuro as nsnn
from analysis import harness
from analysis import population_code as study
from nsnn_neuro import measures, theory

pd.set_option("display.max_colwidth", None)

plt.switch_backend(plt.get_backend())  # at once, so that the studies' figures are drawn below their cells

# %% [markdown]
# ## The question in numbers
#
# Two stimuli $s_1$ and $s_2$ lie $ds$ apart. On each trial we count every neuron's spikes in one window; the counts of $N$
# neurons form a vector with mean $f(s)$ and covariance $S$. The best weighted sum of counts tells the two stimuli apart with
#
# $$ d' = ds\,\sqrt{I}, \qquad I = f'^{\top} S^{-1} f', $$
#
# and is right in a fraction $\Phi(d'/2)$ of trials ($\Phi$ is the normal distribution function). $I$ is the *linear Fisher
# information*. For independent neurons $S$ is diagonal, $I$ is a sum over neurons and grows in proportion to $N$.
#
# The neurons here are leaky integrate-and-fire neurons in white noise, driven with $\mu_i = a_i + g_i s$. A fraction $c$ of
# each membrane's noise can be common to all. Three populations are compared: private noise; common noise with all gains $g_i =
# 1$; common noise where every fourth gain is $-1$.
#
# ## A bound from theory
#
# Common noise enters a neuron exactly where the stimulus does. In a window $T$ the common part, $\sigma\sqrt{2\tau_m
# c}\,\xi(t)$, looks like a stimulus that is off by a random amount of variance $2\tau_m\sigma^2 c/T$. Neurons with equal gains
# cannot tell this from the true stimulus, so however many there are,
#
# $$ I \le \frac{T + \text{warm-up}}{2\,\tau_m\,\sigma^2\,c}. $$
#
# Such correlations are called *information-limiting*. With gains of both signs, noise moves all neurons the same way and the
# stimulus doesn't: the two can be told apart, and the bound no longer applies.

# %%
config = study.Config(quick=True)
table = harness.result(study, config)
print(f"bound of equal gains: {config.bound:.2f} per mV^2")

# %% [markdown]
# ## Verdicts
#
# Each claim was written down before the full run. The central ones decide over the study. A quick run, as here, has few
# populations and trials, so its intervals are wide.

# %%
harness.verdicts(study.claims(table))

# %% [markdown]
# ## What it looks like
#
# **Left**: information against the number of neurons, both axes logarithmic, so that proportional growth is a straight line of
# slope 1. Points are estimates from simulated counts, lines are linear response theory, which knows only each neuron's rate,
# its slope and its irregularity. Private noise and gains of both signs follow the straight line; equal gains bend and stay
# below the dotted bound.
#
# **Middle**: what a common short-cut costs. If each neuron's trials are put in a random order of their own, correlations are
# gone while every single neuron is as before. The shuffled information is divided by the true one; at 1 correlations don't
# matter. For equal gains in shared noise it rises without end: who records neurons one by one and adds them up believes in
# information that isn't there.
#
# **Right**: a decoder, trained on some trials and tested on others, against the most that a linear read-out can get right. It
# must stay at or below the line. How far below is the price of training on few trials, which grows with the number of neurons.

# %%
figures = study.figures(table)
captions = list(figures)
figures[captions[0]]

# %%
study.summary(table)

# %% [markdown]
# ## Estimating it from few trials
#
# Put sample means and a sample covariance into the formula and the result is too large, far too large when trials aren't many
# times the neurons: the inverse of a noisy covariance is too big, and noise in the means looks like signal. For $T$ trials of
# each stimulus the corrected estimate (Kanitscheider and others, 2015) is
#
# $$ \hat I = \hat f'^{\top}\hat S^{-1}\hat f'\;\frac{2T-N-3}{2T-2} - \frac{2N}{T\,ds^2}. $$
#
# The left panel below shows both at several numbers of trials, and the value from all trials as a dotted line. Where recordings
# of a salamander's retina are at hand, a second panel shows the same question put to real cells: two moments of a film are the
# two stimuli, and repeats of the film are the trials. If the two curves lie on each other, the cells' noise correlations play
# no part over the sizes recorded. That says nothing about far larger populations: a limit shows only where it begins to bind.

# %%
figures[captions[1]]

# %% [markdown]
# ## Do it yourself, live
#
# Forty neurons, two stimuli, from the public functions alone. `point` gives each call noise of its own.

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
# The correlation of two neurons' counts, and what linear response expects of it:

# %%
found = measures.noise_correlation(counts[0])
pairs = found[np.triu_indices(neurons, 1)]
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
# ## What was found, and what not
#
# A small correlation, of a size found in cortex, is harmless between two neurons and decisive among many, if it points where
# the stimulus points. Its size alone says nothing: the population with gains of both signs has pairs as correlated as the
# other, and loses little. The theory here is of first order in $c$ and for windows much longer than the membrane's time
# constant; the window of this study is fifteen of them, which makes a few per cent. Only linear read-outs were asked for.
#
# The full run has more populations, more trials and 64 neurons; from the repository's root:
#
# ```
# python -m analysis population_code
# ```
#
# ## Try it
#
# Change a number, run the cell again.

# %%
# 1. How does theory's information depend on the shared fraction? Try other fractions, and config with another window.
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
# 4. Weights of the best read-out: f' divided by the covariance. Use other drives above, and look again.
slope = (counts[1].mean(axis=0) - counts[0].mean(axis=0)) / ds
weights = np.linalg.solve((np.cov(counts[0].T) + np.cov(counts[1].T)) / 2, slope)
figure, ax = plt.subplots(figsize=(6, 2.5), layout="constrained")
ax.bar(np.arange(neurons), weights, color="#0072B2")
ax.axhline(0, color="black", lw=0.8)
_ = ax.set(xlabel="neuron", ylabel="weight (1/(spike mV))")
