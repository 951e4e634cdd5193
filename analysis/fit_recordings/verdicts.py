"""Claims of the study `fit_recordings` with their verdicts, and its summary tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..harness import Claim, secondary
from ..shared.tables import where
from .calibrated import CALIBRATED, GIF, LIF
from .data_sets import RELAY
from .fits import ADDED, ALONE, CELL, DETERMINISTIC, GIVEN_SPIKES, GLM, LNP, NETWORK, NEURON, NO_HISTORY
from .scoring import interval, mean_of

RIVALS = (DETERMINISTIC, GIVEN_SPIKES, ADDED, LNP, GLM, *CALIBRATED, ALONE, NO_HISTORY, NETWORK)
"""order of the other models in figures and tables"""
MARGIN = 0.05
"""bits per spike; non-inferiority margin against the Poisson GLM"""


def _rows(table: pd.DataFrame, part: str, model: str, measure: str = "bits") -> pd.DataFrame:
    return where(table, part=part, model=model, measure=measure)


def _span(row: Any) -> str:
    return f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def _everywhere(rows: pd.DataFrame, least: float = 0.0) -> tuple[bool, str]:
    """Whether the interval of every recording is above `least`, and the evidence."""
    if rows.empty:
        return False, "no recording"
    rows = rows.sort_values("low")
    worst = rows.iloc[0]
    failing = rows[~(rows.low > least)]
    text = (
        f"bits per spike: on average {rows.value.mean():.3f}, above {least:g} in {(rows.value > least).sum()} of {len(rows)}, "
        f"least certain in {worst.recording}: {_span(worst)}"
    )
    if len(failing):
        text += f"; interval not above {least:g}: {', '.join(failing.recording)}"
    return not len(failing), text


def _on_average(rows: pd.DataFrame) -> tuple[bool, str]:
    """Whether the interval is above 0 for each grasshopper recording, and for the mean over recordings of other kinds."""
    holds, texts = bool(len(rows)), []
    for kind, own in rows.groupby("kind", sort=False):
        each = [row for _, row in own.iterrows()]
        if kind != "grasshopper" and len(own) > 1:
            each = [pd.Series({"recording": f"mean of {len(own)} {kind} recordings", **mean_of(own.value)})]
        holds &= all(bool(row["low"] > 0) for row in each)
        texts += [f"{row['recording']} {_span(row)}" for row in each]
    return holds, "bits per spike: " + ", ".join(texts)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims with their evidence. Those about calibrated neurons include the simulated relay neuron, the others do not."""
    recorded = table[table.kind != RELAY]
    return [
        *_claims_about_recordings(recorded),
        *_claims_about_simulations(recorded),
        *_claims_about_calibrated(table),
    ]


def _claims_about_calibrated(table: pd.DataFrame) -> Iterator[Claim]:
    """The lead over neurons in continuous time, where some were calibrated."""
    each = (
        "each grasshopper recording, on average over those of each other kind, and on simulated relay neurons"
    )
    texts = {
        GIF: f"a calibrated GIF neuron with escape noise is above 0 on {each}",
        LIF: "a calibrated LIF neuron in white noise is above 0 on average over P-units without a stimulus",
    }
    for name, text in texts.items():
        rows = _rows(table, "lead", name)
        if len(rows):
            holds, evidence = _on_average(rows)
            remarks = where(table, part="remark", model=name)
            failed = remarks[remarks.measure.str.startswith("not fitted")]
            if len(failed):
                evidence += f"; not fitted: {', '.join(failed.recording)}"
            yield secondary(f"its lead over {text} (95 %; added later)", holds, evidence)


def _claims_about_recordings(table: pd.DataFrame) -> Iterator[Claim]:
    ahead = "the held-out score of the noisy neuron exceeds that of"
    each = "each grasshopper recording and on average over those of other kinds"
    of = {name: _rows(table, "lead", name) for name in RIVALS}
    stimulated = of[ALONE][of[ALONE].kind != "P-unit"]
    for text, rival in (
        ("the deterministic neuron", DETERMINISTIC),
        ("a deterministic neuron that is given the spikes,", GIVEN_SPIKES),
        ("the deterministic neuron with noise added afterwards,", ADDED),
    ):
        yield Claim(f"{ahead} {text} on every recording (95 %)", *_everywhere(of[rival]))
    yield Claim(f"{ahead} the linear-nonlinear Poisson model on {each} (95 %)", *_on_average(of[LNP]))
    yield Claim(
        f"{ahead} a neuron with history only, without the stimulus, on {each} (95 %)",
        *_on_average(stimulated),
    )
    yield secondary(
        f"the score is not below that of the Poisson GLM by {MARGIN:g} bits per spike on any recording (95 %)",
        *_everywhere(of[GLM], -MARGIN),
    )
    for rival, name in (
        ("a deterministic neuron that is given the spikes", GIVEN_SPIKES),
        ("noise added afterwards", ADDED),
        ("the GLM", GLM),
    ):
        text = f"its lead over {rival} is above 0 on {each} (95 %; added later)"
        yield secondary(text, *_on_average(of[name]))
    if len(of[NETWORK]):
        yield secondary(
            "a two-layer network is ahead of a single neuron, both without history, on every recording (95 %)",
            *_everywhere(_rows(table, "lead", NETWORK, "over no history")),
        )
        yield secondary(
            "a single neuron with history is ahead of the two-layer network without history, on every recording (95 %)",
            *_everywhere(of[NETWORK]),
        )


def _claims_about_simulations(table: pd.DataFrame) -> Iterator[Claim]:
    """Secondary claims about goodness of fit and about simulated spikes."""
    p, rival = (_rows(table, "measure", name, "p").set_index("recording").value for name in (NEURON, GLM))
    yield secondary(
        "time rescaling does not reject the noisy neuron on any recording (p > .05)",
        (p > 0.05).all(),
        f"not rejected in {(p > 0.05).sum()} of {len(p)}; the GLM in {(rival > 0.05).sum()}",
    )
    z = _standing(table)
    near = (z.abs() < 2).groupby(level="recording").all()
    yield secondary(
        "along a trial the noisy neuron is as variable as the cell: CV and Fano factor within two predicted "
        "standard deviations",
        near.all(),
        f"in {near.sum()} of {len(near)} recordings; largest |z| {z.abs().max():.1f}",
    )
    for measure, rows in where(table, part="across", model=NEURON).groupby("measure", sort=False):
        hit = (rows.low <= 0) & (rows.high >= 0)
        yield secondary(
            f"across repeats the noisy neuron is as variable as the cell: {measure} within the 95 % interval in every setting",
            hit.all(),
            f"in {hit.sum()} of {len(rows)} settings; mean difference {rows.value.mean():.3f}",
        )
    for measure, sign, text in (
        ("rate correlation", 1, "larger rate correlation with"),
        ("van rossum", -1, "smaller van Rossum distance to"),
    ):
        noisy, deterministic = (
            _rows(table, "measure", n, measure).set_index("recording").value for n in (NEURON, DETERMINISTIC)
        )
        off = (sign * (noisy - deterministic)).dropna()
        row = mean_of(off) if len(off) else interval(np.nan, np.nan, 0)
        yield secondary(
            f"simulated spikes of the noisy neuron have a {text} the cell than those of the deterministic neuron, "
            "on average (95 %)",
            row["low" if len(off) > 1 else "value"] > 0,
            f"{_span(row)} over {len(off)} recordings, ahead in {(off > 0).sum()}",
        )


def _standing(table: pd.DataFrame) -> pd.Series:
    """(cell - noisy neuron) in standard deviations predicted from single trials of the model for as many repeats."""
    rows = table[(table.part == "measure") & table.measure.isin(["cv", "fano"])]
    cell, model = (rows[rows.model == name].set_index(["recording", "measure"]) for name in (CELL, NEURON))
    model = model.loc[cell.index]
    return (cell.value - model.value) / (model.se * np.sqrt(1 / cell.n + 1 / model.n))


def headline(table: pd.DataFrame) -> str:
    """The main result in a sentence, of the recordings."""
    table = table[table.kind != RELAY]
    leads = ", ".join(
        f"{_rows(table, 'lead', name).value.mean():.2f} more than {name}"
        for name in (DETERMINISTIC, GIVEN_SPIKES, LNP, GLM)
    )
    rows = _rows(table, "score", NEURON)
    return f"{len(rows)} recordings, {rows.value.mean():.2f} held-out bits per spike on average: {leads}."


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Lead of the noisy neuron over each other model, bits per spike, with 95 % intervals."""
    rows = where(table, part="lead", measure="bits")
    score = _rows(table, "score", NEURON).set_index("recording")
    cells = rows.assign(text=[f"{r.value:+.3f} [{r.low:+.3f}, {r.high:+.3f}]" for r in rows.itertuples()])
    results = cells.pivot(index="recording", columns="model", values="text").reindex(score.index)
    order = [model for model in RIVALS if model in results]
    results.insert(0, "bits per spike", [f"{r.value:.3f} ± {r.se:.3f}" for r in score.itertuples()])
    return results[["bits per spike", *order]].fillna("").reset_index()


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Measures of simulated spikes, and chosen settings."""
    results = {}
    for title, part, digits in (
        ("Measures of spikes in the test part", "measure", 3),
        ("Chosen and fitted", "chosen", 4),
    ):
        wide = table[table.part == part].pivot_table(
            index=["recording", "model"], columns="measure", values="value", sort=False
        )
        results[title] = wide.round(digits).astype(object).fillna("").reset_index()
    remarks = table[table.part == "remark"][["recording", "model", "measure"]]
    if len(remarks):
        title = "Calibration: parameters at a bound or undetermined, and fits that failed"
        results[title] = remarks.rename(columns={"measure": "remark"})
    across = table[table.part == "across"][["recording", "model", "measure", "value", "low", "high"]]
    if len(across):
        title = "Across repeats: value of the cell, and model minus cell"
        results[title] = across.round(3).astype(object).fillna("")
    return results
