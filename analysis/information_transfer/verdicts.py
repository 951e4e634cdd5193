"""Claims of the study `information_transfer` with their verdicts, its summary tables and its figures."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..harness import Claim, secondary
from ..shared.figures import STYLES, finish, log_axis, points
from ..shared.intervals import mean_and_half
from ..shared.tables import where
from . import recorded
from .config import CLAIM


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims with their evidence: about the model, then about recorded neurons."""
    weak = weak_sigmas(table)
    shown = ", ".join(f"{s:g}" for s in weak)
    return [
        _curve_claim(
            table,
            f"the susceptibility equals that of the Fokker-Planck equation at every frequency, |z| < 4 (sigma {shown} mV)",
            ("chi, real", "chi, imaginary"),
            "weak",
            weak,
        ),
        _curve_claim(
            table,
            f"the power spectrum without signal equals that of the Fokker-Planck equation, |z| < 4 (sigma {shown} mV)",
            ("spectrum",),
            "none",
            weak,
        ),
        _bound(table, weak),
        _maximum(table),
        _direct(table),
        *_secondary(table),
        *recorded.claims(table),
    ]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Rate and information at each sigma: means with standard errors over copies."""
    rows = []
    bounds = where(table, part="copy", quantity="bound")
    for level in ("weak", "strong"):
        for sigma in sorted(bounds.sigma.unique()):
            bound, rate, direct = (of_copies(table, level, sigma, q) for q in ("bound", "rate", "direct"))
            exact = where(bounds, signal=level, sigma=sigma).exact.iloc[0]
            row = {"signal": level, "sigma (mV)": f"{sigma:g}", "rate (Hz)": f"{rate.mean():.2f}"}
            row["raw bound (bit/s)"] = f"{bound.mean():.3f} ± {bound.sem():.2g}"
            row["linear theory"] = f"{exact:.3f}"
            row["raw direct (bit/s)"] = f"{direct.mean():.2f} ± {direct.sem():.2g}" if len(direct) else "-"
            row["raw bound per spike (bit)"] = f"{(bound / rate).mean():.3f}"
            row["raw direct per spike (bit)"] = f"{(direct / rate).mean():.3f}" if len(direct) else "-"
            rows.append(row)
    return pd.DataFrame(rows)


def headline(table: pd.DataFrame) -> str:
    """The main result in a sentence."""
    bounds = where(table, part="copy", quantity="bound", signal="weak")
    mean = bounds.groupby("sigma").value.mean()
    best = mean.idxmax()
    absent = "" if (table.source == "fly H1").any() else " The fly recording was absent and is omitted."
    return (
        f"Of the tested noise levels, the information rate about the weak signal is largest at {best:g} mV, {mean[best]:.2f} "
        f"bit/s, against {mean.iloc[0]:.2f} at {mean.index[0]:g} mV and {mean.iloc[-1]:.2f} at {mean.index[-1]:g} mV.{absent}"
    )


WEAK = 0.25  # largest SD of the free membrane under a weak signal, in units of sigma


def of_copies(table: pd.DataFrame, signal: str, sigma: float, quantity: str) -> pd.Series:
    """A quantity of each copy, by copy."""
    rows = where(table, part="copy", signal=signal, quantity=quantity)
    return rows[rows.sigma == sigma].set_index("copy").value


def weak_sigmas(table: pd.DataFrame) -> list[float]:
    """Values of sigma at which the weak signal meets the criterion `WEAK`."""
    rows = where(table, part="theory", signal="weak", quantity="membrane")
    return [s for s in sigmas_of(table) if rows.value.iloc[0] <= WEAK * s]


def sigmas_of(table: pd.DataFrame) -> list[float]:
    """Simulated values of sigma."""
    return sorted(table[table.part == "copy"].sigma.unique().tolist())


def _curve_claim(
    table: pd.DataFrame, text: str, quantities: tuple[str, ...], signal: str, sigmas: list[float]
) -> Claim:
    responses = table[(table.part == "response") & (table.x > 0)]
    rows = responses[responses.quantity.isin(quantities) & responses.sigma.isin(sigmas)]
    rows = rows[rows.signal == signal]
    z = ((rows.value - rows.exact) / rows.se).abs()
    expected = len(quantities) * len(sigmas) * responses.x.nunique()
    return Claim(
        text,
        len(z) == expected and expected > 0 and (z < 4).all(),
        f"{len(z)} of {expected} values: largest |z| {z.max():.1f}, root mean square {np.sqrt((z**2).mean()):.2f}",
    )


def _bound(table: pd.DataFrame, weak: list[float]) -> Claim:
    rows = where(table, part="copy", signal="weak", quantity="bound")
    parts, holds = [], len(weak) > 0
    for sigma in weak:
        values, exact = of_copies(table, "weak", sigma, "bound"), rows[rows.sigma == sigma].exact
        exact_value = float(exact.iloc[0]) if len(exact) else np.nan
        z = (values.mean() - exact_value) / values.sem() if len(values) > 1 else np.nan
        holds = holds and abs(z) < 4
        parts.append(
            f"sigma {sigma:g} mV: {values.mean():.3f} ± {values.sem():.2g}, theory {exact_value:.3f} (z {z:+.1f})"
        )
    return Claim(
        "the information bound for the weak signal equals linear response theory, |z| < 4",
        holds,
        "bit/s, ± standard error over copies: " + "; ".join(parts),
    )


def _interval(values: pd.Series) -> tuple[float, float]:
    """Mean and half-width of the 95 % interval without missing values; NaN for fewer than two values."""
    known = values.dropna().to_numpy()
    return mean_and_half(known) if known.size > 1 else (np.nan, np.nan)


def _maximum(table: pd.DataFrame) -> Claim:
    """The bound at the interior sigma where theory is largest, compared with both ends of the range."""
    text = "the information bound for the weak signal has its maximum inside the range of sigma: larger than at both ends (95 %)"
    rows = where(table, part="copy", signal="weak", quantity="bound")
    sigmas = sigmas_of(table)
    ends = sigmas[0], sigmas[-1]
    inside = rows[~rows.sigma.isin(ends)].groupby("sigma").exact.first()
    if inside.empty:
        return Claim(text, False, "no values")
    best = float(inside.idxmax())
    top = of_copies(table, "weak", best, "bound")
    gains = {end: _interval(top - of_copies(table, "weak", end, "bound")) for end in ends}
    return Claim(
        text,
        all(mean > width for mean, width in gains.values()),
        f"bit/s at sigma {best:g} mV (largest in theory) minus that at the ends, 95 % over copies: "
        + "; ".join(f"{end:g} mV: {mean:+.3f} ± {width:.2g}" for end, (mean, width) in gains.items()),
    )


def _above(table: pd.DataFrame) -> dict[float, tuple[float, float]]:
    """Direct information minus the bound for the strong signal: mean over copies and half-width of its 95 % interval."""
    return {
        s: _interval(of_copies(table, "strong", s, "direct") - of_copies(table, "strong", s, "bound"))
        for s in sigmas_of(table)
    }


def _direct(table: pd.DataFrame) -> Claim:
    above = _above(table)
    return Claim(
        "the information by the direct method is nowhere below the bound (strong signal, 95 %)",
        all(mean + width > 0 for mean, width in above.values()),
        "direct minus bound, bit/s, 95 % over copies: "
        + "; ".join(f"sigma {s:g} mV: {mean:+.2f} ± {width:.2g}" for s, (mean, width) in above.items()),
    )


def _secondary(table: pd.DataFrame) -> list[Claim]:
    sigmas = sigmas_of(table)
    rows = where(table, part="copy", signal="strong", quantity="bound")
    exact = rows.groupby("sigma").exact.first()
    bound = {s: of_copies(table, "strong", s, "bound") for s in sigmas}
    off = {s: np.log(bound[s].clip(lower=1e-9) / exact[s]) for s in sigmas if s in exact.index}
    first, last = (off.get(s, pd.Series(dtype=float)).abs() for s in (sigmas[0], sigmas[-1]))
    closer, half = _interval(first - last)
    above = _above(table)
    per_spike = {s: bound[s] / of_copies(table, "strong", s, "rate") for s in sigmas}
    falls = [_interval(per_spike[b] - per_spike[a]) for a, b in itertools.pairwise(sigmas)]
    return [
        secondary(
            "the bound for the strong signal deviates from linear theory, less at the largest than at the smallest sigma (95 %)",
            closer > half,
            "log of bound / theory, mean over copies: "
            + "; ".join(f"sigma {s:g} mV: {v.mean():+.2f} ± {v.sem():.2g}" for s, v in off.items()),
        ),
        secondary(
            "the direct method gives more than the bound at every sigma (95 %): spikes carry more than their linear part",
            all(mean > width for mean, width in above.values()),
            "; ".join(
                f"sigma {s:g} mV: {mean:+.2f} ± {width:.2g} bit/s" for s, (mean, width) in above.items()
            ),
        ),
        secondary(
            "bits per spike have no maximum inside the range: they fall from each sigma to the next (strong signal, bound, 95 %)",
            all(mean + width < 0 for mean, width in falls),
            "; ".join(f"sigma {s:g} mV: {v.mean():.3f}" for s, v in per_spike.items()) + " bit per spike",
        ),
    ]


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
    _draw_direct(c, table)
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


def _draw_direct(ax: Any, table: pd.DataFrame) -> None:
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
