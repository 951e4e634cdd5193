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
# # How repeatable is a noisy neuron?
#
# Play the same current to a neuron again and again. How alike are its answers? In 1995 Mainen and Sejnowski did this
# in slices of cortex ([doi 10.1126/science.7770778](https://doi.org/10.1126/science.7770778)). Under a constant
# current the spikes of different trials soon drift apart. Under a fluctuating current, the same in every trial
# ("frozen"), they stay together to within a millisecond or so. The neuron's own noise was the same in both cases;
# what differed was how the input drives the membrane through its threshold.
#
# This notebook repeats the experiment with a leaky integrate-and-fire neuron,
#
# $$\tau_m \, dV = (\mu(t) - V)\, dt + \sigma \sqrt{2 \tau_m}\, dW, \qquad V \ge V_\theta: \text{spike},\ V \to V_r,$$
#
# whose noise $\sigma$ we can set, down to none at all, and puts a real cortical neuron beside it where its recordings
# are at hand.

# %%
import sys

sys.path.insert(0, "..")

import matplotlib.pyplot as plt
import quantities as pq
from brian2 import ms, mV, second

import nsnn_neuro as nsnn
from analysis import harness
from analysis import variability_reliability as study
from nsnn_neuro import measures, theory

plt.switch_backend(plt.get_backend())  # at once, so that the studies' figures are drawn below their cells

# %% [markdown]
# ## One neuron, two currents
#
# `FrozenNoise` is one path of a random process, the same in every trial and every call; `WhiteNoise` is the neuron's
# own and differs from trial to trial. Twenty trials of each kind of current, with the same neuron and the same noise:

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
# Several measures put numbers on what the eye sees.
#
# - The **Fano factor** is the variance of the spike count over trials, divided by its mean: 0 when every trial has as
#   many spikes, 1 for a Poisson process.
# - **CV** is the standard deviation of the intervals between spikes, divided by their mean. It looks at one trial at
#   a time, so it says how irregular the spikes are, not how repeatable.
# - **Schreiber's reliability** blurs each train a little and takes the mean cosine between trials: 1 when all trials
#   are the same. Chance gives it a value above 0, larger for higher rates.
# - **Gamma** counts coincidences of spikes (here within 2 ms) between trials, takes off those expected by chance, and
#   is 1 for equal trains.
# - **Jitter** is the standard deviation, over trials, of when a firing event begins.

# %%
for name, block in blocks.items():
    trains = measures.as_repeats(block, 0.2 * pq.s, 0.8 * pq.s)
    print(
        f"{name:20s} Fano factor {measures.fano_factor(trains)[0]:.2f}  CV {measures.cv(trains)[0]:.2f}  "
        f"reliability {measures.schreiber_reliability(trains, sigma=2 * pq.ms):.2f}"
    )

# %% [markdown]
# The fluctuating input makes the spikes *more* irregular (its CV is larger) and, by their reliability, *more*
# repeatable at once. That is no contradiction: the irregularity is the input's, and the input is the same each time.
#
# ## The study
#
# The study varies the noise $\sigma$ and the input's fluctuation, with several frozen paths ("seeds") at each point.
# Some of its claims were certain to be testable against theory, and stated with bounds before the first full run:
#
# - Without noise there is no variability: Fano factor 0, reliability 1.
# - Under a constant current the intervals are independent of each other, so that Siegert's theory gives their CV
#   exactly, and the time of the $n$-th spike spreads like $\sqrt{n}$. This holds the simulation to an answer known
#   beforehand.
# - Noise lowers Gamma and precision; fluctuations raise Gamma and reliability.
#
# Here is a quick run. `python -m analysis variability_reliability`, from the repository's root, does the full one,
# with more trials, more seeds and finer steps, in a few minutes.

# %%
table = harness.result(study, study.Config(quick=True))
harness.verdicts(study.claims(table)).style.hide(axis="index")

# %% [markdown]
# Central claims carry the study; the others were asked of the data too and are shown whichever way they came out. One
# that fails is worth a look. Schreiber's reliability was expected to fall with noise under *every* fluctuating input,
# and under the weakest one it doesn't. The reason is chance. Noise raises the rate, and with more spikes in each
# trial more of them meet by accident. Gamma, which takes chance off, falls as it should.
#
# ## How to read the figure
#
# Above, spikes in twenty trials under a constant current (A) and under the strongest frozen fluctuation (B), with the
# same noise. Below, against the noise: reliability (C) for each strength of fluctuation; jitter of firing events (D),
# where there are events; and the Fano factor beside CV² (E). A renewal process would have, over long times, a Fano
# factor equal to CV²; under a constant current the two indeed lie together. Under the strongest fluctuation the Fano
# factor stays far below. Bars are 95 % intervals over seeds.

# %%
figures = list(study.figures(table).values())
figures[0]

# %%
figures[1]

# %% [markdown]
# The second figure is the check against theory: CV of the intervals under a constant current against Siegert's
# (line), and the spread of the $n$-th spike's time against that of a renewal process (lines).
#
# ## A cortical neuron
#
# Challenge A of the 2007 competition on single-neuron models ([doi
# 10.1007/s00422-008-0261-x](https://doi.org/10.1007/s00422-008-0261-x)) gave a rat's cortical neuron eight frozen
# currents, four times each. The recordings are no part of this project; where they are present, the next cell shows
# the neuron beside a LIF in the same currents. The LIF has one noise level for all of them, fitted, along with
# threshold, reset and refractoriness, on the first halves of four settings; it is judged on the second halves of all
# eight. In the neuron, as in the model, Gamma rises with the current's standard deviation. The figure also shows
# where so simple a model stops: this LIF, with noise enough for the weakly fluctuating currents, is less reliable
# than the neuron under the strongly fluctuating ones. One level of white noise doesn't do for both.

# %%
if len(figures) > 2:
    print("the cell's recordings are present")
figures[-1] if len(figures) > 2 else "the cell's recordings are absent: this part is left out"

# %%
study.summary(table)

# %% [markdown]
# ## What was found, and what not
#
# Noise costs repeatability and precision, and fluctuations of the input buy both, in the model and, in rank order, in
# the neuron. What this study does not show: that the neuron's noise is white noise on its membrane (the comparison
# speaks against a single level of it); or anything about other means than one just above threshold.
#
# ## Try it
#
# Change numbers and run the cells again; each takes seconds.

# %%
# less noise, slower fluctuations: how precise can the spikes become?
slow = nsnn.FrozenNoise(12 * mV, 4 * mV, 20 * ms, seed=4)
block = nsnn.simulate(cell, nsnn.WhiteNoise(0.3 * mV), slow, **common)
events = measures.firing_events(measures.as_repeats(block), sigma=2 * pq.ms)
print(f"{events.time.size} events, median jitter {1e3 * events.median_jitter:.2f} ms")

# %%
# the deterministic twin: no noise, and every trial is the same
block = nsnn.simulate(cell, None, slow, **common)
print("Fano factor", measures.fano_factor(block)[0])

# %%
# CV of a constant current against Siegert's theory, at a mean and a sigma of your choice
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
