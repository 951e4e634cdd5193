"""Figures of the study `information_transfer`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..shared.figures import STYLES, finish, log_axis, points
from ..shared.tables import where
from .config import CLAIM
from .verdicts import WEAK, of_copies, sigmas_of, weak_sigmas

SIGMA, FREQUENCY = "sigma (mV)", "frequency (Hz)"


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


def plot(table: pd.DataFrame) -> Figure:
    """Coherence, information against sigma, direct method and bound, recorded neurons."""
    figure = Figure(figsize=(9.5, 7), layout="constrained")
    (a, b), (c, d) = figure.subplots(2, 2)
    for (colour, marker, line), sigma in zip(STYLES, _some(weak_sigmas(table)), strict=False):
        rows = _curve(table, "weak", sigma, "coherence")
        _compared(a, rows, (colour, marker, line), label=f"sigma {sigma:g} mV")
    finish(a, "A", xlabel=FREQUENCY, ylabel="coherence with the weak signal", ylim=(0, None))
    _information(b, table)
    _direct(c, table)
    _recorded(d, table)
    return figure


def _sigma_axis(ax: Any, sigmas: list[float]) -> None:
    log_axis(ax, sigmas)
    ahead = [*sigmas[1:], np.inf]  # omit labels that would overlap with the next one
    ax.set_xticklabels([f"{s:g}" if after / s > 1.22 else "" for s, after in zip(sigmas, ahead, strict=True)])


def _some(sigmas: list[float], most: int = 4) -> list[float]:
    """At most `most` values, evenly spaced."""
    return [sigmas[k] for k in np.unique(np.linspace(0, len(sigmas) - 1, most).round().astype(int))]


def _curve(table: pd.DataFrame, signal: str, sigma: float, quantity: str) -> pd.DataFrame:
    rows = where(table, part="response", signal=signal, quantity=quantity)
    return rows[rows.sigma == sigma].sort_values("x")


def _compared(ax: Any, rows: pd.DataFrame, style: tuple[str, str, Any], label: str = "") -> None:
    """Simulated values with two standard errors, and the line of theory."""
    colour, marker, line = style
    ax.plot(rows.x, rows.exact, color=colour, ls=line, lw=1.4)
    points(ax, rows.x, rows.value, 2 * rows.se, fmt=marker, color=colour, label=label, ms=4, capsize=0)


def _over_copies(table: pd.DataFrame, signal: str, quantity: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean over copies and two standard errors at each sigma."""
    each = [of_copies(table, signal, sigma, quantity) for sigma in sigmas_of(table)]
    return np.array([v.mean() for v in each]), 2 * np.array([v.sem() for v in each])


def _information(ax: Any, table: pd.DataFrame) -> None:
    sigmas = sigmas_of(table)
    theory = where(table, part="theory", quantity="bound")
    for (colour, marker, line), signal in zip(STYLES, ("weak", "strong"), strict=False):
        rows = theory[theory.signal == signal].sort_values("sigma")
        ax.plot(rows.sigma, rows.value, color=colour, ls=line, lw=1.4, label=f"{signal}, linear theory")
        mean, error = _over_copies(table, signal, "bound")
        points(ax, sigmas, mean, error, fmt=marker, color=colour, label=f"{signal}, simulated")
    least = float(where(table, quantity="membrane", signal="weak").value.iloc[0]) / WEAK
    low = float(theory.sigma.min())
    ax.axvspan(low, least, color="0.92", zorder=0)
    _sigma_axis(ax, sigmas)
    loud = theory[(theory.signal == "weak") & theory.sigma.isin(sorted(theory.sigma)[-3:])]
    limits = {"xlim": (low, None), "ylim": (0.5 * float(loud.value.min()), None), "yscale": "log"}
    bits = "information bound (bit/s; points raw)"
    finish(ax, "B", legend={"loc": "center right"}, xlabel=SIGMA, ylabel=bits, **limits)


def _direct(ax: Any, table: pd.DataFrame) -> None:
    sigmas, right = sigmas_of(table), ax.twinx()
    rates = [of_copies(table, "strong", s, "rate") for s in sigmas]
    names = {"direct": "direct method", "bound": "coherence bound"}
    for (colour, marker, line), (quantity, text) in zip(STYLES, names.items(), strict=False):
        mean, error = _over_copies(table, "strong", quantity)
        points(ax, sigmas, mean, error, marker=marker, ls=line, color=colour, label=text)
        values = [of_copies(table, "strong", s, quantity) for s in sigmas]
        each = [float((v / r).mean()) for v, r in zip(values, rates, strict=True)]
        points(right, sigmas, each, marker=marker, ls=":", color=colour, mfc="white")
        ax.plot([], [], marker=marker, ls=":", color=colour, mfc="white", label=f"{text}, per spike")
    _sigma_axis(ax, sigmas)
    legend = {"loc": "upper right", "ncols": 2}
    finish(ax, "C", legend=legend, xlabel=SIGMA, ylabel="raw information, strong signal (bit/s)")
    right.set_ylabel("raw information per spike (bit, open symbols)")
    right.spines["top"].set_visible(False)
    for axis in (ax, right):
        axis.set_ylim(0, 1.35 * axis.get_ylim()[1])


def _recorded(ax: Any, table: pd.DataFrame) -> None:
    rows = table[(table.part == "recorded") & (table.quantity == "coherence") & (table.x > 0)]
    for (colour, _, line), (name, part) in zip(STYLES[1:], rows.groupby("source", sort=False), strict=False):
        ax.plot(part.x, part.value, color=colour, ls=line, lw=1.2, label=str(name))
    best = max(sigmas_of(table), key=lambda s: of_copies(table, "strong", s, "bound").mean())
    part = _curve(table, "strong", best, "coherence").query("x > 0")
    label = f"LIF neuron, strong signal, sigma {best:g} mV"
    ax.plot(part.x, part.value, "o-", color=STYLES[0][0], ms=3.5, lw=1.2, label=label)
    log_axis(ax, [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])
    legend = {"loc": "upper right"}
    finish(ax, "D", legend=legend, xlabel=FREQUENCY, ylabel="coherence with the stimulus", ylim=(0, 1.1))


def responses(table: pd.DataFrame) -> Figure:
    """Gain, phase and spectrum compared with theory."""
    figure = Figure(figsize=(10.5, 3.4), layout="constrained")
    gain, phase, spectrum = figure.subplots(1, 3)
    for style, sigma in zip(STYLES, _some(weak_sigmas(table)), strict=False):
        real, imaginary = (_curve(table, "weak", sigma, f"chi, {part}") for part in ("real", "imaginary"))
        chi, exact = (real[name].to_numpy() + 1j * imaginary[name].to_numpy() for name in ("value", "exact"))
        size = real.assign(value=np.abs(chi), exact=np.abs(exact))
        _compared(gain, size, style, label=f"sigma {sigma:g} mV")
        angle = {"value": np.angle(chi, deg=True), "exact": np.angle(exact, deg=True)}
        _compared(phase, real.assign(**angle, se=np.degrees(real.se / np.abs(chi))), style)
        _compared(spectrum, _curve(table, "none", sigma, "spectrum"), style)
    gain.set_ylim(0, 1.3 * gain.get_ylim()[1])
    finish(gain, "A", legend={"loc": "upper right", "ncols": 2}, xlabel=FREQUENCY, ylabel="gain (Hz/mV)")
    finish(phase, "B", xlabel=FREQUENCY, ylabel="phase (degrees)", ylim=(-120, 90))
    finish(spectrum, "C", xlabel=FREQUENCY, ylabel="spectrum without signal (Hz)", ylim=(0, None))
    return figure
