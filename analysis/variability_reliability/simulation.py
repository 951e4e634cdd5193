"""Simulations and measurements of the study `variability_reliability`."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import quantities as pq
from brian2 import mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory

from ..harness import Progress, quiet
from ..shared import cortical_cell as cell
from ..shared.simulations import lif_parameters, recorded, simulated
from .config import Config
from .verdicts import strongest

COLUMNS = [
    "part",
    "source",
    "setting",
    "fluctuation",
    "sigma",
    "seed",
    "quantity",
    "x",
    "value",
    "se",
    "exact",
]
MARGIN = 0.4  # s; longer than any interval under the constant current
SAMPLE = 0.4e-3  # s, of the input paths


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """One row per number; the column `part` is one of

    - frozen: a quantity of one neuron over its trials, at a fluctuation, a sigma and a seed
    - constant: CV, and spread of the time of the n-th spike (n in `x`), with standard error and exact value
    - raster: spikes of the first seed, trial in `x`
    - cell, parameter: see `shared.cortical_cell`; absent without recordings
    """
    points = pd.DataFrame(
        [(f, s, seed) for f in config.fluctuations for s in config.sigmas for seed in range(config.seeds)],
        columns=["fluctuation", "sigma", "seed"],
    )
    progress(f"{len(points)} neurons, {config.trials} trials of {config.seconds:g} s")
    trains = spike_trains(points, config)
    progress("measuring")
    rows = []
    for at, one in zip(points.to_dict("records"), trains, strict=True):
        rows += _measured(at, one, config)
    rows += _constant(points, trains, config) + _raster(points, trains, config)
    if config.recordings:
        rows += cell.rows(config.fit, config.seed, progress)
    return pd.DataFrame(rows, columns=COLUMNS)


def spike_trains(points: pd.DataFrame, config: Config) -> list[measures.Trains]:
    """Spike trains of each point from 0 s on, simulated as one group."""
    sigma = points.sigma.to_numpy()
    if config.sabotage == "noise off":
        sigma = np.zeros(len(points))
    elif config.sabotage == "noise in the deterministic neuron":
        sigma = np.where(sigma == 0, sigma.max(), sigma)
    own = config.sabotage == "input not frozen"  # one neuron per trial, since trials share their stimulus
    copies = config.trials if own else 1
    n_steps = round(config.seconds / SAMPLE)
    paths = {}
    for seed, copy in itertools.product(range(config.seeds), range(copies)):
        number = (config.seed * 1000 + seed) * 1000 + copy
        path = nsnn.FrozenNoise(0.0, 1.0, config.tau_input * second, number)
        paths[seed, copy] = path.samples(n_steps, SAMPLE)
    scaled = (
        row.fluctuation * paths[row.seed, copy] for row in points.itertuples() for copy in range(copies)
    )
    drive = config.mean + np.column_stack(list(scaled))
    neuron = nsnn.LIF(v_rest=0 * mV, **lif_parameters(config))
    noise = nsnn.WhiteNoise(np.repeat(sigma, copies) * mV)
    options = {"n_neurons": drive.shape[1], "trials": 1 if own else config.trials, "seed": config.seed}
    block = simulated(neuron, noise, recorded(drive, SAMPLE), seconds=config.seconds, dt=config.dt, **options)
    return cell.by_neuron(block, copies)


def _measured(at: dict[str, Any], trains: measures.Trains, config: Config) -> list[dict[str, Any]]:
    """Rows with all measures of one neuron over its trials, after the warm-up."""
    late = trains.crop(config.warm_up, None)
    values = cell.repeatability(late, config.kernel, config.precision)
    values["CV"] = float(measures.cv(late)[0])
    values["trials unlike the first"] = float(unlike_first(trains))
    if at["fluctuation"] >= strongest(config.fluctuations)[0]:
        events = measures.firing_events(late, sigma=config.kernel * pq.s)
        values["jitter"] = events.median_jitter
        middle = (config.warm_up + config.seconds) / 2
        for name, half in (("early", events.time < middle), ("late", events.time >= middle)):
            values[f"jitter, {name}"] = float(np.nanmedian(events.jitter[half])) if half.any() else np.nan
    return [{"part": "frozen", "source": "LIF", **at, "quantity": q, "value": v} for q, v in values.items()]


def unlike_first(trains: measures.Trains) -> int:
    """Number of trials that differ from the first."""
    each = np.split(trains.times, trains.offsets[1:-1])
    return sum(not np.array_equal(each[0], other) for other in each[1:])


def _constant(points: pd.DataFrame, trains: list[measures.Trains], config: Config) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    neuron = lif_parameters(config)
    for sigma in config.sigmas:
        if sigma == 0:
            continue
        chosen = np.flatnonzero((points.fluctuation == 0) & (points.sigma == sigma))
        each = [part for k in chosen for part in np.split(trains[k].times, trains[k].offsets[1:-1])]
        base = {"part": "constant", "source": "LIF", "fluctuation": 0.0, "sigma": sigma}
        factor = 2.0 if config.sabotage == "theory of another sigma" else 1.0
        mu, noise = config.mean * mV, factor * sigma * mV
        exact = float(theory.siegert_cv(mu, noise, **neuron))
        sd = exact / float(theory.siegert_rate(mu, noise, **neuron))
        value, se = interval_cv(each, config.seconds - MARGIN)
        rows.append({**base, "quantity": "CV", "value": value, "se": se, "exact": exact})
        for n in config.spikes:
            if min(len(times) for times in each) < n:
                continue
            spread, se = spread_of(np.array([times[n - 1] for times in each]))
            exactly = sd * np.sqrt(n)
            rows.append({**base, "quantity": "spread", "x": n, "value": spread, "se": se, "exact": exactly})
    return rows


def interval_cv(trials: list[np.ndarray], before: float) -> tuple[float, float]:
    """CV of the intervals that start before a time (s), from the first spike on, with its jackknife error over trials.

    Selection by start time is unbiased, since trials continue for longer than any interval.
    """
    sums = np.empty((len(trials), 3))
    for k, times in enumerate(trials):
        interval = np.diff(times)[times[:-1] < before]
        sums[k] = interval.size, interval.sum(), (interval**2).sum()
    total = sums.sum(axis=0)
    left_out = _cv_of(total - sums)
    n = len(trials)
    return float(_cv_of(total)), float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()))


def spread_of(values: np.ndarray) -> tuple[float, float]:
    """Standard deviation and its standard error from the fourth moment, since intervals are skewed."""
    sd = float(np.std(values, ddof=1))
    fourth = float(np.mean((values - values.mean()) ** 4))
    return sd, float(np.sqrt(max(fourth - sd**4, 0.0) / values.size) / (2 * sd))


def _cv_of(sums: np.ndarray) -> np.ndarray:
    n, first, second_moment = np.moveaxis(sums, -1, 0)
    return np.asarray(np.sqrt(np.maximum(second_moment * n / first**2 - 1, 0.0)))


def _raster(points: pd.DataFrame, trains: list[measures.Trains], config: Config) -> list[dict[str, Any]]:
    """Rows of spikes of the first seed at the middle sigma, without and with the strongest fluctuation."""
    noisy = [s for s in config.sigmas if s > 0]
    sigma, rows = noisy[len(noisy) // 2], []
    for fluctuation in (min(config.fluctuations), max(config.fluctuations)):
        k = int(np.flatnonzero((points.fluctuation == fluctuation) & (points.sigma == sigma))[0])
        shown = (trains[k].times < 0.8) & (trains[k].trial < 20)
        base = {"part": "raster", "source": "LIF", "fluctuation": fluctuation, "sigma": sigma, "seed": 0}
        rows += [
            {**base, "quantity": "spike", "x": trial, "value": t}
            for t, trial in zip(trains[k].times[shown], trains[k].trial[shown], strict=True)
        ]
    return rows
