"""The certificate as text, JSON, CSV and figure."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..core.atomic_write import replaced
from ..plotting import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_EDGE = 1.6  # percent, half the width of the figure
_NUMBERS = ("simulated", "theory", "z", "error %", "spikes", "dt ms", "order", "bias %")
_HEAD = ["model", "noise", "mode", "quantity", *_NUMBERS, "verdict", "reason"]
LEFT = (0, 1, 2, 3, 12, 13)
"""Columns of text, aligned to the left."""


def lines(table: pd.DataFrame) -> list[list[str]]:
    """Rows of text, the header first; rows without numbers have a reason."""
    text = [_HEAD]
    for row in table.to_dict("records"):
        numbers = [""] * 9
        if row["n_spikes"]:
            digits = max(0, 1 - math.floor(math.log10(row["se"])))
            bias = f"{row['bias_percent']:.2f} ± {row['bias_se_percent']:.2f}"
            numbers = [
                row["quantity"],
                f"{row['simulated']:.{digits}f} ± {row['se']:.{digits}f}",
                f"{row['theory']:.{digits}f}",
                f"{row['z']:+.1f}",
                f"{100 * row['relative_error']:+.2f}",
                str(row["n_spikes"]),
                f"{row['dt_ms']:g}",
                row["order"],
                "" if np.isnan(row["bias_percent"]) else bias,
            ]
        text.append([row["model"], row["noise"], row["mode"], *numbers, row["verdict"], row["reason"]])
    return text


def summary(table: pd.DataFrame, seconds: float) -> str:
    """The numbers of rows with each verdict, in one line.

    >>> summary(pd.DataFrame({"verdict": ["pass", "fail", "pass", "not offered"]}), 2.04)
    '4 rows: 2 pass, 1 fail, 0 no theory, 1 not offered, 0 known bias, in 2.0 s'
    """
    count = table["verdict"].value_counts()
    counts = ", ".join(f"{count.get(v, 0)} {v}" for v in ("pass", "fail", "no theory", "not offered"))
    return f"{len(table)} rows: {counts}, {count.get('known', 0)} known bias, in {seconds:.1f} s"


def as_json(table: pd.DataFrame) -> str:
    """The rows as a JSON list of objects; null where there is no number."""
    rows = [
        {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
        for row in table.to_dict("records")
    ]
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)


def write(table: pd.DataFrame, folder: Path) -> list[Path]:
    """Write certificate.csv and certificate.png into `folder`, each atomically; the folder is made if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "certificate.csv"]
    with replaced(files[0]) as path:
        table.to_csv(path, index=False)
    if (table["n_spikes"] > 0).any():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8.0, 1.2 + 0.155 * int((table["n_spikes"] > 0).sum())), layout="constrained")
        draw(table, figure.subplots())
        files.append(folder / "certificate.png")
        with replaced(files[1]) as path:
            figure.savefig(path, dpi=150, format="png")
    return files


def draw(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the relative error (%) of each row with bars of four standard errors, grouped by neuron, and the band of +-1 %.

    An error beyond the axis is given as a number at its edge.
    """
    rows = table[table["n_spikes"] > 0].reset_index(drop=True)
    error = 100 * rows["relative_error"].to_numpy(dtype=float)
    bar = 400 * (rows["se"] / rows["theory"]).to_numpy(dtype=float)
    place = np.arange(len(rows)) + rows["model"].ne(rows["model"].shift()).cumsum().to_numpy()
    ax.axvspan(-1, 1, color="#E8EEF4", lw=0, label="within 1 %")
    ax.axvline(0, color="#999999", lw=0.8)
    kinds = (
        ("rate", "rate", COLOURS[0], "o"),
        ("cv", "CV", COLOURS[1], "s"),
        ("efficacy", "efficacy of synapses", COLOURS[2], "D"),
    )
    failed = (rows["verdict"] == "fail").to_numpy()
    for kind, label, colour, marker in kinds:
        own = rows["quantity"].str.startswith(kind).to_numpy() & (np.abs(error) < _EDGE)
        if not own.any():
            continue
        ax.errorbar(
            error[own], place[own], xerr=bar[own], fmt=marker, color=colour, ms=3, elinewidth=0.9, label=label
        )
    if failed.any():
        ax.plot(error[failed], place[failed], "x", color="#B00000", ms=9, mew=1.5, label="failed")
    for at in np.flatnonzero(np.abs(error) >= _EDGE):
        side = float(np.sign(error[at]))
        align = "right" if side > 0 else "left"
        ax.text(side * _EDGE * 0.98, place[at], f"{error[at]:+.1f} %", ha=align, va="center", fontsize=6)
    labels = [
        f"{r.quantity} at {r.dt_ms:g} ms" if "gain" in r.quantity else r.quantity for r in rows.itertuples()
    ]
    names = [", ".join(filter(None, each)) for each in zip(rows["noise"], rows["mode"], labels, strict=True)]
    ax.set_yticks(place, names, fontsize=6)
    for model, group in rows.groupby("model", sort=False):
        top = place[group.index[0]] - 0.9
        ax.text(-_EDGE, top, str(model), fontsize=7, fontweight="bold", va="center")
    ax.set_xlim(-_EDGE, _EDGE)
    ax.set_ylim(place[-1] + 1, place[0] - 2)
    ax.set_xlabel("relative error, simulated / theory - 1 (%); bars: 4 standard errors")
    # above the axes, where no bar is
    ax.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=5, fontsize=7, borderaxespad=0)
    for name in ("top", "right", "left"):
        ax.spines[name].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return ax
