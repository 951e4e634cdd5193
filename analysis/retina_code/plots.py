"""Figure of the study `retina_code`: scores of all arms, and the gain of each cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..shared.figures import BLACK, BLUE, GREY, ORANGE, equality, finish, points
from .config import NOISELESS, NOISY, RECORDED
from .verdicts import bits, by_cell


def plot(table: pd.DataFrame) -> Figure:
    """Bits per spike of the arms, bits of single cells with and without noise, and PSTH correlations."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.4, 1, 1.2))
    arms = [arm for arm in dict.fromkeys(table.arm.dropna()) if arm != RECORDED]
    for k, arm in enumerate(arms):
        one = bits(table, arm)
        colour = {NOISY: BLUE, NOISELESS: ORANGE}.get(arm, GREY)
        points(left, one.value, k, xerr=one.value - one.low, fmt="o", color=colour)
    left.invert_yaxis()
    left.axvline(0, color="0.8", lw=0.8)
    rows = table[(table.quantity == "nats") & table.cell.notna()]
    sums = rows.groupby(["arm", "cell"])[["value", "spikes"]].sum()
    each = sums.value / sums.spikes.where(sums.spikes > 0) / np.log(2)
    x, y = each[NOISELESS], each[NOISY]
    equality(middle, float(np.nanmin([x.min(), y.min()])), float(np.nanmax([x.max(), y.max()])))
    middle.plot(x, y, "o", ms=3, color=BLUE)
    ceiling = by_cell(table, RECORDED, "PSTH ceiling").mean()
    means = [by_cell(table, arm, "PSTH correlation").mean() for arm in arms]
    right.plot(means, range(len(arms)), "s", ms=5, color=BLACK)
    right.axvline(ceiling, color=BLACK, ls="--", lw=0.8, label="ceiling of 29 repeats")
    right.invert_yaxis()
    places, spike = range(len(arms)), "(bits per spike)"
    finish(left, yticks=places, yticklabels=arms, xlabel="held-out bits per spike")
    finish(middle, xlabel=f"{NOISELESS} {spike}", ylabel=f"{NOISY} {spike}")
    finish(right, yticks=places, yticklabels=[], xlabel="mean PSTH correlation", xlim=(None, 1))
    note = "bars: 95 % intervals over cells; middle: each mark is a cell; right: bins of 30 ms"
    figure.supxlabel(note, fontsize=8)
    return figure
