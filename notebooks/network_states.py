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
# # Four ways in which a network of noisy neurons fires
#
# Put ten thousand simple neurons together at random, let most excite and some inhibit each other, and drive all of them with
# the same amount of random input. How will they fire? Brunel (2000) found that two numbers decide: how strong inhibition is,
# and how strong the drive is. Neurons fire in step or independently, like clocks or at random, and these two questions have
# separate answers: there are populations with a clear rhythm whose single neurons look random.
#
# This study simulates one network of each kind and asks whether measures of single neurons, of pairs and of the population tell
# the four apart, and how far a theory gets that knows nothing of single spikes.

# %%
import sys
import warnings

sys.path.insert(0, "..")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from brian2 import Hz, ms, mV

import nsnn_neuro as nsnn
from analysis import harness
from analysis import network_states as study
from nsnn_neuro import measures, theory

pd.set_option("display.max_colwidth", None)

plt.switch_backend(plt.get_backend())  # at once, so that the studies' figures are drawn below their cells

# %% [markdown]
# ## The network
#
# Each leaky integrate-and-fire neuron has $C_E$ excitatory synapses of weight $J$, $C_E/4$ inhibitory ones of weight $-gJ$, and
# Poisson input from outside at $\eta$ times the rate that alone would bring its mean to threshold.
#
# | state | $g$ | $\eta$ | the population | a neuron |
# |---|---|---|---|---|
# | SR, synchronous regular | 3 | 2 | in step | like a clock |
# | AI, asynchronous irregular | 5 | 2 | steady | at random |
# | SI fast, synchronous irregular | 6 | 4 | fast rhythm | at random |
# | SI slow, synchronous irregular | 4.5 | 0.9 | slow rhythm | at random |
#
# ## The mean field
#
# If neurons fire independently, the input of each is nearly white noise, whose mean and variance follow from the common rate
# $\nu$:
#
# $$ \mu = C_E J\tau\,[\nu_{ext} + \nu\,(1 - g/4)], \qquad \sigma_B^2 = C_E J^2\tau\,[\nu_{ext} + \nu\,(1 + g^2/4)]. $$
#
# A neuron with this input has the rate that Siegert's formula gives, $\nu = \Phi(\mu, \sigma_B)$, and that rate must be the
# $\nu$ one began with. The solution is the mean-field rate. It supposes asynchronous firing, so in a state with a rhythm it is
# something to compare with, no prediction.

# %%
table = harness.result(study, study.Config(quick=True))
study.headline(table)

# %% [markdown]
# ## Verdicts
#
# Central claims decide; the others are expectations that were put to the data too and are shown whichever way they came out. A
# quick run has a smaller network with fewer and stronger synapses, whose mean field is its own, and only two networks of each
# state.

# %%
harness.verdicts(study.claims(table))

# %% [markdown]
# ## What it looks like
#
# **Above**: each column is a state. Dots are spikes of fifty neurons, below is the rate of the whole population in steps of 1
# ms. In a state with a rhythm the rate goes up and down; whether a neuron keeps time with it is seen in its row of dots only.
#
# **Below, from the left**: the *spectrum* of the population's count, divided by what independent Poisson neurons would have; a
# rhythm is a peak. The *correlation of pairs*: how much two neurons' counts go up and down together, depending on how long one
# counts. A fast rhythm is seen with short windows only, for a long one holds several cycles and levels them; a slow rhythm
# needs long ones. The *CV* of intervals (0 for a clock, 1 for a Poisson process) against the population's *Fano factor*
# (variance over mean of its count; 1 for independent Poisson neurons): irregularity and synchrony are two things. Last, the
# rate over the mean field's.

# %%
study.plot(table)

# %%
study.summary(table)

# %% [markdown]
# ## A network of your own, live
#
# A small asynchronous network: its mean field first, then a simulation. A neuron with fewer than two intervals has no CV, which
# the package warns of; here such neurons are left out, and the warning is switched off.

# %%
warnings.simplefilter("ignore", measures.SilentNeuronWarning)
size = {"n_e": 1000, "n_i": 250, "epsilon": 0.2, "J": 0.5 * mV}
print("mean-field rates (Hz):", theory.brunel_rates(g=5, eta=2, **size).round(1))
net = nsnn.brunel(g=5, eta=2, seed=1, **size)
block = nsnn.simulate(net, duration=300 * ms, dt=0.25 * ms, seed=1, engine="numpy")
trains = measures.as_trains(block, t_start=100 * ms)
print(f"simulated: {measures.firing_rate(trains).mean():.1f} Hz")
print(f"CV of intervals {np.nanmean(measures.cv(trains)):.2f}")
print(f"Fano factor of counts in 25 ms {np.nanmean(measures.fano_factor(trains, window=25 * ms)):.2f}")
print(f"correlation of pairs, 5 ms: {study.pair_correlation(trains, 5e-3):.3f}")

# %% [markdown]
# ## What was found, and what not
#
# Rhythm and irregularity are separate: in both SI states the population has a clear rhythm, and each neuron takes part in some
# of its cycles only, seemingly at random. In the asynchronous state the mean field gives the rate. It was also expected to give
# the CV to a quarter of its value; read in the verdicts above whether it does. There is a reason why it needn't: the theory
# takes input for white noise, while spikes of fairly regular neurons have less power at low frequencies. One of the verdicts
# tells whether that is it: neurons are simulated in noise with the spectrum of their own spikes, found by turns, and have a CV.
#
# No network of finite size is wholly asynchronous. Neurons that share a tenth of their input are correlated a little, and this
# is enough for a small rhythm. So states are told apart by comparison, not by a threshold.
#
# The full run has networks of 12,500 neurons, three of each state; from the repository's root:
#
# ```
# python -m analysis network_states
# ```
#
# ## Try it
#
# Change a number, run the cell again.

# %%
# 1. The mean field over the strength of inhibition. Where does the rate drop, and why there? Change eta.
g = np.linspace(3, 7, 17)
rates = [theory.brunel_rates(g=strength, eta=2.0)[-1] for strength in g]
fig, ax = plt.subplots(figsize=(4.5, 2.8), layout="constrained")
ax.plot(g, rates, "o-", color="#0072B2", ms=4)
_ = ax.set(xlabel="inhibition g", ylabel="mean-field rate (Hz)", yscale="log")

# %%
# 2. Mean and fluctuations of the membrane at a given rate: which of the two makes it fire? Threshold is 20 mV.
mu, sigma = theory.brunel_input(38 * Hz, g=5, eta=2)
print(f"mean {1e3 * mu:.1f} mV, standard deviation {1e3 * sigma:.1f} mV")

# %%
# 3. The live network with other inhibition: 3 for SR, 6 (and eta 4) for SI fast.
net = nsnn.brunel(g=3, eta=2, seed=1, **size)
block = nsnn.simulate(net, duration=150 * ms, dt=0.25 * ms, seed=1, engine="numpy")
trains = measures.as_trains(block, t_start=100 * ms)
counts = study.population_counts(trains.times, 0.1, 0.15)
fig, ax = plt.subplots(figsize=(6, 2.5), layout="constrained")
ax.step(np.arange(counts.size), counts, where="post", color="#CC79A7")
_ = ax.set(xlabel="time (ms)", ylabel="spikes in 1 ms")
