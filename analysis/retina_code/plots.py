"""Figure of the study `retina_code`: scores of all arms, and the gain of each cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .config import NOISELESS, NOISY, RECORDED
from .verdicts import bits, by_cell

__all__ = ["plot"]


def plot(table: pd.DataFrame) -> Figure:
    """Bits per spike of the arms, bits of single cells with and without noise, and PSTH correlations."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.4, 1, 1.2))
    arms = [arm for arm in dict.fromkeys(table.arm.dropna()) if arm != RECORDED]
    for k, arm in enumerate(arms):
        one = bits(table, arm)
        colour = {NOISY: "C0", NOISELESS: "C1"}.get(arm, "0.5")
        left.errorbar(
            [one.value], [k], xerr=[[one.value - one.low], [one.high - one.value]], fmt="o", color=colour
        )
    left.set(yticks=range(len(arms)), yticklabels=arms, xlabel="held-out bits per spike")
    left.invert_yaxis()
    left.axvline(0, color="0.8", lw=0.8)
    rows = table[(table.quantity == "nats") & table.cell.notna()]
    sums = rows.groupby(["arm", "cell"])[["value", "spikes"]].sum()
    each = sums.value / sums.spikes.where(sums.spikes > 0) / np.log(2)
    x, y = each[NOISELESS], each[NOISY]
    both = [float(np.nanmin([x.min(), y.min()])), float(np.nanmax([x.max(), y.max()]))]
    middle.plot(both, both, color="0.8", lw=0.8)
    middle.plot(x, y, "o", ms=3, color="C0")
    middle.set(xlabel=f"{NOISELESS} (bits per spike)", ylabel=f"{NOISY} (bits per spike)")
    ceiling = by_cell(table, RECORDED, "PSTH ceiling").mean()
    means = [by_cell(table, arm, "PSTH correlation").mean() for arm in arms]
    right.plot(means, range(len(arms)), "ks", ms=5)
    right.axvline(ceiling, color="k", ls="--", lw=0.8)
    right.set(yticks=range(len(arms)), yticklabels=[], xlabel="mean PSTH correlation", xlim=(None, 1))
    right.invert_yaxis()
    right.text(
        ceiling - 0.01, len(arms) / 2 - 0.5, "ceiling of 29 repeats", rotation=90, ha="right", va="center", fontsize="small"
    )  # fmt: skip
    figure.supxlabel(
        "bars: 95 % intervals over cells; middle: each mark is a cell; right: bins of 30 ms", fontsize=8
    )
    return figure
