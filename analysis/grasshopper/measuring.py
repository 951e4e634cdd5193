"""Measures of the study `grasshopper`, the same for cell and models, as rows of its table."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq

import nsnn_neuro as nsnn
from nsnn_neuro import measures
from nsnn_neuro.likelihood import Rescaled

from .config import LOWEST, MODELS, Config
from .neuron import bins
from .sound import COARSE_RATE, Half

SEGMENT = 0.5  # s; segments for errors of differences between models
_COHERENCE_OPTIONS: dict[str, Any] = {"n_shuffle": 0, "bias": "subtract"}
_PARAMETER_UNITS = {
    "tau_m": "s", "tau_refrac": "s", "v_reset": "mV", "tau_w": "s", "b": "mV", "tau_thresh": "s", "b_thresh": "mV",
    "tau_fatigue": "s", "b_fatigue": "mV", "gain": "mV", "offset": "mV", "middle": "SD", "width": "SD",
    "adaptation": "1", "tau_adaptation": "s", "delay": "s", "objective": "nats/spike",
}  # fmt: skip


def row_of(
    which: int, model: str, quantity: str, x: float, values: Any, unit: str, **other: Any
) -> dict[str, Any]:
    """A row with the mean and the SD of values, or another `sd`."""
    values = np.atleast_1d(np.asarray(values, dtype=float))
    value, sd = float(values.mean()), float(values.std(ddof=1)) if np.ptp(values) > 0 else float("nan")
    row = dict(recording=which, model=model, quantity=quantity, x=x, value=value, sd=sd, unit=unit)
    return row | other


def parameter_rows(frozen: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of the parameters; sd is the standard error where the calibration has one."""
    rows = []
    for row, (name, unit) in itertools.product(frozen.to_dict("records"), _PARAMETER_UNITS.items()):
        if np.isfinite(row.get(name, np.nan)):
            place = row["recording"], row["model"], f"parameter {name}", np.nan
            rows.append(row_of(*place, row[name], unit, sd=row.get(f"se {name}")))
    return rows


def _level_signal(half: Half) -> neo.AnalogSignal:
    return neo.AnalogSignal(half.coarse, units="dimensionless", sampling_rate=COARSE_RATE * pq.Hz)


def _times(trials: neo.Block) -> list[np.ndarray]:
    """Spike times (s) of each neuron of the first segment."""
    spikes = trials.segments[0].spiketrains
    ids, times = spikes.multiplexed
    return [np.asarray(times.magnitude)[ids == j] for j in range(len(spikes))]


def _bounds(trials: neo.Block, half: Half, limit: int | None = None) -> np.ndarray:
    """Coherence bound of each single trial, bit/s, as for the single trial of the cell."""
    signal, window = _level_signal(half), {"t_start": 0 * pq.s, "t_stop": half.duration * pq.s}
    each = [
        measures.coherence_information(
            signal, [train], f_max=half.cutoff * pq.Hz, **window, **_COHERENCE_OPTIONS
        )
        for train in _times(trials)[:limit]
    ]
    return np.array([info.value for info in each])


def measured(trials: neo.Block, half: Half, which: int, model: str, config: Config) -> list[dict[str, Any]]:
    """Rows with all measures of one model; `trials` has one neuron per trial."""
    rate = measures.firing_rate(trials)
    rows = [
        row_of(which, model, "number of trials", np.nan, len(rate), "1"),
        row_of(which, model, "rate", np.nan, rate, "Hz"),
        row_of(which, model, "CV", np.nan, measures.cv(trials), "1"),
        row_of(which, model, "LV", np.nan, measures.lv(trials), "1"),
        row_of(which, model, "lag-1 correlation", np.nan, measures.serial_correlation(trials), "1"),
    ]
    for window in config.fano_windows:
        fano = measures.fano_factor(trials, window=window * pq.s)
        rows.append(row_of(which, model, "Fano factor (windows)", window, fano, "1"))
    bound = _bounds(trials, half, 1 if model in MODELS[1:] else None)
    per_spike = bound / rate[: len(bound)]
    rows.append(row_of(which, model, "information bound", np.nan, bound, "bit/s"))
    rows.append(row_of(which, model, "information bound per spike", np.nan, per_spike, "bit/spike"))
    if len(rate) > 1:
        neuron = _as_one_neuron(trials)
        fano = measures.fano_factor(neuron)
        rows.append(row_of(which, model, "Fano factor (across trials)", np.nan, fano, "1"))
        reliability = measures.schreiber_reliability(neuron, sigma=config.reliability_kernel * pq.s)
        rows.append(row_of(which, model, "reliability", np.nan, reliability, "1"))
        recorded = nsnn.to_block([[half.spikes]], t_stop=half.duration * pq.s)
        for start in np.arange(0.0, half.duration - SEGMENT / 2, SEGMENT).tolist():
            part = {"t_start": start * pq.s, "t_stop": (start + SEGMENT) * pq.s}
            r = measures.rate_correlation(neuron, recorded, sigma=5 * pq.ms, **part)
            rows.append(row_of(which, model, "rate correlation 5 ms, by segment", start, r, "1"))
    return rows + _curves(trials, half, which, model)


def _as_one_neuron(trials: neo.Block) -> neo.Block:
    """A Block of one neuron, from a Block with one neuron per trial."""
    t_stop = trials.segments[0].spiketrains.t_stop
    return nsnn.to_block([[train] for train in _times(trials)], t_stop=t_stop)


def _curves(trials: neo.Block, half: Half, which: int, model: str) -> list[dict[str, Any]]:
    """Rows of the spike-triggered average of the sound level, and of the coherence with it: mean and SD of single trials, and for
    several trials the width of their band.

    The band of single trials is mean -+ k SD. k, "coherence band", is the 95th percentile over trials of the largest distance from
    the mean of the other trials, in their SD, at any frequency from 10 Hz to the cut-off: it holds for all frequencies together.
    """
    signal, neuron = _level_signal(half), _as_one_neuron(trials)
    sta = measures.spike_triggered_average(signal, neuron, before=20 * pq.ms, after=10 * pq.ms)
    rows = [
        row_of(which, model, "spike-triggered average", lag, a, "SD of level")
        for lag, a in zip(sta.lags, sta.average[0], strict=True)
    ]
    how = {"nperseg": 256, "noverlap": 128, "t_start": 0 * pq.s, "t_stop": half.duration * pq.s}
    trains = _times(trials)[: 1 if model in MODELS[1:] else None]
    spectra = [measures.coherence(signal, [train], **how) for train in trains]
    f, all_of = spectra[0][0], np.array([c for _, c in spectra])
    keep = f <= 1.25 * half.cutoff
    rows += [
        row_of(which, model, "coherence", x, y, "1") for x, y in zip(f[keep], all_of[:, keep].T, strict=True)
    ]
    inside = (f >= LOWEST) & (f <= half.cutoff)
    n = len(all_of)
    if n > 4:
        own = all_of[:, inside]
        rest_mean = (own.sum(axis=0) - own) / (n - 1)
        rest_sd = np.array([np.delete(own, j, axis=0).std(axis=0, ddof=1) for j in range(n)])
        with np.errstate(divide="ignore", invalid="ignore"):
            largest = (np.abs(own - rest_mean) / rest_sd).max(axis=1)
        rows.append(row_of(which, model, "coherence band", np.nan, np.percentile(largest, 95), "SD"))
    return rows


def likelihood_rows(
    logs: Mapping[str, np.ndarray], half: Half, which: int, config: Config
) -> list[dict[str, Any]]:
    """Rows of the exact likelihood of each bin given the spikes before it, by model: bits per spike over a constant rate.

    "bits per spike, by segment" is for errors of differences: sums in segments over the mean number of spikes per segment.
    """
    o = bins(half, config)
    rate = o.mean()
    constant = np.where(o > 0, np.log(rate), np.log1p(-rate))
    n = max(1, round(half.duration / SEGMENT))
    rows = []
    for model, log in logs.items():
        bits = np.array_split((log - constant) / np.log(2), n)
        gain = np.array([part.sum() for part in bits]) * n / o.sum()
        se = gain.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
        rows.append(row_of(which, model, "bits per spike", np.nan, gain.mean(), "bit/spike", sd=se))
        rows += [
            row_of(which, model, "bits per spike, by segment", SEGMENT * k, value, "bit/spike")
            for k, value in enumerate(gain)
        ]
        chance = np.clip(np.where(o > 0, np.exp(log), -np.expm1(log)), 1e-12, 1 - 1e-12)
        p = Rescaled.of(chance, o, seed=config.seed).p if np.isfinite(chance).all() else np.nan
        rows.append(row_of(which, model, "time rescaling p", np.nan, p, "1"))
    return rows


def excerpt(
    trials: neo.Block, which: int, model: str, seconds: float = 0.6, most: int = 15
) -> list[dict[str, Any]]:
    """Rows of spikes of the first trials from 1 s on, for the raster: x is the time, value the trial."""
    ids, times = trials.segments[0].spiketrains.multiplexed
    times = np.asarray(times.magnitude)
    shown = (times >= 1.0) & (times < 1.0 + seconds) & (ids < most)
    return [
        row_of(which, model, "spike (excerpt)", t, i, "trial", sd=np.nan)
        for t, i in zip(times[shown], ids[shown], strict=True)
    ]


def sweep_rows(
    trials: neo.Block, half: Half, which: int, factor: float, config: Config
) -> list[dict[str, Any]]:
    """Rows of bound, reliability and rate against noise: x is the noise in multiples of the calibrated one."""
    reliability = measures.schreiber_reliability(
        _as_one_neuron(trials), sigma=config.reliability_kernel * pq.s
    )
    bound = _bounds(trials, half, 1 if factor == 0 else None)
    return [
        row_of(which, "sweep", "information bound against noise", factor, bound, "bit/s"),
        row_of(which, "sweep", "reliability against noise", factor, reliability, "1"),
        row_of(which, "sweep", "rate against noise", factor, measures.firing_rate(trials), "Hz"),
    ]
