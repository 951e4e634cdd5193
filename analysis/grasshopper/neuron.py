"""The main model, an adaptive neuron with escape noise, its calibration by likelihood, and the spike probabilities of all models.

Voltages are relative to the noise: the hazard grows e-fold in 1 mV, and is 1 kHz at the threshold, 0 mV.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import neo
import numpy as np
from brian2 import Hz, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import (
    Calibration,
    NeuronFit,
    Poisson,
    RaisedCosines,
    cross_validate,
    spike_probability,
)

from .config import Bounds, Config
from .sound import Half

UNITS: dict[str, Any] = {
    "tau_m": second, "tau_refrac": second, "v_reset": mV, "tau_w": second, "b": mV, "gain": mV, "offset": mV,
    "middle": 1, "width": 1, "adaptation": 1, "tau_adaptation": second, "delay": second,
}  # fmt: skip
_OF_CELL = ("tau_m", "tau_refrac", "v_reset", "tau_w", "b")
_HAZARD, _WIDTH = 1000 * Hz, 1 * mV


def cell(values: Mapping[str, Any], w_start: Any = 0.0) -> nsnn.GIF:
    """The neuron with these parameters, numbers or arrays: a leaky membrane, and a slow current -w that grows at each spike."""
    own = {name: np.asarray(values[name]) * UNITS[name] for name in _OF_CELL}
    return nsnn.GIF(
        **own, v_rest=0 * mV, v_thresh=0 * mV, w_start=np.asarray(w_start) * mV, tau_thresh=1 * second, b_thresh=0 * mV
    )  # fmt: skip


def escape(width: Any = 1.0) -> nsnn.EscapeNoise:
    """The noise, its width in multiples of the calibrated one."""
    return nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(_HAZARD, np.asarray(width) * _WIDTH))


def drive(values: Mapping[str, float], half: Half) -> nsnn.Stimulus:
    """The drive of a model from the start of the recording; that of the LIF, which has no middle, is linear in the level."""
    names = ("gain", "offset", "delay")
    own = {name: float(values[name]) * UNITS[name] for name in names}
    if "middle" not in values or np.isnan(values["middle"]):
        return nsnn.Filtered(half.signal, **own)
    more = ("middle", "width", "adaptation", "tau_adaptation")
    return nsnn.Transduced(half.signal, **own, **{name: float(values[name]) * UNITS[name] for name in more})


def adapted(values: Mapping[str, float], half: Half) -> float:
    """The slow current w (mV) at the start of a half, after the spikes that were recorded before."""
    return float(values["b"] * np.exp((half.earlier - half.start) / values["tau_w"]).sum())


def calibrated(half: Half, bounds: Bounds, config: Config) -> Calibration:
    """Maximise the likelihood of the spikes of the first half."""
    start = {name: at for name, _, _, at in bounds}
    free = {
        name if name in _OF_CELL else f"stimulus.{name}": (low * UNITS[name], high * UNITS[name])
        for name, low, high, _ in bounds
        if low < high
    }
    return nsnn.calibrate(
        cell(start), free, noise=escape(), stimulus=drive(start, half),
        trains=half.block, t_stop=half.duration * second, dt=config.bin_width * second, seed=config.seed, progress=False,
    )  # fmt: skip


def numbers(fit: Calibration, bounds: Bounds) -> dict[str, float]:
    """The parameters in s and mV, and their errors as "se NAME"."""
    out: dict[str, float] = {}
    for name, _, _, at in bounds:
        long = name if name in _OF_CELL else f"stimulus.{name}"
        size = 1e3 if UNITS[name] is mV else 1.0
        out[name] = size * fit.parameters[long] if long in fit.parameters else at
        out[f"se {name}"] = size * fit.se.get(long, np.nan)
    return out


def glm(half: Half, config: Config) -> NeuronFit:
    """A Poisson GLM with history, its bases and ridge chosen by cross-validation within the first half."""
    ms = second / 1e3
    candidates = [
        {
            "stimulus": RaisedCosines(n, last * ms),
            "history": RaisedCosines(m, past * ms, offset=offset * ms),
            "ridge": ridge,
        }
        for n, last in config.sound
        for m, past, offset in config.past
        for ridge in config.ridges
    ]
    options = {"dt": config.bin_width * second, "n_folds": config.n_folds, "family": Poisson()}
    return cross_validate(half.block, half.signal, candidates, **options).fit


def glm_trials(fit: NeuronFit, half: Half, trials: int, seed: int) -> neo.Block:
    """Simulated trials of a half, each run from the start of the recording."""
    trains = []
    for segment in fit.simulate(half.signal, trials=trials, seed=seed).segments:
        times = np.asarray(segment.spiketrains[0].rescale("s").magnitude) - half.start
        trains.append([times[times >= 0]])
    return nsnn.to_block(trains, t_stop=half.duration * second)


def bins(half: Half, config: Config) -> np.ndarray:
    """Spikes in each bin of a half, (n_bins,)."""
    n = round(half.duration / config.bin_width)
    return np.bincount(((half.spikes + 1e-9) / config.bin_width).astype(int), minlength=n)[:n]


def log_likelihoods(values: Mapping[str, float], half: Half, config: Config) -> np.ndarray:
    """Log-likelihood (nats) of each bin of a half under a neuron, given the spikes before it, (n_bins,)."""
    q = spike_probability(
        cell(values), half.block, noise=escape(), stimulus=drive(values, half),
        dt=config.bin_width * second, t_start=half.start * second,
    )  # fmt: skip
    return np.where(
        bins(half, config) > 0, np.log(np.maximum(q, 1e-300)), np.log1p(-np.minimum(q, 1 - 1e-12))
    )


def glm_log_likelihoods(fit: NeuronFit, half: Half, config: Config) -> np.ndarray:
    """The same of the GLM."""
    data = fit.model.data(half.block, half.signal)
    return fit.model.probability(fit.values, data)[1][round(half.start / config.bin_width) :]
