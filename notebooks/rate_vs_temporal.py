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
# # Rate or timing? Noise and the information in spike trains
#
# A neuron responds to a stimulus with a few spikes. A decoder may count them (a **rate code**) or use their times (a
# **temporal code**). Spike times carry at least as much information as the count, because the count follows from the
# times. The question is whether they carry *more*. Two factors should decide this: the **noise**, which blurs the
# times, and the **time scale of the stimulus**, because a stimulus that hardly changes leaves little trace in the
# times.
#
# The measure is the mutual information between the stimulus $S$ and the response $R$ in bits,
#
# $$I(S;R) = H(R) - \sum_s p(s)\, H(R \mid s) ,$$
#
# for the *same* spikes, read out in different ways:
#
# - the **count** of spikes in the window,
# - the **latency** of the first one, in bins,
# - the **word**: the number of spikes in each bin, at several bin widths,
# - a **distance** between spike trains in which shifting a spike by $\Delta t$ costs $q\,\Delta t$, and adding or
#   removing one costs 1 (Victor & Purpura). At $q = 0$ it depends on counts only; at large $q$ it distinguishes times
#   that differ by $1/q$.

# %%
import matplotlib.pyplot as plt
import neo
import numpy as np
import quantities as pq
from brian2 import ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro import measures
from nsnn_neuro.studies import full_runs, harness
from nsnn_neuro.studies import rate_vs_temporal as study
from nsnn_neuro.studies.shared import recordings

plt.switch_backend("module://matplotlib_inline.backend_inline")  # figures appear below their cells

# %% [markdown]
# ## An example: two stimuli, two noise levels
#
# A leaky integrate-and-fire neuron receives two frozen stimuli, forty times each, with small and with large noise. Each
# row of dots is a trial.

# %%
paths = [nsnn.FrozenNoise(28 * mV, 10 * mV, 2 * ms, seed=k).samples(400, 1e-4) for k in (1, 2)]
drive = np.array(
    [paths[0], paths[1], paths[0], paths[1]]
).T  # stimuli 1, 2 with small noise, then 1, 2 with large noise
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
# With small noise the dots form columns, and the times identify the stimulus. With large noise the columns dissolve.
#
# ## The study
#
# Stimuli are frozen Ornstein-Uhlenbeck paths with several correlation times, scaled to the same standard deviation of
# the membrane potential. A set contains several of them, each presented many times. The table below combines many sets
# (seeds). Information estimated from few trials is too high; the Panzeri-Treves correction removes the bias, and a
# refractory period of 4 ms keeps the words short enough for it. The **surplus of timing** is the information in words
# with the finest bins minus that in counts.
#
# The table has the verdicts of the full run, which `nsnn study rate_vs_temporal` in a terminal repeats. The figures and
# the summary are those of a quick run, with fewer seeds and noise levels and a coarser resolution.

# %%
table = harness.result(study, study.Config(quick=True))
print(*recordings.absent(study.RECORDINGS, "This notebook leaves out"), sep="\n")
full_runs.verdicts("rate_vs_temporal")

# %% [markdown]
# Each row is a falsifiable claim that was fixed before the full run; *central* claims decide about the study. Some of
# the secondary claims fail, for a reason: the best cost $q_{max}$ of the distance is the maximum of a curve that is
# nearly flat over a wide range, so its location is mostly chance. The cost at which *half of the information is lost*
# (the end of the plateau) is a better measure of the precision of a code.
#
# ## How to read the figure
#
# **Left**: information of the three readouts against noise, for the fastest stimuli. The distance between words
# (circles) and counts (triangles) is the surplus. **Middle**: the surplus for each time scale. **Right**: information
# in distances against their cost of time. At 0 they use counts only; on the plateau timing helps; the curve falls again
# where the distance mistakes the jitter of spikes for a difference. Vertical lines mark the cost at which half of the
# information is lost; it decreases with noise. Bars and bands are 95 % intervals over seeds.

# %%
figures = list(study.figures(table).values())
figures[0]

# %%
study.summary(table)

# %% [markdown]
# ### The required resolution
#
# Information in words against bin width. The widest bin is the whole window, whose word is the count. If a curve rises
# to the left, finer timing adds information.

# %%
figures[1]

# %% [markdown]
# ### A recorded neuron
#
# If the recordings of the 2007 competition on single neuron models are available (a cell above says where to get
# them), there is a third figure: a rat cortical neuron that received the same fluctuating current four times, in
# eight settings. Four repeats are too few for words, but not for distances. Short windows of the recording serve as
# stimuli, and a spike train is assigned to the window whose other repeats are nearest. Where spikes are reliable,
# times add much to counts; elsewhere they add nothing.

# %%
figures[2] if len(figures) > 2 else "this figure needs the recordings"

# %% [markdown]
# ## Results and limits
#
# Timing matters if spikes are precise enough, and stimuli fast enough, for times to carry a difference that the count
# lacks. In this neuron noise finally removes the information in both: at the largest noise neither readout carries
# much, so a vanishing surplus does not mean that counting is then a good code.
#
# Mutual information is what *could* be decoded with knowledge of the statistics of the neuron and of the stimulus
# onset. Whether an animal decodes it is another question. The numbers are specific to this neuron, window and stimulus
# set.
#
# ## Try it
#
# The tables and figures of the study have settings of their own: a change in a cell above, such as another noise, does
# not reach them.
#
# **Another noise.** Counts and words for the two stimuli above. Change `sigma` and run the cell again.

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
# **Destroy the times, keep the counts.** Spikes are moved to random times in the window: words should carry no more
# information than counts.

# %%
rng = np.random.default_rng(1)
spoilt = nsnn.to_block(
    [[rng.uniform(0, 0.04, n) for n in row] for row in measures.spike_counts(two)], t_stop=40 * ms
)
words = measures.words(spoilt, bin_width=4 * pq.ms, saturation="count").swapaxes(0, 1).reshape(2 * trials, -1)
print("words of shuffled times:", measures.mutual_information(shown, words))

# %% [markdown]
# **Another distance.** The van Rossum distance smooths spikes with a time constant instead of assigning a cost to
# shifts. Change `tau`.

# %%
tau = 5 * pq.ms
some = [two.segments[k].spiketrains[j] for j in range(2) for k in range(40)]
labels = np.repeat([1, 2], 40)
q = np.array([0, 100, 1000]) * pq.Hz
print(
    "Victor-Purpura:",
    measures.metric_space_information(labels, some, q=q).corrected.round(3),
    "bit over the null at q =",
    q,
)
d = measures.van_rossum(some, tau=tau)
same = labels[:, None] == labels
print(f"van Rossum, tau {tau}: mean distance within {d[same].mean():.2f}, between {d[~same].mean():.2f}")

# %% [markdown]
# **How many trials?** From the pilot above, estimate the number of trials for an error of 0.01 bit in words.

# %%
words = measures.words(two, bin_width=4 * pq.ms).swapaxes(0, 1).reshape(2 * trials, -1)
print(measures.plan_trials((shown, words), precision=0.01))
