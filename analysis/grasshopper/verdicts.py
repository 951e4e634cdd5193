"""Claims of the study `grasshopper` with their verdicts, its summary tables and its figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..harness import Claim, secondary
from ..shared.figures import BLACK, BLUE, GREEN, ORANGE, PINK, YELLOW, finish, log_axis, points
from ..shared.tables import where
from .config import LOWEST, MODELS, RIVALS

CUTOFF = {1: 200, 2: 800}
"""of the sound of each recording, Hz"""
MARGIN = 0.1
"""bit per spike by which the neuron may fall behind the GLM"""


def _value(table: pd.DataFrame, which: int, model: str, quantity: str) -> pd.Series:
    return where(table, recording=which, model=model, quantity=quantity).iloc[0]


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims for each recording with their evidence; then the secondary claims."""
    every = [claim for which in sorted(table.recording.unique()) for claim in _claims(table, which)]
    return sorted(every, key=lambda claim: not claim.central)


def _claims(table: pd.DataFrame, which: int) -> Iterator[Claim]:
    here = f"recording {which}:"
    for rival in MODELS[1:]:
        text = f"{here} the recorded spikes have a higher likelihood under the noisy model than under that {rival}"
        likelihood = "kernel likelihood, by segment"
        yield _gain(table, which, rival, text, likelihood, "nats/spike", central=rival == MODELS[1])
        text = f"{here} the information bound of the noisy model is nearer to that of the cell than that of the model {rival}"
        yield _nearer(table, which, rival, text, "information bound", "bit/s")
        text = f"{here} the rate correlation with the cell (5 ms kernel) is higher for the noisy model than for that {rival}"
        yield _gain(table, which, rival, text, "rate correlation 5 ms, by segment", "", central=False)
        text = (
            f"{here} the CV of the noisy model is nearer to that of the cell than that of the model {rival}"
        )
        yield _nearer(table, which, rival, text, "CV", "", central=False)
    text = f"{here} the noisy model predicts the spikes better than the LIF without adaptation"
    yield _gain(table, which, "LIF", text, "bits per spike, by segment", "bit/spike")
    mean, error, n = _differences(table, which, "GLM", "bits per spike, by segment")
    yield secondary(
        f"{here} the noisy model predicts the spikes not worse than a Poisson GLM with history (the difference less "
        f"two standard errors is above -{MARGIN:g} bit per spike)",
        mean - 2 * error > -MARGIN,
        f"difference {mean:+.3f} ± {error:.3f} bit/spike (standard error over {n} segments of 0.5 s)",
    )
    cell, noisy, plain = (_value(table, which, m, "rate")["value"] for m in ("recorded", "noisy", "LIF"))
    yield secondary(
        f"{here} the rate of the noisy model is within 10 % of that of the cell",
        abs(noisy / cell - 1) < 0.1,
        f"cell {cell:.1f} Hz, noisy {noisy:.1f} Hz ({noisy / cell - 1:+.1%}); LIF without adaptation {plain:.1f} Hz",
    )
    distance, frequency, band = _farthest(table, which, "noisy")
    other = _farthest(table, which, "LIF")
    yield secondary(
        f"{here} from {LOWEST:g} Hz to the cut-off, the coherence of the cell is within the band of single trials of "
        "the noisy model (95 % of trials are, at all frequencies together)",
        distance < band,
        f"farthest at {frequency:.0f} Hz, {distance:.1f} SD from the mean of the trials; the band is ± {band:.1f} SD "
        f"(LIF without adaptation: {other[0]:.1f} SD at {other[1]:.0f} Hz, band ± {other[2]:.1f})",
    )
    (cell, _), (noisy, sd) = (_value(table, which, m, "CV")[["value", "sd"]] for m in ("recorded", "noisy"))
    yield secondary(
        f"{here} the CV of the cell is within two SD of single trials of the noisy model",
        abs(cell - noisy) < 2 * sd,
        f"cell {cell:.3f}, noisy {noisy:.3f} ± {sd:.3f} (SD of single trials)",
    )
    p, of_glm = (_value(table, which, m, "time rescaling p")["value"] for m in ("noisy", "GLM"))
    yield secondary(
        f"{here} time rescaling does not reject the noisy model (p above .05)",
        p > 0.05,
        f"p = {p:.2g}; GLM {of_glm:.2g}",
    )


def _differences(table: pd.DataFrame, which: int, rival: str, quantity: str) -> tuple[float, float, int]:
    """Mean of the noisy model less a rival over segments, its standard error, and the number of segments."""
    segments = where(table, recording=which, quantity=quantity)
    wide = segments.pivot(index="x", columns="model", values="value")
    gain = wide["noisy"] - wide[rival]
    return gain.mean(), gain.std(ddof=1) / np.sqrt(len(gain)), len(gain)


def _gain(
    table: pd.DataFrame, which: int, rival: str, text: str, quantity: str, unit: str, central: bool = True
) -> Claim:
    """Claim that the value of the noisy model is higher by more than two standard errors over segments."""
    mean, error, n = _differences(table, which, rival, quantity)
    gain = f"gain {mean:.3f} ± {error:.3f} {unit}".rstrip()
    evidence = f"{gain} (standard error over {n} segments of 0.5 s)"
    return Claim(f"{text} (by two standard errors)", mean > 2 * error, evidence, central)


def _nearer(
    table: pd.DataFrame, which: int, rival: str, text: str, quantity: str, unit: str, central: bool = True
) -> Claim:
    """Claim that the value of the noisy model is nearer to that of the cell, by more than two standard errors over trials."""
    cell, other = (_value(table, which, model, quantity)["value"] for model in ("recorded", rival))
    noisy = _value(table, which, "noisy", quantity)
    n = _value(table, which, "noisy", "number of trials")["value"]
    margin = abs(other - cell) - abs(noisy["value"] - cell)
    evidence = f"cell {cell:.3g}, noisy {noisy['value']:.3g} ± {noisy['sd']:.2g} (SD of single trials), {rival} {other:.3g} {unit}"
    holds = bool(margin > 2 * noisy["sd"] / np.sqrt(n))
    return Claim(f"{text} (by two standard errors)", holds, evidence.rstrip(), central)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Cell and models, a row per quantity."""
    rows = []
    quantities = table[
        ~table.quantity.str.contains("excerpt|triggered|against|segment|coherence|parameter|number of trials")
    ]
    groups = quantities.groupby(["recording", "quantity", "x"], sort=False, dropna=False)
    for (which, quantity, x), chosen in sorted(groups, key=lambda group: group[0][0]):
        cells = chosen.set_index("model")
        label = quantity if np.isnan(x) else f"{quantity}, {1e3 * x:g} ms"
        row = {"recording": which, "quantity": label, "unit": chosen.unit.iloc[0]}
        for model in ("recorded", *MODELS, *RIVALS):
            scores = ("bits per spike", "time rescaling p")
            absent = "n/a (one trial)" if model == "recorded" and quantity not in scores else "n/a"
            row[model] = _cell(cells.loc[model]) if model in cells.index else absent
        rows.append(row)
    return pd.DataFrame(rows)


def _cell(row: pd.Series) -> str:
    value = f"{row['value']:.3g}" if abs(row["value"]) < 100 else f"{row['value']:.1f}"
    return f"{value} ± {row['sd']:.2g}" if 0 < row["sd"] < np.inf else value


def headline(table: pd.DataFrame) -> str:
    """What was recorded, what a bit per spike is, and the main result of each recording."""
    recordings = sorted(table.recording.unique())
    speeds = " and ".join(f"{CUTOFF.get(which, np.nan):g}" for which in recordings)
    parts = [
        f"A receptor neuron of a grasshopper's ear heard 10 s of a tone of random loudness, with changes up to {speeds} Hz. Models "
        "are calibrated on the first 5 s and predict the spikes of the other 5 s. Their bits per spike say how much better they do "
        "than a constant rate, which has 0: with one bit more, each recorded spike, with the silence before it, was twice as "
        "probable."
    ]
    for which in recordings:
        bound = {m: _value(table, which, m, "information bound")["value"] for m in ("recorded", *MODELS)}
        bits = {m: _value(table, which, m, "bits per spike")["value"] for m in ("noisy", *RIVALS)}
        cell, rate = (_value(table, which, m, "rate")["value"] for m in ("recorded", "noisy"))
        of_cell, cv = (_value(table, which, m, "CV")["value"] for m in ("recorded", "noisy"))
        p = _value(table, which, "noisy", "time rescaling p")["value"]
        parts.append(
            f"Recording {which}: the noisy model has {bits['noisy']:.2f} bits per spike, the Poisson GLM {bits['GLM']:.2f} and the "
            f"LIF {bits['LIF']:.2f}. Time rescaling {'does not reject' if p > 0.05 else 'rejects'} the noisy model, p = {p:.2g}. "
            f"It fires at {rate:.0f} Hz with a CV of {cv:.2f}, the cell at {cell:.0f} Hz with {of_cell:.2f}. The spikes of the "
            f"cell carry at least {bound['recorded']:.0f} bit/s about the sound, those of the noisy model {bound['noisy']:.0f}, "
            f"without noise {bound[MODELS[1]]:.0f}, and refitted without noise {bound[MODELS[2]]:.0f}."
        )
    others = [claim.holds for claim in claims(table) if not claim.central]
    parts.append(
        f"Of {len(others)} secondary claims, {others.count(False)} fail: they are listed with their numbers."
    )
    return " ".join(parts)


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Calibrated parameters: times in ms, voltages in mV."""
    rows = table[table.quantity.str.startswith("parameter")].copy()
    rows["parameter"] = rows.quantity.str.removeprefix("parameter ")
    seconds = rows.unit == "s"
    for name in ("value", "sd"):
        rows[name] = rows[name].where(~seconds, 1e3 * rows[name])
    rows["unit"] = rows.unit.where(~seconds, "ms")
    rows["text"] = [_cell(row) for _, row in rows.iterrows()]
    order = {name: k for k, name in enumerate(dict.fromkeys(rows.parameter))}
    wide = rows.pivot(index=["recording", "parameter", "unit"], columns="model", values="text").reset_index()
    wide = wide.sort_values(
        ["recording", "parameter"], key=lambda c: c.map(order) if c.name == "parameter" else c
    )
    return {
        "Calibrated parameters with standard errors (voltages relative to the width of the noise, 1 mV, threshold 0 mV)": wide[
            ["recording", "parameter", "unit", *MODELS, "LIF"]
        ].fillna("")
    }


def _farthest(table: pd.DataFrame, which: int, model: str) -> tuple[float, float, float]:
    """Largest distance of the cell's coherence from that of a model, in SD of its trials, the frequency, and the band's k."""
    own = where(table, recording=which, quantity="coherence")
    own = own[own.x.between(LOWEST, CUTOFF.get(which, np.inf))]
    wide = own.pivot(index="x", columns="model", values="value")
    sd = own[own.model == model].set_index("x").sd
    distance = (wide["recorded"] - wide[model]).abs() / sd
    band = where(table, recording=which, model=model, quantity="coherence band")
    if distance.isna().all() or not len(band):  # trials that do not differ
        return np.nan, np.nan, np.nan
    return float(distance.max()), float(distance.idxmax()), float(band.value.iloc[0])


COLOURS = {
    "recorded": BLACK,
    "noisy": BLUE,
    "LIF": YELLOW,
    "GLM": PINK,
    "without noise": ORANGE,
    "refitted without noise": GREEN,
}
_COHERENCE = ("recorded", "noisy", "refitted without noise")
_SEVERAL = ("noisy", "LIF", "GLM")
"""models whose trials differ"""
_STATISTICS = ("rate", "CV", "LV", "lag-1 correlation", "information bound per spike")
_AGAINST_NOISE = (
    ("information bound against noise", "information bound (bit/s)", "information bound"),
    ("reliability against noise", "reliability", None),
    ("rate against noise", "rate (Hz)", "rate"),
)


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """All figures by caption, the main figure first."""
    return {
        "Cell and models in the test half: spikes in 0.6 s, spike-triggered average of the sound level, and coherence of spikes "
        "and sound level for single trials of cell, noisy model and that refitted without noise (dotted: cut-off of the sound; "
        "shaded: 95 % of single trials of the noisy model are within, at all frequencies together). noisy: the adaptive neuron. "
        "LIF: without adaptation. GLM: Poisson GLM with history. without noise: the adaptive neuron with its noise switched off; "
        "refitted without noise: calibrated so.": plot(table),
        "Bits per spike of the held-out spikes given the spikes before, in segments of 0.5 s (dots), and their mean with its "
        "standard error (squares).": held_out(table),
        "Statistics of single trials: cell (line) and models (bars: SD over trials; those of a model without noise are all "
        "alike).": statistics(table),
        "Information bound, reliability and rate of the noisy model against its noise (bars: SD over trials).": (
            against_noise(table)
        ),
    }


def _rows(table: pd.DataFrame, which: int, model: str, quantity: str) -> pd.DataFrame:
    own = table[(table.recording == which) & (table.model == model) & (table.quantity == quantity)]
    return own.sort_values("x")


def plot(table: pd.DataFrame) -> Figure:
    """A row per recording: spikes of cell and models, spike-triggered average, coherence."""
    recordings = sorted(table.recording.unique())
    figure = Figure(figsize=(11, 3.1 * len(recordings)), layout="constrained")
    axes = figure.subplots(len(recordings), 3, width_ratios=[2.4, 1, 1], squeeze=False)
    for (raster, sta, coherence), which in zip(axes, recordings, strict=True):
        _raster(raster, table, which)
        for model, colour in COLOURS.items():
            width = 1.8 if model in ("recorded", "noisy") else 1.0
            average = _rows(table, which, model, "spike-triggered average")
            sta.plot(1e3 * average.x, average.value, color=colour, lw=width)
            if model in _COHERENCE:
                rows = _rows(table, which, model, "coherence")
                coherence.plot(rows.x, rows.value, color=colour, lw=width)
        _band(coherence, table, which)
        sta.axvline(0, color="0.85", zorder=0)
        coherence.axvline(CUTOFF.get(which, np.nan), color="0.8", ls=":", zorder=0)
        finish(sta, xlabel="time from the spike (ms)", ylabel="mean sound level (SD)")
        finish(coherence, xlabel="frequency (Hz)", ylabel="coherence in single trials", ylim=(0, 1))
    _legend(figure, axes[0, 1])
    return figure


def _legend(figure: Figure, ax: Any) -> None:
    """The legend of all models below the panels."""
    lines = [ax.plot([], [], color=colour, label=model)[0] for model, colour in COLOURS.items()]
    figure.legend(handles=lines, frameon=False, fontsize=9, loc="outside lower right", ncols=len(COLOURS))


def _band(ax: Any, table: pd.DataFrame, which: int) -> None:
    """The band of the coherence of single trials of the noisy model."""
    rows = _rows(table, which, "noisy", "coherence")
    band = _rows(table, which, "noisy", "coherence band").value
    if len(band):
        rows = rows[(rows.x >= LOWEST) & (rows.x <= CUTOFF.get(which, np.inf))]
        width = band.iloc[0] * rows.sd
        low, high = rows.value - width, rows.value + width
        ax.fill_between(rows.x, low, high, color=COLOURS["noisy"], alpha=0.15, lw=0)


def _raster(ax: Any, table: pd.DataFrame, which: int) -> None:
    top, ticks = 0.0, {}
    for model, colour in COLOURS.items():
        spikes = _rows(table, which, model, "spike (excerpt)")
        several = model in _SEVERAL  # trials of a model without noise are identical
        count, height = (int(spikes.value.max()) + 1, 1) if several else (1, 3)
        trials = [1e3 * spikes.x[spikes.value == k].to_numpy() for k in range(count)]
        places = top + height * (np.arange(count) + 0.5)
        ax.eventplot(trials, lineoffsets=places, linelengths=0.85 * height, linewidths=0.9, color=colour)
        ticks[model] = top + count * height / 2
        top += count * height + 1
    ax.set_yticks(list(ticks.values()), list(ticks))
    ax.tick_params(axis="y", length=0)
    title, time = f"recording {which}: spikes", "time in the test half (ms)"
    finish(ax, xlim=(1000, 1600), ylim=(top, -0.5), xlabel=time, title=title)
    ax.spines["left"].set_visible(False)


def held_out(table: pd.DataFrame) -> Figure:
    """Bits per spike of the noisy models in segments."""
    recordings, models = sorted(table.recording.unique()), ("noisy", "GLM", "LIF")
    figure = Figure(figsize=(3.4 * len(recordings), 2.8), layout="constrained")
    for ax, which in zip(figure.subplots(1, len(recordings), squeeze=False)[0], recordings, strict=True):
        for k, model in enumerate(models):
            parts = _rows(table, which, model, "bits per spike, by segment").value
            mean = _rows(table, which, model, "bits per spike").iloc[0]
            ax.plot(np.full(len(parts), k), parts, "o", ms=3, color=COLOURS[model], alpha=0.4)
            points(ax, k + 0.2, mean["value"], mean["sd"], fmt="s", color=COLOURS[model])
        ax.set_xticks(range(len(models)), models)
        ax.axhline(0, color="0.85", lw=0.8, zorder=0)
        limits = (-0.5, len(models) - 0.5)
        finish(ax, title=f"recording {which}", ylabel="bits per spike", xlim=limits)
    return figure


def statistics(table: pd.DataFrame) -> Figure:
    """Statistics of single trials."""
    recordings = sorted(table.recording.unique())
    figure = Figure(figsize=(11, 2.7 * len(recordings)), layout="constrained")
    axes = figure.subplots(len(recordings), 6, width_ratios=[1] * 5 + [1.5], squeeze=False)
    for row, which in zip(axes, recordings, strict=True):
        for ax, quantity in zip(row, _STATISTICS, strict=False):
            _points(ax, table, which, quantity)
        _fano(row[5], table, which)
        row[0].set_ylabel(f"recording {which}")
    _legend(figure, axes[0, 5])
    return figure


def _points(ax: Any, table: pd.DataFrame, which: int, quantity: str) -> None:
    names = list(COLOURS)[1:]
    for k, model in enumerate(names):
        row = _rows(table, which, model, quantity).iloc[0]
        points(ax, k, row["value"], row["sd"] if row["sd"] > 0 else None, fmt="o", color=COLOURS[model])
    recorded = _rows(table, which, "recorded", quantity).iloc[0]
    ax.axhline(recorded.value, color=BLACK, lw=1.2, zorder=0)
    ax.set_xticks([])
    finish(ax, xlim=(-0.5, len(names) - 0.5))
    title = quantity.replace(" per spike", "\nper spike")
    ax.set_title(title if recorded.unit == "1" else f"{title} ({recorded.unit})", fontsize=9)
    if quantity == "rate":
        ax.set_ylim(0, 1.05 * ax.get_ylim()[1])


def _fano(ax: Any, table: pd.DataFrame, which: int) -> None:
    for model, colour in COLOURS.items():
        rows = _rows(table, which, model, "Fano factor (windows)")
        points(ax, 1e3 * rows.x, rows.value, rows.sd.where(rows.sd > 0), fmt="o-", ms=3, color=colour)
    log_axis(ax, 1e3 * np.unique(rows.x))
    finish(ax, xlabel="window (ms)")
    ax.set_title("Fano factor", fontsize=9)


def against_noise(table: pd.DataFrame) -> Figure:
    """Information bound, reliability and rate of the noisy model against its noise."""
    recordings = sorted(table.recording.unique())
    figure = Figure(figsize=(9.5, 2.9 * len(recordings)), layout="constrained")
    axes = figure.subplots(len(recordings), 3, squeeze=False)
    for row, which in zip(axes, recordings, strict=True):
        for ax, (quantity, label, recorded) in zip(row, _AGAINST_NOISE, strict=True):
            curve = _rows(table, which, "sweep", quantity)
            error, first = curve.sd.where(curve.sd > 0), ax is axes[0, 0]
            points(ax, curve.x, curve.value, error, fmt="o-", color=BLUE, label="model" if first else None)
            ax.axvline(1.0, color="0.6", ls=":", zorder=0, label="calibrated" if first else None)
            if recorded:
                cell = _rows(table, which, "recorded", recorded).value.iloc[0]
                ax.axhline(cell, color=BLACK, lw=1, zorder=0, label="cell" if first else None)
            limits = {"xlim": (0, None), "ylim": (0, None)}
            finish(ax, xlabel="noise / calibrated noise", ylabel=label, **limits)
        row[0].set_title(f"recording {which}", loc="left", fontsize=10)
    return figure
