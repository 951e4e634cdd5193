"""Simulations and measurements of the study `network_states`."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from brian2 import Hz, second

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory

from ..harness import Progress, quiet
from ..shared.simulations import simulated
from . import feedback
from .config import SHOWN, STATES, Config

WINDOWS = (1e-3, 2e-3, 5e-3, 10e-3)
"""s, windows of pairwise correlations"""
LENGTH = {"SR": 0.25, "AI": 1.0, "SI fast": 1.0, "SI slow": 2.0}
"""relative duration of runs; the periods are 3, -, 6 and 45 ms"""
SAMPLE = 200
"""number of neurons for pairwise correlations, or all if there are fewer"""


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """Rows of several parts. "state": one per state and network, with measures in columns. With columns x and value: "correlation"
    (window in s), "spectrum" (Hz, power over that of independent Poisson neurons), and for the last 100 ms of the first network
    "count" (s, spikes in 1 ms) and "spike" (s, neuron)."""
    rows: list[dict] = []
    for name in config.states:
        g, eta = STATES[name]
        rates = theory.brunel_rates(g=g, eta=eta, **config.network)
        mean_field = float(rates[-1]) if rates.size else 0.0
        network = config.network | {"g": g, "eta": eta}
        cv = theory.siegert_cv(*theory.brunel_input(mean_field * Hz, **network), **feedback.CELL)
        theories = {"mean field": mean_field, "mean field cv": float(cv)}
        if name == "AI":
            progress("AI: neurons whose input has the spectrum of their own spikes")
            fed = feedback.iterate(
                network, mean_field, generations=config.generations, neurons=config.fed,
                seconds=config.seconds * LENGTH["AI"], dt=config.dt, seed=config.seed,
            )  # fmt: skip
            theories |= {"fed back": fed.rate, "fed back cv": fed.cv}
        for number in range(config.networks):
            progress(f"{name}: g {g:g}, eta {eta:g}, network {number + 1} of {config.networks}")
            trains, neurons = _simulated(config, name, config.seed + number)
            here = {"state": name, "network": number}
            known = {"g": g, "eta": eta, "neurons": neurons, "epsilon": config.epsilon} | theories
            rows += [{**here, **row} for row in _measured(trains, neurons, known, number == 0)]
    return pd.DataFrame(rows)


def _simulated(config: Config, name: str, seed: int) -> tuple[measures.Trains, int]:
    """Spikes after the transient, and the number of neurons."""
    g, eta = STATES[name]
    if config.sabotage == "one inhibition":
        g = STATES["AI"][0]
    wired = config.network
    if config.sabotage == "synapses cut":
        wired["epsilon"] = 1 / wired["n_i"]
    net = nsnn.brunel(g=g, eta=eta, **wired, seed=seed)
    duration = config.transient + config.seconds * LENGTH[name]
    duration = config.dt * round(duration / config.dt)
    block = simulated(net, seconds=duration, dt=config.dt, seed=seed, engine=config.engine)
    trains = measures.as_trains(block, t_start=config.transient * second)
    if config.sabotage == "spike times jittered":
        trains = jitter_spikes(trains, np.random.default_rng(seed))
    return trains, sum(p.n for p in net.populations)


def jitter_spikes(trains: measures.Trains, rng: np.random.Generator) -> measures.Trains:
    """Shift each spike by up to 25 ms, cyclically within the trial."""
    start, stop = trains.window()
    times = start + (trains.times - start + rng.uniform(-0.025, 0.025, trains.times.size)) % (stop - start)
    order = np.lexsort((times, trains.neuron))
    return dataclasses.replace(trains, times=times[order], neuron=trains.neuron[order])


def _measured(trains: measures.Trains, neurons: int, known: dict, shown: bool) -> list[dict]:
    start, stop = trains.window()
    counts = population_counts(trains.times, start, stop)
    f = np.fft.rfftfreq(counts.size, 1e-3)[1:]
    power = np.abs(np.fft.rfft(counts - counts.mean())[1:]) ** 2 / max(counts.sum(), 1.0)
    with warnings.catch_warnings():
        # in SI slow many neurons have fewer than two intervals
        warnings.simplefilter("ignore", measures.SilentNeuronWarning)
        cv = measures.cv(trains)
        fano = measures.fano_factor(trains, window=25e-3 * second)
        correlation = {w: pair_correlation(trains, w) for w in WINDOWS}
    state = {
        "part": "state",
        **known,
        "rate": trains.times.size / (neurons * (stop - start)),
        "cv": np.nanmean(cv),
        "fano": np.nanmean(fano),
        "population fano": counts.var() / counts.mean(),
        "peak": f[np.argmax(power)],
    }
    rows = [state, *_points("correlation", correlation, correlation.values()), *_points("spectrum", f, power)]
    if shown:
        late = max(start, stop - 0.1)
        x = start + 1e-3 * np.arange(counts.size)
        rows += _points("count", x[x >= late - 1e-9] - late, counts[x >= late - 1e-9])
        some = (trains.neuron < SHOWN) & (trains.times >= late)
        rows += _points("spike", trains.times[some] - late, trains.neuron[some].astype(float))
    return rows


def _points(part: str, x: Iterable[float], values: Iterable[float]) -> list[dict]:
    return [{"part": part, "x": at, "value": value} for at, value in zip(x, values, strict=True)]


def population_counts(times: np.ndarray, start: float, stop: float) -> np.ndarray:
    """Spikes of all neurons in windows of 1 ms between start and stop (s)."""
    index, bins = measures.as_repeats([times], start * second, stop * second).bins(1e-3, "window")
    return np.bincount(index, minlength=bins[0])[: bins[0]].astype(float)


def pair_correlation(trains: measures.Trains, window: float) -> float:
    """Mean pairwise correlation of counts of the first neurons, in windows (s) that tile the trial."""
    index, bins = trains.bins(window, "window")
    n = min(SAMPLE, trains.n_neurons)
    inside = (index < bins[0]) & (trains.neuron < n)
    counts = np.zeros((int(bins[0]), n))
    np.add.at(counts, (index[inside], trains.neuron[inside]), 1)
    matrix = measures.noise_correlation(counts)
    return float(np.nanmean(matrix[np.triu_indices(n, 1)]))
