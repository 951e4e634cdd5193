"""Simulated recordings of a membrane potential: a neuron with escape noise, step by step in plain Python."""

import functools

import neo
import numpy as np
import quantities as pq
from brian2 import Hz, ms, mV
from scipy.signal import lfilter

import nsnn_neuro as nsnn

DT = 2e-4
TRUTH = {
    "tau_m": 12e-3, "v_rest": -70e-3, "v_reset": -62e-3, "tau_refrac": 3e-3, "stimulus.gain": 150e6, "b": 2e-3,
    "v_thresh": -52e-3, "b_thresh": 4e-3, "noise.hazard.width": 1.5e-3,
}  # fmt: skip
TAU_W, TAU_THRESH, RATE = 60e-3, 40e-3, 100.0
SERIES, NOISE = 20e6, 0.3e-3
SLOW = 5e-3
"""s, correlation time of the slow noise"""
HAZARD = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(RATE * Hz, 3 * mV))
CELL = nsnn.GIF(
    tau_m=30 * ms, v_rest=-65 * mV, v_reset=-64 * mV, v_thresh=-45 * mV, tau_refrac=1 * ms, tau_w=60 * ms, b=0 * mV,
    tau_thresh=40 * ms, b_thresh=0 * mV,
)  # fmt: skip
"""where fits start"""


def injected(n, seed):
    """pA"""
    return 1e12 * nsnn.FrozenNoise(115.0, 75.0, 4 * ms, seed=seed).samples(n, DT) * 1e-12


def neuron(current, seed):
    """Voltage at the start of each step and steps with a spike of a GIF with escape noise, step by step."""
    p = TRUTH
    rng = np.random.default_rng(seed)
    u = rng.random(len(current)).tolist()
    v, w, lift, free_at, h = p["v_rest"], 0.0, 0.0, 0, 1.0
    volts, spikes = [], []
    for k, amp in enumerate(current.tolist()):
        volts.append(v)
        fired = False
        if k >= free_at:
            h = 0.5 if k == free_at and spikes else 1.0  # released in the middle of a step
            goal = p["v_rest"] + p["stimulus.gain"] * amp * 1e-12 - w * np.exp(-DT / 2 / TAU_W)
            new = goal + (v - goal) * np.exp(-h * DT / p["tau_m"])
            low = v - lift * np.exp(-(1 - h) * DT / TAU_THRESH) - p["v_thresh"]
            high = new - lift * np.exp(-DT / TAU_THRESH) - p["v_thresh"]
            rho = RATE * (np.exp(low / p["noise.hazard.width"]) + np.exp(high / p["noise.hazard.width"])) / 2
            fired = u[k] < 1 - np.exp(-rho * h * DT)
            v = new
        w, lift = w * np.exp(-DT / TAU_W), lift * np.exp(-DT / TAU_THRESH)
        if fired:  # in the middle of the step
            spikes.append(k)
            w, lift = (
                w + p["b"] * np.exp(-DT / 2 / TAU_W),
                lift + p["b_thresh"] * np.exp(-DT / 2 / TAU_THRESH),
            )
            v, free_at = p["v_reset"], k + round(p["tau_refrac"] / DT)
    return np.array(volts), np.array(spikes)


def recorded(volts, spikes, current, seed, slow=False):
    """As an electrode shows it: with spikes, noise, and the voltage over a resistance in series.

    slow : add noise of the same size with a correlation time
    """
    v = volts.copy()
    n = round(TRUTH["tau_refrac"] / DT)
    for k in spikes:
        shape = np.linspace(30e-3, TRUTH["v_reset"], n)[: max(0, len(v) - k - 1)]
        v[k + 1 : k + 1 + n] = shape
    v += NOISE * np.random.default_rng(seed).normal(size=len(v)) + SERIES * current * 1e-12
    if slow:
        keep = np.exp(-DT / SLOW)
        draws = np.random.default_rng(seed + 5).normal(size=len(v) + 2000)
        v += NOISE * lfilter([np.sqrt(1 - keep**2)], [1.0, -keep], draws)[2000:]
    return neo.AnalogSignal(1e3 * v, units="mV", sampling_period=DT * pq.s)


@functools.lru_cache(maxsize=64)
def data(seed=1, duration=6.0, slow=False):
    """The current, the recording, its true spike times (s)."""
    n = round(duration / DT)
    current = injected(n, seed)
    volts, spikes = neuron(current, seed + 1000)
    signal = neo.AnalogSignal(current, units="pA", sampling_period=DT * pq.s)
    return signal, recorded(volts, spikes, current, seed + 2000, slow), spikes * DT + DT / 2
