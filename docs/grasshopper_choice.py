"""How the structure of the main model was chosen, within the first halves alone: `python -m docs.grasshopper_choice`.

Each candidate is calibrated on the first 3.5 s of a recording and judged by the bits per spike of the 1.5 s that follow. The study
itself takes the candidate that was chosen, which saves its user some minutes.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brian2 import second
from threadpoolctl import threadpool_limits

from analysis.grasshopper.config import Bounds, Config
from analysis.grasshopper.neuron import calibrated
from analysis.grasshopper.sound import load_half

FIRST = 3.5
"""s, of a first half: what candidates are calibrated on"""
KEPT = Path(__file__).with_name("grasshopper_choice.json")


def candidates(config: Config) -> dict[str, tuple[Config, str]]:
    """Configuration and kind of noise of each candidate."""
    tired = {
        "b_thresh": (0.0,) * 3,
        "b_fatigue": (0.0,) * 3,
        "v_reset": (-40.0,) * 3,
        "tau_m": (0.5e-3, 5e-3, 1.5e-3),
    }
    rested = dataclasses.replace(config, bounds=_with(config.bounds, tired))
    steady = dataclasses.replace(config, bounds=_with(config.bounds, {"b_fatigue": (0.0,) * 3}))
    return {
        "level of the amplitude, refractoriness by the reset": (dataclasses.replace(rested, integration=0.0), "escape"),
        "energy averaged, refractoriness by the reset": (rested, "escape"),
        "level of the amplitude, growing refractoriness": (dataclasses.replace(config, integration=0.0), "escape"),
        "energy averaged, threshold that jumps": (steady, "escape"),
        "energy averaged, growing refractoriness": (config, "escape"),
        "energy averaged, growing refractoriness, diffusive noise": (config, "diffusion"),
    }  # fmt: skip


def _with(bounds: Bounds, changes: Mapping[str, tuple[float, float, float]]) -> Bounds:
    return tuple((name, *changes.get(name, (low, high, at))) for name, low, high, at in bounds)


def scores(config: Config, which: int) -> list[dict[str, Any]]:
    """A row per candidate: bits per spike of the end of the first half, and its standard error."""
    rows = []
    for name, (own, noise) in candidates(config).items():
        half = load_half(which, own, second_half=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bounds and ridges, which poor candidates have
            fit = calibrated(half, own.bounds, own, noise, t_stop=FIRST)
        score = fit.score(half.block, t_start=FIRST * second)
        row = {"recording": which, "candidate": name, "parameters": len(fit.parameters)}
        rows.append(row | {"bits per spike": round(float(score), 3), "se": round(float(score.se), 3)})
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    with threadpool_limits(1, user_api="blas"):
        table = [row for which in Config().recordings for row in scores(Config(), which)]
    KEPT.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
