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
    """The study's claims for each recording, with their evidence; then what else was asked of the data."""
    central, also = [], []
    for which in sorted(table.recording.unique()):
        for rival in MODELS[1:]:
            text = f"recording {which}: the noisy model gives the cell's spikes a higher likelihood than the {rival}"
            central.append(_gain(table, which, rival, text, "log-likelihood, by segment", "nats/spike"))
            text = f"recording {which}: the noisy model's information bound is nearer to the cell's than the {rival}'s"
            central.append(_nearer(table, which, rival, text, "information bound", "bit/s"))
            text = f"recording {which}: the noisy model's rate correlates better with the cell's, 5 ms kernel, than the {rival}'s"
            also.append(
                _gain(table, which, rival, text, "rate correlation 5 ms, by segment", "", central=False)
            )
            text = f"recording {which}: the noisy model's CV is nearer to the cell's than the {rival}'s"
            also.append(_nearer(table, which, rival, text, "CV", "", central=False))
        cell, noisy = (_value(table, which, m, "rate")["value"] for m in ("recorded", "noisy"))
        also.append(
            Claim(
                f"recording {which}: the noisy model's rate is within 10 % of the cell's",
                bool(abs(noisy / cell - 1) < 0.1),
                f"cell {cell:.1f} Hz, noisy {noisy:.1f} Hz (the cell adapts over the whole recording, the model can't)",
                central=False,
            )
        )
    return central + also


def _gain(
    table: pd.DataFrame, which: int, rival: str, text: str, quantity: str, unit: str, central: bool = True
) -> Claim:
    """The noisy model's value is higher than the rival's by more than two standard errors over segments."""
    segments = table[(table.recording == which) & (table.quantity == quantity)]
    wide = segments.pivot(index="x", columns="model", values="value")
    gain = wide["noisy"] - wide[rival]
    mean, error = gain.mean(), gain.std(ddof=1) / np.sqrt(len(gain))
    evidence = (
        f"gain {mean:.3f} ± {error:.3f} {unit}".rstrip() + f" (standard error over {len(gain)} half-seconds)"
    )
    return Claim(text, bool(mean > 2 * error), evidence, central)


def _nearer(
    table: pd.DataFrame, which: int, rival: str, text: str, quantity: str, unit: str, central: bool = True
) -> Claim:
    """The noisy model's value is nearer to the cell's, by more than two of its standard errors over trials."""
    cell, other = (
        _value(table, which, "recorded", quantity)["value"],
        _value(table, which, rival, quantity)["value"],
    )
    noisy = _value(table, which, "noisy", quantity)
    n = _value(table, which, "noisy", "passes")["value"]
    margin = abs(other - cell) - abs(noisy["value"] - cell)
    evidence = f"cell {cell:.3g}, noisy {noisy['value']:.3g} ± {noisy['sd']:.2g} (SD of one pass), {rival} {other:.3g} {unit}"
    return Claim(text, bool(margin > 2 * noisy["sd"] / np.sqrt(n)), evidence.rstrip(), central)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Recorded beside noisy beside twins, one row for each quantity, for people."""
    rows = []
    quantities = table[
        ~table.quantity.str.contains("excerpt|triggered|against|segment|coherence|parameter|passes")
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
            row[model] = _cell(cells.loc[model]) if model in cells.index else "n/a (one pass)"
        rows.append(row)
    return pd.DataFrame(rows)


def _cell(row: pd.Series) -> str:
    value = f"{row['value']:.3g}" if abs(row["value"]) < 100 else f"{row['value']:.1f}"
    return value if not row["sd"] > 0 else f"{value} ± {row['sd']:.2g}"


def headline(table: pd.DataFrame) -> str:
    """What came out, in words."""
    parts = []
    for which in sorted(table.recording.unique()):
        bound = {m: _value(table, which, m, "information bound")["value"] for m in ("recorded", *MODELS)}
        parts.append(
            f"In recording {which} the cell's spikes carry at least {bound['recorded']:.0f} bit/s about the sound. The noisy "
            f"model's carry {bound['noisy']:.0f}; without its noise they would carry {bound['twin']:.0f}, and those of a model "
            f"calibrated without noise {bound['refitted twin']:.0f}."
        )
    return " ".join(parts)


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The calibrated parameters, for people: times in ms, voltages in mV."""
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
