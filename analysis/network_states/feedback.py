"""A neuron whose input from the network has the spectrum of its own spikes, found by turns (Dummer, Wieland & Lindner 2014).

The mean field takes a neuron's input for white noise, as if presynaptic neurons fired as Poisson processes do. They fire as the
neuron itself does. So neurons are simulated in Gaussian noise, their spikes' spectrum is measured, and the next generation's
input has that spectrum, until it stays as it is. doi 10.3389/fncom.2014.00104
"""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
from brian2 import Hz, second

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory

CELL = {"tau_m": 20e-3, "v_thresh": 20e-3, "v_reset": 10e-3, "tau_refrac": 2e-3}
"""Brunel's neurons, s and V, as theory takes them"""
TAU, THETA, RESET, REFRACTORY = CELL.values()
START = 0.3
"""s that aren't measured"""
LEAST = 4
"""windows of a generation, or as many as make a second"""
RESOLUTION = 2.0
"""Hz"""
HIGHEST = 500.0
"""Hz, above which spikes are taken for independent"""


@dataclasses.dataclass(frozen=True)
class Generation:
    """Rate (Hz) and CV of a generation of neurons, and their spikes' spectrum over the rate: `shape` at `f` (Hz)."""

    rate: float
    cv: float
    f: np.ndarray
    shape: np.ndarray


def settled(
    network: dict[str, Any],
    rate: float,
    *,
    generations: int,
    neurons: int,
    seconds: float,
    dt: float,
    seed: int,
) -> Generation:
    """Rate and CV of the last five generations, from white input and a rate (Hz) on; `network`: what `brunel_input` takes."""
    f = np.arange(0.0, HIGHEST + RESOLUTION / 2, RESOLUTION)
    now = Generation(rate, np.nan, f, np.ones_like(f))
    last: list[Generation] = []
    for k in range(generations):
        found = generation(now, network, neurons, seconds, dt, np.random.default_rng([seed, k]))
        # inhibition answers a rate with several times its change: a fifth of the way at a time
        now = dataclasses.replace(found, rate=now.rate + 0.2 * (found.rate - now.rate))
        last = [*last[-4:], found]
    rate, cv = (float(np.mean([getattr(found, name) for found in last])) for name in ("rate", "cv"))
    return dataclasses.replace(now, rate=rate, cv=cv)


def generation(
    before: Generation,
    network: dict[str, Any],
    neurons: int,
    seconds: float,
    dt: float,
    rng: np.random.Generator,
) -> Generation:
    """Neurons in the input that presynaptic neurons like those of the generation before make. The spectrum is that of several
    windows of so many seconds, the CV is that of single ones, as few intervals make it smaller."""
    windows = max(LEAST, int(np.ceil(1 / seconds)))
    drive = increments(before, network, (round((START + windows * seconds) / dt), neurons), dt, rng)
    steps, who = _fired(drive, dt, rng)
    times = (steps + 1) * dt - START
    late = (times >= 0) & (times <= windows * seconds)
    times, who = times[late], who[late]
    spectrum = measures.power_spectrum(
        _trains(times, who, neurons, windows * seconds),
        sampling_rate=2 * HIGHEST * Hz,
        nperseg=round(2 * HIGHEST / RESOLUTION),
    )
    shape = spectrum.power.mean(axis=0) / spectrum.rate.mean()
    shape[0] = shape[1]  # the mean was taken off
    window = np.minimum((times / seconds).astype(int), windows - 1)
    inside = np.clip(times - window * seconds, 0.0, seconds)  # the difference is rounded
    single = _trains(inside, who + neurons * window, neurons * windows, seconds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", measures.SilentNeuronWarning)  # a window may have no two intervals
        cv = float(np.nanmean(measures.cv(single)))
    return Generation(float(spectrum.rate.mean()), cv, spectrum.f, shape)


def increments(
    before: Generation, network: dict[str, Any], size: tuple[int, int], dt: float, rng: np.random.Generator
) -> np.ndarray:
    """Input of each step and neuron (V): its mean, the white noise from outside and what has the spectrum of spikes from within."""
    _, outside = theory.brunel_input(0 * Hz, **network)
    mu, white = theory.brunel_input(before.rate * Hz, **network)
    f = np.fft.rfftfreq(size[0], dt)
    shape = np.interp(f, before.f, before.shape, right=1.0)
    power = 2 / TAU * (float(outside) ** 2 + (float(white) ** 2 - float(outside) ** 2) * shape)
    noise = np.fft.rfft(rng.standard_normal(size), axis=0) * np.sqrt(power * dt)[:, None]
    return np.fft.irfft(noise, size[0], axis=0) + float(mu) * dt / TAU


def _fired(drive: np.ndarray, dt: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Steps and neurons of all spikes, of leaky neurons that start anywhere below the threshold."""
    decay, dead = np.exp(-dt / TAU), round(REFRACTORY / dt)
    v = rng.uniform(0, THETA, drive.shape[1])
    free = np.zeros(drive.shape[1], dtype=int)
    steps, who = [], []
    for k, x in enumerate(drive):
        v *= decay
        v += x
        v[free > k] = RESET
        fired = np.flatnonzero(v >= THETA)
        v[fired] = RESET
        free[fired] = k + 1 + dead
        steps.append(np.full(fired.size, k))
        who.append(fired)
    return np.concatenate(steps), np.concatenate(who)


def _trains(times: np.ndarray, who: np.ndarray, neurons: int, stop: float) -> measures.Trains:
    order = np.lexsort((times, who))
    each = np.split(times[order], np.searchsorted(who[order], np.arange(1, neurons)))
    return measures.as_trains(nsnn.to_block([each], t_stop=stop * second))
