"""Claims of the study `grasshopper` with their verdicts, and its summary tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..harness import Claim
from .config import MODELS


def _value(table: pd.DataFrame, which: int, model: str, quantity: str, x: float | None = None) -> pd.Series:
    rows = table[(table.recording == which) & (table.model == model) & (table.quantity == quantity)]
    if x is not None:
        rows = rows[np.isclose(rows.x, x)]
    return rows.iloc[0]


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims for each recording with their evidence; then the secondary claims."""
    central, secondary = [], []
    for which in sorted(table.recording.unique()):
        for rival in MODELS[1:]:
            text = (
                f"recording {which}: the recorded spikes have a higher likelihood under the noisy model than under "
                f"the {rival} one"
            )
            central.append(_gain(table, which, rival, text, "log-likelihood, by segment", "nats/spike"))
            text = (
                f"recording {which}: the information bound of the noisy model is nearer to that of the cell than "
                f"that of the {rival} model"
            )
            central.append(_nearer(table, which, rival, text, "information bound", "bit/s"))
            text = (
                f"recording {which}: the rate correlation with the cell (5 ms kernel) is higher for the noisy than "
                f"for the {rival} model"
            )
            secondary.append(
                _gain(table, which, rival, text, "rate correlation 5 ms, by segment", "", central=False)
            )
            text = f"recording {which}: the CV of the noisy model is nearer to that of the cell than that of the {rival} model"
            secondary.append(_nearer(table, which, rival, text, "CV", "", central=False))
        cell, noisy = (_value(table, which, m, "rate")["value"] for m in ("recorded", "noisy"))
        secondary.append(
            Claim(
                f"recording {which}: the rate of the noisy model is within 10 % of that of the cell",
                bool(abs(noisy / cell - 1) < 0.1),
                f"cell {cell:.1f} Hz, noisy {noisy:.1f} Hz (the cell adapts during the recording, the model does not)",
                central=False,
            )
        )
    return central + secondary


def _gain(
    table: pd.DataFrame, which: int, rival: str, text: str, quantity: str, unit: str, central: bool = True
) -> Claim:
    """Claim that the value of the noisy model is higher by more than two standard errors over segments."""
    segments = table[(table.recording == which) & (table.quantity == quantity)]
    wide = segments.pivot(index="x", columns="model", values="value")
    gain = wide["noisy"] - wide[rival]
    mean, error = gain.mean(), gain.std(ddof=1) / np.sqrt(len(gain))
    evidence = (
        f"gain {mean:.3f} ± {error:.3f} {unit}".rstrip()
        + f" (standard error over {len(gain)} segments of 0.5 s)"
    )
    return Claim(f"{text} (by two standard errors)", bool(mean > 2 * error), evidence, central)


def _nearer(
    table: pd.DataFrame, which: int, rival: str, text: str, quantity: str, unit: str, central: bool = True
) -> Claim:
    """Claim that the value of the noisy model is nearer to that of the cell, by more than two standard errors over trials."""
    cell, other = (
        _value(table, which, "recorded", quantity)["value"],
        _value(table, which, rival, quantity)["value"],
    )
    noisy = _value(table, which, "noisy", quantity)
    n = _value(table, which, "noisy", "number of trials")["value"]
    margin = abs(other - cell) - abs(noisy["value"] - cell)
    evidence = f"cell {cell:.3g}, noisy {noisy['value']:.3g} ± {noisy['sd']:.2g} (SD of single trials), {rival} {other:.3g} {unit}"
    return Claim(
        f"{text} (by two standard errors)",
        bool(margin > 2 * noisy["sd"] / np.sqrt(n)),
        evidence.rstrip(),
        central,
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Cell and models, a row per quantity."""
    rows = []
    quantities = table[
        ~table.quantity.str.contains("excerpt|triggered|against|segment|coherence|parameter|number of trials")
    ]
    keys = list(
        dict.fromkeys(zip(quantities.recording, quantities.quantity, quantities.x.fillna(-1), strict=True))
    )
    for which, quantity, x in sorted(keys, key=lambda k: k[0]):
        chosen = quantities[
            (quantities.recording == which)
            & (quantities.quantity == quantity)
            & (quantities.x.fillna(-1) == x)
        ]
        cells = chosen.set_index("model")
        label = quantity if x < 0 else f"{quantity}, {1e3 * x:g} ms"
        row = {"recording": which, "quantity": label, "unit": chosen.unit.iloc[0]}
        for model in ("recorded", *MODELS):
            row[model] = _cell(cells.loc[model]) if model in cells.index else "n/a (one trial)"
        rows.append(row)
    return pd.DataFrame(rows)


def _cell(row: pd.Series) -> str:
    value = f"{row['value']:.3g}" if abs(row["value"]) < 100 else f"{row['value']:.1f}"
    return value if not row["sd"] > 0 else f"{value} ± {row['sd']:.2g}"


def headline(table: pd.DataFrame) -> str:
    """The main result in a sentence per recording."""
    parts = []
    for which in sorted(table.recording.unique()):
        bound = {m: _value(table, which, m, "information bound")["value"] for m in ("recorded", *MODELS)}
        parts.append(
            f"Recording {which}: the spikes of the cell carry at least {bound['recorded']:.0f} bit/s about the sound. The bound is "
            f"{bound['noisy']:.0f} bit/s for the noisy model, {bound['deterministic']:.0f} with its noise switched off, and "
            f"{bound['refitted deterministic']:.0f} for the model calibrated without noise."
        )
    return " ".join(parts)


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Calibrated parameters: times in ms, voltages in mV."""
    rows = table[table.quantity.str.startswith("parameter")].copy()
    rows["parameter"] = rows.quantity.str.removeprefix("parameter ")
    seconds = rows.unit == "s"
    rows["value"] = rows.value.where(~seconds, 1e3 * rows.value)
    rows["unit"] = rows.unit.where(~seconds, "ms")
    wide = rows.pivot(index=["recording", "parameter", "unit"], columns="model", values="value").reset_index()
    return {
        "Calibrated parameters (threshold 10 mV above rest and reset)": wide[
            ["recording", "parameter", "unit", *MODELS]
        ]
    }
