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
# # Does noise in a hidden layer help to predict the spikes of retinal cells?
#
# A spike of a retinal ganglion cell is the end of a chain of neurons: photoreceptors, bipolar cells, amacrine cells. All
# of them are noisy. A model with a *hidden layer* between stimulus and spikes may be noisy in that layer or only at its
# output. Ma, Yan and Tang (2023) report that noisy networks describe recorded spikes better. This notebook asks it of
# 49 ganglion cells of a salamander retina under a natural movie (Onken et al. 2016, doi 10.1371/journal.pcbi.1005189).
#
# The recording is **not part of this package**; the first cell says where to get it. Without it, the notebook explains
# the method with made-up cells, and has the verdicts of the full run.

# %%
import matplotlib.pyplot as plt
import neo
import numpy as np
import quantities as pq
from IPython.display import display

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import Lags, Training, fit_network
from nsnn_neuro.studies import full_runs, harness
from nsnn_neuro.studies import retina_code as study
from nsnn_neuro.studies.shared import recordings

plt.switch_backend("module://matplotlib_inline.backend_inline")  # figures appear below their cells

missing = "".join(recordings.absent(study.REQUIRED, "This notebook skips what needs"))
print(missing or "the recording is there")

# %% [markdown]
# ## Two layers, with and without noise
#
# A made-up cell fires where the size of a signal is large, whatever its sign. A single filter cannot describe it; two
# hidden neurons can, one for each sign. `fit_network` fits both layers to the spikes of the cell. Each hidden neuron fires
# with probability $F(u - \theta)$, where $u$ is its potential, $\theta$ its threshold and $F$ the distribution function
# of its noise; with `noisy=False` it fires where $u > \theta$, and the derivative of $F$ serves as surrogate
# gradient. The output neuron is noisy in both cases, and its spikes are forced to the recorded ones while the hidden
# spikes are drawn.
#
# The score is held-out **bits per spike**: how much better the model predicts spikes that it was not fitted to than a
# constant rate does.

# %%
rng = np.random.default_rng(1)
x = np.convolve(rng.normal(size=3000), np.ones(4) / 2, mode="same")
spikes = np.flatnonzero(rng.random(x.size) < 0.6 / (1 + np.exp(-6 * (np.abs(x) - 1.5)))) * 1e-3
signal = neo.AnalogSignal(x, units=pq.dimensionless, sampling_period=1 * pq.ms)
fits, options = {}, {"dt": 1 * pq.ms, "stimulus": Lags(3), "ridge": 1.0, "seed": 1, "progress": False}
for name, noise in (("noisy hidden layer", True), ("noiseless hidden layer", False)):
    fits[name] = fit_network([spikes], signal, noisy=noise, training=Training(epochs=60), **options)
    held_out = fits[name].held_out
    print(f"{name}: {held_out.value:.3f} ± {held_out.se:.3f} bits per spike")

figure, ax = plt.subplots(figsize=(7, 2.4), layout="constrained")
ax.plot(np.arange(400), x[:400], color="0.5", lw=0.8)
ax.eventplot(spikes[spikes < 0.4] * 1e3, lineoffsets=-4, linelengths=1, colors="black")
ax.set(xlabel="time (ms)", ylabel="signal; spikes below")
plt.show()

# %% [markdown]
# ## Why noise can matter in a hidden layer
#
# A hidden neuron without noise says yes or no, and always the same for the same stimulus. Sixteen of them give the output
# at most a few levels, with edges where a neuron switches. Noise blurs the edges: the expected number of hidden spikes grows
# smoothly with the stimulus, and hidden neurons with the same filter are worth more than one. It also makes the output
# more variable from repeat to repeat, which a noiseless hidden layer leaves to the output neuron alone.
#
# Below: the expected sum of sixteen equal neurons against the stimulus, without noise and with three widths.

# %%
drive = np.linspace(0, 2, 201)
figure, ax = plt.subplots(figsize=(5, 2.8), layout="constrained")
ax.plot(drive, 16.0 * (drive > 1), color="black", label="no noise")
for k, sigma in enumerate((0.1, 0.4, 0.8)):
    ax.plot(
        drive,
        16 * nsnn.Gaussian(sigma).cdf(drive - 1),
        color=f"C{k}",
        label=f"noise {sigma:g} of the threshold",
    )
ax.set(xlabel="potential (thresholds)", ylabel="expected hidden spikes")
ax.legend(fontsize=8)
plt.show()

# %% [markdown]
# ## The recording
#
# 60 windows of 300 ms of a natural movie, 29 repeats. Below: a frame with the receptive fields of all cells, and the
# responses of three cells to one window.

# %%
if not missing:
    retina = nsnn.datasets.salamander_retina(recordings.folder(study.REQUIRED[0]))
    figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
    axes[0].imshow(retina.frames[0], cmap="gray")
    axes[0].plot(*retina.centres_in_frames.T, "o", ms=4, mfc="none", color="#D55E00")
    axes[0].set(title="a frame, receptive fields", xlabel="x (pixels)", ylabel="y (pixels)")
    repeats = [
        s for s in retina.movie.segments if s.annotations["label"] == 20 and s.annotations["repeat"] > 0
    ]
    busy = np.argsort([sum(len(s.spiketrains[c]) for s in repeats) for c in range(49)])[-3:]
    for ax, cell in zip(axes[1:], busy, strict=True):
        ax.eventplot(
            [s.spiketrains[cell].rescale("ms").magnitude for s in repeats], colors="black", linewidths=0.8
        )
        ax.set(title=f"cell {cell}", xlabel="time in the window (ms)", ylabel="repeat", xlim=(0, 300))
    plt.show()

# %% [markdown]
# ## The study
#
# Each cell sees 3 x 3 tiles around its receptive field in the last twelve frames. Seven models predict its spikes, in
# bins of 10 ms, on windows that they were not fitted to:
#
# - a hidden layer of 16 **noisy** neurons, the same layer **without noise** (fitted from scratch), and the latter with
#   **noise added afterwards**;
# - a linear filter, sixteen rectified subunits, a Poisson GLM with spike history, and a convolutional network of equal size.
#
# All choose learning rate, penalty and epochs from the same grid, on inner folds of the training windows. The table
# has the verdicts of the full run. If the recording is there, the figure and the summary are those of a quick run
# with eight cells and a smaller grid. To repeat the full run, which takes 19 minutes on two cores, in a terminal:
#
#     nsnn study retina_code

# %%
table = None if missing else harness.result(study, study.Config(quick=True))
full_runs.verdicts("retina_code")

# %%
study.plot(table) if table is not None else print("left out: needs the recording")

# %% [markdown]
# Left: bits per spike of all models. Middle: each cell with and without noise; above the line, noise is better. Right: how
# well the mean response over repeats (PSTH) is predicted, and the best that any model can do given the number of
# repeats (dashed).

# %%
display("left out: needs the recording" if table is None else study.summary(table))

# %% [markdown]
# "Stimuli exchanged" is the control: the same fit scored with the stimuli of other windows. It has to be far lower.
#
# ## Results and limits
#
# The full run (five folds, 49 cells, two initial seeds; numbers in bits per spike with 95 % intervals over cells):
#
# - **Noise in the hidden layer helps**: 0.540 with noise, 0.468 without, a difference of 0.073 [0.049, 0.096], in all five
#   folds, for both initial seeds, and for the cells that no setting was chosen by. Learning with noise is part of it: with
#   noise added afterwards to the noiseless fit it is 0.496.
# - **But such networks are not the best model of these cells.** Sixteen rectified subunits have 0.79, a convolutional
#   network 0.77, and a Poisson GLM 1.20. The GLM knows the cell's own past spikes, and these cells fire in bursts. A linear
#   filter is about as good, 0.58.
# - The mean response (PSTH) is predicted no better with noise (correlation 0.38 and 0.37; repeats drawn from the cell itself
#   would have 0.93), drawn trains are slightly closer to the recorded ones, and Fano factors are not.
#
# Limits: one retina and one movie, and a private copy of the hidden neurons for each cell, so that no model here has noise
# correlations.
#
# ## Try it
#
# Change numbers and run the cells again; each takes seconds.

# %%
# the objective may average over several draws of the hidden layer, which brings it closer to the likelihood
for n_draws in (1, 4):
    fit = fit_network([spikes], signal, n_draws=n_draws, training=Training(epochs=60), **options)
    print(f"{n_draws} draws: {fit.held_out.value:.3f} ± {fit.held_out.se:.3f} bits per spike")

# %%
# fewer hidden neurons: how many does this cell need? A fit may end in a poor optimum; try other seeds, too
for n_hidden in (2, 8, 32):
    fit = fit_network([spikes], signal, n_hidden=n_hidden, training=Training(epochs=60), **options)
    print(f"{n_hidden} hidden neurons: {fit.held_out.value:.3f} ± {fit.held_out.se:.3f} bits per spike")
