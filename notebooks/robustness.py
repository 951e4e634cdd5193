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
# # Are noisy networks more robust?
#
# Brains work with noisy neurons and tolerate noisy senses, lost cells and changed synapses. Artificial networks are
# known for the opposite: an imperceptible change of an image can change the answer. It is plausible that a network
# trained *with* internal noise is more robust, and Ma, Yan and Tang (2023) report this for noisy spiking networks.
#
# This notebook needs torch: `pip install "nsnn-neuro[torch]"`.
#
# **The claim**: a noisy spiking network is as accurate as a deterministic one, and more robust to noisy inputs, to
# attacks, and to noise inside the network.
#
# A fair comparison needs some care.
#
# - **The networks differ only in noise**: the deterministic network has the same initial weights, batches, input spikes
#   and schedule, and as many settings to choose from.
# - **Settings are chosen on validation images**, and networks with other seeds are evaluated on the test images.
# - **Gradients must not be masked.** A noisy network has a different gradient in each trial. An attack that uses a
#   single one is misled, and the network only appears robust (Athalye et al. 2018). The attacks here average the
#   gradient over twenty draws of the noise, and are checked: a stronger attack must do more harm, and an attack without
#   bounds must reduce the accuracy to chance.

# %%
import matplotlib.pyplot as plt
import torch

import nsnn_neuro as nsnn
from nsnn_neuro import deep
from nsnn_neuro.studies import full_runs, harness
from nsnn_neuro.studies import robustness as study

plt.switch_backend("module://matplotlib_inline.backend_inline")  # figures appear below their cells

# %% [markdown]
# ## An attack, step by step
#
# A small network in torch: one hidden layer of noisy neurons, Bernoulli input. `NoisySpike` fires with probability
# $F(u - \theta)$ and propagates gradients through the density of the noise; this rule is called noise-driven learning.

# %%
torch.manual_seed(1)
layers = torch.nn.Sequential(
    torch.nn.Linear(64, 32),
    deep.NoisySpike(nsnn.Gaussian(0.4)),
    torch.nn.Linear(32, 10),
    deep.NoisySpike(nsnn.Gaussian(0.4)),
)
net = deep.Classifier(layers, n_steps=8)
fit = deep.fit(
    net,
    nsnn.datasets.digits("train"),
    loss=nsnn.losses.rate_mse,
    epochs=10,
    batch=64,
    eta=1e-2,
    validation=0,
    seed=1,
    progress=False,
)
net = fit.module  # the trained copy
X, y = nsnn.datasets.digits("test")
deep.accuracy(net, (X, y), passes=5, seed=1)

# %% [markdown]
# The fast gradient sign method moves each pixel by $\varepsilon$ in the direction that raises the loss,
#
# $$x' = x + \varepsilon\, \mathrm{sign}\, \nabla_x\, E_\xi\big[L(x, y, \xi)\big],$$
#
# where $E_\xi$ is the mean over the noise of the network. Projected gradient descent (PGD) takes many small steps and
# recomputes the gradient after each.

# %%
some = X[:60], y[:60]
attacked = deep.pgd(net, some, strength=0.15, steps=5, draws=20, seed=1)
figure, axes = plt.subplots(2, 6, figsize=(7, 2.6))
for column, (before, after) in enumerate(zip(some[0][:6], attacked[:6], strict=True)):
    for row, image in enumerate((before, after)):
        axes[row, column].imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        axes[row, column].set_axis_off()
figure.suptitle("top: images; bottom: after PGD, pixels changed by at most .15", fontsize=9)
{"before": deep.accuracy(net, some, passes=5, seed=1)["accuracy"],
 "after": deep.accuracy(net, (attacked, some[1]), passes=5, seed=1)["accuracy"]}  # fmt: skip

# %% [markdown]
# ## The study
#
# The study has fourteen disturbances: four of the input, five attacks (FGSM, PGD, ascent on a sphere, images made on
# another network, and random squares, which need no gradient), and five inside the network. For each, accuracy is
# plotted against strength, and the areas under the curves are compared, noisy minus deterministic, paired by seed. The
# table has the verdicts of the full run, which `nsnn study robustness` in a terminal repeats.

# %%
table = harness.result(study, study.Config(quick=True))
full_runs.verdicts("robustness")

# %% [markdown]
# A claim of *larger area* holds only if the 95 % interval of the paired difference is above zero. The figure and the
# summary below are those of a quick run with two seeds, whose intervals are too wide for conclusions.

# %%
study.plot(table)

# %% [markdown]
# **How to read it.** Thick lines are means over seeds, thin lines single seeds; solid red is the noisy network, dashed
# blue the deterministic one. Where the lines coincide, noise makes no difference.

# %%
study.summary(table)

# %% [markdown]
# The secondary claims check the attacks. If PGD did less harm than random squares, noise would mask the gradients, and
# no claim about robustness would be valid.
#
# ## Try it
#
# What if the attack does not average over noise? One draw against many, with the same strength:

# %%
{draws: deep.accuracy(net, (deep.fgsm(net, some, strength=0.1, draws=draws, seed=1), some[1]), passes=5, seed=1)["accuracy"]
 for draws in (1, 4, 20)}  # fmt: skip

# %% [markdown]
# Noise inside the network, after training: on all membranes, in distances from reset to threshold; or lost spikes,
# noisy weights, coarse weights.

# %%
accuracy = {}
for how in ({"membrane": 0.4}, {"delete": 0.3}, {"weights": 0.4}, {"bits": 3}):
    with deep.disturbed(net, **how, seed=1):
        accuracy[str(how)] = deep.accuracy(net, (X, y), passes=5, seed=1)["accuracy"]
accuracy
