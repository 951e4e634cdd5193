"""Simulations and measurements of the study `fit_recordings`."""

from __future__ import annotations

import functools
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from nsnn_neuro import measures

from ..harness import Progress, part, quiet
from .calibrated import calibrated
from .config import COLUMNS, Config
from .data_sets import Recording, recordings
from .fits import fitted
from .scoring import across, raster, scores, spike_measures


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
