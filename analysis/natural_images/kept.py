"""Kept tables of the study: whether each image was right, for each seed, learning rate and arm, so that a run can be spread out.

A block is a seed and a learning rate. Its table is written when all its arms are measured, to `tables` in the folder of the run. A
file that is copied to `kept` in this folder counts in every later run, and `--from-table` gives verdicts from these files alone.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import itertools
import json
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nsnn_neuro import FormatError, NsnnError, provenance

from ..shared import kept_tables
from .config import Config

FOLDER = Path(__file__).with_name("kept")
_NOT_OF_A_BLOCK = ("seed", "seeds", "rates", "jobs")


def packed(right: Any) -> str:
    """Of each image whether it was right, as text.

    >>> unpacked(packed([True, False, True]), 3).tolist()
    [True, False, True]
    """
    return base64.b64encode(np.packbits(np.asarray(right, dtype=bool))).decode()


def unpacked(text: str, images: int) -> np.ndarray:
    """The inverse of `packed`."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), count=images).astype(bool)


def identity(config: Config) -> str:
    """A short hash of what a block depends on: the configuration without seeds, rates and number of processes."""
    values = {k: v for k, v in dataclasses.asdict(config).items() if k not in _NOT_OF_A_BLOCK}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]


def _name(config: Config, rate: float, seed: int) -> str:
    return f"{identity(config)}-{rate:g}-{seed}.csv.xz"


def write(table: pd.DataFrame, config: Config, rate: float, seed: int, out: Path) -> Path:
    """Write the table of a block, with its code and date."""
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    head = {"revision": provenance()["git_revision"], "finished": finished}
    text = table.to_csv(index=False, float_format="%.7g")
    return kept_tables.write(text, head, out / "tables" / _name(config, rate, seed))


def read(config: Config, rate: float, seed: int, out: Path | None = None) -> pd.DataFrame | None:
    """The kept table of a block, from the folder of a run or of this package; None if there is none.

    Raises
    ------
    FormatError : a file that is no such table
    """
    for folder in (FOLDER, *([] if out is None else [out / "tables"])):
        path = folder / _name(config, rate, seed)
        if path.is_file():
            table, _ = kept_tables.read(path)
            of_block = {"seed", "rate"} <= set(table) and set(table.seed) == {seed}
            if not of_block or not np.allclose(table.rate, rate):
                raise FormatError(
                    f"{path}: no kept table (rows of another run): delete it, it is computed again"
                )
            return table.fillna({"source": "", "loss": "", "right": ""})
    return None


def read_all(config: Config) -> pd.DataFrame:
    """The kept tables of a configuration, without a run; a warning says how many blocks are there, if some are absent.

    Raises
    ------
    NsnnError : none is there
    """
    blocks = [read(config, rate, seed) for seed, rate in itertools.product(config.all_seeds(), config.rates)]
    there = [table for table in blocks if table is not None]
    if not there:
        raise NsnnError(
            f"natural_images: no kept table of this configuration in {FOLDER} (names begin with {identity(config)}): run the "
            "study, and copy the files of `tables` in its folder of results there"
        )
    if len(there) < len(blocks):
        text = f"natural_images: {len(there)} of {len(blocks)} blocks are kept: the run is not complete, so these are no verdicts"
        warnings.warn(text, stacklevel=2)
    return pd.concat(there, ignore_index=True)
