"""Figures of the study `variability_reliability`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..shared.figures import BLACK, BLUE, GREEN, ORANGE, SKY, equality, finish, log_axis, means, points
from ..shared.tables import where
from .config import CLAIM

STYLES: tuple[tuple[str, str, Any], ...] = (
    (BLACK, "v", ":"),
    (SKY, "o", "--"),
    (GREEN, "s", "-."),
    (ORANGE, "^", (0, (4, 1))),
    (BLUE, "D", "-"),
)


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The model; the constant current and theory; cell and model, if the recordings were available."""
    drawn = {
        f"{CLAIM}. Top: spikes in 20 trials at one sigma, under a constant current and under the strongest frozen "
        "fluctuation. Below: Schreiber's reliability, the jitter of firing events, and the Fano factor of the count (filled) "
        "and CV^2 of the intervals (open), against sigma. Bars: 95 % intervals over seeds.": plot(table),
        "Constant current: CV of the intervals with Siegert's theory (line), and standard deviation of the time of the n-th "
        "spike with that of a renewal process (lines). Bars: two standard errors.": constant(table),
    }
    if (table.part == "cell").any():
        drawn[
            "A rat cortical neuron and the LIF neuron in the same currents, second halves of the recordings. Left: Gamma against "
            "the standard deviation of the current; lines join settings of similar mean. Middle: Gamma of the model against "
            "that of the cell; filled settings were not used in the fit. Right: Gamma of the model, mean over settings, against "
            "its sigma in units of the fitted one."
        ] = recorded(table)
    return drawn


def _sigma_axis(ax: Any, sigmas: list[float]) -> None:
    """Logarithmic axis, with sigma 0 at half the smallest sigma."""
    log_axis(ax, [_place(s, sigmas) for s in sigmas])
    ax.set_xticks(ax.get_xticks(), [f"{s:g}" for s in sigmas])


def _place(sigma: float, sigmas: list[float]) -> float:
    return min(s for s in sigmas if s > 0) / 2 if sigma == 0 else sigma


def _curves(
    ax: Any, table: pd.DataFrame, quantity: str, fluctuations: list[float], *, power: int = 1, **style: Any
) -> None:
    """A quantity (to a power) against sigma, a curve per fluctuation."""
    rows = where(table, part="frozen", quantity=quantity)
    every = sorted(table[table.part == "frozen"].fluctuation.unique())
    sigmas = sorted(rows.sigma.unique())
    for fluctuation in fluctuations:
        colour, marker, line = STYLES[-len(every) :][every.index(fluctuation)]
        groups = rows[rows.fluctuation == fluctuation].dropna(subset="value").groupby("sigma").value
        values = {_place(s, sigmas): v.to_numpy() ** power for s, v in groups if len(v) > 1}
        label = "constant" if fluctuation == 0 else f"{fluctuation:g} mV"
        look = {"color": colour, "marker": marker, "ls": line, "label": label} | style
        means(ax, list(values), values.values(), **look)
    _sigma_axis(ax, sigmas)


def plot(table: pd.DataFrame) -> Figure:
    """Rasters above; reliability, jitter, Fano factor and CV^2 below."""
    figure = Figure(figsize=(9.5, 6.2), layout="constrained")
    grid = figure.add_gridspec(2, 6, height_ratios=(0.8, 1))
    raster = table[table.part == "raster"]
    for k, (fluctuation, rows) in enumerate(raster.groupby("fluctuation")):
        ax = figure.add_subplot(grid[0, 3 * k : 3 * k + 3])
        ax.plot(1e3 * rows.value, rows.x + 1, "|", color=STYLES[0][0] if k == 0 else STYLES[-1][0], ms=5)
        kind = "constant current" if fluctuation == 0 else f"frozen current, SD {fluctuation:g} mV"
        finish(ax, "AB"[k], xlabel="time (ms)", ylabel="trial", xlim=(0, 800))
        ax.set_title(f"{kind}, sigma {rows.sigma.iloc[0]:g} mV", fontsize=10)
    every = sorted(table[table.part == "frozen"].fluctuation.unique())
    left, middle, right = (figure.add_subplot(grid[1, 2 * k : 2 * k + 2]) for k in range(3))
    ends = [every[0], every[-1]]
    _curves(left, table, "reliability", every)
    _curves(middle, table, "jitter", every[-2:], scale=1e3)
    _curves(right, table, "Fano factor", ends)
    _curves(right, table, "CV", ends, power=2, mfc="white", label=None)
    title = {"title": "SD of the input", "title_fontsize": 8}
    low = {"loc": "lower left", "ncols": 2}
    finish(
        left, "C", legend=title | low, xlabel="sigma (mV)", ylabel="Schreiber's reliability", ylim=(0, 1.05)
    )
    finish(middle, "D", legend=title, xlabel="sigma (mV)", ylabel="jitter of events (ms)", ylim=(0, None))
    both = "Fano factor (filled), CV$^2$ (open)"
    finish(right, "E", legend=title, xlabel="sigma (mV)", ylabel=both, ylim=(-0.02, None))
    return figure


def constant(table: pd.DataFrame) -> Figure:
    """The constant current compared with theory."""
    figure = Figure(figsize=(8, 3.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = where(table, part="constant", quantity="CV").sort_values("sigma")
    left.plot(rows.sigma, rows.exact, color=BLACK, lw=1.2, label="Siegert's theory")
    points(left, rows.sigma, rows.value, 2 * rows.se, fmt="o", color=BLUE, label="simulated")
    _sigma_axis(left, sorted(rows.sigma))
    rows = (
        1e3
        * where(table, part="constant", quantity="spread").set_index(["sigma", "x"])[["value", "se", "exact"]]
    )
    sigmas = rows.index.unique("sigma").sort_values()
    for (colour, marker, line), sigma in zip((*STYLES[::-1], *STYLES[::-1]), sigmas, strict=False):
        part = rows.loc[sigma].sort_index()
        right.plot(part.index, part.exact, color=colour, ls=line, lw=1.2)
        points(right, part.index, part.value, 2 * part.se, fmt=marker, color=colour, label=f"{sigma:g} mV")
    log_axis(right, sorted(rows.index.unique("x")))
    low, high = rows.value.min(), rows.value.max()
    log_axis(right, [t for t in (1, 2, 5, 10, 20, 50, 100) if 0.8 * low < t < 1.5 * high], axis="y")
    finish(left, "A", xlabel="sigma (mV)", ylabel="CV of the intervals")
    legend = {"title": "sigma", "title_fontsize": 8, "ncols": 2}
    spread = "SD of the time of the n-th spike (ms)"
    finish(right, "B", legend=legend, xlabel="spike number n", ylabel=spread)
    return figure


def recorded(table: pd.DataFrame) -> Figure:
    """Cell and model."""
    figure = Figure(figsize=(10.5, 3.5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    part = where(table, part="cell", quantity="Gamma")
    cell = part[part.source == "cell"].sort_values("fluctuation")
    lif = where(part, source="LIF", x=1).sort_values("fluctuation")
    mean = np.round(cell.x.to_numpy() / 6)  # settings of similar mean
    for which, marker in zip(sorted(set(mean)), "osD^v", strict=False):
        own = mean == which
        style: dict[str, Any] = {"marker": marker, "ms": 5, "lw": 1.2}
        label = f"cell, mean {cell.x.to_numpy()[own].mean():.0f} mV"
        left.plot(cell.fluctuation[own], cell.value[own], color=ORANGE, label=label, **style)
        left.plot(lif.fluctuation[own], lif.value[own], "--", color=BLUE, mfc="white", **style)
    left.plot([], [], "o--", color=BLUE, mfc="white", ms=5, lw=1.2, label="LIF, same means")
    seen = cell.setting.str.endswith("*").to_numpy()
    for own, face, text in (
        (~seen, BLUE, "not used in the fit"),
        (seen, "white", "first half used in the fit"),
    ):
        middle.plot(cell.value[own], lif.value[own], "o", color=BLUE, mfc=face, ms=6, label=text)
    equality(middle, 0, 1)
    by = part[part.source == "LIF"].groupby("x").value.mean()
    right.plot(by, "o-", color=BLUE, ms=5, lw=1.3, label="LIF, mean over settings")
    right.axhline(cell.value.mean(), color=ORANGE, ls="--", lw=1.3, label="cell, mean over settings")
    right.axvline(1, color=BLACK, ls=":", lw=0.8)
    gamma, limits = "Gamma, 2 ms", (-0.05, 1.05)
    small = {"fontsize": 7.5, "loc": "lower right"}
    finish(left, "A", legend=small, xlabel="SD of the current, R I (mV)", ylabel=gamma, ylim=limits)
    finish(middle, "B", xlabel="Gamma of the cell", ylabel="Gamma of the LIF", xlim=limits, ylim=limits)
    finish(right, "C", xlabel="sigma / fitted sigma", ylabel=gamma, ylim=(0, 1.05))
    return figure
