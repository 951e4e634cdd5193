"""A recording of the study `grasshopper`: calibration on its first half, simulation and measurement of its second one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pandas as pd
from brian2 import second

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import NeuronFit

from ..harness import replacing
from ..shared.processes import report
from .calibration import log_likelihood, simulate, without_noise
from .config import MODELS, REFITTED, RIVALS, Config
from .measuring import SEGMENT, excerpt, likelihood_rows, measured, parameter_rows, row_of, sweep_rows
from .neuron import calibrated, glm, glm_log_likelihoods, glm_trials, log_likelihoods, numbers
from .sound import Half, load_half

COPIES = 5
"""of the one trial of a deterministic model, for measures that need several"""


def recording_rows(which: int, config: Config, out: Path | None) -> list[dict[str, Any]]:
    """All rows of a recording."""

    def tell(what: str) -> None:
        report(
            f"recording {which} ({config.recordings.index(which) + 1} of {len(config.recordings)}): {what}"
        )

    models, poisson = calibrate(load_half(which, config, second_half=False), which, config, tell)
    half = load_half(which, config, second_half=True)
    rows = parameter_rows(models)
    variants = _variants(models, config)
    for noisy in (True, False):
        own = variants[variants["noise"] == noisy].reset_index(drop=True)
        trials = config.trials if noisy else 1
        levels = f"{trials} trials of the LIF, and of the neuron at {len(own) - 1} levels of noise"
        tell(f"simulating the second half: {levels if noisy else 'a trial of each model without noise'}")
        block = simulate(own, half, noisy, trials, config.dt, config.seed + 1)
        if out is not None and noisy:
            block.annotate(
                variants=own.drop(columns=[c for c in own if c.startswith("se ")]).to_dict("records")
            )
            with replacing(out / f"recording{which}.nwb") as path:
                nsnn.save(block, path)
        scores = log_likelihood(block, half, config, SEGMENT)
        for j, variant in enumerate(own.to_dict("records")):
            copies = 1 if noisy else min(config.trials, COPIES)
            trains = repeats(block, j, copies)
            rows += _model_rows(trains, scores[j], half, which, variant["model"], config)
            if variant["sweep"]:
                rows += sweep_rows(trains, half, which, variant["factor"], config)
    tell("measuring")
    recorded = nsnn.to_block([[half.spikes]], t_stop=half.duration * second)
    rows += measured(recorded, half, which, "recorded", config)
    rows += excerpt(recorded, which, "recorded")
    made = glm_trials(poisson, half, config.trials, config.seed + 1)
    score = log_likelihood(made, half, config, SEGMENT)[0]
    rows += _model_rows(repeats(made, 0), score, half, which, "GLM", config)
    return rows + likelihood_rows(_logs(models, poisson, half, config), half, which, config)


def calibrate(
    half: Half, which: int, config: Config, tell: Callable[[str], None]
) -> tuple[pd.DataFrame, NeuronFit]:
    """Fit all models to a first half: a table with a row per model, and the GLM."""
    tell("calibrating the neuron by likelihood")
    noisy = numbers(calibrated(half, config.bounds, config), config.bounds)
    tell("calibrating the LIF")
    plain = numbers(calibrated(half, config.lif_bounds, config), config.lif_bounds)
    tell("fitting the GLM")
    poisson = glm(half, config)
    tell("calibrating the neuron without noise")
    values = {name: value for name, value in noisy.items() if not name.startswith("se ")}
    refitted = without_noise(half, values, REFITTED[which], config)
    own = {"noisy": noisy, "without noise": values, "refitted without noise": refitted, "LIF": plain}
    rows = [{**row, "recording": which, "model": name} for name, row in own.items()]
    return pd.DataFrame(rows), poisson


def _variants(frozen: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Models of the second half, and the noisy model at multiples `factor` of its noise; `sweep`: whether it is one of them."""
    rows = []
    for row in frozen.to_dict("records"):
        name = row["model"]
        off = name in MODELS[1:] or (config.sabotage == "noise off" and name == "noisy")
        rows.append({**row, "noise": not off, "factor": 1.0, "sweep": name in ("noisy", "without noise")})
        if name == "without noise":
            rows[-1]["factor"] = 0.0
        if name == "noisy":
            rows += [
                {**row, "model": f"noisy x {f:g}", "noise": True, "factor": f, "sweep": True}
                for f in config.factors
                if f not in (0.0, 1.0)
            ]
    return pd.DataFrame(rows)


def _logs(models: pd.DataFrame, glm: NeuronFit, half: Half, config: Config) -> dict[str, np.ndarray]:
    """Log-likelihood of each bin of the second half under the noisy models; the others give most bins the probability 0 or 1."""
    by_model = {row["model"]: row for row in models.to_dict("records")}
    logs = {name: log_likelihoods(by_model[name], half, config) for name in ("noisy", "LIF")}
    if config.sabotage == "noise off":
        logs["noisy"] = np.full_like(logs["noisy"], np.nan)
    return {**logs, "GLM": glm_log_likelihoods(glm, half, config)}


def _model_rows(
    trials: neo.Block, score: np.ndarray, half: Half, which: int, model: str, config: Config
) -> list[dict[str, Any]]:
    """Rows of one model; only of those that are compared, not of the sweep."""
    if model not in (*MODELS, *RIVALS):
        return []
    rows = measured(trials, half, which, model, config)
    rows += excerpt(trials, which, model)
    rows.append({**row_of(which, model, "kernel likelihood", np.nan, score, "nats/spike"), "sd": np.nan})
    return rows + [
        row_of(which, model, "kernel likelihood, by segment", SEGMENT * k, value, "nats/spike")
        for k, value in enumerate(score)
    ]


def repeats(block: neo.Block, neuron: int, copies: int = 1) -> neo.Block:
    """Trials of one neuron as a Block of one trial with as many neurons, so that measures return one value per trial.

    copies : of each trial; those of a deterministic neuron are identical
    """
    trials = []
    for segment in block.segments:
        ids, times = segment.spiketrains.multiplexed
        trials += [np.asarray(times.magnitude)[ids == neuron]] * copies
    return nsnn.to_block([trials], t_stop=block.segments[0].spiketrains.t_stop)
