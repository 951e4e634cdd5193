"""Claims of the study `fit_recordings` with their verdicts, and its summary tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..harness import Claim
from .fits import ADDED, ALONE, CELL, FORCED, GLM, LNP, NETWORK, NEURON, NO_HISTORY, TWIN
from .scoring import interval, mean_of

MARGIN = 0.05
"""bits per spike by which the noisy neuron may be behind the Poisson GLM"""


def _rows(table: pd.DataFrame, part: str, model: str, measure: str = "bits") -> pd.DataFrame:
    return table[(table.part == part) & (table.model == model) & (table.measure == measure)]


def _span(row: Any) -> str:
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def _everywhere(rows: pd.DataFrame, least: float = 0.0) -> tuple[bool, str]:
    """Whether every recording's interval is above `least`; the narrowest case, and those that fail."""
    if rows.empty:
        return False, "no recording"
    rows = rows.sort_values("low")
    worst = rows.iloc[0]
    failing = rows[~(rows.low > least)]
    told = (
        f"bits per spike: on average {rows.value.mean():.3f}, above {least:g} in {int((rows.value > least).sum())} of {len(rows)}, "
        f"least certain in {worst.recording}: {_span(worst)}"
    )
    if len(failing):
        told += f"; interval not above {least:g}: {', '.join(failing.recording)}"
    return not len(failing), told


def _on_average(rows: pd.DataFrame) -> tuple[bool, str]:
    """Whether each grasshopper recording's interval is above 0, and of other kinds that of the mean over recordings."""
    holds, told = bool(len(rows)), []
    for kind, mine in rows.groupby("kind", sort=False):
        each = [row for _, row in mine.iterrows()]
        if kind != "grasshopper" and len(mine) > 1:
            found = mean_of(mine.value)
            each = [pd.Series({"recording": f"mean of {len(mine)} {kind} recordings", **found})]
        holds &= all(bool(row["low"] > 0) for row in each)
        told += [f"{row['recording']} {_span(row)}" for row in each]
    return holds, "bits per spike: " + ", ".join(told)


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    ahead = "the noisy neuron's held-out bits per spike are above"
    of = {name: _rows(table, "lead", name) for name in (TWIN, FORCED, ADDED, LNP, ALONE, GLM, NETWORK)}
    stimulated = of[ALONE][of[ALONE].kind != "P-unit"]
    each = "each grasshopper recording and on average over those of other kinds"
    central = [
        Claim(f"{ahead} its noiseless twin's on every recording", *_everywhere(of[TWIN])),
        Claim(f"{ahead} those of a twin that is given the spikes, on every recording", *_everywhere(of[FORCED])),
        Claim(f"{ahead} those of the twin with noise added afterwards, on every recording", *_everywhere(of[ADDED])),
        Claim(f"{ahead} the linear-nonlinear Poisson model's on {each}", *_on_average(of[LNP])),
        Claim(f"{ahead} those of history without the stimulus, on {each}", *_on_average(stimulated)),
    ]  # fmt: skip
    also = [
        Claim(
            f"they aren't below the Poisson GLM's by {MARGIN:g} or more on any recording",
            *_everywhere(of[GLM], -MARGIN), central=False,
        )
    ]  # fmt: skip
    for rival, name in (
        ("a twin that is given the spikes", FORCED),
        ("noise added afterwards", ADDED),
        ("the GLM", GLM),
    ):
        holds, evidence = _on_average(of[name])
        also.append(
            Claim(f"its lead over {rival} is above 0 on {each} (asked later)", holds, evidence, central=False)
        )
    if len(of[NETWORK]):
        over = _rows(table, "lead", NETWORK, "over no history")
        also += [
            Claim(
                "a two-layer network is ahead of a single neuron, neither with history, on every recording",
                *_everywhere(over), central=False,
            ),
            Claim(
                "a single neuron with history is ahead of the two-layer network, which has none, on every recording",
                *_everywhere(of[NETWORK]), central=False,
            ),
        ]  # fmt: skip
    return [*central, *also, *_of_draws(table)]


def _of_draws(table: pd.DataFrame) -> list[Claim]:
    """What is asked about goodness of fit and about the spikes that the models draw."""
    p, rival = (_rows(table, "measure", name, "p").set_index("recording").value for name in (NEURON, GLM))
    kept = p > 0.05
    found = [
        Claim(
            "time rescaling doesn't reject the noisy neuron (p > .05) on any recording", bool(kept.all()),
            f"not rejected in {int(kept.sum())} of {len(p)}; the GLM in {int((rival > 0.05).sum())}", central=False,
        )
    ]  # fmt: skip
    z = _standing(table)
    near = (z.abs() < 2).groupby(level="recording").all()
    found.append(
        Claim(
            "along a trial it is as variable as the cell: CV and Fano factor within two of its own standard deviations",
            bool(near.all()),
            f"so in {int(near.sum())} of {len(near)} recordings; largest |z| {z.abs().max():.1f}",
            central=False,
        )
    )
    across = table[(table.part == "across") & (table.model == NEURON)]
    for measure, rows in across.groupby("measure", sort=False):
        hit = (rows.low <= 0) & (rows.high >= 0)
        found.append(
            Claim(
                f"from repeat to repeat it is as variable as the cell: {measure} within its 95 % interval in every setting",
                bool(hit.all()),
                f"in {int(hit.sum())} of {len(rows)} settings; mean difference {rows.value.mean():.3f}",
                central=False,
            )
        )
    for measure, sign in (("rate correlation", 1), ("van rossum", -1)):
        noisy, twin = (
            _rows(table, "measure", n, measure).set_index("recording").value for n in (NEURON, TWIN)
        )
        off = (sign * (noisy - twin)).dropna()
        row = mean_of(off) if len(off) else interval(np.nan, np.nan, 0)
        told = "larger rate correlation" if sign > 0 else "smaller van Rossum distance"
        found.append(
            Claim(
                f"spikes that it draws have a {told} to the cell's than the twin's, on average",
                bool(row["low"] > 0) if len(off) > 1 else bool(row["value"] > 0),
                f"{_span(row)} over {len(off)} recordings, ahead in {int((off > 0).sum())}",
                central=False,
            )
        )
    return found


def _standing(table: pd.DataFrame) -> pd.Series:
    """(cell - noisy neuron) in standard deviations that the neuron's own trials predict for so many repeats."""
    rows = table[(table.part == "measure") & table.measure.isin(["cv", "fano"])]
    cell, model = (rows[rows.model == name].set_index(["recording", "measure"]) for name in (CELL, NEURON))
    model = model.loc[cell.index]
    return (cell.value - model.value) / (model.se * np.sqrt(1 / cell.n + 1 / model.n))


def headline(table: pd.DataFrame) -> str:
    """The answer in a sentence or two."""
    told = ", ".join(
        f"{_rows(table, 'lead', name).value.mean():.2f} more than {name}" for name in (TWIN, FORCED, LNP, GLM)
    )
    rows = _rows(table, "score", NEURON)
    return f"{len(rows)} recordings, {rows.value.mean():.2f} held-out bits per spike on average: {told}."


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """By how much the noisy neuron beats (or loses to) each other model, bits per spike, with 95 % intervals."""
    rows = table[(table.part == "lead") & (table.measure == "bits")]
    score = _rows(table, "score", NEURON).set_index("recording")
    cells = rows.assign(text=[f"{r.value:+.3f} [{r.low:+.3f}, {r.high:+.3f}]" for r in rows.itertuples()])
    found = cells.pivot(index="recording", columns="model", values="text").reindex(score.index)
    order = [m for m in (TWIN, FORCED, ADDED, LNP, GLM, ALONE, NO_HISTORY, NETWORK) if m in found]
    found.insert(0, "bits per spike", [f"{r.value:.3f} ± {r.se:.3f}" for r in score.itertuples()])
    return found[["bits per spike", *order]].fillna("").reset_index()


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What the drawn spikes are like, and what was chosen."""
    drawn = table[table.part == "measure"].pivot_table(
        index=["recording", "model"], columns="measure", values="value", sort=False
    )
    chosen = table[table.part == "chosen"].pivot_table(
        index=["recording", "model"], columns="measure", values="value", sort=False
    )
    across = table[table.part == "across"][["recording", "model", "measure", "value", "low", "high"]]
    found = {
        "What the spikes are like, held out": drawn.round(3).astype(object).fillna("").reset_index(),
        "Chosen and fitted": chosen.round(4).astype(object).fillna("").reset_index(),
    }
    if len(across):
        found["From repeat to repeat: the cell's value, and model less cell"] = (
            across.round(3).astype(object).fillna("")
        )
    return found
