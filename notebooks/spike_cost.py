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
# # Noise under a cost: what a pool learns when spikes are expensive
#
# Many units with one threshold that see the same stimulus transmit one bit without noise, because all of them fire or
# none does. Independent noise makes them differ, and the number that fire then says more about the stimulus
# (*suprathreshold stochastic resonance*, Stocks 2000, doi 10.1103/PhysRevLett.84.2310). But spikes are the main expense
# of a brain, and noise causes spikes. Is noise still worth having when spikes are paid for?
#
# The pool has $K$ units. Unit $i$ fires if $x + \sigma \xi_i > \theta$, with a Gaussian stimulus $x$ of SD 1 and private
# Gaussian $\xi_i$; the response is the number $n$ of spikes. Both the noise $\sigma$ and the threshold $\theta$ are
# *learned*: gradient ascent finds the maximum of
#
# $$J(\sigma, \theta) = I(x; n) - c\,\mathrm{E}[n],$$
#
# with a cost of $c$ bits per spike. The derivative of the firing probability in this gradient is the density of the
# noise, as in noise-driven learning; here it also changes the noise. Nothing is simulated: information is an integral
# over the stimulus with binomial counts.
#
# Three values without noise need no computation at all, and are what the learned pool has to be compared with:
#
# - the same pool: at most $\log_2(1 + 2^{-cK})$, since an event costs $K$ spikes
# - a single unit: $\log_2(1 + 2^{-c})$
# - units with *different* thresholds: $\log_2 \sum_{n=0}^{K} 2^{-cn}$, which no other code with 0 to $K$ spikes exceeds

# %%
import matplotlib.pyplot as plt
import numpy as np

import nsnn_neuro as nsnn
from nsnn_neuro import theory
from nsnn_neuro.studies import full_runs, harness
from nsnn_neuro.studies import spike_cost as study

plt.switch_backend("module://matplotlib_inline.backend_inline")  # figures appear below their cells

# %% [markdown]
# ## An example: eight units
#
# `study.learn` follows the gradient from several starts, `study.objective` returns information, expected spikes and
# gradient. The package's `theory.suprathreshold_information` is an independent calculation of the information.

# %%
for cost in (0.0, 0.1, 0.5):
    sigma, theta = study.learn(8, cost)
    bits, spikes, gradient = study.objective(sigma, theta, 8, cost)
    again = theory.suprathreshold_information(nsnn.Gaussian(sigma), n_units=8, theta=theta)
    print(
        f"cost {cost}: sigma {sigma:.3f}, theta {theta:.2f}, {bits:.4f} bit ({again:.4f}) by {spikes:.2f} spikes, "
        f"gradient {np.abs(gradient).max():.0e}"
    )

# %% [markdown]
# ## The study
#
# The study does this for pools of 1 to 63 units and costs up to 2 bits per spike. It checks the gradient against finite
# differences, the maxima against a grid, and the information against closed forms. The table has the verdicts of the
# full run, which `nsnn study spike_cost` in a terminal repeats in ten seconds; the figure is that of a quick run.

# %%
table = harness.result(study, study.Config(quick=True))
full_runs.verdicts("spike_cost")

# %% [markdown]
# ## How to read the figure
#
# **A**, **B**: the learned noise and threshold against the cost, in SDs of the stimulus, for each size of the pool. The
# noise of a single unit is at the lower bound of the search. **C**: what the largest pool reaches with learned noise,
# and what the three noiseless alternatives reach.

# %%
figures = list(study.figures(table).values())
figures[0]

# %%
study.summary(table)

# %% [markdown]
# ## Results and limits
#
# Noise is learned whenever there are two or more units, at any cost; a single unit learns to be without it. As spikes
# become expensive the threshold rises, and so does the noise, against the hypothesis: with a high threshold, little
# noise would still make nearly all units fire together when the stimulus crosses it, and more noise lets a few of them
# speak for the pool. Only for 63 units at the largest cost does the noise fall again, from 1.03 to 0.99.
#
# This does not make noise a bargain. At 0.5 bit per spike and above, one noiseless unit does better than any of the
# pools, and the hypothesis that a pool with learned noise is best among units of one threshold fails. Different
# thresholds without noise are better at every cost, and the gap widens: 63 units with learned noise reach 46 % of that
# bound when spikes are free, and 5 % at 2 bits per spike. Noise is the remedy of a pool whose units cannot differ; it is
# worth most where spikes cost little. If the number of units may be chosen too, the best pool becomes smaller as the cost
# grows, and its noise falls, until a single unit without noise is best (first cell below).
#
# The stimulus has one dimension and the units no memory. Costs of silence, of the number of units or of making
# thresholds differ are left out.
#
# ## Try it
#
# **How many units?** At a given cost, which size of the pool is best, and how much noise does it learn?

# %%
for cost in (0.02, 0.1, 0.2, 0.4):
    values = {}
    for n_units in (1, 2, 4, 8, 16, 32):
        sigma, theta = study.learn(n_units, cost)
        values[n_units] = study.exact_value(sigma, theta, n_units, cost), sigma
    best = max(values, key=values.get)
    value, sigma = values[best]
    print(f"cost {cost}: {best} units are best, {value:.3f} bit, noise {sigma:.3f}")

# %% [markdown]
# **The landscape.** Information minus cost of eight units over noise and threshold; the dot is what is learned.

# %%
cost, sigmas, thetas = 0.2, np.geomspace(0.05, 1.5, 30), np.linspace(-1, 3, 30)
values = np.array([[study.exact_value(sigma, theta, 8, cost) for sigma in sigmas] for theta in thetas])
_, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
lines = ax.contour(sigmas, thetas, values, levels=12, cmap="viridis")
ax.clabel(lines, fontsize=7)
ax.plot(*study.learn(8, cost), "o", color="black")
ax.set(xscale="log", xlabel="noise (stimulus SD)", ylabel="threshold (stimulus SD)")
ax.get_figure()
