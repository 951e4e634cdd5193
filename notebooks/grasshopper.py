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
# # From a recording to a neuron
#
# You have spikes of a cell and the stimulus that it received. Which noisy neuron is it? This notebook takes a recording
# of an auditory receptor of a grasshopper and goes all the way: look at the data, choose a neuron, calibrate it by
# maximum likelihood, look at the errors of its parameters, test it on spikes that it has not seen, compare it with a
# standard model, simulate it, and change its noise.
#
# The likelihood of recorded spikes is a product over time bins: the probability of a spike where there is one, and of
# silence elsewhere, each *given the spikes before*. Given those, the membrane and all adaptation of an
# integrate-and-fire neuron are known, so that the likelihood is exact, and `nsnn.calibrate` maximises it. The neuron is
# one that `nsnn.simulate` runs.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import quantities as pq
from brian2 import Hz, ms, mV, second
from IPython.display import display

import nsnn_neuro as nsnn
from nsnn_neuro import measures
from nsnn_neuro.likelihood import Poisson, RaisedCosines, fit_neuron
from nsnn_neuro.studies import full_runs, harness
from nsnn_neuro.studies import grasshopper as study

plt.switch_backend("module://matplotlib_inline.backend_inline")  # figures appear below their cells

# %% [markdown]
# ## Load and cut
#
# The recording lasts 10 s: one trial, a tone with a random level. The first 5 s calibrate, the last 5 s test. Whatever
# you choose (the neuron, the stimulus, the bins), choose it with the first part only; the score on the second part is
# honest as long as it decides nothing. The level is standardised with the first half, for the same reason.

# %%
block = nsnn.datasets.grasshopper(1)
level = nsnn.datasets.envelope_db(block, samples=4)  # sound level in dB, 5,000 samples per second
level = (level - level[:25_000].mean()) / level[:25_000].std()
half = 5 * second
times = block.segments[0].spiketrains[0].rescale("s").magnitude
first = times[times < 5]
print(f"{len(first)} spikes for the calibration, {len(times) - len(first)} for the test")

# %% [markdown]
# ## Look at it first
#
# Three statistics tell what the neuron needs. The rate falls over seconds: the cell adapts. There are no intervals
# below 3 ms: it is refractory. The average level before a spike has a peak 6 to 7 ms before it and a trough before
# that: the response is delayed, and the cell responds to rises of the sound.

# %%
sta = measures.spike_triggered_average(level, block, before=20 * pq.ms, after=2 * pq.ms, t_stop=5 * pq.s)
figure, axes = plt.subplots(1, 3, figsize=(10, 2.6), layout="constrained")
axes[0].stairs(np.histogram(first, np.arange(0, 5.1, 0.25))[0] / 0.25, np.arange(0, 5.1, 0.25), color="black")
axes[0].set(xlabel="time (s)", ylabel="rate (Hz)", ylim=(0, None), title="adaptation")
axes[1].hist(1e3 * np.diff(first), np.arange(0, 31, 1), color="0.6")
axes[1].set(xlabel="interval (ms)", ylabel="number", title="refractoriness")
axes[2].plot(1e3 * np.asarray(sta.lags), sta.average[0], color="black")
axes[2].set(xlabel="time from the spike (ms)", ylabel="level (SD)", title="average level at a spike")
plt.show()

# %% [markdown]
# ## Choose a neuron
#
# - **Stimulus**: a receptor saturates and adapts to its input. `Transduced` passes the level through a logistic
#   function and subtracts a share of its running average. For many cells a linear drive,
#   `nsnn.Filtered(level, gain=..., offset=..., delay=...)`, is enough.
# - **Membrane**: a leaky integrate-and-fire neuron, with a current that grows at each spike and decays over seconds
#   (`GIF` without its moving threshold).
# - **Noise**: escape noise. The neuron fires with a rate (hazard) that grows e-fold for each mV of the membrane.
#
# Spikes determine voltages only relative to each other. Two of them are fixed: the width of the noise, 1 mV, and the
# threshold, 0 mV. All others are then in units of the noise. `free` names what is calibrated, with bounds.

# %%
cell = nsnn.GIF(
    tau_m=1.5 * ms,
    v_rest=0 * mV,
    v_reset=-30 * mV,
    v_thresh=0 * mV,
    tau_refrac=0.5 * ms,
    tau_w=3 * second,
    b=0.01 * mV,
    tau_thresh=1 * second,
    b_thresh=0 * mV,
)
noise = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(1000 * Hz, 1 * mV))
sound = nsnn.Transduced(
    level,
    gain=10 * mV,
    offset=-2 * mV,
    middle=0.0,
    width=0.5,
    adaptation=0.7,
    tau_adaptation=3 * ms,
    delay=6 * ms,
)
free = {
    "tau_m": (0.2 * ms, 5 * ms),
    "v_reset": (-100 * mV, -2 * mV),
    "tau_w": (0.5 * second, 20 * second),
    "b": (0 * mV, 0.05 * mV),
    "stimulus.gain": (0.5 * mV, 50 * mV),
    "stimulus.offset": (-20 * mV, 5 * mV),
    "stimulus.middle": (-3.0, 3.0),
    "stimulus.width": (0.1, 3.0),
    "stimulus.adaptation": (0.0, 1.0),
    "stimulus.tau_adaptation": (0.5 * ms, 100 * ms),
    "stimulus.delay": (3 * ms, 10 * ms),
}

# %% [markdown]
# ## Calibrate
#
# `dt` is the bin of the spikes. The calibration takes a few seconds; the table has standard errors from the curvature
# of the likelihood.

# %%
fit = nsnn.calibrate(
    cell, free, noise=noise, stimulus=sound, trains=block, t_stop=half, dt=0.2 * ms, progress=False
)
print(fit)

# %% [markdown]
# The membrane is fast (about 1 ms), the receptor subtracts more than half of its recent average, and the slow current
# decays over about 2 s. `fit.interval()` gives confidence intervals, of the profile likelihood: it is maximised over all
# other parameters for each value of one, which `fit.profile` shows.

# %%
profile = fit.profile("tau_w", n_values=5)
low, high = fit.interval(names=["tau_w"])["tau_w"]
print(f"adaptation, 95 %: {low / second:.2f} to {high / second:.2f} s")
figure, ax = plt.subplots(figsize=(4.5, 2.6), layout="constrained")
ax.plot(profile.values / second, profile.log_likelihood, "o-", color="#0072B2")
ax.axhline(-1.92, color="0.6", ls=":")
ax.set(
    xlabel="time constant of adaptation (s)", ylabel="log-likelihood (nats)", title="profile; dotted: 95 %"
)
plt.show()

# %% [markdown]
# ## Does it fit?
#
# Two different questions. *Does it predict?* Held-out bits per spike compare it with a constant rate: one bit more
# means that each spike is twice as probable. *Could it be true?* Time rescaling turns intervals into uniform numbers if
# the model is true. A model may predict well and still be rejected: hundreds of spikes reveal small errors.
#
# Its rival is a Poisson GLM with history, the standard model: a filter for the stimulus and one for past spikes,
# with more parameters and no membrane. Both have the same bins and the same half of the data.

# %%
glm = fit_neuron(
    block,
    level,
    dt=0.2 * ms,
    stimulus=RaisedCosines(16, 10 * ms),
    history=RaisedCosines(10, 100 * ms, offset=2 * ms),
    family=Poisson(),
    ridge=10.0,
    t_stop=half,
)
scores = {
    "neuron": (fit, len(fit.parameters), fit.score(block, t_start=half), fit.rescaled(block, t_start=half)),
    "GLM": (
        glm,
        len(glm.parameters),
        glm.score(block, level, t_start=half),
        glm.rescaled(block, level, t_start=half),
    ),
}
pd.DataFrame(
    [
        {
            "model": name,
            "parameters": number,
            "bits per spike, fitted": model.bits_per_spike,
            "held out": score.value,
            "standard error": score.se,
            "time rescaling, KS distance": rescaled.ks,
            "p": rescaled.p,
        }
        for name, (model, number, score, rescaled) in scores.items()
    ]
).round(4)

# %% [markdown]
# ## Simulate it
#
# The likelihood knows the recorded spikes before each bin. A simulation does not; it runs on its own spikes, and
# compares different things: rates and intervals. Ten trials of ten seconds:

# %%
drawn = fit.simulate(trials=10, duration=10 * second, seed=1)
late = {"t_start": 5 * pq.s, "t_stop": 10 * pq.s}
model_trains = [segment.spiketrains[0].rescale("s").magnitude for segment in drawn.segments]
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
edges = np.arange(6.0, 6.501, 0.005)
counts = np.mean([np.histogram(train, edges)[0] for train in model_trains], axis=0)
axes[0].stairs(counts / 0.005, edges, color="#0072B2", label="neuron, 10 trials")
axes[0].eventplot(
    times[(times > 6) & (times < 6.5)], lineoffsets=-40, linelengths=50, color="black", label="cell"
)
axes[0].set(xlabel="time (s)", ylabel="rate (Hz)", title="PSTH in the test half")
axes[0].legend(frameon=False, fontsize=8)
bins = np.arange(0, 31, 1)
intervals = np.concatenate([np.diff(train[train > 5]) for train in model_trains])
axes[1].hist(1e3 * np.diff(times[times > 5]), bins, density=True, color="0.75", label="cell")
axes[1].stairs(np.histogram(1e3 * intervals, bins, density=True)[0], bins, color="#0072B2", label="neuron")
axes[1].set(xlabel="interval (ms)", ylabel="density (1/ms)", title="intervals in the test half")
axes[1].legend(frameon=False, fontsize=8)
plt.show()
cell_rate = measures.firing_rate(block, **late)[0]
rates = measures.firing_rate(drawn, **late)
print(f"test half: cell {cell_rate:.1f} Hz, neuron {np.mean(rates):.1f} Hz")

# %% [markdown]
# ## The main job of this package
#
# The study `grasshopper` does this with both recordings. It also asks what the *noise* is for: it compares the neuron
# with the same neuron whose noise is switched off, and with one that was calibrated without noise. The table has the
# verdicts of the full run; the figure and the numbers below it are those of a quick run of one recording. To repeat the
# full run, in a terminal:
#
#     nsnn study grasshopper

# %%
table = harness.result(study, study.Config(quick=True))
full_runs.verdicts("grasshopper")

# %%
study.plot(table)

# %% [markdown]
# Without noise the neuron says more about the sound than the cell does: its coherence with the sound is too high. With
# the calibrated noise it is as informative as the cell. The likelihood did not know this measure.

# %%
for title, frame in study.tables(table).items():
    print(title)
    display(frame)

# %% [markdown]
# ## Try it
#
# The tables and figures of the study have settings of their own: a change in a cell above, such as another noise, does
# not reach them.
#
# **Noise level varied.** Reduce or raise the width of the hazard threefold and simulate. What happens to the rate, and
# to the reliability of spikes from trial to trial? (`nsnn.theory` and the study `stochastic_resonance` have more on the
# best noise level.)

# %%
for width in (0.3, 1.0, 3.0):
    other = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(1000 * Hz, width * mV))
    trials = nsnn.simulate(fit.model, other, fit.stimulus, trials=8, duration=1 * second, dt=0.2 * ms, seed=1)
    rate = np.mean(measures.firing_rate(trials))
    reliability = np.mean(measures.schreiber_reliability(trials, sigma=2 * pq.ms))
    print(f"noise x {width}: {rate:.0f} Hz, reliability {reliability:.2f}")

# %% [markdown]
# **Without adaptation.** Take the slow current out. How much worse is the prediction?

# %%
without = {name: bounds for name, bounds in free.items() if name not in ("tau_w", "b")}
plain = nsnn.calibrate(
    nsnn.LIF(tau_m=1.5 * ms, v_rest=0 * mV, v_reset=-30 * mV, v_thresh=0 * mV, tau_refrac=0.5 * ms),
    without,
    noise=noise,
    stimulus=sound,
    trains=block,
    t_stop=half,
    dt=0.2 * ms,
    progress=False,
)
score = plain.score(block, t_start=half)
print(f"without adaptation: {score.value:.2f} ± {score.se:.2f} bits per spike held out")

# %% [markdown]
# **Your own data.** `nsnn.to_block([[times]], t_stop=...)` with spike times in seconds, and
# `neo.AnalogSignal(values, units="dimensionless", sampling_rate=...)` for the stimulus. Begin with a linear drive:

# %%
linear = nsnn.Filtered(level, gain=2 * mV, offset=-2 * mV, delay=6 * ms)
some = ("tau_m", "v_reset", "tau_w", "b", "stimulus.gain", "stimulus.offset", "stimulus.delay")
simple = nsnn.calibrate(
    cell,
    {name: free[name] for name in some},
    noise=noise,
    stimulus=linear,
    trains=block,
    t_stop=half,
    dt=0.2 * ms,
    progress=False,
)
score = simple.score(block, t_start=half)
print(f"linear drive: {score.value:.2f} ± {score.se:.2f} bits per spike held out")
