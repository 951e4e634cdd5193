"""Figures of the study `variability_reliability`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..shared.intervals import mean_and_half
from .config import CLAIM


def plot(table: pd.DataFrame) -> Figure:
    """Rasters, reliability, jitter, Fano factor and CV of the model."""
    return model(table)


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


STYLES = (
    ("#000000", "v", ":"),
    ("#56B4E9", "o", "--"),
    ("#009E73", "s", "-."),
    ("#D55E00", "^", (0, (4, 1))),
    ("#0072B2", "D", "-"),
)


def _tidy(ax: Axes, letter: str, **labels: Any) -> None:
    ax.set(**labels)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(letter, loc="left", fontweight="bold", fontsize=10)


def _sigma_axis(ax: Axes, sigmas: list[float]) -> None:
    """Logarithmic axis, with sigma 0 at half the smallest sigma."""
    ax.set_xscale("log", base=2)
    least = min(s for s in sigmas if s > 0)
    ax.set_xticks([least / 2 if s == 0 else s for s in sigmas], [f"{s:g}" for s in sigmas])
    ax.minorticks_off()


def _curves(
    ax: Axes, table: pd.DataFrame, quantity: str, fluctuations: list[float], scale: float = 1.0, **style: Any
) -> None:
    rows = table[(table.part == "frozen") & (table.quantity == quantity)]
    every = sorted(table[table.part == "frozen"].fluctuation.unique())
    sigmas = sorted(rows.sigma.unique())
    least = min(s for s in sigmas if s > 0)
    power = style.pop("power", 1)
    label = style.pop("label", True)
    for fluctuation in fluctuations:
        colour, marker, line = STYLES[-len(every) :][every.index(fluctuation)]
        points = []
        for sigma in sigmas:
            values = rows[(rows.fluctuation == fluctuation) & (rows.sigma == sigma)].value.dropna()
            if len(values) > 1:
                points.append(
                    (least / 2 if sigma == 0 else sigma, *mean_and_half(scale * values.to_numpy() ** power))
                )
        x, y, bar = np.array(points).T
        text = "constant" if fluctuation == 0 else f"{fluctuation:g} mV"
        ax.errorbar(
            x, y, yerr=bar, color=colour, marker=marker, ls=line, ms=4.5, lw=1.3, capsize=2, label=text if label else None, **style
        )  # fmt: skip
    _sigma_axis(ax, sigmas)


def model(table: pd.DataFrame) -> Figure:
    """Rasters above; reliability, jitter, Fano factor and CV^2 below."""
    figure = Figure(figsize=(9.5, 6.2), layout="constrained")
    grid = figure.add_gridspec(2, 6, height_ratios=(0.8, 1))
    raster = table[table.part == "raster"]
    for k, fluctuation in enumerate(sorted(raster.fluctuation.unique())):
        ax = figure.add_subplot(grid[0, 3 * k : 3 * k + 3])
        rows = raster[raster.fluctuation == fluctuation]
        ax.plot(1e3 * rows.value, rows.x + 1, "|", color=STYLES[0][0] if k == 0 else STYLES[-1][0], ms=5)
        kind = "constant current" if fluctuation == 0 else f"frozen current, SD {fluctuation:g} mV"
        _tidy(ax, "AB"[k], xlabel="time (ms)", ylabel="trial", xlim=(0, 800))
        ax.set_title(f"{kind}, sigma {rows.sigma.iloc[0]:g} mV", fontsize=10)
    frozen = table[table.part == "frozen"]
    fluctuations = sorted(frozen.fluctuation.unique())
    axes = [figure.add_subplot(grid[1, 2 * k : 2 * k + 2]) for k in range(3)]
    _curves(axes[0], table, "reliability", fluctuations)
    _tidy(axes[0], "C", xlabel="sigma (mV)", ylabel="Schreiber's reliability", ylim=(0, 1.05))
    axes[0].legend(
        frameon=False, fontsize=8, title="SD of the input", title_fontsize=8, loc="lower left", ncols=2
    )
    _curves(axes[1], table, "jitter", fluctuations[-2:], 1e3)
    _tidy(axes[1], "D", xlabel="sigma (mV)", ylabel="jitter of events (ms)")
    axes[1].set_ylim(bottom=0)
    axes[1].legend(frameon=False, fontsize=8, title="SD of the input", title_fontsize=8, loc="upper left")
    ends = [fluctuations[0], fluctuations[-1]]
    _curves(axes[2], table, "Fano factor", ends)
    _curves(axes[2], table, "CV", ends, power=2, mfc="white", label=False)
    _tidy(axes[2], "E", xlabel="sigma (mV)", ylabel="Fano factor (filled), CV$^2$ (open)")
    axes[2].set_ylim(bottom=-0.02)
    axes[2].legend(frameon=False, fontsize=8, title="SD of the input", title_fontsize=8, loc="center left")
    return figure


def constant(table: pd.DataFrame) -> Figure:
    """The constant current compared with theory."""
    figure = Figure(figsize=(8, 3.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = table[(table.part == "constant") & (table.quantity == "CV")].sort_values("sigma")
    left.plot(rows.sigma, rows.exact, color="black", lw=1.2, label="Siegert's theory")
    left.errorbar(
        rows.sigma, rows.value, yerr=2 * rows.se, fmt="o", ms=5, color="#0072B2", capsize=2, label="simulated"
    )
    _sigma_axis(left, sorted(rows.sigma))
    _tidy(left, "A", xlabel="sigma (mV)", ylabel="CV of the intervals")
    left.legend(frameon=False, fontsize=8)
    rows = table[(table.part == "constant") & (table.quantity == "spread")]
    sigmas = sorted(rows.sigma.unique())
    for (colour, marker, line), sigma in zip((*STYLES[::-1], *STYLES[::-1]), sigmas, strict=False):
        part = rows[rows.sigma == sigma].sort_values("x")
        right.plot(part.x, 1e3 * part.exact, color=colour, ls=line, lw=1.2)
        right.errorbar(
            part.x,
            1e3 * part.value,
            yerr=2e3 * part.se,
            fmt=marker,
            ms=4.5,
            color=colour,
            capsize=2,
            label=f"{sigma:g} mV",
        )
    ticks = sorted(rows.x.unique())
    right.set(xscale="log", yscale="log")
    right.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ticks = [t for t in (1, 2, 5, 10, 20, 50, 100) if 0.8e3 * rows.value.min() < t < 1.5e3 * rows.value.max()]
    right.set_yticks(ticks, [f"{t:g}" for t in ticks])
    right.minorticks_off()
    _tidy(right, "B", xlabel="spike number n", ylabel="SD of the time of the n-th spike (ms)")
    right.legend(frameon=False, fontsize=8, title="sigma", title_fontsize=8, ncols=2)
    return figure


def recorded(table: pd.DataFrame) -> Figure:
    """Cell and model."""
    figure = Figure(figsize=(10.5, 3.5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    part = table[(table.part == "cell") & (table.quantity == "Gamma")]
    cell = part[part.source == "cell"].sort_values("fluctuation")
    lif = part[(part.source == "LIF") & (part.x == 1)].sort_values("fluctuation")
    mean = np.round(cell.x.to_numpy() / 6)  # settings of similar mean
    for which, marker in zip(sorted(set(mean)), "osD^v", strict=False):
        for rows, colour, line, name in ((cell, "#D55E00", "-", "cell"), (lif, "#0072B2", "--", "LIF")):
            chosen = mean == which
            text = f"{name}, mean {cell.x.to_numpy()[chosen].mean():.0f} mV" if name == "cell" else None
            face = colour if name == "cell" else "white"
            left.plot(
                rows.fluctuation[chosen],
                rows.value[chosen],
                marker=marker,
                mfc=face,
                ls=line,
                color=colour,
                ms=5,
                lw=1.2,
                label=text,
            )
    left.plot([], [], "--", color="#0072B2", marker="o", mfc="white", ms=5, lw=1.2, label="LIF, same means")
    _tidy(left, "A", xlabel="SD of the current, R I (mV)", ylabel="Gamma, 2 ms", ylim=(-0.05, 1.05))
    left.legend(frameon=False, fontsize=7.5, loc="lower right")
    seen = cell.setting.str.endswith("*").to_numpy()
    for chosen, face, text in (
        (~seen, "#0072B2", "not used in the fit"),
        (seen, "white", "first half used in the fit"),
    ):
        middle.plot(cell.value[chosen], lif.value[chosen], "o", color="#0072B2", mfc=face, ms=6, label=text)
    middle.plot([0, 1], [0, 1], color="black", lw=0.8, ls=":")
    _tidy(
        middle,
        "B",
        xlabel="Gamma of the cell",
        ylabel="Gamma of the LIF",
        xlim=(-0.05, 1.05),
        ylim=(-0.05, 1.05),
    )
    middle.legend(frameon=False, fontsize=8, loc="upper left")
    by = part[part.source == "LIF"].groupby("x").value
    right.plot(
        by.mean().index, by.mean(), "o-", color="#0072B2", ms=5, lw=1.3, label="LIF, mean over settings"
    )
    right.axhline(cell.value.mean(), color="#D55E00", ls="--", lw=1.3, label="cell, mean over settings")
    right.axvline(1, color="black", ls=":", lw=0.8)
    _tidy(right, "C", xlabel="sigma / fitted sigma", ylabel="Gamma, 2 ms", ylim=(0, 1.05))
    right.legend(frameon=False, fontsize=8)
    return figure
