"""Simulations and measurements of the study `grasshopper`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq
from brian2 import second

import nsnn_neuro as nsnn
from nsnn_neuro import measures

from ..harness import replacing
from .calibration import Half, calibrate, load_half, log_likelihood, simulate
from .config import MODELS, Config

SEGMENT = 0.5  # s; segments for errors of differences between models
_COHERENCE_OPTIONS: dict[str, Any] = {"n_shuffle": 0, "bias": "subtract"}


def run(
    config: Config, out: Path | None = None, progress: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """Calibrate on the first halves, simulate the second halves, and apply the same measures to cell and models.

    Returns a tidy table: recording, model ("recorded", "noisy", "deterministic", "refitted deterministic", or "noisy x 0.5" for
    the noisy model with half its sigma), quantity, x, value, sd (of single trials), unit.
    """
    first = {which: load_half(which, config, second_half=False) for which in config.recordings}
    frozen = calibrate(first, config, progress)
    if config.sabotage == "noise off":
        frozen["sigma"] = 0.0
    halves = {which: load_half(which, config, second_half=True) for which in config.recordings}
    variants = _variants(frozen, config)
    progress(f"simulating {config.trials} trials of the second half, {len(variants)} models")
    level = np.column_stack([halves[which].level for which in variants["recording"]])
    block = simulate(variants, level, config.trials, config.dt, config.seed + 1, config.engine)
    block.annotate(variants=variants.to_dict("records"))
    if out is not None:
        with replacing(out / "block.nwb") as path:
            nsnn.save(block, path)
    progress("measuring")
    rows = _parameter_rows(frozen)
    scores = {which: log_likelihood(block, half, config, SEGMENT) for which, half in halves.items()}
    for which, half in halves.items():
        recorded = nsnn.to_block([[half.spikes]], t_stop=half.duration * second)
        rows += _measured(recorded, half, which, "recorded", config, recorded)
        rows += _excerpt(recorded, which, "recorded")
        for j in np.flatnonzero(variants["recording"] == which):
            model = variants["model"][j]
            trials = repeats(block, j)
            if model in MODELS:
                rows += _measured(trials, half, which, model, config, recorded)
                rows += _excerpt(trials, which, model)
                score = scores[which][j]
                rows.append(
                    {**_row(which, model, "log-likelihood", np.nan, score, "nats/spike"), "sd": np.nan}
                )
                rows += [
                    _row(which, model, "log-likelihood, by segment", SEGMENT * k, value, "nats/spike")
                    for k, value in enumerate(score)
                ]
            if variants["factor"][j] >= 0:
                rows += _sweep_rows(trials, half, which, variants.iloc[j], config)
    return pd.DataFrame(rows, columns=["recording", "model", "quantity", "x", "value", "sd", "unit"])


def repeats(block: neo.Block, neuron: int) -> neo.Block:
    """Trials of one neuron as a Block of one trial with as many neurons, so that measures return one value per trial."""
    trials = []
    for segment in block.segments:
        ids, times = segment.spiketrains.multiplexed
        trials.append(np.asarray(times.magnitude)[ids == neuron])
    return nsnn.to_block([trials], t_stop=block.segments[0].spiketrains.t_stop)


def _variants(frozen: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Models of the second half: all three, and the noisy model at multiples of its sigma (`factor`, else -1)."""
    rows = []
    for _, row in frozen.iterrows():
        rows.append({**row, "factor": {"noisy": 1.0, "deterministic": 0.0}.get(row["model"], -1.0)})
        if row["model"] == "noisy":
            for factor in config.sigma_factors:
                if factor not in (0.0, 1.0):
                    rows.append(
                        {
                            **row,
                            "model": f"noisy x {factor:g}",
                            "sigma": factor * row["sigma"],
                            "factor": factor,
                        }
                    )
    return pd.DataFrame(rows)


def _row(which: int, model: str, quantity: str, x: float, values: Any, unit: str) -> dict[str, Any]:
    values = np.atleast_1d(np.asarray(values, dtype=float))
    value, sd = float(values.mean()), float(values.std(ddof=1)) if np.ptp(values) > 0 else float("nan")
    return dict(recording=which, model=model, quantity=quantity, x=x, value=value, sd=sd, unit=unit)


def _parameter_rows(frozen: pd.DataFrame) -> list[dict[str, Any]]:
    unit = {
        "gain": "mV/SD",
        "offset": "mV",
        "sigma": "mV",
        "tau_refrac": "s",
        "tau_m": "s",
        "delay": "s",
        "objective": "nats/spike",
    }
    return [
        _row(row["recording"], row["model"], f"parameter {name}", np.nan, row[name], unit[name])
        for _, row in frozen.iterrows()
        for name in unit
    ]


def _level_signal(half: Half) -> neo.AnalogSignal:
    return neo.AnalogSignal(half.level, units="dimensionless", sampling_rate=2000 * pq.Hz)


def _bounds(trials: neo.Block, half: Half, limit: int | None = None) -> np.ndarray:
    """Coherence bound of each single trial, bit/s, as for the single trial of the cell."""
    signal = _level_signal(half)
    ids, times = trials.segments[0].spiketrains.multiplexed
    out = []
    for j in range(len(trials.segments[0].spiketrains))[:limit]:
        train = np.asarray(times.magnitude)[ids == j]
        info = measures.coherence_information(
            signal,
            [train],
            f_max=half.cutoff * pq.Hz,
            t_start=0 * pq.s,
            t_stop=half.duration * pq.s,
            **_COHERENCE_OPTIONS,
        )
        out.append(float(info))
    return np.array(out)


def _measured(
    trials: neo.Block, half: Half, which: int, model: str, config: Config, recorded: neo.Block
) -> list[dict[str, Any]]:
    """Rows with all measures of one model; `trials` has one neuron per trial."""
    rate = measures.firing_rate(trials)
    rows = [
        _row(which, model, "number of trials", np.nan, len(rate), "1"),
        _row(which, model, "rate", np.nan, rate, "Hz"),
        _row(which, model, "CV", np.nan, measures.cv(trials), "1"),
        _row(which, model, "LV", np.nan, measures.lv(trials), "1"),
        _row(which, model, "lag-1 correlation", np.nan, measures.serial_correlation(trials), "1"),
    ]
    for window in config.fano_windows:
        fano = measures.fano_factor(trials, window=window * pq.s)
        rows.append(_row(which, model, "Fano factor (windows)", window, fano, "1"))
    bound = _bounds(
        trials, half, None if model in ("recorded", "noisy") else 1
    )  # trials of deterministic models are identical
    rows.append(_row(which, model, "information bound", np.nan, bound, "bit/s"))
    rows.append(
        _row(which, model, "information bound per spike", np.nan, bound / rate[: len(bound)], "bit/spike")
    )
    several = len(rate) > 1
    if several:
        neuron = _as_one_neuron(trials)
        rows.append(
            _row(which, model, "Fano factor (across trials)", np.nan, measures.fano_factor(neuron), "1")
        )
        reliability = measures.schreiber_reliability(neuron, sigma=config.reliability_kernel * pq.s)
        rows.append(_row(which, model, "reliability", np.nan, reliability, "1"))
        for kernel in config.kernels:
            r = measures.rate_correlation(neuron, recorded, sigma=kernel * pq.s)
            rows.append({**_row(which, model, "rate correlation", kernel, r, "1"), "sd": np.nan})
            rows += _by_segment(neuron, recorded, half, which, model, kernel)
    return rows + _curves(trials, half, which, model)


def _as_one_neuron(trials: neo.Block) -> neo.Block:
    """A Block of one neuron, from a Block with one neuron per trial."""
    spikes = trials.segments[0].spiketrains
    ids, times = spikes.multiplexed
    return nsnn.to_block(
        [[np.asarray(times.magnitude)[ids == j]] for j in range(len(spikes))], t_stop=spikes.t_stop
    )


def _by_segment(
    trials: neo.Block, recorded: neo.Block, half: Half, which: int, model: str, kernel: float
) -> list[dict[str, Any]]:
    """Rows of the rate correlation in each segment, for the standard error of differences between models."""
    rows = []
    for start in np.arange(0.0, half.duration - SEGMENT / 2, SEGMENT).tolist():
        window = {"t_start": start * pq.s, "t_stop": (start + SEGMENT) * pq.s}
        r = measures.rate_correlation(trials, recorded, sigma=kernel * pq.s, **window)
        rows.append(_row(which, model, f"rate correlation {1e3 * kernel:g} ms, by segment", start, r, "1"))
    return rows


def _curves(trials: neo.Block, half: Half, which: int, model: str) -> list[dict[str, Any]]:
    """Rows of the spike-triggered average of the sound level, and of the coherence with it."""
    signal, neuron = _level_signal(half), _as_one_neuron(trials)
    sta = measures.spike_triggered_average(signal, neuron, before=20 * pq.ms, after=10 * pq.ms)
    rows = [
        _row(which, model, "spike-triggered average", lag, a, "SD of level")
        for lag, a in zip(sta.lags, sta.average[0], strict=True)
    ]
    ids, times = trials.segments[0].spiketrains.multiplexed
    each = []
    for j in range(min(len(trials.segments[0].spiketrains), 20 if model == "noisy" else 1)):
        f, c = measures.coherence(
            signal, [np.asarray(times.magnitude)[ids == j]], nperseg=256, noverlap=128,
            t_start=0 * pq.s, t_stop=half.duration * pq.s,
        )  # fmt: skip
        each.append(c)
    keep = f <= 1.25 * half.cutoff
    return rows + [
        _row(which, model, "coherence", x, y, "1")
        for x, y in zip(f[keep], np.mean(each, axis=0)[keep], strict=True)
    ]


def _excerpt(
    trials: neo.Block, which: int, model: str, seconds: float = 0.6, most: int = 15
) -> list[dict[str, Any]]:
    """Rows of spikes of the first trials from 1 s on, for the raster: x is the time, value the trial."""
    ids, times = trials.segments[0].spiketrains.multiplexed
    times = np.asarray(times.magnitude)
    shown = (times >= 1.0) & (times < 1.0 + seconds) & (ids < most)
    return [
        {**_row(which, model, "spike (excerpt)", t, i, "trial"), "sd": np.nan}
        for t, i in zip(times[shown], ids[shown], strict=True)
    ]


def _sweep_rows(
    trials: neo.Block, half: Half, which: int, variant: pd.Series, config: Config
) -> list[dict[str, Any]]:
    """Rows of bound, reliability and rate against sigma: x is sigma in mV."""
    sigma = float(variant["sigma"])
    deterministic = sigma == 0
    reliability = measures.schreiber_reliability(
        _as_one_neuron(trials), sigma=config.reliability_kernel * pq.s
    )
    bound = _bounds(trials, half, 1 if deterministic else None)
    return [
        _row(which, "sweep", "information bound against sigma", sigma, bound, "bit/s"),
        _row(which, "sweep", "reliability against sigma", sigma, reliability, "1"),
        _row(which, "sweep", "rate against sigma", sigma, measures.firing_rate(trials), "Hz"),
    ]
