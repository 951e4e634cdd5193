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
# # Are noisy networks more robust?
#
# Brains work with noisy neurons and bear a lot: noisy eyes, lost cells, changed synapses. Artificial networks are known for the
# opposite: a change of an image that nobody would notice can turn the answer. It is tempting to think that a network which
# learned *with* noise inside is the more robust one. Ma, Yan and Tang (2023) report just that for noisy spiking networks.
#
# **The claim** put to the test: a noisy spiking network is as accurate as its deterministic twin, and more robust against
# noisy inputs, against attacks, and against noise inside the network.
#
# A fair comparison is easily spoilt, so the study takes some care.
#
# - **A twin differs in the noise alone**: same initial weights, batches, input spikes and schedule, as many settings to choose
#   from.
# - **Choices are made on validation images**, and networks of other seeds see the test images.
# - **Gradients must not be hidden.** A noisy network gives another gradient each time; an attacker who takes only one of them
#   is led astray, and the network looks robust though it isn't (Athalye et al. 2018). Attacks here average the gradient over
#   twenty draws of the noise, and are checked: a stronger attack must do more harm, and an attack without bounds must leave
#   nothing.

# %%
import sys

sys.path.insert(0, "..")

import matplotlib.pyplot as plt
import torch

import nsnn_neuro as nsnn
from analysis import harness
from analysis import robustness as study
from nsnn_neuro import deep

plt.switch_backend(plt.get_backend())  # at once, so that the studies' figures are drawn below their cells

# %% [markdown]
# ## An attack, step by step
#
# A small network in torch: one hidden layer of noisy neurons, Bernoulli input. `NoisySpike` fires with the probability
# $F(u - \theta)$ and passes gradients on through the noise's density, the rule that is called noise-driven learning.

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
X, y = nsnn.datasets.digits("test")
deep.accuracy(net, (X, y), passes=5, seed=1)

# %% [markdown]
# The fast gradient sign method moves each pixel by $\varepsilon$ in the direction that raises the loss,
#
# $$x' = x + \varepsilon\, \mathrm{sign}\, \nabla_x\, E_\xi\big[L(x, y, \xi)\big],$$
#
# where $E_\xi$ is the mean over the network's noise. Projected gradient descent (PGD) goes there in many small steps, and
# looks again after each.

# %%
some = X[:60], y[:60]
attacked = deep.pgd(net, some, strength=0.15, steps=5, draws=20, seed=1)
figure, axes = plt.subplots(2, 6, figsize=(7, 2.6))
for column, (before, after) in enumerate(zip(some[0][:6], attacked[:6], strict=True)):
    for row, image in enumerate((before, after)):
        axes[row, column].imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        axes[row, column].set_axis_off()
figure.suptitle("above: the image; below: after PGD, no pixel changed by more than .15", fontsize=9)
{"before": deep.accuracy(net, some, passes=5, seed=1)["accuracy"],
 "after": deep.accuracy(net, (attacked, some[1]), passes=5, seed=1)["accuracy"]}  # fmt: skip

# %% [markdown]
# ## The study
#
# Fourteen disturbances: four of the input, five attacks (FGSM, PGD, ascent on a sphere, images made on another network, and
# random squares, which need no gradient), five inside the network. For each the accuracy is drawn against the strength, and
# the area under that curve is compared, noisy less deterministic, paired by seed. Here at the quick scale; `python -m analysis
# robustness` in a shell does the full run.

# %%
table = harness.result(study, study.Config(quick=True))
harness.verdicts(study.claims(table))

# %% [markdown]
# A claim of *larger area* holds only where the whole 95 % interval of the paired difference is above zero. A quick run has two
# seeds: its intervals are wide, and few claims can hold. Read the full run's numbers in the README, with their date, before
# you conclude.

# %%
study.plot(table)

# %% [markdown]
# **How to read it.** Thick lines are means over seeds, thin ones single seeds; solid red is the noisy network, dashed blue its
# twin. Where the lines lie on each other, noise makes no difference, whatever the claim says.

# %%
study.summary(table)

# %% [markdown]
# Below "Also asked" in the verdicts stand the attacks' own checks. If PGD did less harm than random squares, the gradients
# would be hidden by the noise, and no claim of robustness would be worth anything.
#
# ## Try it
#
# What if the attacker doesn't average? One draw of the noise against many, the same strength:

# %%
{draws: deep.accuracy(net, (deep.fgsm(net, some, strength=0.1, draws=draws, seed=1), some[1]), passes=5, seed=1)["accuracy"]
 for draws in (1, 4, 20)}  # fmt: skip

# %% [markdown]
# Noise inside, after training: on all membranes, in distances from reset to threshold; or spikes that are lost.

# %%
lost = {}
for how in ({"membrane": 0.4}, {"delete": 0.3}, {"weights": 0.4}, {"bits": 3}):
    with deep.disturbed(net, **how, seed=1):
        lost[str(how)] = deep.accuracy(net, (X, y), passes=5, seed=1)["accuracy"]
lost
