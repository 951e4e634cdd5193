"""Neurons whose recurrent input has the spectrum of their own spikes, by iteration (Dummer, Wieland & Lindner 2014).

The mean field assumes white input, as if presynaptic neurons were Poisson processes. In fact they fire like the neuron itself. The
iteration simulates neurons in Gaussian noise, measures the spectrum of their spikes, and gives the input of the next generation
this spectrum, until it converges. doi 10.3389/fncom.2014.00104
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
"""parameters of Brunel's neurons, s and V"""
TAU, THETA, RESET, REFRACTORY = CELL.values()
START = 0.3
"""s; transient that is not analysed"""
LEAST = 4
"""smallest number of windows per generation; more if they are shorter than a quarter of a second"""
RESOLUTION = 2.0
"""Hz"""
HIGHEST = 500.0
"""Hz, above which the spectrum is taken as that of independent spikes"""


@dataclasses.dataclass(frozen=True)
class Generation:
    """Rate (Hz) and CV of a generation of neurons, and spectrum of their spikes over the rate, `shape` at `f` (Hz)."""

    rate: float
    cv: float
    f: np.ndarray
    shape: np.ndarray


def iterate(
    network: dict[str, Any],
    rate: float,
    *,
    generations: int,
    neurons: int,
    seconds: float,
    dt: float,
    seed: int,
) -> Generation:
    """Mean rate and CV of the last five generations, starting from white input and a rate (Hz); `network`: arguments of
    `brunel_input`."""
    f = np.arange(0.0, HIGHEST + RESOLUTION / 2, RESOLUTION)
    now = Generation(rate, np.nan, f, np.ones_like(f))
    last: list[Generation] = []
    for k in range(generations):
        result = generation(now, network, neurons, seconds, dt, np.random.default_rng([seed, k]))
        # damping: inhibition amplifies changes of the rate several times
        now = dataclasses.replace(result, rate=now.rate + 0.2 * (result.rate - now.rate))
        last = [*last[-4:], result]
    rate, cv = (float(np.mean([getattr(result, name) for result in last])) for name in ("rate", "cv"))
    return dataclasses.replace(now, rate=rate, cv=cv)


def generation(
    before: Generation,
    network: dict[str, Any],
    neurons: int,
    seconds: float,
    dt: float,
    rng: np.random.Generator,
) -> Generation:
    """Simulate neurons with input from presynaptic neurons like those of the previous generation. The spectrum uses several windows
    of `seconds`; the CV uses single windows, as in the network, because few intervals reduce it."""
    windows = max(LEAST, int(np.ceil(1 / seconds)))
    drive = increments(before, network, (round((START + windows * seconds) / dt), neurons), dt, rng)
    steps, who = _spikes(drive, dt, rng)
    times = (steps + 1) * dt - START
    late = (times >= 0) & (times <= windows * seconds)
    times, who = times[late], who[late]
    spectrum = measures.power_spectrum(
        _trains(times, who, neurons, windows * seconds), sampling_rate=2 * HIGHEST * Hz,
        nperseg=round(2 * HIGHEST / RESOLUTION), noverlap=256,
    )  # fmt: skip
    shape = spectrum.power.mean(axis=0) / spectrum.rate.mean()
    shape[0] = shape[1]  # the mean was subtracted
    window = np.minimum((times / seconds).astype(int), windows - 1)
    inside = np.clip(times - window * seconds, 0.0, seconds)  # guards against rounding
    single = _trains(inside, who + neurons * window, neurons * windows, seconds)
    with warnings.catch_warnings():
        # a window may have fewer than two intervals
        warnings.simplefilter("ignore", measures.SilentNeuronWarning)
        cv = float(np.nanmean(measures.cv(single)))
    return Generation(float(spectrum.rate.mean()), cv, spectrum.f, shape)


def increments(
    before: Generation, network: dict[str, Any], size: tuple[int, int], dt: float, rng: np.random.Generator
) -> np.ndarray:
    """Input per step and neuron (V): mean, white external noise, and recurrent noise with the spectrum of the spikes."""
    _, outside = theory.brunel_input(0 * Hz, **network)
    mu, white = theory.brunel_input(before.rate * Hz, **network)
    f = np.fft.rfftfreq(size[0], dt)
    shape = np.interp(f, before.f, before.shape, right=1.0)
    power = 2 / TAU * (float(outside) ** 2 + (float(white) ** 2 - float(outside) ** 2) * shape)
    noise = np.fft.rfft(rng.standard_normal(size), axis=0) * np.sqrt(power * dt)[:, None]
    return np.fft.irfft(noise, size[0], axis=0) + float(mu) * dt / TAU


def _spikes(drive: np.ndarray, dt: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Steps and neurons of all spikes of leaky neurons with random initial potentials below threshold."""
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
