# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Stochastic resonance: noise that helps to hear
#
# A neuron fires when its membrane potential reaches a threshold. A signal that stays below threshold leaves no trace in the
# spikes, however clear it is: the neuron is silent whatever it is shown. Add noise, and the stronger of two signals is carried
# over the threshold more often than the weaker one: the spikes now tell something. Add much more, and the noise decides
# everything. In between there must be a best noise. That is **stochastic resonance**.
#
# This notebook asks three questions.
#
# 1. Where is the best noise of a single noisy unit, and do simulated spikes agree with the exact answer?
# 2. Is it the same in continuous time, for a leaky integrate-and-fire neuron in white noise?
# 3. Can noise help where the signal *does* reach the threshold? (Not one neuron, but many.)
#
# How much spikes tell is measured in **bits**, as the mutual information between the signal $S$ and the response $R$,
#
# $$I(S;R) = \sum_s p(s) \sum_r p(r\mid s)\, \log_2 \frac{p(r\mid s)}{p(r)} .$$
#
# With two equally likely signals one bit means that the response always gives away which one was shown, and 0 that it says
# nothing.

# %%
import sys

sys.path.insert(0, "..")

import matplotlib.pyplot as plt
import neo
import numpy as np
import quantities as pq
from brian2 import ms, second

import nsnn_neuro as nsnn
from analysis import harness
from analysis import stochastic_resonance as study
from nsnn_neuro import measures, theory

plt.switch_backend(plt.get_backend())  # at once, so that the studies' figures are drawn below their cells

# %% [markdown]
# ## A live example: one unit
#
# The discrete NSNN unit without memory ($\beta = 0$) has the potential $u$ that it is given, and fires in a step with
# probability $P(\text{spike}) = F(u - \theta)$. For Gaussian noise of standard deviation $\sigma$ that is
# $\Phi\big((u-\theta)/\sigma\big)$. We show it $u = 0.4$ and $u = 0.8$, equally often; the threshold is $\theta = 1$. Three
# noises, one run:

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
        f"sigma {sigma:.2f}: fired {spikes[j].mean():6.1%}, {estimate.value:.3f} ± {estimate.se:.3f} bit, exact {exact:.3f}"
    )

# %% [markdown]
# The estimate is corrected for the bias that few trials bring (Panzeri & Treves), and its error bar is a jackknife over trials.
# The exact value needs no simulation: it is the formula above with the two probabilities $\Phi((u-\theta)/\sigma)$ put in.
#
# ## The study
#
# - **One unit**, as above, over a range of noises, in several replicates. Its *control* has potentials on either side of the
#   threshold ($0.8$ and $1.2$): without noise it tells everything, so noise can only harm.
# - **A LIF neuron** in white noise. It starts at rest and is driven by one of two constant currents for 200 ms; the response is
#   the number of spikes. Neither current reaches the threshold (the control's both do). The exact value comes from the law of
#   the count: after each spike the membrane starts anew, so the count follows from the distribution of one interval, and that
#   from the Fokker-Planck equation of the membrane (`theory.fp_counts`).
# - **A pool** of $K$ units that see the same Gaussian signal $x$, centred on their threshold: unit $i$ fires if $x + r\,\xi_i
#   > 0$ with a $\xi_i$ of its own. Without noise ($r = 0$) all units do the same and tell one bit, the sign of $x$. The
#   response is how many units fire. This is *suprathreshold* stochastic resonance (Stocks 2000).
#
# What follows reads the table of the quick run, and makes it first if it isn't there. The full run, with more replicates and
# noises, is `python -m analysis stochastic_resonance` in the repository's root.

# %%
table = harness.result(study, study.Config(quick=True))
harness.verdicts(study.claims(table))

# %% [markdown]
# Each row is a sentence that could have come out wrong. Those marked *central* decide about the study; the evidence gives the
# numbers and their errors. All were written down before the first run, but for the one on Panzeri and Treves' correction, which
# that run taught us to ask.
#
# ## How to read the figure
#
# Lines are exact, markers simulated with two standard errors; the two have nothing in common but the question. Left and middle:
# the blue curve (circles) is the signal below threshold. It rises from nothing, has a maximum (dotted) and falls again. The
# orange one (squares, dashed) is the control, which only falls. On the left the control has a scale of its own, on the
# right-hand side: it tells far more. Right: pools. One unit only loses by noise; the more units there are, the higher the
# maximum, and the more noise it takes.

# %%
figures = list(study.figures(table).values())
figures[0]

# %%
study.summary(table)

# %% [markdown]
# What a pool gains, against its size: without noise every pool tells the one bit at the dotted line.

# %%
figures[1]

# %% [markdown]
# ## What this says, and what not
#
# It says that for a *given* threshold that a signal can't reach, some noise is better than none, and by how much; and that many
# units that all look at the same signal can tell more than one bit only if something makes them differ, for which noise will
# do.
#
# It does not say that noise is the best solution. The control shows the alternative: with the threshold between the two
# potentials the same unit at little noise tells several times as much as the subthreshold one at its best. And a pool whose
# thresholds were spread out on purpose could do without noise. Ma, Yan & Tang (2023) call noise a resource for computation and
# learning; what is tested here is one narrow sense of that, bits about a signal. Nothing is learned here.
#
# ## Try it
#
# **A weaker signal.** Move both potentials away from the threshold and see where the best noise goes, and how little is left.

# %%
for distance in (0.1, 0.2, 0.4, 0.8):
    grid = np.geomspace(0.03, 3, 200)
    pair = [1 - distance - 0.4, 1 - distance]
    bits = [theory.threshold_information(pair, nsnn.Gaussian(s)) for s in grid]
    print(
        f"stronger potential {distance} below threshold: best sigma {grid[np.argmax(bits)]:.3f}, {max(bits):.4f} bit"
    )

# %% [markdown]
# **Another noise.** Is the best noise a matter of its shape? Compare families at the same height of the density's peak.

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
# **A longer look.** The LIF's spike count in a longer window tells more. Does the best noise stay where it is? Change the
# windows.

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
# **A larger pool.** How many units does it take for three bits? Change `n_units`.

# %%
ratios = np.geomspace(0.1, 1.5, 25)
for n_units in (16, 64, 128):
    bits = [theory.suprathreshold_information(nsnn.Gaussian(r), n_units=n_units) for r in ratios]
    print(f"{n_units} units: {max(bits):.2f} bit at a noise of {ratios[np.argmax(bits)]:.2f} signal SDs")
