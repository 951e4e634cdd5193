"""The run of the study `fit_recordings`: held-out scores of fitted models, and measures of their simulated spikes."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import quantities as pq

import nsnn_neuro as nsnn
from nsnn_neuro import measures
from nsnn_neuro.likelihood import Rescaled

from ..harness import Progress, part, quiet
from ..shared.intervals import student_quantile
from .calibrated import calibrated
from .config import COLUMNS, Config
from .data_sets import Recording, recordings
from .fits import (
    CELL,
    DETERMINISTIC,
    GIVEN_SPIKES,
    LEAST,
    LNP,
    NETWORK,
    NEURON,
    NO_HISTORY,
    Arm,
    Fitting,
    fitted,
    log_likelihood,
)


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """One row per number; the column `part` is one of

    - score: bits per spike of a model; lead: those of the noisy neuron minus those of the model, paired over blocks
    - measure: measures of simulated spikes of a model, or of the cell; `se` of fano and cv is the SD of single trials
    - across: Fano factor and reliability across repeats, model minus cell, with intervals
    - remark: what the calibration of a model says about a parameter, or why it failed, in `measure`
    - chosen: chosen or fitted settings of a model; spike: time x of a spike in trial `value`
    """
    rows: list[dict[str, Any]] = []
    kinds: set[str] = set()
    for recording in recordings(config):
        progress(f"{recording.name}: models")
        drawn = recording.kind not in kinds
        rows += part(out, recording.name, functools.partial(rows_of_recording, config, recording, drawn))
        kinds.add(recording.kind)
    return pd.DataFrame(rows, columns=COLUMNS)


def rows_of_recording(config: Config, recording: Recording, drawn: bool) -> list[dict[str, Any]]:
    """The rows of one recording; `drawn`: with spikes for the raster."""
    fitting, arms = fitted(recording, config)
    rivals, remarks = calibrated(fitting, config.calibrated)
    labels = {"kind": recording.kind, "recording": recording.name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", measures.SilentNeuronWarning)
        rows = [*scores(fitting, {**arms, **rivals}), *spike_measures(fitting, arms), *across(fitting, arms)]
        rows += raster(fitting, arms) if drawn else []
    rows += [{"part": "remark", "model": name, "measure": text} for name, text in remarks]
    return [{**labels, **row} for row in rows]


def per_spike(gain: np.ndarray, spikes: np.ndarray, steps: int) -> dict[str, float]:
    """sum(gain) / sum(spikes) of arrays (n_repeats, n_steps), with jackknife error over blocks of `steps` (all repeats of a block
    together) and Student's 95 % interval; the last block includes the remainder."""
    k = max(gain.shape[1] // steps, 1)
    starts = steps * np.arange(k)
    top, below = (np.add.reduceat(a.sum(axis=0), starts) for a in (gain, spikes))
    value = top.sum() / below.sum()
    without = (top.sum() - top) / np.maximum(below.sum() - below, 1)
    se = np.sqrt((k - 1) / k * np.sum((without - without.mean()) ** 2)) if k > 1 else np.nan
    return interval(value, se, k)


def interval(value: float, se: float, n: int) -> dict[str, float]:
    """A value with Student's 95 % interval, from its standard error and n."""
    value, half = float(value), float(student_quantile(n) * se) if n > 1 else np.nan
    return {"value": value, "se": float(se), "low": value - half, "high": value + half, "n": n}


def mean_of(values: Any) -> dict[str, float]:
    """Mean over recordings with its 95 % interval."""
    x = np.asarray(values, dtype=float)
    return interval(x.mean(), x.std(ddof=1) / np.sqrt(x.size) if x.size > 1 else np.nan, x.size)


def fano_across(counts: np.ndarray) -> float:
    """Variance across trials over the mean, windows pooled: sum of variances over sum of means; counts (n_trials, n_windows).
    NaN without a spike."""
    mean = counts.mean(axis=0).sum()
    return float(counts.var(axis=0, ddof=1).sum() / mean) if mean > 0 else np.nan


def scores(fitting: Fitting, arms: dict[str, Arm]) -> Iterator[dict[str, Any]]:
    """Rows with the score of each model (bits per spike), and the lead of the noisy neuron."""
    o, steps = fitting.o, round(fitting.config.block / fitting.recording.dt)
    constant = log_likelihood(np.full(o.shape, fitting.rate), o)
    bits = {name: (log_likelihood(arm.p, o) - constant) / np.log(2) for name, arm in arms.items()}
    for name, arm in arms.items():
        yield {"part": "score", "model": name, "measure": "bits", **per_spike(bits[name], o, steps)}
        if name != NEURON:
            ahead = per_spike(bits[NEURON] - bits[name], o, steps)
            yield {"part": "lead", "model": name, "measure": "bits", **ahead}
        test = Rescaled.of(np.clip(arm.p, LEAST, 1 - LEAST), o, seed=fitting.config.seed)
        yield {"part": "measure", "model": name, "measure": "ks", "value": test.ks, "n": test.n}
        yield {"part": "measure", "model": name, "measure": "p", "value": test.p, "n": test.n}
        for what, value in arm.chosen.items():
            yield {"part": "chosen", "model": name, "measure": what, "value": value}
    if NETWORK in arms:
        gain = per_spike(bits[NETWORK] - bits[NO_HISTORY], o, steps)
        yield {"part": "lead", "model": NETWORK, "measure": "over no history", **gain}


def _trains(spikes: np.ndarray, dt: float, start: float) -> list[np.ndarray]:
    """Spike times, s, of the columns of (n_steps, n)."""
    return [start + (np.flatnonzero(column) + 0.5) * dt for column in spikes.T]


def spike_measures(fitting: Fitting, arms: dict[str, Arm]) -> Iterator[dict[str, Any]]:
    """Rows with spike-train measures of the cell and of each model."""
    r, config = fitting.recording, fitting.config
    start, stop = r.borders
    at: dict[str, Any] = {"t_start": start * pq.s, "t_stop": stop * pq.s}
    kernel = config.kernel * pq.s
    drawn = {CELL: fitting.o.T, **{name: arm.spikes for name, arm in arms.items() if name != GIVEN_SPIKES}}
    trains = {name: _trains(spikes, r.dt, start) for name, spikes in drawn.items()}
    blocks = {name: nsnn.to_block([[t] for t in own], **at) for name, own in trains.items()}
    for name, own_trains in trains.items():
        same = {"part": "measure", "model": name}
        side = nsnn.to_block([own_trains], **at)  # trials as neurons
        several = {
            "rate": measures.firing_rate(side),
            "cv": measures.cv(side),
            "fano": measures.fano_factor(side, window=config.window * pq.s),
        }
        if name != CELL:
            n, both = len(own_trains), [*own_trains, *trains[CELL]]
            several["van rossum"] = measures.van_rossum(both, tau=kernel, **at)[:n, n:].mean(axis=1)
            matched = [_coincidence(t, trains[CELL], r.precision, at) for t in own_trains]
            several["coincidence"] = np.array(matched)
        for measure, values in several.items():
            good = values[np.isfinite(values)]
            spread = float(good.std(ddof=1)) if good.size > 1 else np.nan
            value = float(good.mean()) if good.size else np.nan
            yield {**same, "measure": measure, "value": value, "se": spread, "n": good.size}
        if r.stimulated and len(own_trains) > 1:
            value = measures.schreiber_reliability(own_trains, sigma=kernel, **at)
            yield {**same, "measure": "reliability", "value": float(value)}
        if r.stimulated and name != CELL:
            value = measures.rate_correlation(blocks[name], blocks[CELL], sigma=kernel, **at)[0]
            yield {**same, "measure": "rate correlation", "value": float(value)}
        if r.f_max is not None:
            samples = round(r.segment / r.dt)
            information = measures.coherence_information(
                r.signal(start, stop), blocks[name], f_max=r.f_max * pq.Hz, nperseg=samples, noverlap=samples // 2,
                bias="subtract", n_shuffle=0, **at,
            )  # fmt: skip
            yield {**same, "measure": "information", "value": information.value, "se": information.se}


def _coincidence(train: np.ndarray, cell: list[np.ndarray], precision: float, at: dict[str, Any]) -> float:
    """Mean coincidence factor of a train as prediction of each train of the cell; NaN if chance alone would match all spikes."""
    if 2 * precision * len(train) >= float((at["t_stop"] - at["t_start"]).magnitude):
        return np.nan
    values = [measures.gamma_coincidence([c, train], precision=precision * pq.s, **at)[0, 1] for c in cell]
    return float(np.mean(values))


def across(fitting: Fitting, arms: dict[str, Arm]) -> Iterator[dict[str, Any]]:
    """Rows of variability across repeats, model minus cell, with jackknife errors over windows or repeats."""
    r, repeats = fitting.recording, fitting.repeats
    if repeats < 2:
        return
    start, stop = r.borders
    edges = np.arange(0, fitting.o.shape[1] + 1, round(2 * fitting.config.window / r.dt))
    cell = np.add.reduceat(fitting.o, edges[:-1], axis=1)
    trains = _trains(fitting.o.T, r.dt, start)
    at = {"sigma": fitting.config.kernel * pq.s, "t_start": start * pq.s, "t_stop": stop * pq.s}
    own = measures.schreiber_reliability(trains, **at)
    others = (trains[:k] + trains[k + 1 :] for k in range(repeats))
    without = np.array([measures.schreiber_reliability(some, **at) for some in others])
    error = np.sqrt((repeats - 1) / repeats * np.sum((without - without.mean()) ** 2))
    yield {"part": "across", "model": CELL, "measure": "fano", "value": fano_across(cell)}
    yield {"part": "across", "model": CELL, "measure": "reliability", **interval(own, error, repeats)}
    n = cell.shape[1]
    for name, arm in arms.items():
        if name == GIVEN_SPIKES:
            continue
        own_trains = np.add.reduceat(arm.spikes.T.astype(float), edges[:-1], axis=1)
        keep = ~np.eye(n, dtype=bool)
        off = np.array([fano_across(own_trains[:, k]) - fano_across(cell[:, k]) for k in keep])
        se = np.sqrt((n - 1) / n * np.sum((off - off.mean()) ** 2))
        value = fano_across(own_trains) - fano_across(cell)
        yield {"part": "across", "model": name, "measure": "fano", **interval(value, se, n)}
        value = measures.schreiber_reliability(_trains(arm.spikes, r.dt, start), **at) - own
        yield {"part": "across", "model": name, "measure": "reliability", **interval(value, error, repeats)}


def raster(fitting: Fitting, arms: dict[str, Arm]) -> Iterator[dict[str, Any]]:
    """Rows of spike times of the cell and of some models, for the raster."""
    r = fitting.recording
    shown = {CELL: fitting.o.T, **{name: arms[name].spikes for name in (NEURON, DETERMINISTIC, LNP)}}
    for name, spikes in shown.items():
        for k, train in enumerate(_trains(spikes[: round(0.6 / r.dt), :6], r.dt, r.borders[0])):
            for t in train:
                yield {"part": "spike", "model": name, "value": k, "x": t}
