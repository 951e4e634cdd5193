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

SEGMENT = 0.5  # s; differences between models are judged over segments of this length
_SILENT: dict[str, Any] = {"n_shuffle": 0, "bias": "subtract"}


def run(
    config: Config, out: Path | None = None, progress: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """Calibrate on the first halves, simulate the second halves, measure cell and models alike.

    Returns a tidy table: recording, model ("recorded", "noisy", "twin", "refitted twin", or "noisy x 0.5" for the noisy model
    with half its sigma), quantity, x, value, sd (of one pass, over trials), unit.
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
            passes = repeats(block, j)
            if model in MODELS:
                rows += _measured(passes, half, which, model, config, recorded)
                rows += _excerpt(passes, which, model)
                score = scores[which][j]
                rows.append(
                    {**_row(which, model, "log-likelihood", np.nan, score, "nats/spike"), "sd": np.nan}
                )
                rows += [
                    _row(which, model, "log-likelihood, by segment", SEGMENT * k, value, "nats/spike")
                    for k, value in enumerate(score)
                ]
            if variants["factor"][j] >= 0:
                rows += _sweep_rows(passes, half, which, variants.iloc[j], config)
    return pd.DataFrame(rows, columns=["recording", "model", "quantity", "x", "value", "sd", "unit"])


def repeats(block: neo.Block, neuron: int) -> neo.Block:
    """One neuron's trials as a Block of one trial with as many neurons: a measure then gives one value for each pass."""
    passes = []
    for segment in block.segments:
        ids, times = segment.spiketrains.multiplexed
        passes.append(np.asarray(times.magnitude)[ids == neuron])
    return nsnn.to_block([passes], t_stop=block.segments[0].spiketrains.t_stop)


def _variants(frozen: pd.DataFrame, config: Config) -> pd.DataFrame:
    """The models of the second half: the three, and the noisy one at multiples of its sigma (`factor`, else -1)."""
    rows = []
    for _, row in frozen.iterrows():
        rows.append({**row, "factor": {"noisy": 1.0, "twin": 0.0}.get(row["model"], -1.0)})
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


def _bounds(passes: neo.Block, half: Half, limit: int | None = None) -> np.ndarray:
    """The coherence bound of each pass alone, bit/s, so that a model's passes are measured as the cell's only one is."""
    signal = _level_signal(half)
    ids, times = passes.segments[0].spiketrains.multiplexed
    out = []
    for j in range(len(passes.segments[0].spiketrains))[:limit]:
        train = np.asarray(times.magnitude)[ids == j]
        info = measures.coherence_information(
            signal,
            [train],
            f_max=half.cutoff * pq.Hz,
            t_start=0 * pq.s,
            t_stop=half.duration * pq.s,
            **_SILENT,
        )
        out.append(float(info))
    return np.array(out)


def _measured(
    passes: neo.Block, half: Half, which: int, model: str, config: Config, recorded: neo.Block
) -> list[dict[str, Any]]:
    """Every quantity of the table for one model; `passes` has one neuron for each pass."""
    rate = measures.firing_rate(passes)
    rows = [
        _row(which, model, "passes", np.nan, len(rate), "1"),
        _row(which, model, "rate", np.nan, rate, "Hz"),
        _row(which, model, "CV", np.nan, measures.cv(passes), "1"),
        _row(which, model, "LV", np.nan, measures.lv(passes), "1"),
        _row(which, model, "lag-1 correlation", np.nan, measures.serial_correlation(passes), "1"),
    ]
    for window in config.fano_windows:
        fano = measures.fano_factor(passes, window=window * pq.s)
        rows.append(_row(which, model, "Fano factor (windows)", window, fano, "1"))
    bound = _bounds(
        passes, half, None if model in ("recorded", "noisy") else 1
    )  # a twin's passes are all the same
    rows.append(_row(which, model, "information bound", np.nan, bound, "bit/s"))
    rows.append(
        _row(which, model, "information bound per spike", np.nan, bound / rate[: len(bound)], "bit/spike")
    )
    several = len(rate) > 1
    if several:
        trials = _as_trials(passes)
        rows.append(
            _row(which, model, "Fano factor (across trials)", np.nan, measures.fano_factor(trials), "1")
        )
        reliability = measures.schreiber_reliability(trials, sigma=config.reliability_kernel * pq.s)
        rows.append(_row(which, model, "reliability", np.nan, reliability, "1"))
        for kernel in config.kernels:
            r = measures.rate_correlation(trials, recorded, sigma=kernel * pq.s)
            rows.append({**_row(which, model, "rate correlation", kernel, r, "1"), "sd": np.nan})
            rows += _by_segment(trials, recorded, half, which, model, kernel)
    return rows + _curves(passes, half, which, model)


def _as_trials(passes: neo.Block) -> neo.Block:
    """A Block of one neuron and a trial for each pass."""
    spikes = passes.segments[0].spiketrains
    ids, times = spikes.multiplexed
    return nsnn.to_block(
        [[np.asarray(times.magnitude)[ids == j]] for j in range(len(spikes))], t_stop=spikes.t_stop
    )


def _by_segment(
    trials: neo.Block, recorded: neo.Block, half: Half, which: int, model: str, kernel: float
) -> list[dict[str, Any]]:
    """The rate correlation in each half-second, for the standard error of differences between models."""
    rows = []
    for start in np.arange(0.0, half.duration - SEGMENT / 2, SEGMENT).tolist():
        window = {"t_start": start * pq.s, "t_stop": (start + SEGMENT) * pq.s}
        r = measures.rate_correlation(trials, recorded, sigma=kernel * pq.s, **window)
        rows.append(_row(which, model, f"rate correlation {1e3 * kernel:g} ms, by segment", start, r, "1"))
    return rows


def _curves(passes: neo.Block, half: Half, which: int, model: str) -> list[dict[str, Any]]:
    """Spike-triggered average of the level, and coherence with it."""
    signal, trials = _level_signal(half), _as_trials(passes)
    sta = measures.spike_triggered_average(trials, signal, before=20 * pq.ms, after=10 * pq.ms)
    rows = [
        _row(which, model, "spike-triggered average", lag, a, "SD of level")
        for lag, a in zip(sta.lags, sta.average[0], strict=True)
    ]
    ids, times = passes.segments[0].spiketrains.multiplexed
    each = []
    for j in range(min(len(passes.segments[0].spiketrains), 20 if model == "noisy" else 1)):
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
    passes: neo.Block, which: int, model: str, seconds: float = 0.6, most: int = 15
) -> list[dict[str, Any]]:
    """Spikes of the first passes from 1 s on, for the raster: x is the time, value the pass."""
    ids, times = passes.segments[0].spiketrains.multiplexed
    times = np.asarray(times.magnitude)
    shown = (times >= 1.0) & (times < 1.0 + seconds) & (ids < most)
    return [
        {**_row(which, model, "spike (excerpt)", t, i, "pass"), "sd": np.nan}
        for t, i in zip(times[shown], ids[shown], strict=True)
    ]


def _sweep_rows(
    passes: neo.Block, half: Half, which: int, variant: pd.Series, config: Config
) -> list[dict[str, Any]]:
    """Bound and reliability against sigma: x is sigma in mV."""
    sigma = float(variant["sigma"])
    deterministic = sigma == 0
    reliability = measures.schreiber_reliability(_as_trials(passes), sigma=config.reliability_kernel * pq.s)
    bound = _bounds(passes, half, 1 if deterministic else None)
    return [
        _row(which, "sweep", "information bound against sigma", sigma, bound, "bit/s"),
        _row(which, "sweep", "reliability against sigma", sigma, reliability, "1"),
        _row(which, "sweep", "rate against sigma", sigma, measures.firing_rate(passes), "Hz"),
    ]
