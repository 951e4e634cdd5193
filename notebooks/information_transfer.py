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
# # Information about a signal in the spikes of a noisy neuron
#
# How many bits per second do the spikes of a neuron carry about its changing input? For a simple neuron and a weak
# signal the answer can be calculated, and two methods measure it in any neuron. This notebook compares all three.
#
# The neuron is a leaky integrate-and-fire neuron with white noise of strength $\sigma$. Its mean drive $\mu$ is
# *below* threshold, so that without noise a weak signal $s(t)$ never makes it fire:
#
# $$\tau_m \, dV = (\mu + s(t) - V)\, dt + \sigma \sqrt{2 \tau_m}\, dW.$$

# %%
import matplotlib.pyplot as plt
import neo
import numpy as np
import quantities as pq
from brian2 import ms, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory
from nsnn_neuro.studies import full_runs, harness
from nsnn_neuro.studies import information_transfer as study
from nsnn_neuro.studies.shared import recordings

plt.switch_backend("module://matplotlib_inline.backend_inline")  # figures appear below their cells

# %% [markdown]
# ## From coherence to bits
#
# The *coherence* $C(f)$ of signal and spikes is, at each frequency, the fraction of the power of the spike train that
# is a linear function of the signal, from 0 to 1. If the signal is Gaussian, the spikes carry at least
#
# $$I \ge -\int_0^{f_c} \log_2\bigl(1 - C(f)\bigr)\, df \quad \text{bits per second.}$$
#
# This is a lower bound, because spikes may carry more than their linear part.
#
# For a weak signal, linear response theory predicts the coherence. The firing rate follows the signal with the
# *susceptibility* $\chi(f)$, in Hz per mV; without a signal the spikes have the power spectrum $S_0(f)$. With the
# spectrum $S_{ss}$ of the signal,
#
# $$C(f) = \frac{|\chi(f)|^2 S_{ss}(f)}{S_0(f) + |\chi(f)|^2 S_{ss}(f)} .$$
#
# Both $\chi$ and $S_0$ follow exactly from the Fokker-Planck equation of the neuron. Noise has two effects: it makes
# the neuron sensitive to a signal that would be too small alone, and it adds spikes that are unrelated to the signal.
# The information should therefore be largest at an intermediate noise.
#
# ## An example
#
# A Gaussian signal with a flat spectrum up to 50 Hz, and a hundred trials of a neuron with independent noise:

# %%
rng = np.random.default_rng(1)
seconds, rate = 4.0, 1000
f = np.fft.rfftfreq(int(seconds * rate), 1 / rate)
spectrum = np.where((f > 0) & (f <= 50), rng.normal(size=f.size) + 1j * rng.normal(size=f.size), 0)
path = np.fft.irfft(spectrum)
signal = neo.AnalogSignal(7 + 3 * path / path.std(), units="mV", sampling_rate=rate * pq.Hz)

cell = nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=2 * ms)
block = nsnn.simulate(
    cell,
    nsnn.WhiteNoise(2 * mV),
    nsnn.Recorded(signal),
    trials=100,
    duration=seconds * second,
    dt=0.25 * ms,
    seed=2,
    engine="numpy",
)
f, coherence = measures.coherence(signal, block, nperseg=512, noverlap=256, bias="subtract")
info = measures.coherence_information(signal, block, f_max=46 * pq.Hz, bias="subtract", n_shuffle=20)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
left.plot(np.arange(1000) / rate, signal.magnitude[:1000, 0], color="black", lw=1)
left.set(xlabel="time (s)", ylabel="drive (mV)", title="one second of the drive; threshold at 10 mV")
left.axhline(10, ls=":", color="black", lw=0.8)
right.plot(f, coherence, "o-", ms=3)
right.set(xlabel="frequency (Hz)", ylabel="coherence", xlim=(0, 80), title="coherence of one neuron's spikes")
plt.show()
print(
    f"at least {info:.2f} bit/s over the null, {info.verdict} (raw {info.value:.2f}; with other signals, "
    f"{info.null_mean:.2f})"
)

# %% [markdown]
# The *direct method* (Strong et al. 1998, [doi 10.1103/PhysRevLett.80.197](https://doi.org/10.1103/PhysRevLett.80.197))
# makes no assumption about the signal. It divides the spikes into short binary words, and compares their total entropy
# with their entropy at a given time over repeats of the same signal (noise entropy). The difference is information. The
# method needs many repeats, and words that are short enough to be sampled and long enough for the correlations.
#
# ## The study
#
# The study applies both methods over a range of $\sigma$, with several signals ("copies") for errors, for a weak and
# for a strong signal. The table has the verdicts of the full run, which `nsnn study information_transfer` in a
# terminal repeats; the figures are those of a quick run. The H1 neuron of a fly is not part of this package: the cell
# says where to get the recording.

# %%
table = harness.result(study, study.Config(quick=True))
print(*recordings.absent(study.RECORDINGS, "This notebook leaves out"), sep="\n")
full_runs.verdicts("information_transfer")

# %% [markdown]
# ## How to read the figure
#
# **A**: coherence with the weak signal; lines: linear theory (without fitted parameters), points: simulated.
#
# **B**: the bound against noise. Where the signal is weak (outside the shaded range, in which it moves the membrane by
# more than a quarter of $\sigma$) the points must lie on the line. The curve of the weak signal has a maximum at an
# intermediate noise. The strong signal deviates from linear theory in both directions, less so with more noise.
#
# **C**: the strong signal by both methods. The direct method must not be below the bound, and is above it if spikes
# carry more than their linear part. Open symbols: bits per spike, which have no intermediate maximum.
#
# **D**: recorded neurons for comparison: two auditory receptors of a grasshopper and, if available, the H1 neuron of a
# fly, each with its own stimulus. They show typical coherence, information and frequencies of sensory neurons.

# %%
figures = list(study.figures(table).values())
figures[0]

# %%
figures[1]

# %% [markdown]
# The second figure shows the elements of the theory: gain and phase of the susceptibility, and the spectrum without
# signal.

# %%
study.summary(table)

# %%
study.tables(table)["Recorded neurons"]

# %% [markdown]
# ## Results and limits
#
# For a weak signal the simulated neuron carries as much information as linear response theory predicts, and most at an
# intermediate noise. Information per spike is largest at the smallest noise. The bound and the direct method give
# similar values, and the direct method gives more.
#
# The direct method has a limit that is easily overlooked. For a moderate signal and large noise, the information in
# words is small compared with the sampling error, and words that can be sampled are too short for slow components. The
# estimate can then be *below* the bound, which the true information rate cannot be. The study therefore applies it to a
# strong signal only. A cell below shows this limit.
#
# ## Try it
#
# The tables and figures of the study have settings of their own: a change in a cell above, such as another noise, does
# not reach them.
#
# Change numbers and run the cells again; each takes seconds.

# %%
# theory: the best noise for a weak signal. Try another mean drive
mean, sd, cutoff = 7.0, 0.5, 50.0
sigmas, f = np.geomspace(0.6, 8, 13), np.arange(0, 46, 2.0)
law = {"tau_m": 10e-3, "v_spike": 10.0, "v_reset": 0.0, "tau_refrac": 2e-3}
chi = theory.fp_susceptibility(f, theory.lif_drift(mean), sigmas[:, None], **law)
spectrum = theory.fp_spectrum(f, theory.lif_drift(mean), sigmas[:, None], **law)
bound = study.bound_of(study.linear_coherence(chi, spectrum, sd, cutoff), 2.0)
print(f"best sigma {sigmas[bound.argmax()]:.2f} mV, {bound.max():.2f} bit/s")

# %%
# the direct method on the example: information against word length, and the bias correction (bit/s)
words = measures.word_entropies(block, bin_width=3 * pq.ms, word_lengths=[1, 2, 3, 4, 6, 8])
words[["length", "information", "correction", "well_sampled"]].round(2)

# %%
# the same neuron without noise; also try a weaker signal
quiet = nsnn.simulate(
    cell, None, nsnn.Recorded(signal), duration=seconds * second, dt=0.25 * ms, seed=2, engine="numpy"
)
print(
    f"rate without noise {measures.firing_rate(quiet)[0]:.1f} Hz, with it {measures.firing_rate(block)[0]:.1f} Hz"
)
