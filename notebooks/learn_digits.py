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
# # Noise-driven learning: a noisy network learns handwritten digits
#
# A spike is all or nothing, so the derivative of a spike with respect to the membrane potential is zero almost everywhere, and
# a deterministic spiking network can't be taught by following a gradient. Two ways out are in use.
#
# - **Surrogate gradients**: take a smooth bump in the derivative's place, chosen by hand.
# - **Noise**: let the neuron itself be noisy. With noise of distribution function $F$ a neuron with potential $u$ and threshold
#   $\theta$ fires with the probability $p = F(u - \theta)$, and *that* has a derivative, the density $f(u - \theta)$ of the
#   noise.
#
# With noise the rule for a synapse $w_{ij}$ is a product of three factors (noise-driven learning, NDL):
#
# $$\Delta w_{ij} = -\eta \sum_t \delta_i(t)\; f\big(u_i(t) - \theta\big)\; e_{ij}(t)$$
#
# $\delta_i$ is the learning signal, what a spike of neuron $i$ would change in the loss; $f$ is the noise's density at the
# neuron's distance to threshold; $e_{ij}$ is the synapse's eligibility trace, which remembers what came through it. The bump
# of a surrogate gradient is the density of some noise, so both rules can be given *the same* $f$ and compared.
#
# **The claim** put to the test here: a noisy network taught by NDL is as good as its deterministic twin taught by the surrogate
# gradient with the same density, and better than a perceptron of the same size.

# %%
import sys

sys.path.insert(0, "..")

import matplotlib.pyplot as plt
import numpy as np

import nsnn_neuro as nsnn
from analysis import harness
from analysis import learn_digits as study

plt.switch_backend(plt.get_backend())  # at once, so that the studies' figures are drawn below their cells

# %% [markdown]
# ## The data
#
# Scikit-learn's digits are 8 by 8 pixels, with values from 0 to 1. They are split once into images to learn from, images to
# choose by (noise level, learning rate) and images to test on, which are seen at the very end. In each of some twenty time
# steps a pixel sends a spike with the probability that its value says.

# %%
X, y = nsnn.datasets.digits("train")
figure, axes = plt.subplots(1, 8, figsize=(8, 1.4))
for ax, image, label in zip(axes, X, y, strict=False):
    ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
    ax.set_title(f"{label}", fontsize=9)
    ax.set_axis_off()

# %% [markdown]
# ## One noisy network, by hand
#
# Sixty-four inputs, 32 hidden neurons, ten outputs; Gaussian noise whose standard deviation is .4 of the distance from reset to
# threshold. The class is the output that fires most. `train` writes the rule into Brian2's equations, and what comes back is a
# trained network that any simulation or measure of the package takes.

# %%
net = nsnn.feedforward(
    [64, 32, 10],
    noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)),
    plasticity=nsnn.NDL(1e-2, optimizer=nsnn.Adam()),
    seed=1,
)
fit = nsnn.train(
    net,
    (X[:400], y[:400]),
    loss=nsnn.losses.rate_mse,
    epochs=4,
    n_steps=10,
    keep="last",
    seed=1,
    engine="numpy",
    progress=False,
)
fit.history

# %% [markdown]
# The same image makes other spikes each time. Showing an image several times and adding up the spikes takes some of the noise
# away again: it is the price, and the use, of answers that vary.

# %%
test = nsnn.datasets.digits("test")
{passes: fit.evaluate(test, passes=passes, seed=1)["accuracy"] for passes in (1, 5, 20)}

# %% [markdown]
# ## The study
#
# The study does this carefully: noise level and learning rate are chosen on the validation part, from a grid of the same size
# for each of the three competitors; then other seeds are trained with that choice and see the test part once. Here it runs at
# its quick scale; `python -m analysis learn_digits` in a shell does the full one. A run that has finished is read again, not
# repeated.

# %%
table = harness.result(study, study.Config(quick=True))
harness.verdicts(study.claims(table))

# %% [markdown]
# Each row is a claim that could have failed, its verdict, and the numbers it rests on; "central" ones decide about the study.
# *Not inferior by more than a point* means that the whole 95 % interval of the difference, paired by seed, lies above minus
# one point: a small and badly known difference doesn't pass.

# %%
study.plot(table)

# %% [markdown]
# **How to read it.** A filled circle is one trained network (a seed) on the test images, with ten passes added up; an open one
# is the same network in a single pass; the bar is the mean over seeds. Compare the spread of the circles with the distance of
# the bars before believing in a difference. The dotted line is what the nearest image in the training part gives: this split
# is an easy one for it, and a network that comes near has not done anything remarkable for digits. That is why the claim is
# about noise, not records.

# %%
study.summary(table)

# %% [markdown]
# ## Try it
#
# Less noise: below some level hardly any neuron is near enough to threshold for $f$ to be different from zero, and learning
# stalls.

# %%
quiet = nsnn.feedforward(
    [64, 32, 10],
    noise=nsnn.EscapeNoise(nsnn.Gaussian(0.02)),
    plasticity=nsnn.NDL(1e-2, optimizer=nsnn.Adam()),
    seed=1,
)
stalled = nsnn.train(
    quiet,
    (X[:400], y[:400]),
    loss=nsnn.losses.rate_mse,
    epochs=4,
    n_steps=10,
    keep="last",
    seed=1,
    engine="numpy",
    progress=False,
)
stalled.evaluate(test, passes=5, seed=1)["accuracy"], fit.evaluate(test, passes=5, seed=1)["accuracy"]

# %% [markdown]
# Another noise: exchange the family (`nsnn.Logistic`, `nsnn.Uniform`, `nsnn.Triangular`, `nsnn.Cauchy`, `nsnn.FastSigmoid`),
# and see what its density looks like. Each is a surrogate gradient that somebody uses.

# %%
distance = np.linspace(-2, 2, 201)
figure, ax = plt.subplots(figsize=(5, 3))
for family, style in ((nsnn.Gaussian(0.4), "-"), (nsnn.Triangular(1.0), "--"), (nsnn.Cauchy(0.3), ":")):
    ax.plot(distance, family.pdf(distance), style, label=type(family).__name__)
ax.set(xlabel="distance to threshold, u - theta", ylabel="density f (1/threshold)")
ax.legend(frameon=False)

# %% [markdown]
# The trained network's spikes are a `neo.Block`: hand them to any measure.

# %%
block = fit.spikes((test[0][:50], test[1][:50]), seed=2)
rates = nsnn.measures.firing_rate(block)
f"{rates.size} neurons, mean {rates.mean():.0f} Hz at steps of 1 ms"
