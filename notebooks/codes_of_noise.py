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
# # Where noise destroys, creates and moves information
#
# Noise in neurons destroys information, but not evenly. This notebook follows it along three paths: between spike
# *counts* and spike *times* of one neuron, between *two neurons*, and from a *stimulus* through a layer of neurons to a
# *choice*. It uses small simulated networks, in which every source of noise is known, and recorded cells if you have
# their files.

# %%
import matplotlib.pyplot as plt
import numpy as np
import quantities as pq
from brian2 import Hz, ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro import measures
from nsnn_neuro.studies import codes_of_noise as study
from nsnn_neuro.studies import full_runs, harness
from nsnn_neuro.studies.shared import recordings

plt.switch_backend("module://matplotlib_inline.backend_inline")  # figures appear below their cells

print(
    "\n".join(recordings.absent(study.RECORDINGS, "This notebook leaves out")) or "all recordings are there"
)

# %% [markdown]
# ## Between counts and times
#
# A neuron receives one of two inputs: a step that comes early, or one that comes late. Both cause about one spike, so
# the count says nothing, and the time of the spike says everything. `codes_table` measures the information in the count,
# in the time of the first spike (latency), and in words of spikes per bin. More noise blurs the times.

# %%
early, late = nsnn.Step(24 * mV, 5 * ms, 15 * ms), nsnn.Step(24 * mV, 15 * ms, 25 * ms)
cell = nsnn.LIF(tau_m=5 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=15 * mV, tau_refrac=8 * ms)
label = np.repeat([0, 1], 300)
rows = []
for sigma in (0.5, 2, 8):
    blocks = [
        nsnn.simulate(
            cell,
            nsnn.WhiteNoise(sigma * mV),
            drive,
            trials=300,
            duration=30 * ms,
            dt=0.25 * ms,
            seed=seed,
            engine="numpy",
        )
        for seed, drive in enumerate((early, late))
    ]
    block = nsnn.join(blocks)
    table = measures.codes_table(label, block, bin_width=6 * pq.ms)
    rows.append(f"{sigma:4g} mV: " + ", ".join(f"{r.code} {r.information:.2f}" for r in table.itertuples()))
print("information over the null (bit)", *rows, sep="\n")

# %% [markdown]
# ## Between two neurons
#
# Two neurons tell something about a stimulus. `partial_information` divides it: *redundant* bits are in both,
# *unique* bits in one only, *synergistic* bits only in both together. Synergy arises when one neuron tells about the
# noise of the other.
#
# Below, two neurons are driven by one of four inputs, in equal or in opposite order, and share a part $c$ of their
# membrane noise. With equal tuning shared noise looks like a change of the stimulus, and synergy is lost. With opposite
# tuning the noise moves both counts in the same direction, the stimulus in opposite ones, so that together they
# can be told apart. Redundant and unique bits depend on each neuron's own responses only, and shared noise does not
# change those.

# %%
cell = nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=2 * ms)
drives = np.array([11.0, 12.0, 13.0, 14.0])
stimulus = np.repeat(np.arange(4), 300)
for c in (0.0, 0.75):
    counts = []
    for k in range(4):
        block = nsnn.simulate(
            cell,
            nsnn.WhiteNoise(3 * mV, shared=c),
            nsnn.Constant(np.array([drives[k], drives[k], drives[3 - k]]) * mV),
            n_neurons=3,
            trials=300,
            duration=200 * ms,
            dt=0.5 * ms,
            seed=10 + k,
            engine="numpy",
        )
        counts.append(measures.spike_counts(block))
    classes, _ = measures.bin_counts(np.concatenate(counts), n_bins=4, method="even")
    for tuning, other in (("equal", 1), ("opposite", 2)):
        parts = measures.partial_information(stimulus, classes[:, 0], classes[:, other], n_shuffle=0)
        text = ", ".join(f"{name} {part.value:.2f} ± {part.se:.2f}" for name, part in parts.items())
        print(f"c = {c:4g}, {tuning:8s} tuning: {text} raw bit")

# %% [markdown]
# ## From stimulus to choice
#
# A response may tell about the stimulus without being used. *Intersection information* is what response and choice
# tell alike about the stimulus. In the example the choice follows a noisy copy of the response. As the noise of the
# copy grows, the response tells as much as before, and the choice uses less of it.

# %%
rng = np.random.default_rng(3)
shown = np.repeat([0, 1], 500)
response = np.minimum(rng.poisson(np.where(shown, 5, 2)), 6)
encoded = measures.mutual_information(shown, response, n_shuffle=0)
for noise in (0.1, 2.0, 8.0):
    choice = response + noise * rng.standard_normal(shown.size) > 3.5
    used = measures.intersection_information(shown, response, choice, n_shuffle=0)
    print(f"noise {noise:3g}: encoded {encoded.value:.2f}, used {used.value:.3f} ± {used.se:.3f} raw bit")

# %% [markdown]
# ## The study
#
# The study asks these questions with LIF neurons, at several noise levels, with bias corrections, nulls and intervals
# over seeds. Each seed has its own stimuli and noise. Claims and criteria were written before the full run; failed
# claims are shown as failed. The table has the verdicts of the full run, which `nsnn study codes_of_noise` in a terminal
# repeats. The figures are those of a quick run with three seeds, whose intervals are wide.

# %%
table = harness.result(study, study.Config(quick=True))
full_runs.verdicts("codes_of_noise")

# %% [markdown]
# ## How to read the figure
#
# **A**: information about fast stimuli in words, latencies and counts. Noise is diffusive (white noise on the membrane)
# or escape noise (the neuron fires with a rate that depends on the distance to threshold). **B**: the share of it that
# is in the count.
#
# **C**: stimuli that are too weak to make the neuron fire. Without noise there is nothing; some noise makes the count
# informative.
#
# **D**: two neurons with the same tuning and noise of their own. **E**: the same with noise that is partly shared.
#
# **F**: a layer of 20 neurons and a readout with its own noise. I(S; R) is what the count of the layer tells, I(S; C)
# what the choice tells, and the triangles are what the choice uses of the layer's information.

# %%
figures = list(study.figures(table).values())
figures[0]

# %% [markdown]
# The second figure: **A**, orientation-tuned neurons with a gain that varies from trial to trial, as in visual cortex.
# **B**, single cells of the layer: shared noise links them to the choice, which is not a sign that they tell more.
# **C**, transfer entropy from the layer to the readout, and back, where no synapses lead.

# %%
figures[1]

# %% [markdown]
# The third figure shows the retina, if the recording is available (see the first cell): spikes of recorded cells are
# shifted at random (jitter), or removed, in both cells of a pair alike or in each by itself.

# %%
figures[2] if len(figures) > 2 else "this figure needs the recordings"

# %%
study.summary(table)

# %% [markdown]
# ## Results and limits
#
# The full run has 16 seeds; 12 of its 13 central claims hold.
#
# - **Destroyed**: nearly all that words tell beyond counts, by both kinds of noise. But the expected order fails: counts of
#   fast stimuli lose half of their information at about the same noise as words, so the share of the count stays at 0.4.
# - **Created**: information about stimuli below threshold, at most 0.06 bit, at 4 mV.
# - **Moved**: private noise makes a larger share of the bits of two equally tuned cells synergistic. Shared noise takes synergy
#   from equally tuned cells and gives it to oppositely tuned ones; redundant bits stay.
# - **Choice**: a noisy readout leaves the layer's information as it is and uses less of it. Shared noise of the layer links
#   single cells to the choice, while the choice gets worse.
#
# Limits: counts are merged into classes, which loses information. Between cells that tell the same, redundant and
# synergistic bits are slightly too low; `partial_information` warns of it. Recorded cells are one retina and one
# neuron each from a textbook.
#
# ## Try it
#
# The tables and figures of the study have settings of their own: a change in a cell above, such as another noise, does
# not reach them.
#
# Change numbers and run the cells again; each takes seconds.

# %%
# an oracle: two cells that copy a fair bit with errors. Try other errors, or errors that both cells share
bit = rng.integers(0, 2, 20_000)
wrong = rng.random((2, bit.size)) < [[0.1], [0.3]]
one, two = bit ^ wrong[0], bit ^ wrong[1]
parts = measures.partial_information(bit, one, two, n_shuffle=0)
print({name: round(part.value, 3) for name, part in parts.items()}, "raw bit, expected .119, .412, 0, .044")

# %%
# escape noise instead of diffusive noise: the width of the hazard is its strength
for width in (1, 2, 8):
    noise = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(200 * Hz, width * mV))
    print(width, "mV:", noise.hazard.hazard(np.array([-5, 0, 5]) * mV).round(1), "Hz at -5, 0 and 5 mV")

# %%
study.tables(table)["Two cells: raw bits, and noise correlation"]
