"""The run of the study `grasshopper`. Brian2 is imported only by the processes of its parts: they start half a second earlier."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from ..harness import part
from ..shared.processes import in_processes
from .config import Config

COLUMNS = ["recording", "model", "quantity", "x", "value", "sd", "unit"]


def run(
    config: Config, out: Path | None = None, progress: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """Calibrate on the first halves, simulate the second halves, and apply the same measures to cell and models.

    Each recording is a part with a process of its own, as far as there are cores.

    Returns a tidy table: recording, model ("recorded", "noisy", "without noise", "refitted without noise", "LIF", "GLM", or "noisy
    x 0.5" for the noisy model with half its noise), quantity, x, value, sd (of single trials; standard error of parameters and
    of bits per spike), unit.
    """
    parts = in_processes(_recording, (config, out), config.recordings, progress=progress)
    return pd.DataFrame([row for rows in parts for row in rows], columns=COLUMNS)


def _recording(shared: tuple[Config, Path | None], which: int) -> list[dict[str, Any]]:
    config, out = shared

    def rows() -> list[dict[str, Any]]:
        from .simulation import recording_rows

        return recording_rows(which, config, out)

    return part(out, f"recording {which}", rows)
