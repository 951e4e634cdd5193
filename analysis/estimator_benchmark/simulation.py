"""Simulations and measurements of the study `estimator_benchmark`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nsnn_neuro import measures

from ..harness import Progress, quiet
from .channels import Channel, channels
from .config import Config

FEWEST = {"ksg": 300, "gaussian-copula": 100}  # samples, of the Gaussian channel, as their docstrings say
ROUNDING = 1e-9


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """One row per channel, size and estimator: true value, mean, SD and mean standard error over repeats, coverage, regime."""
    rows = []
    for number, channel in enumerate(channels(config)):
        rows += rows_of_channel(channel, number, config, progress)
    return pd.DataFrame(rows)


def rows_of_channel(
    channel: Channel, number: int, config: Config, progress: Progress
) -> list[dict[str, Any]]:
    """Rows of all estimators on one channel, at each of its sizes."""
    rows = []
    for size in channel.sizes:
        progress(f"{channel.name}: {size} trials, {config.repeats} repeats")
        by_estimator: dict[str, list[measures.Estimate]] = {}
        for repeat in range(config.repeats):
            rng = np.random.default_rng([config.seed, number, size, repeat])
            for name, estimate in channel.estimate(size, rng):
                by_estimator.setdefault(name, []).append(estimate)
        rows += [_row(channel, size, name, estimates) for name, estimates in by_estimator.items()]
    return rows


def _row(channel: Channel, size: int, name: str, estimates: list[measures.Estimate]) -> dict[str, Any]:
    value = np.array([e.value for e in estimates])
    low, high = (
        np.array([e.value + k * e.se if end is None else end for e, end in ends])
        for k, ends in ((-2, [(e, e.lower) for e in estimates]), (2, [(e, e.upper) for e in estimates]))
    )
    known = np.isfinite(low)
    held = (low[known] <= channel.truth + ROUNDING) & (channel.truth - ROUNDING <= high[known])
    finite = value[np.isfinite(value)]
    return {
        "channel": channel.name,
        "estimator": name,
        "trials": size,
        "per response": size / channel.alphabet,
        "truth": channel.truth,
        "mean": finite.mean() if finite.size else math.nan,
        "sd": finite.std(ddof=1) if finite.size > 1 else math.nan,
        "se": (high[known] - low[known]).mean() / 4 if known.any() else math.nan,
        "lower": low[known].mean() if known.any() else math.nan,
        "upper": high[known].mean() if known.any() else math.nan,
        "coverage": float(held.mean()) if known.any() else 1.0,
        "without value": float(np.mean(np.isnan(value))),
        "warned": float(np.mean([e.warning is not None for e in estimates])),
        "in regime": _in_regime(channel.name, name, size, estimates),
        "repeats": len(estimates),
    }


def _in_regime(channel: str, name: str, size: int, estimates: list[measures.Estimate]) -> bool:
    if name in FEWEST:
        return channel == "Gaussian" and size >= FEWEST[name]
    if name == "auto":
        return True  # states its uncertainty in every regime
    supposed = name != "chao-shen" or channel != "uniform"
    return supposed and not any(e.warning for e in estimates)
