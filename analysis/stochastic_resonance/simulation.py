"""Simulations and measurements of the study `stochastic_resonance`."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq
from brian2 import mV, second
from scipy import optimize, stats

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory

from ..harness import Progress, quiet
from ..shared.simulations import recorded, simulated
from .config import Config

COLUMNS = ["part", "kind", "signal", "units", "sigma", "replicate", "value", "se", "exact", "panzeri treves"]


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """One row per simulated estimate ("simulated": part, signal, units, sigma, replicate; bits, standard error, exact value), per
    point of the exact curves ("curve"), and per maximum of a curve ("best")."""
    progress("one unit")
    rows = unit(config)
    progress("LIF")
    rows += lif(config)
    progress("pools")
    rows += pools(config)
    return pd.DataFrame(rows, columns=COLUMNS)


STEP = 1e-4  # s, of the NSNN units; has no effect on results
CELL = {"tau_m": 20e-3 * second, "v_reset": 0 * mV, "tau_refrac": 0 * second}
V_THRESH = 20 * mV


def _row(part: str, kind: str, signal: str, units: int, sigma: float, exact: float) -> dict[str, Any]:
    return {"part": part, "kind": kind, "signal": signal, "units": units, "sigma": sigma, "exact": exact}


def _bits(
    s: np.ndarray, r: np.ndarray, rng: np.random.Generator, config: Config, bias: str = "panzeri-treves"
) -> dict[str, float]:
    """Estimate and standard error, with shuffled labels under the sabotage; and the Panzeri-Treves estimate."""
    labels = rng.permutation(s) if config.sabotage == "labels shuffled" else s
    estimate, other = (
        measures.mutual_information(labels, r, bias=b, n_shuffle=0) for b in (bias, "panzeri-treves")
    )
    return {"value": estimate.value, "se": estimate.se, "panzeri treves": other.value}


def _best(information: Callable[[float], float], low: float, high: float) -> tuple[float, float]:
    """Location and value of the maximum of a function of the noise, searched in log noise."""
    result = optimize.minimize_scalar(
        lambda x: -information(float(np.exp(x))),
        bounds=(np.log(low), np.log(high)),
        method="bounded",
        options={"xatol": 1e-5},
    )
    return float(np.exp(result.x)), float(-result.fun)


def _threshold_units(
    config: Config, sigma: np.ndarray, signal: np.ndarray, theta: float = 1.0, **options: Any
) -> neo.Block:
    """Units without memory under one signal, a step for each value, with private noise of these levels."""
    noise = None if config.sabotage == "noise off" else nsnn.EscapeNoise(nsnn.Gaussian(sigma))
    stimulus = recorded(signal[:, None], STEP, pq.dimensionless)
    time = {"seconds": signal.size * STEP, "dt": STEP}
    return simulated(
        nsnn.NSNNNeuron(beta=0.0, theta=theta), noise, stimulus, n_neurons=sigma.size, **time, **options
    )


def presentation_order(values: np.ndarray, times: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Random order of presentations in a trial, equally many of each value, and the number of trials."""
    each = max(k for k in range(1, 1 + 640 // values.size) if times % k == 0)
    return rng.permutation(np.repeat(np.arange(values.size), each)), times // each


def _signals(config: Config, weak: Any, strong: Any) -> dict[str, tuple[Any, Any]]:
    """Signal name -> (presented values, values of the exact calculation)."""
    spoilt = config.sabotage == "suprathreshold signal"
    return {"subthreshold": (strong if spoilt else weak, weak), "suprathreshold": (strong, strong)}


def unit(config: Config) -> list[dict[str, Any]]:
    """Rows of the single unit: simulations, exact curves, exact maximum."""
    rng, rows = np.random.default_rng([config.seed, 1]), []
    sigma, replicate = np.meshgrid(config.sigmas, np.arange(config.replicates), indexing="ij")
    for name, (shown, meant) in _signals(config, config.subthreshold, config.straddling).items():
        order, trials = presentation_order(np.array(shown), config.presentations // 2, rng)
        block = _threshold_units(
            config, sigma.ravel(), np.array(shown)[order], trials=trials, seed=config.seed
        )
        spikes = measures.words(block, bin_width=STEP * pq.s)
        s = np.tile(order, trials)
        for j, (level, k) in enumerate(zip(sigma.ravel(), replicate.ravel(), strict=True)):
            exact = theory.threshold_information(meant, nsnn.Gaussian(level))
            bits = _bits(s, spikes[:, j].ravel(), rng, config)
            rows.append(_row("unit", "simulated", name, 1, level, exact) | {"replicate": k} | bits)
    return rows + _unit_curves(config)


def _curve(part: str, name: str, units: int, sigmas: Any, bits: Any) -> list[dict[str, Any]]:
    return [_row(part, "curve", name, units, s, float(b)) for s, b in zip(sigmas, bits, strict=True)]


def _unit_curves(config: Config) -> list[dict[str, Any]]:
    sigmas, rows = np.geomspace(config.sigmas[0], config.sigmas[-1], 60), []
    for name, (_, u) in _signals(config, config.subthreshold, config.straddling).items():
        bits = [theory.threshold_information(u, nsnn.Gaussian(s)) for s in sigmas]
        rows += _curve("unit", name, 1, sigmas, bits)
    at, most = _best(lambda s: theory.threshold_information(config.subthreshold, nsnn.Gaussian(s)), 0.05, 2.0)
    return [*rows, _row("unit", "best", "subthreshold", 1, at, most)]


def count_information(drives: Any, sigmas: Any, window: float) -> np.ndarray:
    """Exact information (bits, (n_sigmas,)) of the spike count in a window from reset about the drive (mV)."""
    law = theory.fp_counts(
        window * second,
        theory.lif_drift(np.asarray(drives)[:, None] * mV),
        np.atleast_1d(sigmas) * mV,
        kmax=80,
        v_spike=V_THRESH,
        terms=100,
        **CELL,
    )
    return theory.channel_information(np.moveaxis(law, 1, 0))


def lif(config: Config) -> list[dict[str, Any]]:
    """Rows of the LIF neuron: simulations, exact curves, exact maximum."""
    rng, rows = np.random.default_rng([config.seed, 2]), []
    signals = _signals(config, config.weak, config.strong)
    drives = np.array([shown for shown, _ in signals.values()])
    axes = (np.arange(2), np.arange(2), config.lif_sigmas, np.arange(config.replicates))
    which, drive, sigma, _ = (a.ravel() for a in np.meshgrid(*axes, indexing="ij"))
    noise = None if config.sabotage == "noise off" else nsnn.WhiteNoise(sigma * mV)
    stimulus = nsnn.Constant(drives[which.astype(int), drive.astype(int)] * mV)
    neuron = nsnn.LIF(v_rest=CELL["v_reset"], v_thresh=V_THRESH, **CELL)
    options = {"n_neurons": sigma.size, "trials": config.trials, "seed": config.seed}
    block = simulated(neuron, noise, stimulus, seconds=config.window, dt=config.dt, **options)
    counts = measures.spike_counts(block).reshape(config.trials, *(len(axis) for axis in axes))
    s = np.repeat([0, 1], config.trials)
    for i, (name, (_, meant)) in enumerate(signals.items()):
        exact = count_information(meant, config.lif_sigmas, config.window)
        for (j, level), k in itertools.product(enumerate(config.lif_sigmas), range(config.replicates)):
            bits = _bits(s, counts[:, i, :, j, k].T.ravel(), rng, config)
            rows.append(_row("LIF", "simulated", name, 1, level, exact[j]) | {"replicate": k} | bits)
    return rows + _lif_curves(config)


def _lif_curves(config: Config) -> list[dict[str, Any]]:
    sigmas, rows = np.geomspace(config.lif_sigmas[0], config.lif_sigmas[-1], 24), []
    for name, (_, drives) in _signals(config, config.weak, config.strong).items():
        rows += _curve("LIF", name, 1, sigmas, count_information(drives, sigmas, config.window))
    at = sigmas[[0, -1]]
    for _ in range(3):  # refine the grid around the maximum; one call per grid
        grid = np.geomspace(at[0], at[-1], 13)
        bits = count_information(config.weak, grid, config.window)
        at = grid[np.clip(bits.argmax() + np.array([-1, 1]), 0, grid.size - 1)]
    return [*rows, _row("LIF", "best", "subthreshold", 1, grid[bits.argmax()], bits.max())]


def pools(config: Config) -> list[dict[str, Any]]:
    """Rows of the pools: simulations, exact curves, exact maxima."""
    rng, rows = np.random.default_rng([config.seed, 3]), []
    x = stats.norm.ppf((np.arange(config.levels) + 0.5) / config.levels)
    most, ratios = max(config.pools), np.array(config.ratios)
    exact = {
        (k, r): theory.threshold_information(x, nsnn.Gaussian(r), theta=0.0, n_units=k)
        for k in config.pools
        for r in config.ratios
    }
    for replicate in range(config.replicates):
        order, trials = presentation_order(x, config.shown, rng)
        options = {"trials": trials, "seed": config.seed + replicate}
        block = _threshold_units(config, np.repeat(ratios, most), x[order], theta=0.0, **options)
        spikes = measures.as_trains(block)
        point, unit = np.divmod(spikes.neuron, most)
        cell = (point * trials + spikes.trial) * order.size + np.rint(spikes.times / STEP).astype(int)
        s = np.tile(order, trials)
        for k in config.pools:
            counts = np.bincount(cell[unit < k], minlength=ratios.size * s.size).reshape(ratios.size, -1)
            for r, count in zip(config.ratios, counts, strict=True):
                bits = _bits(s, count, rng, config, "grassberger")
                row = _row("pool", "simulated", "Gaussian", k, r, exact[k, r])
                rows.append(row | {"replicate": replicate} | bits)
    return rows + _pool_curves(config)


def _pool_curves(config: Config) -> list[dict[str, Any]]:
    ratios, rows = np.geomspace(config.ratios[0], config.ratios[-1], 30), []

    def bits(r: float, k: int) -> float:
        return theory.suprathreshold_information(nsnn.Gaussian(r), n_units=k)

    for k in config.pools:
        rows += _curve("pool", "Gaussian", k, ratios, [bits(r, k) for r in ratios])
    rows += _curve("pool", "equal SDs", 1, [1.0], [bits(1.0, 1)])
    for k in sorted({2, 4, 16, 32, 128, *config.pools} - {1}):
        at, most = _best(functools.partial(bits, k=k), 0.02, 1.5)
        rows.append(_row("pool", "best", "Gaussian", k, at, most))
    return rows
