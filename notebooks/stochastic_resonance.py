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
# # Stochastic resonance: noise that makes a weak signal detectable
#
# A neuron fires when its membrane potential reaches a threshold. A signal that stays below threshold causes no spikes
# at all. With added noise, the stronger of two signals crosses the threshold more often than the weaker one, and the
# spikes carry information. With too much noise the signal no longer matters. There is a best noise in between:
# **stochastic resonance**.
#
# This notebook has three questions.
#
# 1. What is the best noise of a single noisy unit, and do simulations agree with exact theory?
# 2. Does the same hold in continuous time, for a leaky integrate-and-fire neuron in white noise?
# 3. Can noise help if the signal *does* reach the threshold? (For a population, not for a single neuron.)
#
# Information is measured in **bits**, as the mutual information between the signal $S$ and the response $R$,
#
# $$I(S;R) = \sum_s p(s) \sum_r p(r\mid s)\, \log_2 \frac{p(r\mid s)}{p(r)} .$$
#
# With two equally likely signals, one bit means that the response always identifies the signal, and 0 that it is
# independent of it.

# %%
import matplotlib.pyplot as plt
import neo
import numpy as np
import quantities as pq
from brian2 import ms, second

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory
from nsnn_neuro.studies import full_runs, harness
from nsnn_neuro.studies import stochastic_resonance as study

plt.switch_backend("module://matplotlib_inline.backend_inline")  # figures appear below their cells

# %% [markdown]
# ## An example: one unit
#
# The discrete NSNN unit without memory ($\beta = 0$) receives the potential $u$, and fires in a step with probability
# $P(\text{spike}) = F(u - \theta)$. For Gaussian noise of standard deviation $\sigma$ this is
# $\Phi\big((u-\theta)/\sigma\big)$. The potentials $u = 0.4$ and $u = 0.8$ are equally frequent; the threshold is
# $\theta = 1$. Three noise levels in one run:

# %%
sigmas = np.array([0.1, 0.27, 1.5])
shown = np.random.default_rng(1).permutation(np.repeat([0, 1], 2000))
potentials = np.array([0.4, 0.8])[shown]
block = nsnn.simulate(
    nsnn.NSNNNeuron(beta=0.0, theta=1.0),
    nsnn.EscapeNoise(nsnn.Gaussian(sigmas)),
    nsnn.Recorded(neo.AnalogSignal(potentials[:, None], units="dimensionless", sampling_period=1 * pq.ms)),
    n_neurons=3,
    duration=4 * second,
    dt=1 * ms,
    seed=1,
    engine="numpy",
)
spikes = measures.words(block, bin_width=1 * pq.ms)[0]  # (neuron, step): 1 where it fired

for j, sigma in enumerate(sigmas):
    estimate = measures.mutual_information(shown, spikes[j])
    exact = theory.threshold_information([0.4, 0.8], nsnn.Gaussian(sigma))
    print(
        f"sigma {sigma:.2f}: fired {spikes[j].mean():6.1%}, {estimate:.3f} bit over the null, "
        f"{estimate.verdict} (raw {estimate.value:.3f}), exact {exact:.3f}"
    )

# %% [markdown]
# The estimate is corrected for the bias from few trials (Panzeri & Treves), and its error is a jackknife over trials.
# The exact value needs no simulation: it is the formula above with the two probabilities $\Phi((u-\theta)/\sigma)$.
#
# ## The study
#
# - **One unit**, as above, over a range of noise levels, in several replicates. In the *control* one potential is below
#   and one above threshold ($0.8$ and $1.2$): without noise it transmits one bit, so noise can only reduce it.
# - **A LIF neuron** in white noise. It starts at rest and is driven by one of two constant currents for 200 ms; the
#   response is the spike count. Both currents are below threshold (in the control both are above). The exact value
#   follows from the count distribution of a renewal process: from the distribution of one interval, which solves the
#   Fokker-Planck equation of the membrane (`theory.fp_counts`).
# - **A pool** of $K$ units with the same Gaussian signal $x$, centred on their threshold: unit $i$ fires if
#   $x + r\,\xi_i > 0$ with private $\xi_i$. Without noise ($r = 0$) all units do the same and carry one bit, the sign
#   of $x$. The response is the number of units that fire. This is *suprathreshold* stochastic resonance (Stocks 2000).
#
# The table has the verdicts of the full run, which `nsnn study stochastic_resonance` in a terminal repeats. The figures
# and the summary are those of a quick run, with fewer replicates and noise levels.

# %%
table = harness.result(study, study.Config(quick=True))
full_runs.verdicts("stochastic_resonance")

# %% [markdown]
# Each row is a falsifiable claim with its evidence; *central* claims decide about the study. All were fixed before the
# first run, except the one about the Panzeri-Treves correction, which was added after that run.
#
# ## How to read the figure
#
# Lines are exact, markers simulated with two standard errors. Left and middle: the blue curve (circles) is the
# subthreshold signal. It rises from zero, has a maximum (dotted) and falls again. The orange curve (squares, dashed) is
# the control, which only falls. In the left panel the control has a separate, larger scale on the right-hand side.
# Right: pools. A single unit only loses with noise; the more units, the higher the maximum, and the larger the best
# noise.

# %%
figures = list(study.figures(table).values())
figures[0]

# %%
study.summary(table)

# %% [markdown]
# Information of a pool at its best noise, against its size. Without noise every pool carries one bit (dotted line).

# %%
figures[1]

# %% [markdown]
# ## Results and limits
#
# For a *given* threshold that a signal does not reach, some noise is better than none, and theory predicts by how much.
# Many units with the same signal carry more than one bit only if something makes them differ, and noise does.
#
# This does not mean that noise is the best solution. The control shows the alternative: with the threshold between the
# two potentials, the same unit at small noise carries several times the information of the subthreshold unit at its
# best. A pool with spread thresholds could do without noise. Ma, Yan & Tang (2023) call noise a resource for
# computation and learning. This study tests one narrow sense of it, information about a signal, without learning.
#
# ## Try it
#
# The tables and figures of the study have settings of their own: a change in a cell above, such as another noise, does
# not reach them.
#
# **A weaker signal.** Move both potentials away from the threshold, and see how the best noise and its information
# change.

# %%
for distance in (0.1, 0.2, 0.4, 0.8):
    grid = np.geomspace(0.03, 3, 200)
    pair = [1 - distance - 0.4, 1 - distance]
    bits = [theory.threshold_information(pair, nsnn.Gaussian(s)) for s in grid]
    print(
        f"stronger potential {distance} below threshold: best sigma {grid[np.argmax(bits)]:.3f}, {max(bits):.4f} bit"
    )

# %% [markdown]
# **Another noise.** Does the best noise depend on its shape? Compare families with the same peak of the density.

# %%
width = np.geomspace(0.1, 4, 80)  # 1 / f(0)
_, ax = plt.subplots(figsize=(5, 3.2), layout="constrained")
ax.plot(
    width,
    [theory.threshold_information([0.4, 0.8], nsnn.Gaussian(w / np.sqrt(2 * np.pi))) for w in width],
    "-",
    label="Gaussian",
)
ax.plot(
    width,
    [theory.threshold_information([0.4, 0.8], nsnn.Logistic(w / 4)) for w in width],
    "--",
    label="logistic",
)
ax.plot(
    width,
    [theory.threshold_information([0.4, 0.8], nsnn.Cauchy(w / np.pi)) for w in width],
    "-.",
    label="Cauchy",
)
ax.plot(
    width,
    [theory.threshold_information([0.4, 0.8], nsnn.Uniform(w / 2)) for w in width],
    ":",
    label="uniform",
)
ax.set(xscale="log", xlabel="width of the noise, 1 / f(0) (thresholds)", ylabel="information (bit)")
ax.legend(frameon=False)
ax.get_figure()

# %% [markdown]
# **A longer window.** The spike count of the LIF neuron in a longer window carries more information. Does the best
# noise change? Vary the windows.

# %%
lif = {"tau_m": 0.02, "v_spike": 20.0, "v_reset": 0.0, "tau_refrac": 0.0}  # mV and s as plain numbers
grid = np.geomspace(1, 10, 15)
for window in (0.1, 0.2, 0.4):
    law = [
        theory.fp_counts(window, theory.lif_drift(mu), grid, kmax=60, cells=200, **lif) for mu in (14.0, 18.0)
    ]
    bits = theory.channel_information(np.array(law))
    print(f"window {window} s: best sigma {grid[bits.argmax()]:.2f} mV, {bits.max():.3f} bit")

# %% [markdown]
# **A larger pool.** How many units are needed for three bits? Change `n_units`.

# %%
ratios = np.geomspace(0.1, 1.5, 25)
for n_units in (16, 64, 128):
    bits = [theory.suprathreshold_information(nsnn.Gaussian(r), n_units=n_units) for r in ratios]
    print(f"{n_units} units: {max(bits):.2f} bit at a noise of {ratios[np.argmax(bits)]:.2f} signal SDs")
