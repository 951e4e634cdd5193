"""Claims of the study `retina_sampling` with their verdicts, its summary and its figure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..harness import Claim, secondary
from ..retina_code import config as first
from ..retina_code import verdicts as retina
from ..retina_code.verdicts import ahead, bits, both, in_words, informed
from ..shared.figures import BLUE, GREY, ORANGE, finish, points
from . import config as c


def claims(table: pd.DataFrame) -> list[Claim]:
    """The primary claim, then the secondary ones, with their evidence."""
    return list(_claims(table, informed(table)))


def _claims(table: pd.DataFrame, knows: bool) -> Iterator[Claim]:
    two = both(table, c.MEAN)
    folds = (table[table.fold == fold] for fold in sorted(table.fold.unique()))
    by_fold = ", ".join(f"{bits(rows, c.NOISY, c.MEAN).value:+.3f}" for rows in folds)
    exchanged = bits(table, c.NOISY, c.NOISY, less=retina.EXCHANGED)
    yield Claim(
        c.PRIMARY,
        knows and ahead(two),
        f"{bits(table, c.NOISY).value:.3f} and {bits(table, c.MEAN).value:.3f} bits per spike; difference {in_words(two)}; by fold "
        f"{by_fold}; noisy less its stimuli exchanged {exchanged.text()}",
    )
    each = {s: both(table, c.MEAN, s) for s in sorted(int(s) for s in table.seed.unique())}
    yield secondary(
        first.EACH_SEED,
        knows and all(ahead(one) for one in each.values()),
        "; ".join(f"seed {s}: {in_words(one)}" for s, one in each.items()),
    )
    yield retina.of_left_out(table, c.MEAN, knows)
    for text, arm, than in c.PAIRS:
        two = both(table, than, arm=arm)
        scores = f"{bits(table, arm).value:.3f} and {bits(table, than).value:.3f} bits per spike"
        yield secondary(text, knows and ahead(two), f"{scores}; difference {in_words(two)}")


def headline(table: pd.DataFrame) -> str:
    """The main result in a sentence, with the share of the gain that is in the mean field."""
    whole, smooth = bits(table, c.NOISY, c.NOISELESS), bits(table, c.MEAN, c.NOISELESS)
    sampling = bits(table, c.NOISY, c.MEAN)
    return (
        f"Noisy less noiseless hidden layer, 64 predictions each: {whole.text()} bits per spike over cells; mean field less "
        f"noiseless {smooth.text()}, noisy less mean field {sampling.text()}."
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Bits per spike of all arms, and the difference from the noisy one, with 95 % intervals over cells and over windows."""
    return pd.DataFrame(
        {
            "arm": arm,
            "bits per spike": bits(table, arm).text(),
            "noisy less this, over cells": bits(table, c.NOISY, arm).text() if arm != c.NOISY else "",
            "over windows": bits(table, c.NOISY, arm, by="window").text() if arm != c.NOISY else "",
        }
        for arm in c.ARMS
        if arm in set(table.arm)
    )


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The settings that were chosen, and scores by fold and initial seed."""
    rows = table[(table.quantity == "nats") & table.cell.notna()]
    sums = rows.groupby(["arm", "fold", "seed", "setting"], sort=False)[["value", "spikes"]].sum()
    each = (sums.value / sums.spikes / np.log(2)).round(3).rename("bits per spike")
    return {"Settings and scores by fold and initial seed": each.reset_index()}


def plot(table: pd.DataFrame) -> Figure:
    """Bits per spike that each arm has less than the noisy one."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes, arms = figure.subplots(), [arm for arm in c.ARMS[1:] if arm in set(table.arm)]
    for k, arm in enumerate(arms):
        one, colour = bits(table, c.NOISY, arm), {c.MEAN: BLUE, c.NOISELESS: ORANGE}.get(arm, GREY)
        points(axes, one.value, k, xerr=one.value - one.low, fmt="o", color=colour)
    axes.invert_yaxis()
    axes.axvline(0, color="0.8", lw=0.8)
    label = f"{c.NOISY} less this arm (bits per spike; bars: 95 % intervals over cells)"
    finish(axes, yticks=range(len(arms)), yticklabels=arms, xlabel=label)
    return figure
