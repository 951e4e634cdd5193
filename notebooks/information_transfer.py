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
# # How much does a noisy neuron tell of a signal?
#
# A neuron's input changes from moment to moment. How many bits about those changes do its spikes carry in a second?
# The question has an answer that can be computed, for a simple neuron and a weak signal, and two methods to measure
# it in any neuron. This notebook puts the three side by side.
#
# The neuron is a leaky integrate-and-fire neuron with white noise of strength $\sigma$. Its mean drive $\mu$ is
# *below* threshold, so that without noise a weak signal $s(t)$ never makes it fire:
#
# $$\tau_m \, dV = (\mu + s(t) - V)\, dt + \sigma \sqrt{2 \tau_m}\, dW.$$

# %%
import sys

sys.path.insert(0, "..")

import matplotlib.pyplot as plt
import neo
import numpy as np
import quantities as pq
from brian2 import ms, mV, second

import nsnn_neuro as nsnn
from analysis import harness
from analysis import information_transfer as study
from nsnn_neuro import measures, theory

plt.switch_backend(plt.get_backend())  # at once, so that the studies' figures are drawn below their cells

# %% [markdown]
# ## From coherence to bits
#
# The *coherence* $C(f)$ of signal and spikes says, at each frequency, what fraction of the spike train's power is a
# linear echo of the signal: 0 for none, 1 for all. If the signal is Gaussian, the spikes carry at least
#
# $$I \ge -\int_0^{f_c} \log_2\bigl(1 - C(f)\bigr)\, df \quad \text{bits per second.}$$
#
# It is a lower bound, since spikes may hold more than their linear part shows.
#
# For a weak signal linear response theory predicts the coherence. The firing rate follows the signal with the
# *susceptibility* $\chi(f)$, in Hz per mV; without any signal the spikes have the power spectrum $S_0(f)$. With
# $S_{ss}$ the signal's spectrum
#
# $$C(f) = \frac{|\chi(f)|^2 S_{ss}(f)}{S_0(f) + |\chi(f)|^2 S_{ss}(f)} .$$
#
# Both $\chi$ and $S_0$ follow exactly from the Fokker-Planck equation of the neuron. Noise has two effects: it makes
# the neuron sensitive to a signal that alone would be too small, and it fills the spectrum with spikes that have
# nothing to do with the signal. So the information should be largest at some noise between too little and too much.
#
# ## One neuron, live
#
# A Gaussian signal of flat spectrum up to 50 Hz, a hundred neurons that hear it, each with noise of its own:

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
    f"at least {info.value:.2f} ± {info.se:.2f} bit/s; with signals that don't belong, {info.null_mean:.2f}"
)

# %% [markdown]
# The *direct method* (Strong et al. 1998, [doi
# 10.1103/PhysRevLett.80.197](https://doi.org/10.1103/PhysRevLett.80.197)) assumes nothing of the signal. It cuts the
# spikes into short words of zeros and ones, and compares how varied the words are altogether (total entropy) with how
# varied they are at one moment over repeats of the same signal (noise entropy). What varies with the signal and not
# at one moment is information. It needs many repeats, and words that are short enough to be sampled and long enough
# to catch the correlations.
#
# ## The study
#
# The study does this over a range of $\sigma$, with several signals ("copies") for error bars, for a weak signal and
# for a strong one. `python -m analysis information_transfer`, from the repository's root, does the full run in
# minutes; this is the quick one.

# %%
table = harness.result(study, study.Config(quick=True))
harness.verdicts(study.claims(table)).style.hide(axis="index")

# %% [markdown]
# ## How to read the figure
#
# **A**: coherence with the weak signal; lines are linear theory, points are measured. There is no fitted number in
# the lines.
#
# **B**: the bound against noise. Where the weak signal is truly weak (outside the shaded range, in which it moves the
# membrane by more than a quarter of $\sigma$) the points must lie on the line. The weak signal's curve rises and
# falls: some noise is best. The strong signal leaves linear theory, which fails it in both directions, the less so
# the more noise there is.
#
# **C**: the strong signal by both methods. The direct method may not lie below the bound, and it lies above where
# spikes tell more than their linear part. Open symbols: bits per spike. They have no maximum in between; noise costs.
#
# **D**: recorded neurons as points of reference: two auditory receptors of a grasshopper and, where its recording is
# present, the H1 neuron of a fly, each with its own stimulus. They aren't models of one another; they show how large
# coherence and information are in sensory neurons, and over what frequencies.

# %%
figures = list(study.figures(table).values())
figures[0]

# %%
figures[1]

# %% [markdown]
# The second figure shows what the theory is made of: gain and phase of the susceptibility, and the spectrum without
# signal.

# %%
study.summary(table)

# %%
study.tables(table)["Recorded neurons"]

# %% [markdown]
# ## What was found, and what not
#
# For a weak signal the simulated neuron tells what linear response theory says, and most at an intermediate noise.
# Per spike the best is the least noise. The bound and the direct method agree in order, and the direct method finds
# more.
#
# The direct method has a limit that is easily forgotten. For a moderate signal and much noise its words hold little
# information against their sampling error, and those that could be sampled are too short to see the slow part, so its
# estimate can fall *below* the bound, which no true information rate does. The study therefore asks it about a strong
# signal only. One of the cells below shows the limit.
#
# ## Try it
#
# Change numbers and run the cells again; each takes seconds.

# %%
# theory alone: at which noise is a weak signal heard best? Try another mean drive
mean, sd, cutoff = 7.0, 0.5, 50.0
sigmas, f = np.geomspace(0.6, 8, 13), np.arange(0, 46, 2.0)
law = {"tau_m": 10e-3, "v_spike": 10.0, "v_reset": 0.0, "tau_refrac": 2e-3}
chi = theory.fp_susceptibility(f, theory.lif_drift(mean), sigmas[:, None], **law)
spectrum = theory.fp_spectrum(f, theory.lif_drift(mean), sigmas[:, None], **law)
bound = study.bound_of(study.linear_coherence(chi, spectrum, sd, cutoff), 2.0)
print(f"best sigma {sigmas[bound.argmax()]:.2f} mV, {bound.max():.2f} bit/s")

# %%
# the direct method on the live example: information against word length, and what was added for sampling (bit/s)
words = measures.word_entropies(block, bin_width=3 * pq.ms, word_lengths=[1, 2, 3, 4, 6, 8])
words[["length", "information", "correction", "well_sampled"]].round(2)

# %%
# no noise: what does the same neuron tell, and with a weaker signal?
quiet = nsnn.simulate(
    cell, None, nsnn.Recorded(signal), duration=seconds * second, dt=0.25 * ms, seed=2, engine="numpy"
)
print(
    f"rate without noise {measures.firing_rate(quiet)[0]:.1f} Hz, with it {measures.firing_rate(block)[0]:.1f} Hz"
)
