"""Figures of the study `information_transfer`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .config import CLAIM
from .verdicts import WEAK, of_copies, sigmas_of, weak_sigmas


def plot(table: pd.DataFrame) -> Figure:
    """Coherence, information against sigma, direct method and bound, recorded neurons."""
    return transfer(table)


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The main figure, and susceptibility and spectrum compared with theory."""
    return {
        f"{CLAIM}. A: coherence of spikes and weak signal, simulated (points) and by linear theory (lines). B: lower bound of the "
        "information rate against sigma for the weak and the strong signal, with linear theory (lines); shaded: the weak signal "
        "moves the free membrane by more than sigma / 4. C: information about the strong signal by the direct method and by the "
        "bound (left axis), and bits per spike (right axis). D: coherence of recorded neurons with their stimuli, and of the "
        "model with the strong signal. Bars: two standard errors.": plot(table),
        "Gain and phase of the susceptibility, and spectrum without signal, simulated (points, two standard errors) and by the "
        "Fokker-Planck equation (lines), for values of sigma at which the signal is weak.": responses(table),
    }


STYLES = (
    ("#0072B2", "o", "-"),
    ("#D55E00", "s", "--"),
    ("#009E73", "^", "-."),
    ("#CC79A7", "D", ":"),
    ("#56B4E9", "v", (0, (5, 1))),
    ("#000000", "P", (0, (1, 1))),
    ("#E69F00", "X", (0, (3, 1, 1, 1, 1, 1))),
)


def _tidy(ax: Axes, letter: str, **labels: Any) -> None:
    ax.set(**labels)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(letter, loc="left", fontweight="bold", fontsize=10)


def _sigma_axis(ax: Axes, sigmas: list[float]) -> None:
    ax.set_xscale("log")
    ahead = [*sigmas[1:], np.inf]  # omit labels that would overlap with the next one
    ax.set_xticks(
        sigmas, [f"{s:g}" if after / s > 1.22 else "" for s, after in zip(sigmas, ahead, strict=True)]
    )
    ax.minorticks_off()


def _some(sigmas: list[float], most: int = 4) -> list[float]:
    """At most `most` values, evenly spaced."""
    return [sigmas[k] for k in np.unique(np.linspace(0, len(sigmas) - 1, most).round().astype(int))]


def _curve(table: pd.DataFrame, signal: str, sigma: float, quantity: str) -> pd.DataFrame:
    rows = table[(table.part == "response") & (table.signal == signal) & (table.quantity == quantity)]
    return rows[rows.sigma == sigma].sort_values("x")


def transfer(table: pd.DataFrame) -> Figure:
    """Coherence, information against sigma, direct method, recorded neurons."""
    figure = Figure(figsize=(9.5, 7), layout="constrained")
    (a, b), (c, d) = figure.subplots(2, 2)
    _coherence(a, table)
    _information(b, table)
    _direct(c, table)
    _recorded(d, table)
    return figure


def _coherence(ax: Axes, table: pd.DataFrame) -> None:
    for (colour, marker, line), sigma in zip(STYLES, _some(weak_sigmas(table)), strict=False):
        rows = _curve(table, "weak", sigma, "coherence")
        ax.plot(rows.x, rows.exact, color=colour, ls=line, lw=1.4)
        ax.errorbar(
            rows.x,
            rows.value,
            yerr=2 * rows.se,
            fmt=marker,
            color=colour,
            ms=4,
            lw=0.8,
            label=f"sigma {sigma:g} mV",
        )
    _tidy(ax, "A", xlabel="frequency (Hz)", ylabel="coherence with the weak signal", ylim=(0, None))
    ax.legend(frameon=False, fontsize=8)


def _information(ax: Axes, table: pd.DataFrame) -> None:
    sigmas = sigmas_of(table)
    theory = table[(table.part == "theory") & (table.quantity == "bound")]
    for (colour, marker, line), signal in zip(STYLES, ("weak", "strong"), strict=False):
        rows = theory[theory.signal == signal].sort_values("sigma")
        ax.plot(rows.sigma, rows.value, color=colour, ls=line, lw=1.4, label=f"{signal}, linear theory")
        points = [of_copies(table, signal, s, "bound") for s in sigmas]
        mean, se = np.array([[p.mean(), p.sem()] for p in points]).T
        ax.errorbar(
            sigmas, mean, yerr=2 * se, fmt=marker, color=colour, ms=5, capsize=2, label=f"{signal}, simulated"
        )
    least = float(table[(table.quantity == "membrane") & (table.signal == "weak")].value.iloc[0]) / WEAK
    low = float(theory.sigma.min())
    ax.axvspan(low, least, color="0.92", zorder=0)
    ax.set_yscale("log")
    _sigma_axis(ax, sigmas)
    floor = 0.5 * float(
        theory[(theory.signal == "weak") & theory.sigma.isin(sorted(theory.sigma)[-3:])].value.min()
    )
    _tidy(
        ax,
        "B",
        xlabel="sigma (mV)",
        ylabel="information bound (bit/s; points raw)",
        xlim=(low, None),
        ylim=(floor, None),
    )
    ax.legend(frameon=False, fontsize=8, loc="center right")


def _direct(ax: Axes, table: pd.DataFrame) -> None:
    sigmas = sigmas_of(table)
    right = ax.twinx()
    for (colour, marker, line), quantity, text in zip(
        STYLES, ("direct", "bound"), ("direct method", "coherence bound"), strict=False
    ):
        values = [of_copies(table, "strong", s, quantity) for s in sigmas]
        mean, se = np.array([[v.mean(), v.sem()] for v in values]).T
        ax.errorbar(
            sigmas,
            mean,
            yerr=2 * se,
            marker=marker,
            ls=line,
            color=colour,
            ms=5,
            lw=1.4,
            capsize=2,
            label=text,
        )
        rates = [of_copies(table, "strong", s, "rate") for s in sigmas]
        each = [float((v / r).mean()) for v, r in zip(values, rates, strict=True)]
        right.plot(
            sigmas,
            each,
            marker=marker,
            ls=":",
            color=colour,
            mfc="white",
            ms=5,
            lw=1,
            label=f"{text}, per spike",
        )
    _sigma_axis(ax, sigmas)
    _tidy(ax, "C", xlabel="sigma (mV)", ylabel="raw information, strong signal (bit/s)", ylim=(0, None))
    ax.set_ylim(0, 1.35 * ax.get_ylim()[1])
    right.set(ylabel="raw information per spike (bit, open symbols)", ylim=(0, None))
    right.set_ylim(0, 1.35 * right.get_ylim()[1])
    right.spines["top"].set_visible(False)
    handles = [h for one in (ax, right) for h in one.get_legend_handles_labels()[0]]
    labels = [t for one in (ax, right) for t in one.get_legend_handles_labels()[1]]
    ax.legend(handles, labels, frameon=False, fontsize=8, loc="upper right", ncols=2)


def _recorded(ax: Axes, table: pd.DataFrame) -> None:
    rows = table[(table.part == "recorded") & (table.quantity == "coherence") & (table.x > 0)]
    for (colour, _, line), (name, part) in zip(STYLES[1:], rows.groupby("source", sort=False), strict=False):
        ax.plot(part.x, part.value, color=colour, ls=line, lw=1.2, label=str(name))
    sigmas = sigmas_of(table)
    best = max(sigmas, key=lambda s: of_copies(table, "strong", s, "bound").mean())
    part = _curve(table, "strong", best, "coherence")
    part = part[part.x > 0]
    ax.plot(
        part.x,
        part.value,
        "o-",
        color=STYLES[0][0],
        ms=3.5,
        lw=1.2,
        label=f"LIF neuron, strong signal, sigma {best:g} mV",
    )
    ax.set_xscale("log")
    ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.minorticks_off()
    _tidy(ax, "D", xlabel="frequency (Hz)", ylabel="coherence with the stimulus", ylim=(0, 1.1))
    ax.legend(frameon=False, fontsize=8, loc="upper right")


def responses(table: pd.DataFrame) -> Figure:
    """Gain, phase and spectrum compared with theory."""
    figure = Figure(figsize=(10.5, 3.4), layout="constrained")
    gain, phase, spectrum = figure.subplots(1, 3)
    for (colour, marker, line), sigma in zip(STYLES, _some(weak_sigmas(table)), strict=False):
        real, imaginary = (_curve(table, "weak", sigma, f"chi, {part}") for part in ("real", "imaginary"))
        x, se = real.x.to_numpy(), real.se.to_numpy()
        chi = real.value.to_numpy() + 1j * imaginary.value.to_numpy()
        exact = real.exact.to_numpy() + 1j * imaginary.exact.to_numpy()
        style: dict[str, Any] = {"fmt": marker, "color": colour, "ms": 4, "lw": 0.8}
        gain.plot(x, np.abs(exact), color=colour, ls=line, lw=1.4)
        gain.errorbar(x, np.abs(chi), yerr=2 * se, label=f"sigma {sigma:g} mV", **style)
        phase.plot(x, np.angle(exact, deg=True), color=colour, ls=line, lw=1.4)
        phase.errorbar(x, np.angle(chi, deg=True), yerr=np.degrees(2 * se / np.abs(chi)), **style)
        rows = _curve(table, "none", sigma, "spectrum")
        spectrum.plot(rows.x, rows.exact, color=colour, ls=line, lw=1.4)
        spectrum.errorbar(rows.x, rows.value, yerr=2 * rows.se, **style)
    _tidy(gain, "A", xlabel="frequency (Hz)", ylabel="gain (Hz/mV)", ylim=(0, None))
    gain.set_ylim(0, 1.3 * gain.get_ylim()[1])
    gain.legend(frameon=False, fontsize=8, loc="upper right", ncols=2)
    _tidy(phase, "B", xlabel="frequency (Hz)", ylabel="phase (degrees)", ylim=(-120, 90))
    _tidy(spectrum, "C", xlabel="frequency (Hz)", ylabel="spectrum without signal (Hz)", ylim=(0, None))
    return figure
