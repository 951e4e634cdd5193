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
# # What counts and first spikes of retinal cells tell about an image
#
# A flashed image reaches the brain as a burst of spikes in each retinal ganglion cell. Two simple features of the
# burst may carry the message: *how many* spikes it has, and *when* its first spike comes. Gollisch and Meister (2008,
# doi 10.1126/science.1149639) found that the first spike tells more. This notebook measures both in 49 ganglion cells
# of a salamander retina, which saw 60 natural images 30 times each (Onken et al. 2016, doi
# 10.1371/journal.pcbi.1005189).
#
# The recording is **not part of this package**; the first cell says where to get it. Without it, the notebook explains
# the methods with made-up responses, and has the verdicts of the full run.

# %%
import matplotlib.pyplot as plt
import numpy as np
import quantities as pq
from IPython.display import display

import nsnn_neuro as nsnn
from nsnn_neuro import measures
from nsnn_neuro.studies import full_runs, harness
from nsnn_neuro.studies import recorded_codes as study
from nsnn_neuro.studies.recorded_codes import posteriors
from nsnn_neuro.studies.shared import recordings

plt.switch_backend("module://matplotlib_inline.backend_inline")  # figures appear below their cells

missing = "".join(recordings.absent(study.REQUIRED, "This notebook skips what needs"))
print(missing or "the recording is there")

# %% [markdown]
# ## Information in a count and in a latency
#
# A made-up cell responds to eight images with about three spikes; images differ little in the count, and more in the
# time of the first spike. `mutual_information` tells how much one trial says about the image, in bits. Eight images
# that are equally frequent allow $\log_2 8 = 3$ bits.
#
# With few trials the estimate is too high, because responses that happened to occur with one image only look
# informative. The Panzeri-Treves correction removes most of it. Each estimate has a standard error, and a null: the
# same estimate after the images are shuffled over the trials.

# %%
rng = np.random.default_rng(1)
images, repeats = 8, 30
stimulus = np.repeat(np.arange(images), repeats)
number = rng.binomial(6, 0.4 + 0.03 * stimulus)
first = 0.12 + 0.006 * stimulus + 0.008 * rng.standard_normal(stimulus.size)
trains = [[t + 0.015 * np.arange(n)] for t, n in zip(first, number, strict=True)]
block = nsnn.to_block(trains, t_stop=300 * pq.ms)

counts = measures.spike_counts(block)[:, 0]
latency = measures.latency_symbols(block, resolution=10 * pq.ms)[:, 0]
print("count:  ", measures.mutual_information(stimulus, counts))
print("latency:", measures.mutual_information(stimulus, latency))

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
times = [train[0] for train in trains]
ax.eventplot(times, colors="black", linewidths=0.8)
for image in range(1, images):
    ax.axhline(image * repeats - 0.5, color="#0072B2", lw=0.5)
ax.set(xlabel="time from the onset of the image (s)", ylabel="trial, sorted by image", xlim=(0, 0.3))
plt.show()

# %% [markdown]
# ## Decoders that know how sure they are
#
# Several cells together are decoded. From the responses $r$ of a trial, a decoder computes the probability of each
# image, $q(s \mid r)$; the image with the largest one is its guess. *Accuracy* counts right guesses. The
# **cross-entropy information**
#
# $$I_q = \log_2 K + \frac{1}{n}\sum_{\text{trials}} \log_2 q(\text{true image} \mid r)$$
#
# also asks whether the probabilities are right. It is a lower bound of the mutual information, and a decoder that is
# too confident loses bits although its guesses are the same.
#
# Example: one cell, three images with 2, 10 and 25 spikes on average. In each trial all rates are multiplied by a
# random gain of variance 1/4, as in a cortical cell whose excitability changes. A decoder that assumes Poisson counts is
# too confident; one that knows the gain (negative binomial counts) is not.

# %%
image = np.repeat(np.arange(3), 2000)
mean = np.array([2.0, 10.0, 25.0])[image]
train, test = (rng.poisson(mean * rng.gamma(4.0, 0.25, image.size))[:, None].astype(float) for _ in range(2))
for name, decoder in (
    ("Poisson", measures.PoissonMAP()),
    ("negative binomial", measures.NegativeBinomialMAP()),
):
    bits, right = posteriors.scored(decoder.fit(train, image).log_posterior(test), image)
    print(f"{name:18s} accuracy {right.mean():.3f}, cross-entropy information {bits.mean():.3f} bit")

# %% [markdown]
# Are retinal cells like this? Their counts are known to be *less* variable than Poisson. The study asks.
#
# ## The recording
#
# `datasets.salamander_retina` reads the file and returns two Blocks, images and movie, with the pictures and the
# receptive fields in their pixels. Each trial of an image lasts 300 ms, and responses begin after about 100 ms. Below:
# an image with the receptive-field centres of all cells, and the responses of one cell to five images, 30 trials each.

# %%
if not missing:
    retina = nsnn.datasets.salamander_retina(recordings.folder(study.REQUIRED[0]))
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), width_ratios=(1, 1.6), layout="constrained")
    left.imshow(retina.pictures[0], cmap="gray")
    left.plot(*retina.centres_in_pictures.T, "o", ms=4, mfc="none", color="#D55E00", label="receptive field")
    left.set(xlabel="x (pixels)", ylabel="y (pixels)")
    left.legend(fontsize=8)
    cell = int(np.argsort(measures.spike_counts(retina.images).mean(axis=0))[-4])
    times = [s.spiketrains[cell].rescale("s").magnitude for s in retina.images.segments[:150]]
    right.eventplot(times, colors="black", linewidths=0.7)
    for k in range(1, 5):
        right.axhline(30 * k - 0.5, color="#0072B2", lw=0.6)
    right.set(
        xlabel="time from the onset of the image (s)",
        ylabel=f"trials of cell {cell}, five images",
        xlim=(0, 0.3),
    )
    plt.show()

# %% [markdown]
# ## The study
#
# The table has the verdicts of the full run. If the recording is there, the figures are those of a quick run with 24 of
# the images. To repeat the full run, in a terminal:
#
#     nsnn study recorded_codes
#
# - **Single cells.** Counts and latencies are merged into at most seven classes of nearly equal frequency, without
#   regard to the image. Both codes then have the same alphabet, and the trials are enough for the correction.
# - **Groups of four cells** are decoded, cross-validated over blocks of consecutive repeats. With all 49 cells almost
#   every image is recognised, and nothing could be compared.
# - **Controls.** "Exchanged latencies" come from other trials of the same cell with the same count: what they tell is
#   known from the count. "Trials shuffled" combines the cells from different trials of the same image, which removes
#   noise correlations; only within a block of repeats, because the recording changes slowly.
#
# The claims and their criteria were written before the first full run. Central claims decide; a failed claim is shown
# as failed.

# %%
table = None if missing else harness.result(study, study.Config(quick=True))
full_runs.verdicts("recorded_codes")

# %% [markdown]
# A: latency against count in each cell. B: the two codes beside binary words of several bin widths, with two
# corrections of opposite bias. C: decoders of four cells.

# %%
study.plot(table) if table is not None else print("left out: needs the recording")

# %% [markdown]
# A: the Fano factor, variance over mean of the counts, is below 1 in nearly all cells. B: noise correlations are
# small. C: a negative binomial decoder finds no gain, and equals the Poisson decoder. D: decoding without noise
# correlations.

# %%
list(study.figures(table).values())[1] if table is not None else print("left out: needs the recording")

# %% [markdown]
# ## What to take home
#
# - **Latency.** In most cells the first spike tells more about the image than the number of spikes. The difference is
#   modest, and the two overlap: a strong response is early *and* long. In groups of cells, a linear decoder does better
#   with counts than with latencies.
# - **Both.** Latencies add to what counts tell, so the timing isn't a copy of the count.
# - **Variability.** The gain that makes cortical counts overdispersed is absent here. Poisson decoders are rather
#   *under*confident for these cells: they expect more noise than there is.
# - **Limits.** One retina, 60 images, bursts of a few spikes. Merging responses into classes costs information, more in
#   latencies. A decoder gives a lower bound.
#
# ## Try it
# Change a cell and run it again.
#
# **How fine is the latency?** Finer bins tell more, until too few trials are left for each: the warning says so.

# %%
for width in (5, 10, 20, 40):
    symbols = measures.latency_symbols(block, resolution=width * pq.ms)[:, 0]
    e = measures.mutual_information(stimulus, symbols, n_shuffle=20)
    print(
        f"{width:2d} ms: {e:.2f} bit over the null, {e.verdict}, {'no warning' if e.warning is None else e.warning}"
    )

# %% [markdown]
# **A gain that varies.** Change the variance of the gain (1 / shape) in the example of the decoders, and see how many
# bits the Poisson decoder loses. Its accuracy hardly changes.

# %%
for shape in (100.0, 10.0, 4.0, 2.0):
    gain = rng.gamma(shape, 1 / shape, (2, image.size))
    train, test = (rng.poisson(mean * g)[:, None].astype(float) for g in gain)
    scores = [
        posteriors.scored(decoder.fit(train, image).log_posterior(test), image)
        for decoder in (measures.PoissonMAP(), measures.NegativeBinomialMAP())
    ]
    text = ", ".join(f"{bits.mean():+.2f} bit ({right.mean():.2f} right)" for bits, right in scores)
    print(f"gain variance {1 / shape:.2f}: Poisson, negative binomial {text}")

# %% [markdown]
# **Single cells in numbers.** The table of the study, by code and correction.

# %%
if table is not None:
    for title, frame in study.tables(table).items():
        print(title)
        display(frame)
