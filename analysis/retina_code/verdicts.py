"""Claims of the study `retina_code` with their verdicts, its summary tables and its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..harness import Claim, secondary
from ..shared.figures import BLACK, BLUE, GREY, ORANGE, equality, finish, points
from ..shared.intervals import interval, interval_text, student_quantile
from ..shared.tables import where
from . import config as c
from .config import NOISELESS, NOISY, RECORDED

CLUSTERS = ("cell", "window")
EXCHANGED = "nats, exchanged"


class Ratio(NamedTuple):
    """Bits per spike with its 95 % interval."""

    value: float
    low: float
    high: float

    def text(self) -> str:
        """As +0.120 [+0.100, +0.140]."""
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def _nats(
    table: pd.DataFrame, arm: str, by: str, quantity: str = "nats", seed: int | None = None
) -> pd.DataFrame:
    """Nats and spikes of each cell or window, summed over folds and averaged over initial seeds."""
    rows = table[(table.arm == arm) & (table.quantity == quantity) & table[by].notna()]
    rows = rows if seed is None else rows[rows.seed == seed]
    sums = rows.groupby(["seed", by])[["value", "spikes"]].sum()
    return sums.groupby(by).mean()


def bits(
    table: pd.DataFrame,
    arm: str,
    other: str | None = None,
    *,
    by: str = "cell",
    seed: int | None = None,
    cells: Iterable[int] | None = None,
    quantity: str = "nats",
    less: str | None = None,
) -> Ratio:
    """Bits per spike of an arm, less those of another: the sum of nats over that of spikes, with clusters for its error.

    cells : of these only; less : the quantity of the other arm, None: the same
    """
    own = _nats(table, arm, by, quantity, seed)
    than = 0.0 if other is None else _nats(table, other, by, less or quantity, seed).value
    difference = own.value - than
    spikes = own.spikes
    if cells is not None:
        keep = own.index.isin(list(cells))
        difference, spikes = difference[keep], spikes[keep]
    n, total = len(spikes), float(spikes.sum())
    if n < 2 or total == 0:
        return Ratio(np.nan, -np.inf, np.inf)
    value = difference.sum() / total
    se = np.sqrt(n / (n - 1) * ((difference - value * spikes) ** 2).sum()) / total
    half = student_quantile(n) * se
    return Ratio(*(float(number) / np.log(2) for number in (value, value - half, value + half)))


def by_cell(table: pd.DataFrame, arm: str, quantity: str) -> pd.Series:
    """A score of each cell, the mean over folds and initial seeds."""
    rows = table[(table.arm == arm) & (table.quantity == quantity) & table.cell.notna()]
    return rows.groupby("cell").value.mean()


def gain_by_cell(
    table: pd.DataFrame, quantity: str, better: Callable[[pd.Series, pd.Series], pd.Series]
) -> pd.Series:
    """`better` of the noisy and the noiseless arm, by cell: the mean over folds and seeds where both have a value."""
    rows = table[(table.quantity == quantity) & table.cell.notna()]
    noisy, noiseless = (
        rows[rows.arm == arm].set_index(["cell", "fold", "seed"]).value for arm in (c.NOISY, c.NOISELESS)
    )
    return better(noisy, noiseless).dropna().groupby("cell").mean()


def informed(table: pd.DataFrame) -> bool:
    """Whether the noisy hidden layer has information about the stimulus."""
    return all(
        bits(table, c.NOISY, by=by).low > 0 and bits(table, c.NOISY, c.NOISY, by=by, less=EXCHANGED).low > 0
        for by in CLUSTERS
    )


def claims(table: pd.DataFrame) -> list[Claim]:
    """The primary claim, then the secondary ones, with their evidence."""
    return list(_claims(table))


def both(table: pd.DataFrame, other: str, seed: int | None = None, arm: str = c.NOISY) -> dict[str, Ratio]:
    """Bits per spike of an arm less those of another, with errors over cells and over windows."""
    return {by: bits(table, arm, other, by=by, seed=seed) for by in CLUSTERS}


def in_words(difference: dict[str, Ratio]) -> str:
    """Both intervals."""
    return f"{difference['cell'].text()} over cells, {difference['window'].text()} over windows"


def ahead(difference: dict[str, Ratio]) -> bool:
    """Whether both intervals are above 0."""
    return all(one.low > 0 for one in difference.values())


def claims_of_lead(table: pd.DataFrame, other: str, text: str, scores: str) -> Iterator[Claim]:
    """Claims that the noisy arm is ahead of another: on the whole, for each seed, and in the cells left out of all choices."""
    knows, difference = informed(table), both(table, other)
    exchanged = bits(table, c.NOISY, c.NOISY, less=EXCHANGED)
    folds = (table[table.fold == fold] for fold in sorted(table.fold.dropna().unique()))
    by_fold = ", ".join(f"{bits(own, c.NOISY, other).value:+.3f}" for own in folds)
    yield Claim(
        text,
        knows and ahead(difference),
        f"{scores} bits per spike; difference {in_words(difference)}; by fold {by_fold}; noisy less its stimuli exchanged "
        f"{exchanged.text()}",
    )
    each = {s: both(table, other, s) for s in sorted(int(s) for s in table.seed.dropna().unique())}
    yield secondary(
        c.EACH_SEED,
        knows and all(ahead(two) for two in each.values()),
        "; ".join(f"seed {s}: {in_words(two)}" for s, two in each.items()),
    )
    cells = [int(k) for k in table.cell.dropna().unique() if int(k) % 2]
    left = {
        "cell": bits(table, c.NOISY, other, cells=cells),
        "window": bits(table, c.NOISY, other, by="window", quantity=c.LEFT_OUT_NATS),
    }
    yield secondary(
        c.LEFT_OUT,
        knows and ahead(left),
        f"{left['cell'].text()} bits per spike over {len(cells)} cells, {left['window'].text()} over windows",
    )


def _claims(table: pd.DataFrame) -> Iterator[Claim]:
    scores = ", ".join(f"{arm} {bits(table, arm).value:.3f}" for arm in (c.NOISY, c.NOISELESS))
    yield from claims_of_lead(table, c.NOISELESS, c.PRIMARY, scores)
    knows = informed(table)
    for arm in (c.ADDED, c.LN, c.SUBUNITS, c.GLM, c.CNN):
        if arm in set(table.arm):
            two = both(table, arm)
            text = f"{bits(table, arm).value:.3f} bits per spike; difference {in_words(two)}"
            yield secondary(c.AHEAD.format(arm), knows and ahead(two), text)
    yield from _of_drawn_spikes(table, knows)


def _of_drawn_spikes(table: pd.DataFrame, knows: bool) -> Iterator[Claim]:
    """Claims about PSTHs, distances and Fano factors."""
    arms = (c.NOISY, c.NOISELESS)
    ceiling = by_cell(table, c.RECORDED, "PSTH ceiling").mean()
    r, other_r = (by_cell(table, arm, "PSTH correlation").mean() for arm in arms)
    d, other_d = (by_cell(table, arm, "excess distance").mean() for arm in arms)
    medians = ", ".join(
        f"{arm} {by_cell(table, arm, 'Fano factor').median():.2f}" for arm in (c.RECORDED, *arms)
    )
    correlations = ", ".join(
        f"{arm} {where(table, arm=arm, quantity='noise correlation').value.mean():.3f}"
        for arm in (c.RECORDED, c.NOISY)
    )
    rows = where(table, arm=c.RECORDED, quantity="Fano factor")
    recorded = rows[rows.cell.notna()].set_index(["cell", "fold"]).value

    def off(fano: pd.Series) -> pd.Series:
        """How far Fano factors by cell, fold and seed are from the recorded ones."""
        return (fano - recorded.reindex(fano.index.droplevel("seed")).to_numpy()).abs()

    for text, quantity, better, evidence in (
        (
            c.PSTH, "PSTH correlation", lambda noisy, noiseless: noisy - noiseless,
            f"means {r:.3f} and {other_r:.3f}, of a ceiling of {ceiling:.3f}: {r / ceiling:.2f} and {other_r / ceiling:.2f} of it; "
            "difference",
        ),
        (
            c.DISTANCE, "excess distance", lambda noisy, noiseless: noiseless - noisy,
            f"means {d:.3f} and {other_d:.3f} spikes; gain",
        ),
        (
            c.FANO, "Fano factor", lambda noisy, noiseless: off(noiseless) - off(noisy),
            f"medians: {medians}; mean noise correlations, which cells without common hidden neurons lack: {correlations}; gain",
        ),
    ):  # fmt: skip
        gain = gain_by_cell(table, quantity, better)
        yield secondary(text, knows and interval(gain)[1] > 0, f"{evidence} {interval_text(gain, '')}")


def headline(table: pd.DataFrame) -> str:
    """The main result in a sentence."""
    difference = bits(table, c.NOISY, c.NOISELESS)
    return (
        f"{bits(table, c.NOISY).value:.3f} bits per spike with a noisy hidden layer, {bits(table, c.NOISELESS).value:.3f} with a "
        f"noiseless one: {difference.text()} over cells."
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """All scores of all arms; square brackets: 95 % intervals over cells."""
    ceiling = by_cell(table, c.RECORDED, "PSTH ceiling").mean()
    rows = []
    for arm in dict.fromkeys(table.arm.dropna()):
        if arm == c.RECORDED:
            continue
        score, r = bits(table, arm), by_cell(table, arm, "PSTH correlation").mean()
        row = {"arm": arm, "bits per spike": score.text()}
        row["stimuli exchanged"] = f"{score.value - bits(table, arm, arm, less=EXCHANGED).value:+.3f}"
        row |= {"PSTH correlation": f"{r:.3f}", "of its ceiling": f"{r / ceiling:.2f}"}
        row["excess distance"] = f"{by_cell(table, arm, 'excess distance').mean():.3f}"
        row["median Fano factor"] = f"{by_cell(table, arm, 'Fano factor').median():.2f}"
        same = where(table, arm=arm, quantity="noise correlation")
        rows.append(row | {"noise correlation": f"{same.value.mean():+.3f}"})
    return pd.DataFrame(rows)


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The settings that were chosen, and scores by fold and initial seed."""
    scored = table[(table.quantity == "nats") & table.cell.notna()]
    rows = [
        {"arm": arm, "fold": int(fold), "seed": int(seed), "setting": own.setting.iloc[0],
         "bits per spike": round(own.value.sum() / own.spikes.sum() / np.log(2), 3)}
        for (arm, fold, seed), own in scored.groupby(["arm", "fold", "seed"], sort=False)
    ]  # fmt: skip
    return {"Settings and scores by fold and initial seed": pd.DataFrame(rows)}


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
