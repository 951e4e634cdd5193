"""The main model, an adaptive neuron that tires, its calibration by likelihood, and the spike probabilities of all models.

Voltages are relative to the noise: with escape noise the hazard grows e-fold in 1 mV, and is 1 kHz at the threshold, 0 mV; white
noise alone would spread the membrane by 1 mV.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import neo
import numpy as np
from brian2 import Hz, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import parameter
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
    "tau_m": second, "tau_refrac": second, "v_reset": mV, "tau_w": second, "b": mV, "tau_thresh": second, "b_thresh": mV,
    "tau_fatigue": second, "b_fatigue": mV, "gain": mV, "offset": mV, "middle": 1, "width": 1, "adaptation": 1,
    "tau_adaptation": second, "delay": second,
}  # fmt: skip
_OF_CELL = {
    "tau_m": 1e-3, "tau_refrac": 0.5e-3, "v_reset": -5.0, "tau_w": 1.0, "b": 0.0, "tau_thresh": 1.0, "b_thresh": 0.0,
    "tau_fatigue": 1.0, "b_fatigue": 0.0,
}  # fmt: skip
"""with the values of a neuron that does not adapt"""
_HAZARD, _WIDTH = 1000 * Hz, 1 * mV


@dataclasses.dataclass(frozen=True, eq=False)
class Tiring(nsnn.GIF):
    """GIF whose refractoriness grows: its threshold is v_thresh + lift (1 + fatigue / scale), fatigue += b_fatigue at a spike."""

    tau_fatigue: Any = parameter("s", bound="positive")
    b_fatigue: Any = parameter("V")
    scale: Any = parameter("V", bound="positive")
    fatigue_start: Any = parameter("V", default=0 * mV)

    slow: ClassVar[dict[str, tuple[str, str]]] = {**nsnn.GIF.slow, "fatigue": ("tau_fatigue", "0 * fatigue")}
    slow_start: ClassVar[dict[str, str]] = {**nsnn.GIF.slow_start, "fatigue": "fatigue_start"}
    after_spike: ClassVar[str] = nsnn.GIF.after_spike + "\nfatigue += b_fatigue"
    moving: ClassVar[str] = "lift * (1 + fatigue / scale)"


def cell(values: Mapping[str, Any], half: Half | None = None) -> Tiring:
    """The neuron with these parameters, numbers or arrays; with a half, adapted and tired by the spikes recorded before."""
    given = {name: np.asarray(values.get(name, np.nan), dtype=float) for name in _OF_CELL}
    numbers = {name: np.where(np.isnan(given[name]), none, given[name]) for name, none in _OF_CELL.items()}
    own = {name: value * UNITS[name] for name, value in numbers.items()}
    if half is not None:
        ages = half.start - half.earlier
        for start, jump, tau in (("w_start", "b", "tau_w"), ("fatigue_start", "b_fatigue", "tau_fatigue")):
            left = numbers[jump][..., None] * np.exp(-ages / numbers[tau][..., None])
            own[start] = left.sum(axis=-1) * mV
    return Tiring(**own, v_rest=0 * mV, v_thresh=0 * mV, scale=1 * mV)


def escape(width: Any = 1.0) -> nsnn.EscapeNoise:
    """Escape noise, its width in multiples of the calibrated one."""
    return nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(_HAZARD, np.asarray(width) * _WIDTH))


NOISES = {"escape": escape(), "diffusion": nsnn.WhiteNoise(_WIDTH)}


def drive(values: Mapping[str, float], half: Half) -> nsnn.Stimulus:
    """The drive of a model from the start of the recording; that of the LIF, which has no middle, is linear in the level."""
    names = ("gain", "offset", "delay")
    own = {name: float(values[name]) * UNITS[name] for name in names}
    if "middle" not in values or np.isnan(values["middle"]):
        return nsnn.Filtered(half.signal, **own)
    more = ("middle", "width", "adaptation", "tau_adaptation")
    return nsnn.Transduced(half.signal, **own, **{name: float(values[name]) * UNITS[name] for name in more})


def calibrated(
    half: Half, bounds: Bounds, config: Config, noise: str = "escape", t_stop: float | None = None
) -> Calibration:
    """Maximise the likelihood of the spikes of the first half, up to t_stop (s)."""
    start = {name: at for name, _, _, at in bounds}
    free = {
        name if name in _OF_CELL else f"stimulus.{name}": (low * UNITS[name], high * UNITS[name])
        for name, low, high, _ in bounds
        if low < high
    }
    return nsnn.calibrate(
        cell(start), free, noise=NOISES[noise], stimulus=drive(start, half),
        trains=half.block, t_stop=(t_stop or half.duration) * second, dt=config.bin_width * second,
        seed=config.seed, progress=False,
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
