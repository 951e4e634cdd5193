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
# # Noise-driven learning: a noisy network learns handwritten digits
#
# A spike is all or nothing, so its derivative with respect to the membrane potential is zero almost everywhere, and a
# deterministic spiking network cannot be trained by following a gradient. There are two solutions.
#
# - **Surrogate gradients**: replace the derivative by a smooth bump, chosen by hand.
# - **Noise**: make the neuron itself noisy. With noise of distribution function $F$, a neuron with potential $u$ and
#   threshold $\theta$ fires with probability $p = F(u - \theta)$. This probability has a derivative, the density
#   $f(u - \theta)$ of the noise.
#
# With noise the rule for a synapse $w_{ij}$ is a product of three factors (noise-driven learning, NDL):
#
# $$\Delta w_{ij} = -\eta \sum_t \delta_i(t)\; f\big(u_i(t) - \theta\big)\; e_{ij}(t)$$
#
# $\delta_i$ is the learning signal, the effect of a spike of neuron $i$ on the loss; $f$ is the density of the noise at
# the distance of the neuron to threshold; $e_{ij}$ is the eligibility trace of the synapse, a memory of its past input.
# The bump of a surrogate gradient is the density of some noise, so both rules can use *the same* $f$ and be compared.
#
# **The claim**: a noisy network trained by NDL is as good as a deterministic network trained by the surrogate gradient
# with the same density, and better than a perceptron of the same size.

# %%
import matplotlib.pyplot as plt
import numpy as np

import nsnn_neuro as nsnn
from nsnn_neuro.studies import full_runs, harness
from nsnn_neuro.studies import learn_digits as study

plt.switch_backend("module://matplotlib_inline.backend_inline")  # figures appear below their cells

# %% [markdown]
# ## The data
#
# The digits of scikit-learn are 8 by 8 pixels, with values from 0 to 1. They are split once into training images,
# validation images (to choose noise level and learning rate) and test images, which are used only at the end. In each
# of about twenty time steps a pixel sends a spike with a probability equal to its value.

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
# Sixty-four inputs, 32 hidden neurons, ten outputs; Gaussian noise with a standard deviation of .4 times the distance
# from reset to threshold. The predicted class is the output that fires most. `train` writes the learning rule into the
# equations of Brian2, and returns a trained network for further simulations and measures.

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
# The same image causes different spikes in each trial. Presenting an image several times and summing the spikes reduces
# the noise.

# %%
test = nsnn.datasets.digits("test")
{passes: fit.evaluate(test, passes=passes, seed=1)["accuracy"] for passes in (1, 3, 10)}

# %% [markdown]
# ## The study
#
# The study chooses noise level and learning rate on the validation part, from grids of the same size for each of the
# three competitors. Networks with other seeds are then trained with this choice and evaluated once on the test part.
# The table has the verdicts of the full run, which `nsnn study learn_digits` in a terminal repeats. The figure and the
# summary are those of a quick run, whose results are kept and reused.

# %%
table = harness.result(study, study.Config(quick=True))
full_runs.verdicts("learn_digits")

# %% [markdown]
# Each row is a falsifiable claim with its verdict and evidence; central claims decide about the study. *Not inferior by
# more than a point* means that the whole 95 % interval of the paired difference is above minus one point. A small
# difference with a large error does not pass.

# %%
study.plot(table)

# %% [markdown]
# **How to read it.** A filled circle is one trained network (a seed) on the test images, with the spikes of ten trials
# summed; an open circle is the same network in a single trial; bars are means over seeds. Compare the spread of the
# circles with the distance of the bars before believing in a difference. The dotted line is the accuracy of the nearest
# training image, which is high for this split: an accuracy close to it is not remarkable for digits. The claim is
# therefore about noise, not about records of accuracy.

# %%
study.summary(table)

# %% [markdown]
# ## Try it
#
# The tables and figures of the study have settings of their own: a change in a cell above, such as another noise, does
# not reach them.
#
# Less noise: below some level hardly any neuron is close enough to threshold for $f$ to differ from zero, and learning
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
# Another noise: change the family (`nsnn.Logistic`, `nsnn.Uniform`, `nsnn.Triangular`, `nsnn.Cauchy`,
# `nsnn.FastSigmoid`) and look at its density. Each is a published surrogate gradient.

# %%
distance = np.linspace(-2, 2, 201)
figure, ax = plt.subplots(figsize=(5, 3))
for family, style in ((nsnn.Gaussian(0.4), "-"), (nsnn.Triangular(1.0), "--"), (nsnn.Cauchy(0.3), ":")):
    ax.plot(distance, family.pdf(distance), style, label=type(family).__name__)
ax.set(xlabel="distance to threshold, u - theta", ylabel="density f (1/threshold)")
ax.legend(frameon=False)

# %% [markdown]
# The spikes of the trained network are a `neo.Block`, which all measures accept.

# %%
block = fit.spikes((test[0][:50], test[1][:50]), seed=2)
rates = nsnn.measures.firing_rate(block)
f"{rates.size} neurons, mean {rates.mean():.0f} Hz at steps of 1 ms"
