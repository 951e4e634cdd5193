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
# # Variability and reliability of a noisy neuron
#
# How similar are the responses of a neuron to repetitions of the same current? In 1995 Mainen and Sejnowski did this
# experiment in slices of cortex ([doi 10.1126/science.7770778](https://doi.org/10.1126/science.7770778)). Under a
# constant current the spikes of different trials soon drift apart. Under a fluctuating current that is the same in
# every trial ("frozen") they stay together within about a millisecond. The intrinsic noise is the same in both cases;
# the difference is how the input drives the membrane through threshold.
#
# This notebook repeats the experiment with a leaky integrate-and-fire neuron,
#
# $$\tau_m \, dV = (\mu(t) - V)\, dt + \sigma \sqrt{2 \tau_m}\, dW, \qquad V \ge V_\theta: \text{spike},\ V \to V_r,$$
#
# with adjustable noise $\sigma$ (including none). If recordings are available, it also analyses a cortical neuron.

# %%
import matplotlib.pyplot as plt
import quantities as pq
from brian2 import ms, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory
from nsnn_neuro.studies import full_runs, harness
from nsnn_neuro.studies import variability_reliability as study
from nsnn_neuro.studies.shared import recordings

plt.switch_backend("module://matplotlib_inline.backend_inline")  # figures appear below their cells

# %% [markdown]
# ## One neuron, two currents
#
# `FrozenNoise` is a path of a random process, the same in every trial and every call. `WhiteNoise` is the intrinsic
# noise, which differs between trials. Twenty trials of each current, with the same neuron and noise:

# %%
cell = nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=2 * ms)
noise = nsnn.WhiteNoise(1 * mV)
currents = {
    "constant": nsnn.Constant(12 * mV),
    "frozen, fluctuating": nsnn.FrozenNoise(12 * mV, 8 * mV, 3 * ms, seed=1),
}
common = {"trials": 20, "duration": 0.8 * second, "seed": 2, "engine": "numpy"}
blocks = {name: nsnn.simulate(cell, noise, current, **common) for name, current in currents.items()}

figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained", sharey=True)
for ax, (name, block) in zip(axes, blocks.items(), strict=True):
    trains = measures.as_repeats(block)
    ax.plot(1e3 * trains.times, trains.trial + 1, "|", color="black", ms=4)
    ax.set(title=name, xlabel="time (ms)")
axes[0].set_ylabel("trial")
plt.show()

# %% [markdown]
# Several measures quantify the difference.
#
# - The **Fano factor** is the variance of the spike count over trials, divided by its mean: 0 if all trials have equal
#   counts, 1 for a Poisson process.
# - The **CV** is the standard deviation of interspike intervals, divided by their mean. It describes single trials, so
#   it measures irregularity, not repeatability.
# - **Schreiber's reliability** smooths each train and takes the mean cosine between trials: 1 if all trials are equal.
#   Its chance level is above 0 and grows with the rate.
# - **Gamma** counts coincidences of spikes between trials (here within 2 ms), corrects for chance, and is 1 for equal
#   trains.
# - **Jitter** is the standard deviation over trials of the onset of a firing event.

# %%
for name, block in blocks.items():
    trains = measures.as_repeats(block, 0.2 * pq.s, 0.8 * pq.s)
    print(
        f"{name:20s} Fano factor {measures.fano_factor(trains)[0]:.2f}  CV {measures.cv(trains)[0]:.2f}  "
        f"reliability {measures.schreiber_reliability(trains, sigma=2 * pq.ms):.2f}"
    )

# %% [markdown]
# With fluctuating input the spikes are *more* irregular (larger CV) and also *more* repeatable (larger reliability).
# This is no contradiction: the irregularity comes from the input, which is the same in each trial.
#
# ## The study
#
# The study varies the noise $\sigma$ and the fluctuation of the input, with several frozen paths ("seeds") per point.
# Some claims can be tested against theory. All criteria were fixed before the first full run:
#
# - Without noise there is no variability: Fano factor 0, reliability 1.
# - Under a constant current the intervals are independent, so Siegert's theory gives their CV exactly, and the time of
#   the $n$-th spike spreads with $\sqrt{n}$. This checks the simulation against a known answer.
# - Noise lowers Gamma and precision; fluctuations raise Gamma and reliability.
#
# The table has the verdicts of the full run, which `nsnn study variability_reliability` in a terminal repeats. The figures
# and the summary are those of a quick run, with fewer trials and seeds and larger time steps.

# %%
table = harness.result(study, study.Config(quick=True))
print(*recordings.absent(study.RECORDINGS, "This notebook leaves out"), sep="\n")
full_runs.verdicts("variability_reliability")

# %% [markdown]
# Central claims decide about the study; secondary claims are reported whatever their outcome. One that fails is
# instructive. Schreiber's reliability was expected to fall with noise under *every* fluctuating input, and it does not
# under the weakest one. The reason is chance: noise raises the rate, and with more spikes there are more chance
# coincidences. Gamma, which is corrected for chance, falls as expected.
#
# ## How to read the figure
#
# Top: spikes in twenty trials under a constant current (A) and under the strongest frozen fluctuation (B), with the
# same noise. Bottom, against noise: reliability (C) for each fluctuation; jitter of firing events (D); Fano factor and
# CV² (E). Over long times a renewal process has a Fano factor equal to CV², and under a constant current the two agree.
# Under the strongest fluctuation the Fano factor is far below. Bars are 95 % intervals over seeds.

# %%
figures = list(study.figures(table).values())
figures[0]

# %%
figures[1]

# %% [markdown]
# The second figure is the test against theory: CV of intervals under a constant current with Siegert's theory (line),
# and the spread of the time of the $n$-th spike with that of a renewal process (lines).
#
# ## A cortical neuron
#
# In challenge A of the 2007 competition on single-neuron models ([doi
# 10.1007/s00422-008-0261-x](https://doi.org/10.1007/s00422-008-0261-x)) a rat cortical neuron received eight frozen
# currents, four times each. The recordings are not part of this package; a cell above says where to get them. If they
# are available, the next cell shows the neuron and a LIF neuron with the same currents. The LIF neuron has one noise
# level for all currents. It is fitted, with threshold, reset and refractory period, to the first halves of four
# settings, and evaluated on the second halves of all eight. In cell and model Gamma rises with the standard deviation
# of the current. The figure also shows the limit of this simple model: with enough noise for weakly fluctuating
# currents, it is less reliable than the cell under strongly fluctuating ones. One level of white noise does not fit
# both.

# %%
if len(figures) > 2:
    print("the recordings of the cell are available")
figures[-1] if len(figures) > 2 else "the recordings of the cell are not available: this part is omitted"

# %%
study.summary(table)

# %% [markdown]
# ## Results and limits
#
# Noise reduces repeatability and precision, and fluctuations of the input increase both, in the model and, in rank
# order, in the cell. The study does not show that the noise of the cell is white noise on its membrane (the comparison
# speaks against a single level), and does not cover means other than one just above threshold.
#
# ## Try it
#
# The tables and figures of the study have settings of their own: a change in a cell above, such as another noise, does
# not reach them.
#
# Change numbers and run the cells again; each takes seconds.

# %%
# less noise, slower fluctuations: how precise can the spikes become?
slow = nsnn.FrozenNoise(12 * mV, 4 * mV, 20 * ms, seed=4)
block = nsnn.simulate(cell, nsnn.WhiteNoise(0.3 * mV), slow, **common)
events = measures.firing_events(measures.as_repeats(block), sigma=2 * pq.ms)
print(f"{events.time.size} events, median jitter {1e3 * events.median_jitter:.2f} ms")

# %%
# the deterministic neuron: without noise all trials are equal
block = nsnn.simulate(cell, None, slow, **common)
print("Fano factor", measures.fano_factor(block)[0])

# %%
# CV under a constant current and Siegert's theory, for another mean and sigma
mean, sigma = 12 * mV, 2 * mV
block = nsnn.simulate(
    cell,
    nsnn.WhiteNoise(sigma),
    nsnn.Constant(mean),
    n_neurons=100,
    duration=2 * second,
    seed=3,
    engine="numpy",
)
law = {"tau_m": 10 * ms, "v_thresh": 10 * mV, "v_reset": 0 * mV, "tau_refrac": 2 * ms}
print(
    f"simulated {measures.cv(block).mean():.3f}, Siegert {float(theory.siegert_cv(mean, sigma, **law)):.3f}"
)
