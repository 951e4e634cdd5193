"""Claims of the study `fit_recordings` with their verdicts, its summary tables and its figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..harness import Claim, secondary
from ..shared.figures import BLACK, BLUE, GREEN, ORANGE, PINK, SKY, YELLOW, equality, finish, points
from ..shared.tables import where
from .calibrated import CALIBRATED, GIF, LIF
from .data_sets import RELAY
from .fits import ADDED, ALONE, CELL, DETERMINISTIC, GIVEN_SPIKES, GLM, LNP, NETWORK, NEURON, NO_HISTORY
from .simulation import interval, mean_of

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


SCORES = (
    "Above: held-out bits per spike relative to a constant rate, for each model and recording; bars: standard errors "
    "by a jackknife "
    "over blocks of .2 s; arrows: values below the axis. Below, left: spikes in the first held-out .6 s of a recording, a row per "
    "repeat or simulated trial. Right: Fano factor of spike counts, model against cell, a point per recording; bars: standard "
    "deviation of single trials of the model."
)
LEADS = (
    "Lead of the noisy neuron over each other model, bits per spike, with paired 95 % intervals from blocks of .2 s. Arrows: "
    "leads beyond the axis. Dotted: non-inferiority margin of .05 against the Poisson GLM."
)
FAR = 4.0
"""bits per spike; larger leads are drawn as arrows"""
LOOKS: dict[str, tuple[str, str]] = {
    NEURON: (ORANGE, "o"),
    GLM: (BLUE, "s"),
    NETWORK: (PINK, "P"),
    LNP: (SKY, "v"),
    GIVEN_SPIKES: (GREEN, "D"),
    DETERMINISTIC: (BLACK, "X"),
    ADDED: (YELLOW, "^"),
    LIF: ("#999933", "<"),
    GIF: ("#882255", ">"),
}


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The main figure, and the leads with their intervals."""
    return {SCORES: plot(table), LEADS: plot_leads(table)}


def plot(table: pd.DataFrame) -> Figure:
    """Held-out bits per spike of all models and recordings, spikes of one recording, and variability of model and cell."""
    figure = Figure(figsize=(10, 7.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=(1.15, 1), width_ratios=(1.5, 1))
    _draw_scores(figure.add_subplot(grid[0, :]), table)
    _draw_raster(figure.add_subplot(grid[1, 0]), table)
    _draw_fano(figure.add_subplot(grid[1, 1]), table)
    return figure


def _names(table: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(table.recording))


def _draw_scores(ax: Any, table: pd.DataFrame) -> None:
    names = _names(table)
    rows = table[(table.part == "score") & table.model.isin(list(LOOKS))]
    low, high = -0.6, 1.04 * float((rows.value + rows.se).max())
    for k, (model, (colour, marker)) in enumerate(LOOKS.items()):
        own = rows[rows.model == model]
        if own.empty:
            continue
        x = np.array([names.index(name) for name in own.recording]) + 0.09 * (k - 4)
        inside = (own.value > low).to_numpy()
        shown = own[inside]
        points(ax, x[inside], shown.value, shown.se, fmt=marker, color=colour, label=model, capsize=0)
        under = np.full((~inside).sum(), low + 0.03 * (high - low))
        ax.plot(x[~inside], under, marker=r"$\downarrow$", ms=8, ls="", color=colour)
    ax.axhline(0, color=BLACK, lw=0.8, zorder=0)
    for k in range(len(names) - 1):
        ax.axvline(k + 0.5, color="#dddddd", lw=0.6, zorder=0)
    ax.set_xticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names], fontsize=8)
    if len(names) > 6:
        ax.tick_params(axis="x", labelrotation=40)
    legend = {"fontsize": 9, "ncols": 5, "loc": "lower center", "bbox_to_anchor": (0.5, 1.0)}
    limits = {"ylim": (low, high), "xlim": (-0.6, len(names) - 0.4)}
    finish(ax, legend=legend, ylabel="held-out score (bits per spike)", **limits)


def _draw_raster(ax: Any, table: pd.DataFrame) -> None:
    spikes = table[table.part == "spike"]
    spikes = spikes[spikes.kind == max(spikes.kind, key=lambda kind: kind == "cortical")]
    ticks, height = {}, 0
    for model in (CELL, NEURON, DETERMINISTIC, LNP):
        own = spikes[spikes.model == model]
        trials = int(own.value.max()) + 1 if len(own) else 1
        colour = LOOKS.get(model, ("#555555", ""))[0]
        ax.vlines(own.x, -height - own.value - 0.9, -height - own.value - 0.1, color=colour, lw=1)
        ticks[model] = -height - trials / 2
        height += trials + 1
    ax.set_yticks(list(ticks.values()), list(ticks))
    ax.tick_params(axis="y", length=0)
    finish(ax, ylim=(-height, 0.5), xlabel=f"time (s), {spikes.recording.iloc[0]}")


def _draw_fano(ax: Any, table: pd.DataFrame) -> None:
    rows = where(table, part="measure", measure="fano")
    cell = rows[rows.model == CELL].set_index("recording").value
    for model in (LNP, DETERMINISTIC, GLM, NEURON):
        own = rows[rows.model == model].set_index("recording").loc[cell.index]
        colour, marker = LOOKS[model]
        points(ax, cell, own.value, own.se, fmt=marker, color=colour, capsize=0)
    top = 1.05 * float(max(cell.max(), (rows.value + rows.se.fillna(0))[rows.model.isin(list(LOOKS))].max()))
    equality(ax, 0, top)
    of_cell, of_model = "Fano factor of the cell (windows of 50 ms)", "Fano factor of the model"
    finish(ax, xlim=(0, 1.1 * float(cell.max())), ylim=(-0.03 * top, top), xlabel=of_cell, ylabel=of_model)


def plot_leads(table: pd.DataFrame) -> Figure:
    """Paired differences with intervals, a panel per model."""
    rows = where(table, part="lead", measure="bits")
    rivals, names = [m for m in RIVALS if (rows.model == m).any()], _names(table)
    lines = -(-len(rivals) // 4)
    figure = Figure(figsize=(10, lines * (1.0 + 0.16 * len(names))), layout="constrained")
    axes = figure.subplots(lines, 4, sharey=True, squeeze=False)
    for ax, model in zip(axes.flat, rivals, strict=False):
        _draw_leads(ax, rows[rows.model == model], names, model)
    for ax in axes.flat[len(rivals) :]:
        ax.set_axis_off()
    for ax in axes[:, 0]:
        ax.set_yticks(-np.arange(len(names)), names, fontsize=8)
    axes[0, 0].set_ylim(0.3 - len(names), 0.7)
    figure.supxlabel("lead of the noisy neuron (bits per spike)", fontsize=10)
    return figure


def _draw_leads(ax: Any, own: pd.DataFrame, names: list[str], model: str) -> None:
    y = -np.array([names.index(name) for name in own.recording])
    colour, marker = LOOKS.get(model, ("#555555", "d"))
    near = (own.value < FAR).to_numpy()
    shown = own[near]
    bars = np.array([shown.value - shown.low, shown.high - shown.value])
    points(ax, shown.value, y[near], xerr=bars, fmt=marker, ms=4, color=colour, capsize=0)
    low = min(-0.1, 1.1 * float(shown.low.min()) if near.any() else 0.0)
    high = FAR if not near.all() else 1.1 * max(float(own.high.max()), 0.1)
    ax.plot(np.full((~near).sum(), 0.95 * high), y[~near], marker=r"$\rightarrow$", ms=8, ls="", color=colour)
    ax.axvline(0, color=BLACK, lw=0.8, zorder=0)
    if model == GLM:
        ax.axvline(-0.05, color="#555555", lw=0.8, ls=":", zorder=0)
    ax.tick_params(axis="x", labelsize=8)
    finish(ax, xlim=(low, high))
    ax.set_title(model, fontsize=9)
