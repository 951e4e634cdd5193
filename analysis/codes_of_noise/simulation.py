"""Run of the study `codes_of_noise`: all parts, seed by seed."""

from __future__ import annotations

import functools
from pathlib import Path

import pandas as pd

from ..harness import Progress, part, quiet
from . import choice, pairs, recorded, timing
from .config import COLUMNS, Config

PARTS = {
    "rate and timing": timing.rows,
    "private noise": pairs.private,
    "shared noise": pairs.shared,
    "gains": pairs.gains,
    "choice": choice.rows,
}


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """One row per number, columns `COLUMNS`: part, group (seed, cell or pair), condition, kind of noise, level, quantity, value
    (bits, unless the quantity says otherwise), its standard error, mean of the null, p and warning."""
    rows = []
    for seed in range(config.seeds):
        for name, make in PARTS.items():
            progress(f"seed {seed + 1} of {config.seeds}: {name}")
            rows += part(out, f"{name} {seed}", functools.partial(make, config, seed))
    rows += recorded.rows(config, out, progress)
    return pd.DataFrame(rows, columns=COLUMNS)
