"""Run of the study `recorded_codes`: from the recording to the table."""

from __future__ import annotations

import functools
from pathlib import Path

import neo
import pandas as pd

from nsnn_neuro import datasets

from ..harness import Progress, part, quiet
from ..shared import recordings
from . import cells, population
from .config import COLUMNS, SET, Config


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """Rows of single cells, of noise correlations and of decoders; see `COLUMNS`."""
    place = recordings.required(SET, "recorded_codes")
    return tabulated(datasets.salamander_retina(place).images, config, out, progress)


def tabulated(
    block: neo.Block, config: Config, out: Path | None = None, progress: Progress = quiet
) -> pd.DataFrame:
    """The table of a Block whose segments have the annotations label and repeat."""
    data = cells.responses(block, config)
    rows = []
    for name, make in (
        ("information in single cells", cells.information_rows),
        ("gain of words over counts", cells.gain_rows),
        ("noise correlations", cells.correlation_rows),
    ):
        progress(name)
        rows += part(out, name, functools.partial(make, data, config))
    rows += cells.variability_rows(data)
    for arm in population.ARMS:
        progress(f"decoder: {arm}")
        rows += part(out, f"decoder {arm}", functools.partial(population.decoder_rows, arm, data, config))
    for arm in (population.COUNTS, population.SHUFFLED):
        progress(f"decoder, {population.LARGE}: {arm}")
        make = functools.partial(population.decoder_rows, arm, data, config, large=True)
        rows += part(out, f"decoder {population.LARGE} {arm}", make)
    return pd.DataFrame(rows, columns=COLUMNS)
