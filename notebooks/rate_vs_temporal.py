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
# # Rate or timing? How noise decides what a spike train can say
#
# A neuron answers a stimulus with a handful of spikes. A reader may count them (a **rate code**) or look at when they came (a
# **temporal code**). The times hold at least as much as the number, since whoever knows the times can count. The question is
# whether they hold *more*. Two things should decide that: the **noise**, which blurs the times, and the **time scale of the
# stimulus**, since a stimulus that hardly changes while we look has little to write into the times.
#
# The yardstick is the mutual information between the stimulus $S$ and the answer $R$ in bits,
#
# $$I(S;R) = H(R) - \sum_s p(s)\, H(R \mid s) ,$$
#
# for the *same* spikes read in different ways:
#
# - the **count** of spikes in the window,
# - the **latency** of the first one, in bins,
# - the whole **word**: the number of spikes in each bin, at several widths of the bin,
# - a **distance** between spike trains in which moving a spike by $\Delta t$ costs $q\,\Delta t$, and adding or removing one
#   costs 1 (Victor & Purpura). At $q = 0$ it only sees counts; at a large $q$ it tells times apart that differ by $1/q$.

# %%
import sys

sys.path.insert(0, "..")

import matplotlib.pyplot as plt
import neo
import numpy as np
import quantities as pq
from brian2 import ms, mV

import nsnn_neuro as nsnn
from analysis import harness
from analysis import rate_vs_temporal as study
from nsnn_neuro import measures

plt.switch_backend(plt.get_backend())  # at once, so that the studies' figures are drawn below their cells

# %% [markdown]
# ## A live example: two stimuli, two noises
#
# Two frozen stimuli are shown to a leaky integrate-and-fire neuron, forty times each, with little noise and with much. Every
# row of dots is a trial.

# %%
paths = [nsnn.FrozenNoise(28 * mV, 10 * mV, 2 * ms, seed=k).samples(400, 1e-4) for k in (1, 2)]
drive = np.array(
    [paths[0], paths[1], paths[0], paths[1]]
).T  # stimulus 1, 2 with little noise, 1, 2 with much
block = nsnn.simulate(
    nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=20 * mV, tau_refrac=4 * ms),
    nsnn.WhiteNoise(np.array([1, 1, 8, 8]) * mV),
    nsnn.Recorded(neo.AnalogSignal(drive * pq.V, sampling_period=0.1 * pq.ms)),
    n_neurons=4,
    trials=40,
    duration=40 * ms,
    seed=1,
    engine="numpy",
)
trains = measures.as_trains(block)

_, axes = plt.subplots(1, 2, figsize=(7, 2.6), sharey=True, layout="constrained")
for ax, first, title in zip(axes, (0, 2), ("sigma 1 mV", "sigma 8 mV"), strict=True):
    for k, colour, marker in ((0, "#0072B2", "o"), (1, "#D55E00", "s")):
        own = trains.neuron == first + k
        ax.plot(
            1e3 * trains.times[own],
            trains.trial[own] + 45 * k,
            marker,
            ms=2,
            color=colour,
            label=f"stimulus {k + 1}",
        )
    ax.set(title=title, xlabel="time (ms)", xlim=(0, 40))
axes[0].set_ylabel("trial")
axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
ax.get_figure()

# %% [markdown]
# With little noise the dots stand in columns: whoever knows where the columns of a stimulus are can name it from the times.
# With much noise the columns dissolve.
#
# ## The study
#
# Stimuli are frozen Ornstein-Uhlenbeck paths of several correlation times, scaled so that each shakes the membrane as much as
# the next; a set holds several of them, and each is shown many times. From the answers the table below is made, for many sets
# (seeds). Information from few trials is too high; Panzeri and Treves' correction takes the excess off, and the words are kept
# short (refractoriness of 4 ms) so that it can. The **surplus of timing** is the information in words with the finest bins
# less that in counts.
#
# The quick run's table is read, or made if it isn't there. The full run, with more seeds, noises and a finer resolution, is
# `python -m analysis rate_vs_temporal` in the repository's root.

# %%
table = harness.result(study, study.Config(quick=True))
harness.verdicts(study.claims(table))

# %% [markdown]
# Each row is a sentence that could have come out wrong, written down before the full run; the *central* ones decide about the
# study. The others are open questions. Expect some of these to fail, and read why: the distance's best cost $q_{max}$ is the
# place of the maximum of a curve that is nearly flat over a wide range, so where exactly it lies is mostly chance. The cost at
# which *half of the information is lost* (the end of the plateau) is the better measure of a code's precision.
#
# ## How to read the figure
#
# **Left**: for the fastest stimuli, what the three readings tell against the noise. The distance between the words' line
# (circles) and the count's (triangles) is the surplus. **Middle**: that surplus for each time scale. **Right**: what distances
# tell against their cost of time. At 0 they see counts only; where the curve stands on its plateau timing helps; it falls
# again where the distance takes the jitter of spikes for a difference. A vertical mark shows where half is lost: it stands
# further left the more noise there is. Bars and bands are 95 % intervals over seeds.

# %%
figures = list(study.figures(table).values())
figures[0]

# %%
study.summary(table)

# %% [markdown]
# ### At which resolution?
#
# Bits in words against the width of a bin. The widest bin is the whole window, whose word is the count. A curve that rises to
# the left says that finer timing still adds something.

# %%
figures[1]

# %% [markdown]
# ### A recorded neuron
#
# If the recordings of the 2007 competition on single neuron models are at hand, the list of figures has a third: a cortical
# neuron of a rat that was given the same fluctuating current four times, in eight settings. Four repeats are too few for
# words, but not for distances: short windows of the recording are the "stimuli", and a spike train is assigned to the window
# to whose other repeats it is nearest. Where spikes are reliable times add much to counts; where they aren't, nothing.

# %%
print(f"{len(figures)} figures; the third needs the recordings")
figures[-1]

# %% [markdown]
# ## What this says, and what not
#
# Timing matters where spikes are precise enough, and stimuli fast enough, for times to carry a difference that the count
# lacks. In this neuron noise takes both away in the end: at the highest noise neither reading tells anything worth mentioning,
# so "the surplus is gone" doesn't mean that counting is then a good code.
#
# Information is what *could* be read, by a reader who knows the neuron's statistics and when the stimulus began. That an
# animal reads it is another question. And the numbers belong to this neuron, window and set of stimuli.
#
# ## Try it
#
# **Another noise.** Counts against words for the two stimuli above. Change `sigma` and run the cell again.

# %%
sigma, trials = 3.0, 400
two = nsnn.simulate(
    nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=20 * mV, tau_refrac=4 * ms),
    nsnn.WhiteNoise(sigma * mV),
    nsnn.Recorded(neo.AnalogSignal(drive[:, :2] * pq.V, sampling_period=0.1 * pq.ms)),
    n_neurons=2,
    trials=trials,
    duration=40 * ms,
    seed=2,
    engine="numpy",
)
shown = np.repeat([1, 2], trials)
counts = measures.spike_counts(two).T.ravel()
words = measures.words(two, bin_width=4 * pq.ms).swapaxes(0, 1).reshape(2 * trials, -1)
print("counts:", measures.mutual_information(shown, counts))
print("words: ", measures.mutual_information(shown, words))

# %% [markdown]
# **Destroy the times, keep the counts.** Spikes are put anywhere in the window: the words should now tell no more than counts.

# %%
rng = np.random.default_rng(1)
spoilt = nsnn.to_block(
    [[rng.uniform(0, 0.04, n) for n in row] for row in measures.spike_counts(two)], t_stop=40 * ms
)
words = measures.words(spoilt, bin_width=4 * pq.ms, saturation="count").swapaxes(0, 1).reshape(2 * trials, -1)
print("words of shuffled times:", measures.mutual_information(shown, words))

# %% [markdown]
# **Another distance.** Van Rossum's distance smooths spikes with a time constant instead of pricing shifts. Change `tau`.

# %%
tau = 5 * pq.ms
some = [two.segments[k].spiketrains[j] for j in range(2) for k in range(40)]
labels = np.repeat([1, 2], 40)
q = np.array([0, 100, 1000]) * pq.Hz
print(
    "Victor-Purpura:",
    measures.metric_space_information(some, labels, q=q).corrected.round(3),
    "bit at q =",
    q,
)
d = measures.van_rossum(some, tau=tau)
same = labels[:, None] == labels
print(f"van Rossum, tau {tau}: mean distance within {d[same].mean():.2f}, between {d[~same].mean():.2f}")

# %% [markdown]
# **How many trials?** Let the pilot above say how many would bring the words' error bar down to 0.01 bit.

# %%
words = measures.words(two, bin_width=4 * pq.ms).swapaxes(0, 1).reshape(2 * trials, -1)
print(measures.plan_trials((shown, words), precision=0.01))
