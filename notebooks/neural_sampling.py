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
# # Sampling: noise that computes a probability distribution
#
# A network that has to infer hidden causes from evidence needs more than the most probable answer: it needs the
# probabilities of all answers. One way to represent them is to **sample**. The network visits states $z$, one for each
# answer, and spends in each a fraction of time that equals its probability. Noise is then what does the computation.
#
# Buesing, Bill, Nessler & Maass (2011, doi 10.1371/journal.pcbi.1002211) proved that spiking neurons can do this for the
# Boltzmann distribution
#
# $$p(z) \propto \exp\Big(\sum_k b_k z_k + \tfrac12 \sum_{jk} W_{jk} z_j z_k\Big), \qquad z_k \in \{0, 1\} .$$
#
# Neuron $k$ is *on*, $z_k = 1$, for $\tau$ updates after each of its spikes. Its potential is
# $u_k = b_k + \sum_j W_{jk} z_j$, and when it is not refractory it fires with probability
# $1 / (1 + e^{\log\tau - u_k})$: an NSNN neuron with logistic escape noise of scale 1 and threshold $\log\tau$.
#
# This notebook has three questions.
#
# 1. Does a spiking network sample the distribution, and the posterior when some neurons are given as evidence?
# 2. How long does it take, compared with the standard algorithm (Gibbs sampling)?
# 3. What does it compute when the noise is weaker or stronger than in the theorem, or absent?
#
# With 8 neurons all 256 states can be enumerated, so that every answer has an exact oracle. The distance of what the
# network does from the exact distribution is the Kullback-Leibler divergence (KL), in nat; 0 means that they are equal.

# %%
import matplotlib.pyplot as plt
import numpy as np

import nsnn_neuro as nsnn
from nsnn_neuro.studies import full_runs, harness
from nsnn_neuro.studies import neural_sampling as study

plt.switch_backend("module://matplotlib_inline.backend_inline")  # figures appear below their cells

# %% [markdown]
# ## An example: four neurons
#
# `study.sampled` builds the network from the package's neurons and projections, runs `nsnn.simulate`, and returns the
# state after each sweep (an update of every neuron), for several networks with independent noise.

# %%
small = study.Config(neurons=4, networks=4, sweeps=4000)
weights, biases = study.parameters(small)
exact = study.boltzmann(weights, biases)
visited = study.sampled(small, small.tau, nsnn.Logistic(1.0))
fractions = np.bincount(visited.ravel(), minlength=exact.size) / visited.size

for state in np.argsort(-exact)[:5]:
    print(f"z = {study.states(4)[state]}: {fractions[state]:.3f} of the time, probability {exact[state]:.3f}")
print(f"KL {study.divergence(fractions, exact):.4f} nat")

# %% [markdown]
# ## The study
#
# The study does the same with eight neurons and 16 networks. Two features of the theorem are idealisations: the
# postsynaptic potential is a rectangle of $\tau$ updates, and the refractory period is absolute. The theorem also needs
# neurons to be updated in turn, for which a sinusoidal drive lets each fire in its own time step only. The study
# measures how wrong the network becomes if all neurons are updated at once.
#
# The table has the verdicts of the full run, which `nsnn study neural_sampling` in a terminal repeats in 20 seconds. The
# figure is that of a quick run with five neurons.

# %%
table = harness.result(study, study.Config(quick=True))
full_runs.verdicts("neural_sampling")

# %% [markdown]
# ## How to read the figure
#
# **A**: KL against the length of sampling, means and 95 % intervals over networks. Even independent samples of the exact
# distribution have a KL above 0, about (states - 1) / (2 samples), the dotted line. A sampler is right if its KL goes on
# falling in parallel to this line, and its efficiency is how far above it stays. **B**: how often each neuron is on,
# without evidence and with neuron 0 held on and neuron 1 held off by a strong current; short lines are the enumerated
# probabilities. **C**: KL in the limit of endless sampling, for noise that is weaker or stronger than the theorem asks.

# %%
figures = list(study.figures(table).values())
figures[0]

# %% [markdown]
# ## Results and limits
#
# The network samples the enumerated distribution, without and with evidence: in the full run the limit of KL is within
# 0.0005 nat of 0. A sweep of the network is worth 0.4 independent samples, one of the Gibbs sampler about 1: a neuron
# that stays on for ten updates moves more slowly through the states.
#
# Noise is not merely tolerated. With half or twice its scale the network samples *another* Boltzmann distribution,
# whose weights and biases are known exactly, and without noise it stays in one state. So the scale of the noise is part
# of what is computed, and has to fit the weights. Its shape matters too: Gaussian noise, of the SD that makes it most
# like a logistic one, leaves a KL of 0.04 nat, and the claim that this is below 0.01 fails. Updates in parallel have an
# error that falls with $\tau$, from 0.029 nat at $\tau = 5$ to 0.002 at 20; from 20 to 40 the fall is within the errors,
# so that the claim of a fall at every step fails as well.
#
# Eight neurons with given weights are a test of the mechanism, not a model of inference in cortex. Nothing is learned
# here, and a network with strong weights would take long to move between its most probable states.
#
# ## Try it
#
# **Evidence.** Which neurons does it move most? Change the evidence.

# %%
for evidence in ({0: 1}, {0: 0}, {0: 1, 2: 1}):
    chain = study.sampled(small, small.tau, nsnn.Logistic(1.0), evidence=evidence)
    rates = study.states(4)[chain].mean((0, 1))
    oracle = study.boltzmann(weights, biases, evidence) @ study.states(4)
    print(f"{evidence}: on {rates.round(2)}, enumerated {oracle.round(2)}")

# %% [markdown]
# **Another noise.** How does KL change with the scale, and which other families come close?

# %%
for family in (nsnn.Logistic(0.8), nsnn.Logistic(1.25), nsnn.Gaussian(1.702), nsnn.Gaussian(2.0)):
    chain = study.sampled(small, small.tau, family)
    counts = np.bincount(chain.ravel(), minlength=exact.size)
    print(f"{family}: KL {study.divergence(counts, exact):.3f} nat")

# %% [markdown]
# **A longer refractory period.** It slows sampling in turn, and makes updates in parallel more exact.

# %%
for tau in (2, 5, 20):
    for parallel in (False, True):
        chain = study.sampled(small, tau, nsnn.Logistic(1.0), parallel=parallel)
        counts = np.bincount(chain.ravel(), minlength=exact.size)
        print(
            f"tau {tau:2d}, {'parallel' if parallel else 'in turn'}: KL {study.divergence(counts, exact):.4f} nat"
        )
