"""Simulations and measurements of the study `information_transfer`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq
from brian2 import mV

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory

from ..harness import Progress, quiet
from ..shared.cortical_cell import by_neuron
from ..shared.simulations import lif_parameters, simulated
from ..shared.simulations import recorded as recorded_stimulus
from . import recorded
from .config import Config

COLUMNS = ["part", "source", "signal", "sigma", "copy", "quantity", "x", "value", "se", "exact"]
RATE = 2000.0  # Hz, sampling rate of signals and binned spikes


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """One row per number; the column `part` is one of

    - copy: rate, bound and (strong signal) direct information of one copy at one sigma
    - response: chi (real, imaginary), spectrum and coherence at the frequency x over copies, with the value of linear theory
    - theory: bound of linear theory on a finer grid of sigma; membrane: SD of the free membrane under the signal (mV)
    - recorded: recorded neurons, see the module `recorded`
    """
    n = dict(zip(("none", "weak", "strong"), config.copies, strict=True))
    points = pd.DataFrame(
        [(level, sigma, copy) for level in n for sigma in config.sigmas for copy in range(n[level])],
        columns=["signal", "sigma", "copy"],
    )
    progress(f"{len(points)} neurons, {config.trials} trials of {config.seconds:g} s")
    paths = signals(config)
    trains = [one.crop(config.warm_up, None) for one in spike_trains(points, paths, config)]
    progress("measuring")
    rows = _theory(config)
    chi, spectrum = linear_theory(config.sigmas, frequencies(config), config)
    for (level, sigma), part in points.groupby(["signal", "sigma"], sort=False):
        selected, k = [trains[k] for k in part.index], config.sigmas.index(sigma)
        rows += _measured(str(level), float(sigma), selected, paths, (chi[k], spectrum[k]), config)
    progress("recorded neurons")
    rows += recorded.rows(progress)
    return pd.DataFrame(rows, columns=COLUMNS)


def signals(config: Config) -> np.ndarray:
    """Signals (copies, samples) at 2 kHz: Gaussian, flat spectrum up to the cut-off, mean 0, standard deviation 1."""
    rng = np.random.default_rng([config.seed, 7])
    n = round(config.seconds * RATE)
    f = np.fft.rfftfreq(n, 1 / RATE)
    inside = (f > 0) & (f <= config.cutoff)
    spectra = np.zeros((max(config.copies), f.size), dtype=complex)
    draws = rng.standard_normal((2, len(spectra), int(inside.sum())))
    spectra[:, inside] = draws[0] + 1j * draws[1]
    paths = np.fft.irfft(spectra, n, axis=1)
    return np.asarray(paths / paths.std(axis=1, keepdims=True))


def _sd(level: str, config: Config) -> float:
    return {"none": 0.0, "weak": config.weak, "strong": config.strong}[level]


def spike_trains(points: pd.DataFrame, paths: np.ndarray, config: Config) -> list[measures.Trains]:
    """Spike trains of each point, simulated as one group."""
    drive = np.column_stack(
        [config.mean + _sd(row.signal, config) * paths[row.copy] for row in points.itertuples()]
    )
    sigma = points.sigma.to_numpy() * (config.sabotage != "noise off")
    neuron = nsnn.LIF(v_rest=0 * mV, **lif_parameters(config))
    model = neuron, nsnn.WhiteNoise(sigma * mV), recorded_stimulus(drive, 1 / RATE)
    options = {"n_neurons": len(points), "trials": config.trials, "seed": config.seed}
    return by_neuron(simulated(*model, seconds=config.seconds, dt=config.dt, **options))


def frequencies(config: Config) -> np.ndarray:
    """Frequencies of Welch's method within the band."""
    f = np.fft.rfftfreq(config.nperseg, 1 / RATE)
    return np.asarray(f[f <= config.band])


def linear_theory(sigmas: Any, f: np.ndarray, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """chi (Hz/mV, complex) and S_0 (Hz) at each sigma (mV) and frequency, (n_sigma, n_f), by the Fokker-Planck equation."""
    factor = 2.0 if config.sabotage == "theory of another sigma" else 1.0
    given: dict[str, Any] = {
        "tau_m": config.tau_m,
        "v_spike": config.v_thresh,
        "v_reset": 0.0,
        "tau_refrac": config.tau_refrac,
    }
    drift, sigma = theory.lif_drift(config.mean), factor * np.asarray(sigmas, dtype=float)[:, None]
    chi = theory.fp_susceptibility(f[None, :], drift, sigma, **given)
    return chi, theory.fp_spectrum(f[None, :], drift, sigma, **given)


def linear_coherence(chi: np.ndarray, spectrum: np.ndarray, sd: float, cutoff: float) -> np.ndarray:
    """|chi|^2 S_ss / (S_0 + |chi|^2 S_ss) of a signal of two-sided spectrum sd^2 / (2 cutoff)."""
    response = np.abs(chi) ** 2 * sd**2 / (2 * cutoff)
    return np.asarray(response / (spectrum + response))


def bound_of(coherence: np.ndarray, df: float) -> np.ndarray:
    """- sum of log2(1 - C) df over the last axis, bit/s."""
    return np.asarray(-np.log2(1 - coherence).sum(axis=-1) * df)


def membrane_sd(sd: float, cutoff: float, tau_m: float) -> float:
    """SD of the free membrane under the signal: white noise up to the cut-off, filtered by 1 / (1 + 2 pi i f tau_m)."""
    corner = 2 * np.pi * cutoff * tau_m
    return float(sd * np.sqrt(np.arctan(corner) / corner))


def _theory(config: Config) -> list[dict[str, Any]]:
    f = frequencies(config)
    fine = np.geomspace(0.8 * min(config.sigmas), 1.2 * max(config.sigmas), 21)
    chi, spectrum = linear_theory(fine, f, config)
    rows: list[dict[str, Any]] = []
    for level in ("weak", "strong"):
        sd = _sd(level, config)
        bound = bound_of(linear_coherence(chi, spectrum, sd, config.cutoff), f[1])
        base = {"part": "theory", "source": "LIF", "signal": level}
        rows += [
            {**base, "sigma": s, "quantity": "bound", "value": b} for s, b in zip(fine, bound, strict=True)
        ]
        rows.append({**base, "quantity": "membrane", "value": membrane_sd(sd, config.cutoff, config.tau_m)})
    return rows


def _measured(
    level: str,
    sigma: float,
    trains: list[measures.Trains],
    paths: np.ndarray,
    theory_of: tuple[np.ndarray, np.ndarray],
    config: Config,
) -> list[dict[str, Any]]:
    base = {"source": "LIF", "signal": level, "sigma": sigma}
    rows: list[dict[str, Any]] = [
        {**base, "part": "copy", "copy": c, "quantity": "rate", "value": float(measures.firing_rate(one)[0])}
        for c, one in enumerate(trains)
    ]
    f = frequencies(config)
    chi, spectrum = theory_of
    curve = {**base, "part": "response"}
    if level == "none":
        return rows + _spectrum(curve, trains, f, spectrum, config)
    exact = linear_coherence(chi, spectrum, _sd(level, config), config.cutoff)
    bound = float(bound_of(exact, f[1]))
    spectra = []
    for c, one in enumerate(trains):
        other = (c + 1) % len(trains) if config.sabotage == "signal shuffled" else c
        signal = neo.AnalogSignal(_sd(level, config) * paths[other], units="mV", sampling_rate=RATE * pq.Hz)
        welch = {"nperseg": config.nperseg, "noverlap": config.nperseg // 2}
        if not one.times.size:
            spectra.append(np.full((4, f.size), np.nan))
            continue
        response = measures.susceptibility(signal, one, **welch)
        c_f = measures.coherence(signal, one, bias="subtract", **welch)[1]
        info = measures.coherence_information(
            signal, one, f_max=config.band * pq.Hz, bias="subtract", n_shuffle=0, **welch
        )
        spectra.append(np.stack([response.chi.real, response.chi.imag, response.se, c_f])[:, : f.size])
        rows.append(_of_copy(base, c, "bound", info) | {"exact": bound})
    curves = np.array(spectra)
    error = np.sqrt((curves[:, 2] ** 2).sum(axis=0)) / len(curves)
    mean, spread = curves.mean(axis=0), curves[:, 3].std(axis=0, ddof=1) / len(curves) ** 0.5
    rows += _points(curve, "chi, real", f, mean[0], error, chi.real)
    rows += _points(curve, "chi, imaginary", f, mean[1], error, chi.imag)
    rows += _points(curve, "coherence", f, mean[3], spread, exact)
    return rows + (_direct(base, trains, config) if level == "strong" else [])


def _of_copy(base: dict[str, Any], copy: int, quantity: str, info: measures.Estimate) -> dict[str, Any]:
    return {**base, "part": "copy", "copy": copy, "quantity": quantity, "value": info.value, "se": info.se}


def _spectrum(
    curve: dict[str, Any], trains: list[measures.Trains], f: np.ndarray, exact: np.ndarray, config: Config
) -> list[dict[str, Any]]:
    """Spectrum without signal, mean over copies; segments as long as those at 2 kHz."""
    n = config.nperseg // 16
    each = [
        measures.power_spectrum(one, sampling_rate=RATE / 16 * pq.Hz, nperseg=n, noverlap=n // 2)
        for one in trains
        if one.times.size
    ]
    if not each:
        return []
    power = np.mean([s.power[0, : f.size] for s in each], axis=0)
    se = np.sqrt(np.sum([s.se[0, : f.size] ** 2 for s in each], axis=0)) / len(each)
    return _points(curve, "spectrum", f, power, se, exact)


def _points(curve: dict[str, Any], quantity: str, *columns: np.ndarray) -> list[dict[str, Any]]:
    names = ("x", "value", "se", "exact")
    return [
        {**curve, "quantity": quantity, **dict(zip(names, point, strict=True))}
        for point in zip(*columns, strict=True)
    ]


def _direct(base: dict[str, Any], trains: list[measures.Trains], config: Config) -> list[dict[str, Any]]:
    rows = []
    for c in range(len(trains)):
        repeats = mix_copies(trains, c) if config.sabotage == "trials of other signals" else trains[c]
        if not repeats.times.size:
            continue
        info = measures.direct_information_rate(
            repeats, bin_width=config.letter * pq.s, word_lengths=config.lengths, n_shuffle=0
        )
        rows.append(_of_copy(base, c, "direct", info))
    return rows


def mix_copies(trains: list[measures.Trains], first: int) -> measures.Trains:
    """Trials from different copies: trial t is that of copy first + t, cyclically."""
    source = [trains[(first + trial) % len(trains)] for trial in range(trains[0].n_trials)]
    parts = [one.times[one.trial == trial] for trial, one in enumerate(source)]
    trial = np.repeat(np.arange(len(parts)), [p.size for p in parts])
    times = np.concatenate(parts)
    return dataclasses.replace(trains[first], times=times, trial=trial, neuron=np.zeros(times.size, int))
